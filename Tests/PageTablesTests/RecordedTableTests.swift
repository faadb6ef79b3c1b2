// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

// What Linux 7.2's drivers wrote into page tables, against ours: the same maps and unmaps of the same physical
// pages must leave the same entries. Only the addresses of tables differ; they are renamed, one for one.

@Suite("Recordings of real drivers")
struct RecordedTableTests {
  @Test func everyLineIsUnderstoodAndPrintsAsItWas() throws {
    let names = try recordingNames()
    #expect(names.count >= 12)
    for name in names {
      let bytes = try contents("\(recordingFolder)/\(name).txt")
      let recording = try DriverRecording(bytes)
      var text = ""
      for line in recording.lines { text += "\(line)\n" }
      let original = String(decoding: bytes, as: UTF8.self)
      #expect(text == original, "\(name)")
      #expect(
        recording.steps.reduce(0) { $0 + $1.lines.count } + recording.steps.count { $0.request != nil }
          == recording.lines.count)
    }
  }

  @Test(arguments: [
    "cmd", "cmd xyz", "pte 0 = 1", "pte 0 1", "pte 0 1 = 1 x2", "pages 1000", "rc 0", "ctx a b", "dma eat 0",
    "ctx registers a=g", "junk",
  ])
  func aLineOfAnotherKindIsRefused(_ line: String) {
    #expect(throws: DriverRecording.Malformed.self) {
      try DriverRecording(Array("step bind\n\(line)\n".utf8))
    }
  }

  @Test(arguments: try recordingNames())
  func entriesAreThoseOfTheDriver(_ name: String) throws {
    let recording = try DriverRecording(contents("\(recordingFolder)/\(name).txt"))
    let memory = PhysicalMemory(size: 4 << 30)
    let setup = try #require(RecordedSetup(recording), "what table is this?")
    let table = try setup.make(memory)
    var compared = 0
    var total = 0
    for step in recording.steps {
      guard let request = step.request else { continue }
      try perform(request, step, on: table)
      let entries = step.lines.compactMap { line in
        if case .entry(let entry) = line { entry } else { nil }
      }
      guard !entries.isEmpty else { continue }
      total += entries.count
      compared += compare(entries, table, setup.tableMask, "\(name), \(request)")
    }
    print("\(name): \(compared) of \(total) pte lines equal (\(table.name))")
    #expect(compared == total && total > 20)
  }

  private func perform(
    _ request: DriverRecording.Request, _ step: DriverRecording.Step, on table: any PageTable
  )
    throws
  {
    let succeeded = step.lines.contains { line in
      if case .result(let code, _, _) = line { code == 0 } else { false }
    }
    switch request {
    case .map(let iova, let length, let flags):
      guard succeeded else {
        // iommufd refused what lies outside of the aperture.
        #expect(table.aperture.last < iova &+ (length - 1))
        return
      }
      var attributes: MappingAttributes = .cache
      if flags & 4 != 0 { attributes.insert(.read) }
      if flags & 2 != 0 { attributes.insert(.write) }
      var at = iova
      for case .pages(let runs) in step.lines {
        for run in runs {
          #expect(table.mapped(at, run.address, run.pages * 4096, attributes) == nil)
          at += run.pages * 4096
        }
      }
      #expect(at == iova + length)
    case .unmap(let iova, let length): #expect(table.unmapped(iova, length) == length)
    default: break
    }
  }

  /// How many lines are equal, after renaming tables.
  private func compare(
    _ wanted: [DriverRecording.Entry], _ table: any PageTable, _ mask: UInt64, _ place: String
  ) -> Int {
    var joiner = DriverRecording.RunJoiner()
    table.forEachEntry { entry, path in
      joiner.add(level: entry.level, path: path, raw: entry.raw, isLeaf: entry.kind == .leaf)
    }
    var isTable: [[Int]: Bool] = [:]
    table.forEachEntry { entry, path in isTable[path] = entry.kind == .table }
    var renamed: [UInt64: UInt64] = [:]
    var taken: Set<UInt64> = []
    var equal = 0
    #expect(joiner.entries.count == wanted.count, "\(place)")
    for (mine, theirs) in zip(joiner.entries, wanted) {
      var mine = mine
      if isTable[mine.path] == true {
        let address = mine.raw & mask
        if renamed[address] == nil, taken.insert(theirs.raw & mask).inserted {
          renamed[address] = theirs.raw & mask
        }
        mine.raw = mine.raw & ~mask | (renamed[address] ?? address)
      }
      #expect(mine == theirs, "\(place): ours is \(mine), the driver's \(theirs)")
      if mine == theirs { equal += 1 }
    }
    return equal
  }
}
