// SPDX-License-Identifier: GPL-3.0-or-later

/// One row of the waist: everything that is known about a request before its handler runs.
///
/// The dispatcher, the language's help and completion, trace decoding, fuzz decoding and the size tests
/// read the same row, so a command is added once.
public struct CommandRow: Sendable {
  /// The name without prefix: `IOAS_MAP`, `VFIO_IOMMU_MAP_DMA`.
  public let name: String
  /// The full 32-bit request value, `0x3B00 | nr`.
  public let request: UInt32
  public let family: Family
  /// The smallest `size` (or `argsz`) that is accepted. Source: reference uapi.md section 1.9.
  public let minimumSize: Int
  /// The size of the struct by the first release that had it; sorted by release, never empty for a struct.
  public let sizes: [(since: KernelVersion, bytes: Int)]
  /// First release with the command.
  public let since: KernelVersion
  public let fields: [Field]
  /// What it does, in a sentence.
  public let summary: String

  public enum Family: Sendable {
    /// 0x80 and up: an extensible struct whose first field is its size.
    case iommufd
    /// The type1 requests that `/dev/iommu` answers: `argsz` first, or an integer argument.
    case vfio
    /// What a VFIO device answers: `argsz` first, or no argument.
    case vfioDevice
    /// `IOMMU_TEST_CMD`: one struct whose union depends on `op`.
    case selftest
  }

  /// Bytes of the struct as `kernel` knows it; 0 for a request without one.
  public func fullSize(_ kernel: KernelVersion) -> Int {
    sizes.last { $0.since <= kernel }?.bytes ?? sizes.first?.bytes ?? 0
  }

  /// Whether `kernel` has the command.
  public func exists(in kernel: KernelVersion) -> Bool { since <= kernel }

  public func field(_ name: String) -> Field? { fields.first { $0.name == name } }

  init(
    _ name: String, _ request: UInt32, _ family: Family = .iommufd, minimum: Int,
    sizes: [(KernelVersion, Int)], fields: [Field], _ summary: String
  ) {
    self.name = name
    self.request = request
    self.family = family
    self.minimumSize = minimum
    self.sizes = sizes.map { (since: $0.0, bytes: $0.1) }
    self.since = sizes.first?.0 ?? KernelVersion(6, 2)
    self.fields = fields
    self.summary = summary
  }
}

/// The table of every request that `/dev/iommu` knows, and those of `/dev/vfio/devices/vfioN` that have to do with it.
public enum CommandTable {
  /// The 22 public commands, 0x80...0x95, in the order of their numbers.
  public static let iommufd: [CommandRow] = coreRows + hwptRows + viommuRows
  /// The six VFIO type1 requests.
  public static let vfio: [CommandRow] = vfioRows
  /// The requests of a VFIO device that bind it to an iommufd, attach it, describe and reset it.
  public static let vfioDevice: [CommandRow] = vfioDeviceRows
  /// `IOMMU_TEST_CMD` as one row per op, in the order of the ops.
  public static let selftestOps: [SelftestOp] = SelftestOp.table

  public static let all: [CommandRow] = iommufd + [selftest] + vfio + vfioDevice

  /// The row of a request value, or nil.
  public static func row(request: UInt32) -> CommandRow? { byRequest[request] }

  /// The row called `name` (`IOAS_MAP`, with or without `IOMMU_`, any case), or nil.
  public static func row(named name: String) -> CommandRow? {
    let upper = name.uppercased()
    return all.first { $0.name == upper || "IOMMU_" + $0.name == upper }
  }

  private static let byRequest = Dictionary(uniqueKeysWithValues: all.map { ($0.request, $0) })
}

/// The request values, for code that dispatches on them.
public enum Request {
  /// All requests of `/dev/iommu` and VFIO carry this type character in bits 15:8.
  public static let type: UInt32 = 0x3B
  /// Number of the first iommufd command.
  public static let base: UInt32 = 0x80
  /// Number of `IOMMU_TEST_CMD`, which stretches the table of a kernel that has it.
  public static let selftest: UInt32 = 0xA0
}
