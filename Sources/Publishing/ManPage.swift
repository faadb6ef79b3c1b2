// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import UAPI

/// The manual page `iofd(1)`, in the man macros that groff and mandoc both know.
enum ManPage {
  static func text(_ tool: ToolDescription) -> String {
    var page = [
      #".\" SPDX-License-Identifier: GPL-3.0-or-later"#,
      #".\" "# + Origin.sentence,
      #".TH IOFD 1 "\#(tool.date)" "iofd \#(tool.version)""#,
      ".SH NAME",
      #"iofd \- a scriptable model of Linux iommufd"#,
      ".SH SYNOPSIS",
      ".SY iofd",
    ]
    page += tool.conversation.flatMap {
      ["[" + bold($0.names.min { $0.utf8.count < $1.utf8.count } ?? "") + value($0) + "]"]
    }
    page += [".YS"]
    for command in tool.commands {
      page += [".SY \"iofd \(command.name)\""]
      if !command.options.isEmpty { page.append("[" + italic("option") + "...]") }
      if !command.operands.isEmpty { page.append(escaped(command.operands)) }
      page.append(".YS")
    }
    page += [".SH DESCRIPTION"]
    page += paragraph(
      "iofd answers the requests of /dev/iommu in user space as Linux does: the same errno for the same reason, the same "
        + "object IDs, the same chosen IOVAs. Behind it may be the mock driver of the kernel's own tests or the model of an "
        + "IOMMU: \(tool.iommus.map(\.name).joined(separator: ", ")). Scripts drive it, a prompt explores it, programs and "
        + "corpora of fuzzers run against it.")
    page += paragraph(
      "Without a command it is a conversation where a person types: 'help' lists what there is. Through a pipe it runs the "
        + "script that comes.", first: ".PP")
    page += [".PP", "The options of the conversation:"]
    page += tool.conversation.flatMap { entry($0) }
    page += entry("--help", "Tells what there is; behind a command, how that is used.")
    page += entry("--version", "Tells the version.")
    page += [".SH COMMANDS"]
    for command in tool.commands {
      page += [".SS " + escaped("iofd \(command.name) \(command.operands)")]
      page += paragraph(command.summary.split(separator: "\n").joined(separator: " "))
      page += command.options.flatMap { entry($0) }
    }
    page += [".SH SCRIPTS"]
    page += paragraph(
      "A script is a file of statements, one on a line, that says on the same line what must come back. What a command is, "
        + "'iofd explain' tells; so it does of an errno, a request and a diagnostic. The commands:")
    for group in VerbTable.groups {
      page += [".TP", escaped(group.title), escaped(group.verbs.map(\.name).joined(separator: ", "))]
    }
    page += [".SH EXIT STATUS", "The greatest of several:"]
    for status in tool.exitStatuses { page += [".TP", ".B \(status.number)", escaped(status.meaning)] }
    page += paragraph("iofd exec ends as the program does.", first: ".PP")
    page += [".SH ENVIRONMENT"]
    for variable in tool.variables { page += [".TP", ".B \(variable.name)", escaped(variable.meaning)] }
    page += [".SH FILES"]
    for (name, meaning) in files { page += [".TP", ".I \(escaped(name))", escaped(meaning)] }
    page += [".SH EXAMPLES"]
    for (index, example) in examples.enumerated() {
      page += paragraph(example.what + ":", first: index == 0 ? nil : ".PP")
      page += [".PP", ".in +4n", ".EX"] + example.lines.map { escaped($0) } + [".EE", ".in"]
    }
    page += [".SH SEE ALSO", ".BR ioctl (2),", ".BR readline (3)"]
    page += paragraph("The kernel's Documentation/userspace-api/iommufd.rst.", first: ".PP")
    return page.joined(separator: "\n") + "\n"
  }

  private static let files: [(String, String)] = [
    ("~/.local/state/iofd/history", "What was typed at prompts, by statement; see XDG_STATE_HOME."),
    ("~/.inputrc", "Keys of the prompt, with iofd as the application; see readline(3)."),
    ("*.iofd", "Scripts."),
    ("findings/", "What iofd fuzz found, where --findings names no other place."),
  ]

  /// Command lines; tests run those that need no program.
  static let examples: [(what: String, lines: [String])] = [
    ("A statement, and what it answers", ["iofd -c 'vm = ioas create'"]),
    ("A script through a pipe", ["printf 'vm = ioas create\\ndestroy $vm\\n' | iofd"]),
    (
      "Every script below a directory, with every invariant looked at after every statement",
      ["iofd run --check examples"]
    ),
    (
      "One script on Intel's IOMMU in legacy mode",
      ["iofd run --backend vtd:mode=legacy examples/hardware/any-backend.iofd"]
    ),
    ("What an errno and a command mean", ["iofd explain EADDRINUSE", "iofd explain map"]),
    ("A program whose /dev/iommu is the model", ["iofd exec --trace -- ./program"]),
  ]

  // MARK: roff

  private static func entry(_ option: ToolDescription.Option) -> [String] {
    let names = option.names.sorted { $0.utf8.count < $1.utf8.count }
    return [".TP", names.map { bold($0) }.joined(separator: ", ") + value(option), escaped(option.summary)]
  }

  private static func entry(_ name: String, _ meaning: String) -> [String] {
    [".TP", bold(name), escaped(meaning)]
  }

  private static func value(_ option: ToolDescription.Option) -> String {
    switch option.value {
    case .none: ""
    case .required(let word): " " + italic(word)
    case .optional(let word): "[=" + italic(word) + "]"
    }
  }

  private static func bold(_ text: String) -> String { #"\fB"# + escaped(text) + #"\fR"# }
  private static func italic(_ text: String) -> String { #"\fI"# + escaped(text) + #"\fR"# }

  private static func paragraph(_ text: String, first: String? = nil) -> [String] {
    (first.map { [$0] } ?? []) + [escaped(text)]
  }

  /// Text in which nothing is a request or an escape.
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += #"\e"#
      case "-": result += #"\-"#
      case "'": result += #"\(aq"#
      case "`": result += #"\(ga"#
      case "^": result += #"\(ha"#
      case "~": result += #"\(ti"#
      case "\"" where result.hasPrefix("."): result += #"\(dq"#
      case "·": result += #"\(pc"#
      default: result.append(character)
      }
    }
    return result.hasPrefix(".") ? #"\&"# + result : result
  }
}
