// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// Which table of version 2 each PASID of a function has: a tree of pages of 512 entries. It belongs to the function,
/// and has a domain ID of its own, which tags what is cached through it. Source: `setup_gcr3_table`,
/// `__get_gcr3_pte`; publication 48882, section 2.2.6.3.
final class AMDViGCR3Table: @unchecked Sendable {
  let domainID: UInt16
  /// 1 to 3: DTE.GLX is one less.
  let levels: Int
  let root: PhysAddr
  private let unit: AMDViIOMMU
  private let lock = Lock(.amdGCR3Table)
  // Guarded by `lock`.
  private var frames: [FrameNumber]

  /// - Parameter pasids: how many there may be.
  /// - Throws: EINVAL for more than the IOMMU has levels for; ENOSPC without a free domain ID; ENOMEM.
  init(_ unit: AMDViIOMMU, pasids: UInt32) throws(Errno) {
    let order = pasids <= 1 ? 0 : 32 - (pasids - 1).leadingZeroBitCount
    levels = max(1, (order + 8) / 9)
    guard levels - 1 <= unit.highestGLX else {
      throw .EINVAL("the IOMMU has not enough levels of GCR3 tables", UInt64(levels))
    }
    try unit.failures.pass(.allocation, "the domain ID of a GCR3 table")
    guard let id = unit.amd.domainIDs.allocate() else { throw .ENOSPC("no domain ID is free") }
    do throws(Errno) {
      try unit.failures.pass(.allocation, "the root of a GCR3 table")
      let frame = try unit.memory.allocateFrame()
      frames = [frame]
      root = frame.address
    } catch {
      unit.amd.domainIDs.free(id)
      throw error
    }
    domainID = id
    self.unit = unit
  }

  deinit {
    for frame in frames { unit.memory.release(frame) }
    unit.amd.domainIDs.free(domainID)
  }

  /// Gives a PASID a table, or none with nil. Nothing is flushed.
  ///
  /// - Throws: ENOMEM.
  func set(_ pasid: UInt32, to table: PhysAddr?) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      var page = root
      for level in (1..<levels).reversed() {
        let place = entry(pasid, level, in: page)
        var word = unit.memory.load64(at: place) ?? 0
        if word & AMDViGCR3.valid == 0 {
          try unit.failures.pass(.allocation, "a page of a GCR3 table")
          let frame = try unit.memory.allocateFrame()
          frames.append(frame)
          word = frame.address.raw | AMDViGCR3.valid
          _ = unit.memory.store64(word, at: place)
        }
        page = PhysAddr(word & AMDViGCR3.addressMask)
      }
      let word = table.map { $0.raw & AMDViGCR3.addressMask | AMDViGCR3.valid } ?? 0
      _ = unit.memory.store64(word, at: entry(pasid, 0, in: page))
    }
  }

  private func entry(_ pasid: UInt32, _ level: Int, in page: PhysAddr) -> PhysAddr {
    PhysAddr(page.raw + UInt64(pasid >> UInt32(9 * level) & 0x1FF) * 8)
  }
}

extension AMDViDevice {
  /// Gives a PASID a table, or takes it away, and flushes what was cached for it. `update_gcr3`.
  ///
  /// - Throws: ENOMEM.
  func setGuestTable(_ pasid: UInt32, _ table: PhysAddr?) throws(Errno) {
    guard let gcr3 else { return }
    try gcr3.set(pasid, to: table)
    if table == nil, pasid != 0, unit.bugs.has(.skipPASIDFlush) { return }
    invalidate(pasid: pasid, in: gcr3)
  }

  /// Everything of one PASID, and waits. `amd_iommu_dev_flush_pasid_all`.
  func invalidate(pasid: UInt32, in gcr3: AMDViGCR3Table) {
    unit.queue(.pages(.everything, domain: gcr3.domainID, pasid: pasid, tables: true))
    if usesATS {
      unit.queue(.deviceCache(of: deviceID, queueDepth: Self.queueDepth, .everything, pasid: pasid))
    }
    unit.wait()
  }
}
