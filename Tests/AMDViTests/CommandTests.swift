// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B9.4 and B4.1.
@Suite struct CommandTests {
  /// Words of a command, and the range that it names.
  struct Row: Sendable {
    let name: String
    let words: [UInt32]
    var first: UInt64 = 0
    var sizeLg2: UInt8 = 0
    /// What a device is told.
    var device: DeviceTLBInvalidation?
  }

  static let invalidations: [Row] = [
    Row(name: "4K", words: [0, 0x3000_0005, 0x1234_5002, 0], first: 0x1234_5000, sizeLg2: 12),
    Row(name: "16K", words: [0, 0x3000_0005, 0x1003, 0], first: 0, sizeLg2: 14),
    Row(name: "8K", words: [0, 0x3000_0005, 0x2003, 0], first: 0x2000, sizeLg2: 13),
    Row(name: "2M", words: [0, 0x3000_0005, 0x122F_F003, 0], first: 0x1220_0000, sizeLg2: 21),
    Row(name: "all", words: [0, 0x3000_0005, 0xFFFF_F003, 0x7FFF_FFFF], first: 0, sizeLg2: 64),
    Row(name: "4K, PDE=0", words: [0, 0x3000_0005, 0x1234_5000, 0], first: 0x1234_5000, sizeLg2: 12),
    Row(name: "8K, PDE=0", words: [0, 0x3000_0005, 0x2001, 0], first: 0x2000, sizeLg2: 13),
    Row(name: "2M, PDE=0", words: [0, 0x3000_0005, 0x122F_F001, 0], first: 0x1220_0000, sizeLg2: 21),
    Row(name: "GN 4K", words: [0x47, 0x3000_0006, 0x1234_5006, 0], first: 0x1234_5000, sizeLg2: 12),
    Row(name: "GN all", words: [0x47, 0x3000_0006, 0xFFFF_F007, 0x7FFF_FFFF], first: 0, sizeLg2: 64),
    Row(
      name: "IOTLB 4K", words: [0x2000_3A29, 0x4000_3A29, 0x1234_5000, 0], first: 0x1234_5000, sizeLg2: 12,
      device: .init(source: source, address: 0x1234_5000, sizeLg2: 12)),
    Row(
      name: "IOTLB all", words: [0x2000_3A29, 0x4000_3A29, 0xFFFF_F001, 0x7FFF_FFFF], first: 0, sizeLg2: 64,
      device: .init(source: source, address: 0, sizeLg2: 64)),
    Row(
      name: "IOTLB GN", words: [0x2010_3A29, 0x4047_3A29, 0x1234_5004, 0], first: 0x1234_5000, sizeLg2: 12,
      device: .init(source: source, pasid: 0x1047, address: 0x1234_5000, sizeLg2: 12)),
    Row(name: "INV_DEVTAB", words: [0x3A29, 0x2000_0000, 0, 0]),
    Row(name: "INV_ALL", words: [0, 0x8000_0000, 0, 0]),
    Row(name: "INV_INT_TABLE", words: [0x3A29, 0x5000_0000, 0, 0]),
    Row(name: "PREFETCH", words: [0x3A29, 0x6000_0000, 0x1234_5000, 0]),
  ]

  @Test(arguments: invalidations.indices) func invalidation(_ index: Int) {
    let row = Self.invalidations[index]
    let rig = Rig(.init(extendedFeatures: AMDVi.Profile.genoa | AMDViFeature.prefetch))
    if row.sizeLg2 != 0 {
      let words = AMDVi.CommandWords(
        UInt64(row.words[0]) | UInt64(row.words[1]) << 32, UInt64(row.words[2]) | UInt64(row.words[3]) << 32)
      #expect(words.range.first == row.first, "\(row.name)")
      #expect(words.range.sizeLg2 == row.sizeLg2, "\(row.name)")
    }
    rig.command(row.words[0], row.words[1], row.words[2], row.words[3])
    #expect(rig.events() == [], "\(row.name)")
    #expect(rig[AMDViRegister.commandHead] == 16)
    #expect(rig.fabric.invalidations == (row.device.map { [$0] } ?? []), "\(row.name)")
  }

  @Test func completionWaitStores() {
    let rig = Rig()
    rig.command(0x9001, 0x1000_0000, 7)
    #expect(rig.peek(0x9000) == 7)
    // At 1_00002000 there is no memory in this machine: the buffer stops on the command.
    let place = rig.command(0x2001, 0x1000_0001, 0x55)
    #expect(rig.events() == ["00000000 60000000 0000\(String(place, radix: 16)) 00000000"])
    #expect(rig[AMDViRegister.commandHead] == 16)
    #expect(rig[AMDViRegister.status] & AMDViStatus.cmdBufRun == 0)

    let other = Rig()
    other.command(0x4000_2001, 0x1000_0000, 0x55, 0x66)
    #expect(other.peek(0x4000_2000) == 0x66_0000_0055)
  }

  @Test func completionWaitInterrupts() {
    let rig = Rig()
    rig.command(2, 0x1000_0000)
    #expect(rig[AMDViRegister.status] & AMDViStatus.comWaitInt != 0)
    #expect(rig.fabric.wires == [0])
    // The bit is set already: nothing new to say.
    rig.command(2, 0x1000_0000)
    #expect(rig.fabric.wires == [0])
    rig[AMDViRegister.status] = AMDViStatus.comWaitInt
    rig[AMDViRegister.control] &= ~AMDViControl.comWaitIntEn
    rig.command(2, 0x1000_0000)
    #expect(rig[AMDViRegister.status] & AMDViStatus.comWaitInt != 0)
    #expect(rig.fabric.wires == [0])
  }

  @Test func completePPR() {
    let rig = Rig()
    for (word, code) in [
      (0x12, PageResponse.Code.success), (0x1012, .invalidRequest), (0xF012, .failure),
    ] as [(UInt32, PageResponse.Code)] {
      rig.command(0x3A29, 0x7000_0047, 4, word)
      #expect(
        rig.fabric.responses.last == PageResponse(source: source, pasid: 0x47, group: 0x12, code: code))
    }
    rig.command(0x3A29, 0x7000_0047, 0, 0x12)
    #expect(rig.fabric.responses.last?.pasid == nil)
    #expect(rig.fabric.responses.count == 4)
  }

  /// Every opcode that is none, and every reserved bit of those that are: event 5, and a stop.
  @Test func illegalCommands() {
    let reserved: [(String, [UInt32], [UInt32])] = [
      ("COMPLETION_WAIT", [0, 0x1000_0000, 0, 0], [0, 0x0FF0_0000, 0, 0]),
      ("INV_DEVTAB", [0, 0x2000_0000, 0, 0], [0xFFFF_0000, 0x0FFF_FFFF, .max, .max]),
      ("INV_PAGES", [0, 0x3000_0000, 0, 0], [0xFFF0_0000, 0x0FFF_0000, 0, 0]),
      ("INV_IOTLB", [0, 0x4000_0000, 0, 0], [0, 0, 2, 0]),
      ("INV_INT", [0, 0x5000_0000, 0, 0], [0xFFFF_0000, 0x0FFF_FFFF, .max, .max]),
      ("PPR", [0, 0x7000_0000, 0, 0], [0xFFFF_0000, 0x0FF0_0000, ~4, 0xFFFF_0E00]),
      ("ALL", [0, 0x8000_0000, 0, 0], [.max, 0x0FFF_FFFF, .max, .max]),
    ]
    var commands: [(String, [UInt32])] = []
    for opcode in [0, 9, 10, 11, 12, 13, 14, 15] as [UInt32] {
      commands.append(("opcode \(opcode)", [0, opcode << 28, 0, 0]))
    }
    for status in 2...14 as ClosedRange<UInt32> {
      commands.append(("PPR status \(status)", [0x3A29, 0x7000_0000, 0, status << 12]))
    }
    for (name, words, mask) in reserved {
      for word in 0..<4 {
        for bit in 0..<32 where mask[word] >> UInt32(bit) & 1 != 0 {
          var command = words
          command[word] |= 1 << UInt32(bit)
          commands.append(("\(name) word \(word) bit \(bit)", command))
        }
      }
    }
    let rig = Rig()
    for (name, words) in commands {
      let head = rig[AMDViRegister.commandHead]
      let place = rig.command(words[0], words[1], words[2], words[3])
      #expect(rig.events() == ["00000000 50000000 0000\(String(place, radix: 16)) 00000000"], "\(name)")
      #expect(rig[AMDViRegister.commandHead] == head, "\(name)")
      #expect(rig[AMDViRegister.status] & AMDViStatus.cmdBufRun == 0, "\(name)")
      // Nothing runs before software starts it again.
      rig.poke((place, 0x1000_0000_0000_9001), (place + 8, 1))
      rig[AMDViRegister.commandTail] = (head + 16) & 0x1FFF
      #expect(rig[AMDViRegister.commandHead] == head, "\(name)")
      rig[AMDViRegister.control] &= ~AMDViControl.cmdBufEn
      rig[AMDViRegister.control] |= AMDViControl.cmdBufEn
      #expect(rig[AMDViRegister.commandHead] == (head + 16) & 0x1FFF, "\(name)")
    }
    print("AMD-Vi illegal commands: \(commands.count)")
    #expect(commands.count > 400)
  }

  /// What a profile does not have is an illegal command.
  @Test func commandsOfMissingFeatures() {
    var none = AMDVi.Configuration(extendedFeatures: 0)
    none.iotlbSupported = false
    for words in [
      [0x47, 0x3000_0006, 4, 0], [0x3A29, 0x4000_0000, 0, 0], [0, 0x6000_0000, 0, 0],
      [0x3A29, 0x7000_0000, 0, 0], [0, 0x8000_0000, 0, 0],
    ] as [[UInt32]] {
      let rig = Rig(none)
      rig.command(words[0], words[1], words[2], words[3])
      #expect(rig.events() == ["00000000 50000000 00008000 00000000"])
    }
  }

  /// A device that does not answer: event 7, and the next command runs. B9.5.
  @Test func iotlbTimeout() {
    let rig = Rig()
    rig.fabric.answersInvalidations = false
    for _ in 0..<6 { rig.command(0, 0x8000_0000) }
    rig.command(0x3A29, 0x4000_0000)
    rig.command(0x9001, 0x1000_0000, 7)
    #expect(rig.events() == ["00003a29 70000000 00008060 00000000"])
    #expect(rig.peek(0x9000) == 7)
    // InvTimeout 0 waits for ever, and reports nothing.
    rig[AMDViRegister.control] &= ~(7 << AMDViControl.invTimeoutShift)
    rig.command(0x3A29, 0x4000_0000)
    #expect(rig.events() == [])
  }

  /// The ring turns over, at its full length and at the least; a tail outside of it is one inside of it.
  @Test func theRingWraps() {
    let rig = Rig()
    for turn in 0..<1500 as Range<UInt64> {
      rig.command(0x7001, 0x1000_0000, UInt32(turn))
      #expect(rig.peek(0x7000) == turn)
    }
    #expect(rig[AMDViRegister.commandHead] == (1500 * 16) & 0x1FFF)
    // 256 entries, all of them but one in use at once.
    rig[AMDViRegister.commandBufferBase] = 0x0800_0000_0000_8000
    #expect(rig[AMDViRegister.commandHead] == 0)
    for place in 0..<256 as Range<UInt64> {
      rig.poke((0x8000 + place * 16, 0x1000_0000_0000_7001), (0x8008 + place * 16, place))
    }
    rig[AMDViRegister.commandTail] = 0xFF0
    #expect(rig.peek(0x7000) == 254)
    rig[AMDViRegister.commandTail] = 0x7_FFE0
    #expect(rig[AMDViRegister.commandHead] == 0xFE0)
    #expect(rig.peek(0x7000) == 253)
  }

  /// Commands that are not there.
  @Test func aBufferOutsideOfMemory() {
    let rig = Rig()
    rig[AMDViRegister.commandBufferBase] = 0x0900_00FF_0000_0000
    rig[AMDViRegister.commandTail] = 16
    #expect(rig.events() == ["00000000 60000000 00000000 000000ff"])
    #expect(rig[AMDViRegister.status] & AMDViStatus.cmdBufRun == 0)
  }

  @Test func commandsByStep() {
    var configuration = AMDVi.Configuration.nesting
    configuration.commandsRunAtOnce = false
    let rig = Rig(configuration)
    rig.command(0x7001, 0x1000_0000, 1)
    rig.command(0x7001, 0x1000_0000, 2)
    #expect(rig.peek(0x7000) == 0)
    #expect(rig.hardware.step())
    #expect(rig.peek(0x7000) == 1)
    #expect(rig.hardware.step())
    #expect(!rig.hardware.step())
    #expect(rig.peek(0x7000) == 2)
  }

  /// A handler that queues more commands from inside an interrupt, and one that reads registers.
  @Test func handlersComeBack() {
    let rig = Rig()
    var left = 3
    rig.fabric.handler = { [unowned rig] in
      rig[AMDViRegister.status] = AMDViStatus.comWaitInt
      guard left > 0 else { return }
      left -= 1
      rig.command(2, 0x1000_0000)
    }
    rig.command(2, 0x1000_0000)
    #expect(left == 0)
    #expect(rig.fabric.wires.count == 4)
    #expect(rig[AMDViRegister.commandHead] == 64)
  }

  /// Under SNP a completion store stays within the window.
  @Test func snpCompletionWindow() {
    let rig = Rig(.snpHost)
    rig[AMDViRegister.exclusionBase] = 0x9000
    rig[AMDViRegister.exclusionLimit] = 0x9000
    rig.command(0x9FF9, 0x1000_0000, 7)
    #expect(rig.peek(0x9FF8) == 7)
    rig.command(0x7001, 0x1000_0000, 7)
    #expect(rig.events() == ["00000000 50000000 00008010 00000000"])
    #expect(rig.peek(0x7000) == 0)
  }
}
