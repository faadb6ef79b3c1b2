// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Testing

@testable internal import Interpose

@Suite("Lines of /proc/PID/maps")
struct MappedAreaTests {
  private func area(_ line: String) -> MappedArea? { MappedArea(Array(line.utf8)[...]) }

  @Test func readsALine() throws {
    let line = "7f0000001000-7f0000003000 r-xp 0001f000 fe:01 131074                     /usr/lib/a file.so"
    let area = try #require(self.area(line))
    #expect(area.start == 0x7F00_0000_1000)
    #expect(area.end == 0x7F00_0000_3000)
    #expect(area.readable && !area.writable && !area.shared)
    #expect(area.offset == 0x1F000)
    #expect(area.file == FileIdentity(device: 0xFE01, inode: 131_074))
    #expect(area.path == "/usr/lib/a file.so")
    #expect(!area.isHuge && !area.isSpecial)
  }

  @Test func tellsKindsApart() throws {
    let anonymous = try #require(area("00400000-00401000 rw-p 00000000 00:00 0 "))
    #expect(anonymous.file == nil && anonymous.path.isEmpty && anonymous.writable)
    let shared = try #require(
      area("00400000-00401000 rw-s 00000000 00:01 4711                /dev/zero (deleted)"))
    #expect(shared.shared && !shared.isSpecial && shared.file != nil)
    let huge = try #require(area("00400000-00800000 rw-s 00000000 00:0f 12   /anon_hugepage (deleted)"))
    #expect(huge.isHuge)
    #expect(try #require(area("7ffd0000-7ffd4000 r--p 00000000 00:00 0   [vvar]")).isSpecial)
    #expect(try #require(area("1000-2000 rw-s 00000000 00:05 9   /dev/mem")).isSpecial)
    #expect(
      try #require(area("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]")).start >> 63
        == 1)
  }

  /// As `stat` has it: twelve bits of major, twenty of minor, in four pieces.
  @Test func encodesDevicesAsStatDoes() throws {
    for (major, minor) in [(0, 1), (8, 0), (0xFE, 1), (0xFFF, 0xFFFFF), (259, 300)] as [(UInt64, UInt64)] {
      let line = "1000-2000 rw-s 0 \(String(major, radix: 16)):\(String(minor, radix: 16)) 5 x"
      let device = try #require(area(line)?.file).device
      #expect((device >> 8 & 0xFFF | device >> 32 & ~0xFFF) == major)
      #expect((device & 0xFF | device >> 12 & ~0xFF) == minor)
    }
  }

  @Test(arguments: [
    "", " ", "1000", "1000-", "1000-2000", "1000-2000 rw", "1000-2000 rw-p", "1000-2000 rw-p 0 00:00",
    "g000-2000 rw-p 0 00:00 0", "1000-2000 rw-p 0 0000 0", "1000-2000 rw-p 0 00:00 x",
    "11111111111111111-2000 rw-p 0 00:00 0", "1000-2000 rw-p 0 00:00 99999999999999999999", "Size: 4 kB",
  ])
  func refusesWhatIsNoLine(_ line: String) { #expect(area(line) == nil) }

  /// A mapping of our own is found from any address in it, and from none beside it.
  @Test func findsAreasThatMeetARange() throws {
    let length = 3 * 4096
    let place = try #require(mmap(nil, length, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
    defer { munmap(place, length) }
    let start = UInt64(UInt(bitPattern: place))
    for offset in [0, 1, 4096, UInt64(length) - 1] {
      let found = try #require(MappedArea.areas(of: getpid(), meeting: start + offset, start + offset).first)
      #expect(found.start <= start && found.end >= start + UInt64(length) && found.shared && !found.writable)
    }
    let all = MappedArea.areas(of: getpid(), meeting: 0, .max)
    #expect(all.count > 5)
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.end <= $1.start })
    let around = MappedArea.areas(of: getpid(), meeting: start, start + UInt64(length) - 1)
    #expect(around.allSatisfy { $0.end > start && $0.start < start + UInt64(length) })
    #expect(MappedArea.areas(of: -1, meeting: 0, .max).isEmpty)
  }

  /// What the kernel answers about one mapping is what it writes down, where it can be asked.
  @Test func askingTellsWhatTheTextTells() throws {
    let length = 16 * 4096
    let place = try #require(mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
    defer { munmap(place, length) }
    mprotect(place + 4096, 4096, PROT_NONE)
    let first = UInt64(UInt(bitPattern: place))
    let last = first + UInt64(length) - 1
    let maps = try #require(Descriptor(opening: "/proc/self/maps", O_RDONLY))
    guard let asked = MappedArea.areas(in: maps, meeting: first, last) else { return }
    let text = MappedArea.areas(of: getpid(), meeting: first, last)
    #expect(asked.count == text.count && asked.count >= 3)
    for (a, b) in zip(asked, text) {
      #expect(a.start == b.start && a.end == b.end && a.offset == b.offset && a.file == b.file)
      #expect(a.readable == b.readable && a.writable == b.writable && a.shared == b.shared)
      #expect(a.isHuge == b.isHuge && a.isSpecial == b.isSpecial)
    }
  }
}
