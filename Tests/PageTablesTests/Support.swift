// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

/// A small deterministic generator: SplitMix64.
struct Dice {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
  mutating func oneIn(_ count: UInt64) -> Bool { below(count) == 0 }
}

/// The errno that `body` throws, or nil.
func failure(_ body: () throws(Errno) -> Void) -> Errno? {
  do throws(Errno) {
    try body()
    return nil
  } catch {
    return error
  }
}

/// How often something is done: `debug` times by default, more where the environment says so.
func steps(_ debug: Int, _ variable: String = "IOFD_PAGETABLE_STEPS") -> Int {
  guard let text = getenv(variable), let wanted = Int(String(cString: text)) else { return debug }
  return max(debug, wanted)
}

let readWrite: MappingAttributes = [.read, .write, .cache]

extension PageTable {
  /// Maps, and releases what that left.
  func mapped(
    _ iova: UInt64, _ physical: UInt64, _ length: UInt64, _ attributes: MappingAttributes = readWrite
  )
    -> Errno?
  {
    var gather = TableGather()
    defer { gather.release() }
    do throws(Errno) {
      try map(IOVA(iova), to: PhysAddr(physical), length: length, attributes, gather: &gather)
      return nil
    } catch {
      return error
    }
  }

  @discardableResult
  func unmapped(_ iova: UInt64, _ length: UInt64) -> UInt64 {
    var gather = TableGather()
    defer { gather.release() }
    return unmap(IOVA(iova), length: length, gather: &gather)
  }

  /// Address and value of what a walk sees, as the vectors of the references are written.
  func words(_ iova: UInt64) -> [UInt64] { walk(IOVA(iova)).map(\.raw) }

  var leaves: [TableLeaf] {
    var all: [TableLeaf] = []
    forEachLeaf(in: .everything) { all.append($0) }
    return all
  }
}
