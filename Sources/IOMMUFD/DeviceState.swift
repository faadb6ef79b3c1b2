// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// What one open file keeps for its devices: groups, windows for mmap, and interrupt doorbells.
public final class DeviceState: @unchecked Sendable {
  private let lock = Lock(.devices)
  private var groups: [ObjectIdentifier: DeviceGroup] = [:]
  private var windows: [Window] = []
  private var msiPages: [MSIPage] = []
  /// Guards `msiPages` and what HWPTs and groups remember of them. `sw_msi_lock`.
  let msiLock = Lock(.softwareMSI)

  init() {}

  // MARK: Groups

  /// The group's state for this file, made by the first device of the group that is bound.
  /// `iommufd_get_group`.
  ///
  /// - Throws: ENOMEM.
  func joinGroup(_ core: CoreGroup, _ failures: FailurePoints) throws(Errno) -> DeviceGroup {
    try lock.withLock { () throws(Errno) -> DeviceGroup in
      if let group = groups[ObjectIdentifier(core)] {
        group.devices += 1
        return group
      }
      try failures.pass(.allocation, "the group's state in the file")
      try failures.pass(.allocation, "the group's place in the file")
      let group = DeviceGroup(core)
      groups[ObjectIdentifier(core)] = group
      return group
    }
  }

  /// `iommufd_put_group`.
  func leaveGroup(_ group: DeviceGroup) {
    lock.withLock {
      group.devices -= 1
      if group.devices == 0 { groups[ObjectIdentifier(group.core)] = nil }
    }
  }

  var allGroups: [DeviceGroup] { lock.withLock { groups.values.sorted { $0.core.id < $1.core.id } } }

  // MARK: mmap

  /// Physical memory, or registers, that mmap of the file gives out: `struct iommufd_mmap`.
  struct Window {
    enum Target {
      case memory(PhysAddr)
      case registers(any RegisterWindow)
    }
    let offset: UInt64
    let length: UInt64
    let target: Target
    let owner: VIOMMU
  }

  /// Offers a window at the lowest free offset, a page or more. `_iommufd_alloc_mmap`.
  ///
  /// - Throws: EINVAL unless address and length are multiples of the page size, and not 0; ENOMEM.
  func makeWindow(_ target: Window.Target, length: UInt64, owner: VIOMMU, _ failures: FailurePoints)
    throws(Errno) -> UInt64
  {
    if case .memory(let physical) = target, physical.raw & Page.mask != 0 {
      throw .EINVAL("a window must begin on a page", physical.raw)
    }
    guard length > 0, length & Page.mask == 0 else {
      throw .EINVAL("a window must be some whole pages", length)
    }
    try failures.pass(.allocation, "a window for mmap")
    return lock.withLock {
      var offset = Page.size
      var index = 0
      while index < windows.count, windows[index].offset - offset < length {
        offset = windows[index].offset + windows[index].length
        index += 1
      }
      windows.insert(Window(offset: offset, length: length, target: target, owner: owner), at: index)
      return offset
    }
  }

  func destroyWindow(at offset: UInt64) {
    lock.withLock { windows.removeAll { $0.offset == offset } }
  }

  var allWindows: [Window] { lock.withLock { windows } }

  /// mmap of the file: whole windows, shared, not executable. Each mapping refers to the window's owner.
  /// Source: `iommufd_fops_mmap`; reference devices-hwpt-viommu.md section 5.6.
  ///
  /// - Parameters:
  ///   - length: bytes, as the caller gave them; rounded up to pages as mmap does.
  /// - Throws: EINVAL for a private mapping, EPERM for an executable one, ENXIO for anything but a window.
  func mmap(length: UInt64, offset: UInt64, mode: MapMode) throws(Errno) -> MappedWindow {
    guard mode.contains(.shared) else { throw .EINVAL("a window can only be mapped shared") }
    guard !mode.contains(.execute) else { throw .EPERM("a window cannot be executable") }
    let window = try lock.withLock { () throws(Errno) -> Window in
      guard
        let window = windows.first(where: { offset >= $0.offset && offset - $0.offset < $0.length })
      else { throw .ENXIO("no window is at the offset", offset) }
      guard window.owner.context.objects.hold(window.owner) else {
        throw .ENXIO("the window is going away", offset)
      }
      return window
    }
    guard offset == window.offset, length &+ Page.mask & ~Page.mask == window.length else {
      window.owner.dropUser()
      throw .ENXIO("not exactly the window", offset, length)
    }
    let owner = window.owner
    owner.mappings.add(1, ordering: .relaxed)
    var frames: [FrameNumber] = []
    var registers: (any RegisterWindow)?
    switch window.target {
    case .memory(let physical):
      let first = physical.frame.raw
      frames = (0..<UInt32(window.length >> Page.shift)).map { FrameNumber(first + $0) }
    case .registers(let target): registers = target
    }
    return MappedWindow(
      frames: frames, registers: registers,
      mapped: {
        owner.addUser()
        owner.mappings.add(1, ordering: .relaxed)
      },
      unmapped: {
        owner.mappings.subtract(1, ordering: .relaxed)
        owner.dropUser()
      })
  }

  // MARK: Software-managed interrupts

  /// A doorbell page that devices write to through their IOMMU, at one IOVA for the whole file:
  /// `struct iommufd_sw_msi_map`.
  struct MSIPage {
    let window: UInt64
    let doorbell: PhysAddr
    let pageOffset: UInt64
    let id: Int
    var iova: IOVA { IOVA(window + pageOffset * Page.size) }
  }

  /// The page for a doorbell in a window. `iommufd_sw_msi_get_map`; `msiLock` is held.
  ///
  /// - Throws: EOVERFLOW for the 65th.
  func msiPage(window: UInt64, doorbell: PhysAddr, _ failures: FailurePoints) throws(Errno) -> MSIPage {
    let mine = msiPages.filter { $0.window == window }
    if let known = mine.first(where: { $0.doorbell == doorbell }) { return known }
    try failures.pass(.allocation, "an interrupt doorbell")
    guard msiPages.count < 64 else { throw .EOVERFLOW("the file has 64 interrupt doorbells") }
    let page = MSIPage(
      window: window, doorbell: doorbell, pageOffset: (mine.map(\.pageOffset).max() ?? .max) &+ 1,
      id: msiPages.count)
    msiPages.append(page)
    return page
  }

  /// Those that a group needs in a domain. `msiLock` is held.
  func msiPages(window: UInt64, ids: UInt64) -> [MSIPage] {
    msiPages.filter { $0.window == window && ids >> UInt64($0.id) & 1 == 1 }
  }

  // MARK: Closing

  /// The file is closed, and every object is gone.
  func close() { lock.withLock { windows = [] } }
}
