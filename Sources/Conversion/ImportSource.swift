// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora

/// A program that can be made into a script.
public struct ImportSource: Sendable {
  public enum Program: Sendable {
    case syzkaller(SyzProgram)
    case recorded(RecordedProgram)
    case bytes(ByteProgram)

    /// The program in bytes that it is, if it is one.
    var bytes: ByteProgram? { if case .bytes(let program) = self { program } else { nil } }
  }

  /// Where it comes from: the head of its script says so.
  public let label: String
  /// What its script may be called: letters, digits, `-`, `_` and `.`.
  public let name: String
  public let program: Program

  public init(label: String, name: String, _ program: Program) {
    self.label = label
    self.name = name.isEmpty ? "program" : name
    self.program = program
  }

  /// Something that is no program, or not one that can be made into a script.
  public struct Refusal: Error, Sendable, CustomStringConvertible {
    public let label: String
    public let reason: String
    public var description: String { "\(label): \(reason)" }
  }

  /// The programs in the content of one input; its format is told by its bytes.
  ///
  /// - Throws: `Refusal` for a format that holds none, or for what does not read.
  public static func sources(in bytes: [UInt8], label: String) throws(Refusal) -> [ImportSource] {
    let base = label.split(separator: "/").last.map(String.init) ?? label
    let name = sanitized(base)
    func refuse(_ reason: String) -> Refusal { Refusal(label: label, reason: reason) }
    switch InputFormat.of(bytes, name: base) {
    case .syzkallerProgram:
      do throws(SyzProblem) {
        return [ImportSource(label: label, name: name, .syzkaller(try SyzParser.parse(bytes)))]
      } catch { throw refuse("\(error)") }
    case .syzkallerLog:
      return SyzLog(bytes).entries.map {
        ImportSource(label: "\(label), \($0.label)", name: "\(name)-\($0.line)", .syzkaller($0.program))
      }
    case .recordedPrograms:
      do throws(RecordedProgram.Malformed) {
        return try RecordedProgram.parse(bytes).map {
          ImportSource(label: "\(label), \($0.name)", name: sanitized($0.name), .recorded($0))
        }
      } catch { throw refuse("\(error)") }
    case .byteProgram, .bytes:
      do throws(ByteProgram.UnknownVersion) {
        return [ImportSource(label: label, name: name, .bytes(try ByteProgram(bytes)))]
      } catch { throw refuse("\(error)") }
    case .script: throw refuse("it is a script already")
    case .driverRecording: throw refuse("what a driver wrote is no program")
    case .corpusDB, .zip: throw refuse("a container in a container")
    }
  }

  private static func sanitized(_ text: String) -> String {
    let stem = text.split(separator: ".").first.map(String.init) ?? text
    return stem.prefix(80).map {
      $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) ? String($0) : "-"
    }
    .joined()
  }
}
