// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// From StreamID and SubstreamID to a context: steps 1 to 12 of the translation procedure.
// IHI 0070, 3.3.1 to 3.3.3 and 15.2.

extension SMMUv3 {
  static let steFields: [FieldName] = [
    ("V", SMMU.STE.valid), ("Config", SMMU.STE.config), ("S1Fmt", SMMU.STE.s1Format),
    ("S1CDMax", SMMU.STE.s1CDMax), ("S1DSS", SMMU.STE.s1DSS), ("MEV", SMMU.STE.mev),
    ("S1STALLD", SMMU.STE.s1StallDisabled), ("EATS", SMMU.STE.eats), ("STRW", SMMU.STE.strw),
    ("S2VMID", SMMU.STE.s2VMID), ("S2T0SZ", SMMU.STE.s2T0SZ), ("S2SL0", SMMU.STE.s2SL0),
    ("S2TG", SMMU.STE.s2TG), ("S2PS", SMMU.STE.s2PS), ("S2PTW", SMMU.STE.s2PTW),
    ("S2HA", SMMU.STE.s2HA), ("S2HD", SMMU.STE.s2HD), ("S2S", SMMU.STE.s2Stall), ("S2R", SMMU.STE.s2Record),
  ]
  static let cdFields: [FieldName] = [
    ("V", SMMU.CD.valid), ("T0SZ", SMMU.CD.t0SZ), ("TG0", SMMU.CD.tg0), ("EPD0", SMMU.CD.epd0),
    ("T1SZ", SMMU.CD.t1SZ), ("TG1", SMMU.CD.tg1), ("EPD1", SMMU.CD.epd1), ("IPS", SMMU.CD.ips),
    ("HA", SMMU.CD.ha), ("HD", SMMU.CD.hd), ("S", SMMU.CD.stall), ("R", SMMU.CD.record),
    ("A", SMMU.CD.abort), ("ASID", SMMU.CD.asid),
  ]

  /// The context of a transaction whose STE is known. When this throws, `context` has what the STE says.
  func resolve<O: Observer>(
    _ transaction: Transaction, _ ste: StreamTableEntry, _ context: inout Context, _ observer: inout O
  ) throws(Fault) {
    context = Context(ste, key: Context.key(transaction.source, transaction.pasid), capabilities)
    // 7. No stage 1: no SubstreamID.
    guard ste.hasStage1 else {
      if transaction.pasid != nil { throw Fault(SMMU.Event.badSubstreamID) }
      return
    }
    if ste.hasStage2, ste.raw.flag(SMMU.STE.s1MPAM), capabilities.has3(SMMU.IDR3.mpam) {
      let place = ste.raw.words[5] & SMMU.STE.vmsPointerMask
      guard memory.load64(at: PhysAddr(place)) != nil else { throw Fault(SMMU.Event.vmsFetch, place) }
    }
    // 9. and 10. Which CD.
    var substream: UInt64 = 0
    if ste.cdMax == 0 {
      if transaction.pasid != nil { throw Fault(SMMU.Event.badSubstreamID) }
    } else if let pasid = transaction.pasid {
      guard UInt64(pasid) >> ste.cdMax == 0 else { throw Fault(SMMU.Event.badSubstreamID) }
      if pasid == 0, ste.raw[SMMU.STE.s1DSS] == SMMU.STE.dssContext0 {
        throw Fault(SMMU.Event.streamDisabled)
      }
      substream = UInt64(pasid)
    } else {
      switch ste.raw[SMMU.STE.s1DSS] {
      case SMMU.STE.dssBypass: return
      case SMMU.STE.dssContext0: break
      default: throw Fault(SMMU.Event.streamDisabled)
      }
    }
    // 11. and 12.
    let key = UInt64(transaction.source) << 32 | substream
    let cd = try contextDescriptor(key, ste, &context, &observer)
    context.add(cd, ste, capabilities)
  }

  // MARK: Streams

  /// Steps 1 to 3: the STE of a stream.
  func stream<O: Observer>(_ source: UInt32, _ observer: inout O) throws(Fault) -> StreamTableEntry {
    if O.consults, let cached = streams[source] {
      observer.found()
      guard cached.legal else { throw Fault(SMMU.Event.badSTE) }
      return cached
    }
    // 1. The StreamID is within the table.
    let bits = min(Int(streamTableConfig[SMMU.StreamTable.log2Size]), capabilities.sidBits)
    guard UInt64(source) >> UInt64(bits) == 0 else { throw Fault(SMMU.Event.badStreamID) }
    let place = try streamAddress(source, bits, &observer)
    // 2. The fetch.
    guard let raw = fetch(place) else { throw Fault(SMMU.Event.steFetch, place) }
    if !O.live { observer.structure("STE", at: place, raw.list(8), Self.steFields) }
    // 3. The STE is legal.
    guard let ste = legal(raw) else {
      if O.live, configuration.cachesInvalidConfiguration {
        keep(StreamTableEntry(illegal: raw), source, &streams)
      }
      throw Fault(SMMU.Event.badSTE)
    }
    guard O.live else { return ste }
    if configuration.reportsConflicts, ste.hasStage2 {
      for other in streams.values where other.legal && other.hasStage2 {
        if other.raw[SMMU.STE.s2VMID] == ste.raw[SMMU.STE.s2VMID], !ste.agreesInVMID(with: other) {
          throw Fault(SMMU.Event.configurationConflict)
        }
      }
    }
    keep(ste, source, &streams)
    return ste
  }

  private func legal(_ raw: Words) -> StreamTableEntry? {
    guard let ste = StreamTableEntry(raw, capabilities) else { return nil }
    if ste.hasStage2, configuration.strictStartLevel, !ste.stage2.respectsConcatenation(capabilities) {
      return nil
    }
    return ste
  }

  /// IHI 0070, 3.3.1.1 and 3.3.1.2: a linear table, or level 1 descriptors of 2^SPLIT streams.
  func streamAddress<O: Observer>(
    _ source: UInt32, _ bits: Int, _ observer: inout O
  ) throws(Fault) -> UInt64 {
    let base = streamTableBase & SMMU.StreamTable.baseMask
    let twoLevel =
      UInt64(streamTableConfig[SMMU.StreamTable.format]) == SMMU.StreamTable.twoLevel
      && capabilities.idr0[SMMU.IDR0.stLevel] != 0
    // A table is aligned to its size.
    guard twoLevel else {
      let aligned = base & ~((UInt64(64) << UInt64(bits)) &- 1)
      return aligned | UInt64(source) << UInt64(SMMU.STE.bytesLg2)
    }
    let split = splitBits
    let first = source >> split
    let descriptor: UInt64
    if O.consults, let cached = streamTables[first] {
      observer.found()
      descriptor = cached
    } else {
      let tableLg2 = max(6, UInt64(max(0, bits - Int(split))) + 3)
      let place = (base & ~((1 << tableLg2) &- 1)) | UInt64(first) << 3
      guard let loaded = memory.load64(at: PhysAddr(place)) else { throw Fault(SMMU.Event.steFetch, place) }
      descriptor = loaded
      if !O.live { observer.structure("L1STD", at: place, [loaded], [("Span", SMMU.L1STD.span)]) }
      if O.live, spanIsLegal(loaded) || configuration.cachesInvalidConfiguration {
        keep(loaded, first, &streamTables)
      }
    }
    guard spanIsLegal(descriptor) else { throw Fault(SMMU.Event.badStreamID) }
    let index = UInt64(source & ((1 << split) &- 1))
    let span = descriptor[SMMU.L1STD.span]
    guard index >> (span - 1) == 0 else { throw Fault(SMMU.Event.badStreamID) }
    let pointer = descriptor & SMMU.L1STD.pointerMask & ~((UInt64(64) << (span - 1)) &- 1)
    return pointer | index << UInt64(SMMU.STE.bytesLg2)
  }

  /// 6, 8 or 10; a reserved value counts as 6. IHI 0070, 6.3.25.
  var splitBits: UInt32 {
    let split = streamTableConfig[SMMU.StreamTable.split]
    return split == 8 || split == 10 ? split : 6
  }

  private func spanIsLegal(_ descriptor: UInt64) -> Bool {
    let span = descriptor[SMMU.L1STD.span]
    return span > 0 && span <= SMMU.L1STD.largestSpan && span <= UInt64(splitBits) + 1
  }

  // MARK: Contexts

  /// Steps 11 and 12: the CD. With stage 2 on its addresses are intermediate.
  private func contextDescriptor<O: Observer>(
    _ key: UInt64, _ ste: StreamTableEntry, _ context: inout Context, _ observer: inout O
  ) throws(Fault) -> ContextDescriptor {
    if O.consults, let cached = contextDescriptors[key] {
      observer.found()
      guard cached.legal else { throw Fault(SMMU.Event.badCD) }
      return cached
    }
    let place = try contextAddress(key, ste, &context, &observer)
    let physical = try physicalOf(place, &context, &observer)
    guard let raw = fetch(physical) else { throw Fault(SMMU.Event.cdFetch, physical) }
    if !O.live { observer.structure("CD", at: physical, raw.list(8), Self.cdFields) }
    let e2h = cr2 & SMMU.CR2.e2h != 0
    guard let cd = ContextDescriptor(raw, ste, capabilities, e2h: e2h) else {
      if O.live, configuration.cachesInvalidConfiguration {
        keep(ContextDescriptor(illegal: raw), key, &contextDescriptors)
      }
      throw Fault(SMMU.Event.badCD)
    }
    guard O.live else { return cd }
    if configuration.reportsConflicts {
      for other in contextDescriptors.values where other.legal && other.tag == cd.tag {
        if !cd.agreesInASID(with: other) { throw Fault(SMMU.Event.configurationConflict) }
      }
    }
    keep(cd, key, &contextDescriptors)
    return cd
  }

  /// IHI 0070, 5.3: one CD, a linear table, or level 1 descriptors of 64 or 1024 CDs.
  func contextAddress<O: Observer>(
    _ key: UInt64, _ ste: StreamTableEntry, _ context: inout Context, _ observer: inout O
  ) throws(Fault) -> UInt64 {
    let substream = key & 0xFFFF_FFFF
    let format = ste.raw[SMMU.STE.s1Format]
    if ste.cdMax == 0 || format == SMMU.STE.linear {
      let aligned = ste.contextPointer & ~((UInt64(64) << ste.cdMax) &- 1)
      return aligned | substream << UInt64(SMMU.CD.bytesLg2)
    }
    let split: UInt64 = format == SMMU.STE.twoLevel4K ? 6 : 10
    let first = substream >> split
    let tableKey = key & ~0xFFFF_FFFF | first
    let descriptor: UInt64
    if O.consults, let cached = contextTables[tableKey] {
      observer.found()
      descriptor = cached
    } else {
      let tableLg2 = ste.cdMax > split ? max(6, ste.cdMax - split + 3) : 6
      let place = ste.contextPointer & ~((1 << tableLg2) &- 1) | first << 3
      let physical = try physicalOf(place, &context, &observer)
      guard let loaded = memory.load64(at: PhysAddr(physical)) else {
        throw Fault(SMMU.Event.cdFetch, physical)
      }
      descriptor = loaded
      if !O.live {
        observer.structure("L1CD", at: physical, [loaded], [("V", SMMU.STE.valid)])
      }
      if O.live, tableIsLegal(loaded) || configuration.cachesInvalidConfiguration {
        keep(loaded, tableKey, &contextTables)
      }
    }
    guard tableIsLegal(descriptor) else { throw Fault(SMMU.Event.badSubstreamID) }
    let index = substream & ((1 << split) - 1)
    return descriptor & SMMU.L1CD.pointerMask | index << UInt64(SMMU.CD.bytesLg2)
  }

  private func tableIsLegal(_ descriptor: UInt64) -> Bool {
    descriptor & SMMU.L1CD.valid != 0
      && (descriptor & SMMU.L1CD.pointerMask) >> UInt64(capabilities.addressBits) == 0
  }

  private func physicalOf<O: Observer>(
    _ address: UInt64, _ context: inout Context, _ observer: inout O
  ) throws(Fault) -> UInt64 {
    guard context.stage2 else { return address }
    let entry = try translateIntermediate(
      address, &context, Allow.stage2Read, SMMU.Event.classCD, &observer)
    return entry.address(address)
  }

  // MARK: Fetching and keeping

  /// The 64 bytes of an STE or a CD, word by word, as a fetch may see them change.
  func fetch(_ place: UInt64) -> Words? {
    var raw = Words()
    for index in 0..<8 {
      guard let word = memory.load64(at: PhysAddr(place &+ UInt64(index) << 3)) else { return nil }
      raw.words[index] = word
    }
    return raw
  }

  private func keep<Key: Hashable, Value>(_ value: Value, _ key: Key, _ cache: inout [Key: Value]) {
    // An entry may be dropped at any time; a full cache starts over.
    if cache.count >= max(1, configuration.configurationCacheSize) { cache.removeAll(keepingCapacity: true) }
    cache[key] = value
  }
}
