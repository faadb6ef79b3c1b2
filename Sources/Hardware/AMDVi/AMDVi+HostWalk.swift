// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Host page tables, version 1. AMD IOMMU Specification, publication 48882, section 2.2.3.
//
// A table of level L has 512 entries, each for 2^(12+9(L-1)) bytes. An entry's NextLevel says what it is:
//
//     0       a page of the level's size
//     1...6   a table of that level, which must be lower; the address bits of levels in between must be 0
//     7       a page of any power of two between this level's size and the next one's; the lowest 0 among the
//             address bits from 12 up gives half its size. Software repeats it in all the slots that it covers,
//             hardware reads the one that the address selects
//
// A walk first only reads. If it is allowed and a bit must be set, it goes again and sets them, each with one
// compare-and-exchange; software that changes an entry meanwhile makes it start over.

extension AMDVi {
  /// What a stage found.
  struct Stage {
    enum Status: UInt8 { case ok, absent, reserved, denied, busError }
    var status: Status
    /// The page; with `busError` its base is the address of the entry that could not be read.
    var page: Page
    var fromCache = false

    init(_ page: Page, fromCache: Bool = false) {
      status = .ok
      self.page = page
      self.fromCache = fromCache
    }

    init(_ status: Status, at entry: UInt64 = 0, fromCache: Bool = false) {
      self.status = status
      page = Page(base: entry, sizeLg2: 12, reachLg2: 12, flags: 0)
      self.fromCache = fromCache
    }

    /// Flags of the event.
    var flags: UInt32 {
      switch status {
      case .ok, .absent, .busError: 0
      case .reserved: AMDViEvent.present | AMDViEvent.reserved
      case .denied: AMDViEvent.present | AMDViEvent.permission
      }
    }
  }
}

extension AMDVi.Unit {
  /// How often a walk starts over because software changed an entry under it.
  static var patience: Int { 4 }

  /// Translates an IOVA, or a guest-physical address, by the host table of `device`: caches first.
  ///
  /// - Parameters:
  ///   - need: the permissions asked for.
  ///   - permission: what the device table entry grants.
  ///   - dirty: the dirty bit of a page that may be written is set.
  mutating func host<O: AMDViObserver>(
    _ a: UInt64, _ device: AMDVi.Device, need: UInt16, permission: UInt16, dirty: Bool, _ observer: inout O
  ) -> AMDVi.Stage {
    let asks = asksCaches(O.self)
    if asks, let page = pages.find(a, device.hostTag, salt: device.hostTag) {
      observer.usedCache()
      if page.flags & AMDVi.Page.absent != 0 { return .init(.absent, fromCache: true) }
      let writable = page.flags & permission & AMDVi.Page.writable != 0
      if !(dirty && writable && page.flags & AMDVi.Page.dirtyPending != 0) {
        guard page.flags & permission & need == need else { return .init(.denied, fromCache: true) }
        return .init(page, fromCache: true)
      }
    }
    let stage = walkHost(
      a, device, need: need, permission: permission, dirty: dirty, asksTables: asks, &observer)
    if O.live, fillsCaches {
      if stage.status == .ok {
        pages.insert(stage.page, for: a, device.hostTag, salt: device.hostTag)
      } else if stage.status == .absent, configuration.npCache {
        pages.insert(
          AMDVi.Page(base: 0, sizeLg2: 12, reachLg2: 12, flags: AMDVi.Page.absent), for: a, device.hostTag,
          salt: device.hostTag)
      }
    }
    return stage
  }

  /// Steps 13 to 19.
  mutating func walkHost<O: AMDViObserver>(
    _ a: UInt64, _ device: AMDVi.Device, need: UInt16, permission: UInt16, dirty: Bool, asksTables: Bool,
    _ observer: inout O
  ) -> AMDVi.Stage {
    let mode = device.mode
    // 13. Beyond what the mode covers. Mode 6 covers everything.
    if mode < 6, a >> AMDVi.shift(mode + 1) != 0 { return .init(.absent) }

    var (startLevel, start, startPermission) = (mode, device.hostRoot, UInt16(3))
    if asksTables, tables.count > 0 {
      var level = 1
      while level <= 3, level < mode {
        defer { level += 1 }
        let tag = device.hostTag | UInt64(truncatingIfNeeded: level) &<< AMDVi.Tag.levelShift
        if let pointer = tables.find(AMDVi.region(a, level), tag, salt: tag) {
          observer.usedCache()
          (startLevel, start, startPermission) = (
            level, pointer.table, UInt16(truncatingIfNeeded: pointer.flags)
          )
          break
        }
      }
    }

    let reserved = configuration.revision311 ? AMDViPTE.reserved & ~AMDViPTE.pms : AMDViPTE.reserved
    let accessed = device.setsAccessed ? AMDViPTE.accessed : 0
    let setsDirty = device.setsDirty
    let fills = fillsTables
    var marking = false
    var patience = Self.patience
    again: while true {
      var (level, table, allowed) = (startLevel, start, startPermission)
      var shift = AMDVi.shift(level)
      var missing = false
      while true {
        let place = table &+ (a &>> shift & 0x1FF) &<< 3
        // 14.
        guard let word = memory.load64(at: PhysAddr(place)) else {
          observer.host(level: level, place, nil)
          return .init(.busError, at: place)
        }
        observer.host(level: level, place, word)
        // 15.
        if word & AMDViPTE.present == 0 { return .init(.absent) }
        // 16.
        let next = Int(truncatingIfNeeded: word &>> AMDViPTE.nextLevelShift & 7)
        let isLeaf = next == 0 || next == 7
        if word & reserved != 0 || !isLeaf && next >= level { return .init(.reserved) }
        var size = shift
        if isLeaf {
          guard let decoded = leafSize(word, level: level, least: shift) else { return .init(.reserved) }
          size = decoded
        }
        // 17.
        allowed &= UInt16(truncatingIfNeeded: word &>> 61) & 3
        if allowed & permission & need != need { return .init(.denied) }
        // 18. Levels that are skipped.
        if !isLeaf, next != level &- 1 {
          let skipped = (UInt64(1) &<< shift) &- (UInt64(1) &<< AMDVi.shift(next + 1))
          if a & skipped != 0 { return .init(.absent) }
        }
        // 19. Bits to set, now or in a second walk.
        let marksDirty = isLeaf && dirty && setsDirty && allowed & permission & AMDVi.Page.writable != 0
        let bits = accessed | (marksDirty ? AMDViPTE.dirty : 0)
        if bits & ~word != 0, O.live {
          if marking || configuration.accessedOnFault && !isLeaf {
            if !memory.exchange64(at: PhysAddr(place), from: word, to: word | bits), patience > 0 {
              patience -= 1
              continue again
            }
          } else {
            missing = true
          }
        }
        if !isLeaf {
          table = word & AMDViPTE.addressMask
          level = next
          shift = AMDVi.shift(level)
          if O.live, level <= 3, fills {
            let tag = device.hostTag | UInt64(truncatingIfNeeded: level) &<< AMDVi.Tag.levelShift
            tables.insert(
              .init(table: table, flags: UInt64(allowed)), for: AMDVi.region(a, level), tag, salt: tag)
          }
          continue
        }
        if missing, !marking {
          marking = true
          continue again
        }
        var flags = allowed | AMDVi.Page.executable | AMDVi.Page.user
        if setsDirty, (word | bits) & AMDViPTE.dirty == 0 { flags |= AMDVi.Page.dirtyPending }
        // The quirk: of a page of 512 GiB only the lower half is found, in both halves.
        let found = size == 39 && configuration.leaf512G == .mistranslated ? 38 : size
        return .init(
          AMDVi.Page(
            base: (word & AMDViPTE.addressMask) & (~0 &<< size), sizeLg2: UInt8(truncatingIfNeeded: found),
            reachLg2: UInt8(truncatingIfNeeded: size), flags: flags))
      }
    }
  }

  /// Steps 13 to 19 where there is nothing to them: each entry is for the next level or a page of its own level's size,
  /// no bit is to be set, and no table to be remembered. Nil leaves the walk to `walkHost`, whose loop has more to
  /// keep than there are registers: with it a walk took 35 ns, with this 22.
  @inline(__always)
  func plainWalk(_ a: UInt64, _ place: Int, need: UInt16) -> AMDVi.Page? {
    let root = devices[place].words.0
    let hostTag = devices[place].hostTag
    var level = root >> AMDViDTE.modeShift & 7
    guard level >= 6 || a &>> (12 &+ 9 &* level) == 0 else { return nil }
    var table = root & AMDViDTE.rootMask
    var allowed = ~UInt64(0)
    if fillsTables {
      let tag = hostTag | 1 &<< AMDVi.Tag.levelShift
      guard let pointer = tables.find(AMDVi.region(a, 1), tag, salt: tag) else { return nil }
      (level, table, allowed) = (1, pointer.table, pointer.flags &<< 61)
    }
    let memory = memory
    let reserved = configuration.revision311 ? AMDViPTE.reserved & ~AMDViPTE.pms : AMDViPTE.reserved
    let set = AMDViPTE.present | (devices[place].setsAccessed ? AMDViPTE.accessed : 0)
    var shift = 3 &+ 9 &* level
    var word: UInt64
    while true {
      guard let entry = memory.load64(at: PhysAddr(table &+ (a &>> shift & 0x1FF) &<< 3)),
        entry & (reserved | set) == set
      else { return nil }
      word = entry
      allowed &= entry
      level &-= 1
      let next = entry &>> AMDViPTE.nextLevelShift & 7
      guard next == level, next != 0 else { break }
      table = entry & AMDViPTE.addressMask
      shift &-= 9
    }
    // It is a page, of its level's own size; the quirk of 512 GiB has another.
    guard shift < 39, word &>> AMDViPTE.nextLevelShift & 7 == 0 else { return nil }
    if level > 0, leafSize(word, level: Int(truncatingIfNeeded: level &+ 1), least: shift) == nil {
      return nil
    }
    let flags = UInt16(truncatingIfNeeded: allowed &>> 61) & 3
    guard flags & devices[place].permission & need == need else { return nil }
    let tracksDirty = devices[place].setsDirty && word & AMDViPTE.dirty == 0
    guard !tracksDirty || need & AMDVi.Page.writable == 0 else { return nil }
    return AMDVi.Page(
      base: (word & AMDViPTE.addressMask) & (~0 &<< shift), sizeLg2: UInt8(truncatingIfNeeded: shift),
      reachLg2: UInt8(truncatingIfNeeded: shift),
      flags: flags | AMDVi.Page.executable | AMDVi.Page.user | (tracksDirty ? AMDVi.Page.dirtyPending : 0))
  }

  /// The size of a leaf's page, as a base-2 logarithm; nil for encodings that are reserved.
  @inline(__always)
  private func leafSize(_ word: UInt64, level: Int, least: UInt64) -> UInt64? {
    let address = word & AMDViPTE.addressMask
    if word >> AMDViPTE.nextLevelShift & 7 == AMDViPTE.codedSize {
      let ones = UInt64((~(address >> 12)).trailingZeroBitCount)
      let size = ones + 13
      return size > least && size < least + 9 && size <= 52 ? size : nil
    }
    // The root of six levels has no pages; one of 512 GiB is a quirk of its own.
    guard level < 6 else { return nil }
    if level == 4, configuration.leaf512G == .rejected { return nil }
    if configuration.misalignedLeafIsReserved, address & ((1 &<< least) &- 1) != 0 { return nil }
    return least
  }
}
