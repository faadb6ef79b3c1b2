// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import UAPI

/// Spells the bytes of a struct as the arguments of a call.
///
/// A call fits when everything that the struct says can be said with it: its constants are the struct's, and its
/// fields reach every byte that is not zero. Of those that fit, the one that says most in its name is taken: it has
/// the most constants, and is for what the object is. Our own calls are for what no other fits.
struct SyzSpelling {
  let request: LoggedRequest
  var memory: ExportMemory
  let variables: SyzVariables
  /// What the call makes.
  private(set) var made: [SyzVariables.Made] = []
  private var nextName: Int

  private static let textBase: UInt64 = 0x7F00_0000_0000

  init(
    _ request: LoggedRequest, _ memory: ExportMemory, _ variables: SyzVariables, nextName: Int
  ) {
    self.request = request
    self.memory = memory
    self.variables = variables
    self.nextName = nextName
  }

  /// The call's name and its last argument; nil when none fits.
  mutating func spell() -> (name: String, argument: SyzArgument)? {
    var best: (name: String, fields: [SyzArgument], rank: Int, state: SyzSpelling)?
    for row in SyzCalls.all {
      guard row.request == request.request, let structure = row.structure else { continue }
      let rank = rank(row, structure)
      guard best == nil || rank > best!.rank else { continue }
      var attempt = self
      guard let fields = attempt.spell(structure, request.sent, 0, direction(of: row)), reaches(structure)
      else {
        continue
      }
      best = (row.name, fields, rank, attempt)
    }
    guard let best else { return nil }
    self = best.state
    guard let place = place() else { return nil }
    return (best.name, SyzArgument(.pointer(place, SyzArgument(.structure(best.fields)), isAny: false)))
  }

  private func rank(_ row: SyzCallRow, _ structure: SyzStructure) -> Int {
    if row.name.hasPrefix(SyzCalls.ownPrefix) { return -1 }
    var rank = 0
    for field in structure.fields {
      if case .constant = field.type { rank += 2 }
    }
    // `IOMMU_DESTROY$hwpt` is for what `out_hwpt_id` gave.
    if let variant = row.name.split(separator: "$").last,
      let id = request.structure?.fields.dropFirst().first,
      let maker = variables.objects[request.sent(id)]?.field, maker == "out_\(variant)_id"
    {
      rank += 1
    }
    return rank
  }

  private func direction(of row: SyzCallRow) -> SyzDirection {
    if case .pointer(_, let direction) = row.parameters.last?.type { direction } else { .input }
  }

  /// Room for the struct; where the script passed it at a place of its own, there.
  private mutating func place() -> SyzPlace? {
    guard request.errno == .EFAULT, let offset = memory.offset(of: request.argument) else {
      return memory.place(request.sent.count).map { .address(Self.textBase + $0) }
    }
    return .address(Self.textBase + offset)
  }

  /// No byte that is not zero lies behind what the call describes.
  private func reaches(_ structure: SyzStructure) -> Bool {
    let size = max(structure.size, Self.layOut(structure).end)
    return request.sent.dropFirst(size).allSatisfy { $0 == 0 }
  }

  /// Offsets of fields, and the end of the last one.
  private static func layOut(_ structure: SyzStructure) -> (offsets: [Int], end: Int) {
    var offsets: [Int] = []
    var end = 0
    for field in structure.fields {
      let alignment = field.type.alignment
      end = (end + alignment - 1) / alignment * alignment
      offsets.append(end)
      end += field.type.size
    }
    return (offsets, end)
  }

  // MARK: Values

  private mutating func spell(
    _ structure: SyzStructure, _ bytes: [UInt8], _ base: Int, _ direction: SyzDirection
  ) -> [SyzArgument]? {
    let (offsets, _) = Self.layOut(structure)
    var arguments: [SyzArgument] = []
    for (field, offset) in zip(structure.fields, offsets) {
      guard let argument = spell(field, bytes, base + offset, field.direction ?? direction) else {
        return nil
      }
      arguments.append(argument)
    }
    return arguments
  }

  private mutating func spell(
    _ field: SyzField, _ bytes: [UInt8], _ offset: Int, _ direction: SyzDirection
  ) -> SyzArgument? {
    let isThere = offset + field.type.size <= bytes.count
    let value = isThere ? LoggedRequest.word(bytes, offset, min(8, field.type.size)) : 0
    let isOutput = direction == .output
    switch field.type {
    case .constant(let constant, _):
      // What the request does not reach is not looked at.
      guard !isThere || isOutput || value == constant else { return nil }
      return SyzArgument(.integer(constant))
    case .integer:
      // What a description calls an output and the kernel reads cannot be said with it.
      guard !isOutput || value == 0 || self.field(at: offset)?.direction == .output else { return nil }
      return SyzArgument(.integer(isOutput ? 0 : value))
    case .length: return SyzArgument(.integer(value))
    case .resource(let resource, _): return self.resource(resource, value, offset, direction, isThere)
    case .pointer(let element, let inner): return pointer(field.name, value, element, inner)
    case .pages: return nil
    case .buffer:
      let rest = offset < bytes.count ? Array(bytes[offset...]) : []
      return SyzArgument(.data(SyzData(rest)))
    case .structure(let structure):
      return spell(structure, bytes, offset, direction).map { SyzArgument(.structure($0)) }
    case .array(let element):
      var elements: [SyzArgument] = []
      var place = offset
      while element.size > 0, place + element.size <= bytes.count {
        guard let argument = spell(SyzField("", element), bytes, place, direction) else { return nil }
        elements.append(argument)
        place += element.size
      }
      return SyzArgument(.array(elements))
    case .text, .union: return nil
    }
  }

  private mutating func resource(
    _ resource: SyzResource, _ value: UInt64, _ offset: Int, _ direction: SyzDirection, _ isThere: Bool
  ) -> SyzArgument {
    guard direction != .output else {
      var argument = SyzArgument(.integer(resource == .descriptor ? .max : 0))
      if request.errno == nil, isThere {
        let name = "r\(nextName)"
        nextName += 1
        let field = field(at: offset)
        made.append(
          SyzVariables.Made(
            name: name, value: LoggedRequest.word(request.received, offset, 4), kind: Self.kind(field),
            field: field?.name ?? ""))
        argument.binding = name
      }
      return argument
    }
    // What the kernel takes for a descriptor counts, whatever the description says.
    let known = variables.name(value, Self.kind(field(at: offset)))
    return SyzArgument(known.map { .result(SyzVariable($0)) } ?? .integer(value))
  }

  private func field(at offset: Int) -> Field? { request.structure?.fields.first { $0.offset == offset } }

  private static func kind(_ field: Field?) -> SyzVariables.Kind {
    switch field?.meaning {
    case .fileDescriptor: .descriptor
    case .objectID: .object
    default: .item
    }
  }

  private mutating func pointer(
    _ field: String, _ address: UInt64, _ element: SyzType, _ direction: SyzDirection
  ) -> SyzArgument? {
    guard address != 0 else { return SyzArgument(.integer(0)) }
    let payload = request.payload(field)
    let room = payload.map {
      $0.length > 0 && request.errno != .EFAULT ? memory.place(Int(clamping: $0.length)) : nil
    }
    guard let offset = (room ?? nil) ?? memory.offset(of: address) else {
      return SyzArgument(SyzExport.nowhere(address))
    }
    let place = SyzPlace.address(Self.textBase + offset)
    switch element {
    case .buffer:
      // Memory that is mapped has its bytes already.
      guard let payload else { return SyzArgument(.pointer(place, nil, isAny: false)) }
      guard direction != .output else {
        return SyzArgument(
          .pointer(place, SyzArgument(.data(SyzData([], .hexadecimal, size: payload.length))), isAny: false))
      }
      guard let before = payload.before else { return SyzArgument(.pointer(place, nil, isAny: false)) }
      return SyzArgument(.pointer(place, SyzArgument(.data(SyzData(before, .hexadecimal))), isAny: false))
    default:
      guard let bytes = payload?.before,
        let contents = spell(SyzField("", element), bytes, 0, direction)
      else { return nil }
      return SyzArgument(.pointer(place, contents, isAny: false))
    }
  }
}
