// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

// The page-table vectors of the references. Two ways: tables that are laid into memory word for word must be read
// as the vectors say, and mappings must produce those words. Permissions are read from the leaf, since software's
// walk does not check them; what only hardware decides (reserved bits, accessed bits, fault codes) is not here.

@Suite("Known-answer vectors")
struct VectorTests {
  /// Words in memory, and what an IOVA gives: an address with a permission, or nothing.
  struct Vector: Sendable {
    let name: String
    var words: [(UInt64, UInt64)]
    let iova: UInt64
    let physical: UInt64?
    var isWritable = true
  }

  func check(
    _ vectors: [Vector], bigEndian: Bool = false, _ make: (PhysicalMemory) throws(Errno) -> any PageTable
  ) throws {
    for vector in vectors {
      let memory = PhysicalMemory(size: 4 << 30)
      for (address, word) in vector.words {
        #expect(memory.store64(bigEndian ? word.byteSwapped : word, at: PhysAddr(address)))
      }
      let table = try make(memory)
      #expect(table.translate(IOVA(vector.iova))?.raw == vector.physical, "\(vector.name)")
      let leaf = table.leaf(at: IOVA(vector.iova))
      #expect((leaf != nil) == (vector.physical != nil), "\(vector.name)")
      if let leaf { #expect(leaf.attributes.contains(.write) == vector.isWritable, "\(vector.name)") }
    }
    print("\(vectors.count) vectors, \(vectors.first?.name ?? "") and on")
  }

  /// The base's words with some replaced.
  func with(_ base: [(UInt64, UInt64)], _ changes: [(UInt64, UInt64)]) -> [(UInt64, UInt64)] {
    base.filter { word in !changes.contains { $0.0 == word.0 } } + changes
  }
}
