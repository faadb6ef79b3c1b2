// SPDX-License-Identifier: GPL-3.0-or-later

/// A Linux release, as far as the uAPI can tell one from another: `6.12`, `7.2`.
public struct KernelVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let major: UInt16
  public let minor: UInt16

  public init(_ major: UInt16, _ minor: UInt16) {
    self.major = major
    self.minor = minor
  }

  /// Reads `7.2`; a third component (`7.2.13`) is accepted and dropped. Nil for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), let major = UInt16(parts[0]), let minor = UInt16(parts[1]),
      parts.count == 2 || UInt16(parts[2]) != nil
    else { return nil }
    self.init(major, minor)
  }

  public static func < (a: KernelVersion, b: KernelVersion) -> Bool {
    (a.major, a.minor) < (b.major, b.minor)
  }

  public var description: String { "\(major).\(minor)" }
}

/// The kernel whose answers a machine gives.
///
/// A personality is a release that was observed running: its recorded answers decide, so only observed
/// releases are offered. Commands and flags newer than it are refused as that kernel refuses them.
public enum Personality: String, CaseIterable, Sendable {
  /// Linux 6.12.117 (longterm), built with the selftest driver.
  case v6_12 = "6.12"
  /// Linux 7.2.13, built with the selftest driver.
  case v7_2 = "7.2"

  public var version: KernelVersion {
    switch self {
    case .v6_12: KernelVersion(6, 12)
    case .v7_2: KernelVersion(7, 2)
    }
  }

  /// What a machine is when nobody says otherwise.
  public static var standard: Personality { .v7_2 }
}
