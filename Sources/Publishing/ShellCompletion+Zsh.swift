// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

extension ShellCompletion {
  /// A function `_iofd` for a directory of `$fpath`.
  static func zsh(_ tool: ToolDescription) -> String {
    var text = """
      #compdef iofd
      # SPDX-License-Identifier: GPL-3.0-or-later
      # \(Origin.sentence)
      # zsh completion for iofd: copy it to a directory of $fpath.

      _iofd_backends() {
        local -a kinds options
        if compset -P 1 '*:'; then
          case ${IPREFIX##*[= ]} in

      """
    for kind in tool.iommus {
      let listed = options(of: kind).map { quoted($0) }.joined(separator: " ")
      text += "      \(kind.name):) options=(\(listed)) ;;\n"
    }
    text += """
          esac
          compset -P '*,'
          compadd -S '' -- $options
        else
          kinds=(\((["mock:the driver of the kernel's own tests"] + tool.iommus.map { "\($0.name):\(described($0.summary))" })
          .map { quoted($0) }.joined(separator: " ")))
          _describe 'kind of IOMMU' kinds -S ''
        fi
      }

      _iofd_mistakes() {
        local -a mistakes
        mistakes=(\(tool.mistakes.map { quoted("\($0.name):\(described(brief($0.summary)))") }.joined(separator: " ")))
        _describe mistake mistakes
      }

      _iofd_topics() {
        compadd -- \(topics.joined(separator: " "))
      }

      _iofd_reports() {
        if compset -P '*='; then
          _files
        else
          compadd -S = -- "$@"
        fi
      }

      _iofd_commands() {
        local -a commands
        commands=(

      """
    for command in tool.commands {
      text += "    \(quoted("\(command.name):\(described(brief(command.summary)))"))\n"
    }
    text += """
        )
        _describe command commands
      }

      _iofd() {
        local context state state_descr line
        typeset -A opt_args
        _arguments -C -s \\
      \(tool.conversation.map { "    \(zsh($0)) \\\n" }.joined())\
          '--help[tell what there is]' \\
          '--version[tell the version]' \\
          '1:command:_iofd_commands' \\
          '*::operand:->operands' && return
        [[ $state == operands ]] || return
        case $line[1] in

      """
    for command in tool.commands {
      text += "    \(command.name))\n      _arguments -s \\\n"
      for option in command.options { text += "        \(zsh(option)) \\\n" }
      text += "        '--help[tell how it is used]' \\\n"
      text += "        \(zshOperands(command))\n      ;;\n"
    }
    return text + """
        esac
      }

      _iofd "$@"

      """
  }

  /// Text in which a colon is no separator.
  private static func described(_ text: String) -> String { text.replacing(":", with: #"\:"#) }

  /// `'*'{--jobs,-j}'+[scripts that run at a time]:N: '`
  private static func zsh(_ option: ToolDescription.Option) -> String {
    let help = option.summary.replacing("[", with: #"\["#).replacing("]", with: #"\]"#)
    let (sign, value): (long: String, String) =
      switch option.value {
      case .none: ("", "")
      case .required(let word): ("=", ":\(label(word)):\(zsh(Place(word)))")
      case .optional(let word): ("=-", "::\(label(word)):\(zsh(Place(word)))")
      }
    let specifications = option.names.map { name in
      let short = !name.hasPrefix("--") && sign == "="
      return quoted("*\(name)\(short ? "+" : sign)[\(help)]\(value)")
    }
    return specifications.joined(separator: " ")
  }

  private static func label(_ word: String) -> String {
    let plain = word.replacing(":", with: " ").replacing("[", with: " ").replacing("]", with: "")
    return plain.contains("|") ? "value" : plain
  }

  private static func zsh(_ place: Place) -> String {
    switch place {
    case .words(let words): "(\(words.joined(separator: " ")))"
    case .files: "_files"
    case .directories: "_files -/"
    case .backend: "_iofd_backends"
    case .mistake: "_iofd_mistakes"
    case .topic: "_iofd_topics"
    case .program: "_command_names -e"
    case .report(let words): "_iofd_reports \(words.joined(separator: " "))"
    case .free: " "
    }
  }

  private static func zshOperands(_ command: ToolDescription.Command) -> String {
    if command.takesProgram { return "'(-)1:program:_command_names -e' '*::argument:_normal'" }
    let place = Place(command.operands)
    return place == .free ? "'*:operand: '" : quoted("*:operand:\(zsh(place))")
  }
}
