// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// A line of a script that is being written: its names may turn out to be used or not.
struct ScriptLine {
  /// What the first result is bound to.
  var binding: ScriptName?
  var words: String
  /// The line does nothing but give its binding a value.
  var isNeededForName = false
  var errno: Errno?
  /// How it ends where that is neither plain success nor an errno: `fault`, `blocked`.
  var outcome: String?
  /// Nothing is known of how it ends.
  var isUnanswered = false
  var results: [Result] = []
  var comment: String?

  /// A result that is expected, or that gets a name if anything uses that.
  enum Result {
    case equal(String, String)
    case named(String, ScriptName, otherwise: String)
  }

  init(_ words: String, binding: ScriptName? = nil) {
    self.words = words
    self.binding = binding
  }

  static func comment(_ text: String) -> ScriptLine {
    // A comment ends with its line, whatever a name in it contains.
    ScriptLine("# " + text.map { $0.isNewline ? " " : String($0) }.joined())
  }

  /// The line's text; nil for one that only gives a name that nothing uses.
  var text: String? {
    if isUnanswered { return "? \(words)" }
    var text = words
    if let binding {
      if binding.isUsed {
        text = "\(binding.text) = \(words)"
      } else if isNeededForName {
        return nil
      }
    }
    var expected: [String] = []
    if let errno {
      expected.append(errno.name)
    } else {
      if let outcome { expected.append(outcome) }
      for result in results {
        switch result {
        case .equal(let name, let value): expected.append("\(name)=\(value)")
        case .named(let name, let bound, let value):
          expected.append(bound.isUsed ? "\(name)=?\(bound.text)" : "\(name)=\(value)")
        }
      }
    }
    if !expected.isEmpty { text += "  -> \(expected.joined(separator: ", "))" }
    if let comment { text += "  # \(comment)" }
    return text
  }
}
