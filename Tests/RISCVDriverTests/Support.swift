// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// A machine with one RISC-V IOMMU whose devices user space may have.
final class DriverRig {
  let machine: Machine
  let unit: IOMMUUnit
  private let token = Token()
  private final class Token {}

  init(_ numbers: [String: UInt64] = [:], words: [String: String] = [:]) throws {
    machine = Machine(Machine.Configuration(memorySize: 8 << 30))
    unit = try machine.addIOMMU("iommu0", .riscv, Self.choices(numbers, words))
  }

  static func choices(_ numbers: [String: UInt64] = [:], _ words: [String: String] = [:])
    -> IOMMUKind.Choices
  {
    var choices = IOMMUKind.Choices()
    choices.numbers = numbers
    choices.words = ["vfio": "isolated"].merging(words) { $1 }
    return choices
  }

  var memory: PhysicalMemory { machine.memory }
  var software: RISCVInstance {
    guard let instance = unit.software as? RISCVInstance else { preconditionFailure("not a RISC-V IOMMU") }
    return instance
  }

  func device(
    _ requesterID: UInt16 = 0x18, _ capabilities: PCIFunction.Capabilities = .init(),
    on other: IOMMUUnit? = nil
  ) throws -> Endpoint {
    let function = PCIFunction(requesterID: requesterID, capabilities: capabilities)
    return try machine.addFunction("dev\(requesterID)", function, behind: other ?? unit)
  }

  func domain(for endpoint: Endpoint) throws -> RISCVDomain {
    let domain = try endpoint.device.driver?.allocatePaging(for: endpoint.device)
    return try #require(domain as? RISCVDomain)
  }

  /// Takes the DMA of a device over: it is blocked.
  func claim(_ endpoint: Endpoint) throws { try #require(endpoint.device.group).claim(for: token) }

  /// Puts a device on a domain, from whatever it is on.
  func put(_ endpoint: Endpoint, on domain: any Domain) throws {
    let group = try #require(endpoint.device.group)
    if group.ownerCount == 0 { try group.claim(for: token) }
    try group.replace(with: domain, handle: AttachHandle())
  }

  /// A device on a domain of its own.
  func attached(_ requesterID: UInt16 = 0x18, _ capabilities: PCIFunction.Capabilities = .init()) throws
    -> (Endpoint, RISCVDomain)
  {
    let endpoint = try device(requesterID, capabilities)
    let domain = try domain(for: endpoint)
    try put(endpoint, on: domain)
    return (endpoint, domain)
  }

  /// Zeroed memory whose first byte is `mark`.
  func page(_ mark: UInt8 = 0, count: Int = 1) throws -> PhysAddr {
    let frame = try memory.allocateContiguous(count, alignment: count)
    memory.bytes(of: frame).storeBytes(of: mark, as: UInt8.self)
    return frame.address
  }

  func byte(_ address: PhysAddr) -> UInt8 { memory.bytes(at: address, count: 1)?[0] ?? 0 }

  /// Commands that the driver has queued since `body` began.
  func commands(_ body: () throws -> Void) rethrows -> [RISCVCommand] {
    let first = unit.read32(RISCV.Register.cqt)
    try body()
    let base = unit.read64(RISCV.Register.cqb)
    let mask = UInt32(2) << UInt32(base & RISCV.Queue.sizeMask) - 1
    var found: [RISCVCommand] = []
    var index = first
    while index != unit.read32(RISCV.Register.cqt) {
      let place = PhysAddr((base >> 10) << 12 + UInt64(index) * 16)
      found.append(
        RISCVCommand(memory.load64(at: place) ?? 0, memory.load64(at: PhysAddr(place.raw + 8)) ?? 0))
      index = (index + 1) & mask
    }
    return found
  }

  func translate(_ endpoint: Endpoint, _ address: UInt64, _ access: Transaction.Access = .read)
    -> TranslationAnswer
  {
    unit.withHardware {
      $0.translate(Transaction(source: endpoint.function.source, address: address, access: access))
    }
  }
}

extension DMAOutcome {
  var bytes: [UInt8]? { if case .done(let bytes) = self { bytes } else { nil } }
  var fault: DMAFault? { if case .fault(let fault) = self { fault } else { nil } }
}

let readWrite: Protection = [.read, .write, .cache]
