// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What commands make the caches forget, sections 4.1.1, 4.1.3, 9.2 and 9.3.

extension RISCVIOMMU.Core {
  /// The operands of IOTINVAL.VMA and IOTINVAL.GVMA.
  struct Selection {
    /// Closed, in bytes.
    struct Range {
      var first: UInt64
      var last: UInt64

      /// A page, or with `napot` the range that the page number encodes: the first 0 from the bottom at bit `x` makes
      /// it `2 << x` pages.
      init(page: UInt64, napot: Bool) {
        var sizeLg2 = RISCV.pageShift
        if napot { sizeLg2 += UInt64((~page).trailingZeroBitCount) + 1 }
        let offset = sizeLg2 >= 64 ? UInt64.max : (1 << sizeLg2) &- 1
        first = page << RISCV.pageShift & ~offset
        last = first | offset
      }

      /// Whether the aligned page of `1 << sizeLg2` bytes around an address meets the range.
      func meets(_ address: UInt64, sizeLg2: UInt8) -> Bool {
        let offset = sizeLg2 >= 64 ? UInt64.max : (1 << UInt64(sizeLg2)) &- 1
        return address & ~offset <= last && first <= address | offset
      }
    }

    var gscid: UInt64?
    var pscid: UInt64?
    var range: Range?
    /// NL: pointers to tables as well.
    var nonLeaf: Bool

    /// Whether IOTINVAL.VMA is about entries with a tag: of the host without GV, of the guest with it; with PSCV of
    /// one process, but never global ones.
    func selects(_ tag: RISCVAddressSpaceTag, global: Bool) -> Bool {
      if let gscid {
        guard tag.hasGSCID, tag.gscid == gscid else { return false }
      } else {
        guard !tag.hasGSCID else { return false }
      }
      guard let pscid else { return true }
      return tag.hasPSCID && tag.pscid == pscid && !global
    }

    /// Whether IOTINVAL.GVMA is about entries with a tag: of every guest without GV.
    func selectsGuest(_ tag: RISCVAddressSpaceTag) -> Bool {
      tag.hasGSCID && (gscid == nil || tag.gscid == gscid)
    }
  }

  /// IOTINVAL.VMA: with an address the entries that hold a first-stage leaf for it, whatever its size.
  mutating func forgetFirstStage(_ selection: Selection) {
    guard !configuration.overInvalidates else { return forgetTranslations() }
    translations.remove { iova, tag, entry in
      guard selection.selects(tag, global: entry.first & PTEBits.g != 0) else { return false }
      guard let range = selection.range else { return true }
      return tag.hasPSCID && range.meets(iova, sizeLg2: entry.firstSizeLg2)
    }
    guard selection.range == nil || selection.nonLeaf else { return }
    tables.first.remove { key, tag, entry in
      guard selection.selects(tag, global: entry.global) else { return false }
      return selection.range?.meets(key << 9, sizeLg2: 21) ?? true
    }
  }

  /// IOTINVAL.GVMA: with a GSCID and an address the entries that hold a second-stage leaf, or an MSI PTE, for it.
  mutating func forgetSecondStage(_ selection: Selection) {
    guard !configuration.overInvalidates else { return forgetTranslations() }
    // Without GV the other operands are ignored.
    let range = selection.gscid == nil ? nil : selection.range
    let leafRange = configuration.gvmaIgnoresAddress ? nil : range
    translations.remove { _, tag, entry in
      guard selection.selectsGuest(tag) else { return false }
      return leafRange?.meets(entry.gpa, sizeLg2: entry.secondSizeLg2) ?? true
    }
    guard range == nil || selection.nonLeaf else { return }
    tables.second.remove { key, tag, _ in
      guard selection.selectsGuest(tag) else { return false }
      return leafRange?.meets(key << 9, sizeLg2: 21) ?? true
    }
  }

  private mutating func forgetTranslations() {
    translations.removeAll()
    tables.first.removeAll()
    tables.second.removeAll()
  }

  /// IODIR: the contexts for which `condition` holds, given the device and for a process context its process.
  mutating func forgetDirectories(_ condition: (UInt32, UInt32?) -> Bool) {
    for slot in deviceContexts.indices where condition(deviceContexts[slot].device, nil) {
      deviceContexts[slot].device = .max
    }
    for slot in processContexts.indices
    where condition(processContexts[slot].device, processContexts[slot].process) {
      processContexts[slot].device = .max
    }
  }
}
