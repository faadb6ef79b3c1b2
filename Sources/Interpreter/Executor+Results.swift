// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Finding results in what came back.

extension Executor {
  /// The results of a command, the primary one first.
  func specs(of command: CommandNode) -> [ResultSpec] {
    switch command.body {
    case .request(let plan), .raw(let plan, _), .destroy(_, let plan): plan.results
    case .device(_, let plan): lastPlan?.results ?? plan.later.results
    case .pageRequest: []
    case .action: command.verb?.results ?? []
    case .call: []
    }
  }

  func result(_ index: Int, _ command: CommandNode) -> Value {
    switch command.body {
    case .action:
      guard let verb = command.verb, index < verb.results.count else { return .none }
      let name = verb.results[index].name
      return actionResults.first { $0.name == name }?.value ?? .none
    default:
      let specs = specs(of: command)
      guard index < specs.count else { return .none }
      return result(specs[index])
    }
  }

  private func result(_ spec: ResultSpec) -> Value {
    switch spec.source {
    case .field(let offset, let size):
      fetch()
      return .number(field(offset, size))
    case .object(let kind, let id, let fd):
      fetch()
      var handle = Handle(kind)
      if let id { handle.id = UInt32(truncatingIfNeeded: field(id, 4)) }
      if let fd { handle.fd = Int32(bitPattern: UInt32(truncatingIfNeeded: field(fd, 4))) }
      if kind == .veventq {
        handle.detail = UInt32(truncatingIfNeeded: field(Layout.VEventQAlloc.type.offset, 4))
      }
      return .handle(handle)
    case .returned(let kind):
      if let kind { return .handle(Handle(kind, fd: returned)) }
      return .number(UInt64(UInt32(bitPattern: returned)))
    case .part(let part):
      // A PCI function has no object of the selftest's.
      guard let device, device.function == nil || part != .stdev else { return .none }
      return .number(Self.part(part, of: device))
    case .structure:
      fetch()
      return .bytes(Array(work[..<structCount]))
    case .ranges(let payload, let count):
      fetch()
      let data = payloadBytes(payload)
      let wanted = Int(min(field(count, 4), UInt64(data.count / 16)))
      return .list(
        (0..<wanted).map { .range(first: word(data, $0 * 16, 8), last: word(data, $0 * 16 + 8, 8)) })
    case .payload(let index, let length):
      fetch()
      let data = payloadBytes(index)
      let count = length.map { Int(min(field($0, 4), UInt64(data.count))) } ?? data.count
      return .bytes(Array(data.prefix(count)))
    case .word(let index, let offset, let size):
      let data = payloadBytes(index)
      guard offset + size <= data.count else { return .none }
      return .number(word(data, offset, size))
    case .pages(let index, let iova, let length, let page):
      fetch()
      return .list(
        pages(payloadBytes(index), from: field(iova, 8), length: field(length, 8), size: field(page, 8)))
    case .capabilities:
      fetch()
      return ranges(inChainOf: Array(work[..<structCount]))
    case .named: return actionResults.first { $0.name == spec.name }?.value ?? .none
    }
  }

  private func payloadBytes(_ index: Int) -> [UInt8] {
    guard index < payloads.count else { return [] }
    let payload = payloads[index]
    let count = min(payload.count, 16 << 20)
    do throws(Errno) {
      return try target.memory.bytes(at: payload.address, count: count)
    } catch {
      return []
    }
  }

  func word(_ data: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    guard offset >= 0, offset + size <= data.count else { return 0 }
    return (0..<size).reduce(0) { $0 | UInt64(data[offset + $1]) << UInt64($1 * 8) }
  }

  /// Set bits as addresses, within the range that was asked for.
  private func pages(_ data: [UInt8], from iova: UInt64, length: UInt64, size: UInt64) -> [Value] {
    guard size > 0, length > 0 else { return [] }
    let bits = (length - 1) / size
    var pages: [Value] = []
    for (index, byte) in data.enumerated() where byte != 0 {
      for bit in 0..<8 where byte & (1 << UInt8(bit)) != 0 {
        let number = UInt64(index * 8 + bit)
        if number <= bits { pages.append(.number(iova &+ number &* size)) }
      }
    }
    return pages
  }

  /// The IOVA ranges in a capability chain.
  private func ranges(inChainOf data: [UInt8]) -> Value {
    var offset = Int(word(data, 16, 4))
    var rounds = 0
    while offset >= 24, offset + 16 <= data.count, rounds < 16 {
      rounds += 1
      if word(data, offset, 2) == 1 {
        let count = min(Int(word(data, offset + 8, 4)), (data.count - offset - 16) / 16)
        return .list(
          (0..<max(0, count)).map { index in
            .range(
              first: word(data, offset + 16 + index * 16, 8), last: word(data, offset + 24 + index * 16, 8))
          })
      }
      offset = Int(word(data, offset + 4, 4))
    }
    return .none
  }
}
