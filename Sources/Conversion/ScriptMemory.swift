// SPDX-License-Identifier: GPL-3.0-or-later

/// The memory of a program and of the script that repeats it.
///
/// A range is *live* once something besides its program may look at it: it is mapped into an address space, or the
/// program itself will look at it later. From then on both memories have the same bytes at all times. Elsewhere the
/// script's may lag behind.
struct ScriptMemory {
  private var areas: [(first: UInt64, last: UInt64, name: ScriptName)] = []
  private var live: [(first: UInt64, last: UInt64)] = []
  private var pending = PendingMemory()

  /// The program has memory from `first` on.
  mutating func add(_ first: UInt64, length: UInt64, _ name: ScriptName) {
    guard length > 0 else { return }
    let last = first &+ length &- 1
    // What lay there before is gone.
    _ = pending.take(first, max(first, last))
    areas.append((first, max(first, last), name))
  }

  func isKnown(_ address: UInt64) -> Bool { areas.contains { $0.first <= address && address <= $0.last } }

  /// An address by the name of its memory.
  func text(_ address: UInt64) -> String {
    guard let area = areas.first(where: { $0.first <= address && address <= $0.last }) else {
      return address < 10 ? "\(address)" : "0x" + String(address, radix: 16)
    }
    let offset = address - area.first
    return offset == 0 ? area.name.reference : "\(area.name.reference)+\(ScriptText.hex(offset))"
  }

  /// A part of one piece of memory, `$area[0x1000...0x1fff]`; nil where it is not all of one.
  func part(_ address: UInt64, _ length: UInt64) -> String? {
    let last = Self.last(address, length)
    guard length > 0, let area = areas.first(where: { $0.first <= address && last <= $0.last }) else {
      return nil
    }
    let (from, through) = (ScriptText.hex(address - area.first), ScriptText.hex(last - area.first))
    return "\(area.name.reference)[\(from)...\(through)]"
  }

  /// Both memories have the same bytes there, whatever was stored before.
  mutating func forget(_ address: UInt64, _ length: UInt64) {
    _ = pending.take(address, Self.last(address, length))
  }

  func isLive(_ address: UInt64, _ length: UInt64) -> Bool {
    guard length > 0 else { return false }
    let last = Self.last(address, length)
    return live.contains { $0.first <= last && address <= $0.last }
  }

  /// The lines that bring the script's memory up to date from here on, for all of the range.
  mutating func makeLive(_ address: UInt64, _ length: UInt64) -> [ScriptLine] {
    guard length > 0 else { return [] }
    let last = Self.last(address, length)
    guard !live.contains(where: { $0.first <= address && last <= $0.last }) else { return [] }
    live.append((address, last))
    return update(address, length)
  }

  /// The lines that bring the script's memory up to date once.
  mutating func update(_ address: UInt64, _ length: UInt64) -> [ScriptLine] {
    guard length > 0, !pending.isEmpty else { return [] }
    return pending.take(address, Self.last(address, length)).map { write($0.address, $0.bytes) }
  }

  /// The program has these bytes now; a line where the script must have them at once.
  mutating func store(_ address: UInt64, _ bytes: [UInt8]) -> ScriptLine? {
    guard isKnown(address), !bytes.isEmpty else { return nil }
    if isLive(address, UInt64(bytes.count)) {
      _ = pending.take(address, Self.last(address, UInt64(bytes.count)))
      return write(address, bytes)
    }
    pending.store(bytes, at: address)
    return nil
  }

  private func write(_ address: UInt64, _ bytes: [UInt8]) -> ScriptLine {
    ScriptLine("mem write \(text(address)) \(ScriptText.bytes(bytes))")
  }

  private static func last(_ address: UInt64, _ length: UInt64) -> UInt64 {
    let (last, overflow) = address.addingReportingOverflow(length &- 1)
    return overflow ? .max : last
  }
}
