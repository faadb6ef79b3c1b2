// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Language

extension ReplayProgram {
  /// The program in lines that people read, cut where it is long.
  ///
  /// - Parameters:
  ///   - last: index of the last answer that it gave; that step is marked with `>`.
  ///   - line: line of the text to mark instead.
  func listing(of input: ReplayInput, marking last: Int?, line: Int?) -> String {
    switch self {
    case .syzkaller(let image):
      // One answer a call.
      let call = last.flatMap { image.calls.indices.contains($0) ? image.calls[$0].line : nil }
      var text = input.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      if text.last?.isEmpty ?? false { text.removeLast() }
      return Self.lines(text.map { String(decoding: $0, as: UTF8.self) }, (line ?? call).map { $0 - 1 })
    case .recorded(let program):
      return Self.lines(program.steps.map { "\($0)" }, Self.step(last, program.steps.map(Self.answers)))
    case .bytes(let program):
      let actions = ByteDecoder.actions(of: program)
      let steps = actions.map { action in
        switch action {
        case .step(let step): (text: "\(step)", answers: Self.answers(step))
        case .bench(let action): (text: "\(action)", answers: true)
        }
      }
      return Self.lines(steps.map(\.text), Self.step(last, steps.map(\.answers)))
    // Their messages show the place.
    case .script, .driver: return ""
    }
  }

  private static func answers(_ step: RecordedProgram.Step) -> Bool {
    switch step {
    case .fill, .put, .unmap: false
    default: true
    }
  }

  /// The step that gave the answer.
  private static func step(_ answer: Int?, _ answers: [Bool]) -> Int? {
    guard let answer, answer >= 0 else { return nil }
    return answers.indices.filter { answers[$0] }.dropFirst(answer).first
  }

  private static func lines(_ lines: [String], _ marked: Int?) -> String {
    // The end of a long program is where it went wrong.
    let end = min(lines.count, (marked ?? lines.count) + 3)
    let first = max(0, end - longest)
    var text = first > 0 ? "  ... \(first) steps\n" : ""
    for index in first..<end { text += (index == marked ? "> " : "  ") + lines[index].prefix(widest) + "\n" }
    if end < lines.count { text += "  ... \(lines.count - end) more steps\n" }
    return text
  }

  private static let longest = 60
  private static let widest = 240
}
