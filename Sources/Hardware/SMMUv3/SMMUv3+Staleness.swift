// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// What a checker of drivers asks: does any cache hold what memory no longer says? Nothing here has effects.

extension SMMUv3 {
  /// The TLB's tags know ASIDs and VMIDs, not who uses them, so there are no PASIDs.
  public var cachedAddresses: [CachedAddress] {
    var found: Set<UInt64> = []
    for (address, _, _) in tlb.pointee.entries { found.insert(address) }
    for (address, _, _) in walkEntries.pointee.entries { found.insert(address) }
    return found.sorted().map { CachedAddress($0) }
  }

  public func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? {
    var reader = CacheReader()
    let answer = procedure(transaction, &reader)
    return reader.hasFound ? answer : nil
  }

  public var staleStructures: [String] {
    staleStreamTables + staleStreams + staleContextTables + staleContexts
  }

  private func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

  private func differs(_ cached: Words, at place: UInt64) -> Bool {
    guard let now = fetch(place) else { return true }
    return now.list(8) != cached.list(8)
  }

  private var staleStreams: [String] {
    let bits = min(Int(streamTableConfig[SMMU.StreamTable.log2Size]), capabilities.sidBits)
    return streams.sorted { $0.key < $1.key }.compactMap { source, cached in
      var recorder = Recorder()
      guard let place = try? streamAddress(source, bits, &recorder), !differs(cached.raw, at: place) else {
        return "the STE of stream \(hex(source)) is cached as it no longer is"
      }
      return nil
    }
  }

  private var staleStreamTables: [String] {
    let bits = min(Int(streamTableConfig[SMMU.StreamTable.log2Size]), capabilities.sidBits)
    return streamTables.sorted { $0.key < $1.key }.compactMap { first, cached in
      var recorder = Recorder()
      _ = try? streamAddress(first << splitBits, bits, &recorder)
      guard recorder.steps.first?.words.first != cached else { return nil }
      return "the L1STD of streams from \(hex(first << splitBits)) is cached as it no longer is"
    }
  }

  /// The context of a stream as memory has it, unless a guest owns its table.
  private func stream(ofHost source: UInt32) -> StreamTableEntry? {
    guard let ste = streams[source], ste.legal, ste.hasStage1, !ste.hasStage2 else { return nil }
    return ste
  }

  private var staleContexts: [String] {
    contextDescriptors.sorted { $0.key < $1.key }.compactMap { key, cached in
      let source = UInt32(truncatingIfNeeded: key >> 32)
      guard let ste = stream(ofHost: source) else { return nil }
      var recorder = Recorder()
      var context = Context(ste, key: .max, capabilities)
      guard let place = try? contextAddress(key, ste, &context, &recorder), !differs(cached.raw, at: place)
      else {
        return "the CD of stream \(hex(source)), PASID \(key & 0xFFFF_FFFF), is cached as it no longer is"
      }
      return nil
    }
  }

  private var staleContextTables: [String] {
    contextTables.sorted { $0.key < $1.key }.compactMap { key, cached in
      let source = UInt32(truncatingIfNeeded: key >> 32)
      guard let ste = stream(ofHost: source) else { return nil }
      let split: UInt64 = ste.raw[SMMU.STE.s1Format] == SMMU.STE.twoLevel4K ? 6 : 10
      let substream = (key & 0xFFFF_FFFF) << split
      var recorder = Recorder()
      var context = Context(ste, key: .max, capabilities)
      _ = try? contextAddress(key & ~0xFFFF_FFFF | substream, ste, &context, &recorder)
      guard recorder.steps.first?.words.first != cached else { return nil }
      return "the L1CD of stream \(hex(source)) from PASID \(substream) is cached as it no longer is"
    }
  }
}
