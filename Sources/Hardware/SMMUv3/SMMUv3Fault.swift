// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// Why a transaction cannot go on: what its event record will say. IHI 0070, 7.3.
  struct Fault: Error, BitwiseCopyable {
    /// The event number; 0 ends the transaction in silence.
    var event: UInt8
    var stage2 = false
    /// CLASS: what was being fetched.
    var cause = SMMU.Event.classInput
    /// The intermediate or the fetched address, where the record has one.
    var address: UInt64 = 0
    /// For F_PERMISSION with CLASS = TT: the access to the table was a write.
    var writesTable = false

    init(
      _ event: UInt8, stage2: Bool = false, cause: UInt8 = SMMU.Event.classInput, _ address: UInt64 = 0,
      writesTable: Bool = false
    ) {
      self.event = event
      self.stage2 = stage2
      self.cause = cause
      self.address = address
      self.writesTable = writesTable
    }

    /// An abort that no record speaks of.
    static var silent: Fault { Fault(0) }

    /// F_TRANSLATION, F_ADDR_SIZE, F_ACCESS and F_PERMISSION: the ones that a context may stall or suppress.
    var isTranslationFault: Bool { event & 0xF0 == 0x10 }

    static func name(_ event: UInt8) -> String {
      SMMU.Event.names.first { $0.code == event }?.name ?? "abort"
    }
  }

  /// What an access needs, after the overrides of the STE. IHI 0070, 5.2 (PRIVCFG, INSTCFG) and 13.
  struct Want: BitwiseCopyable {
    var need: UInt16
    var reads: Bool
    var writes: Bool
    var execute: Bool
    var privileged: Bool

    @inline(__always)
    init(reads: Bool, writes: Bool, execute: Bool, privileged: Bool) {
      self.reads = reads
      self.writes = writes
      self.execute = execute
      self.privileged = privileged
      var stage1: UInt16 = execute ? Allow.privilegedExecute : reads ? Allow.privilegedRead : 0
      var stage2: UInt16 = reads ? Allow.stage2Read : 0
      if execute {
        stage2 |= privileged ? Allow.stage2ExecutePrivileged : Allow.stage2ExecuteUnprivileged
      }
      if writes {
        stage1 |= Allow.privilegedWrite
        stage2 |= Allow.stage2Write
      }
      need = (privileged ? stage1 : stage1 << Allow.unprivilegedShift) | stage2
    }

    /// No instruction fetch.
    @inline(__always)
    private init(_ need: UInt16, reads: Bool, writes: Bool, _ privileged: Bool) {
      self.need = need
      self.reads = reads
      self.writes = writes
      execute = false
      self.privileged = privileged
    }

    @inline(__always)
    init(_ transaction: Transaction, _ context: UnsafePointer<Context>) {
      let writes = transaction.writes
      let override = context.pointee.override
      if override == 0, !transaction.execute {
        // Reads, writes and both are 1, 2 and 3 in either stage's bits.
        let bits = UInt16(transaction.access.rawValue) &+ 1
        let first = transaction.privileged ? bits : bits << Allow.unprivilegedShift
        self.init(first | bits << 6, reads: transaction.reads, writes: writes, transaction.privileged)
        return
      }
      var privileged = transaction.privileged
      // Only reads can be instruction fetches.
      var execute = transaction.execute && !writes
      if override != 0 {
        if override & 2 != 0 { privileged = override & 1 != 0 }
        if override & 8 != 0, !writes { execute = override & 4 != 0 }
      }
      self.init(
        reads: transaction.reads, writes: writes, execute: execute, privileged: privileged)
    }
  }
}
