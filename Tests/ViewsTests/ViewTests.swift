// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Interpreter
import Testing
import Views

/// Every view of the table of views, against a text that somebody has read.
@Suite struct ViewTests {
  /// All views of the scene from one run, each behind a line with its name.
  static let all: [String: String] = {
    guard let scene = try? scene() else { return [:] }
    var script = scene
    for view in View.all {
      for format in View.Format.allCases {
        script += "show \(view.name) format=\(format.rawValue)\nshow \"@\"\n"
      }
    }
    var parts = printed(script).components(separatedBy: "\"@\"\n")
    var texts: [String: String] = [:]
    for view in View.all {
      for format in View.Format.allCases where !parts.isEmpty {
        texts["\(view.name).\(format.rawValue)"] = parts.removeFirst()
      }
    }
    return texts
  }()

  /// A view that is added has no text here until somebody has written and read one.
  @Test(arguments: View.all.map(\.name)) func theTableIsAsExpected(name: String) throws {
    let text = try #require(Self.all["\(name).table"])
    try Project.expect(text, is: "show-\(name).txt")
    // The scene has something of everything, or the text would assert nothing.
    #expect(!text.hasPrefix("no "))
  }

  @Test func noExpectationIsLeftOver() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Project.golden.path())
    let shown = files.filter { $0.hasPrefix("show-") }.map { String($0.dropFirst(5).dropLast(4)) }
    #expect(Set(shown) == Set(View.all.map(\.name)))
  }

  /// The other formats hold what the table does.
  @Test(arguments: View.all.map(\.name)) func theFormatsAgree(name: String) throws {
    let table = try #require(Self.all["\(name).table"])
    let json = try #require(Self.all["\(name).json"])
    let document = try #require(
      JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any], "\(json)")
    #expect(document["version"] as? Int == 1)
    #expect(document["view"] as? String == name)
    let rows = try #require(document["rows"] as? [[String: Any]])
    let remark = document["remark"] as? String
    #expect(rows.count == table.split(separator: "\n").count - 1 - (remark == nil ? 0 : 1))
    let heads = try #require(table.split(separator: "\n").first).split(separator: " ").map { $0.lowercased() }
    for row in rows { #expect(Set(row.keys) == Set(heads)) }
    let tree = try #require(Self.all["\(name).tree"])
    for head in heads { #expect(tree.contains(head)) }
    // Stable: members in the order of the columns.
    let first = try #require(json.range(of: "\"\(heads[0])\""))
    let last = try #require(json.range(of: "\"\(heads[heads.count - 1])\""))
    #expect(first.lowerBound < last.lowerBound || heads.count == 1)
  }

  @Test func everyViewIsAVerbWithAPage() {
    for view in View.all { #expect(Explain.page("show \(view.name)") != nil, "\(view.name)") }
  }

  @Test func anEmptyMachineHasEmptyViews() {
    #expect(printed("iofd 1\nshow areas") == "no area\n")
    #expect(printed("iofd 1\nshow caches format=tree") == "no cached entry\n")
    #expect(printed("iofd 1\nshow faults format=json").contains("\"rows\":[]"))
  }

  /// Every kind of IOMMU names its caches and queues in its own way.
  @Test(arguments: ["vtd", "amd", "smmuv3", "riscv", "s390"]) func everyIOMMUHasCachesAndQueues(kind: String)
  {
    let text = printed(
      """
      iofd 1
      iommu io kind=\(kind)\(kind == "riscv" ? " vfio=isolated" : "")
      device add nic behind $io
      vm = ioas create
      buf = mem alloc 64K
      attach $nic to=$vm
      map $vm $buf rw   -> iova=?i
      dma read $nic $i len=4
      show caches
      show "@"
      show queues
      dma read $nic 0x900000 len=4   -> fault
      show faults
      """)
    let parts = text.components(separatedBy: "\"@\"\n")
    #expect(parts[0].hasPrefix("WHERE"), "\(text)")
    #expect(parts[1].hasPrefix("WHERE"), "\(text)")
    #expect(parts[1].contains("0x900000"), "\(text)")
  }

  /// Names of a file's objects mean nothing on the machine of a test in it.
  @Test func namesBelongToTheirMachine() {
    let text = printed(
      """
      iofd 1
      outside = ioas create
      test "a" {
        inside = ioas create
        show objects
      }
      show objects
      """)
    #expect(text.split(separator: "\n").filter { $0.contains("$outside") }.count == 1, "\(text)")
    #expect(text.split(separator: "\n").filter { $0.contains("$inside") }.count == 1, "\(text)")
  }

  /// Without a bench there is what the script was told, and it is said that there is no more.
  @Test func aRealKernelTellsNoMore() throws {
    var names = SnapshotNames()
    names.file = 3
    names.objects = [
      SnapshotNames.Object(name: "vm", id: 1, word: "ioas"),
      SnapshotNames.Object(name: "also", id: 1, word: "ioas"),
      SnapshotNames.Object(name: "hw", id: 2, word: "hwpt"),
    ]
    let snapshot = Snapshot(nil, names: names)
    var input = ViewInput(snapshot)
    input.requests = [RequestRecord(statement: 1, line: "IOAS_ALLOC -> ok")]
    let unknown = "the target cannot be looked into: a real kernel tells no more\n"
    for view in View.all {
      let text = view.text(input)
      if view.name == "requests" {
        #expect(text.contains("IOAS_ALLOC -> ok"))
      } else {
        #expect(text.hasSuffix(unknown), "\(view.name)")
        #expect(text.hasPrefix("no ") != (view.name == "objects"), "\(view.name)")
      }
    }
    let objects = try #require(View.named("objects")).text(input)
    #expect(objects.contains("$also $vm") || objects.contains("$vm $also"))
    #expect(GraphDrawing.text(snapshot, as: .text).hasSuffix(unknown))
    #expect(GraphDrawing.text(snapshot, as: .json).contains("\"complete\": false"))
    #expect(SpaceDrawing.text(snapshot, as: .text) == unknown)
  }
}
