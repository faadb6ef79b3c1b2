// SPDX-License-Identifier: GPL-3.0-or-later
import Language
import Lessons
import LineEditing
import Runner
import Testing

@testable import CommandLineTool

/// Lessons, taken by people who are made up: one who types what the lesson has in mind, one who writes and names
/// everything in another way, one who errs each time.
struct LessonTests {
  private final class Lines: LineEditor {
    private var inputs: [LineInput]
    private(set) var prompts: [String] = []

    init(_ inputs: [LineInput]) { self.inputs = inputs.reversed() }

    func readLine(prompt: String) -> LineInput {
      prompts.append(prompt)
      return inputs.popLast() ?? .end
    }
    func addHistory(_ entry: String) {}
  }

  private func talk(_ inputs: [LineInput]) throws -> (output: String, prompts: [String]) {
    let scratch = try Scratch()
    let editor = Lines(inputs)
    let output = try ByteOutput(creating: scratch.path + "/out")
    _ = try Conversation(rigs: Rigs(), defines: [:], editor: editor, output: output).run()
    output.flush()
    return (try scratch.read("out"), editor.prompts)
  }

  private func say(_ lines: [String]) throws -> String { try talk(lines.map { .line($0) }).output }

  private func count(_ text: String, in whole: String) -> Int {
    whole.split(separator: text, omittingEmptySubsequences: false).count - 1
  }

  @Test func thereAreTen() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
      separator: "/")
    let scripts = ScriptTree([root + "/examples/lessons"]).entries.map(\.path)
    #expect(scripts.count == 10)
    // What is in the program is what is in the examples.
    for (lesson, path) in zip(Lesson.all, scripts) {
      #expect(try ScriptTree.load(path).bytes == lesson.source.bytes)
      #expect(path.hasSuffix(lesson.source.name))
    }
    #expect(Lesson.all.map(\.number) == Array(1...10))
    for lesson in Lesson.all {
      #expect(lesson.steps.count { $0.task != nil } >= 6, "\(lesson.title)")
      // The last hint is the answer, or as good as it.
      for step in lesson.steps where step.task != nil {
        #expect(step.hints.last == step.typed || step.hints.last?.contains("->") == true)
      }
    }
  }

  @Test(arguments: Lesson.all.map(\.number))
  func whoTypesWhatIsMeantGetsThrough(_ number: Int) throws {
    let lesson = Lesson.all[number - 1]
    let tasks = lesson.steps.filter { $0.task != nil }
    let output = try say(["lesson \(number)"] + tasks.map(\.typed) + ["quit lesson"])
    #expect(count("\nYes.\n", in: output) == tasks.count, "\(output)")
    #expect(output.contains("That was lesson \(number)."))
    #expect(output.hasSuffix("back from lesson \(number); 'lesson' lists them\n"))
  }

  /// Other names, and numbers in another base: only what a line does counts.
  @Test(arguments: Lesson.all.map(\.number))
  func whoWritesItInAnotherWayGetsThrough(_ number: Int) throws {
    let lesson = Lesson.all[number - 1]
    let tasks = lesson.steps.filter { $0.task != nil }
    let own = Set(tasks.flatMap(\.names))
    let lines = tasks.map { Self.inOtherWords($0.typed, own) }
    let output = try say(["lesson \(number)"] + lines + ["quit lesson"])
    #expect(count("\nYes.\n", in: output) == tasks.count, "\(lines)\n\(output)")
    // What the lesson does itself it does with the person's names.
    if number == 1 { #expect(output.contains("\n  destroy $my_vm\n")) }
  }

  private static func inOtherWords(_ line: String, _ names: Set<String>) -> String {
    let source = SourceFile(name: "", text: line)
    var edits: [TextEdit] = []
    let tokens = Lexer.tokenize(source).0.tokens
    for (index, token) in tokens.enumerated() {
      let text = source.text(token.span)
      let previous = index > 0 ? tokens[index - 1].kind : .newline
      switch token.kind {
      case .variable where names.contains(String(text.dropFirst())):
        edits.append(TextEdit(token.span, "$my_" + text.dropFirst()))
      case .word where names.contains(text) && (index == 0 || previous == .question):
        edits.append(TextEdit(token.span, "my_" + text))
      case .number where text.hasPrefix("0x"):
        if let value = UInt64(text.dropFirst(2), radix: 16) {
          edits.append(TextEdit(token.span, String(value)))
        }
      default: break
      }
    }
    return String(decoding: TextEdit.applied(edits, to: source), as: UTF8.self)
  }

  /// Something else is taken back, what does nothing is nothing, and the lesson waits.
  @Test(arguments: Lesson.all.map(\.number))
  func whoErrsIsToldAndGetsThrough(_ number: Int) throws {
    let lesson = Lesson.all[number - 1]
    let tasks = lesson.steps.filter { $0.task != nil }
    var lines = ["lesson \(number)"]
    for (index, task) in tasks.enumerated() {
      lines += index % 2 == 0 ? ["_spare = mem alloc 8K"] : ["xyzzy", "destroy id:77", "show names"]
      lines.append(task.typed)
    }
    let output = try say(lines)
    #expect(count("\nYes.\n", in: output) == tasks.count, "\(output)")
    #expect(count("That does something else than the lesson asks for", in: output) == (tasks.count + 1) / 2)
    #expect(count("Taken back, so that the lesson can go on.", in: output) == (tasks.count + 1) / 2)
  }

  @Test(arguments: Lesson.all.map(\.number))
  func whoOnlyLooksOnGetsThrough(_ number: Int) throws {
    let tasks = Lesson.all[number - 1].steps.filter { $0.task != nil }
    let output = try say(
      ["lesson \(number)"] + tasks.indices.map { $0 % 2 == 0 ? "show me" : "skip" } + [
        "skip", "show me", "hint",
      ])
    #expect(output.contains("That was lesson \(number)."))
    #expect(count("the lesson is over", in: output) == 3)
  }

  @Test func helpsOnTheWay() throws {
    let output = try say([
      "lesson 1", "hint", "hint", "hint", "lesson", "ioas create", "buf = ioas create", "space = ioas create",
      "undo", "back", "vm = ioas create", "hint",
    ])
    #expect(output.contains("an object is made by its kind and the word 'create'."))
    #expect(output.contains("\nvm = ioas create\n"))
    #expect(output.contains("there is no other hint"))
    #expect(output.contains("needs a name for it: vm = ..."))
    #expect(output.contains("'buf' is the lesson's name for something that comes later"))
    #expect(output.contains("taken back: space = ioas create"))
    #expect(output.contains("this is the beginning"))
    #expect(count("memory is got with 'mem alloc', its size, and fill=seq.\n", in: output) == 1)
  }

  @Test func goesBackAsOftenAsOneLikes() throws {
    let tasks = Lesson.all[0].steps.filter { $0.task != nil }.map(\.typed)
    // To the end, back to the beginning over what the lesson does itself, and to the end once more.
    let output = try say(
      ["lesson 1"] + tasks + Array(repeating: "back", count: tasks.count) + ["back"] + tasks)
    #expect(count("\nYes.\n", in: output) == 2 * tasks.count)
    #expect(count("That was lesson 1.", in: output) == 2)
    #expect(count("this is the beginning", in: output) == 1)
    let undone = try say(["lesson 1"] + tasks + ["undo", "undo 3", "redo", "load x"] + tasks.suffix(4))
    #expect(count("'redo' is not for lessons", in: undone) == 1)
    #expect(count("That was lesson 1.", in: undone) == 2)
  }

  @Test func theSessionComesBack() throws {
    let (output, prompts) = try talk([
      .line("mine = ioas create"), .line("lesson 2"), .line("show names"), .end, .line("show names"),
      .line("lesson 3"), .line("lesson 1"), .line("quit lesson"), .line("lesson 11"), .line("lesson one"),
      .end,
      .end,
    ])
    #expect(prompts[1] == "iofd 7.2/mock*> ")
    #expect(prompts[2] == "lesson 2 (1/7)> ")
    #expect(prompts[4] == "iofd 7.2/mock*> ")
    #expect(count("mine = $mine", in: output) == 1)
    #expect(count("there is no lesson", in: output) == 2)
    // What is left unsaved is what was typed outside.
    #expect(output.contains("1 statement is not saved"))
  }

  @Test func throughAPipeItIsTheSame() throws {
    let tool = try Tool()
    let outcome = try tool.run(["-i"], input: "lesson 1\nvm = ioas create\nhint\n")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("\nYes.\n"))
    #expect(outcome.output.hasSuffix("back from lesson 1; 'lesson' lists them\n"))
  }

  @Test func whatIsNoLessonIsTold() {
    func mistake(_ text: String) -> String? {
      do throws(Lesson.Mistake) {
        _ = try Lesson(SourceFile(name: "a", text: text))
        return nil
      } catch { return error.why }
    }
    let head = "iofd 1\n# Lesson 1: a. \n# Teaches: b.\n\n"
    let end = "\n# On your own: try.\n"
    #expect(mistake(head + "# Try: it.\n# Hint: so.\nvm = ioas create\n" + end) == nil)
    #expect(mistake("iofd 1\n# Teaches: b.\n\nvm = ioas create\n" + end)?.contains("begins with") == true)
    #expect(mistake(head + "# Try: it.\nvm = ioas create\n" + end) == "something to try, and no hint")
    #expect(mistake(head + "# Hint: it.\nvm = ioas create\n" + end) == "a hint, and nothing to try")
    #expect(mistake(head + "vm = ioas create\n")?.contains("On your own") == true)
    #expect(mistake(head + "vm = \n" + end) != nil)
  }
}
