// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Machine
import Testing
import UAPI

/// Random programs: what a kernel is asked must be the same tomorrow, and must be fit to be asked.
struct RandomProgramTests {
  @Test func theSameSeedMakesTheSameProgram() throws {
    let program = RandomProgram.make(.viommu, seed: 7)
    #expect(program == RandomProgram.make(.viommu, seed: 7))
    #expect(program != RandomProgram.make(.viommu, seed: 8))
    #expect(program.name == "viommu-fresh-7")
  }

  /// A program says the same when it has been written to a file and read.
  @Test(arguments: ProgramTheme.allCases)
  func textIsReadAsItWasWritten(_ theme: ProgramTheme) throws {
    for seed in UInt64(0)..<50 {
      let program = RandomProgram.make(theme, seed: seed)
      #expect(try RecordedProgram.parse(Array(program.text.utf8)) == [program])
    }
  }

  /// The requests that take a real kernel down; see the head of RandomProgram.swift.
  @Test(arguments: ProgramTheme.allCases)
  func dangerousRequestsAreNotAsked(_ theme: ProgramTheme) {
    for seed in UInt64(0)..<500 {
      let program = RandomProgram.make(theme, seed: seed)
      let requests = program.steps.compactMap { step -> (request: UInt32, stores: [RecordedProgram.Store])? in
        guard case .ioctl(_, let request, _, let stores, _) = step else { return nil }
        return (request, stores)
      }
      let copies = requests.contains { $0.request == 0x3B83 }
      let readsDirty = requests.contains { $0.request == 0x3B8C }
      let raisesFaults = requests.contains { $0.request == 0x3BA0 && Self.value($0.stores, 4) == 15 }
      let attachesPASIDs = requests.contains {
        $0.request == 0x3BA0 && [18, 19].contains(Self.value($0.stores, 4))
      }
      for (request, stores) in requests {
        let addresses: [Int]
        switch request {
        case 0x3B85, 0x3B8F: addresses = [24, 32]
        case 0x3B83: addresses = [16, 24, 32]
        case 0x3B71: addresses = [16, 24]
        case 0x3B72: addresses = [8, 16]
        case 0x3B8C: addresses = [16]
        default: continue
        }
        let unit: UInt64 = readsDirty ? 4096 : copies ? 2048 : 1
        for offset in addresses { #expect(Self.value(stores, offset) % unit == 0, "\(program.name)") }
      }
      // Which objects are mock devices a test cannot see; that they are not destroyed shows in the model.
      if raisesFaults && attachesPASIDs && theme != .pasid {
        #expect(Self.devicesLost(by: program) == 0, "\(program.name)")
      }
    }
  }

  /// Constants only; a register or an address of the data area counts as a multiple of everything.
  private static func value(_ stores: [RecordedProgram.Store], _ offset: Int) -> UInt64 {
    guard let store = stores.first(where: { $0.offset == offset }), case .constant(let value) = store.value
    else { return 0 }
    return value
  }

  /// DESTROYs of a register that a MOCK_DOMAIN filled with a SELFTEST object, behind a PASID's attachment.
  private static func devicesLost(by program: RecordedProgram) -> Int {
    var devices: Set<Int> = []
    var isAttached = false
    var lost = 0
    for case .ioctl(_, let request, _, let stores, let loads) in program.steps {
      switch (request, value(stores, 4)) {
      case (0x3BA0, 2), (0x3BA0, 12):
        for load in loads where load.offset == 16 { devices.insert(load.register) }
      case (0x3BA0, 18), (0x3BA0, 19): isAttached = true
      case (0x3B80, _):
        if isAttached, case .register(let register)? = stores.first(where: { $0.offset == 4 })?.value,
          devices.contains(register)
        {
          lost += 1
        }
      default: break
      }
    }
    return lost
  }

  /// And no program breaks an invariant of the model.
  @Test(arguments: Personality.allCases, ProgramTheme.allCases)
  func invariantsHold(_ kernel: Personality, _ theme: ProgramTheme) throws {
    let target = ModelTarget(Machine.Configuration(kernel: kernel, frameStride: 2))
    let replay = try RecordedReplay(target)
    var answers = 0
    var good = 0
    for seed in UInt64(1000)..<1060 {
      let program = RandomProgram.make(theme, seed: seed)
      let lines = try replay.run(program)
      answers += lines.count
      good += lines.count { $0.contains("errno=0") }
      #expect(target.machine.violations().isEmpty, "\(program.name)")
    }
    // Plausible means that much of it succeeds.
    #expect(answers > 1000)
    if kernel == .v7_2 { #expect(good * 6 > answers) }
  }
}
