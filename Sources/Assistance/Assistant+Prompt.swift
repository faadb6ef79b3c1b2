// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter

// What stands behind a command of the prompt.

extension Assistant {
  /// - Parameter rest: what stands behind the command's name, as far as it is typed.
  func completions(of command: PromptCommand, _ rest: String, in text: String) -> Completions {
    let total = text.utf8.count
    func answer(_ word: String, _ all: [Candidate]) -> Completions {
      Completions(
        start: total - word.utf8.count, word: word, candidates: Self.matching(word, all))
    }
    switch command.operand {
    case .none, .newName, .count, .word: return answer(rest, [])
    case .checkpoint:
      return answer(rest, surroundings.checkpoints.map { Candidate($0, .name, "a checkpoint") })
    case .file: return answer(rest, paths(rest))
    case .topic:
      // Topics may have several words, and only what stands behind the last space is replaced.
      let word = rest.split(separator: " ", omittingEmptySubsequences: false).last.map { String($0) } ?? ""
      let before = rest.dropLast(word.count)
      let all = Help.topics(commands).filter { $0.name.hasPrefix(before) }.compactMap { topic -> Candidate? in
        let next = topic.name.dropFirst(before.count).prefix { $0 != " " }
        return next.isEmpty ? nil : Candidate(String(next), .topic, topic.summary)
      }
      return answer(word, all)
    case .statement:
      let inner = Assistant(surroundings).completions(rest)
      return Completions(
        start: total - inner.word.utf8.count, word: inner.word, candidates: inner.candidates)
    }
  }
}
