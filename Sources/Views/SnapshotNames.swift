// SPDX-License-Identifier: GPL-3.0-or-later

/// What a script or a session calls things. Names are for people: they are no part of the state, and two snapshots
/// that differ in nothing else are equal.
public struct SnapshotNames: Sendable {
  /// A named object of the file that requests go to, with what the kind is called there: `HWPT`.
  public struct Object: Sendable {
    public let name: String
    public let id: UInt32
    /// `ioas`, `hwpt`, `device`: the language's word.
    public let word: String
    public init(name: String, id: UInt32, word: String) {
      self.name = name
      self.id = id
      self.word = word
    }
  }

  /// The descriptor of the file that requests go to.
  public var file: Int32?
  public var objects: [Object] = []
  /// PCI functions by the bench's number.
  public var functions: [Int: String] = [:]
  /// Memory of the current process.
  public var memory: [(name: String, address: UInt64, length: UInt64)] = []

  public init() {}

  /// `$buf+0x1000` for an address in memory that has a name.
  func place(_ address: UInt64) -> String? {
    for entry in memory where address >= entry.address && address - entry.address < max(entry.length, 1) {
      return "$\(entry.name)+" + (address == entry.address ? "0" : hex(address - entry.address))
    }
    return nil
  }
}

/// An address for people.
func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

/// `4 KiB`, `1104 KiB`, `5.1 MiB`: exact where four digits suffice.
func sizeText(_ bytes: UInt64) -> String {
  let units: [(shift: UInt64, name: String)] = [
    (60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"),
  ]
  for unit in units where bytes >= 1 << unit.shift {
    let whole = bytes >> unit.shift
    if bytes & (1 << unit.shift - 1) == 0 { return "\(whole) \(unit.name)" }
    let smaller = unit.shift - 10
    if bytes & (1 << smaller - 1) == 0, bytes >> smaller < 10000, smaller > 0 { continue }
    return "\(whole).\((bytes >> smaller & 1023) * 10 / 1024) \(unit.name)"
  }
  return "\(bytes) B"
}

/// The size of a closed range; the whole of 64 bits does not fit into a number.
func sizeText(first: UInt64, last: UInt64) -> String {
  let (size, overflow) = (last &- first).addingReportingOverflow(1)
  return overflow ? "16 EiB" : sizeText(size)
}

/// `1 area`, `2 areas`
func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
