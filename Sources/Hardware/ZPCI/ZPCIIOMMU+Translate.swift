// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What becomes of a function's DMA.

extension ZPCIIOMMU {
  @inline(__always)
  public func translate(_ transaction: Transaction) -> TranslationAnswer {
    if let hit = core.quickly(transaction) { return .translated(hit) }
    return translateSlowly(transaction)
  }

  @inline(never)
  private func translateSlowly(_ transaction: Transaction) -> TranslationAnswer {
    var silence = ZPCISilence()
    switch core.resolve(transaction, fills: true, &silence) {
    case .translated(let translation): return .translated(translation)
    case .rejected(let reason): return Self.reject(reason)
    case .failed(let code, let index):
      fail(index, code, transaction.address, write: transaction.writes)
      return .aborted(Abort(code: UInt32(code), name: Self.name(of: code)))
    }
  }

  public func walk(_ transaction: Transaction) -> WalkReport {
    var recorder = ZPCIStepRecorder()
    let answer: TranslationAnswer =
      switch core.resolve(transaction, fills: false, &recorder) {
      case .translated(let translation): .translated(translation)
      case .rejected(let reason): Self.reject(reason)
      case .failed(let code, _): .aborted(Abort(code: UInt32(code), name: Self.name(of: code)))
      }
    return WalkReport(steps: recorder.steps, answer: answer)
  }

  /// A transaction that the state of its function does not allow: no event tells of it.
  private static func reject(_ reason: String) -> TranslationAnswer {
    .aborted(Abort(code: 0, name: reason, recorded: false))
  }

  /// The short name of an event code.
  public static func name(of code: UInt16) -> String {
    ZPCI.Event.names.first { $0.code == code }?.name ?? "event"
  }
}

extension ZPCIIOMMU.Core {
  enum Resolution {
    case translated(Translation)
    case rejected(String)
    case failed(UInt16, Int)
  }

  /// A cached translation of a function that may use it; nil when there is any more to it.
  @inline(__always)
  func quickly(_ transaction: Transaction) -> Translation? {
    let index = Int(transaction.source & ZPCI.Handle.indexMask)
    guard index < functions.count, functions[index]?.handle == transaction.source,
      functions[index]?.state == .enabled, transaction.kind == .untranslated, transaction.pasid == nil,
      let page = translations.find(transaction.address, UInt64(index), salt: UInt64(index)),
      !page.protected || !transaction.writes
    else { return nil }
    return Self.translation(page, transaction.address, fromCache: true)
  }

  @inline(__always)
  static func translation(_ page: ZPCIPage, _ address: UInt64, fromCache: Bool) -> Translation {
    var flags: Translation.Flags =
      fromCache ? [.readable, .executable, .fromCache] : [.readable, .executable]
    if !page.protected { flags.insert(.writable) }
    return Translation(address: page.frame | address & 0xFFF, sizeLg2: page.sizeLg2, flags: flags)
  }

  /// The steps of an access, in order.
  mutating func resolve<Trace: ZPCITrace>(
    _ transaction: Transaction, fills: Bool, _ trace: inout Trace
  ) -> Resolution {
    let address = transaction.address
    // The function works.
    guard transaction.kind == .untranslated, transaction.pasid == nil else {
      return .rejected("neither ATS nor PASID")
    }
    guard let index = place(transaction.source), let function = functions[index] else {
      return .rejected("no such function handle")
    }
    guard function.state == .enabled || function.state == .blocked && configuration.blockedMayTranslate else {
      return .rejected("function is \(function.state)")
    }
    // An interrupt is not translated; who writes it has the data.
    let isMessage = address & ~(ZPCI.messageWindow - 1) == configuration.group.messageAddress
    if isMessage, transaction.writes {
      return .translated(
        Translation(
          address: address, sizeLg2: 12, readable: false, executable: false,
          interrupt: InterruptMessage(address: address, data: 0)))
    }
    // It has an address space, and the address is in its window.
    let translates = function.anchor & ZPCI.Anchor.translationEnabled != 0
    guard function.isRegistered, translates || configuration.group.relaxedTranslation else {
      return .failed(ZPCI.Event.invalidAddressSpace, index)
    }
    guard function.base <= address, address <= function.limit else {
      return .failed(ZPCI.Event.outOfRange, index)
    }
    guard translates else {
      let direct = configuration.directSubtractsBase ? address &- function.firstDMA : address
      return .translated(Translation(address: direct, sizeLg2: 12))
    }
    let page: ZPCIPage
    var isKnown = true
    if configuration.group.refreshes, fills {
      // What was never shown is not there.
      guard let mirrored = mirrors[index][address >> 12] else { return .failed(ZPCI.Event.protection, index) }
      page = mirrored
    } else if fills, let cached = translations.find(address, UInt64(index), salt: UInt64(index)) {
      page = cached
    } else {
      isKnown = false
      do throws(ZPCIFault) {
        page = try walker.walk(function.anchor, address, &trace)
      } catch {
        return .failed(error.code, index)
      }
      if fills, configuration.cachesTranslations, !isMessage {
        translations.insert(page, for: address, UInt64(index), salt: UInt64(index))
      }
    }
    guard !page.protected || !transaction.writes else { return .failed(ZPCI.Event.protection, index) }
    return .translated(Self.translation(page, address, fromCache: isKnown))
  }
}
