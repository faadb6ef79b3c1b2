// SPDX-License-Identifier: GPL-3.0-or-later

extension ZPCI {
  /// PEC, the event codes of PCI error and availability notifications.
  public enum Event {
    public static let invalidAddressSpace: UInt16 = 0x01
    public static let outOfRange: UInt16 = 0x02
    public static let invalidFormat: UInt16 = 0x03
    public static let protection: UInt16 = 0x04
    public static let invalidEntry: UInt16 = 0x07
    public static let invalidLength: UInt16 = 0x08
    public static let type: UInt16 = 0x09
    public static let storage: UInt16 = 0x0B
    public static let noInterrupts: UInt16 = 0x10
    public static let invalidVector: UInt16 = 0x11
    public static let invalidInterruptStorage: UInt16 = 0x13
    /// Errors of measurement blocks.
    public static let measurementFirst: UInt16 = 0x2A
    public static let measurementLast: UInt16 = 0x2C
    public static let permanentError: UInt16 = 0x3B
    /// Service action, or error recovery failed.
    public static let recoveryFailed: UInt16 = 0x40

    public static let configured: UInt16 = 0x301
    public static let reservedToStandby: UInt16 = 0x302
    public static let deconfigureRequest: UInt16 = 0x303
    public static let deconfigured: UInt16 = 0x304
    public static let removed: UInt16 = 0x308

    /// The short names of the error events.
    public static let names: [(code: UInt16, name: String)] = [
      (0x01, "INVALAS"), (0x02, "OORANGE"), (0x03, "INVALTF"), (0x04, "TPROTE"), (0x05, "APROTE"),
      (0x06, "KEYE"), (0x07, "INVALTE"), (0x08, "INVALTL"), (0x09, "TT"), (0x0A, "INVALMS"), (0x0B, "SERR"),
      (0x10, "NOMSI"), (0x11, "INVALBV"), (0x12, "AIBV"), (0x13, "AIRERR"), (0x2A, "FMBA"), (0x2B, "FMBUP"),
      (0x2C, "FMBPRO"), (0x30, "CCONF"), (0x3A, "SERVAC"), (0x3B, "PERMERR"),
    ]
    /// The error record's flags word: the access was a write.
    public static let write: UInt32 = 1
    public static let addressSpaceShift: UInt32 = 8
    public static let vectorShift: UInt32 = 16
  }
}
