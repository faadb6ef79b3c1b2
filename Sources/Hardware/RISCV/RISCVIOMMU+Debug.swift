// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The translation-request interface, chapter 7: software asks for a translation as an untranslated request.

extension RISCVIOMMU {
  /// `tr_req_ctl` was written with Go: the answer is in `tr_response` when the write returns, so Busy is never seen.
  func translateForDebug() {
    typealias Field = RISCV.Debug
    let control = core.registers.debugControl
    let hasProcess = control & Field.pidValid != 0
    let transaction = Transaction(
      source: UInt32(truncatingIfNeeded: control >> Field.didShift),
      pasid: hasProcess ? UInt32(truncatingIfNeeded: control >> Field.pidShift & 0xF_FFFF) : nil,
      address: core.registers.debugIOVA,
      // Without No Write both reading and writing are asked for.
      access: control & Field.noWrite != 0 ? .read : .atomic, execute: control & Field.execute != 0,
      privileged: hasProcess && control & Field.privileged != 0)
    var nobody = RISCVLiveWalk()
    var dtf = false
    do throws(RISCVFault) {
      let found = try core.resolve(transaction, dtf: &dtf, &nobody)
      guard found.notice == nil else { throw RISCVFault(RISCV.Cause.transactionDisallowed) }
      core.registers.debugResponse = Self.response(found)
    } catch {
      report(error, RISCVFaultOrigin(transaction, dtf: dtf))
      core.registers.debugResponse = Field.fault
    }
    core.registers.debugControl &= ~Field.go
  }

  /// The PPN, with the size encoded in its low bits where it is more than a page.
  private static func response(_ found: Core.Found) -> UInt64 {
    var ppn = found.address >> RISCV.pageShift
    var response = UInt64(found.pbmt) << RISCV.Debug.pbmtShift
    if found.sizeLg2 > 12 {
      let pages = UInt64(1) << (UInt64(found.sizeLg2) - RISCV.pageShift)
      ppn = ppn & ~(pages &- 1) | ((pages >> 1) &- 1)
      response |= RISCV.Debug.size
    }
    return response | (ppn & RISCV.ppnMask) << RISCV.ppnShift
  }
}
