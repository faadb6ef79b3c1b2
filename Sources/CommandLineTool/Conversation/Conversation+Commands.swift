// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Interpreter
internal import Language
internal import Runner
internal import Views

// What the prompt's own commands do. `PromptCommand` says what they are called and what they take.

extension Conversation {
  func perform(_ command: PromptCommand, _ rest: String) {
    let operand = rest.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    if command.isOperandRequired, operand.isEmpty {
      return complain("'\(command.name)' needs something more: \(command.synopsis)")
    }
    switch command.action {
    case .help: help(operand)
    case .apropos: apropos(operand)
    case .undo, .history:
      var count: Int?
      if !operand.isEmpty {
        guard let number = Int(operand), number > 0 else {
          return complain("'\(command.name)' takes a number from 1 on, not '\(operand)'")
        }
        count = number
      }
      if command.action == .undo { undo(count ?? 1) } else { list(count) }
    case .redo: change("done again") { () throws(Journal.Obstacle) in try journal.redo() }
    case .checkpoint: checkpoint(operand)
    case .rollback: change("taken back") { () throws(Journal.Obstacle) in try journal.rollback(operand) }
    case .whatIf: whatIf(rest)
    case .why: output.write(journal.session.refusal?.text ?? "nothing has been refused\n")
    case .save: save(operand)
    case .load: load(operand)
    case .lesson: lesson(operand)
    case .complete: complete(rest)
    case .quit, .exit: leave()
    }
  }

  // MARK: Help

  private func help(_ topic: String) {
    guard !topic.isEmpty else { return output.write(Help.overview(commands)) }
    if let page = Help.page(topic, commands) { return output.write(page) }
    complain("there is no page about '\(topic)'", help: Help.suggestion(for: topic, commands))
  }

  private func apropos(_ word: String) {
    let found = Help.apropos(word, commands)
    if found.isEmpty { return complain("no page has '\(word)' in its name or summary") }
    output.write(found)
  }

  private func complete(_ text: String) {
    let found = Assistant(LiveSurroundings(journal, files: HostPaths.goingOn), commands: commands)
      .completions(text)
    let width = found.candidates.map(\.text.utf8.count).max() ?? 0
    for candidate in found.candidates {
      let space = String(repeating: " ", count: width - candidate.text.utf8.count + 2)
      output.write(candidate.text + (candidate.summary.isEmpty ? "" : space + candidate.summary) + "\n")
    }
  }

  private func list(_ count: Int?) {
    let first = typed.count - min(count ?? typed.count, typed.count)
    for (index, text) in typed.enumerated().dropFirst(first) {
      let number = String(index + 1)
      let margin = String(repeating: " ", count: 6)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).joined(
        separator: "\n" + margin)
      output.write(String(repeating: " ", count: max(0, 4 - number.count)) + number + "  " + lines + "\n")
    }
  }

  // MARK: Back and forth

  private func undo(_ count: Int) {
    change("taken back") { () throws(Journal.Obstacle) in try journal.undo(count) }
  }

  /// Changes which statements there are, and says which came or went.
  private func change(_ what: String, _ body: () throws(Journal.Obstacle) -> Journal.Change) {
    do throws(Journal.Obstacle) {
      let change = try body()
      if change.statements.isEmpty { output.write("nothing has changed since\n") }
      for statement in change.statements {
        output.write("\(what): \(statement.split(separator: "\n").joined(separator: "\n  "))\n")
      }
      if change.isUncertain {
        output.write("what ran on real threads may come out in another order when it is done again\n")
      }
    } catch { tell(error) }
  }

  private func checkpoint(_ name: String) {
    guard !name.isEmpty else {
      for checkpoint in journal.checkpoints { output.write("\(checkpoint.name)\n") }
      if journal.checkpoints.isEmpty { output.write("there is none\n") }
      return
    }
    guard !name.contains(" ") else { return complain("a checkpoint's name is one word") }
    journal.checkpoint(name)
  }

  private func whatIf(_ text: String) {
    do throws(Journal.Obstacle) {
      let preview = try journal.preview(text)
      output.write(renderer.render(preview.reply.diagnostics))
      output.write(preview.reply.text)
      Interrupts.clear()
      for name in preview.names { output.write("  \(name)\n") }
      if !preview.difference.isEmpty {
        let lines = preview.difference.text.split(separator: "\n")
        for line in lines.prefix(40) { output.write("  \(line)\n") }
        if lines.count > 40 { output.write("  ... and \(lines.count - 40) lines more\n") }
      } else if preview.names.isEmpty && preview.reply.diagnostics.isEmpty {
        output.write("  nothing would change\n")
      }
    } catch { tell(error) }
  }

  private func tell(_ obstacle: Journal.Obstacle) {
    Interrupts.clear()
    switch obstacle {
    case .nothingToUndo: complain("there is nothing to take back")
    case .nothingToRedo:
      complain("there is nothing to do again: a statement since then has begun another history")
    case .noCheckpoint(let name):
      let names = journal.checkpoints.map(\.name)
      complain(
        "there is no checkpoint '\(name)'",
        help: Suggest.help(for: name, in: names)
          ?? (names.isEmpty ? nil : "there are: " + names.joined(separator: " ")))
    case .realKernel: complain("a real kernel cannot be taken back to what it was; the model can")
    case .unrepeatable(let statement, let why):
      complain("this statement cannot be carried out again as it was, since \(why): \(statement)")
    case .interrupted: complain("interrupted; everything is as it was")
    case .noMachine(let error): complain("cannot make a machine: \(error)")
    case .doesNotPass(let diagnostics):
      output.write(renderer.render(diagnostics))
      complain("not saved: the script would not pass")
    case .empty: complain("there is nothing to save yet")
    }
  }

  // MARK: Files

  private func save(_ path: String) {
    let script: Session.Script
    do throws(Journal.Obstacle) {
      script = try journal.script(heading: scriptHeading)
    } catch { return tell(error) }
    if HostFile.exists(path), spared != path {
      spared = path
      return complain("'\(path)' is there already", help: "the same command once more writes over it")
    }
    do throws(FileFailure) {
      try HostFile.replace(path, with: Array(script.text.utf8))
    } catch { return complain(error.description) }
    spared = path
    journal.noteSaved()
    let count = journal.count - script.leftOut
    output.write("wrote \(count) statement\(count == 1 ? "" : "s") to \(path)\n")
    if script.leftOut > 0 {
      output.write(
        "\(script.leftOut) that failed or \(script.leftOut == 1 ? "was" : "were") interrupted became comments\n"
      )
    }
  }

  /// Carries the statements of a script out, one after the other.
  func load(_ path: String) {
    let source: SourceFile
    do throws(FileFailure) {
      source = SourceFile(name: path, bytes: try HostFile.read(path, limit: Limits.fileBytes))
    } catch { return complain(error.description) }
    let (file, problems) = Parser.parse(source)
    guard problems.isEmpty else {
      output.write(renderer.render(problems))
      return complain("'\(path)' is no script")
    }
    // What reads from the archive tail needs it beside itself.
    let parts =
      file.archive.isEmpty ? file.statements.map { source.text($0.span) } : [source.text(source.span)]
    var count = 0
    for part in parts where !Interrupts.isRaised {
      let reply = journal.run(part)
      count += 1
      if !reply.isGood
        || reply.isRefused && !part.contains("->") && !part.hasPrefix("!") && !part.hasPrefix("?")
      {
        output.write("\(part.split(separator: "\n")[0])\n")
        tell(reply)
      }
    }
    Interrupts.clear()
    output.write("carried out \(count) statement\(count == 1 ? "" : "s") of \(path)\n")
  }
}
