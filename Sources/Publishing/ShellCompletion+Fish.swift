// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

extension ShellCompletion {
  /// Lines of `complete` for fish.
  static func fish(_ tool: ToolDescription) -> String {
    var text = """
      # SPDX-License-Identifier: GPL-3.0-or-later
      # \(Origin.sentence)
      # fish completion for iofd: copy it to ~/.config/fish/completions.

      function __iofd_backends
          set -l token (commandline -ct | string replace -r '^--[a-z-]+=' '')
          switch $token

      """
    for kind in tool.iommus {
      let listed = options(of: kind).joined(separator: " ")
      text += "        case '\(kind.name):*'\n"
      text += "            set -l before (string replace -r '[^:,]*$' '' -- $token)\n"
      text += "            printf '%s\\n' $before(string split ' ' \(fishQuoted(listed)))\n"
    }
    text += """
              case '*'
                  printf '%s\\n' mock \(tool.iommus.map(\.name).joined(separator: " ")) \(tool.iommus.map { $0.name + ":" }.joined(separator: " "))
          end
      end

      function __iofd_reports
          set -l token (commandline -ct | string replace -r '^--[a-z-]+=' '')
          switch $token
              case '*=*'
                  set -l lead (string replace -r '=.*' '=' -- $token)
                  printf '%s\\n' $lead(__fish_complete_path (string replace -r '^[^=]*=' '' -- $token))
              case '*'
                  printf '%s=\\n' $argv
          end
      end

      complete -c iofd -f
      complete -c iofd -n __fish_use_subcommand -l help -s h -d 'tell what there is'
      complete -c iofd -n __fish_use_subcommand -l version -d 'tell the version'

      """
    for option in tool.conversation { text += fish("__fish_use_subcommand", option, tool) }
    for command in tool.commands {
      text +=
        "complete -c iofd -n __fish_use_subcommand -a \(command.name) -d \(fishQuoted(brief(command.summary)))\n"
    }
    for command in tool.commands {
      let condition = "\"__fish_seen_subcommand_from \(command.name)\""
      text += "\n"
      for option in command.options { text += fish(condition, option, tool) }
      text += "complete -c iofd -n \(condition) -l help -d 'tell how it is used'\n"
      if command.takesProgram {
        text += "complete -c iofd -n \(condition) -x -a '(__fish_complete_subcommand --fcs-skip=2)'\n"
      } else {
        let place = Place(command.operands)
        if place == .files {
          text += "complete -c iofd -n \(condition) -F\n"
        } else if let values = fish(place, tool) {
          text += "complete -c iofd -n \(condition) -a \(values)\n"
        }
      }
    }
    return text
  }

  private static func fish(
    _ condition: String, _ option: ToolDescription.Option, _ tool: ToolDescription
  ) -> String {
    var line = "complete -c iofd -n \(condition)"
    for name in option.names {
      line += name.hasPrefix("--") ? " -l \(name.dropFirst(2))" : " -s \(name.dropFirst())"
    }
    if let place = place(option) {
      if case .required = option.value { line += place == .files || place == .directories ? " -r" : " -x" }
      if place == .files { line += " -F" }
      if let values = fish(place, tool) { line += " -a \(values)" }
    }
    return line + " -d \(fishQuoted(option.summary))\n"
  }

  /// What `-a` takes; nil where nobody knows, or where files are meant.
  private static func fish(_ place: Place, _ tool: ToolDescription) -> String? {
    switch place {
    case .words(let words): fishQuoted(words.joined(separator: " "))
    case .files, .free, .program: nil
    case .directories: "'(__fish_complete_directories)'"
    case .backend: "'(__iofd_backends)'"
    case .mistake: fishQuoted(tool.mistakes.map(\.name).joined(separator: " "))
    case .topic: fishQuoted(topics.joined(separator: " "))
    case .report(let words): "'(__iofd_reports \(words.joined(separator: " ")))'"
    }
  }

  private static func fishQuoted(_ text: String) -> String {
    "'" + text.replacing(#"\"#, with: #"\\"#).replacing("'", with: #"\'"#) + "'"
  }
}
