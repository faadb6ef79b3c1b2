// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing

@testable internal import Interpose

@Suite("Numbers for fail-nth")
struct FailNthTests {
  /// As the kernel's `kstrtouint` with base 0 reads them.
  @Test(
    arguments: [
      ("0", 0), ("1", 1), ("17\n", 17), ("+5", 5), ("010", 8), ("0x1f", 31), ("0X1F\n", 31), ("00", 0),
      ("4294967295", 4_294_967_295), ("0xffffffff", 4_294_967_295), ("037777777777", 4_294_967_295),
    ] as [(String, UInt32)])
  func reads(_ text: String, _ number: UInt32) { #expect(FailNthFile.number(Array(text.utf8)) == number) }

  @Test(arguments: [
    "", "\n", "one", "-1", "++1", "1 ", " 1", "1\n\n", "0x", "08", "0xg", "1x", "4294967296", "0x100000000",
    "+",
    "+-1", "0x+1", "0x-0", "0+1", "\u{660}", "\u{FF11}", "1\0",
  ])
  func refuses(_ text: String) { #expect(FailNthFile.number(Array(text.utf8)) == nil) }
}
