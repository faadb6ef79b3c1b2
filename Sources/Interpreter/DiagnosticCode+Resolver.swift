// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// What the resolver reports. Codes are stable; the explanation is the page of `iofd explain CODE`, the
// example a script that gets it, which tests run.

extension DiagnosticCode {
  /// All of the resolver's codes, `R....`.
  public static let resolver: [DiagnosticCode] = [
    .unknownVerb, .unknownOption, .unknownWord, .missingSigil, .unknownName, .wrongKind,
    .missingOperand, .tooManyOperands, .conflictingOptions, .unknownErrno, .unknownValue,
    .unknownFunction, .badArguments, .unknownResult, .recursion, .shadowedVerb, .fileNotFound,
    .includeLoop, .missingParameter, .badParameter, .unknownParameter, .outerBinding, .unknownCondition,
    .valueTooLarge, .arithmetic, .tooManyBindings, .badRecord, .expectationOnCall,
    .tooManyProblems, .unusedBinding, .staleExpectedFailure, .badInjection, .wrongEvent,
  ]

  static let unknownVerb = DiagnosticCode(
    "R0001", "There is no such command",
    explanation:
      "A command begins with the words of a verb: ioas create, map, attach. 'iofd explain VERB' "
      + "shows one; a procedure must be defined before it is called.",
    example: "mpa $vm $buf")

  static let unknownOption = DiagnosticCode(
    "R0002", "The command has no such option",
    explanation:
      "Options are key=value or bare words. Every command also takes the fields of its request by "
      + "their C names, and size=.",
    example: "vm = ioas create parrent=1")

  static let unknownWord = DiagnosticCode(
    "R0003", "A bare word that means nothing here",
    explanation:
      "A bare word is a keyword, an option or the name of an enum value, never a variable.",
    example: "vm = ioas create⏎mem alloc 4K as buf⏎map $vm $buf rx")

  static let missingSigil = DiagnosticCode(
    "R0004", "A binding without its $",
    explanation:
      "A name is bound without a sigil and used with one: vm = ioas create, then map $vm.",
    example: "vm = ioas create⏎destroy vm")

  static let unknownName = DiagnosticCode(
    "R0005", "A name that is not bound",
    explanation:
      "A name must be bound by an earlier statement of the same file, test or procedure.",
    example: "destroy $vm")

  static let wrongKind = DiagnosticCode(
    "R0006", "A value of the wrong kind",
    explanation:
      "The command wants another kind of thing here. Sending the number of a value all the same is "
      + "done with any:$name, an object's number is written id:3.",
    example: "mem alloc 4K as buf⏎destroy $buf")

  static let missingOperand = DiagnosticCode(
    "R0007", "Something is missing",
    explanation:
      "The command needs an operand or an option that was not given.",
    example: "vm = ioas create⏎unmap $vm 0x1000")

  static let tooManyOperands = DiagnosticCode(
    "R0008", "An operand too many",
    explanation:
      "The command has no place for this operand.",
    example: "vm = ioas create 3")

  static let conflictingOptions = DiagnosticCode(
    "R0009", "Options that do not go together",
    explanation:
      "Two of the options say different things about the same, or one is given twice.",
    example: "vm = ioas create⏎mem alloc 4K as buf⏎map $vm $buf ro rw")

  static let unknownErrno = DiagnosticCode(
    "R0010", "There is no such errno",
    explanation:
      "Errnos have the names that Linux gives them.",
    example: "destroy id:1 -> ENOEXIST")

  static let unknownValue = DiagnosticCode(
    "R0011", "An enumeration has no such value",
    explanation:
      "The field knows certain words; they are those of the kernel's header without their common "
      + "prefix. A number is always accepted.",
    example: "e = veventq create id:1 type=selfset")

  static let unknownFunction = DiagnosticCode(
    "R0012", "There is no such function",
    explanation:
      "Functions make bytes (fill, seq), look at the state (refs, pins) or convert.",
    example: "size = fil(0, 4K)")

  static let badArguments = DiagnosticCode(
    "R0013", "Arguments that do not fit",
    explanation:
      "A function or a procedure is called with other arguments than it has.",
    example: "size = fill(0)")

  static let unknownResult = DiagnosticCode(
    "R0014", "The command has no such result",
    explanation:
      "A check behind -> names a result of the command or a field of a result.",
    example: "vm = ioas create -> iova=1")

  static let recursion = DiagnosticCode(
    "R0015", "A procedure that would run inside itself",
    explanation:
      "Procedures cannot call themselves, so a script always ends.",
    example: "def again() {⏎  again⏎}")

  static let shadowedVerb = DiagnosticCode(
    "R0016", "A procedure with a name that is taken",
    explanation:
      "A procedure cannot have the name of a command or of another procedure beside it.",
    example: "def map(a) {⏎  destroy $a⏎}")

  static let fileNotFound = DiagnosticCode(
    "R0017", "A file that cannot be read",
    explanation:
      "Paths are relative to the script that names them; the files of the archive tail come first.",
    example: "include \"missing.iofd\"")

  static let includeLoop = DiagnosticCode(
    "R0018", "A script that includes itself",
    explanation:
      "Includes may nest, but not in a circle.",
    example: "")

  static let missingParameter = DiagnosticCode(
    "R0019", "A parameter without a value",
    explanation:
      "A param without a default gets its value from -D name=value or from include ... with.",
    example: "param depth: int")

  static let badParameter = DiagnosticCode(
    "R0020", "A value that the parameter does not take",
    explanation:
      "The value is of another type, or outside of what the parameter allows.",
    example: "param depth: int in 1...4 = 9")

  static let unknownParameter = DiagnosticCode(
    "R0021", "A value for a parameter that does not exist",
    explanation:
      "-D gives values to the script's own parameters.",
    example: "")

  static let outerBinding = DiagnosticCode(
    "R0022", "A name that belongs to another model",
    explanation:
      "A test has a model of its own, and a procedure is called from several: of the file around "
      + "them they see plain values and parameters, not what requests answered.",
    example: "vm = ioas create⏎test \"t\" {⏎  destroy $vm⏎}")

  static let unknownCondition = DiagnosticCode(
    "R0023", "A condition nobody knows",
    explanation:
      "Conditions ask about the machine: kernel>=6.15, backend=mock, mock, bench.",
    example: "require kernle>=6.15")

  static let valueTooLarge = DiagnosticCode(
    "R0024", "A value that does not fit its field",
    explanation:
      "The field has fewer bytes than the value. raw(...) cuts it to the field, max is all ones in "
      + "its width.",
    example: "destroy id:0x100000000")

  static let arithmetic = DiagnosticCode(
    "R0025", "Arithmetic that has no result",
    explanation:
      "Sums are of 64 bits without a sign; what does not fit is not cut silently.",
    example: "n = (1 - 2)")

  static let tooManyBindings = DiagnosticCode(
    "R0026", "More names than results",
    explanation:
      "A command binds its results in their order, the primary one first.",
    example: "a, b = ioas create")

  static let badRecord = DiagnosticCode(
    "R0027", "A record that cannot be used here",
    explanation:
      "Between braces stand fields of the struct, or integers with their width: u32 40; u64 0x1000, "
      + "or raw bytes.",
    example: "ioctl default 0x3b80 { 8 }")

  static let expectationOnCall = DiagnosticCode(
    "R0029", "An expectation about a procedure",
    explanation:
      "A procedure answers nothing; each of its commands says what it expects.",
    example: "def f() {⏎  vm = ioas create⏎}⏎f -> ENOENT")

  static let badInjection = DiagnosticCode(
    "R0050", "An injected failure that cannot be",
    explanation:
      "fail nth=N [at=KIND] { ... } makes one step of its block fail, sweep [at=KIND] { ... } each in turn. "
      + "Neither stands inside the other, and what is expected of the block speaks of its results only: "
      + "kind, what and errno of fail, points and partial of sweep.",
    example: "sweep {⏎  fail nth=1 { ioas create -> ENOMEM }⏎}")

  static let tooManyProblems = DiagnosticCode(
    "R0030", "Too many problems",
    explanation:
      "The rest of the script is not reported; repair these first.",
    example: "")

  static let unusedBinding = DiagnosticCode(
    "R0101", "A name that is never used", severity: .warning,
    explanation:
      "The name can go, or begin with _ to say that this is meant.",
    example: "vm = ioas create")

  static let staleExpectedFailure = DiagnosticCode(
    "R0102", "An announced failure past its day", severity: .warning,
    explanation:
      "An xfail with a day is a promise; after that day it should be looked at.",
    example: "")

  static let wrongEvent = DiagnosticCode(
    "R0060", "There is no such event",
    explanation:
      "A line of 'expect trace' is the name of an event, perhaps with next, not or any in front, and the fields that "
      + "it must have: area-add iova=0x1000.",
    example: "expect trace {⏎  area-ad iova=0x1000⏎}")
}
