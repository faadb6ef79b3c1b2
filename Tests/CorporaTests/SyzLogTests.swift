// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Testing

@Suite("syzkaller console logs")
struct SyzLogTests {
  static let log = """
    [    0.000000] Linux version 7.2.13
    close(0x0)
    2026/08/17 10:01:06 fuzzer started
    2026/08/17 10:01:07 executing program 0 (id=12):
    r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)
    [   61.400112] device lo entered promiscuous mode
    ioctl$IOMMU_IOAS_ALLOC(r0, 0x3b81, &(0x7f0000000040)={0xc, 0x0, <r1=>0x0})
    ioctl$IOMMU_IOAS_UNMAP$ALL(r0, 0x3b86, &(0x7f0000000080)={0x18, r1

    executing program 1 (id=13):
    r0 = socket$inet(0x2, 0x1)\r
    close(r0) # not a comment of ours
    executing program 0 (fault-call:1 fault-nth:4):
    close(0x1)
    dup(0x1)
    ------------[ cut here ]------------
    WARNING: CPU: 1 PID: 77 at drivers/iommu/iommufd/pages.c:12 iopt_area+0x12/0x40
    # and no comment either
    executing program 7:
    executing program three:
    write(0x0, &(0x7f0000000000)="00", 0x1)
    """

  @Test("programs of two processes alternate, and noise belongs to none")
  func programs() throws {
    let log = SyzLog(Array(Self.log.utf8))
    #expect(log.entries.map(\.process) == [0, 1, 0, 7])
    #expect(log.entries.map(\.id) == [12, 13, nil, nil])
    #expect(log.entries.map(\.line) == [4, 10, 13, 19])
    #expect(
      log.entries.map { $0.program.calls.map(\.name) } == [
        ["openat$iommufd", "ioctl$IOMMU_IOAS_ALLOC"], ["socket$inet", "close"], ["close", "dup"], ["write"],
      ])
    #expect(log.entries[0].label == "line 4, process 0, id 12")
    #expect(log.entries[2].label == "line 13, process 0")
    // The call that was to fail, counted from 1.
    #expect(log.entries[2].program.calls.map(\.properties.failNth) == [0, 5])
    // A place is one in the log.
    #expect(log.entries[0].program.calls.map(\.line) == [5, 7])
    #expect(log.entries[0].program.calls[1].arguments[2].line == 7)
    #expect(try SyzParser.parse(log.entries[0].text) == log.entries[0].program)
    #expect(log.ignoredLines == 7)
  }

  @Test("the log is told by its content")
  func format() {
    #expect(InputFormat.of(Array(Self.log.utf8)) == .syzkallerLog)
    #expect(SyzLog(Array("executing program 0:\n[ 1.0] nothing\n".utf8)).entries.isEmpty)
    #expect(SyzLog([]).entries.isEmpty)
  }

  @Test("any bytes are a log of some programs or of none")
  func garbage() {
    var random = SyzRandom(seed: 9)
    let text = Array(Self.log.utf8)
    var programs = 0
    for _ in 0..<2_000 {
      var bytes = text
      for _ in 0...random.below(8) where !bytes.isEmpty {
        let index = random.below(bytes.count)
        switch random.below(3) {
        case 0: bytes[index] = UInt8(random.below(256))
        case 1: bytes.remove(at: index)
        default: bytes.removeLast(min(bytes.count, random.below(40)))
        }
      }
      programs += SyzLog(bytes).entries.count
    }
    #expect(programs > 2_000)
  }
}
