// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// What `iofd lint` reports of scripts that are valid: most likely mistakes, and what a reader stumbles over. Codes are
// stable; the explanation is the page of `iofd explain CODE`, the example a script that gets it, which tests run.

extension DiagnosticCode {
  /// All of the lint's codes, `L....`.
  public static let lint: [DiagnosticCode] = [
    .testWithoutExpectation, .duplicateName, .unusedProcedure, .unusedThread, .conditionNeverHolds,
    .conditionAlwaysHolds, .namedNumber, .lostBinding, .repeatedOutcome, .emptyExpectation, .emptyBlock,
    .lateRequirement, .missingVersion, .uselessAllowance,
  ]

  static let testWithoutExpectation = DiagnosticCode(
    "L0001", "A test that cannot fail", severity: .warning,
    explanation:
      "No statement of the test can fail: there is no command that must succeed or end as its line says, and no "
      + "expect. A command with ? in front may end as it likes. Say what is expected, or remove the test.",
    example: "test \"maps\" {⏎  ? ioas create⏎}")

  static let duplicateName = DiagnosticCode(
    "L0002", "Two of the same name", severity: .warning,
    explanation:
      "Reports tell tests and sections by their names, and --filter chooses them by name. A label that a test has twice "
      + "was most likely meant to be another one.",
    example: "section \"maps\"⏎ioas create⏎section \"maps\"⏎ioas create")

  static let unusedProcedure = DiagnosticCode(
    "L0003", "A procedure that nobody calls", severity: .warning,
    explanation:
      "Nothing in the script calls it, and a file that includes the script cannot. Remove it, or begin its name with _ "
      + "to say that this is meant.",
    example: "def setup() {⏎  ioas create⏎}⏎ioas create")

  static let unusedThread = DiagnosticCode(
    "L0004", "A thread that never gets the turn", severity: .warning,
    explanation:
      "The statements of a thread run when run or explore gives it the turn. Nothing does, so none of them ever runs. "
      + "A name that begins with _ says that this is meant.",
    example: "thread a {⏎  ioas create⏎}⏎ioas create")

  static let conditionNeverHolds = DiagnosticCode(
    "L0005", "A condition that never holds here", severity: .warning,
    explanation:
      "On no kernel, backend and target does the condition hold together with what is known at this place: the "
      + "require statements, the conditions around it, and the earlier arms of the same if or the earlier choices "
      + "of the same expectation. What depends on it never runs.",
    example: "require kernel>=6.15⏎[kernel<6.10] ioas create⏎ioas create")

  static let conditionAlwaysHolds = DiagnosticCode(
    "L0006", "A condition that always holds here", severity: .warning,
    explanation:
      "Wherever the statement is reached, the condition holds, by the require statements and the conditions around "
      + "it. It looks as if something were chosen, and nothing is.",
    example: "require kernel>=6.15⏎[kernel>=6.13] ioas create")

  static let namedNumber = DiagnosticCode(
    "L0007", "A number that has a name", severity: .warning,
    explanation:
      "The place takes words, and the number is the value of one of them. The word says what is meant.",
    example: "vm = ioas create⏎request OPTION option_id=1 object_id=$vm op=SET val64=0")

  static let lostBinding = DiagnosticCode(
    "L0008", "A binding that is lost before anything reads it", severity: .warning,
    explanation:
      "The name is bound again by a later statement of the same block, and nothing in between reads it. Either the "
      + "first binding can go, or something was to use it, or the second was to have another name.",
    example: "vm = ioas create⏎vm = ioas create⏎destroy $vm")

  static let repeatedOutcome = DiagnosticCode(
    "L0009", "The same outcome twice", severity: .warning,
    explanation:
      "An outcome that is among the choices already adds nothing; another one may have been meant.",
    example: "destroy id:9 -> ENOENT|ENOENT")

  static let emptyExpectation = DiagnosticCode(
    "L0010", "An expectation that no run can change", severity: .warning,
    explanation:
      "Both sides are written in the script, or both are the same, so it holds always or never, whatever the model does.",
    example: "vm = ioas create⏎expect $vm.id = $vm.id")

  static let emptyBlock = DiagnosticCode(
    "L0011", "A block without a statement", severity: .warning,
    explanation:
      "Nothing runs. Only explore may have an empty block: its invariants are looked at all the same.",
    example: "for i in 1...3 {⏎}⏎ioas create")

  static let lateRequirement = DiagnosticCode(
    "L0012", "A requirement behind statements that it is about", severity: .warning,
    explanation:
      "require and a lone xfail are about the whole file or test, wherever they stand: where a require does not hold, "
      + "what stands above it does not run either. At the top they say so to the reader.",
    example: "ioas create⏎require kernel>=6.15⏎ioas create")

  static let missingVersion = DiagnosticCode(
    "L0013", "A script that does not say its language", severity: .note,
    explanation:
      "Without the line iofd 1 at its top a script means the newest language there is, and a later version may read it "
      + "in another way.",
    example: "ioas create")

  static let uselessAllowance = DiagnosticCode(
    "L0014", "A comment that silences nothing", severity: .warning,
    explanation:
      "# lint: allow CODE silences a rule: behind a statement for its line, on a line of its own for the statement that "
      + "follows, with the blocks in it. Several codes are separated by commas, and a reason may follow. This one is "
      + "not of that form, or nothing is reported there by that code.",
    example: "ioas create  # lint: allow L0001")
}
