// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// A command as the driver puts it into the queue: two words. RISC-V IOMMU 1.0, section 4.1; Linux's
/// `struct riscv_iommu_command`.
public struct RISCVCommand: Hashable, BitwiseCopyable, Sendable {
  public var word0: UInt64
  public var word1: UInt64

  public init(_ word0: UInt64, _ word1: UInt64 = 0) {
    self.word0 = word0
    self.word1 = word1
  }

  private typealias Bits = RISCV.Command

  /// IOFENCE.C that waits for earlier reads and writes. `riscv_iommu_cmd_iofence`.
  static let fence = RISCVCommand(
    Bits.iofence | Bits.fenceC << Bits.functionShift | Bits.pr | Bits.pw)

  /// IODIR.INVAL_DDT, of one device or of all. `riscv_iommu_cmd_iodir_inval_ddt`.
  static func forgetContext(of device: UInt32?) -> RISCVCommand {
    let all = Bits.iodir | Bits.invalDDT << Bits.functionShift
    guard let device else { return RISCVCommand(all) }
    return RISCVCommand(all | Bits.dv | UInt64(device) << Bits.didShift)
  }

  /// IOTINVAL.VMA without an address, of one address space or of all. `riscv_iommu_cmd_inval_vma`.
  static func forget(pscid: UInt32?) -> RISCVCommand {
    let all = Bits.iotinval | Bits.vma << Bits.functionShift
    guard let pscid else { return RISCVCommand(all) }
    return RISCVCommand(all | Bits.pscv | UInt64(pscid) << Bits.pscidShift)
  }

  /// Narrows an IOTINVAL down to one page. `riscv_iommu_cmd_inval_set_addr`.
  func at(_ iova: UInt64) -> RISCVCommand {
    RISCVCommand(word0 | Bits.av, (iova >> RISCV.pageShift) << Bits.addressShift)
  }

  /// Narrows an IOTINVAL down to 2^sizeLg2 bytes, aligned, 8 KiB at least: a page number whose lowest 0 says how
  /// much. `riscv_iommu_cmd_inval_set_napot`.
  func at(_ first: UInt64, sizeLg2: UInt64) -> RISCVCommand {
    let page = first >> RISCV.pageShift | ((1 << (sizeLg2 - 13)) - 1)
    return RISCVCommand(word0 | Bits.av, page << Bits.addressShift | Bits.s)
  }

  /// An IOTINVAL for pointers to tables as well. `riscv_iommu_cmd_inval_set_nl`.
  var withTables: RISCVCommand { RISCVCommand(word0 | Bits.nl, word1) }
}
