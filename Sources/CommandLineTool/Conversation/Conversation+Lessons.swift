// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Interpreter
internal import Lessons
internal import Runner

// `lesson N`: the prompt explains, waits for a line, and looks at what the line has done.

extension Conversation {
  /// What is typed in a lesson beside statements and the prompt's commands.
  enum LessonWord: String, CaseIterable {
    case hint, skip, back
    case showMe = "show me"
    case quitLesson = "quit lesson"
  }

  /// `lesson`, `lesson 3`.
  func lesson(_ operand: String) {
    if operand.isEmpty {
      guard let course else { return listLessons() }
      output.write("lesson \(course.lesson.number): \(course.lesson.title)\n")
      return askForStep(course)
    }
    guard let number = Int(operand), let lesson = Lesson.all.first(where: { $0.number == number }) else {
      return complain("there is no lesson '\(operand)'", help: "'lesson' lists them")
    }
    do {
      try begin(lesson)
    } catch { complain("cannot make a machine for it: \(error)") }
  }

  private func listLessons() {
    for lesson in Lesson.all {
      output.write(
        "\(lesson.number < 10 ? " " : "")\(lesson.number)  \(lesson.title)\n      \(lesson.summary)\n")
    }
    output.write("'lesson N' begins one, on a fresh machine; this session comes back after it\n")
  }

  private func begin(_ lesson: Lesson) throws {
    let made = try makeCourse(lesson)
    if course == nil { suspended = journal }
    course = made
    journal = made.journal
    output.write("Lesson \(lesson.number): \(lesson.title)\n")
    output.write(
      "  'hint' helps, 'show me' types it, 'skip' and 'back' go on and back, 'quit lesson' leaves.\n")
    goOn(made)
  }

  /// The machine and the session from before the lesson come back.
  func leaveLesson() {
    guard let suspended else { return }
    output.write("back from lesson \(course?.lesson.number ?? 0); 'lesson' lists them\n")
    journal = suspended
    self.suspended = nil
    course = nil
  }

  /// Does what a line says in a lesson; false when it is no word of a lesson.
  func answerInLesson(_ text: String) -> Bool {
    let line = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    guard let course, let word = LessonWord(rawValue: line) else { return false }
    switch word {
    case .hint:
      guard course.step != nil else { return isOver() }
      if let hint = course.nextHint() {
        output.write(Explain.wrapped(hint) + "\n")
      } else {
        output.write("there is no other hint; 'show me' types it\n")
      }
    case .showMe:
      guard let deed = course.doStep() else { return isOver() }
      tell(deed)
      goOn(course)
    case .skip:
      guard let deed = course.doStep() else { return isOver() }
      output.write("done for you: \(deed.statement)\n")
      goOn(course)
    case .back: goBack(course)
    case .quitLesson: leaveLesson()
    }
    return true
  }

  private func isOver() -> Bool {
    output.write("the lesson is over; 'quit lesson' leaves it, 'back' goes back\n")
    return true
  }

  private func goBack(_ course: LessonCourse) {
    do {
      guard try course.back() else {
        output.write("this is the beginning\n")
        return askForStep(course)
      }
      goOn(course)
    } catch { complain("cannot go back: \(error)") }
  }

  /// The session was changed by a command of the prompt: `undo`, `rollback`, `load`.
  func followInLesson() {
    guard let course else { return }
    do {
      if try course.followJournal() { goOn(course) }
    } catch { complain("cannot go back: \(error)") }
  }

  /// Says what a statement was worth.
  func judge(_ course: LessonCourse, from position: Int) {
    let wasOver = course.step == nil
    switch course.judge(from: position) {
    case .done:
      output.write("Yes.\n")
      goOn(course)
    case .over: if !wasOver { _ = isOver() }
    case .nothing: break
    case .otherAnswer(let expected):
      output.write("Not yet: what the lesson asks for answers \(expected). ('hint' helps)\n")
    case .needsName(let name):
      output.write(
        "It works, and what comes later needs a name for it: \(name) = ...\nTaken back; once more, with a name.\n"
      )
    case .wrongName(let own, let meant):
      output.write(
        "It works, and '\(own)' is the lesson's name for something that comes later.\n"
          + "Taken back; call it \(meant), or anything else.\n")
    case .otherEffect(let differences):
      output.write("That does something else than the lesson asks for\(differences.isEmpty ? "." : ":")\n")
      for line in differences.prefix(4) {
        output.write("  \(line.replacing(" became ", with: " is asked for, and it is "))\n")
      }
      if differences.count > 4 { output.write("  and \(differences.count - 4) differences more\n") }
      output.write("Taken back, so that the lesson can go on. 'hint' helps, 'show me' types it.\n")
    }
  }

  // MARK: Telling

  private func goOn(_ course: LessonCourse) {
    for deed in course.goOn() {
      say(deed.prose)
      tell(deed)
    }
    guard let step = course.step else { return finish(course.lesson) }
    say(step.prose)
    askForStep(course)
  }

  private func say(_ paragraphs: [String]) {
    for paragraph in paragraphs { output.write("\n\(Explain.wrapped(paragraph))\n") }
    if !paragraphs.isEmpty { output.write("\n") }
  }

  private func tell(_ deed: LessonCourse.Deed) {
    output.write("  \(deed.statement.split(separator: "\n").joined(separator: "\n  "))\n")
    tell(deed.reply)
  }

  private func askForStep(_ course: LessonCourse) {
    guard let task = course.task else { return finish(course.lesson) }
    output.write(Explain.wrapped("Try: \(task)") + "\n")
  }

  private func finish(_ lesson: Lesson) {
    say(lesson.closing)
    output.write("That was lesson \(lesson.number). The machine stays as it is, for you to try things.\n")
    output.write(Explain.wrapped("On your own: \(lesson.exercise)") + "\n")
    let next = Lesson.all.first { $0.number == lesson.number + 1 }
    output.write(
      next.map { "'lesson \($0.number)' is about \($0.title); " } ?? "It was the last one; ")
    output.write("'quit lesson' goes back to your session.\n")
  }
}
