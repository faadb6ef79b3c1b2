// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// Page tables, virtual IOMMUs, queues.

extension Phrasing {
  /// Nil for a request that no verb can say.
  mutating func devicePhrase() -> Phrase? {
    switch structure.name {
    case "HWPT_ALLOC": return hwpt()
    case "GET_HW_INFO":
      guard let payload = isOwn("data_uptr") else { return nil }
      var phrase = Phrase(
        "hwinfo \(object("dev_id", .device)) len=\(sent("data_len"))", said("dev_id", "data_len"))
      phrase.pointers = ["data_uptr"]
      phrase.unwritten = written(payload)
      if let type = received("out_data_type") ?? received("data_type") {
        phrase.expect("type", ScriptText.hex(type))
      }
      if let count = received("data_len"), let after = payload.after {
        phrase.expect("len", "\(count)")
        let shown = after.prefix(Int(clamping: count))
        if !shown.isEmpty { phrase.expect("data", ScriptText.bytes(shown)) }
      }
      return phrase
    case "HWPT_SET_DIRTY_TRACKING":
      let isOn = sent("flags") & 1 != 0
      var phrase = Phrase("dirty \(isOn ? "start" : "stop") \(object("hwpt_id", .hwpt))", said("hwpt_id"))
      phrase.said["flags"] = isOn ? 1 : 0
      return phrase
    case "HWPT_GET_DIRTY_BITMAP":
      guard let payload = isOwn("data", limit: 1 << 16), sent("page_size") > 0,
        let range = Self.range(sent("iova"), sent("length"))
      else { return nil }
      let keeps = sent("flags") & 1 != 0
      var phrase = Phrase(
        "dirty read \(object("hwpt_id", .hwpt)) \(range) page=\(number("page_size"))\(keeps ? " keep" : "")",
        said("hwpt_id", "iova", "length", "page_size"))
      phrase.said["flags"] = sent("flags") & 1
      phrase.pointers = ["data"]
      phrase.unwritten = written(payload)
      if let before = payload.before, before.allSatisfy({ $0 == 0 }), !hasFailed {
        let pages = Self.pages(payload.after ?? [], sent("iova"), sent("length"), sent("page_size"))
        if pages.count <= 64 {
          phrase.expect("pages", pages.isEmpty ? "none" : "[\(pages.joined(separator: ", "))]")
        }
      }
      return phrase
    case "HWPT_INVALIDATE": return invalidate()
    case "FAULT_QUEUE_ALLOC":
      return create("faultq create", .faultq, id: "out_fault_id", fd: "out_fault_fd", [:])
    case "VIOMMU_ALLOC":
      var phrase = create(
        "viommu create dev=\(object("dev_id", .device)) parent=\(object("hwpt_id", .hwpt)) type=\(number("type"))",
        .viommu, id: "out_viommu_id", said("dev_id", "hwpt_id", "type"))
      guard sent("data_len") > 0 else { return phrase }
      guard let payload = isOwn("data_uptr"), let bytes = payload.before else { return nil }
      phrase.line.words += " data=\(ScriptText.bytes(bytes))"
      phrase.said["data_len"] = sent("data_len")
      phrase.pointers = ["data_uptr"]
      phrase.unwritten = written(payload)
      return phrase
    case "VDEVICE_ALLOC":
      return create(
        "vdevice create \(object("viommu_id", .viommu)) dev=\(object("dev_id", .device)) id=\(number("virt_id"))",
        .vdevice, id: "out_vdevice_id", said("viommu_id", "dev_id", "virt_id"))
    case "VEVENTQ_ALLOC":
      return create(
        "veventq create \(object("viommu_id", .viommu)) type=\(number("type")) depth=\(sent("veventq_depth"))",
        .veventq, id: "out_veventq_id", fd: "out_veventq_fd", said("viommu_id", "type", "veventq_depth"))
    case "HW_QUEUE_ALLOC":
      return create(
        "hwqueue create \(object("viommu_id", .viommu)) type=\(number("type")) index=\(sent("index")) "
          + "iova=\(number("nesting_parent_iova")) len=\(number("length"))",
        .hwqueue, id: "out_hw_queue_id", said("viommu_id", "type", "index", "nesting_parent_iova", "length"))
    default: return nil
    }
  }

  private mutating func hwpt() -> Phrase? {
    let flags = sent("flags")
    var words =
      "hwpt create dev=\(object("dev_id", .device)) parent=\(object("pt_id", .ioas, .hwpt, .viommu))"
    var fields = said("dev_id", "pt_id")
    for (word, bit) in [("nest", UInt64(1)), ("dirty", 2), ("pasid", 8)] where flags & bit != 0 {
      words += " \(word)"
    }
    fields["flags"] = flags & 11
    if flags & 4 != 0 {
      words += " fault=\(object("fault_id", .faultq))"
      fields["flags"] = flags & 15
      fields["fault_id"] = sent("fault_id")
    }
    var pointers: Set<String> = []
    var isNested = false
    if sent("data_len") > 0 {
      guard let payload = isOwn("data_uptr"), let bytes = payload.before else { return nil }
      isNested = true
      if sent("data_type") == 0xDEAD, bytes.count == 4 {
        words += " data=selftest iotlb=\(ScriptText.hex(LoggedRequest.word(bytes, 0, 4)))"
      } else {
        words += " data=\(ScriptText.bytes(bytes)) type=\(number("data_type"))"
      }
      fields["data_type"] = sent("data_type")
      fields["data_len"] = sent("data_len")
      pointers = ["data_uptr"]
    }
    var phrase = create(
      words, .hwpt, id: "out_hwpt_id", stem: isNested ? "guest" : nil, fields)
    phrase.pointers = pointers
    return phrase
  }

  /// The pages whose bits are set, as far as the range goes.
  static func pages(_ bitmap: [UInt8], _ iova: UInt64, _ length: UInt64, _ page: UInt64) -> [String] {
    var pages: [String] = []
    let count = length / page &+ (length % page == 0 ? 0 : 1)
    for (index, byte) in bitmap.enumerated() where byte != 0 {
      for bit in 0..<8 where byte >> UInt8(bit) & 1 != 0 {
        let number = UInt64(index * 8 + bit)
        if number < count { pages.append(ScriptText.hex(iova &+ number &* page)) }
      }
    }
    return pages
  }

  private func invalidate() -> Phrase? {
    let target = object("hwpt_id", .hwpt, .viommu)
    guard sent("data_type") == 0xDEAD_BEEF, sent("entry_len") == 8, sent("entry_num") > 0,
      let bytes = isOwn("data_uptr")?.before,
      names.object(sent("hwpt_id"), of: fd)?.kind == .hwpt
    else { return nil }
    var words = "invalidate \(target)"
    for start in stride(from: 0, to: bytes.count, by: 8) {
      let flags = LoggedRequest.word(bytes, start, 4)
      let index = LoggedRequest.word(bytes, start + 4, 4)
      words +=
        flags == 0
        ? " { iotlb=\(ScriptText.hex(index)) }" : " { raw \(ScriptText.bytes(bytes[start..<start + 8])) }"
    }
    var phrase = Phrase(words, said("hwpt_id", "data_type", "entry_len", "entry_num"))
    phrase.pointers = ["data_uptr"]
    // How many were done is told even where one of them was refused; only an answer without error is expected here.
    if let done = received("entry_num") { phrase.expect("done", "\(done)") }
    return phrase
  }
}
