// SPDX-License-Identifier: GPL-3.0-or-later

/// What a program in bytes does to the machine, and not through a request. A real kernel has nobody who does it.
///
/// Processes, functions and failures are numbers that count round what there is: whoever runs the program knows.
public enum BenchAction: Sendable, Hashable {
  public typealias Operand = RecordedProgram.Operand

  // MARK: Processes and failures

  case fork
  case switchProcess(Int)
  /// Ends a process other than the current one.
  case exitProcess(Int)
  case setMemlockLimit(UInt64)
  /// The current process has or has not one of the three capabilities that iommufd asks about.
  case setCapability(Int, Bool)
  /// The n-th failure point from now fails.
  case armFailure(UInt64)
  case disarmFailure

  /// Those three, by their numbers.
  public static let capabilities = ["ipc-lock", "sys-resource", "sys-rawio"]

  // MARK: Devices

  case dma(DeviceAccess)
  /// A translation request, ATS.
  case requestTranslation(DeviceAccess)
  /// A page request: `permissions` as in `struct iommu_hwpt_pgfault`.
  case requestPage(DeviceAccess, permissions: UInt32, last: Bool, group: UInt16)
  /// Looks for a DMA that was held and has ended.
  case takeFinished(function: Int)
  /// Asks for an interrupt through the remapping table, and sends it.
  case interrupt(function: Int, vector: UInt8)
  case plug
  case unplug(function: Int)

  // MARK: Tables

  /// The leaf around an IOVA becomes smaller ones; or leaves become larger ones.
  case cut(file: Operand, table: Operand, iova: Operand)
  case grow(file: Operand, table: Operand, iova: Operand, length: UInt64)
  case guestTable(GuestTableAction)

  /// What a device asks its IOMMU.
  public struct DeviceAccess: Sendable, Hashable {
    public let function: Int
    public let address: Operand
    public let length: Int
    public let isWrite: Bool
    public let pasid: UInt32?
    /// Adds to a word of 4 bytes.
    public let isAtomic: Bool
    public let execute: Bool
    public let privileged: Bool
    /// An untranslated request although the function has a cache.
    public let avoidsCache: Bool
  }

  /// A guest writes its page table into its memory, and what it tells its IOMMU about it into `data`.
  ///
  ///     guestAddress  +0  GCR3, for AMD   +0x1000  the tables   +0x8000  eight pages that they lead to
  ///
  /// The guest's pages from 0x4000 on translate to the last eight, turned round by `rotation`.
  public struct GuestTableAction: Sendable, Hashable {
    public let family: ByteScene.Family
    public let format: String
    /// Where the guest's memory is in the process that holds it, and where the guest sees it.
    public let memory: Operand
    public let guestAddress: Operand
    public let rotation: Int
    public let isReadOnly: Bool
    /// Where the data of IOMMU_HWPT_ALLOC lies.
    public let data: Operand

    public static let firstPage: UInt64 = 0x4000
    public static let pageCount = 8
    public static let tablesOffset: UInt64 = 0x1000
    public static let pagesOffset: UInt64 = 0x8000

    /// The device table entry of AMD's that leads to a GCR3 table: valid, with a guest's tables for requests without a
    /// PASID too (GV, GIOV), one level of GCR3, domain 1.
    /// Source: AMD publication 48882, section 2.2.2.1.
    public static func deviceTableEntry(_ table: UInt64) -> [UInt64] {
      let flags: UInt64 = 1 | 1 << 1 | 1 << 54 | 1 << 55
      return [
        flags | (table >> 12 & 7) << 58,
        1 | (table >> 15 & 0xFFFF) << 16 | (table >> 31 & 0x1F_FFFF) << 43, 0, 0,
      ]
    }
  }
}

extension BenchAction: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fork: "fork"
    case .switchProcess(let number): "switch-process \(number)"
    case .exitProcess(let number): "exit-process \(number)"
    case .setMemlockLimit(let bytes): "memlock-limit \(bytes)"
    case .setCapability(let number, let held): "capability \(number) \(held ? "on" : "off")"
    case .armFailure(let nth): "arm-failure \(nth)"
    case .disarmFailure: "disarm-failure"
    case .dma(let access):
      "\(access.isAtomic ? "dma-atomic" : access.isWrite ? "dma-write" : "dma-read") \(access)"
    case .requestTranslation(let access): "ats \(access)"
    case .requestPage(let access, let permissions, let last, let group):
      "page-request \(access) \(permissions) \(group)\(last ? " last" : "")"
    case .takeFinished(let function): "finished \(function)"
    case .interrupt(let function, let vector): "interrupt \(function) \(vector)"
    case .plug: "plug"
    case .unplug(let function): "unplug \(function)"
    case .cut(let file, let table, let iova): "cut \(file) \(table) \(iova)"
    case .grow(let file, let table, let iova, let length): "grow \(file) \(table) \(iova) \(length)"
    case .guestTable(let action):
      "guest-table \(action.format) \(action.memory) \(action.guestAddress) \(action.rotation)"
        + (action.isReadOnly ? " ro" : "")
    }
  }
}

extension BenchAction.DeviceAccess: CustomStringConvertible {
  public var description: String {
    "\(function) \(address) \(length)" + (isWrite ? " write" : "") + (pasid.map { " pasid=\($0)" } ?? "")
      + (execute ? " execute" : "") + (privileged ? " privileged" : "") + (avoidsCache ? " untranslated" : "")
  }
}
