// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Testing

@testable import Fuzzing

/// Making lists, lines and scripts small.
struct ShrinkerTests {
  @Test(arguments: [[3], [3, 17], [0, 40, 99], [1, 2, 3, 4, 5], []])
  func whatIsNeededIsLeft(_ needed: [Int]) {
    var shrinker = Shrinker<Int>(budget: 5000) { list in Set(needed).isSubset(of: list) }
    #expect(shrinker.shrink(Array(0..<100)) == needed)
  }

  /// What is left cannot lose any element, whatever the rule is.
  @Test func nothingOfTheRestCanGo() {
    var random = SeededRandom(seed: 5)
    for _ in 0..<200 {
      let weights = (0..<20).map { _ in random.below(10) }
      let wanted = random.below(weights.reduce(0, +) + 1)
      let holds = { (list: [Int]) in list.reduce(0) { $0 + weights[$1] } >= wanted }
      var shrinker = Shrinker<Int>(budget: 10_000, holds: holds)
      let left = shrinker.shrink(Array(0..<20))
      #expect(holds(left))
      for index in left.indices {
        var less = left
        less.remove(at: index)
        #expect(!holds(less))
      }
    }
  }

  @Test func elementsBecomeSimpler() {
    var shrinker = Shrinker<Int>(budget: 5000, simpler: { $0 > 0 ? [0, $0 / 2, $0 - 1] : [] }) { list in
      list.contains { $0 >= 13 }
    }
    #expect(shrinker.shrink([100, 7, 50]) == [13])
  }

  @Test func noListIsTriedTwiceAndNoneBeyondTheBudget() {
    var seen: Set<[Int]> = []
    var count = 0
    var shrinker = Shrinker<Int>(budget: 30) { list in
      count += 1
      #expect(seen.insert(list).inserted)
      return list.contains(7)
    }
    let left = shrinker.shrink(Array(0..<64))
    #expect(count <= 30 && left.contains(7))
  }

  @Test func linesLoseTheirNumbers() {
    #expect(
      LineText.simpler("ioctl $0 0x3b81 12 4:4=$2 8:8=0x10") == [
        "ioctl $0 0x0 12 4:4=$2 8:8=0x10", "ioctl $0 0x3b81 0 4:4=$2 8:8=0x10",
        "ioctl $0 0x3b81 12 0:4=$2 8:8=0x10", "ioctl $0 0x3b81 12 4:0=$2 8:8=0x10",
        "ioctl $0 0x3b81 12 4:4=$2 0:8=0x10", "ioctl $0 0x3b81 12 4:4=$2 8:0=0x10",
        "ioctl $0 0x3b81 12 4:4=$2 8:8=0x0",
      ])
    let text = LineText(Array("# requires: a\nprog x\n# note\nopen 0\nclose 0\n".utf8))
    #expect(text.lines == ["open 0", "close 0"])
    #expect(String(decoding: text.bytes(["open 0"]), as: UTF8.self) == "# requires: a\n\nprog x\nopen 0\n")
  }

  @Test func statementsOfAScriptGoOneByOne() {
    let source = """
      iofd 1
      # A comment stays.
      a = ioas create
      test "one" {
        b = ioas create
        c = ioas create
      }
      d = ioas create

      """
    let script = ScriptText(Array(source.utf8), name: "x.iofd")
    #expect(script.statements.map(\.parent) == [nil, nil, 1, 1, nil])
    #expect(script.bytes(keeping: Array(script.statements.indices)) == Array(source.utf8))
    let some = String(decoding: script.bytes(keeping: [1, 3]), as: UTF8.self)
    #expect(some == "iofd 1\n# A comment stays.\ntest \"one\" {\n  c = ioas create\n}\n")
    #expect(script.count(keeping: [1, 3]) == 2)
    // A statement is gone with its block.
    let none = String(decoding: script.bytes(keeping: [2, 3]), as: UTF8.self)
    #expect(none == "iofd 1\n# A comment stays.\n" && script.count(keeping: [2, 3]) == 0)
  }
}
