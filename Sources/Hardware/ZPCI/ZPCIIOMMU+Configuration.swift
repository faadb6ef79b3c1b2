// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension ZPCIIOMMU {
  /// What a machine decides.
  public struct Configuration: Sendable {
    public var group = Group()
    /// Registration wants what QEMU wants: pba ≤ pal within the function's DMA range, and with translation a
    /// region-third designation; anything else is an operand exception. Otherwise what is wrong shows when it is used.
    public var strictRegistration = true
    /// Registration takes a limit 4 KiB beyond the range of an ISM function.
    public var acceptsISMLimit = true
    /// A table entry of all zeros is INVALTE; otherwise it goes through the other checks.
    public var zeroEntryIsInvalid = true
    /// Direct mapping subtracts the function's first DMA address, as under QEMU; otherwise it is 1:1.
    public var directSubtractsBase = false
    /// A function in blocked state may do DMA, as under QEMU.
    public var blockedMayTranslate = false
    /// MPCIFC and RPCIT answer busy so many times before they work.
    public var busyAnswers = 0
    /// RPCIT always finds too few resources.
    public var refusesRefresh = false
    /// Pages that can be mirrored with refresh, all functions together.
    public var mirrorCapacity = 1 << 20
    /// Pages, or empty ranges, that one RPCIT looks at with refresh before it finds too few resources. So a table whose
    /// entries all lead to the same does not keep it going for ever.
    public var refreshSteps = 1 << 20
    /// Slots of the translation cache, as a base-2 logarithm: 0 to 20. None at all with `cachesTranslations` false.
    public var translationsLg2 = 12
    public var cachesTranslations = true
    /// Events that wait for software; more are lost.
    public var eventCapacity = 256
    /// What functions are that are plugged in, where nobody says otherwise: SDMA, EDMA, PFT.
    public var firstDMA: UInt64 = 0x1_0000_0000
    public var lastDMA: UInt64 = 0x3FF_FFFF_FFFF
    public var functionType: UInt8 = 0

    public init() {}
  }

  /// What CLP tells of a function group, which all functions here share.
  public struct Group: Hashable, Sendable {
    public var id: UInt8 = 0x20
    /// DTSM: designation types that work, `0x80 >> type`. QEMU has only the third region table.
    public var designations: UInt8 = 0x40
    /// FR: translations are mirrored and must be refreshed.
    public var refreshes = false
    /// Direct mapping may be registered: relaxed translation.
    public var relaxedTranslation = false
    /// MSIA.
    public var messageAddress = ZPCI.messageAddress
    /// Interrupts per function.
    public var interrupts: UInt16 = 128
    public var maxStoreLength: UInt16 = 128
    /// The measurement interval in milliseconds.
    public var measurementInterval: UInt16 = 4000

    public init() {}
  }
}
