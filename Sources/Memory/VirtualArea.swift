// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// A range of an address space that is mapped in one way: `struct vm_area_struct`.
struct VirtualArea {
  /// Whole pages; `end` is exclusive, which is safe because user addresses stop at 2^47.
  var start: UInt64
  var end: UInt64
  var mode: MapMode
  var backing: Backing
  /// Where `start` is in the file or window, in bytes.
  var offset: UInt64
  /// Whether it consists of 2 MiB pages.
  var huge: Bool

  enum Backing {
    /// Private memory that starts as zeros. Shared anonymous memory is a file without a name.
    case anonymous
    case file(CachedFile)
    /// Frames of a driver.
    case window(MappedWindow)
  }

  var firstPage: UInt64 { start >> Page.shift }
  var lastPage: UInt64 { (end >> Page.shift) - 1 }
  var isShared: Bool { mode.contains(.shared) }

  /// Whether an access may go ahead. As on x86, memory that may be written or executed may be read.
  func permits(writing: Bool) -> Bool { mode.contains(.write) || (!writing && mode.isAccessible) }

  /// Whether it can be pinned at all: `check_vma_flags`, and the rule that nobody writes behind the back
  /// of a file system that writes pages back.
  func permitsPin(writing: Bool) -> Bool {
    guard permits(writing: writing) else { return false }
    switch backing {
    case .anonymous: return true
    case .window: return false
    case .file(let file): return !(writing && isShared && file is OrdinaryFile)
    }
  }

  /// The page of the file or window that is at `page` of the address space.
  func backingPage(_ page: UInt64) -> UInt64 { page - firstPage + (offset >> Page.shift) }

  /// Another area with the same backing: split or forked.
  func opened() {
    switch backing {
    case .anonymous: break
    case .file(let file): file.retainFile()
    case .window(let window): window.mapped()
    }
  }

  /// One area less.
  func closed() {
    switch backing {
    case .anonymous: break
    case .file(let file): file.releaseFile()
    case .window(let window): window.unmapped()
    }
  }

  /// Whether `next`, which follows directly, could be part of this area.
  func canMerge(_ next: VirtualArea) -> Bool {
    guard end == next.start, mode == next.mode, huge == next.huge else { return false }
    if case .anonymous = backing, case .anonymous = next.backing { return true }
    return false
  }
}

extension MapMode {
  var isAccessible: Bool { !isDisjoint(with: [.read, .write, .execute]) }
}
