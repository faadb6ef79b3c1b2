// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMUv3 {
  /// The contexts that were used last, direct-mapped. It is no cache of its own: whatever changes what the
  /// caches of STEs and CDs hold empties it. It exists so that a cached translation costs no dictionary.
  ///
  /// A pointer into it stays good as long as the table; every index is masked.
  final class ContextTable {
    private static let capacityLg2 = 6
    private let base: UnsafeMutablePointer<Context>
    private var used = false

    init() {
      base = .allocate(capacity: 1 << Self.capacityLg2)
      base.initialize(repeating: Context(), count: 1 << Self.capacityLg2)
    }

    deinit { base.deallocate() }

    @inline(__always)
    func slot(_ key: UInt64) -> UnsafeMutablePointer<Context> {
      let mixed = key ^ (key >> 32) &* 29
      return base + Int(truncatingIfNeeded: mixed & ((1 << UInt64(Self.capacityLg2)) - 1))
    }

    func store(_ context: Context) {
      slot(context.key).pointee = context
      used = true
    }

    func removeAll() {
      guard used else { return }
      for index in 0..<1 << Self.capacityLg2 { base[index].key = .max }
      used = false
    }
  }

  /// A value at a place of its own. Every access to a variable of a class asks the run-time system whether
  /// another access is going on, some 5 ns; what is here is used by one function at a time by construction,
  /// on the one thread that the SMMU has.
  final class Resident<Value> {
    private let place: UnsafeMutablePointer<Value>

    init(_ value: Value) {
      place = .allocate(capacity: 1)
      place.initialize(to: value)
    }

    deinit {
      place.deinitialize(count: 1)
      place.deallocate()
    }

    @inline(__always) var pointer: UnsafeMutablePointer<Value> { place }
  }
}
