// SPDX-License-Identifier: GPL-3.0-or-later

/// The variables of a program as far as it has been read: each name's latest slot.
///
/// Nearly all names are r0, r1, ...; these are looked up by their number.
struct SyzScope {
  private(set) var slotCount = 0
  /// By the number of a name, -1 for one that is not bound.
  private var numbered: [Int32] = []
  private var named: [String: Int] = [:]

  /// Names with higher numbers are looked up as text.
  private static let mostNumbered = 4096

  /// A new slot, which `name` means from here on.
  mutating func declare(_ name: String) -> Int {
    let slot = slotCount
    slotCount += 1
    if let number = Self.number(name) {
      if number >= numbered.count {
        numbered += repeatElement(-1, count: max(16, number + 1 - numbered.count))
      }
      numbered[number] = Int32(slot)
    } else {
      named[name] = slot
    }
    return slot
  }

  func slot(of name: String) -> Int? {
    guard let number = Self.number(name) else { return named[name] }
    return number < numbered.count && numbered[number] >= 0 ? Int(numbered[number]) : nil
  }

  /// 12 of `r12`, for a number without leading zeroes.
  private static func number(_ name: String) -> Int? {
    var bytes = name.utf8.makeIterator()
    guard name.utf8.count <= 5, bytes.next() == UInt8(ascii: "r"), let first = bytes.next() else {
      return nil
    }
    var number = Int(first) - 0x30
    guard 0...9 ~= number, number != 0 || name.utf8.count == 2 else { return nil }
    while let byte = bytes.next() {
      let digit = Int(byte) - 0x30
      guard 0...9 ~= digit else { return nil }
      number = number * 10 + digit
    }
    return number < mostNumbered ? number : nil
  }
}
