// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
@_exported public import HardwareTestSupport
internal import Memory
internal import Testing

/// Remembers what the IOMMU tells its surroundings.
final class Recorder: HardwareFabric {
  var wires: [UInt32] = []
  var responses: [PageResponse] = []
  func interrupt(_ message: InterruptMessage) {}
  func interrupt(wire: UInt32) { wires.append(wire) }
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool { false }
  func respond(_ response: PageResponse) { responses.append(response) }
  func resume(tag: UInt32, retry: Bool) {}
}

/// A machine with one enabled function.
final class Rig {
  let memory: PhysicalMemory
  let iommu: ZPCIIOMMU
  let fabric = Recorder()
  private(set) var handle: UInt32 = 0

  /// All designations work, and the function may use every address.
  static var permissive: ZPCIIOMMU.Configuration {
    var configuration = ZPCIIOMMU.Configuration()
    configuration.group.designations = 0xF0
    return configuration
  }

  init(
    _ configuration: ZPCIIOMMU.Configuration = Rig.permissive, memorySize: UInt64 = 1 << 30,
    firstDMA: UInt64 = 0, lastDMA: UInt64 = .max, type: UInt8 = 0
  ) {
    memory = PhysicalMemory(size: memorySize)
    iommu = ZPCIIOMMU(memory: memory, configuration: configuration)
    iommu.connect(fabric)
    let plugged = iommu.plug(id: 0x42, firstDMA: firstDMA, lastDMA: lastDMA, type: type)
    handle = iommu.setFunction(plugged ?? 0, enabled: true).handle
    while iommu.takeEvent() != nil {}
    fabric.wires = []
  }

  func put(_ address: UInt64, _ words: UInt64...) {
    for (index, word) in words.enumerated() {
      _ = memory.store64(word.byteSwapped, at: PhysAddr(address + UInt64(index) * 8))
    }
  }

  /// The tables of the known answers.
  func tables() {
    put(0x10010, 0x14007, 0x20, 0, 0x14004, 0, 0x14003, 0x14047, 0)
    put(0x10028, 0x14004, 0x14003, 0x14047, 0x1400F)
    put(0x14018, 0x18000, 0x400400, 0x500600, 0x20)
    put(0x18010, 0x1234_5000, 0x1234_6200, 0x1234_7400)
    put(0x20018, 0x1000B)
    put(0x30008, 0x2000F)
  }

  func request(_ operation: UInt8, dmaas: UInt64 = 0) -> UInt64 {
    UInt64(handle) << 32 | dmaas << 16 | UInt64(operation)
  }

  @discardableResult
  func register(_ anchor: UInt64, base: UInt64 = 0, limit: UInt64 = .max) -> ZPCIIOMMU.Completion {
    iommu.modifyControls(
      request(ZPCI.Operation.registerIOAT), ZPCIInformationBlock(base: base, limit: limit, anchor: anchor))
  }

  @discardableResult
  func modify(_ operation: UInt8) -> ZPCIIOMMU.Completion {
    iommu.modifyControls(request(operation), ZPCIInformationBlock())
  }

  @discardableResult
  func refresh(_ address: UInt64, _ length: UInt64) -> ZPCIIOMMU.Completion {
    iommu.refreshTranslations(UInt64(handle) << 32, address, length)
  }

  func go(_ address: UInt64, _ access: Transaction.Access = .read) -> TranslationAnswer {
    iommu.translate(Transaction(source: handle, address: address, access: access))
  }

  var controls: UInt8? { iommu.storeControls(UInt64(handle) << 32).1?.controls }
}

extension TranslationAnswer {
  var name: String? { abort?.name }
}
