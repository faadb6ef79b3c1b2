// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

// The hardware part of a bench: IOMMUs are plugged in by name, PCI functions behind them, and both are told what to do.
// IOMMUs and functions are named by the number that plugging in returned; numbers are not used again.

/// A kind of IOMMU that a machine can have, for help and for messages.
public struct IOMMUDescription: Sendable {
  public struct Option: Sendable {
    public let name: String
    /// The words that it takes; nil for a number or a flag.
    public let words: [String]?
    public let isFlag: Bool
    public let summary: String
    public init(name: String, words: [String]?, isFlag: Bool, summary: String) {
      self.name = name
      self.words = words
      self.isFlag = isFlag
      self.summary = summary
    }
  }
  public let name: String
  public let summary: String
  public let options: [Option]
  public init(name: String, summary: String, options: [Option]) {
    self.name = name
    self.summary = summary
    self.options = options
  }
}

/// What a PCI function is to be.
public struct FunctionDescription: Sendable {
  /// Bus, device and function with the segment above; nil for the next free device of bus 0.
  public var requesterID: UInt32?
  /// The number of its IOMMU; nil for the machine's first one.
  public var behind: Int?
  /// The number of a function whose group it joins.
  public var groupOf: Int?
  public var ats = false
  public var pri = false
  public var pasidBits = 16
  public var isVirtualFunction = false
  public init() {}
}

public protocol HardwareBench: AnyObject {
  /// Every kind of IOMMU that `addIOMMU` takes.
  var iommuKinds: [IOMMUDescription] { get }

  /// Plugs an IOMMU in and brings it up; returns its number.
  ///
  /// - Throws: EEXIST for a name that is taken; EINVAL for an unknown kind or option, or for choices that no such
  ///   hardware has; what bringing up throws.
  func addIOMMU(_ name: String, kind: String, numbers: [String: UInt64], words: [String: String])
    throws(Errno)
    -> Int
  /// Plugs a PCI function in; returns its number.
  ///
  /// - Throws: ENODEV without an IOMMU; EEXIST for a requester ID that is taken; what the IOMMU's driver refuses.
  func addFunction(_ function: FunctionDescription) throws(Errno) -> Int
  /// Unplugs a function.
  ///
  /// - Throws: ENODEV; EBUSY while a program has it open.
  func removeFunction(_ function: Int) throws(Errno)
  /// Sets the control registers of the function's ATS, PRI and PASID capabilities, behind the back of the IOMMU's driver;
  /// what the function does not have stays off.
  ///
  /// - Throws: ENODEV.
  func configure(_ function: Int, ats: Bool, pri: Bool, pasid: Bool) throws(Errno)
  /// An interrupt of the function through the IOMMU's remapping table, if its driver has one: what the function has to
  /// write, and where.
  ///
  /// - Throws: ENODEV; EOPNOTSUPP where interrupts are not remapped; ENOSPC when the table is full; ENOMEM.
  func remapInterrupt(_ function: Int, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  )
  /// The device node that a program opens to use the function.
  func devicePath(of function: Int) -> String?

  /// - Throws: ENODEV.
  func dma(_ function: Int, _ request: DMARequest) throws(Errno) -> DMAOutcome
  /// The oldest DMA that the IOMMU held and that has ended since, once.
  func finishedDMA(_ function: Int) throws(Errno) -> DMAOutcome?
  /// The function asks for a translation. A record with `result`, and `address`, `size`, `readable`, ... or `code` and
  /// `reason`.
  ///
  /// - Throws: ENODEV; EOPNOTSUPP while its ATS is off.
  func requestTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno)
    -> Fact
  /// The function asks for a page: `permissions` as in `struct iommu_hwpt_pgfault`.
  ///
  /// - Throws: ENODEV; EOPNOTSUPP while its page request interface is off.
  func requestPage(
    _ function: Int, _ address: UInt64, pasid: UInt32?, permissions: UInt32, last: Bool, group: UInt16)
    throws(Errno)
  /// Every step of a translation, without effects: a record with `steps` and the fields of `requestTranslation`.
  func walk(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno) -> Fact

  /// Registers, caches, queues of an IOMMU, and what its driver has seen; nil for none of that number.
  func state(ofIOMMU iommu: Int) -> Fact?
  func state(ofFunction function: Int) -> Fact?
  /// A register by its offset.
  func readRegister(_ iommu: Int, _ offset: UInt64, width: Int) throws(Errno) -> UInt64
  func writeRegister(_ iommu: Int, _ offset: UInt64, width: Int, _ value: UInt64) throws(Errno)
  /// Switches a mistake of the driver on or off.
  ///
  /// - Throws: ENODEV; EINVAL for a name that is no mistake; EOPNOTSUPP for one that this driver cannot make.
  func setBug(_ iommu: Int, _ name: String, _ on: Bool) throws(Errno)
  /// Names of all mistakes, and in one sentence what they are.
  var driverBugs: [(name: String, summary: String)] { get }

  /// - Throws: EFAULT where there is no memory.
  func readPhysical(_ address: UInt64, _ count: Int) throws(Errno) -> [UInt8]
  func writePhysical(_ address: UInt64, _ bytes: [UInt8]) throws(Errno)
  /// The leaf of a paging HWPT around an IOVA: `iova`, `physical`, `size`, `read`, `write`, `dirty`; nil where nothing
  /// is mapped.
  func leaf(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> Fact?

  /// Builds a page table as a guest would write it, for memory that the guest sees at `guestAddress`.
  ///
  /// - Returns: the root's guest address, and the bytes for that memory.
  /// - Throws: EINVAL for a format or an entry that cannot be; ENOMEM when `room` bytes are too few.
  func guestTable(format: String, at guestAddress: UInt64, room: UInt64, entries: [GuestMapping])
    throws(Errno)
    -> GuestTable
  var guestTableFormats: [String] { get }

  /// What the caches of the IOMMU alone would answer to a read of the function; nil where they would not.
  func cachedTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?) -> Fact?
  /// Caches that still reach what is no longer mapped, and copies of structures that are out of date.
  func staleTranslations() -> [Violation]
  /// Replaces the leaf around `iova` by smaller ones, so that one begins there; nothing is unmapped meanwhile.
  ///
  /// - Throws: ENOENT for no paging HWPT; EOPNOTSUPP on the mock; EINVAL when no leaf can begin there; ENOMEM.
  func cut(_ fd: Int32, hwpt: UInt32, iova: UInt64) throws(Errno)
  /// Merges leaves into larger ones; returns how many were made.
  ///
  /// - Throws: ENOENT for no paging HWPT; EOPNOTSUPP on the mock; EINVAL for an empty range, and where the IOAS is to
  ///   have no large pages.
  func grow(_ fd: Int32, hwpt: UInt32, iova: UInt64, length: UInt64) throws(Errno) -> Int
  /// The page table of a paging HWPT: `format`, `root`, `frames`, and every entry; nil for any other HWPT.
  func table(_ fd: Int32, hwpt: UInt32) -> Fact?
}

/// An entry of a guest's table: `0x1000 = gpa 0x8000 rw`.
public struct GuestMapping: Sendable {
  public var iova: UInt64
  public var target: UInt64
  public var length: UInt64
  public var readable: Bool
  public var writable: Bool
  public init(iova: UInt64, target: UInt64, length: UInt64, readable: Bool, writable: Bool) {
    self.iova = iova
    self.target = target
    self.length = length
    self.readable = readable
    self.writable = writable
  }
}

/// A guest's table, ready to be copied.
public struct GuestTable: Sendable {
  public var root: UInt64
  public var bytes: [UInt8]
  /// For SMMUv3: the two words of the stream table entry that names the context descriptor in the same memory.
  public var streamTableEntry: [UInt8]
  public init(root: UInt64, bytes: [UInt8], streamTableEntry: [UInt8]) {
    self.root = root
    self.bytes = bytes
    self.streamTableEntry = streamTableEntry
  }
}
