// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension ZPCIIOMMU {
  /// Functions, caches, and memory: all that a translation needs.
  struct Core: ~Copyable {
    let memory: PhysicalMemory
    let configuration: Configuration
    let walker: ZPCIWalker
    /// By the index in their handle.
    var functions: [ZPCIFunction?] = []
    /// Bare metal: what was walked, tagged by the function's index.
    var translations: TranslationCache<UInt64, ZPCIPage>
    /// With refresh: what RPCIT has shown, by function index and page.
    var mirrors: [[UInt64: ZPCIPage]] = []
    var mirroredPages = 0

    init(_ memory: PhysicalMemory, _ configuration: Configuration) {
      self.memory = memory
      self.configuration = configuration
      walker = ZPCIWalker(
        memory: memory, zeroEntryIsInvalid: configuration.zeroEntryIsInvalid,
        designations: configuration.group.designations)
      translations = TranslationCache(capacityLg2: min(max(configuration.translationsLg2, 0), 20))
    }

    /// Where the function with a handle is, if that is its handle now.
    @inline(__always)
    func place(_ handle: UInt32) -> Int? {
      let index = Int(handle & ZPCI.Handle.indexMask)
      guard index < functions.count, functions[index]?.handle == handle else { return nil }
      return index
    }

    /// Forgets the translations of a function.
    mutating func forget(_ index: Int) {
      translations.remove { _, tag, _ in tag == UInt64(index) }
      mirroredPages -= mirrors[index].count
      mirrors[index] = [:]
    }
  }
}

/// A page or segment frame that a function may reach: what a cache remembers.
struct ZPCIPage: BitwiseCopyable, Sendable {
  /// Absolute address of the 4 KiB piece.
  var frame: UInt64
  var sizeLg2: UInt8
  var protected: Bool
}

/// An event: the function enters error state because of it.
struct ZPCIFault: Error, BitwiseCopyable {
  var code: UInt16
  /// Size of the part of the address space that the entry at fault covers.
  var spanLg2: UInt8
}
