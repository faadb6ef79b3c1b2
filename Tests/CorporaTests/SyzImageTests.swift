// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import CorporaTestSupport
import Testing
import UAPI

@Suite("syzkaller images")
struct SyzImageTests {
  private static func image(_ text: String, isStrict: Bool = true) throws -> SyzImage {
    try SyzImage(SyzParser.parse(text), isStrict: isStrict)
  }

  /// Offsets into the data area of what the stores begin at.
  private static func offset(_ store: SyzImage.Store) -> UInt64 {
    switch store {
    case .number(let address, _, _), .bytes(let address, _, _): address - SyzImage.area
    }
  }

  /// What memory holds from `start` on after the stores of all calls, where no variable is used.
  private static func memory(_ image: SyzImage, _ start: UInt64, _ count: Int) -> [UInt8] {
    var memory = [UInt8](repeating: 0xEE, count: count)
    for store in image.calls.flatMap(\.stores) {
      let bytes: [UInt8]
      switch store {
      case .number(_, .constant(let value), let notation): bytes = notation.bytes(value)
      case .number(_, .result(_, _, let absent), let notation): bytes = notation.bytes(absent)
      case .bytes(_, let given, let size):
        bytes = given + [UInt8](repeating: 0, count: Int(size) - given.count)
      }
      for (index, byte) in bytes.enumerated() {
        let place = Int(offset(store)) - Int(start) + index
        if memory.indices.contains(place) { memory[place] = byte }
      }
    }
    return memory
  }

  @Test("AUTO addresses are those that syzkaller finds")
  func automaticAddresses() throws {
    let core = try Self.image(SyzPrograms.core)
    // Reference corpora.md section 1.8: the largest of them has 72 bytes, so that the first lies at 0x80.
    var places: [UInt64] = []
    for call in core.calls.prefix(6) {
      guard let last = call.arguments.last else { continue }
      if case .constant(let address) = last, address >= SyzImage.area {
        places.append(address - SyzImage.area)
      }
    }
    #expect(places == [0xC0, 0x100, 0x180, 0x200, 0x280])
    #expect(core.calls[0].arguments[1] == .constant(SyzImage.area + 0x80))
    let pointers = core.calls[2...4].flatMap(\.stores).compactMap { store -> UInt64? in
      guard case .number(_, .constant(let value), .binary(width: 8)) = store, value > SyzImage.area else {
        return nil
      }
      return value - SyzImage.area
    }
    #expect(pointers == [0x140, 0x1C0, 0x240])
    let vfio = try Self.image(SyzPrograms.vfio)
    #expect(vfio.calls[0].arguments[1] == .constant(SyzImage.area + 0x40))
  }

  @Test("room that runs out is found again from the bottom, and what has a place keeps it")
  func room() throws {
    let image = try Self.image(
      """
      write(0x0, &(0x7f0000000000)="00", 0x1)
      write(0x0, &(0x7f0000000080)="00", 0x1)
      write(0x0, &AUTO="00", 0x1)
      write(0x0, &AUTO=""/100, 0x64)
      write(0x0, &AUTO=""/16776960, 0x1)
      write(0x0, &AUTO="", 0x0)
      """)
    let places = image.calls.map { call -> UInt64 in
      guard case .constant(let address) = call.arguments[1] else { return .max }
      return address - SyzImage.area
    }
    // Pointers that are to be placed count from offset 0 at first, so that four granules are free. The last but one
    // fits nowhere, and all is forgotten.
    #expect(places == [0, 0x80, 16_776_960, 16_777_024, 0, 16_776_960])
  }

  /// Whether `fields` have one of `width` bytes at `offset`; or several that fill these bytes, where a reserved word
  /// has become something since; or, where an IOVA is split into the number of an area and an offset, one of 8.
  private static func has(_ fields: [Field], _ offset: Int, _ width: Int, isSplit: Bool) -> Bool {
    let inside = fields.filter { $0.offset >= offset && $0.offset + $0.size <= offset + width }
    if inside.reduce(0, { $0 + $1.size }) == width { return true }
    return isSplit
      && fields.contains { $0.size == 8 && $0.offset <= offset && offset + width <= $0.offset + 8 }
  }

  @Test("every field of every struct lies where the waist's table has it")
  func layouts() throws {
    var checked = 0
    // Ours are made from that table, and have names for the gaps as well.
    for row in SyzCalls.all where !row.name.hasPrefix(SyzCalls.ownPrefix) {
      guard let structure = row.structure, let request = row.request else { continue }
      let command = try #require(CommandTable.row(request: request), "\(row.name)")
      var fields = command.fields
      var arguments: [SyzArgument] = []
      for field in structure.fields {
        switch field.type {
        case .constant(let value, _):
          arguments.append(SyzArgument(.automatic))
          if request == 0x3BA0, field.name == "op" {
            // MOCK_DOMAIN_FLAGS says op 2 and has the fields of op 12.
            let number = row.name.hasSuffix("_FLAGS") ? 12 : UInt32(value)
            let op = try #require(CommandTable.selftestOps.first { $0.number == number })
            fields += op.fields
          }
        case .length: arguments.append(SyzArgument(.automatic))
        case .integer: arguments.append(SyzArgument(.integer(0)))
        case .resource, .pointer, .pages, .buffer, .text, .structure, .array, .union:
          arguments.append(SyzArgument(.absent))
        }
      }
      let argument = SyzArgument(
        .pointer(.address(0x7F00_0010_0000), SyzArgument(.structure(arguments)), isAny: false))
      let call = SyzCall(row.name, [SyzArgument(.integer(0)), SyzArgument(.automatic), argument])
      let image = try SyzImage(SyzProgram(calls: [call]), isStrict: true)
      for store in image.calls[0].stores {
        guard case .number(let address, let operand, .binary(let width)) = store,
          address >= SyzImage.area + 0x10_0000
        else { continue }
        let offset = Int(address - SyzImage.area - 0x10_0000)
        #expect(
          Self.has(fields, offset, width, isSplit: row.name.hasSuffix("$syz")),
          "\(row.name): \(width) bytes at \(offset)")
        checked += 1
        if offset == 0, case .constant(let size) = operand {
          let full = request == 0x3BA0 ? 72 : command.sizes[0].bytes
          #expect(Int(size) >= full, "\(row.name): \(size) bytes")
        }
      }
    }
    #expect(checked > 150)
  }

  @Test("AUTO is a constant, a length in bytes, a number of elements, or a struct of these")
  func automaticValues() throws {
    let image = try Self.image(
      """
      ioctl$IOMMU_IOAS_MAP(0x0, AUTO, &(0x7f0000000000)={AUTO, 0x7, 0x9, AUTO, &(0x7f0000001000)="00"/300, AUTO, 0x0})
      ioctl$IOMMU_IOAS_ALLOW_IOVAS(0x0, AUTO, &(0x7f0000002000)={AUTO, 0x0, AUTO, AUTO, &(0x7f0000003000)=[{0x0, 0x0}, {0x0, 0x0}, {0x0, 0x0}]})
      ioctl$IOMMU_HWPT_ALLOC$TEST(0x0, AUTO, &(0x7f0000004000)={AUTO, 0x0, 0x0, 0x0, 0x0, AUTO, AUTO, AUTO, &(0x7f0000005000)=AUTO})
      ioctl$IOMMU_VFIO_IOMMU_UNMAP_DMA(0x0, AUTO, &(0x7f0000006000)={AUTO, 0x0, 0x0, 0x0, "0102030405"})
      ioctl$IOMMU_IOAS_MAP$PAGES(0x0, AUTO, &(0x7f0000007000)={AUTO, 0x7, 0x0, AUTO, &(0x7f0000ffc000/0x1800)=nil, AUTO, 0x0})
      ioctl$IOMMU_IOAS_MAP(0x0, AUTO, &(0x7f0000008000)={AUTO, 0x7, 0x0, AUTO, 0x0, AUTO, 0x0})
      """)
    #expect(
      image.calls.map { $0.arguments[1] }
        == [0x3B85, 0x3B82, 0x3B89, 0x3B72, 0x3B85, 0x3B85].map { .constant($0) })
    #expect(
      Self.memory(image, 0, 40) == [
        40, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x20, 0, 0, 0x2C, 1, 0, 0, 0, 0, 0,
        0,
        0, 0, 0, 0, 0, 0, 0, 0,
      ])
    #expect(Self.memory(image, 0x2000, 12) == [24, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0])
    // What only the kernel writes keeps what memory held: the ID at 16.
    #expect(
      Self.memory(image, 0x4010, 16) == [0xEE, 0xEE, 0xEE, 0xEE, 0, 0, 0, 0, 0xAD, 0xDE, 0, 0, 4, 0, 0, 0])
    #expect(Self.memory(image, 0x5000, 4) == [0xEF, 0xBE, 0xAD, 0x0B])
    #expect(Self.memory(image, 0x6000, 4) == [29, 0, 0, 0])
    #expect(Self.memory(image, 0x6018, 6) == [1, 2, 3, 4, 5, 0xEE])
    #expect(Self.memory(image, 0x7018, 4) == [0, 0x20, 0, 0])
    #expect(Self.memory(image, 0x8010, 16) == [UInt8](repeating: 0, count: 16))
  }

  @Test("an integer in the place of a pointer is one of five addresses")
  func specialPointers() throws {
    let image = try Self.image(
      (0..<7).map { "write(0x0, 0x\(String(0 &- UInt64($0), radix: 16)), 0x0)\n" }.joined())
    #expect(
      image.calls.map { $0.arguments[1] }
        == [
          0, .max, 0x9999_9999_9999_9999, 0xFFFF_FFFF_8100_0000, 0xFFFF_FFFF_FF60_0000, 0, .max,
        ].map { .constant($0) })
  }

  @Test("pieces of ANY lie one behind the other")
  func squashed() throws {
    let image = try Self.image(
      """
      ioctl$IOMMU_IOAS_ALLOC(0x0, AUTO, &(0x7f0000000000)=ANY=[@ANYBLOB="01", @ANYRES8=0x102, @ANYRES16=0x304, @ANYRES32, @ANYRES64=0x5, @ANYRESDEC=0x11, @ANYRESHEX=0xab, @ANYRESOCT=0x9, @ANYBLOB='z'])
      """)
    let text = "00000000000000000017" + "0x00000000000000ab" + "00000000000000000000011" + "z"
    #expect(
      Self.memory(image, 0, 79) == [1, 2, 4, 3, 0xFF, 0xFF, 0xFF, 0xFF, 5, 0, 0, 0, 0, 0, 0, 0]
        + Array(text.utf8)
        + [0xEE])
  }

  @Test("nothing is stored outside of the data area")
  func borders() throws {
    let image = try Self.image(
      """
      write(0x0, &(0x7f0000fffffe)="01020304", 0x4)
      write(0x0, &(0x7f0001000000)="01", 0x1)
      write(0x0, &(0x7effffffffff)="0102", 0x1)
      ioctl$IOMMU_DESTROY$ioas(0x0, AUTO, &(0x7f0000fffffc)={AUTO, 0x1})
      """)
    #expect(
      image.calls.flatMap(\.stores) == [
        .bytes(at: SyzImage.area + 0xFF_FFFE, [1, 2], size: 2),
        .number(at: SyzImage.area + 0xFF_FFFC, .constant(8), .binary(width: 4)),
      ])
    #expect(image.calls[1].arguments[1] == .constant(SyzImage.area + 0x100_0000))
    let much = String(repeating: "write(0x0, &(0x7f0000000000)=\"\"/16777216, 0x0)\n", count: 5)
    #expect(throws: SyzProblem(line: 5, column: 1, "a program stores at most 67108864 bytes")) {
      try Self.image(much)
    }
  }

  @Test("what a corpus leaves out is its type's default")
  func defaults() throws {
    let image = try Self.image(
      """
      r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000040), 0x0, 0x0)
      ioctl$IOMMU_IOAS_UNMAP$ALL(r0, 0x3b86, &(0x7f0000001000)={0x18})
      ioctl$IOMMU_TEST_OP_ACCESS_RW(r0, 0x3ba0, &(0x7f0000002000))
      """, isStrict: false)
    #expect(Self.memory(image, 0x40, 11) == Array("/dev/iommu".utf8) + [0])
    #expect(
      Self.memory(image, 0x1000, 24)
        == [24, 0, 0, 0] + [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0xFF, count: 8))
    #expect(Self.memory(image, 0x2000, 12) == [0, 0, 0, 0, 8, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(image.repairs == [SyzProblem(line: 2, column: 58, "too few values: 1 instead of 4")])
  }

  @Test(
    "what does not fit is an error to the strict and mended for others",
    arguments: [
      ("fly(0x0)", "fly is not known"),
      ("close()", "too few values: 0 instead of 1"),
      ("close(0x0, 0x1)", "too many values: 2 instead of 1"),
      ("r0 = close(0x0)", "close returns nothing that a variable can hold"),
      ("close(r0)", "r0 is bound nowhere before"),
      ("close('x')", "a value of this form does not fit here"),
      ("close(@fd=0x0)", "a value of this form does not fit here"),
      ("ftruncate(0x0, <r0=>0x1)", "only a resource can be given a name"),
      ("ftruncate(0x0, AUTO)", "a value of this form does not fit here"),
      ("munmap(&(0x7f0000000001/0x1000)=nil, 0x1000)", "the address is not that of a page"),
      ("munmap(&(0x7f0000000000/0x1000)='x', 0x1000)", "pages have no contents"),
      ("write(0x0, &AUTO='x'/16777217, 0x0)", "longer than the data area"),
      ("openat$iommufd(AUTO, &AUTO='/dev/null', 0x0, AUTO)", "the text is /dev/iommu"),
      ("write(0x0, &AUTO=ANY=[@ANYBLOB=0x0], 0x0)", "@ANYBLOB has bytes"),
      ("write(0x0, &AUTO=ANY=[@ANYRES8=r7], 0x0)", "r7 is bound nowhere before"),
      (
        "ioctl$IOMMU_IOAS_IOVA_RANGES(0x0, AUTO, &AUTO={AUTO, 0x0, AUTO, AUTO, &AUTO=[], 0x5})",
        "what the kernel writes has no value yet"
      ),
    ])
  func repairs(_ text: String, _ message: String) throws {
    let problem = #expect(throws: SyzProblem.self) { try Self.image(text) }
    #expect(problem?.message == message)
    let image = try Self.image(text, isStrict: false)
    #expect(image.repairs.map(\.message) == [message])
    #expect(image.repairs.first == problem)
    #expect(image.calls.count == 1)
  }

  @Test(
    "what cannot be mended is an error to all",
    arguments: [
      ("munmap(&AUTO, 0x0)", "pages cannot be AUTO"),
      ("close(0x0) (fail_nth: 1, rerun: 1)", "fail_nth and rerun exclude each other"),
      ("write(0x0, &AUTO=ANY=0x0, 0x0)", "ANY is a list"),
      ("write(0x0, &AUTO=ANY=[0x0], 0x0)", "a piece of ANY is @ANYBLOB or an @ANYRES"),
      ("write(0x0, &AUTO=ANY=[@ANYRES5=0x0], 0x0)", "no piece of ANY is called ANYRES5"),
    ])
  func errors(_ text: String, _ message: String) throws {
    let problem = #expect(throws: SyzProblem.self) { try Self.image(text, isStrict: false) }
    #expect(problem?.message == message)
  }

  @Test("the table has every call of the descriptions")
  func vocabulary() {
    let names = SyzCalls.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.filter { $0.hasPrefix("ioctl$IOMMU_") }.count == 43)
    #expect(names.filter { $0.hasPrefix("ioctl$VFIO_") }.count == 6)
    #expect(names.filter { $0.hasPrefix("ioctl$auto_VFIO_") }.count == 7)
  }
}
