// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import CommandLineTool

struct OptionsTests {
  private let rows = [
    OptionRow("--jobs", "-j", value: .required("N"), help: ""),
    OptionRow("--trace", value: .optional("FILE"), help: ""),
    OptionRow("--check", help: ""), OptionRow("-D", value: .required("NAME=VALUE"), help: ""),
  ]

  @Test func readsEverySpelling() throws {
    for words in [["--jobs", "3"], ["--jobs=3"], ["-j", "3"], ["-j3"], ["-j=3"]] {
      #expect(try Arguments(words, rows).number("--jobs", minimum: 1) == 3)
    }
    let arguments = try Arguments(["a", "--trace", "b", "-D", "x=1", "-Dy=2", "--", "--check"], rows)
    #expect(arguments.operands == ["a", "b", "--check"])
    #expect(arguments.last("--trace") == "")
    #expect(arguments.all("-D") == ["x=1", "y=2"])
    #expect(!arguments.has("--check"))
    #expect(try Arguments(["--trace=f", "-"], rows).last("--trace") == "f")
  }

  @Test func refusesWhatItDoesNotKnow() {
    #expect(throws: UsageError.self) { try Arguments(["--job"], rows) }
    #expect(throws: UsageError.self) { try Arguments(["--check=1"], rows) }
    #expect(throws: UsageError.self) { try Arguments(["-j"], rows) }
    #expect(throws: UsageError.self) { try Arguments(["-j", "x"], rows).number("--jobs", minimum: 1) }
    #expect(throws: UsageError.self) { try Arguments(["-j", "0"], rows).number("--jobs", minimum: 1) }
    do throws(UsageError) {
      _ = try Arguments(["--chekc"], rows)
    } catch {
      #expect(error.help == "did you mean '--check'?")
    }
  }

  @Test(arguments: [("1", 1), ("512M", 512 << 20), ("4G", 4 << 30), ("1T", 1 << 40)])
  func sizes(_ text: String, _ bytes: Int) throws {
    #expect(try Arguments(["-j", text], rows).size("--jobs") == bytes)
  }

  @Test(arguments: ["", "0", "-1", "1X", "G", "99999999999999999999", "1048576T"])
  func otherSizes(_ text: String) {
    #expect(throws: UsageError.self) { try Arguments(["-j", text], rows).size("--jobs") }
  }
}
