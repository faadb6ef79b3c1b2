// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Runner

/// The model as another fuzzing engine's target: an input is run, an input is changed.
public final class FuzzTarget: @unchecked Sendable {
  private let trial: LocalTrial
  private let scene: ByteScene

  /// - Parameter backend: as on a command line; one that no program starts on is the mock.
  public init(backend: String) {
    var rigs = Rigs()
    do throws(Backend.Unknown) { rigs = Rigs(backend: try Backend(backend)) } catch {
      Self.complain("\(error.message); it is the mock")
    }
    scene = rigs.scene ?? ByteScene(.mock)
    trial = LocalTrial(rigs)
  }

  private static func complain(_ message: String) {
    let output = ByteOutput.standardError()
    output.write("iofd: \(message)\n")
    output.flush()
  }

  /// Runs an input; what is wrong with it, or nil.
  public func run(_ input: [UInt8]) -> String? {
    guard let finding = trial.run(input, .quick).finding, finding.verdict != "invalid" else { return nil }
    return "\(finding.signature)\n\(finding.message)\n\(finding.details)"
  }

  /// A changed copy of a program, with pieces of another one if there is one.
  ///
  /// - Parameter longest: most bytes of it.
  public func mutate(_ input: [UInt8], _ other: [UInt8]?, longest: Int, seed: UInt64) -> [UInt8] {
    let records = max(1, (longest - ByteProgram.headerLength) / ByteProgram.recordLength)
    var mutator = Mutator(seed: seed, scene: scene, longest: records)
    guard let program = scene.adopt(input), !program.records.isEmpty else {
      return mutator.seeds(random: 1).last?.bytes ?? []
    }
    return mutator.mutate(program, other.flatMap { scene.adopt($0) } ?? program).bytes
  }
}

extension ByteScene {
  /// A program put onto this scene, unless it is on one of the same family already; nil for bytes that are none.
  ///
  /// - Parameter profile: the kernel that it is for; nil leaves what it says.
  func adopt(_ bytes: [UInt8], profile: UInt8? = nil) -> ByteProgram? {
    do throws(ByteProgram.UnknownVersion) {
      let program = try ByteProgram(bytes)
      let flags = program.scene.family == family ? program.scene.flags : flags
      return ByteProgram(
        profile: profile ?? program.profile, flags: flags, records: program.records)
    } catch { return nil }
  }
}
