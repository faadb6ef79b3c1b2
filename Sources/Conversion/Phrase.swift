// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// A request in the verbs of the language.
///
/// A verb says some fields of its struct; `said` keeps what it says. Whatever the struct has beyond that follows by the
/// fields' own names, so a request with a mistake reads as the verb with the mistake beside it, and is sent as it was:
///
///     map $vm $area+0x8000 len=0x1000 iova=0x1000000 flags=0xf  -> EOPNOTSUPP
struct Phrase {
  var line: ScriptLine
  /// Fields that the words stand for, with the values that these give them.
  var said: [String: UInt64] = [:]
  /// Pointers whose memory the words stand for, whatever their address.
  var pointers: Set<String> = []
  /// Lines that come before it.
  var before: [ScriptLine] = []
  /// Bytes that the program's memory got and the script's did not.
  var unwritten: [(address: UInt64, bytes: [UInt8])] = []
  /// Names that begin to be with the answer.
  var made: [(id: UInt64, object: ScriptNames.Object)] = []
  var opened: [(fd: Int32, name: ScriptName, kind: ScriptNames.Kind)] = []

  init(_ words: String, binding: ScriptName? = nil, _ said: [String: UInt64] = [:]) {
    line = ScriptLine(words, binding: binding)
    self.said = said
  }

  mutating func expect(_ name: String, _ value: String) { line.results.append(.equal(name, value)) }
}

/// Puts one request into words. It has what the request is about at hand, and the names there are.
struct Phrasing {
  let request: LoggedRequest
  let structure: RequestStruct
  var names: ScriptNames
  let memory: ScriptMemory

  var fd: Int32 { request.fd }
  var hasFailed: Bool { request.errno != nil }

  // MARK: Values

  func field(_ name: String) -> Field? { structure.namedFields.first { $0.name == name }?.field }

  /// What was sent in a field, 0 where the struct does not reach it.
  func sent(_ name: String) -> UInt64 { field(name).map { request.sent($0) } ?? 0 }

  func received(_ name: String) -> UInt64? {
    guard !hasFailed, let field = field(name), field.offset + field.size <= request.received.count else {
      return nil
    }
    return request.received(field)
  }

  /// An object by the field that has its number.
  func object(_ name: String, _ kinds: ScriptNames.Kind..., isMock: Bool = false) -> String {
    names.text(sent(name), of: fd, kinds, isMock: isMock)
  }

  /// A descriptor by the field that has its number; nil where it is known to be of none of these kinds, which the
  /// verbs refuse.
  func descriptor(_ name: String, _ kinds: ScriptNames.Kind...) -> String? {
    let fd = Int32(truncatingIfNeeded: sent(name))
    if let known = names.descriptor(fd), !kinds.contains(known.kind) { return nil }
    return names.text(ofDescriptor: fd)
  }

  func number(_ name: String) -> String { ScriptText.hex(sent(name)) }
  func address(_ name: String) -> String { memory.text(sent(name)) }

  /// The fields, as they were sent.
  func said(_ fields: String...) -> [String: UInt64] {
    Dictionary(uniqueKeysWithValues: fields.map { ($0, sent($0)) })
  }

  // MARK: Phrases that many requests share

  /// Something is made: the first result is its number, and a second one its descriptor.
  mutating func create(
    _ words: String, _ kind: ScriptNames.Kind, id: String?, fd file: String? = nil, stem: String? = nil,
    _ said: [String: UInt64]
  ) -> Phrase {
    let name = hasFailed ? ScriptName("") : names.make(stem ?? kind.stem)
    var phrase = Phrase(words, binding: hasFailed ? nil : name, said)
    if let id, let value = received(id) {
      phrase.expect("id", "\(value)")
      phrase.made.append((value, ScriptNames.Object(name: name, kind: kind)))
    }
    if let file, let value = received(file) {
      phrase.opened.append((Int32(truncatingIfNeeded: value), name, kind))
    }
    return phrase
  }

  /// A payload that a verb can say: it was there to be read, it is nobody else's, and the request did not stumble
  /// over it.
  func isOwn(_ name: String, limit: Int = 4096) -> LoggedPayload? {
    guard request.errno != .EFAULT, let payload = request.payload(name), let before = payload.before,
      payload.after != nil, before.count <= limit, !memory.isLive(payload.address, payload.length)
    else { return nil }
    return payload
  }

  /// What the request wrote into a payload that the script keeps elsewhere.
  func written(_ payload: LoggedPayload) -> [(address: UInt64, bytes: [UInt8])] {
    guard let before = payload.before, let after = payload.after, before != after else { return [] }
    return [(payload.address, after)]
  }

  /// `first...last`, where there is such a range.
  static func range(_ first: UInt64, _ length: UInt64) -> String? {
    let (last, overflow) = first.addingReportingOverflow(length &- 1)
    return length == 0 || overflow ? nil : "\(ScriptText.hex(first))...\(ScriptText.hex(last))"
  }

  /// ` ro`, and the flags that `iova` and the rights give.
  func mapFlags(_ place: String, _ fixed: String) -> (words: String, flags: UInt64) {
    let (readable, writeable) = (UInt64(MapFlag.readable), UInt64(MapFlag.writeable))
    let flags = sent("flags")
    let rights = ScriptText.rights(read: flags & readable != 0, write: flags & writeable != 0)
    var said = flags & (readable | writeable)
    var words = ""
    if flags & UInt64(MapFlag.fixedIOVA) != 0 {
      words = " \(fixed)=\(ScriptText.hex(sent(place)))"
      said |= UInt64(MapFlag.fixedIOVA)
    } else if sent(place) != 0 {
      words = " \(fixed)=\(ScriptText.hex(sent(place))) auto"
    }
    return (words + rights, said)
  }
}
