// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Functions come and go; CLP, the call-logical-processor commands, lists and describes them, and switches them on.

extension ZPCIIOMMU {
  /// What CLP's query tells of a function.
  public struct FunctionData: Hashable, Sendable {
    public var handle: UInt32
    public var id: UInt32
    public var group: UInt8
    public var type: UInt8
    public var firstDMA: UInt64
    public var lastDMA: UInt64
  }

  /// Plugs in a function that is configured and disabled, and announces it. Its handle; nil when there is no index left.
  public func plug(id: UInt32, firstDMA: UInt64? = nil, lastDMA: UInt64? = nil, type: UInt8? = nil) -> UInt32?
  {
    let index = core.functions.firstIndex { $0 == nil } ?? core.functions.count
    guard index <= Int(ZPCI.Handle.indexMask) else { return nil }
    if index == core.functions.count {
      core.functions.append(nil)
      core.mirrors.append([:])
    }
    let function = ZPCIFunction(
      handle: UInt32(index), state: .disabled, id: id, firstDMA: firstDMA ?? configuration.firstDMA,
      lastDMA: lastDMA ?? configuration.lastDMA, type: type ?? configuration.functionType)
    core.functions[index] = function
    announce(function, ZPCI.Event.configured)
    return function.handle
  }

  /// Takes a function away, with all that is known of it, and announces that. False when there is none.
  public func unplug(_ handle: UInt32) -> Bool {
    guard let index = core.place(handle), let function = core.functions[index] else { return false }
    deregister(index)
    core.functions[index] = nil
    announce(function, ZPCI.Event.removed)
    return true
  }

  /// The function breaks for good: nothing works on it any more.
  public func breakDown(_ handle: UInt32) -> Bool {
    guard let index = core.place(handle) else { return false }
    core.functions[index]?.state = .permanentError
    notify(index, ZPCI.Event.permanentError, 0, write: false)
    return true
  }

  /// The handle that a function has now, by its FID.
  public func handle(id: UInt32) -> UInt32? {
    for case let function? in core.functions where function.id == id { return function.handle }
    return nil
  }

  /// LIST PCI FUNCTIONS: the handles.
  public func listFunctions() -> [UInt32] { core.functions.compactMap { $0?.handle } }

  /// QUERY PCI FUNCTION, by any handle that it has had.
  public func queryFunction(_ handle: UInt32) -> (response: UInt16, data: FunctionData?) {
    let index = Int(handle & ZPCI.Handle.indexMask)
    guard index < core.functions.count, let function = core.functions[index] else {
      return (ZPCI.CLP.badHandle, nil)
    }
    return (
      ZPCI.CLP.ok,
      FunctionData(
        handle: function.handle, id: function.id, group: configuration.group.id, type: function.type,
        firstDMA: function.firstDMA, lastDMA: function.lastDMA)
    )
  }

  /// QUERY PCI FUNCTION GROUP.
  public func queryGroup(_ id: UInt8) -> (response: UInt16, data: Group?) {
    id == configuration.group.id ? (ZPCI.CLP.ok, configuration.group) : (ZPCI.CLP.unknownGroup, nil)
  }

  /// SET PCI FUNCTION: enables or disables; the handle is another afterwards.
  public func setFunction(_ handle: UInt32, enabled: Bool) -> (response: UInt16, handle: UInt32) {
    guard let index = core.place(handle), let function = core.functions[index] else {
      return (ZPCI.CLP.badHandle, handle)
    }
    switch function.state {
    case .permanentError: return (ZPCI.CLP.permanentError, handle)
    case .reserved, .standby: return (ZPCI.CLP.badHandle, handle)
    case .disabled:
      guard enabled else { return (ZPCI.CLP.alreadyInState, handle) }
      core.functions[index]?.handle = handle | ZPCI.Handle.enabled
      core.functions[index]?.state = .enabled
      return (ZPCI.CLP.ok, handle | ZPCI.Handle.enabled)
    case .enabled, .blocked, .error:
      guard !enabled else { return (ZPCI.CLP.alreadyInState, handle) }
      deregister(index)
      core.functions[index]?.interrupts = nil
      core.functions[index]?.handle = handle & ~ZPCI.Handle.enabled
      core.functions[index]?.state = .disabled
      return (ZPCI.CLP.ok, handle & ~ZPCI.Handle.enabled)
    }
  }
}
