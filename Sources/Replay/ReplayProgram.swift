// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora
public import Language

/// What an input says, read: ready to be played any number of times.
public enum ReplayProgram: Sendable {
  case syzkaller(SyzImage)
  case recorded(RecordedProgram)
  case bytes(ByteProgram)
  case script(SourceFile)
  case driver(DriverRecording)

  /// Why an input is no program.
  public struct Invalid: Error, Sendable, CustomStringConvertible {
    /// One sentence, with the place where there is one.
    public let description: String
    init(_ description: String) { self.description = description }
  }

  /// Reads an input.
  ///
  /// - Throws: `Invalid`: the first thing in it that is not of its format, or a format that holds no single program.
  public init(_ input: ReplayInput) throws(Invalid) {
    switch input.format {
    case .syzkallerProgram:
      do throws(SyzProblem) { self = .syzkaller(try SyzImage(SyzParser.parse(input.bytes))) } catch {
        throw Invalid("\(error)")
      }
    case .recordedPrograms:
      let programs: [RecordedProgram]
      do throws(RecordedProgram.Malformed) { programs = try RecordedProgram.parse(input.bytes) } catch {
        throw Invalid("\(error)")
      }
      guard programs.count == 1 else { throw Invalid("it holds \(programs.count) programs") }
      self = .recorded(programs[0])
    case .byteProgram, .bytes:
      do throws(ByteProgram.UnknownVersion) { self = .bytes(try ByteProgram(input.bytes)) } catch {
        throw Invalid("\(error)")
      }
    case .script: self = .script(SourceFile(name: input.label, bytes: input.bytes))
    case .driverRecording:
      do throws(DriverRecording.Malformed) { self = .driver(try DriverRecording(input.bytes)) } catch {
        throw Invalid("\(error)")
      }
    case .syzkallerLog: throw Invalid("the console log announces no program")
    case .corpusDB, .zip: throw Invalid("archives in archives are not opened")
    }
  }
}
