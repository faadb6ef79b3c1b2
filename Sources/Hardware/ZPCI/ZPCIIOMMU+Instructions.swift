// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The instructions of software: MPCIFC, STPCIFC and CLP. Their conditions are QEMU's.

extension ZPCIIOMMU {
  /// How an instruction ends.
  public enum Completion: Hashable, Sendable {
    case condition(UInt8, status: UInt8)
    /// A program interruption: the operands make no sense.
    case operandException

    public static let ok = Completion.condition(ZPCI.Condition.ok, status: 0)
    static let invalidHandle = Completion.condition(ZPCI.Condition.invalidHandle, status: 0)
    static let busy = Completion.condition(ZPCI.Condition.busy, status: 0)
    static func error(_ status: UInt8) -> Completion { .condition(ZPCI.Condition.error, status: status) }
  }

  /// Whether this instruction is answered with busy.
  func isBusy() -> Bool {
    guard busyAnswers > 0 else { return false }
    busyAnswers -= 1
    return true
  }

  /// MODIFY PCI FUNCTION CONTROLS.
  ///
  /// - Parameter request: the handle 63:32, the DMA address space 23:16, the operation 7:0.
  public func modifyControls(_ request: UInt64, _ block: ZPCIInformationBlock) -> Completion {
    let handle = UInt32(truncatingIfNeeded: request >> 32)
    guard let index = core.place(handle), let function = core.functions[index], function.state != .reserved,
      function.state != .standby, function.state != .disabled, function.state != .permanentError
    else { return .invalidHandle }
    guard !isBusy() else { return .busy }
    guard block.format == 0 else { return .operandException }
    let hasAddressSpace = request >> 16 & 0xFF == 0
    switch UInt8(truncatingIfNeeded: request) {
    case ZPCI.Operation.registerIOAT:
      guard hasAddressSpace else { return .error(ZPCI.Status.noAddressSpace) }
      guard !function.isRegistered else { return .error(ZPCI.Status.alreadyEnabled) }
      return register(index, block)
    case ZPCI.Operation.deregisterIOAT:
      guard hasAddressSpace else { return .error(ZPCI.Status.noAddressSpace) }
      guard function.isRegistered else { return .error(ZPCI.Status.alreadyEnabled) }
      deregister(index)
      return .ok
    case ZPCI.Operation.reregisterIOAT:
      guard hasAddressSpace else { return .error(ZPCI.Status.noAddressSpace) }
      guard function.isRegistered else { return .error(ZPCI.Status.alreadyEnabled) }
      deregister(index)
      return register(index, block)
    case ZPCI.Operation.resetError:
      guard function.state == .error || function.state == .blocked else {
        return .error(ZPCI.Status.alreadyEnabled)
      }
      core.functions[index]?.state = .enabled
      return .ok
    case ZPCI.Operation.resetBlock:
      // Loads and stores work again; DMA waits for the error to be reset.
      guard function.state == .error else { return .error(ZPCI.Status.alreadyEnabled) }
      core.functions[index]?.state = .blocked
      return .ok
    case ZPCI.Operation.registerInterrupts:
      guard function.interrupts == nil else { return .error(ZPCI.Status.alreadyEnabled) }
      core.functions[index]?.interrupts = Self.interrupts(block)
      return .ok
    case ZPCI.Operation.deregisterInterrupts:
      guard function.interrupts != nil else { return .error(ZPCI.Status.alreadyEnabled) }
      core.functions[index]?.interrupts = nil
      return .ok
    default:
      // Measurement blocks are no part of this.
      return .operandException
    }
  }

  private func register(_ index: Int, _ block: ZPCIInformationBlock) -> Completion {
    guard var function = core.functions[index] else { return .invalidHandle }
    let base = block.base & ~0xFFF
    let limit = block.limit | 0xFFF
    if configuration.strictRegistration {
      let spare: UInt64 = configuration.acceptsISMLimit && function.type == ZPCI.CLP.typeISM ? 0x1000 : 0
      let (last, overflow) = function.lastDMA.addingReportingOverflow(spare)
      guard base <= limit, function.firstDMA <= base, overflow || limit <= last else {
        return .operandException
      }
      let designation = block.anchor >> ZPCI.Anchor.designationShift & ZPCI.Anchor.designationMask
      guard
        block.anchor & ZPCI.Anchor.translationEnabled == 0
          ? configuration.group.relaxedTranslation
          : configuration.group.designations & (ZPCI.Anchor.supportBit >> UInt8(designation)) != 0
      else { return .operandException }
    }
    function.base = base
    function.limit = limit
    function.anchor = block.anchor
    function.isRegistered = true
    core.functions[index] = function
    return .ok
  }

  func deregister(_ index: Int) {
    core.forget(index)
    core.functions[index]?.isRegistered = false
    core.functions[index]?.base = 0
    core.functions[index]?.limit = 0
    core.functions[index]?.anchor = 0
  }

  private static func interrupts(_ block: ZPCIInformationBlock) -> ZPCIFunction.Interrupts {
    typealias Field = ZPCI.FIB
    let word = block.interrupts
    return ZPCIFunction.Interrupts(
      isc: word >> Field.iscShift, count: word >> Field.vectorsShift & Field.vectorsMask,
      vector: block.bitVector,
      vectorOffset: word >> Field.bitOffsetShift & Field.bitOffsetMask,
      summary: word & Field.summaryValid != 0 ? block.summary : nil,
      summaryOffset: word & Field.summaryOffsetMask)
  }

  /// STORE PCI FUNCTION CONTROLS: the state of a function, whose handle need not be the enabled one.
  public func storeControls(_ request: UInt64) -> (Completion, ZPCIInformationBlock?) {
    let handle = UInt32(truncatingIfNeeded: request >> 32)
    let index = Int(handle & ZPCI.Handle.indexMask)
    guard request >> 16 & 0xFF == 0 else { return (.error(ZPCI.Status.noAddressSpace), nil) }
    guard index < core.functions.count, let function = core.functions[index] else {
      return (.invalidHandle, nil)
    }
    var block = ZPCIInformationBlock(base: function.base, limit: function.limit, anchor: function.anchor)
    switch function.state {
    case .reserved, .standby: return (.invalidHandle, nil)
    case .disabled:
      return handle & ZPCI.Handle.enabled != 0 ? (.invalidHandle, nil) : (.ok, ZPCIInformationBlock())
    case .permanentError: return (.error(ZPCI.Status.inError), nil)
    case .error: block.controls = ZPCI.FIB.enabled | ZPCI.FIB.error | ZPCI.FIB.blocked
    case .blocked: block.controls = ZPCI.FIB.enabled | ZPCI.FIB.error
    case .enabled: block.controls = ZPCI.FIB.enabled
    }
    if function.isRegistered { block.controls |= ZPCI.FIB.registered }
    if let interrupts = function.interrupts {
      block.bitVector = interrupts.vector
      block.summary = interrupts.summary ?? 0
      block.interrupts =
        interrupts.isc << ZPCI.FIB.iscShift | interrupts.count << ZPCI.FIB.vectorsShift
        | interrupts.vectorOffset << ZPCI.FIB.bitOffsetShift
        | (interrupts.summary == nil ? 0 : ZPCI.FIB.summaryValid) | interrupts.summaryOffset
    }
    return (.ok, block)
  }
}
