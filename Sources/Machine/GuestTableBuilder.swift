// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Memory
internal import PageTables
internal import UAPI

// Page tables as a guest would write them, so that a script can say in a line what would take it a page of bytes. They
// are built by the same code as a driver's, in a scratch memory whose only free frames are those where the guest sees
// the memory that is to hold them; then they are copied out.

struct GuestTableBuilder {
  /// A format by the name that scripts use.
  struct Form: Sendable {
    let name: String
    let make: @Sendable (PhysicalMemory) throws(Errno) -> any PageTable
    /// For a stage 1 of Arm: input bits and the code of its granule, which a context descriptor names.
    var arm: (inputLg2: Int, granule: UInt64)?
  }

  static let forms: [Form] = [
    Form(name: "x86_64") { memory throws(Errno) in
      try X86FirstStageTable(memory, .init(levels: 4, inputLg2: 48, pageSizes: 1 << 12 | 1 << 21 | 1 << 30))
    },
    Form(name: "x86_64-la57") { memory throws(Errno) in
      try X86FirstStageTable(memory, .init(levels: 5, inputLg2: 57, pageSizes: 1 << 12 | 1 << 21 | 1 << 30))
    },
    Form(name: "vtd-second") { memory throws(Errno) in try VTdSecondStageTable(memory, .init(levels: 4)) },
    Form(name: "amd-v1") { memory throws(Errno) in try AMDV1Table(memory) },
    arm("smmuv3-s1", 12, 48, 0) { memory, shape throws(Errno) in try ArmStage1Table4K(memory, shape) },
    arm("smmuv3-s1-k16", 14, 48, 2) { memory, shape throws(Errno) in try ArmStage1Table16K(memory, shape) },
    arm("smmuv3-s1-k64", 16, 48, 1) { memory, shape throws(Errno) in try ArmStage1Table64K(memory, shape) },
    Form(name: "smmuv3-s2") { memory throws(Errno) in
      try ArmStage2Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48))
    },
    Form(name: "sv39") { memory throws(Errno) in try RISCVTable(memory, .init(.sv39)) },
    Form(name: "sv48") { memory throws(Errno) in try RISCVTable(memory, .init(.sv48)) },
    Form(name: "sv57") { memory throws(Errno) in try RISCVTable(memory, .init(.sv57)) },
    Form(name: "sv39x4") { memory throws(Errno) in try RISCVTable(memory, .init(.sv39, isSecondStage: true))
    },
    Form(name: "sv48x4") { memory throws(Errno) in try RISCVTable(memory, .init(.sv48, isSecondStage: true))
    },
    Form(name: "sv57x4") { memory throws(Errno) in try RISCVTable(memory, .init(.sv57, isSecondStage: true))
    },
    Form(name: "s390") { memory throws(Errno) in try ZPCITable(memory, .init(.regionThird, pageSizes: 4096))
    },
  ]

  private static func arm(
    _ name: String, _ granuleLg2: Int, _ inputLg2: Int, _ code: UInt64,
    _ make: @escaping @Sendable (PhysicalMemory, ArmGeometry) throws(Errno) -> any PageTable
  ) -> Form {
    let shape = ArmGeometry(granuleLg2: granuleLg2, stage: .one, inputLg2: inputLg2, outputLg2: 48)
    var form = Form(name: name) { memory throws(Errno) in try make(memory, shape) }
    form.arm = (inputLg2, code)
    return form
  }

  /// Where a guest's memory may be.
  private static let highest: UInt64 = 1 << 40
  private static let largest: UInt64 = 16 << 20

  /// - Throws: EINVAL for an unknown format, a place that is not a page's, or a mapping that the format cannot hold;
  ///   ENOMEM when the tables need more than `room` bytes.
  static func build(_ format: String, at place: UInt64, room: UInt64, _ entries: [GuestMapping]) throws(Errno)
    -> GuestTable
  {
    guard let form = forms.first(where: { $0.name == format }) else {
      throw .EINVAL("there is no such table format")
    }
    guard place & Page.mask == 0, place > 0, place < highest, room >= Page.size, room <= largest else {
      throw .EINVAL("the memory for the table is no whole pages between 4 KiB and 1 TiB", place, room)
    }
    let memory = PhysicalMemory(
      size: place + (room & ~Page.mask), firstFrame: Int(truncatingIfNeeded: place >> Page.shift))
    let table = try form.make(memory)
    var gather = TableGather()
    defer { gather.release() }
    for entry in entries {
      var attributes: MappingAttributes = .cache
      if entry.readable { attributes.insert(.read) }
      if entry.writable { attributes.insert(.write) }
      guard (entry.iova | entry.target | entry.length) & Page.mask == 0, entry.length > 0 else {
        throw .EINVAL("an entry is of whole pages", entry.iova, entry.length)
      }
      try table.map(
        IOVA(entry.iova), to: PhysAddr(entry.target), length: entry.length, attributes, gather: &gather)
    }
    var streamTableEntry: [UInt8] = []
    if let arm = form.arm {
      let descriptor = try memory.allocateFrame().address
      write(contextDescriptor(table.root.address.raw, arm), at: descriptor, memory)
      streamTableEntry = bytes([nestedEntry(descriptor.raw), 0])
    }
    return GuestTable(
      root: table.root.address.raw, bytes: copy(place, room, memory), streamTableEntry: streamTableEntry)
  }

  // MARK: Arm's structures

  /// IHI 0070, section 5.4: a valid descriptor of AArch64 format whose faults are recorded and abort; TTBR1 unused;
  /// ASID 1; memory attributes as Linux lists them.
  private static func contextDescriptor(_ root: UInt64, _ arm: (inputLg2: Int, granule: UInt64)) -> [UInt64] {
    let outputSize: UInt64 = 5
    var first = UInt64(64 - arm.inputLg2) | arm.granule << 6
    // Write-back, inner shareable walks; EPD1; V.
    first |= 1 << 8 | 1 << 10 | 3 << 12 | 1 << 30 | 1 << 31
    // IPS, AA64, R, A, ASET, ASID.
    first |= outputSize << 32 | 1 << 41 | 1 << 45 | 1 << 46 | 1 << 47 | 1 << 48
    return [first, root, 0, 0xFFFF_FFFF_F404_FF44, 0, 0, 0, 0]
  }

  /// IHI 0070, section 5.2, the first word: valid, stage 1 translates, one linear context descriptor.
  private static func nestedEntry(_ descriptor: UInt64) -> UInt64 {
    1 | 5 << 1 | descriptor & 0x000F_FFFF_FFFF_FFC0
  }

  // MARK: Bytes

  private static func bytes(_ words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }

  private static func write(_ words: [UInt64], at address: PhysAddr, _ memory: PhysicalMemory) {
    bytes(words).withUnsafeBytes { _ = memory.write(address, from: $0) }
  }

  /// The bytes from `place` up to the last frame that is in use.
  private static func copy(_ place: UInt64, _ room: UInt64, _ memory: PhysicalMemory) -> [UInt8] {
    let count = Int(min(room & ~Page.mask, UInt64(memory.allocatedFrames) << Page.shift))
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { _ = memory.read(PhysAddr(place), into: $0) }
    return bytes
  }
}
