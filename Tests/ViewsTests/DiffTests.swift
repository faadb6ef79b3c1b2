// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Machine
import Testing
import UAPI
import Views

/// Two moments compared.
@Suite struct DiffTests {
  @Test func whatCameWentAndChanged() throws {
    try Project.expect(
      printed(
        """
        iofd 1
        vm = ioas create
        gone = ioas create
        buf = mem alloc 64K
        dev = device add
        a = snapshot
        map $vm $buf iova=0x2000000 len=32K
        destroy $gone
        attach $dev to=$vm
        b = snapshot
        diff $a
        diff $b
        diff $b $a
        """), is: "diff.txt")
  }

  /// The counts are results, so a script can demand them.
  @Test func countsAreResults() {
    #expect(
      printed(
        """
        iofd 1
        a = snapshot
        vm = ioas create
        diff $a       -> added=2, removed=0, changed=2
        destroy $vm
        b = snapshot
        diff $b       -> added=0, removed=0, changed=0
        """) == "")
  }

  /// A statement that is refused, and one that only looks, leave no difference, on hardware too.
  @Test func whatChangesNothingShowsNothing() throws {
    let looks =
      "show objects\nshow caches\ngraph\nspace\nwalk $nic 0x40000000\nshow $io\n"
      + "unmap $vm 0x9000 len=4K -> ENOENT\n"
    let text = printed(try scene() + "a = snapshot\n\(looks)show \"@\"\ndiff $a\n")
    // The refused request went through the process's scratch memory.
    #expect(text.hasSuffix("\"@\"\n~ physical memory  contents: other bytes\n"), "\(text.suffix(300))")
  }

  @Test func aByteOfMemoryIsADifference() {
    let text = printed(
      """
      iofd 1
      buf = mem alloc 64K fill=seq
      a = snapshot
      mem write $buf "x"
      diff $a
      mem write $buf seq(1)
      diff $a
      """)
    #expect(text == "~ physical memory  contents: other bytes\nnothing changed\n")
  }

  /// The dump tells states apart, and does not tell apart what went the same way.
  @Test func theDumpIsTheState() throws {
    func dump(_ iovas: [UInt64], byte: UInt8) throws -> String {
      let target = ModelTarget(Machine.Configuration())
      let bench = ModelBench(target)
      return try withExtendedLifetime(target) {
        let fd = try target.open("/dev/iommu")
        let memory = try target.userSpace.allocate(
          length: 65536, at: nil, mode: [.read, .write], huge: false)
        try target.memory.write([byte], at: memory)
        for _ in iovas {
          let argument = memory + 4096
          try target.memory.write([12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: argument)
          _ = try target.ioctl(fd, 0x3B81, argument)
        }
        return Snapshot(bench, withContents: true).dump
      }
    }
    let one = try dump([1, 2], byte: 7)
    #expect(one == (try dump([1, 2], byte: 7)))
    #expect(one != (try dump([1, 2], byte: 8)))
    #expect(one != (try dump([1], byte: 7)))
    #expect(one.contains("contents: 0x"))
  }

  /// Everything that holds an object has an edge to it, and users are counted right: one for the table, one for each
  /// edge, and those outside of the graph.
  @Test func edgesAreTheHolders() throws {
    let text = printed(try scene() + "graph format=json")
    #expect(text.contains("\"complete\": true"))
    let edges = printed(try scene() + "show edges\n")
    for (from, to) in [
      ("vIOMMU", "HWPT"), ("vDEVICE", "vIOMMU"), ("vDEVICE", "device"), ("vEVENTQ", "vIOMMU"),
      ("nested HWPT", "vIOMMU"), ("HWPT", "IOAS"), ("device", "nested HWPT"), ("device", "HWPT"),
    ] {
      #expect(
        edges.split(separator: "\n").contains {
          $0.hasPrefix(from + " ") && $0.dropFirst(from.count).contains(to + " ")
        },
        "\(from) -> \(to)")
    }
    #expect(edges.contains("PASID 5"))
  }
}
