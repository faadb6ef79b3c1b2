// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

extension Executor {
  // MARK: Numbers

  /// A value as an integer; the short way for what fields are mostly made of.
  func number(_ code: Code, _ place: Place, as role: Role = .number) throws(Stop) -> UInt64 {
    switch code {
    case .number(let value): return value
    case .slot(let index):
      switch slots[index] {
      case .number(let value): return value
      case .handle(let handle):
        if role == .descriptor || !Kind.objects.contains(handle.kind) {
          return UInt64(UInt32(bitPattern: handle.fd))
        }
        return UInt64(handle.id)
      case .unset: throw .blocked(slot: index)
      default: return try integer(slots[index], place, as: role)
      }
    case .checked(let inner, let kinds, let here):
      return try integer(try checked(inner, kinds, here), place, as: role)
    default: return try integer(try value(code), place, as: role)
    }
  }

  private func integer(_ value: Value, _ place: Place, as role: Role) throws(Stop) -> UInt64 {
    if role == .stdev, case .device(let device) = value { return UInt64(device.stdev) }
    if role == .descriptor, case .handle(let handle) = value {
      return UInt64(UInt32(bitPattern: handle.fd))
    }
    if case .none = value { return 0 }
    guard let number = value.number else {
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place,
          message: "a number belongs here, and this is \(value.kind.described)"))
    }
    return number
  }

  private func checked(_ code: Code, _ kinds: Set<Kind>, _ place: Place) throws(Stop) -> Value {
    let value = try value(code)
    guard kinds.contains(value.kind) else {
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place,
          message:
            "\(Accepts.object(kinds).described) belongs here, and this is "
            + value.kind.described,
          help: value.number == nil ? [] : ["to send its number all the same: any:..."]))
    }
    return value
  }

  func descriptor(_ code: Code, _ place: Place) throws(Stop) -> Int32 {
    let file = try value(code)
    guard let descriptor = file.descriptor else {
      throw .problem(
        Problem(code: .wrongKindAtRun, place: place, message: "\(file.kind.described) has no file descriptor")
      )
    }
    return descriptor
  }

  /// Bytes, however they were written.
  func bytes(_ code: Code, _ place: Place) throws(Stop) -> [UInt8] {
    switch try value(code) {
    case .bytes(let bytes): return bytes
    case .text(let text): return Array(text.utf8)
    case .none: return []
    case let other:
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place,
          message: "bytes belong here, and this is \(other.kind.described)"))
    }
  }

  // MARK: Values

  func value(_ code: Code) throws(Stop) -> Value {
    switch code {
    case .number(let value): return .number(value)
    case .constant(let value): return value
    case .slot(let index):
      if case .unset = slots[index] { throw .blocked(slot: index) }
      return slots[index]
    case .member(let base, let name, let place): return try member(try value(base), name, place)
    case .index(let base, let index, let place):
      return try element(try value(base), try value(index), place)
    case .range(let first, let last, let place):
      let low = try number(first, place)
      let high = try number(last, place)
      guard low <= high else {
        throw .problem(
          Problem(
            code: .arithmeticAtRun, place: place,
            message: "this range ends before it begins: \(hex(low))...\(hex(high))"))
      }
      return .range(first: low, last: high)
    case .list(let items):
      var values: [Value] = []
      values.reserveCapacity(items.count)
      for item in items { values.append(try value(item)) }
      return try bounded(.list(values), items.count)
    case .record(let members):
      var values: [Value.Member] = []
      for member in members { values.append(Value.Member(name: member.name, value: try value(member.value))) }
      return try bounded(.record(values), members.count)
    case .concatenation(let parts, let place):
      var result: [UInt8] = []
      for part in parts {
        let next = try bytes(part, place)
        try bound(result.count + next.count, place)
        result += next
      }
      return .bytes(result)
    case .union(let parts, let place):
      var bits: UInt64 = 0
      for part in parts { bits |= try number(part, place) }
      return .number(bits)
    case .unary(let sign, let inner, let place):
      return .number(Arithmetic.apply(sign, try number(inner, place)))
    case .binary(let sign, let left, let right, let place):
      return try binary(sign, try value(left), try value(right), place)
    case .function(let function, let arguments, let place): return try call(function, arguments, place)
    case .bare(let inner, let place): return .number(try number(inner, place))
    case .checked(let inner, let kinds, let place): return try checked(inner, kinds, place)
    case .length(let inner, let place): return .number(try length(try value(inner), place))
    case .first(let inner, let place):
      switch try value(inner) {
      case .range(let first, _): return .number(first)
      case let other: return .number(try integer(other, place, as: .number))
      }
    case .part(let inner, let part, let place):
      guard case .device(let device) = try value(inner) else {
        throw .problem(Problem(code: .wrongKindAtRun, place: place, message: "a device belongs here"))
      }
      return .number(Self.part(part, of: device))
    }
  }

  static func part(_ part: DevicePart, of device: ScriptDevice) -> UInt64 {
    switch part {
    case .stdev: UInt64(device.stdev)
    case .device: UInt64(device.device)
    case .hwpt: UInt64(device.hwpt)
    case .flags: device.flags
    }
  }

  private func binary(_ sign: BinaryOperator, _ a: Value, _ b: Value, _ place: Place) throws(Stop) -> Value {
    if sign == .equal || sign == .notEqual {
      return .number(same(a, b) == (sign == .equal) ? 1 : 0)
    }
    let left = try integer(a, place, as: .number)
    let right = try integer(b, place, as: .number)
    let result: UInt64
    do throws(ArithmeticError) {
      result = try Arithmetic.apply(sign, left, right)
    } catch {
      throw .problem(Problem(code: .arithmeticAtRun, place: place, message: error.message))
    }
    // A place in memory keeps what is left of it.
    if case .memory(let address, let length) = a, sign == .add || sign == .subtract, b.kind != .memory {
      let end = address &+ length
      return .memory(
        address: result,
        length: result < end && result >= address ? end - result : sign == .subtract ? end &- result : 0)
    }
    return .number(result)
  }

  func length(_ value: Value, _ place: Place) throws(Stop) -> UInt64 {
    switch value {
    case .memory(_, let length): return length
    case .bytes(let bytes): return UInt64(bytes.count)
    case .text(let text): return UInt64(text.utf8.count)
    case .list(let items): return UInt64(items.count)
    case .range(let first, let last):
      let (length, overflow) = (last &- first).addingReportingOverflow(1)
      if overflow || last < first {
        throw .problem(
          Problem(
            code: .arithmeticAtRun, place: place, message: "a range of 2^64 bytes has no length of 64 bits"))
      }
      return length
    case let other:
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place, message: "\(other.kind.described) has no length",
          help: ["give the length with len="]))
    }
  }

  /// Refuses bytes beyond the limit.
  func bound(_ count: Int, _ place: Place) throws(Stop) {
    guard count <= Limits.valueBytes else {
      throw .problem(
        Problem(
          code: .valueTooLargeAtRun, place: place,
          message: "more than \(Limits.valueBytes >> 20) MiB of bytes"))
    }
  }

  /// Refuses a list or record that holds too much, or holds it too deep. Lists can hold lists, so a loop
  /// could make one that doubles in every round.
  private func bounded(_ value: Value, _ count: Int) throws(Stop) -> Value {
    var budget = Limits.elements
    if count <= budget, Self.fits(value, &budget, depth: 0) { return value }
    throw .problem(
      Problem(
        code: .valueTooLargeAtRun, place: noPlace,
        message: "a list holds at most \(Limits.elements) elements, nested at most \(Limits.nesting) deep"))
  }

  private static func fits(_ value: Value, _ budget: inout Int, depth: Int) -> Bool {
    budget -= 1
    guard budget >= 0, depth <= Limits.nesting else { return false }
    switch value {
    case .list(let items): return items.allSatisfy { fits($0, &budget, depth: depth + 1) }
    case .record(let members): return members.allSatisfy { fits($0.value, &budget, depth: depth + 1) }
    default: return true
    }
  }

  // MARK: Parts

  private func member(_ value: Value, _ name: String, _ place: Place) throws(Stop) -> Value {
    switch value {
    case .handle(let handle):
      if name == "id" && Kind.objects.contains(handle.kind) { return .number(UInt64(handle.id)) }
      if name == "fd" && handle.fd >= 0 { return .handle(Handle(.fd, fd: handle.fd)) }
      return try known(of: handle.kind == .context ? nil : handle.id, name, place)
    case .device(let device):
      switch name {
      case "id", "device": return .number(UInt64(device.device))
      case "stdev": return .number(UInt64(device.stdev))
      case "hwpt": return .handle(Handle(.hwpt, id: device.hwpt))
      default: return try known(of: device.device, name, place)
      }
    case .memory(let address, let length):
      switch name {
      case "va", "address", "first": return .number(address)
      case "length", "len", "count": return .number(length)
      case "last": return .number(address &+ length &- 1)
      default: break
      }
    case .range(let first, let last):
      switch name {
      case "first": return .number(first)
      case "last": return .number(last)
      case "length": return .number(try self.length(value, place))
      default: break
      }
    case .bytes(let bytes) where name == "count" || name == "length": return .number(UInt64(bytes.count))
    case .list(let items) where name == "count" || name == "length": return .number(UInt64(items.count))
    case .none where name == "count": return .number(0)
    case .record(let members):
      if let found = value[name] { return found }
      throw noMember(name, members.map { $0.name }, place)
    default: break
    }
    throw noMember(name, [], place)
  }

  private func noMember(_ name: String, _ known: [String], _ place: Place) -> Stop {
    .problem(
      Problem(
        code: .noSuchMember, place: place, message: "there is no '\(name)' here",
        help: [Suggest.help(for: name, in: known)].compactMap { $0 }
          + (known.isEmpty ? [] : ["there is: " + known.joined(separator: " ")])))
  }

  /// A member of what the bench knows of an object, or of the open file.
  private func known(of object: UInt32?, _ name: String, _ place: Place) throws(Stop) -> Value {
    guard let bench else { throw .needsBench }
    let fd = try currentContext(place)
    guard let fact = object.map({ bench.state(of: fd, object: $0) }) ?? bench.state(of: fd) else {
      throw .problem(
        Problem(
          code: .noSuchMember, place: place,
          message: object.map { "there is no object \($0) any more" } ?? "this is no open /dev/iommu"))
    }
    guard let found = fact[name] else {
      let names: [String] = if case .record(let members) = fact { members.map { $0.name } } else { [] }
      throw noMember(name, names, place)
    }
    return Value(found)
  }

  private func element(_ value: Value, _ index: Value, _ place: Place) throws(Stop) -> Value {
    switch (value, index) {
    case (.memory(let address, let length), .range(let first, let last)):
      guard last < length else { throw outside(place, length) }
      return .memory(address: address &+ first, length: last - first + 1)
    case (.memory(let address, let length), .number(let offset)):
      guard offset < length else { throw outside(place, length) }
      return .memory(address: address &+ offset, length: 1)
    case (.bytes(let bytes), .range(let first, let last)):
      guard last < UInt64(bytes.count) else { throw outside(place, UInt64(bytes.count)) }
      return .bytes(Array(bytes[Int(first)...Int(last)]))
    case (.bytes(let bytes), .number(let offset)):
      guard offset < UInt64(bytes.count) else { throw outside(place, UInt64(bytes.count)) }
      return .number(UInt64(bytes[Int(offset)]))
    case (.list(let items), .number(let position)):
      guard position < UInt64(items.count) else { throw outside(place, UInt64(items.count)) }
      return items[Int(position)]
    default:
      throw .problem(
        Problem(code: .wrongKindAtRun, place: place, message: "\(value.kind.described) has no parts"))
    }
  }

  private func outside(_ place: Place, _ count: UInt64) -> Stop {
    .problem(
      Problem(
        code: .noSuchMember, place: place, message: "this is outside; there are \(count), counted from 0"))
  }

  // MARK: Functions

  private func call(_ function: Function, _ arguments: [Code], _ place: Place) throws(Stop) -> Value {
    switch function {
    case .fill:
      let byte = UInt8(truncatingIfNeeded: try number(arguments[0], place))
      return .bytes([UInt8](repeating: byte, count: try count(arguments[1], place)))
    case .zero: return .bytes([UInt8](repeating: 0, count: try count(arguments[0], place)))
    case .seq:
      let start = arguments.count > 1 ? try number(arguments[1], place) : 0
      return .bytes(Self.sequence(count: try count(arguments[0], place), at: start))
    case .random:
      return .bytes(Self.noise(count: try count(arguments[0], place), seed: try number(arguments[1], place)))
    case .le16: return .bytes(try integers(arguments, 2, place))
    case .le32: return .bytes(try integers(arguments, 4, place))
    case .le64: return .bytes(try integers(arguments, 8, place))
    case .count: return .number(try length(try value(arguments[0]), place))
    case .length, .file, .raw, .iova, .va: return try value(arguments[0])
    case .machine: return Value(try theBench().machineState())
    case .state:
      let bench = try theBench()
      if let subject = arguments.first, let fact = hardwareState(try value(subject), bench) {
        return Value(fact)
      }
      let fd = try currentContext(place)
      if let subject = arguments.first {
        let subject = try value(subject)
        if case .handle(let handle) = subject, handle.kind == .context {
          return bench.state(of: handle.fd).map { Value($0) } ?? .none
        }
        let id = UInt32(truncatingIfNeeded: try integer(subject, place, as: .object))
        return bench.state(of: fd, object: id).map { Value($0) } ?? .none
      }
      return bench.state(of: fd).map { Value($0) } ?? .none
    case .exists, .refs:
      let bench = try theBench()
      let fd = try currentContext(place)
      let id = UInt32(truncatingIfNeeded: try number(arguments[0], place, as: .object))
      let fact = bench.state(of: fd, object: id)
      if function == .exists { return .number(fact == nil ? 0 : 1) }
      guard let users = fact?["users"]?.number else { return .none }
      return .number(users &- min(users, 1))
    case .translate:
      let bench = try theBench()
      let fd = try currentContext(place)
      var subject = try value(arguments[0])
      if case .device(let device) = subject { subject = .number(UInt64(device.hwpt)) }
      let id = UInt32(truncatingIfNeeded: try integer(subject, place, as: .object))
      let iova = try number(arguments[1], place)
      return bench.translate(fd, hwpt: id, iova: iova).map { .physical($0) } ?? .none
    case .physical:
      let address = try number(arguments[0], place)
      return try theBench().physicalAddress(at: address).map { .physical($0) } ?? .none
    case .pins: return try pins(try value(arguments[0]), place)
    case .leaf: return try leaf(arguments, place)
    case .cached: return try cached(arguments, place)
    case .stale: return .list(try theBench().staleTranslations().map { .text($0.evidence) })
    case .area: return try area(arguments, place)
    }
  }

  private func theBench() throws(Stop) -> any Bench {
    guard let bench else { throw .needsBench }
    return bench
  }

  /// A count of bytes, within the limit.
  private func count(_ code: Code, _ place: Place) throws(Stop) -> Int {
    let count = Int(clamping: try number(code, place))
    try bound(count, place)
    return count
  }

  private func integers(_ codes: [Code], _ width: Int, _ place: Place) throws(Stop) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(codes.count * width)
    for code in codes {
      let value = try number(code, place)
      let isNegative = value >= UInt64(bitPattern: Int64(Int32.min))
      guard width == 8 || isNegative || value == .max || value >> UInt64(width * 8) == 0 else {
        throw .problem(
          Problem(
            code: .valueTooLargeAtRun, place: place, message: "\(hex(value)) does not fit into \(width) bytes"
          ))
      }
      for index in 0..<width { result.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }
    return result
  }

  /// Bytes that depend on their position and on their page, so that an exchanged page shows.
  static func sequence(count: Int, at start: UInt64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      for index in 0..<count {
        let position = start &+ UInt64(index)
        buffer[index] = UInt8(truncatingIfNeeded: position ^ (position >> 8) &* 7 ^ (position >> 16) &* 13)
      }
      initialized = count
    }
  }

  /// SplitMix64.
  static func noise(count: Int, seed: UInt64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var state = seed
      var word: UInt64 = 0
      for index in 0..<count {
        if index & 7 == 0 {
          state &+= 0x9E37_79B9_7F4A_7C15
          word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
          word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
          word ^= word >> 31
        }
        buffer[index] = UInt8(truncatingIfNeeded: word)
        word >>= 8
      }
      initialized = count
    }
  }

  /// How often memory is pinned: one number where all its pages agree, else one for each page.
  private func pins(_ memory: Value, _ place: Place) throws(Stop) -> Value {
    let bench = try theBench()
    let address = try integer(memory, place, as: .number)
    var pages: UInt64 = 1
    if case .memory(_, let length) = memory, length > 0 {
      pages = ((address & 4095) &+ length &+ 4095) / 4096
    }
    var counts: [Value] = []
    var isUniform = true
    for page in 0..<min(pages, 1 << 16) {
      guard let count = bench.pinCount(at: (address & ~4095) &+ page &* 4096) else { return .none }
      if let first = counts.first?.number, first != count { isUniform = false }
      counts.append(.number(count))
    }
    return isUniform ? counts.first ?? .none : .list(counts)
  }

  private func area(_ arguments: [Code], _ place: Place) throws(Stop) -> Value {
    let bench = try theBench()
    let fd = try currentContext(place)
    let id = UInt32(truncatingIfNeeded: try number(arguments[0], place, as: .object))
    let index = Int(clamping: try number(arguments[1], place))
    guard case .list(let areas)? = bench.state(of: fd, object: id)?["areas"], index < areas.count else {
      throw .problem(Problem(code: .noSuchMember, place: place, message: "there is no such area"))
    }
    for name in ["iova", "range", "first"] {
      switch areas[index][name] {
      case .range(let first, _)?: return .number(first)
      case let fact?: if let number = fact.number { return .number(number) }
      case nil: continue
      }
    }
    return .none
  }

  /// Whether two values are the same; a physical address equals the memory that lies there.
  func same(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.physical(let address), .memory(let memory, _)), (.memory(let memory, _), .physical(let address)):
      return bench?.physicalAddress(at: memory) == address
    case (.memory, .memory): return a.number == b.number
    case (.number(let number), .handle(let handle)), (.handle(let handle), .number(let number)):
      return number == UInt64(handle.id) && Kind.objects.contains(handle.kind)
        || number == UInt64(UInt32(bitPattern: handle.fd)) && Kind.descriptors.contains(handle.kind)
    default: return Value.same(a, b)
    }
  }

  func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
