// SPDX-License-Identifier: GPL-3.0-or-later

/// The files of a corpus, counted.
public struct CorpusSurvey: Sendable, Equatable {
  public private(set) var files = 0
  public private(set) var bytes: UInt64 = 0
  /// Of the names, sizes and times of all files in their order: another one is another corpus.
  public private(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ path: HostPath, _ stamp: HostPath.Stamp) {
    files += 1
    bytes &+= stamp.size
    for byte in path.bytes { mix(UInt64(byte)) }
    mix(stamp.size)
    mix(stamp.time)
  }

  /// FNV-1a.
  private mutating func mix(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01B3 }
}
