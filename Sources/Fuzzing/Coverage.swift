// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import Replay
internal import UAPI

/// What a program reached, taken from the model itself: no build for the purpose is needed.
///
/// A feature is 32 bits. Its highest two say how much it is worth, the others are a hash of
///
///     0  answer    a call, its errno, and which check said so; an event code of hardware
///     1  detail    how often an answer came, how large a result was, which structures a walk went through
///     2  pair      an answer, and the answer before it
///     3  state     an answer while so many things were mapped, attached, tracked
///
/// Checks and codes are hashed by their words, so a feature is the same in every process, and in the next build
/// but for what was changed.
final class Coverage: PlayObserver {
  typealias Feature = UInt32

  /// How much a feature is worth.
  enum Tier: UInt32, CaseIterable {
    case answer, detail, pair, state

    init(_ feature: Feature) { self = Tier.allCases[Int(feature >> 30)] }
  }

  private var found: [Feature] = []
  private var counts: [Feature: UInt16] = [:]
  private var last: UInt64 = 0
  private var attached = 0
  private var mapped = 0
  private var tables = 0
  private var hashes: [UnsafePointer<UInt8>: UInt64] = [:]

  /// Forgets one program, before the next.
  func begin() {
    found.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    (last, attached, mapped, tables) = (0, 0, 0, 0)
  }

  /// Every feature once, in ascending order.
  func features() -> [Feature] {
    for (answer, count) in counts { add(.detail, UInt64(answer), UInt64(Self.bucket(count)), 1) }
    found.sort()
    var unique: [Feature] = []
    unique.reserveCapacity(found.count)
    for feature in found where unique.last != feature { unique.append(feature) }
    return unique
  }

  /// Operations of the selftest that attach a device.
  private static let attaching = Set(
    ["MOCK_DOMAIN", "MOCK_DOMAIN_FLAGS", "MOCK_DOMAIN_REPLACE", "PASID_ATTACH"]
      .compactMap { SelftestOp.named($0)?.number })

  // MARK: What is heard

  func answered(_ call: CallName, _ errno: Errno?, argument: UInt64, in memory: any UserMemory) {
    let outcome = errno.map { UInt64(UInt32(bitPattern: $0.code)) << 32 ^ hash(of: $0.check) } ?? 0
    note(Self.mix(call.raw, outcome))
    guard errno == nil, let request = call.request else { return }
    if let operation = call.operation, Self.attaching.contains(operation) { attached += 1 }
    succeeded(request, argument, memory)
  }

  func accessed(
    _ call: CallName, _ request: DMARequest, by function: Int, _ outcome: DMAOutcome, on rig: Rig
  ) {
    var result: UInt64
    switch outcome {
    case .done: result = 1
    case .fault(let fault):
      result = Self.mix(UInt64(fault.code), Self.hash(fault.name), fault.recorded ? 1 : 0)
    case .held: result = 3
    case .interrupt: result = 4
    }
    let kind: UInt64 =
      (request.isWrite ? 1 : 0) | (request.pasid != nil ? 2 : 0) | (request.atomic != nil ? 4 : 0)
      | (request.avoidsCache ? 8 : 0)
    note(Self.mix(call.raw, result, UInt64(function)))
    add(.detail, call.raw, result, kind)
    walk(request, by: function, rig)
  }

  func acted(_ call: CallName, _ word: String) { note(Self.mix(call.raw, Self.hash(word))) }

  func ended(on rig: Rig) {
    guard let unit = rig.bench?.state(ofIOMMU: 0) else { return }
    if case .list(let complaints)? = unit["complaints"] {
      for case .text(let text) in complaints { add(.detail, Self.hash(text), 0, 2) }
    }
    if case .list(let faults)? = unit["faults"] {
      for fault in faults { if let code = fault["code"]?.number { add(.detail, code, 0, 3) } }
    }
  }

  private func walk(_ request: DMARequest, by function: Int, _ rig: Rig) {
    guard let bench = rig.bench else { return }
    do throws(Errno) {
      let report = try bench.walk(function, request.address, pasid: request.pasid, writing: request.isWrite)
      var path: UInt64 = 0
      if case .list(let steps)? = report["steps"] {
        for step in steps {
          guard case .text(let name)? = step["structure"] else { continue }
          path = Self.mix(path, Self.hash(name))
        }
      }
      add(.detail, path, report["size"]?.number ?? 0, report["code"]?.number ?? 0)
    } catch { return }
  }

  private func succeeded(_ request: UInt32, _ argument: UInt64, _ memory: any UserMemory) {
    guard let row = CommandTable.row(request: request) else { return }
    switch row.name {
    case "IOAS_MAP", "IOAS_COPY", "IOAS_MAP_FILE", "VFIO_IOMMU_MAP_DMA": mapped += 1
    case "HWPT_ALLOC": tables += 1
    case "VFIO_DEVICE_ATTACH_IOMMUFD_PT": attached += 1
    default: break
    }
    if row.family == .selftest { return }
    for field in row.fields where field.direction.isOutput {
      switch field.meaning {
      case .objectID, .fileDescriptor: continue
      default: break
      }
      guard let value = field.value(at: argument, in: memory) else { continue }
      let size = UInt64((64 - value.leadingZeroBitCount + 3) / 4)
      add(.detail, UInt64(request), UInt64(field.offset), size)
    }
  }

  /// An answer: itself, and what it stands next to.
  private func note(_ answer: UInt64) {
    add(.answer, answer, 0, 0)
    add(.pair, answer, last, 0)
    let state = UInt64(Self.few(mapped)) | UInt64(Self.few(attached)) << 4 | UInt64(Self.few(tables)) << 8
    add(.state, answer, state, 0)
    counts[Feature(truncatingIfNeeded: answer), default: 0] &+= 1
    last = answer
  }

  private func add(_ tier: Tier, _ a: UInt64, _ b: UInt64, _ c: UInt64) {
    let hash = Self.mix(a, b, c &+ 1)
    found.append(tier.rawValue << 30 | UInt32(truncatingIfNeeded: hash >> 34))
  }

  // MARK: Hashes

  /// 0, 1, 2, 3 to 7, more.
  private static func few(_ count: Int) -> Int { count < 3 ? count : count < 8 ? 3 : 4 }

  /// 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more: as AFL counts.
  private static func bucket(_ count: UInt16) -> Int {
    switch count {
    case ..<4: Int(count)
    case ..<8: 4
    case ..<16: 5
    case ..<32: 6
    case ..<128: 7
    default: 8
    }
  }

  private static func mix(_ values: UInt64...) -> UInt64 {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    for value in values {
      state = (state ^ value) &* 0xBF58_476D_1CE4_E5B9
      state ^= state >> 29
    }
    state = state &* 0x94D0_49BB_1331_11EB
    return state ^ (state >> 32)
  }

  /// The words of a check, hashed once.
  private func hash(of check: StaticString) -> UInt64 {
    guard check.hasPointerRepresentation else { return UInt64(check.unicodeScalar.value) }
    if let known = hashes[check.utf8Start] { return known }
    let made = check.withUTF8Buffer { Self.hash($0) }
    hashes[check.utf8Start] = made
    return made
  }

  /// FNV-1a without the digits: an address in a message is no new message.
  private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes where !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte) {
      state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    return state
  }

  private static func hash(_ text: String) -> UInt64 { hash(text.utf8) }
}
