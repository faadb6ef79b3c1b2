// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// RPCIT, REFRESH PCI TRANSLATIONS. On bare metal it makes the cache forget a range; with refresh it is where the
// hypervisor looks at the guest's tables and mirrors what it finds.

extension ZPCIIOMMU {
  /// REFRESH PCI TRANSLATIONS of `length` bytes.
  ///
  /// - Parameter request: the function handle in bits 63:32.
  public func refreshTranslations(_ request: UInt64, _ address: UInt64, _ length: UInt64) -> Completion {
    let handle = UInt32(truncatingIfNeeded: request >> 32)
    guard let index = core.place(handle), let function = core.functions[index] else { return .invalidHandle }
    switch function.state {
    case .reserved, .standby, .disabled, .permanentError: return .invalidHandle
    case .error: return .error(ZPCI.Status.notAvailable)
    case .enabled, .blocked: break
    }
    guard !isBusy() else { return .busy }
    guard !configuration.refusesRefresh else { return .error(ZPCI.Status.insufficientResources) }
    guard function.isRegistered, function.anchor != 0 else {
      return stop(index, ZPCI.Event.invalidAddressSpace, address)
    }
    guard length > 0 else { return .ok }
    let (sum, overflow) = address.addingReportingOverflow(length - 1)
    let last = overflow ? UInt64.max : sum
    guard last >= function.base, address <= function.limit else {
      return stop(index, ZPCI.Event.outOfRange, address)
    }
    if configuration.group.refreshes, function.anchor & ZPCI.Anchor.translationEnabled != 0 {
      do throws(Core.RefreshFailure) {
        try core.mirror(index, max(address, function.base) & ~0xFFF, min(last, function.limit))
      } catch {
        switch error {
        case .event(let code, let place): return stop(index, code, place)
        case .full: return .error(ZPCI.Status.insufficientResources)
        }
      }
    } else {
      core.translations.remove { piece, tag, page in
        let offset = (UInt64(1) << UInt64(page.sizeLg2)) &- 1
        return tag == UInt64(index) && piece & ~offset <= last && address <= piece | offset
      }
    }
    core.functions[index]?.refreshes &+= 1
    return .ok
  }

  private func stop(_ index: Int, _ code: UInt16, _ address: UInt64) -> Completion {
    fail(index, code, address, write: false)
    return .error(ZPCI.Status.inError)
  }
}

extension ZPCIIOMMU.Core {
  enum RefreshFailure: Error {
    case event(UInt16, UInt64)
    /// There is no room for another page; or the range is so full that looking at it does not end soon.
    case full
  }

  /// Makes the mirror of a range what the tables say.
  mutating func mirror(_ index: Int, _ first: UInt64, _ last: UInt64) throws(RefreshFailure) {
    guard let anchor = functions[index]?.anchor else { return }
    forgetMirror(index, first >> 12, last >> 12)
    var silence = ZPCISilence()
    var address = first
    var steps = 0
    while address <= last {
      steps += 1
      guard steps <= configuration.refreshSteps else { throw .full }
      var spanLg2: UInt8 = 12
      do throws(ZPCIFault) {
        let page = try walker.walk(anchor, address, &silence)
        guard mirroredPages < configuration.mirrorCapacity else { throw ZPCIFault(code: 0, spanLg2: 0) }
        mirrors[index][address >> 12] = page
        mirroredPages += 1
      } catch {
        // What is not valid is no error, and its whole range is empty.
        guard error.code != 0 else { throw .full }
        guard error.code == ZPCI.Event.protection else { throw .event(error.code, address) }
        spanLg2 = error.spanLg2
      }
      let end = address | ((UInt64(1) << UInt64(spanLg2)) &- 1)
      guard end < UInt64.max else { return }
      address = end + 1
    }
  }

  private mutating func forgetMirror(_ index: Int, _ first: UInt64, _ last: UInt64) {
    let before = mirrors[index].count
    if last - first < UInt64(before) {
      for page in first...last { mirrors[index][page] = nil }
    } else {
      mirrors[index] = mirrors[index].filter { !(first...last).contains($0.key) }
    }
    mirroredPages -= before - mirrors[index].count
  }
}
