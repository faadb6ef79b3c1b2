// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The process to translate an IOVA, section 3.3. The numbers in the comments are its steps.

extension RISCVIOMMU.Core {
  /// A translation in the cache: what both stages said of a 4 KiB piece of a page.
  struct CachedTranslation: BitwiseCopyable, Sendable {
    /// Supervisor physical address of the piece.
    var address: UInt64
    /// Guest physical address of the piece.
    var gpa: UInt64
    /// The smaller of both stages.
    var sizeLg2: UInt8
    var firstSizeLg2: UInt8
    var secondSizeLg2: UInt8
    /// The low bytes of both leaf PTEs.
    var first: UInt8
    var second: UInt8
    var pbmt: UInt8
    /// It came from the MSI page table.
    var isMSI: Bool
  }

  /// How the process ends, before it is an answer to a device.
  struct Found {
    var address: UInt64
    var gpa: UInt64
    var sizeLg2: UInt8
    /// R, W, X and D that both stages have, and G of the first.
    var bits: UInt8
    var pbmt: UInt8 = 0
    var fromCache = false
    /// An MSI PTE in MRIF mode: the notice that goes with a write; `address` is the MRIF's.
    var notice: InterruptMessage?
  }

  /// - Parameter dtf: whether the device context disables the reporting of translation faults.
  mutating func resolve<Trace: RISCVWalkTrace>(
    _ transaction: Transaction, dtf: inout Bool, _ trace: inout Trace
  ) throws(RISCVFault) -> Found {
    let mode = registers.mode
    if Trace.isLive, monitor.isActive { countRequest(transaction) }
    let untranslated = transaction.kind == .untranslated
    // 1, 2. Off and Bare.
    guard mode >= RISCV.DirectoryPointer.oneLevel else {
      guard mode == RISCV.DirectoryPointer.bare else { throw RISCVFault(RISCV.Cause.allInboundDisallowed) }
      guard untranslated else { throw RISCVFault(RISCV.Cause.transactionDisallowed) }
      return identity(transaction.address)
    }
    // 3 to 6. The device context.
    let device = try locateDevice(transaction.source, process: transaction.pasid, &trace)
    let context = deviceContexts[device]
    dtf = context.has(RISCV.TranslationControl.dtf)
    // 7. Transactions that the context does not allow.
    if !untranslated, !context.has(RISCV.TranslationControl.enATS) {
      throw RISCVFault(RISCV.Cause.transactionDisallowed)
    }
    let usesProcesses = context.has(RISCV.TranslationControl.pdtv)
    if let process = transaction.pasid {
      guard usesProcesses, process >> context.processBits == 0 else {
        throw RISCVFault(RISCV.Cause.transactionDisallowed)
      }
    }
    var intent = Intent(transaction)
    var space = context.space
    if transaction.kind == .translated {
      // 8, 9. A translated address is a physical one, or with T2GPA a guest's.
      guard context.has(RISCV.TranslationControl.t2gpa) else { return identity(transaction.address) }
      space = space.secondOnly
    } else if usesProcesses, context.processLevels > 0 {
      // 10 to 16. The process, by default 0 with DPE; without any the first stage is Bare.
      let process =
        transaction.pasid ?? (context.has(RISCV.TranslationControl.dpe) ? 0 : nil)
      if let process {
        let place = try locateProcess(process, context, intent, &trace)
        let ta = processContexts[place].ta
        intent.supervisor = transaction.privileged && transaction.pasid != nil
        intent.sum = ta & RISCV.TranslationAttributes.sum != 0
        guard !intent.supervisor || ta & RISCV.TranslationAttributes.ens != 0 else {
          throw RISCVFault(RISCV.Cause.transactionDisallowed)
        }
        space = processContexts[place].space
      }
    }
    var found: Found
    if let known = try cached(transaction.address, space, intent, &trace) {
      found = known
    } else {
      found = try lookUp(transaction, device, space, intent, &trace)
    }
    // With T2GPA a device is told the GPA, section 3.1.3.1; it is not where an MRIF is.
    if case .translationRequest = transaction.kind, context.has(RISCV.TranslationControl.t2gpa),
      found.notice == nil
    {
      found.address = found.gpa
    }
    return found
  }

  /// What `resolve` finds for an untranslated user access whose contexts are cached, without its detours; nil
  /// when it must take any. This is how most accesses go.
  @inline(__always)
  mutating func quickly(_ transaction: Transaction) -> Translation? {
    let device = Int(transaction.source) & deviceMask
    guard transaction.kind == .untranslated, !transaction.privileged, !monitor.isActive,
      registers.mode >= RISCV.DirectoryPointer.oneLevel, deviceContexts[device].device == transaction.source,
      transaction.source >> registers.deviceBits == 0
    else { return nil }
    var tag = deviceContexts[device].space.tag
    var process = -1
    if let pasid = transaction.pasid {
      process = slot(pasid, of: transaction.source)
      guard processContexts[process].process == pasid, processContexts[process].device == transaction.source
      else {
        return nil
      }
      tag = processContexts[process].space.tag
    } else if deviceContexts[device].tc & RISCV.TranslationControl.dpe != 0 {
      return nil
    }
    guard let cached = translations.find(transaction.address, tag, salt: tag.raw) else {
      return walkQuickly(transaction, device, process)
    }
    let both = cached.first & cached.second
    let needs: UInt8 =
      switch transaction.access {
      case .read: transaction.execute ? PTEBits.x : PTEBits.r
      case .write: PTEBits.w | PTEBits.d
      case .atomic: PTEBits.r | PTEBits.w | PTEBits.d
      }
    guard (needs | PTEBits.u) & ~both == 0 else { return nil }
    return Translation(
      address: cached.address | transaction.address & 0xFFF, sizeLg2: cached.sizeLg2,
      flags: PTEBits.answer(cached.first & (cached.second | PTEBits.g)).union(.fromCache))
  }

  /// The same when only the translation is not cached. Faults are left to `resolve`, which comes to them again.
  @inline(never)
  private mutating func walkQuickly(_ transaction: Transaction, _ device: Int, _ process: Int) -> Translation?
  {
    let plain = process < 0 ? deviceContexts[device].space.plain : processContexts[process].space.plain
    guard let plain,
      let first = walker.plainFirstStage(transaction.address, plain, Intent(transaction), tables)
    else { return walkFully(transaction, device, process) }
    let sizeLg2 = min(first.sizeLg2, bareSizeLg2)
    if cachesTranslations {
      let page = first.address & ~0xFFF
      translations.insert(
        CachedTranslation(
          address: page, gpa: page, sizeLg2: sizeLg2, firstSizeLg2: first.sizeLg2, secondSizeLg2: 64,
          first: first.bits, second: PTEBits.bare, pbmt: first.pbmt, isMSI: false),
        for: transaction.address, plain.tag, salt: plain.tag.raw)
    }
    return Translation(address: first.address, sizeLg2: sizeLg2, flags: PTEBits.answer(first.bits))
  }

  @inline(never)
  private mutating func walkFully(_ transaction: Transaction, _ device: Int, _ process: Int) -> Translation? {
    var nobody = RISCVLiveWalk()
    do throws(RISCVFault) {
      let found = try lookUp(
        transaction, device, process < 0 ? deviceContexts[device].space : processContexts[process].space,
        Intent(transaction), &nobody)
      guard found.notice == nil else { return nil }
      return Translation(
        address: found.address, sizeLg2: found.sizeLg2, flags: PTEBits.answer(found.bits))
    } catch {
      return nil
    }
  }

  /// A translation without tables.
  @inline(__always)
  private func identity(_ address: UInt64) -> Found {
    Found(
      address: address, gpa: address, sizeLg2: bareSizeLg2,
      bits: PTEBits.bare)
  }

  /// What the cache knows, with the checks that depend on the transaction.
  @inline(__always)
  private func cached<Trace: RISCVWalkTrace>(
    _ iova: UInt64, _ space: AddressSpace, _ intent: Intent, _ trace: inout Trace
  ) throws(RISCVFault) -> Found? {
    guard Trace.asksCaches, cachesTranslations,
      let cached = translations.find(iova, space.tag, salt: space.tag.raw)
    else { return nil }
    // A page that a store makes dirty is looked up again.
    let both = cached.first & cached.second
    if intent.stores, both & PTEBits.w != 0, both & PTEBits.d == 0 { return nil }
    trace.usedCache()
    let offset = iova & 0xFFF
    if space.tag.hasPSCID, !RISCVPageWalker.permits(cached.first, intent) {
      throw RISCVFault(intent.pageFault)
    }
    if intent.needs & ~cached.second != 0 {
      if cached.isMSI { throw RISCVFault(RISCV.Cause.instructionAccessFault) }
      throw RISCVFault(intent.guestPageFault, iotval2: (cached.gpa | offset) & ~3)
    }
    return Found(
      address: cached.address | offset, gpa: cached.gpa | offset, sizeLg2: cached.sizeLg2,
      bits: cached.first & (cached.second | PTEBits.g), pbmt: cached.pbmt, fromCache: true)
  }

  /// 17 to 20: the tables.
  private mutating func lookUp<Trace: RISCVWalkTrace>(
    _ transaction: Transaction, _ device: Int, _ space: AddressSpace, _ intent: Intent,
    _ trace: inout Trace
  ) throws(RISCVFault) -> Found {
    let iova = transaction.address
    if Trace.isLive, monitor.isActive {
      count(RISCV.Event.tlbMiss, device: transaction.source, process: transaction.pasid, tag: space.tag)
    }
    defer { if Trace.isLive { countWalks(transaction, space.tag) } }
    // 17. The first stage gives the GPA `A`.
    let first = try walker.firstStage(iova, space, intent, &tables, &trace)
    let gpa = first.address
    // 18. An address of a virtual interrupt file goes through the MSI page table.
    var second = Leaf(address: gpa, sizeLg2: 64, bits: PTEBits.bare)
    var isMSI = false
    if space.hasMSI, isInterruptFile(gpa, deviceContexts[device]) {
      switch try translateMSI(gpa, deviceContexts[device], intent, &trace) {
      case .basic(let address):
        second = Leaf(address: address, sizeLg2: 12, bits: Self.interruptFileBits)
        isMSI = true
      case .mrif(let address, let notice):
        // Never cached; a translation request learns that it must not translate.
        return Found(
          address: address, gpa: gpa, sizeLg2: 12, bits: first.bits & (Self.interruptFileBits | PTEBits.g),
          notice: notice)
      }
    } else if !space.second.isBare {
      // 19. The second stage gives the SPA.
      do throws(RISCVStageFailure) {
        second = try walker.secondStage(
          gpa, space, needs: intent.needs, stores: intent.stores, &tables, &trace)
      } catch {
        switch error {
        case .page: throw RISCVFault(intent.guestPageFault, iotval2: gpa & ~3)
        case .access: throw RISCVFault(intent.accessFault)
        case .poison: throw RISCVFault(RISCV.Cause.ptCorrupted)
        }
      }
      // A page that holds interrupt files is no page to those who keep it whole.
      if space.hasMSI, holdsInterruptFile(gpa, sizeLg2: second.sizeLg2, deviceContexts[device]) {
        second.sizeLg2 = 12
      }
    }
    // 20. Both together.
    let sizeLg2 = min(
      min(first.sizeLg2, second.sizeLg2),
      first.sizeLg2 == 64 || second.sizeLg2 == 64 ? bareSizeLg2 : 64)
    // The first stage's memory type, unless it leaves it to the second.
    let pbmt = first.pbmt != 0 ? first.pbmt : second.pbmt
    let fills: Bool
    if case .translationRequest = transaction.kind { fills = configuration.cachesATS } else { fills = true }
    if Trace.isLive, cachesTranslations, fills,
      !space.first.isBare || !space.second.isBare
    {
      translations.insert(
        CachedTranslation(
          address: second.address & ~0xFFF, gpa: gpa & ~0xFFF, sizeLg2: sizeLg2,
          firstSizeLg2: first.sizeLg2, secondSizeLg2: second.sizeLg2, first: first.bits,
          second: second.bits, pbmt: pbmt, isMSI: isMSI),
        for: iova, space.tag, salt: space.tag.raw)
    }
    return Found(
      address: second.address, gpa: gpa, sizeLg2: sizeLg2, bits: first.bits & (second.bits | PTEBits.g),
      pbmt: pbmt)
  }
}
