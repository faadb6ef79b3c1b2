// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// The requests of I/O address spaces, and VFIO's.

extension Phrasing {
  /// Nil for a request that no verb can say.
  mutating func ioasPhrase() -> Phrase? {
    switch structure.name {
    case "DESTROY": return destroy()
    case "IOAS_ALLOC": return create("ioas create", .ioas, id: "out_ioas_id", [:])
    case "IOAS_ALLOW_IOVAS": return allow()
    case "IOAS_IOVA_RANGES":
      guard let payload = isOwn("allowed_iovas") else { return nil }
      var phrase = Phrase(
        "show iovas \(object("ioas_id", .ioas)) room=\(sent("num_iovas"))", said("ioas_id", "num_iovas"))
      phrase.pointers = ["allowed_iovas"]
      phrase.unwritten = written(payload)
      if let count = received("num_iovas"), let after = payload.after {
        phrase.expect("ranges", "[\(Self.ranges(after, Int(clamping: count)).joined(separator: ", "))]")
        phrase.expect("alignment", "\(received("out_iova_alignment") ?? 0)")
      }
      return phrase
    case "IOAS_MAP":
      let (words, flags) = mapFlags("iova", "iova")
      var phrase = Phrase(
        "map \(object("ioas_id", .ioas)) \(address("user_va")) len=\(number("length"))\(words)",
        said("ioas_id", "user_va", "length", "iova"))
      phrase.said["flags"] = flags
      if let iova = received("iova") { phrase.expect("iova", ScriptText.hex(iova)) }
      return phrase
    case "IOAS_MAP_FILE":
      guard let file = descriptor("fd", .memfd, .dmabuf) else { return nil }
      let (words, flags) = mapFlags("iova", "iova")
      var phrase = Phrase(
        "map \(object("ioas_id", .ioas)) file=\(file) off=\(number("start")) len=\(number("length"))\(words)",
        said("ioas_id", "fd", "start", "length", "iova"))
      phrase.said["flags"] = flags
      if let iova = received("iova") { phrase.expect("iova", ScriptText.hex(iova)) }
      return phrase
    case "IOAS_COPY":
      let (words, flags) = mapFlags("dst_iova", "at")
      var phrase = Phrase(
        "copy \(object("src_ioas_id", .ioas)) \(number("src_iova")) len=\(number("length")) to=\(object("dst_ioas_id", .ioas))\(words)",
        said("src_ioas_id", "dst_ioas_id", "length", "dst_iova", "src_iova"))
      phrase.said["flags"] = flags
      if let iova = received("dst_iova") { phrase.expect("iova", ScriptText.hex(iova)) }
      return phrase
    case "IOAS_UNMAP":
      let isAll = sent("iova") == 0 && sent("length") == .max
      let what = isAll ? "all" : "\(number("iova")) len=\(number("length"))"
      var phrase = Phrase("unmap \(object("ioas_id", .ioas)) \(what)", said("ioas_id", "iova", "length"))
      if let length = received("length") { phrase.expect("length", ScriptText.hex(length)) }
      return phrase
    case "OPTION": return option()
    case "IOAS_CHANGE_PROCESS": return Phrase("change-process")
    default: return vfioPhrase()
    }
  }

  private mutating func destroy() -> Phrase {
    let id = sent("id")
    let object = names.object(id, of: fd)
    let isMock = object?.isMock ?? false
    let phrase = Phrase(
      "destroy "
        + names.text(
          id, of: fd, [.ioas, .device, .hwpt, .faultq, .viommu, .vdevice, .veventq, .hwqueue],
          isMock: isMock
            || object?.kind == .device), said("id"))
    return phrase
  }

  private func allow() -> Phrase? {
    guard sent("num_iovas") > 0 else {
      var phrase = Phrase("allow \(object("ioas_id", .ioas)) none", said("ioas_id", "num_iovas"))
      // With none of them the kernel does not look where they are.
      phrase.pointers = ["allowed_iovas"]
      return phrase
    }
    guard let payload = isOwn("allowed_iovas"), let bytes = payload.before else { return nil }
    let ranges = Self.ranges(bytes, Int(clamping: sent("num_iovas")))
    guard ranges.count == sent("num_iovas") else { return nil }
    var phrase = Phrase(
      "allow \(object("ioas_id", .ioas)) \(ranges.joined(separator: " "))", said("ioas_id", "num_iovas"))
    phrase.pointers = ["allowed_iovas"]
    return phrase
  }

  /// The ranges in an array; those behind one that is none are left out.
  private static func ranges(_ bytes: [UInt8], _ count: Int) -> [String] {
    var ranges: [String] = []
    for index in 0..<min(count, bytes.count / 16) {
      let first = LoggedRequest.word(bytes, index * 16, 8)
      let last = LoggedRequest.word(bytes, index * 16 + 8, 8)
      guard first <= last else { break }
      ranges.append("\(ScriptText.hex(first))...\(ScriptText.hex(last))")
    }
    return ranges
  }

  private func option() -> Phrase? {
    let (option, op) = (sent("option_id"), sent("op"))
    guard option <= 1, op <= 1 else { return nil }
    let isSet = op == 0
    var words = "option"
    if option == 1 || sent("object_id") != 0 { words += " \(object("object_id", .ioas))" }
    words += option == 0 ? " rlimit-mode" : " huge-pages"
    if isSet { words += "=\(number("val64"))" }
    var phrase = Phrase(words, said("option_id", "op", "object_id"))
    if isSet {
      phrase.said["val64"] = sent("val64")
    } else if let value = received("val64") {
      phrase.expect("val", "\(value)")
    }
    return phrase
  }

  private mutating func vfioPhrase() -> Phrase? {
    switch structure.name {
    case "VFIO_IOAS":
      switch sent("op") {
      case 0:
        var phrase = Phrase("vfio-ioas get", said("op"))
        if let id = received("ioas_id") { phrase.expect("id", "\(id)") }
        return phrase
      case 1: return Phrase("vfio-ioas set \(object("ioas_id", .ioas))", said("op", "ioas_id"))
      case 2: return Phrase("vfio-ioas clear", said("op"))
      default: return nil
      }
    case "VFIO_IOMMU_MAP_DMA":
      let flags = sent("flags")
      let rights = ScriptText.rights(read: flags & 1 != 0, write: flags & 2 != 0)
      var phrase = Phrase(
        "vfio map \(address("vaddr")) len=\(number("size")) iova=\(number("iova"))\(rights)",
        said("vaddr", "size", "iova"))
      phrase.said["flags"] = flags & 3
      return phrase
    case "VFIO_IOMMU_UNMAP_DMA":
      let isAll = sent("flags") & 2 != 0
      let place = "\(number("iova")) len=\(number("size"))"
      let what = !isAll ? place : sent("iova") == 0 && sent("size") == 0 ? "all" : "\(place) all"
      var phrase = Phrase("vfio unmap \(what)", said("iova", "size"))
      phrase.said["flags"] = sent("flags") & 2
      if let size = received("size") { phrase.expect("length", ScriptText.hex(size)) }
      return phrase
    default: return nil
    }
  }
}
