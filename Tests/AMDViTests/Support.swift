// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
@_exported public import HardwareTestSupport
internal import Memory
internal import Testing

@testable internal import Hardware

/// The IOVA of the vectors, and the device: 3a:05.1.
let iova: UInt64 = 0x1234_5678
let source: UInt32 = 0x3A29

/// What an IOMMU is plugged into, writing down what it is told.
final class FakeFabric: HardwareFabric {
  var messages: [InterruptMessage] = []
  var wires: [UInt32] = []
  var invalidations: [DeviceTLBInvalidation] = []
  var responses: [PageResponse] = []
  var answersInvalidations = true
  /// Called with every interrupt, as a handler would be.
  var handler: () -> Void = {}

  func interrupt(_ message: InterruptMessage) {
    messages.append(message)
    handler()
  }
  func interrupt(wire: UInt32) {
    wires.append(wire)
    handler()
  }
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
    invalidations.append(invalidation)
    return answersInvalidations
  }
  func respond(_ response: PageResponse) { responses.append(response) }
  func resume(tag: UInt32, retry: Bool) {}
}

/// An IOMMU that software has set up: the device table at 100000, the command buffer at 8000, the event log at
/// a000 and the PPR log at c000, of 512 entries each.
final class Rig {
  static let baseControl: UInt64 =
    AMDViControl.iommuEn | AMDViControl.eventLogEn | AMDViControl.eventIntEn | AMDViControl.comWaitIntEn
    | 4 << AMDViControl.invTimeoutShift | AMDViControl.coherent | AMDViControl.cmdBufEn
    | AMDViControl.pprLogEn | AMDViControl.pprIntEn | AMDViControl.pprEn | AMDViControl.gtEn

  let memory = PhysicalMemory(size: 2 << 30)
  let fabric = FakeFabric()
  let hardware: AMDVi

  init(_ configuration: AMDVi.Configuration = .nesting, control: UInt64 = Rig.baseControl) {
    hardware = AMDVi(memory: memory, configuration: configuration, fabric: fabric)
    self[AMDViRegister.deviceTableBase] = 0x10_01FF
    self[AMDViRegister.commandBufferBase] = 0x0900_0000_0000_8000
    self[AMDViRegister.eventLogBase] = 0x0900_0000_0000_A000
    self[AMDViRegister.pprLogBase] = 0x0900_0000_0000_C000
    self[AMDViRegister.control] = control
  }

  /// A register, 64 bits wide.
  subscript(_ offset: UInt64) -> UInt64 {
    get { hardware.readRegister(offset, width: 8) }
    set { hardware.writeRegister(offset, width: 8, newValue) }
  }

  func poke(_ words: (UInt64, UInt64)...) { poke(words) }
  func poke(_ words: [(UInt64, UInt64)]) {
    for (address, word) in words { #expect(memory.store64(word, at: PhysAddr(address))) }
  }
  func peek(_ address: UInt64) -> UInt64 { memory.load64(at: PhysAddr(address)) ?? 0xDEAD }

  /// Writes a device table entry; the IOMMU is not told.
  func dte(_ w0: UInt64, _ w1: UInt64 = 5, _ w2: UInt64 = 0, _ w3: UInt64 = 0, of id: UInt32 = source) {
    let place = 0x10_0000 + 32 * UInt64(id & 0xFFFF)
    poke((place, w0), (place + 8, w1), (place + 16, w2), (place + 24, w3))
  }

  /// Writes a command and moves the tail; returns its address.
  @discardableResult
  func command(_ w0: UInt32, _ w1: UInt32, _ w2: UInt32 = 0, _ w3: UInt32 = 0) -> UInt64 {
    let tail = self[AMDViRegister.commandTail]
    let place = 0x8000 + tail
    poke((place, UInt64(w0) | UInt64(w1) << 32), (place + 8, UInt64(w2) | UInt64(w3) << 32))
    self[AMDViRegister.commandTail] = (tail + 16) & 0x1FFF
    return place
  }

  /// Takes all events out of the log, as four words of hexadecimal digits each.
  func events() -> [String] {
    var found: [String] = []
    var head = self[AMDViRegister.eventHead]
    while head != self[AMDViRegister.eventTail] {
      found.append(words(0xA000 + head))
      head = (head + 16) & 0x1FFF
    }
    self[AMDViRegister.eventHead] = head
    self[AMDViRegister.status] = AMDViStatus.eventLogInt
    return found
  }

  /// The four 32-bit words at an address.
  func words(_ address: UInt64) -> String {
    let (low, high) = (peek(address), peek(address + 8))
    return [low & 0xFFFF_FFFF, low >> 32, high & 0xFFFF_FFFF, high >> 32].map(hex).joined(separator: " ")
  }

  private func hex(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  // MARK: DMA

  func dma(
    _ access: Transaction.Access, _ address: UInt64 = iova, pasid: UInt32? = nil, from id: UInt32 = source
  ) -> TranslationAnswer {
    hardware.translate(Transaction(source: id, pasid: pasid, address: address, access: access))
  }

  /// The translated address, or nil.
  func address(
    _ access: Transaction.Access, _ address: UInt64 = iova, pasid: UInt32? = nil, from id: UInt32 = source
  ) -> UInt64? {
    dma(access, address, pasid: pasid, from: id).translation?.address
  }

  func ats(_ address: UInt64 = iova, pasid: UInt32? = nil, noWrite: Bool = false) -> TranslationAnswer {
    hardware.translate(
      Transaction(
        source: source, pasid: pasid, address: address, kind: .translationRequest(noWrite: noWrite)))
  }

  // MARK: Tables of the vectors

  /// Mode 3, root 30000, DomID 5.
  func hostTables() {
    dte(0x6000_0000_0003_0603)
    poke(
      (0x30000, 0x6000_0000_0003_1401), (0x31488, 0x6000_0000_0003_2201), (0x32A28, 0x7000_0000_ABCD_E001))
  }

  /// Four levels, root 20000, by PASID 47 of a GCR3 table of one level at 40000; DomID 6.
  func guestTables() {
    dte(0x60C0_0000_0000_0003, 0x1_0008_0006)
    poke(
      (0x20000, 0x21027), (0x21000, 0x22027), (0x22488, 0x23027), (0x23A28, 0xABCD_E067), (0x40238, 0x20001))
  }

  /// A host table that has GPA 0-2M at 40000000, guest tables in it, and GCR3 at GPA 50000; DomID 9.
  func nestedTables() {
    self[AMDViRegister.control] |= AMDViControl.gcr3TRPMode
    dte(0x60C0_0000_0003_0603, 0xA_0009)
    poke(
      (0x30000, 0x6000_0000_0003_1401), (0x31000, 0x7000_0000_4000_0001), (0x4005_0238, 0x20001),
      (0x4002_0000, 0x21027), (0x4002_1000, 0x22027), (0x4002_2488, 0x23027), (0x4002_3A28, 0x10_0067))
  }
}
