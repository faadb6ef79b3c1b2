// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

// OPTION and VFIO_IOAS: the small settings. Reference uapi.md sections 2.9 and 2.10.

extension Command {
  /// IOMMU_OPTION. `iommufd_option`. `val64` alone is written back, also after SET.
  ///
  /// - Throws: EOPNOTSUPP for an unknown option or op, or a reserved field; the rest by option.
  func option() throws(Errno) -> Int32 {
    typealias L = Layout.Option
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    switch self[L.optionID] {
    case 0: try rlimitMode()
    case 1:
      try context.objects.with(IOAS.self, self[L.objectID]) { ioas throws(Errno) in try hugePages(ioas) }
    default: throw .EOPNOTSUPP("unknown option", UInt64(self[L.optionID]))
    }
    try context.kernel.failures.pass(self[L.op] == 0 ? .answer : .copy, "the value of an option")
    try memory.store(self[L.val64], at: address &+ UInt64(L.val64.offset))
    return 0
  }

  /// RLIMIT_MODE: 0 charges the user, 1 the process. `iommufd_option_rlimit_mode`.
  ///
  /// - Throws: EOPNOTSUPP with an object ID; EPERM without CAP_SYS_RESOURCE; EBUSY while any ID is taken;
  ///   EINVAL for another value.
  private func rlimitMode() throws(Errno) {
    typealias L = Layout.Option
    guard self[L.objectID] == 0 else {
      throw .EOPNOTSUPP("RLIMIT_MODE takes no object", UInt64(self[L.objectID]))
    }
    switch self[L.op] {
    case 1: self[L.val64] = context.accounting == .process ? 1 : 0
    case 0:
      guard task.capabilities.contains(.sysResource) else {
        throw .EPERM("RLIMIT_MODE needs CAP_SYS_RESOURCE")
      }
      guard context.objects.isEmpty else { throw .EBUSY("RLIMIT_MODE changes only before there are objects") }
      switch self[L.val64] {
      case 0: context.accounting = .user
      case 1: context.accounting = .process
      default: throw .EINVAL("RLIMIT_MODE is 0 or 1", self[L.val64])
      }
    default: throw .EOPNOTSUPP("unknown op", UInt64(self[L.op]))
    }
  }

  /// HUGE_PAGES of an IOAS. `iommufd_option_huge_pages`... `iommufd_ioas_option`.
  ///
  /// - Throws: EINVAL, EADDRINUSE from turning large pages off; EINVAL for another value.
  private func hugePages(_ ioas: IOAS) throws(Errno) {
    typealias L = Layout.Option
    switch self[L.op] {
    case 1: self[L.val64] = ioas.pagetable.areasLock.withShared { ioas.pagetable.largePagesDisabled } ? 0 : 1
    case 0:
      switch self[L.val64] {
      case 0: try ioas.pagetable.disableLargePages()
      case 1: ioas.pagetable.enableLargePages()
      default: throw .EINVAL("HUGE_PAGES is 0 or 1", self[L.val64])
      }
    default: throw .EOPNOTSUPP("unknown op", UInt64(self[L.op]))
    }
  }

  /// IOMMU_VFIO_IOAS. `iommufd_vfio_ioas`.
  ///
  /// - Throws: EOPNOTSUPP for a reserved field or an unknown op, ENODEV for GET without one, ENOENT for SET of
  ///   something else.
  func vfioIOAS() throws(Errno) -> Int32 {
    typealias L = Layout.VFIOIOAS
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    switch self[L.op] {
    case 0:
      self[L.ioasID] = try context.withCompatIOAS { $0.id }
      try respond()
    case 1: try context.objects.with(IOAS.self, self[L.ioasID]) { context.objects.setCompat($0) }
    case 2: context.objects.setCompat(nil)
    default: throw .EOPNOTSUPP("unknown op", UInt64(self[L.op]))
    }
    return 0
  }

  /// IOMMU_IOAS_CHANGE_PROCESS. `iommufd_ioas_change_process`; reference io-pagetable.md section 3.5.
  ///
  /// - Throws: EOPNOTSUPP for a reserved field; EBUSY for an area in flight; EINVAL when an area is not of a
  ///   plain file; ENOMEM when the caller may not be charged, and then nothing has changed.
  func ioasChangeProcess() throws(Errno) -> Int32 {
    typealias L = Layout.IOASChangeProcess
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    context.ioasCreation.lockExclusive()
    defer { context.ioasCreation.unlockExclusive() }
    let tables = context.objects.all.compactMap { ($0 as? IOAS)?.pagetable }
    for _ in tables { try context.kernel.failures.pass(.allocation, "the list of IOASes") }
    for table in tables { table.areasLock.lockExclusive() }
    defer { for table in tables.reversed() { table.areasLock.unlockExclusive() } }

    var found: [ObjectIdentifier: Pages] = [:]
    for area in tables.flatMap(\.areas.all) {
      guard area.isPublished else { throw .EBUSY("a mapping is in flight", area.iova.first) }
      guard case .file = area.pages.source else {
        throw .EINVAL("a mapping is not of a file", area.iova.first, area.iova.last)
      }
      found[ObjectIdentifier(area.pages)] = area.pages
    }
    let moved = found.values.filter { $0.isCharged(otherThan: task) }
    try Pages.move(Array(moved), to: task)
    for pages in found.values { pages.lock.withLock { pages.changeOwner(to: task) } }
    return 0
  }
}

extension Pages {
  /// Whether the charge of these pages is on somebody else than `task`. `need_charge_update`.
  fileprivate func isCharged(otherThan task: any CallingTask) -> Bool {
    switch accounting {
    case .none: false
    case .process: owner.memory !== task.memory
    case .user: owner.user !== task.user || owner.memory !== task.memory
    }
  }

  /// Later pins go through `task`, and what they are charged against is its. What nothing limits stays counted
  /// as pinned by the old process, although the new one will give it back. `change_mm`.
  fileprivate func changeOwner(to task: any CallingTask) {
    if accounting == .none {
      owner.memory.counters.misplaced.add(Int(charged), ordering: .relaxed)
      task.memory.counters.misplaced.subtract(Int(charged), ordering: .relaxed)
    }
    owner = task
  }

  /// Charges `task` for all that these pages have charged, then gives it back to those who had it.
  fileprivate static func move(_ pages: [Pages], to task: any CallingTask) throws(Errno) {
    let limit = Int(clamping: task.memlockLimit >> Page.shift)
    let byUser = pages.filter { $0.accounting == .user }.reduce(0) { $0 + Int($1.charged) }
    let byProcess = pages.filter { $0.accounting == .process }.reduce(0) { $0 + Int($1.charged) }
    if byUser + byProcess > 0 { try pages[0].kernel.failures.pass(.charge, "the pages of another process") }
    if byUser > 0 { try add(byUser, to: task.user.lockedPages, limit: limit) }
    if byProcess > 0 {
      do throws(Errno) { try add(byProcess, to: task.memory.counters.locked, limit: limit) } catch {
        task.user.lockedPages.subtract(byUser, ordering: .relaxed)
        throw error
      }
    }
    task.memory.counters.pinned.add(byUser + byProcess, ordering: .relaxed)
    for page in pages {
      let count = Int(page.charged)
      if page.accounting == .user {
        page.owner.user.lockedPages.subtract(count, ordering: .relaxed)
      } else if page.owner.memory.isAlive {
        page.owner.memory.counters.locked.subtract(count, ordering: .relaxed)
      }
      page.owner.memory.counters.pinned.subtract(count, ordering: .relaxed)
    }
  }
}
