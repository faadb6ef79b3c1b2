// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import Machine

/// The IOMMU hardware of a machine, as a command line names it: `mock`, `vtd`, `riscv:vfio=isolated,sv=39`.
public struct Backend: Sendable {
  /// Why a text is none.
  public struct Unknown: Error {
    public let message: String
    public let help: String
  }

  /// `mock` or a kind of IOMMU: what `require backend=` and `[vtd]` look at.
  public let name: String
  /// The IOMMU that the machine has from the beginning; nil for the mock.
  let iommu: IOMMUKind?
  let choices: IOMMUKind.Choices
  /// As the command line named it.
  public let text: String

  /// The mock driver of the kernel's own selftests.
  public static let mock = Backend(name: "mock", iommu: nil, choices: IOMMUKind.Choices(), text: "mock")

  private init(name: String, iommu: IOMMUKind?, choices: IOMMUKind.Choices, text: String) {
    self.text = text
    self.name = name
    self.iommu = iommu
    self.choices = choices
  }

  /// Every name.
  public static var names: [String] { ["mock"] + IOMMUKind.all.map(\.name) }

  /// - Throws: what about `text` is unknown.
  public init(_ text: String) throws(Unknown) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let word = String(parts[0])
    if word == "mock", parts.count == 1 {
      self = .mock
      return
    }
    guard let kind = IOMMUKind.named(word) else {
      throw Unknown(
        message: "there is no backend '\(text)'",
        help: Suggest.help(for: word, in: Self.names) ?? "one of: " + Self.names.joined(separator: " "))
    }
    var choices = IOMMUKind.Choices()
    for option in parts.count > 1 ? parts[1].split(separator: ",") : [] {
      try Self.choose(option, of: kind, in: &choices)
    }
    self.init(name: kind.name, iommu: kind, choices: choices, text: text)
  }

  private static func choose(_ text: Substring, of kind: IOMMUKind, in choices: inout IOMMUKind.Choices)
    throws(Unknown)
  {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let option = kind.options.first(where: { $0.name == name }) else {
      let known = kind.options.map(\.name)
      throw Unknown(
        message: "\(kind.name) has no option '\(name)'",
        help: Suggest.help(for: name, in: known) ?? "options: " + known.joined(separator: " "))
    }
    let value = parts.count > 1 ? String(parts[1]) : nil
    switch option.form {
    case .words(let words):
      guard let value, words.contains(value) else {
        throw Unknown(message: "\(name) wants a word", help: "one of: " + words.joined(separator: " "))
      }
      choices.words[name] = value
    case .flag, .number:
      if value == nil, case .flag = option.form {
        choices.numbers[name] = 1
        return
      }
      guard let value, let number = number(value) else {
        throw Unknown(message: "\(name) wants a number", help: option.summary)
      }
      choices.numbers[name] = number
    }
  }

  private static func number(_ text: String) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}
