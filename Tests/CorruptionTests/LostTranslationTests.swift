// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import PageTables
internal import Synchronization
internal import Testing
internal import UAPI

@testable internal import IOMMUFD
@testable internal import Machine

// Page tables that were overwritten, one way at a time, with each kind of IOMMU; what iommufd does then is written
// down in `TableDamage`.

@Suite struct LostTranslationTests {
  private static let iova = Program.base

  /// A program with a device on an IOAS, and two pages mapped.
  private struct Setup {
    let program: Program
    let ioas: UInt32
    let hwpt: UInt32
    let buffer: UInt64

    init(_ kind: IOMMUKind) throws {
      program = try Program(kind, scattered: true)
      ioas = program.ioas()
      hwpt = try program.attach(0, to: ioas)
      buffer = try program.buffer(2)
      #expect(program.map(ioas, buffer, 8192, at: iova).code == 0)
      #expect(program.machine.violations().isEmpty)
    }

    func overwrite(_ page: UInt64, with word: (UInt64) -> UInt64) throws {
      let entry = try #require(program.leaf(hwpt, iova + page << 12))
      #expect(entry.kind == .leaf)
      program.overwrite(entry, with: word(entry.raw))
    }

    func frame(_ page: UInt64) throws -> FrameNumber { try #require(program.frame(buffer + page << 12)) }

    func pins(_ page: UInt64) throws -> Int { program.memory.pinCount(of: try frame(page)) }

    var damage: [String] { program.machine.kernel.damage.violations.map(\.evidence) }
  }

  /// An entry that leads to another frame.
  private static func moved(_ raw: UInt64, to frame: UInt64, _ kind: IOMMUKind) -> UInt64 {
    // RISC-V keeps frame numbers from bit 10 on.
    kind.name == "riscv"
      ? raw & ~0x003F_FFFF_FFFF_FC00 | frame << 10 : raw & ~0x000F_FFFF_FFFF_F000 | frame << 12
  }

  private func finish(_ setup: Setup) throws {
    setup.program.close()
    #expect(setup.program.machine.kernel.openContexts.isEmpty)
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func unmapWithoutATranslation(_ name: String) throws {
    let setup = try Setup(try #require(IOMMUKind.named(name)))
    try setup.overwrite(1) { _ in setup.program.isBigEndian ? 0x400 : 0 }
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    // The page that was found is let go, the other one stays pinned; neither is charged.
    #expect(try setup.pins(0) == 0)
    #expect(try setup.pins(1) == 1)
    let counters = setup.program.target.process.space.counters
    #expect(counters.pinned.load(ordering: .relaxed) == 0)
    let lost =
      "the page table of HWPT \(setup.hwpt) has no translation for IOVA 0x100001000, where iommufd stored one"
    #expect(setup.damage.first?.hasPrefix(lost) ?? false)
    let rules = setup.program.machine.violations().map(\.invariant)
    #expect(rules.contains("a page table keeps what iommufd stored in it"))
    #expect(rules.contains("nothing is pinned that no mapping needs"))
    // The place can be used again.
    #expect(setup.program.map(setup.ioas, setup.buffer, 8192, at: Self.iova).code == 0)
    #expect(setup.program.functions[0].perform(.write(Self.iova, [1, 2, 3])).isDone)
    #expect(try setup.program.target.memory.bytes(at: setup.buffer, count: 3) == [1, 2, 3])
    try finish(setup)
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func unmapOfAnAddressWithoutMemory(_ name: String) throws {
    let kind = try #require(IOMMUKind.named(name))
    let setup = try Setup(kind)
    try setup.overwrite(0) { Self.moved($0, to: 0x8000_0000, kind) }
    try setup.overwrite(1) { Self.moved($0, to: 0, kind) }
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    #expect(try setup.pins(0) == 1)
    #expect(try setup.pins(1) == 1)
    #expect(
      setup.damage == [
        "the page table of HWPT \(setup.hwpt) leads to 0x80000000000, where no page can be, from IOVA 0x100000000, "
          + "where iommufd stored one; "
          + "the page table of HWPT \(setup.hwpt) leads to 0x0, where no page can be, from IOVA 0x100001000, "
          + "where iommufd stored one"
      ])
    // Nobody is said to have given back more than was taken.
    #expect(setup.program.memory.checkInvariants().isEmpty)
    try finish(setup)
  }

  /// A page of somebody else is unpinned, and is missing when its owner lets go of it.
  @Test(arguments: IOMMUKind.all.map(\.name)) func unmapOfAnothersPage(_ name: String) throws {
    let kind = try #require(IOMMUKind.named(name))
    let setup = try Setup(kind)
    let other = try setup.program.buffer(1)
    #expect(setup.program.map(setup.ioas, other, 4096, at: Self.iova + 1 << 20).code == 0)
    let frame = try #require(setup.program.frame(other))
    try setup.overwrite(0) { Self.moved($0, to: UInt64(frame.raw), kind) }
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    #expect(try setup.pins(0) == 1)
    #expect(setup.program.memory.pinCount(of: frame) == 0)
    #expect(
      setup.program.machine.violations().contains {
        $0.evidence.contains("frame \(frame.raw) is pinned 0 times")
      })
    #expect(setup.program.unmap(setup.ioas, Self.iova + 1 << 20, 4096).code == 0)
    #expect(
      setup.program.memory.checkInvariants() == [
        "pins were given back 1 times that nobody had: frame \(frame.raw)"
      ])
    // The process has it still.
    #expect(setup.program.memory.referenceCount(of: frame) == 1)
    try finish(setup)
  }

  /// A page that only a mapping holds goes when its pin is taken by mistake; whoever has the frame next keeps it.
  @Test(arguments: IOMMUKind.all.map(\.name)) func anothersPageIsFreed(_ name: String) throws {
    let kind = try #require(IOMMUKind.named(name))
    let setup = try Setup(kind)
    let other = try setup.program.buffer(1)
    #expect(setup.program.map(setup.ioas, other, 4096, at: Self.iova + 1 << 20).code == 0)
    let frame = try #require(setup.program.frame(other))
    try setup.program.target.process.space.unmap(other, length: 4096)
    #expect(setup.program.memory.isAllocated(frame))
    try setup.overwrite(0) { Self.moved($0, to: UInt64(frame.raw), kind) }
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    #expect(!setup.program.memory.isAllocated(frame))
    try setup.program.memory.claim([frame])
    #expect(setup.program.unmap(setup.ioas, Self.iova + 1 << 20, 4096).code == 0)
    #expect(setup.program.memory.referenceCount(of: frame) == 1)
    setup.program.memory.release(frame)
    try finish(setup)
  }

  /// A second domain is filled with what the first one says.
  @Test(arguments: IOMMUKind.all.map(\.name)) func fillFromALostTranslation(_ name: String) throws {
    let setup = try Setup(try #require(IOMMUKind.named(name)))
    try setup.overwrite(1) { _ in setup.program.isBigEndian ? 0x400 : 0 }
    let answer = setup.program.request(
      "HWPT_ALLOC", ["dev_id": UInt64(setup.program.bound[1].id), "pt_id": UInt64(setup.ioas)])
    #expect(answer.code == 0)
    let second = try #require(setup.program.hwpts.first { UInt64($0.id) == answer["out_hwpt_id"] })
    #expect(second.pagingDomain.translate(IOVA(Self.iova))?.frame == (try setup.frame(0)))
    #expect(second.pagingDomain.translate(IOVA(Self.iova + 0x1000))?.raw == 0)
    #expect(setup.damage.count == 1)
    #expect(
      setup.program.machine.violations().contains { $0.invariant == "every domain translates every area" })
    // The first domain leaves; frames are read from the second one, which never had the page.
    setup.program.bound[0].detach()
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    #expect(try setup.pins(0) == 0)
    #expect(try setup.pins(1) == 1)
    try finish(setup)
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func accessToALostTranslation(_ name: String) throws {
    let setup = try Setup(try #require(IOMMUKind.named(name)))
    try setup.overwrite(1) { _ in setup.program.isBigEndian ? 0x400 : 0 }
    let access = try setup.program.access(on: setup.ioas)
    #expect(try access.pin(Self.iova, 8192) == [try setup.frame(0), FrameNumber(0)])
    var bytes: [UInt8] = [7, 7, 7, 7]
    for writing in [true, false] {
      try bytes.withUnsafeMutableBytes { buffer in
        try access.access.rw(
          iova: Self.iova + 0xFFE, buffer: buffer, writing: writing, slow: true,
          by: setup.program.target.process)
      }
    }
    #expect(bytes == [7, 7, 7, 7])
    #expect(setup.program.unmap(setup.ioas, Self.iova, 8192).code == 0)
    #expect(try setup.pins(0) == 0)
    #expect(try setup.pins(1) == 1)
    try finish(setup)
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func closeWithALostTable(_ name: String) throws {
    let setup = try Setup(try #require(IOMMUKind.named(name)))
    let hwpt = try #require(setup.program.hwpts.first)
    for entry in setup.program.entries(hwpt) where entry.kind == .table {
      setup.program.overwrite(entry, with: 0xFFFF_FFFF_FFFF_FFFF)
    }
    #expect(!setup.program.machine.violations().isEmpty)
    try finish(setup)
    #expect(setup.damage.count == 1)
    #expect(setup.program.target.process.space.counters.pinned.load(ordering: .relaxed) == 0)
  }

  /// Of many lost pages the first few are told.
  @Test(arguments: IOMMUKind.all.map(\.name)) func manyAreCounted(_ name: String) throws {
    let setup = try Setup(try #require(IOMMUKind.named(name)))
    let buffer = try setup.program.buffer(64)
    let first = Self.iova + 1 << 24
    #expect(setup.program.map(setup.ioas, buffer, 64 << 12, at: first).code == 0)
    let hwpt = try #require(setup.program.hwpts.first)
    for entry in setup.program.entries(hwpt) where entry.kind == .leaf {
      setup.program.overwrite(entry, with: setup.program.isBigEndian ? 0x400 : 0)
    }
    #expect(setup.program.machine.violations().count < 40)
    #expect(setup.program.unmap(setup.ioas, first, 64 << 12).code == 0)
    #expect(setup.damage.count == 1)
    #expect(setup.damage.first?.contains("; and ") ?? false)
    try finish(setup)
  }
}
