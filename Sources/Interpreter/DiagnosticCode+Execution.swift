// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// What a run reports. Codes are stable; the explanation is the page of `iofd explain CODE`, the example
// a script that gets it, which tests run.

extension DiagnosticCode {
  /// All codes of a run, `X....`.
  public static let execution: [DiagnosticCode] = [
    .wrongOutcome, .wrongResult, .wrongState, .wrongMemory, .brokenInvariant, .unexpectedPass,
    .valueTooLargeAtRun, .wrongKindAtRun, .arithmeticAtRun, .noSuchMember, .tooManyRounds,
    .tooManyStatements, .timeOut, .noMachine, .noMemory, .callsTooDeep, .divergence, .unknownHardware,
    .staleTranslation, .injectionMissed, .uncleanFailure, .injectionInside, .unknownFailurePoint,
    .wrongTrace,
  ]

  static let wrongOutcome = DiagnosticCode(
    "X0101", "A command ended differently",
    explanation:
      "In a file a command must succeed unless it says otherwise. The message shows what was "
      + "expected and what came, the request as it was sent, the check that refused it, and a line to "
      + "paste if the new outcome is right; 'iofd run --update=accept' pastes it. '-> ?' asks for that, and is "
      + "never what came.",
    example: "vm = ioas create -> EINVAL")

  static let wrongResult = DiagnosticCode(
    "X0102", "A command gave a different result",
    explanation:
      "The outcome was as expected, a result was not.",
    example: "vm = ioas create -> id=7")

  static let wrongState = DiagnosticCode(
    "X0103", "The state is different",
    explanation:
      "An expect statement looked behind the waist and found something else.",
    example: "vm = ioas create⏎expect refs($vm) = 7")

  static let wrongMemory = DiagnosticCode(
    "X0104", "Memory holds something else",
    explanation:
      "mem check found other bytes. The first difference is shown with the sixteen bytes around it.",
    example: "mem alloc 4K as buf⏎mem check $buf \"x\"")

  public static let brokenInvariant = DiagnosticCode(
    "X0105", "The model breaks one of its rules",
    explanation:
      "A rule that must always hold does not. This is a defect of the model, not of the script.",
    example: "")

  static let unknownHardware = DiagnosticCode(
    "X0118", "Hardware that there is not",
    explanation:
      "A kind of IOMMU, an option of it, a bug of a driver or a format of a table has a name that the machine "
      + "does not know. 'iommu kinds' and 'bug kinds' print those that it does.",
    example: "iommu io kind=gart")

  static let staleTranslation = DiagnosticCode(
    "X0119", "A cache outlived a mapping",
    explanation:
      "After the statement an IOMMU or a device still has a translation to a page that is no longer mapped: "
      + "the driver forgot to invalidate it, or invalidated something else. Where that is on purpose, by a bug "
      + "that the script switched on, say '-> stale'.",
    example: "")

  static let injectionMissed = DiagnosticCode(
    "X0140", "A failure that did not happen",
    explanation:
      "fail nth=N makes the N-th fallible step of its block fail, and the block has fewer of them. Every "
      + "allocation and every other step that can fail counts, in the order in which they are passed; at= "
      + "counts only some kinds. 'sweep { ... } -> points=?n' tells how many there are.",
    example: "fail nth=100 {⏎  vm = ioas create⏎}")

  static let uncleanFailure = DiagnosticCode(
    "X0141", "A call did not fail cleanly",
    explanation:
      "A sweep makes each fallible step of each call fail. The call must then be refused with the errno of "
      + "that step, leave everything as it was (objects, mappings, pins, charges, descriptors, what devices "
      + "reach, what drivers have given out), leak nothing, and break no rule. Where Linux promises less, the "
      + "sweep knows. This is a defect of the model, not of the script.",
    example: "")

  static let injectionInside = DiagnosticCode(
    "X0142", "An injected failure inside another",
    explanation:
      "A procedure that is called in a fail or sweep block has one of its own. One failure is made at a time.",
    example: "def f() {⏎  sweep { ioas create }⏎}⏎sweep { f }")

  static let unknownFailurePoint = DiagnosticCode(
    "X0143", "A kind of failure point that there is not",
    explanation:
      "at= takes one of the kinds of failure points, or a list: lookup, alloc, scratch, pin, charge, store, "
      + "access, regions, table, copy, spare, answer.",
    example: "fail nth=1 at=disk {⏎  vm = ioas create⏎}")

  static let unexpectedPass = DiagnosticCode(
    "X0106", "Something passed that was announced to fail",
    explanation:
      "Remove the xfail: it has done its duty.",
    example: "xfail \"no reason\" vm = ioas create")

  static let valueTooLargeAtRun = DiagnosticCode(
    "X0107", "A value that does not fit",
    explanation:
      "A value is larger than its field, or than the limits of the language.",
    example: "for i in 0xffffffff...0x100000000 {⏎  destroy id:$i -> ENOENT⏎}")

  static let wrongKindAtRun = DiagnosticCode(
    "X0108", "A value of the wrong kind",
    explanation:
      "Inside a procedure the kind of a parameter is known only when it runs.",
    example: "def f(x) {⏎  destroy $x⏎}⏎f \"text\"")

  static let arithmeticAtRun = DiagnosticCode(
    "X0109", "Arithmetic that has no result",
    explanation:
      "Sums are of 64 bits without a sign; what does not fit is not cut silently.",
    example: "for i in [0] {⏎  n = ($i - 1)⏎}")

  static let noSuchMember = DiagnosticCode(
    "X0110", "There is no such part",
    explanation:
      "A value has no member of that name or no element of that number.",
    example: "vm = ioas create⏎expect $vm.nonsense = 1")

  static let tooManyRounds = DiagnosticCode(
    "X0111", "A loop with too many rounds",
    explanation:
      "A for may have about a million rounds.",
    example: "for i in 0...max {⏎  destroy id:1 -> ENOENT⏎}")

  static let tooManyStatements = DiagnosticCode(
    "X0112", "Too many statements",
    explanation:
      "A run may carry out about 67 million statements.",
    example: "")

  static let timeOut = DiagnosticCode(
    "X0113", "The script takes too long",
    explanation:
      "The run has a limit in seconds, and it is used up.",
    example: "")

  static let noMachine = DiagnosticCode(
    "X0114", "There is no machine to run on",
    explanation:
      "The target could not be made or opened.",
    example: "")

  static let callsTooDeep = DiagnosticCode(
    "X0116", "Calls that are nested too deep",
    explanation: "Procedures may call each other, at most 32 deep.",
    example: "")

  static let divergence = DiagnosticCode(
    "X0117", "Two targets give different answers",
    explanation:
      "With two targets every call is made on both. Here they disagree, so the case ends: what follows would "
      + "be about two different states. One of the two is wrong, or the script asks what no kernel promises.",
    example: "")

  static let noMemory = DiagnosticCode(
    "X0115", "No memory for a request",
    explanation:
      "The process under test has no memory left for the bytes of a request.",
    example: "")

  static let wrongTrace = DiagnosticCode(
    "X0139", "Something else happened",
    explanation:
      "The lines of 'expect trace' are events in the order in which they must have happened since the last such "
      + "statement. Others may lie between them, except in front of 'next'; 'not' must not lie between its "
      + "neighbours, and lines with 'any' may come in any order.",
    example: "vm = ioas create⏎expect trace {⏎  object-destroy⏎}")
}
