// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What a checker of drivers asks: which answers come out of a cache or a mirror, without effects. Registrations are
// state of the hardware and no copies of anything in memory, so no structure of theirs can be stale.

extension ZPCIIOMMU {
  public var cachedAddresses: [CachedAddress] {
    let walked = core.translations.entries.map(\.address)
    let mirrored = core.mirrors.flatMap { $0.keys.map { $0 << 12 } }
    return Set(walked + mirrored).sorted().map { CachedAddress($0) }
  }

  /// With refresh also what the mirror lacks is an answer: no table is asked.
  public func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? { core.cached(transaction) }

  /// None: a registered address space is the hardware's own state, no copy of anything in memory.
  public var staleStructures: [String] { [] }
}

extension ZPCIIOMMU.Core {
  func cached(_ transaction: Transaction) -> TranslationAnswer? {
    guard transaction.kind == .untranslated, transaction.pasid == nil,
      let index = place(transaction.source), let function = functions[index],
      function.state == .enabled || function.state == .blocked && configuration.blockedMayTranslate,
      function.isRegistered, function.anchor & ZPCI.Anchor.translationEnabled != 0,
      function.base <= transaction.address, transaction.address <= function.limit,
      transaction.address & ~(ZPCI.messageWindow - 1) != configuration.group.messageAddress
    else { return nil }
    let page: ZPCIPage?
    if configuration.group.refreshes {
      page = mirrors[index][transaction.address >> 12]
    } else {
      page = translations.find(transaction.address, UInt64(index), salt: UInt64(index))
      guard page != nil else { return nil }
    }
    guard let page, !page.protected || !transaction.writes else {
      let code = ZPCI.Event.protection
      return .aborted(Abort(code: UInt32(code), name: ZPCIIOMMU.name(of: code)))
    }
    return .translated(Self.translation(page, transaction.address, fromCache: true))
  }
}
