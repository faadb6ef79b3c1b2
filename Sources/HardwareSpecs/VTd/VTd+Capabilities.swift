// SPDX-License-Identifier: GPL-3.0-or-later

extension VTd {
  /// Capability register. VT-d section 11.4.2.
  public enum Cap {
    public static let nd = Field(0...2)
    public static let afl = Field(3)
    public static let rwbf = Field(4)
    public static let plmr = Field(5)
    public static let phmr = Field(6)
    public static let cm = Field(7)
    public static let sagaw = Field(8...12)
    public static let mgaw = Field(16...21)
    public static let zlr = Field(22)
    public static let fro = Field(24...33)
    public static let sslps = Field(34...37)
    public static let psi = Field(39)
    public static let nfr = Field(40...47)
    public static let mamv = Field(48...53)
    public static let dwd = Field(54)
    public static let drd = Field(55)
    public static let fs1gp = Field(56)
    public static let pi = Field(59)
    public static let fs5lp = Field(60)
    public static let ecmds = Field(61)
    public static let esirtps = Field(62)
    public static let esrtps = Field(63)
  }

  /// Extended capability register. VT-d section 11.4.3.
  public enum ECap {
    public static let c = Field(0)
    public static let qi = Field(1)
    public static let dt = Field(2)
    public static let ir = Field(3)
    public static let eim = Field(4)
    public static let pt = Field(6)
    public static let sc = Field(7)
    public static let iro = Field(8...17)
    public static let mhmv = Field(20...23)
    public static let mts = Field(25)
    public static let nest = Field(26)
    public static let prs = Field(29)
    public static let ers = Field(30)
    public static let srs = Field(31)
    public static let nwfs = Field(33)
    public static let eafs = Field(34)
    public static let pss = Field(35...39)
    public static let pasid = Field(40)
    public static let dit = Field(41)
    public static let pds = Field(42)
    public static let smts = Field(43)
    public static let vcs = Field(44)
    public static let ssads = Field(45)
    public static let ssts = Field(46)
    public static let fsts = Field(47)
    public static let smpwcs = Field(48)
    public static let rps = Field(49)
    public static let pms = Field(51)
    public static let adms = Field(52)
    public static let rprivs = Field(53)
    public static let sms = Field(58)
  }

  /// Capability registers of units that exist, or that somebody could build.
  public struct Profile: Sendable {
    public let name: String
    public let version: UInt32
    public let cap: UInt64
    public let ecap: UInt64

    public init(name: String, version: UInt32, cap: UInt64, ecap: UInt64) {
      self.name = name
      self.version = version
      self.cap = cap
      self.ecap = ecap
    }

    /// Everything: both stages with five levels, nesting, PASID, page requests, enhanced SRTP.
    public static let full = Profile(
      name: "full", version: 0x60, cap: 0xD9_ED00_8C40_780C66, ecap: 0x3E_F9EA_6F05_0DF)
    /// A client of 2012: legacy mode only.
    public static let client = Profile(
      name: "client", version: 0x10, cap: 0xD2_008C_4066_0462, ecap: 0xF0_50DA)
    /// Sapphire Rapids, as its unit for the integrated accelerators reports itself.
    public static let sapphireRapids = Profile(
      name: "sapphire-rapids", version: 0x60, cap: 0x9ED_008C_4078_0466, ecap: 0x3_EE9E_86F0_50DF)
    /// QEMU's unit with caching mode, 39 bits, legacy mode only.
    public static let emulatedLegacy = Profile(
      name: "emulated-legacy", version: 0x10, cap: 0x80_D200_8C22_2602_86, ecap: 0xF0_0F4A)
    /// QEMU's unit in scalable mode with the second stage only.
    public static let emulatedSecondStage = Profile(
      name: "emulated-second-stage", version: 0x10, cap: 0x80_D200_8C22_2F06_06, ecap: 0x4800_80F0_0F4A)
    /// QEMU's unit in scalable mode with the first stage only.
    public static let emulatedFirstStage = Profile(
      name: "emulated-first-stage", version: 0x10, cap: 0x81_D200_8C22_2F06_06, ecap: 0x8800_00F0_0F4A)
    /// A unit for integrated graphics: no page-selective invalidation.
    public static let graphics = Profile(
      name: "graphics", version: 0x10, cap: 0x1C_0000_C406_6046_2, ecap: 0x49_E2FF_0505_E)

    public static let all = [
      full, client, sapphireRapids, emulatedLegacy, emulatedSecondStage, emulatedFirstStage, graphics,
    ]
  }
}
