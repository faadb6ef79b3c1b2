// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Testing

/// Unions and conditional fields, which no call of iommufd has: a vocabulary of its own has them here.
@Suite("syzkaller unions")
struct SyzUnionTests {
  /// `closed` is 8 bytes whatever it holds, `open` as long as its option; `extra` is there where bit 0 of `mode` is
  /// set, and `wide` where `mode` is 2.
  static let vocabulary: SyzVocabulary = {
    let options = [
      SyzField("a", .integer(width: 4)), SyzField("b", .integer(width: 8)),
      SyzField("text", .buffer), SyzField("id", .resource(.handle, width: 4)),
    ]
    let structure = SyzStructure([
      SyzField("mode", .integer(width: 4)),
      SyzField("extra", .integer(width: 2), condition: SyzCondition("mode", mask: 1, is: 1)),
      SyzField("wide", .integer(width: 8), condition: SyzCondition("mode", is: 2)),
      SyzField("closed", .union(SyzUnion([options[0], options[1]]))),
      SyzField("open", .union(SyzUnion(isOpen: true, [options[0], options[2], options[3]]))),
    ])
    return SyzVocabulary([
      SyzCallRow(
        "test", .write,
        [
          SyzField("size", .length(of: "arg", width: 8)),
          SyzField("arg", .pointer(.structure(structure), .input)),
        ]),
      SyzCallRow("make", .dup, [], result: .handle),
    ])
  }()

  /// The bytes that a struct becomes, and its length.
  static func bytes(_ text: String, isStrict: Bool = true) throws -> (
    bytes: [UInt8], size: UInt64, repairs: [String]
  ) {
    let program = try SyzParser.parse("test(AUTO, &(0x7f0000000000)=\(text))")
    let image = try SyzImage(program, isStrict: isStrict, vocabulary: vocabulary)
    var memory = [UInt8](repeating: 0xEE, count: 32)
    for store in image.calls[0].stores {
      let (address, bytes): (UInt64, [UInt8])
      switch store {
      case .number(let at, .constant(let value), let notation): (address, bytes) = (at, notation.bytes(value))
      case .number(let at, .result(_, _, let absent), let notation):
        (address, bytes) = (at, notation.bytes(absent))
      case .bytes(let at, let given, _): (address, bytes) = (at, given)
      }
      memory.replaceSubrange(
        Int(address - SyzImage.area)..<Int(address - SyzImage.area) + bytes.count, with: bytes)
    }
    guard case .constant(let size) = image.calls[0].arguments[0] else { return ([], 0, []) }
    return (Array(memory.prefix(Int(size))), size, image.repairs.map(\.message))
  }

  @Test(
    "an option lies at the union's beginning; an open union is as long as it",
    arguments: [
      (
        "{0x0, @void, @void, @a=0x1, @a=0x2}",
        [0, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 1, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 2, 0, 0, 0]
      ),
      (
        "{0x0, @void, @void, @b=0x1, @text='xyz'}",
        [0, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 1, 0, 0, 0, 0, 0, 0, 0] + Array("xyz".utf8)
      ),
      (
        "{0x0, @void, @void, @a, @id}",
        [0, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 0, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 0, 0, 0, 0]
      ),
      (
        "{0x1, @value=0x7, @void, @a=0x1, @text}",
        [1, 0, 0, 0, 7, 0, 0xEE, 0xEE, 1, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE]
      ),
      (
        "{0x2, @void, @value=0x9, @a=0x1, @text}",
        [2, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE]
      ),
      (
        "{0x2, nil, nil, nil, nil}",
        [2, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE] + [UInt8](repeating: 0, count: 12) + [
          0xEE, 0xEE, 0xEE, 0xEE, 0, 0, 0, 0,
        ]
      ),
      (
        "{0x1, @value, @void, @a, @text}", [1, 0, 0, 0, 0, 0, 0xEE, 0xEE, 0, 0, 0, 0, 0xEE, 0xEE, 0xEE, 0xEE]
      ),
    ] as [(String, [UInt8])])
  func options(_ text: String, _ expected: [UInt8]) throws {
    let (bytes, size, repairs) = try Self.bytes(text)
    #expect(bytes == expected)
    #expect(size == UInt64(expected.count))
    #expect(repairs == [])
  }

  @Test(
    "a choice that cannot be is an error to the strict and mended for others",
    arguments: [
      ("{0x0, @value=0x7, @void, @a, @a}", "the condition of this field does not hold: it is @void"),
      ("{0x1, @void, @void, @a, @a}", "the condition of this field holds: it is @value"),
      ("{0x1, 0x7, @void, @a, @a}", "a field with a condition is @value or @void"),
      ("{0x0, @void, @void, @c=0x1, @a}", "there is no option c"),
      ("{0x0, @void, @void, 0x1, @a}", "a value of this form does not fit here"),
      ("{0x0, @void, @void, @a=<r0=>0x1, @a}", "only a resource can be given a name"),
    ])
  func repairs(_ text: String, _ message: String) throws {
    let problem = #expect(throws: SyzProblem.self) { try Self.bytes(text) }
    #expect(problem?.message == message)
    #expect(try Self.bytes(text, isStrict: false).repairs == [message])
  }

  @Test("a program of another vocabulary does not know iommufd's calls")
  func vocabularies() throws {
    let program = try SyzParser.parse(
      "r0 = make()\nioctl$IOMMU_IOAS_ALLOC(r0)\ntest(0x0, &AUTO={0x0, nil, nil, nil, @id=r0})")
    let image = try SyzImage(program, vocabulary: Self.vocabulary)
    #expect(image.repairs.map(\.message) == ["ioctl$IOMMU_IOAS_ALLOC is not known"])
    #expect(image.calls.map { $0.row?.name } == ["make", nil, "test"])
    #expect(image.slotCount == 1)
  }
}
