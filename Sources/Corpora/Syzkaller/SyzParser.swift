// SPDX-License-Identifier: GPL-3.0-or-later

/// Reads the text of a syzkaller program.
///
///     line     := [ call ] [ "#" rest-of-line ]
///     call     := [ var "=" ] name "(" [ arg { "," arg } ] ")" [ "(" property { "," property } ")" ]
///     property := "fail_nth" ":" int | "async" | "rerun" ":" int
///     arg      := [ "<" var "=>" ] value
///     value    := int | var [ "/" int ] [ "+" int ] | "&" place [ "=" [ "ANY=" ] arg ] | data
///               | "{" [ args ] "}" | "[" [ args ] "]" | "@" ident [ "=" arg ] | "nil" | "AUTO"
///     place    := "AUTO" | "(" int [ "/" int ] ")"
///
/// One character decides which value it is. A comma before a closing bracket is tolerated. A comment line belongs to
/// the call on the next line, unless that line has a comment of its own; any other comment belongs to no call.
///
/// Source: syzkaller `prog/encoding.go`, `Deserialize`; reference corpora.md sections 1.1 to 1.3.
public struct SyzParser {
  /// The whole text, for as long as it is being read; every access is below `lineEnd`.
  let bytes: UnsafeBufferPointer<UInt8>
  /// The next byte, and the end of the line that is being read.
  var position = 0
  var lineEnd = 0
  var lineStart = 0
  var line = 0
  let vocabulary = SyzVocabulary.linux
  private var depth = 0
  private var argumentCount = 0

  private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// The program that `text` is.
  ///
  /// - Throws: the first thing that is not of the grammar, or that goes beyond `SyzLimits`.
  public static func parse(_ text: String) throws(SyzProblem) -> SyzProgram { try parse(Array(text.utf8)) }

  /// The program that these bytes of text are.
  ///
  /// - Throws: the first thing that is not of the grammar, or that goes beyond `SyzLimits`.
  public static func parse(_ bytes: [UInt8]) throws(SyzProblem) -> SyzProgram {
    try parse(bytes[...], firstLine: 1)
  }

  /// A part of a text, which begins with that line.
  static func parse(_ bytes: ArraySlice<UInt8>, firstLine: Int) throws(SyzProblem) -> SyzProgram {
    guard bytes.count <= SyzLimits.textBytes else {
      throw SyzProblem(line: 1, column: 1, "a program has at most \(SyzLimits.textBytes) bytes")
    }
    return try bytes.withUnsafeBufferPointer { bytes throws(SyzProblem) in
      var parser = SyzParser(bytes)
      parser.line = firstLine - 1
      return try parser.program()
    }
  }

  private mutating func program() throws(SyzProblem) -> SyzProgram {
    var program = SyzProgram()
    var pending: String?
    while lineStart <= bytes.count {
      line += 1
      var end = lineStart
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      position = lineStart
      lineEnd = end
      while lineEnd > position, Self.isTrailing(bytes[lineEnd - 1]) { lineEnd -= 1 }
      skipBlanks()
      if let first = current {
        if first == UInt8(ascii: "#") {
          if let pending { program.comments.append(SyzProgram.Comment(before: program.calls.count, pending)) }
          pending = comment()
        } else {
          guard program.calls.count < SyzLimits.calls else {
            throw problem("a program has at most \(SyzLimits.calls) calls")
          }
          var call = try call()
          if let next = current {
            guard next == UInt8(ascii: "#") else { throw problem("nothing but a comment can follow a call") }
            if let pending {
              program.comments.append(SyzProgram.Comment(before: program.calls.count, pending))
            }
            call.comment = comment()
          } else {
            call.comment = pending
          }
          pending = nil
          program.calls.append(call)
        }
      } else if let text = pending {
        program.comments.append(SyzProgram.Comment(before: program.calls.count, text))
        pending = nil
      }
      lineStart = end + 1
    }
    if let pending { program.comments.append(SyzProgram.Comment(before: program.calls.count, pending)) }
    return program
  }

  private static func isTrailing(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }

  /// The rest of the line behind `#`.
  private mutating func comment() -> String {
    position += 1
    skipBlanks()
    defer { position = lineEnd }
    return String(decoding: UnsafeBufferPointer(rebasing: bytes[position..<lineEnd]), as: UTF8.self)
  }

  private mutating func call() throws(SyzProblem) -> SyzCall {
    var column = self.column
    var (name, number) = try callName()
    var binding: String?
    if take("=") {
      binding = name
      column = self.column
      (name, number) = try callName()
    }
    try expect("(")
    var call = SyzCall(name, try arguments(until: ")"), binding: binding)
    call.number = number
    call.line = line
    call.column = column
    if take("(") { call.properties = try properties() }
    return call
  }

  private mutating func properties() throws(SyzProblem) -> SyzCall.Properties {
    var properties = SyzCall.Properties()
    while !take(")") {
      let place = position
      switch try identifier("a property") {
      case "async": properties.isAsynchronous = true
      case "fail_nth":
        try expect(":")
        properties.failNth = try integer()
      case "rerun":
        try expect(":")
        properties.rerun = try integer()
      default:
        position = place
        throw problem("a property is fail_nth, async or rerun")
      }
      if take(")") { break }
      try expect(",")
    }
    return properties
  }

  private mutating func arguments(until close: Unicode.Scalar) throws(SyzProblem) -> [SyzArgument] {
    var arguments: [SyzArgument] = []
    guard !take(close) else { return arguments }
    // Most structs and calls have no more.
    arguments.reserveCapacity(8)
    while !take(close) {
      arguments.append(try argument())
      if take(close) { break }
      try expect(",")
    }
    return arguments
  }

  private mutating func argument() throws(SyzProblem) -> SyzArgument {
    guard depth < SyzLimits.nesting else { throw problem("nested deeper than \(SyzLimits.nesting)") }
    guard argumentCount < SyzLimits.arguments else {
      throw problem("a program has at most \(SyzLimits.arguments) arguments")
    }
    depth += 1
    argumentCount += 1
    defer { depth -= 1 }
    let column = self.column
    var binding: String?
    if take("<") {
      binding = try identifier("a variable")
      try expect("=")
      try expect(">")
    }
    return SyzArgument(try value(), binding: binding, line: line, column: column)
  }

  private mutating func value() throws(SyzProblem) -> SyzValue {
    switch current.map(Unicode.Scalar.init) {
    case .some("0"..."9"): return .integer(try integer())
    case "r": return .result(try variable())
    case "&": return try pointer()
    case "'", "\"": return .data(try data())
    case "{":
      position += 1
      skipBlanks()
      return .structure(try arguments(until: "}"))
    case "[":
      position += 1
      skipBlanks()
      return .array(try arguments(until: "]"))
    case "@":
      position += 1
      let name = try identifier("an option")
      return .option(name, take("=") ? try argument() : nil)
    case "n":
      try word("nil")
      return .absent
    case "A":
      try word("AUTO")
      return .automatic
    default: throw problem("expected a value")
    }
  }

  private mutating func variable() throws(SyzProblem) -> SyzVariable {
    var variable = SyzVariable(try identifier("a variable"))
    if take("/") { variable.divisor = try integer() }
    if take("+") { variable.addend = try integer() }
    return variable
  }

  private mutating func pointer() throws(SyzProblem) -> SyzValue {
    try expect("&")
    let place: SyzPlace
    if take("(") {
      let address = try integer()
      place = take("/") ? .range(address, length: try integer()) : .address(address)
      try expect(")")
    } else {
      try word("AUTO")
      place = .automatic
    }
    guard take("=") else { return .pointer(place, nil, isAny: false) }
    let before = position
    var isAny = false
    if current == UInt8(ascii: "A") {
      isAny = try identifier("a value") == "ANY"
      if isAny { try expect("=") } else { position = before }
    }
    return .pointer(place, try argument(), isAny: isAny)
  }
}
