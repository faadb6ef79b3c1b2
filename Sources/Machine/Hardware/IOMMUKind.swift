// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

/// One kind of IOMMU that a machine can have: how its two halves are made, and what can be chosen of them.
public struct IOMMUKind: Sendable {
  /// An option of `iommu NAME kind=... OPTION=...`.
  public struct Option: Sendable {
    public enum Form: Sendable {
      case number
      /// A word on its own, or `=0` and `=1`.
      case flag
      case words([String])
    }
    public let name: String
    public let form: Form
    /// What it chooses, in one line, with the default.
    public let summary: String

    public init(_ name: String, _ form: Form, _ summary: String) {
      self.name = name
      self.form = form
      self.summary = summary
    }
  }

  /// What was chosen; an option that is not in there has its default.
  public struct Choices: Sendable {
    public var numbers: [String: UInt64] = [:]
    public var words: [String: String] = [:]
    public init() {}

    /// A flag that is on or off.
    func flag(_ name: String, default standard: Bool) -> Bool { numbers[name].map { $0 != 0 } ?? standard }
  }

  /// What an IOMMU is made in.
  struct Site {
    let name: String
    let memory: PhysicalMemory
    let failures: FailurePoints
    let personality: Personality
    let choices: Choices
    /// The driver of this kind, which all IOMMUs of the kind in one machine share: the first one makes it.
    let driver: (() -> any PCIDriver) -> any PCIDriver
  }

  public let name: String
  public let summary: String
  public let options: [Option]
  /// - Throws: EINVAL for choices that no such hardware has.
  let makeHardware: @Sendable (Site) throws(Errno) -> any IOMMUHardware
  /// Finds the hardware through its registers and brings it up: what the kernel's driver does at boot.
  ///
  /// - Throws: what bringing up fails with: ENODEV, ENOMEM, ...
  let bringUp: @Sendable (Site, any RegisterPort) throws(Errno) -> HardwareIOMMU
  /// Gives the hardware the fabric that it is plugged into.
  let connect: @Sendable (any IOMMUHardware, any HardwareFabric) -> Void
  /// A function is put into a slot before its driver looks, and taken out. Where the hardware has to know.
  var plug: @Sendable (any IOMMUHardware, PCIFunction) throws(Errno) -> Void = { _, _ in }
  var unplug: @Sendable (any IOMMUHardware, PCIFunction) -> Void = { _, _ in }

  /// Every kind, by name.
  public static var all: [IOMMUKind] { [.vtd, .amdvi, .smmuv3, .riscv, .s390] }

  public static func named(_ name: String) -> IOMMUKind? { all.first { $0.name == name } }
}
