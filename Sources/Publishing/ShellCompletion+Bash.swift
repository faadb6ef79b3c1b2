// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

extension ShellCompletion {
  /// A function for bash 4 or newer, which needs nothing but bash.
  ///
  /// bash takes a line apart at `=` and `:`, too; so the word that is typed is found again in the line, completed as a
  /// whole, and what bash takes for finished words is cut off the answers.
  static func bash(_ tool: ToolDescription) -> String {
    var text = """
      # SPDX-License-Identifier: GPL-3.0-or-later
      # \(Origin.sentence)
      # bash completion for iofd: source it, or copy it to a directory that bash-completion reads.

      _iofd_mistakes=\(quoted(tool.mistakes.map(\.name).joined(separator: " ")))
      _iofd_topics=\(quoted(topics.joined(separator: " ")))

      # What may stand behind an option: _iofd_value COMMAND OPTION TEXT sets COMPREPLY, of whole values.
      _iofd_value() {
        local text=$3
        case "$1/$2" in

      """
    for command in tool.commands {
      for option in command.options { text += bashValue(command.name, option) }
    }
    for option in tool.conversation { text += bashValue("", option) }
    text += """
          *) return 1 ;;
        esac
      }

      # A kind of IOMMU, and behind a colon its options, with commas.
      _iofd_backend() {
        case "$1" in
          *:*) ;;
          *)
            COMPREPLY=($(compgen -W "\((["mock"] + tool.iommus.map(\.name)).joined(separator: " "))" -- "$1"))
            compopt -o nospace
            return
            ;;
        esac
        local kind=${1%%:*} given=${1#*:} before= options=
        case "$given" in *,*) before=${given%,*}, ;; esac
        case "$kind" in

      """
    for kind in tool.iommus {
      text += "    \(kind.name)) options=\(quoted(options(of: kind).joined(separator: " "))) ;;\n"
    }
    text += """
        esac
        COMPREPLY=($(compgen -P "$kind:$before" -W "$options" -- "${given##*,}"))
        compopt -o nospace
      }

      # One of the words behind the first, `=`, and a file.
      _iofd_report() {
        local text=$1 word
        shift
        case "$text" in
          *=*) _iofd_files "${text%%=*}=" "${text#*=}" ;;
          *)
            COMPREPLY=()
            for word in "$@"; do [[ $word= == "$text"* ]] && COMPREPLY+=("$word="); done
            compopt -o nospace
            ;;
        esac
      }

      # Files that begin like $2, with $1 in front.
      _iofd_files() {
        local file
        COMPREPLY=()
        while IFS= read -r file; do COMPREPLY+=("$1$file"); done < <(compgen -f -- "$2")
        compopt -o filenames
      }

      _iofd() {
        local line=${COMP_LINE:0:COMP_POINT} words command= options= i
        read -ra words <<<"$line"
        [[ $line == *[[:blank:]] ]] && words+=('')
        local count=${#words[@]}
        ((count < 2)) && words+=('') && count=2
        local text=${words[count - 1]} before=${words[count - 2]}
        COMPREPLY=()
        case "${words[1]}" in
          \(tool.commands.map(\.name).joined(separator: "|"))) ((count > 2)) && command=${words[1]} ;;
        esac
        case "$command" in

      """
    for command in tool.commands where command.takesProgram {
      text += """
            \(command.name))
              # What follows a program is the program's.
              for ((i = 2; i < count - 1; i++)); do
                case "${words[i]}" in
                  --) compopt -o default; return ;;
                  -*) ;;
                  *) case "$(_iofd_takes "$command" "${words[i - 1]}")" in yes) ;; *) compopt -o default; return ;; esac ;;
                esac
              done
              ;;

        """
    }
    text += """
        esac
        case "$text" in
          --*=*) _iofd_value "$command" "${text%%=*}" "${text#*=}" && COMPREPLY=("${COMPREPLY[@]/#/${text%%=*}=}") ;;
          *)
            if [[ $(_iofd_takes "$command" "$before") == yes ]]; then
              _iofd_value "$command" "$before" "$text"
            else
              _iofd_rest
            fi
            ;;
        esac
        # What bash takes for words of their own stands there already.
        local finished=${text%"${COMP_WORDS[COMP_CWORD]}"}
        [[ ${COMP_WORDS[COMP_CWORD]} == [=:] ]] && finished=$text
        [[ -n $finished && $text == *[=:]* ]] && COMPREPLY=("${COMPREPLY[@]#"$finished"}")
        return 0
      }

      # Whether an option has its value in the next word.
      _iofd_takes() {
        case "$1/$2" in

      """
    let taking =
      tool.commands.flatMap { command in command.options.map { (command.name, $0) } }
      + tool.conversation.map { ("", $0) }
    for (name, option) in taking {
      guard case .required = option.value else { continue }
      text += "    \(option.names.map { "\(name)/\($0)" }.joined(separator: "|"))) echo yes ;;\n"
    }
    text += """
        esac
      }

      # Options, operands and, for the first word, commands.
      _iofd_rest() {
        case "$command" in

      """
    for command in tool.commands {
      let names = command.options.flatMap { option in
        option.names.map { isOptional(option) ? "\($0) \($0)=" : $0 }
      }
      text += "    \(command.name))\n      options=\(quoted((names + ["--help"]).joined(separator: " ")))\n"
      if let line = bashOperands(command) { text += "      [[ $text != -* ]] && \(line) && return\n" }
      text += "      ;;\n"
    }
    let start = tool.conversation.flatMap(\.names) + ["--help", "--version"]
    text += """
          *)
            options=\(quoted(start.joined(separator: " ")))
            ((count == 2)) && [[ $text != -* ]] && options=\(quoted(tool.commands.map(\.name).joined(separator: " ")))
            ;;
        esac
        COMPREPLY=($(compgen -W "$options" -- "$text"))
      }

      complete -F _iofd iofd

      """
    return text
  }

  private static func isOptional(_ option: ToolDescription.Option) -> Bool {
    if case .optional = option.value { true } else { false }
  }

  private static func bashValue(_ command: String, _ option: ToolDescription.Option) -> String {
    guard let place = place(option) else { return "" }
    let pattern = option.names.map { "\(command)/\($0)" }.joined(separator: "|")
    return "    \(pattern)) \(bash(place)) ;;\n"
  }

  private static func bashOperands(_ command: ToolDescription.Command) -> String? {
    let place = Place(command.operands)
    return place == .free ? nil : bash(place)
  }

  /// A command that answers for `$text`.
  private static func bash(_ place: Place) -> String {
    switch place {
    case .words(let words): "COMPREPLY=($(compgen -W \(quoted(words.joined(separator: " "))) -- \"$text\"))"
    case .files: "_iofd_files '' \"$text\""
    case .directories: "COMPREPLY=($(compgen -d -- \"$text\")) && compopt -o filenames"
    case .backend: "_iofd_backend \"$text\""
    case .mistake: "COMPREPLY=($(compgen -W \"$_iofd_mistakes\" -- \"$text\"))"
    case .topic: "COMPREPLY=($(compgen -W \"$_iofd_topics\" -- \"$text\"))"
    case .program: "COMPREPLY=($(compgen -c -- \"$text\"))"
    case .report(let words): "_iofd_report \"$text\" \(words.joined(separator: " "))"
    case .free: ":"
    }
  }
}
