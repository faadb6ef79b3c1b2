// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// Runs the tables.
@Suite("Requests")
struct RequestTests {
  struct Item: Sendable, CustomTestStringConvertible {
    let table: RequestTable
    let kernel: Personality
    var testDescription: String { "\(table.name) on \(kernel.rawValue)" }
  }

  static let items = RequestTable.all.flatMap { table in
    Personality.allCases.filter { table.runs(on: $0) }.map { Item(table: table, kernel: $0) }
  }

  @Test("answers as its table says", arguments: items)
  func answers(_ item: Item) throws {
    for item in item.cases { try run(item.0, item.1, item.2) }
  }

  private func run(_ table: RequestTable, _ wanted: RequestCase, _ kernel: Personality) throws {
    let name: Comment = "\(table.name), \(wanted.title), on \(kernel.rawValue)"
    let world = try World(kernel)
    try table.world(world)
    try wanted.given(world)
    #expect(world.bench.violations().isEmpty, name)
    let before = world.snapshot
    let answer = world.ask(table.row, table.good, wanted.fields)
    #expect(
      answer.name == wanted.answer,
      "\(table.name), \(wanted.title), on \(kernel.rawValue): \(answer.errno?.reason ?? "")")
    for (field, value) in wanted.outputs {
      let got = field == "result" ? UInt64(truncatingIfNeeded: answer.result) : answer[field]
      #expect(got == value, "\(table.name), \(wanted.title), on \(kernel.rawValue): \(field)")
    }
    if !wanted.leaves.contains(.answer) { #expect(answer.bytes == answer.sent, name) }
    if !wanted.leaves.contains(.state) { #expect(world.snapshot == before, name) }
    try wanted.then(world, answer)
    #expect(world.bench.violations().map(\.description) == [], name)
    #expect(world.leftovers() == [], name)
  }

  /// The struct rules of a request that would succeed: a short struct, a long one, a dirty tail.
  @Test("takes every size of its struct", arguments: items)
  func sizes(_ item: Item) throws {
    let table = item.table
    guard let (minimum, full) = table.sizes(on: item.kernel) else { return }
    func ask(_ size: Int, _ announced: Int? = nil, tail: UInt8 = 0) throws -> (World, Bool, Caller.Answer) {
      let world = try World(item.kernel)
      try table.world(world)
      let before = world.snapshot
      let answer = world.ask(table.row, table.good, size: size, announced: announced, tail: tail)
      #expect(world.bench.violations().isEmpty)
      return (world, world.snapshot == before, answer)
    }
    for (size, announced, tail, errno) in [
      (full + 1, nil, UInt8(1), "E2BIG"), (full + 64, nil, 0x80, "E2BIG"), (full, minimum - 1, 0, "EINVAL"),
      (full, 0, 0, "EINVAL"), (full, 3, 0, "EINVAL"),
    ] as [(Int, Int?, UInt8, String)] {
      let (_, unchanged, answer) = try ask(size, announced, tail: tail)
      #expect(answer.name == errno)
      #expect(unchanged)
      #expect(answer.bytes == answer.sent)
    }
    let (_, _, plain) = try ask(full)
    #expect(plain.name == "ok")
    let (_, _, long) = try ask(full + 64)
    #expect(long.name == "ok")
    #expect(long.bytes[4..<full] == plain.bytes[4..<full])
    #expect(long.bytes[full...].allSatisfy { $0 == 0 })
    // Without its tail the request means the same when the tail is zero; what lies there is not touched.
    let (_, _, short) = try ask(full, minimum)
    if plain.sent[minimum..<full].allSatisfy({ $0 == 0 }) {
      #expect(short.name == "ok")
      #expect(short.bytes[4..<minimum] == plain.bytes[4..<minimum])
    }
    #expect(short.bytes[minimum..<full] == short.sent[minimum..<full])
  }

  @Test("survives a struct that cannot be written back", arguments: items)
  func readOnlyStruct(_ item: Item) throws {
    let table = item.table
    let world = try World(item.kernel)
    try table.world(world)
    let before = world.snapshot
    let answer = try world.askReadOnly(table.row, table.good)
    switch table.whenReadOnly {
    case .unnoticed: #expect(answer.name == "ok")
    case .undone:
      #expect(answer.name == "EFAULT")
      #expect(world.snapshot == before)
      // What was undone can be done.
      #expect(world.ask(table.row, table.good).name == "ok")
    case .kept:
      #expect(answer.name == "EFAULT")
      #expect(world.snapshot != before)
    }
    #expect(world.bench.violations().isEmpty)
  }

  /// A kernel without the command or op says so, whatever the request is.
  @Test(arguments: RequestTable.all.map(\.row).uniqued())
  func isRefusedWhereItDoesNotExist(_ row: String) throws {
    for table in RequestTable.all where table.row == row {
      for kernel in Personality.allCases where !table.exists(on: kernel) {
        let world = try World(kernel)
        let answer = world.ask(row, table.good)
        #expect(answer.name == (SelftestOp.named(row) == nil ? "ENOTTY" : "EOPNOTSUPP"))
      }
    }
  }
}

extension RequestTests.Item {
  var cases: [(RequestTable, RequestCase, Personality)] {
    table.cases.filter { $0.kernels.contains(kernel) }.map { (table, $0, kernel) }
  }
}

extension Array where Element: Hashable {
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
