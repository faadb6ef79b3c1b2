// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What a checker of drivers asks: what the caches hold, and whether memory still says so.

extension RISCVIOMMU {
  /// The pieces in the translation cache, and of each cached pointer to a table those that have an entry there. A tag
  /// knows no PASID: pieces of an address space that a cached process context names are candidates for that process
  /// as well.
  public var cachedAddresses: [CachedAddress] {
    var pieces: Set<CachedAddress> = []
    var processes: [RISCVAddressSpaceTag: [UInt32]] = [:]
    for context in core.processContexts.dropLast() where context.device != .max {
      processes[context.space.tag, default: []].append(context.process)
    }
    func add(_ address: UInt64, _ tag: RISCVAddressSpaceTag) {
      pieces.insert(CachedAddress(address))
      for process in processes[tag] ?? [] { pieces.insert(CachedAddress(address, pasid: process)) }
    }
    for (address, tag, _) in core.translations.entries { add(address, tag) }
    for (key, tag, entry) in core.tables.first.entries {
      let start = key << 9
      add(start, tag)
      // A guest's table is where the second stage says, not where its pointer does.
      guard !tag.hasGSCID else { continue }
      for index in 0..<UInt64(512)
      where (core.view.load64(entry.table &+ index &* 8, bigEndian: false) ?? 0) != 0 {
        add(start &+ index << RISCV.pageShift, tag)
      }
    }
    return pieces.sorted { ($0.address, $0.pasid ?? 0) < ($1.address, $1.pasid ?? 0) }
  }

  public func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? {
    var look = RISCVCacheLook()
    let answer = answer(transaction, &look)
    return look.wasCached ? answer : nil
  }

  /// Of process contexts only those in a directory of the host: one behind a second stage is a guest's.
  public var staleStructures: [String] {
    guard core.registers.mode >= RISCV.DirectoryPointer.oneLevel else { return [] }
    var stale: [String] = []
    for slot in 0...core.deviceMask where core.deviceContexts[slot].device != .max {
      let cached = core.deviceContexts[slot]
      let name = "device \(String(cached.device, radix: 16))"
      switch inMemory(cached.device) {
      case .success(cached): break
      case .success: stale.append("\(name): the cached device context is not the one in memory")
      case .failure(let fault):
        stale.append("\(name): a device context is cached, and memory has fault \(fault.cause)")
      }
    }
    for slot in 0...core.processMask where core.processContexts[slot].device != .max {
      let cached = core.processContexts[slot]
      guard cached.space.second.isBare, case .success(let device) = inMemory(cached.device),
        device.space.second.isBare
      else { continue }
      let name = "device \(String(cached.device, radix: 16)), process \(cached.process)"
      switch inMemory(cached.process, of: device) {
      case .success(cached): break
      case .success: stale.append("\(name): the cached process context is not the one in memory")
      case .failure(let fault):
        stale.append("\(name): a process context is cached, and memory has fault \(fault.cause)")
      }
    }
    return stale
  }

  private func inMemory(_ device: UInt32) -> Result<Core.DeviceContext, RISCVFault> {
    var look = RISCVMemoryLook()
    do throws(RISCVFault) {
      return .success(core.deviceContexts[try core.locateDevice(device, process: nil, &look)])
    } catch {
      return .failure(error)
    }
  }

  private func inMemory(_ process: UInt32, of device: Core.DeviceContext)
    -> Result<Core.ProcessContext, RISCVFault>
  {
    guard device.has(RISCV.TranslationControl.pdtv), device.processLevels > 0 else {
      return .failure(RISCVFault(RISCV.Cause.transactionDisallowed))
    }
    var look = RISCVMemoryLook()
    do throws(RISCVFault) {
      let intent = Core.Intent(Transaction(source: device.device, address: 0))
      return .success(core.processContexts[try core.locateProcess(process, device, intent, &look)])
    } catch {
      return .failure(error)
    }
  }
}
