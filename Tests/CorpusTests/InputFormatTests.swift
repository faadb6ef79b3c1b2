// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Corpora

/// Formats are told by what is in a file.
struct InputFormatTests {
  @Test(arguments: [
    ("r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)\n", InputFormat.syzkallerProgram),
    ("# requires: arch\n\nioctl$IOMMU_IOAS_ALLOC(0xffffffffffffffff, 0x3b81, 0x0)", .syzkallerProgram),
    ("_exit(0x1)\n", .syzkallerProgram),
    ("# https://example.org/1\n#{\"threaded\":true}\n", .syzkallerProgram),
    ("[ 1.2] executing program 3:\nclose(0x0)\n", .syzkallerLog),
    ("iofd 1\nvm = ioas create\n", .script),
    ("# a comment\niofd 1\r\n", .script),
    ("prog map-1\nopen 0\n", .recordedPrograms),
    ("# comment\n\nprog x\n", .recordedPrograms),
    ("# what it is\nstep map iova=20000 len=2000 flags=5\n", .driverRecording),
    ("ctx registers A=1\n", .driverRecording),
    ("PK\u{3}\u{4}", .zip), ("PK\u{5}\u{6}", .zip), ("", .bytes), ("\n\n", .bytes), ("hello world", .bytes),
    ("prog", .bytes), ("iofd one\n", .bytes), ("r0 = \n", .bytes), ("r = f(x)", .bytes), ("(", .bytes),
    ("rfd = open(0x1)", .syzkallerProgram), ("fd = open(0x1)", .bytes), ("close(0x0)\0", .bytes),
    ("\u{1B}[1m", .bytes), ("3com(1)", .bytes),
  ])
  func texts(_ text: String, _ format: InputFormat) {
    #expect(InputFormat.of(Array(text.utf8)) == format)
  }

  @Test func names() {
    let script = Array("# a script whose first line is missing\nvm = ioas create\n".utf8)
    #expect(InputFormat.of(script, name: "a.iofd") == .script)
    #expect(InputFormat.of(script, name: "a.txt") == .bytes)
    // Content before name.
    #expect(InputFormat.of(CorpusDBTests.vector, name: "a.iofd") == .corpusDB)
    #expect(InputFormat.of([0, 1], name: "a.iofd") == .bytes)
  }

  @Test func containers() {
    #expect(InputFormat.of(CorpusDBTests.vector) == .corpusDB)
    #expect(InputFormat.of(ZipReaderTests.archive) == .zip)
    #expect(InputFormat.of(ByteProgram(records: []).bytes) == .byteProgram)
    #expect(InputFormat.of([0xFF, 0xFE, 0x41]) == .bytes)
    #expect(InputFormat.of(Array("close(0x0)".utf8) + [0xC3]) == .syzkallerProgram)
  }

  /// A character that the horizon cuts in two is no reason to call a text bytes.
  @Test func longTexts() {
    for shift in 0..<4 {
      let head = "# " + String(repeating: "x", count: shift)
      let text = "close(0x0)\n" + head + String(repeating: "ä€", count: 30000)
      #expect(InputFormat.of(Array(text.utf8)) == .syzkallerProgram)
    }
  }

  @Test func randomPrograms() {
    for theme in ProgramTheme.allCases {
      #expect(InputFormat.of(Array(RandomProgram.make(theme, seed: 1).text.utf8)) == .recordedPrograms)
    }
  }

  @Test func garbage() {
    var dice = Dice(7)
    var formats: Set<InputFormat> = []
    for _ in 0..<5000 {
      formats.insert(InputFormat.of(dice.bytes(dice.below(100))))
      formats.insert(InputFormat.of(dice.mutate(Array("# c\nr0 = close(0x0)\nprog x\niofd 1\n".utf8))))
    }
    #expect(formats.isSuperset(of: [.bytes, .syzkallerProgram]))
  }
}
