// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// The operations of the selftest command.

extension Phrasing {
  /// Nil for an operation that no verb can say.
  mutating func selftestPhrase() -> Phrase? {
    guard let operation = structure.operation else { return nil }
    switch operation.name {
    case "MOCK_DOMAIN_FLAGS": return attachFirst()
    case "ADD_RESERVED":
      let range = Self.range(sent("start"), sent("length"))
      return Phrase(
        "reserve \(object("id", .ioas)) " + (range ?? "\(number("start")) len=\(number("length"))"),
        said("id", "start", "length"))
    case "MD_CHECK_MAP":
      return Phrase(
        "check map \(object("id", .hwpt)) \(number("iova")) \(address("uptr")) len=\(number("length"))",
        said("id", "iova", "uptr", "length"))
    case "MD_CHECK_REFS":
      return Phrase(
        "check refs \(address("uptr")) \(sent("refs")) len=\(number("length"))",
        said("uptr", "refs", "length"))
    case "CREATE_ACCESS":
      let pins = sent("flags") & 1 != 0
      var phrase = create(
        "access create \(object("id", .ioas))\(pins ? " pin" : "")", .access, id: nil, fd: "out_access_fd",
        said("id"))
      phrase.said["flags"] = sent("flags") & 1
      return phrase
    case "DESTROY_ACCESS_PAGES":
      guard let access = descriptor("id", .access) else { return nil }
      return Phrase(
        "access unpin \(access) \(number("access_pages_id"))", said("id", "access_pages_id"))
    case "ACCESS_PAGES":
      guard let access = descriptor("id", .access) else { return nil }
      var words = "access pin \(access) \(number("iova")) len=\(number("length"))"
      if sent("uptr") != 0 { words += " buf=\(address("uptr"))" }
      if sent("flags") & 1 != 0 { words += " write" }
      if sent("flags") & 0x10000 != 0 { words += " area" }
      var phrase = Phrase(words, said("id", "iova", "length", "uptr"))
      phrase.said["flags"] = sent("flags") & 0x10001
      if let item = received("out_access_pages_id") { phrase.expect("item", "\(item)") }
      return phrase
    case "ACCESS_RW": return access()
    case "SET_TEMP_MEMORY_LIMIT": return Phrase("memory-limit \(number("limit"))", said("limit"))
    case "MOCK_DOMAIN_REPLACE":
      var phrase = Phrase(
        "replace \(object("id", .device, isMock: true)) to=\(object("pt_id", .ioas, .hwpt))",
        said("id", "pt_id"))
      if let id = received("pt_id") { phrase.expect("hwpt", "\(id)") }
      return phrase
    case "ACCESS_REPLACE_IOAS":
      guard let access = descriptor("id", .access) else { return nil }
      return Phrase("access move \(access) to=\(object("ioas_id", .ioas))", said("id", "ioas_id"))
    case "DIRTY": return dirty()
    case "MD_CHECK_IOTLB":
      return Phrase(
        "check iotlb \(object("id", .hwpt)) \(sent("id2")) \(number("iotlb"))", said("id", "id2", "iotlb"))
    case "DEV_CHECK_CACHE":
      return Phrase(
        "check cache \(object("id", .device)) \(sent("id2")) \(number("cache"))", said("id", "id2", "cache"))
    case "TRIGGER_IOPF": return fault()
    case "TRIGGER_VEVENT": return Phrase("event \(object("dev_id", .device))", said("dev_id"))
    case "PASID_ATTACH", "PASID_REPLACE":
      let verb = operation.name == "PASID_ATTACH" ? "attach" : "replace"
      return Phrase(
        "\(verb) \(object("id", .device, isMock: true)) to=\(object("pt_id", .ioas, .hwpt)) pasid=\(sent("pasid"))",
        said("id", "pt_id", "pasid"))
    case "PASID_DETACH":
      return Phrase(
        "detach \(object("id", .device, isMock: true)) pasid=\(sent("pasid"))", said("id", "pasid"))
    case "PASID_CHECK_HWPT":
      let table = sent("hwpt_id") == 0 ? "none" : object("hwpt_id", .hwpt)
      return Phrase(
        "check pasid \(object("id", .device, isMock: true)) \(sent("pasid")) \(table)",
        said("id", "pasid", "hwpt_id"))
    case "DMABUF_GET":
      var phrase = create("dmabuf create \(number("length"))", .dmabuf, id: nil, said("length"))
      if case .success(let fd) = request.result, let name = phrase.line.binding {
        phrase.opened.append((fd, name, .dmabuf))
      }
      return phrase
    case "DMABUF_REVOKE":
      guard let buffer = descriptor("dmabuf_fd", .dmabuf) else { return nil }
      let isRevoked = sent("revoked") != 0
      return Phrase(
        "dmabuf \(isRevoked ? "revoke" : "restore") \(buffer)",
        ["dmabuf_fd": sent("dmabuf_fd"), "revoked": isRevoked ? 1 : 0])
    default: return nil
    }
  }

  /// A device is plugged in by its first attachment.
  private mutating func attachFirst() -> Phrase {
    let name = names.make(.device)
    var device = ScriptLine("device add kind=mock", binding: name)
    for (word, bit) in [("no-dirty", UInt64(1)), ("huge-iova", 2), ("pasid", 4)]
    where sent("dev_flags") <= 7 && sent("dev_flags") & bit != 0 {
      device.words += " \(word)"
    }
    if sent("dev_flags") > 7 { device.words += " flags=\(number("dev_flags"))" }
    var phrase = Phrase("attach \(name.reference) to=\(object("id", .ioas, .hwpt))", said("id", "dev_flags"))
    phrase.before = [device]
    if let mock = received("out_stdev_id"), let device = received("out_idev_id"),
      let table = received("out_hwpt_id")
    {
      let hwpt = names.make(.hwpt)
      phrase.line.results = [
        .named("hwpt", hwpt, otherwise: "\(table)"), .equal("stdev", "\(mock)"),
        .equal("device", "\(device)"),
      ]
      phrase.made = [
        (mock, ScriptNames.Object(name: name, kind: .device, isMock: true)),
        (device, ScriptNames.Object(name: name, kind: .device)),
        (table, ScriptNames.Object(name: hwpt, kind: .hwpt)),
      ]
    }
    return phrase
  }

  private func access() -> Phrase? {
    guard let access = descriptor("id", .access) else { return nil }
    let flags = sent("flags")
    var words = flags & 1 != 0 ? "access write" : "access read"
    words += " \(access) \(number("iova"))"
    let own = isOwn("uptr", limit: 256)
    var phrase = Phrase(words, said("id", "iova", "length"))
    if flags & 1 != 0 {
      if let bytes = own?.before, !bytes.isEmpty {
        phrase.line.words += " \(ScriptText.bytes(bytes))"
        phrase.pointers = ["uptr"]
      } else {
        phrase.line.words += " from=\(address("uptr")) len=\(number("length"))"
        phrase.said["uptr"] = sent("uptr")
      }
    } else {
      phrase.line.words += " len=\(number("length"))"
      if let own {
        phrase.pointers = ["uptr"]
        phrase.unwritten = written(own)
        if !hasFailed, let after = own.after, !after.isEmpty {
          phrase.expect("data", ScriptText.bytes(after))
        }
      } else {
        // Without room of its own the verb asks for as much as it reads, which may be more than there is.
        phrase.line.words += " into=\(address("uptr"))"
        phrase.said["uptr"] = sent("uptr")
      }
    }
    if flags & 4 != 0 { phrase.line.words += " slow" }
    if flags & 0x10000 != 0 { phrase.line.words += " area" }
    phrase.said["flags"] = flags & 0x10005
    return phrase
  }

  private func dirty() -> Phrase? {
    let (iova, length, page) = (sent("iova"), sent("length"), sent("page_size"))
    guard page > 0, length % page == 0, let range = Self.range(iova, length),
      let bytes = isOwn("uptr")?.before
    else { return nil }
    let pages = Self.pages(bytes, iova, length, page)
    // Bits beyond the range are the program's own affair, which no page can say.
    let set = bytes.reduce(0) { $0 + $1.nonzeroBitCount }
    guard set == pages.count, pages.count <= 64 else { return nil }
    var phrase = Phrase(
      "dirty mark \(object("id", .hwpt)) \(range) page=\(ScriptText.hex(page)) pages=[\(pages.joined(separator: ", "))]",
      said("id", "iova", "length", "page_size"))
    phrase.pointers = ["uptr"]
    if let count = received("out_nr_dirty") { phrase.expect("count", "\(count)") }
    return phrase
  }

  private func fault() -> Phrase? {
    guard let device = names.object(sent("dev_id"), of: fd), device.kind == .device, !device.isMock,
      !device.isFunction
    else { return nil }
    var words = "fault \(device.name.reference) \(number("addr"))"
    let permissions = sent("perm")
    for (word, bit) in [("read", UInt64(1)), ("write", 2), ("exec", 4), ("priv", 8)]
    where permissions & bit != 0 {
      words += " \(word)"
    }
    var fields = said("dev_id", "addr")
    // With nothing said it is read.
    fields["perm"] = permissions & 15 == 0 ? 1 : permissions & 15
    for (word, name) in [("pasid", "pasid"), ("group", "grpid")] where sent(name) != 0 {
      words += " \(word)=\(sent(name))"
      fields[name] = sent(name)
    }
    return Phrase(words, fields)
  }
}
