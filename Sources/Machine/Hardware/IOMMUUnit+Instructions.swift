// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
public import IOMMU
internal import Seams

// What s390's driver has instead of registers. Other kinds have no functions that an instruction could find.

extension IOMMUUnit: PCIInstructions {
  private func withFunctions<Result>(_ body: (ZPCIIOMMU) -> Result) -> Result? {
    withHardware { ($0 as? ZPCIIOMMU).map(body) }
  }

  private static func end(_ completion: ZPCIIOMMU.Completion?) -> InstructionEnd {
    switch completion {
    case .condition(let code, let status): .condition(code, status: status)
    case .operandException: .exception
    case nil: .condition(ZPCI.Condition.invalidHandle, status: 0)
    }
  }

  public func modifyFunctionControls(_ request: UInt64, _ block: [UInt8]) -> InstructionEnd {
    Tracer.tell(MachineEvent(.command, .text("MPCIFC"), .hex(request & 0xFF), .list([.hex(request)])))
    return Self.end(withFunctions { $0.modifyControls(request, ZPCIInformationBlock(bytes: block)) })
  }

  public func refreshTranslations(_ function: UInt64, _ address: UInt64, _ length: UInt64) -> InstructionEnd {
    Tracer.tell(
      MachineEvent(.command, .text("RPCIT"), .none, .list([.hex(function), .hex(address), .hex(length)])))
    return Self.end(withFunctions { $0.refreshTranslations(function, address, length) })
  }

  public func queryFunction(_ handle: UInt32) -> CLPFunction? {
    withFunctions { $0.queryFunction(handle).data }?.map {
      CLPFunction(
        handle: $0.handle, id: $0.id, group: $0.group, type: $0.type, firstDMA: $0.firstDMA,
        lastDMA: $0.lastDMA)
    }
  }

  public func queryGroup(_ id: UInt8) -> CLPGroup? {
    withFunctions { $0.queryGroup(id).data }?.map {
      CLPGroup(
        designations: $0.designations, refreshes: $0.refreshes, relaxedTranslation: $0.relaxedTranslation)
    }
  }

  public func setFunction(_ handle: UInt32, enabled: Bool) -> (response: UInt16, handle: UInt32) {
    withFunctions { $0.setFunction(handle, enabled: enabled) } ?? (ZPCI.CLP.badHandle, handle)
  }

  public func storeEvent() -> (contentCode: UInt8, record: [UInt8])? {
    withFunctions { $0.takeEvent() }?.map { ($0.contentCode, $0.bytes) }
  }
}
