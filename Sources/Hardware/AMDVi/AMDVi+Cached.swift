// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// What caches would answer, for a checker of drivers: nothing here has an effect, and whatever caches say is measured
// against memory by somebody else.

extension AMDVi {
  public var cachedAddresses: [CachedAddress] { unit.cachedAddresses }

  public func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? {
    // A copy: nothing stays of what the walk does.
    var copy = unit
    var reader = CacheReader()
    let outcome = copy.resolve(transaction, &reader)
    guard reader.used else { return nil }
    switch outcome {
    case .done(let translation): return .translated(translation)
    case .failed(let failure): return .aborted(copy.abort(failure, recorded: copy.records(failure)))
    }
  }

  public var staleStructures: [String] { unit.staleStructures }
}

extension AMDVi.Unit {
  /// A tag of a guest table knows the PASID; requests without one may count as PASID 0.
  fileprivate var cachedAddresses: [CachedAddress] {
    var addresses: Set<CachedAddress> = []
    for (address, tag, _) in pages.entries {
      let pasid = AMDVi.Tag.isGuest(tag) ? UInt32(AMDVi.Tag.pasid(tag)) : nil
      addresses.insert(CachedAddress(address, pasid: pasid))
      if pasid == 0 { addresses.insert(CachedAddress(address)) }
    }
    return addresses.sorted { ($0.address, $0.pasid ?? 0) < ($1.address, $1.pasid ?? 0) }
  }

  fileprivate var staleStructures: [String] { staleDevices + staleGCR3 + staleInterrupts }

  /// The entry of a function as memory has it now; nil where it cannot be read.
  private func inMemory(_ id: UInt16) -> AMDVi.Device? {
    var copy = self
    var silent = AMDVi.Silent()
    guard case .device(let device) = copy.fetch(id, &silent) else { return nil }
    return device
  }

  private var staleDevices: [String] {
    devices.all.compactMap { cached in
      if let now = inMemory(cached.id), now.words == cached.words { return nil }
      return "the device table entry of \(Self.name(cached.id)) is cached as it was"
    }
  }

  /// A nested function's table is the guest's.
  private var staleGCR3: [String] {
    gcr3.entries.compactMap { piece, tag, root in
      let id = UInt16(truncatingIfNeeded: tag >> 16)
      guard let device = inMemory(id), device.hasGuest, !device.nested else { return nil }
      let pasid = piece >> 12
      var table = device.gcr3Root
      var now: UInt64 = 0
      for level in (0..<device.gcr3Levels).reversed() {
        let place = table &+ (pasid >> UInt64(9 * level) & 0x1FF) << 3
        now = memory.load64(at: PhysAddr(place)) ?? 0
        guard now & AMDViGCR3.valid != 0 else { break }
        table = now & AMDViGCR3.addressMask
      }
      if now & AMDViGCR3.valid != 0, table == root { return nil }
      return "the GCR3 table entry of PASID \(pasid) of \(Self.name(id)) is cached as it was"
    }
  }

  private var staleInterrupts: [String] {
    interrupts.entries.compactMap { piece, tag, entry in
      let id = UInt16(truncatingIfNeeded: tag)
      guard let device = inMemory(id) else { return nil }
      let long = controls(AMDViControl.gaEn)
      let place = device.words.2 & AMDViDTE.interruptRootMask &+ (piece >> 12) * (long ? 16 : 4)
      let now: AMDVi.InterruptEntry
      if long {
        now = .init(
          low: memory.load64(at: PhysAddr(place)) ?? 0, high: memory.load64(at: PhysAddr(place &+ 8)) ?? 0)
      } else {
        now = .init(low: UInt64(memory.load32(at: PhysAddr(place)) ?? 0), high: 0)
      }
      if now.low == entry.low, now.high == entry.high { return nil }
      return "entry \(piece >> 12) of the interrupt table of \(Self.name(id)) is cached as it was"
    }
  }

  /// Bus, device and function.
  private static func name(_ id: UInt16) -> String {
    func hex(_ value: UInt16) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
    return "\(hex(id >> 8)):\(hex(id >> 3 & 0x1F)).\(id & 7)"
  }
}
