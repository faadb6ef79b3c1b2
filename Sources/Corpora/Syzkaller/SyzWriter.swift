// SPDX-License-Identifier: GPL-3.0-or-later

/// Writes a program as syzkaller writes it: one call a line, hexadecimal values, decimal sizes.
///
/// What it writes reads back as the same program. Names and bindings stay as they are; `SyzProgram.renumbered` gives
/// them the canonical ones first.
///
/// Source: syzkaller `prog/encoding.go`, `Serialize`; reference corpora.md sections 1.5 and 1.7.
public struct SyzWriter {
  private var text = ""

  /// The text of `program`, each line ended.
  public static func write(_ program: SyzProgram) -> String {
    var writer = SyzWriter()
    var comments = program.comments[...]
    for (index, call) in program.calls.enumerated() {
      writer.write(&comments, before: index)
      writer.write(call)
    }
    writer.write(&comments, before: .max)
    return writer.text
  }

  /// The text of one value.
  public static func write(_ argument: SyzArgument) -> String {
    var writer = SyzWriter()
    writer.write(argument)
    return writer.text
  }

  /// Comments of no call, each with the empty line that keeps it from the next call.
  private mutating func write(_ comments: inout ArraySlice<SyzProgram.Comment>, before index: Int) {
    while let comment = comments.first, comment.before <= index {
      text += comment.text.isEmpty ? "#\n\n" : "# \(comment.text)\n\n"
      comments.removeFirst()
    }
  }

  private mutating func write(_ call: SyzCall) {
    if let binding = call.binding { text += "\(binding) = " }
    text += call.name
    write(call.arguments, "(", ")")
    let properties = call.properties
    var words: [String] = []
    if properties.failNth != 0 { words.append("fail_nth: \(properties.failNth)") }
    if properties.isAsynchronous { words.append("async") }
    if properties.rerun != 0 { words.append("rerun: \(properties.rerun)") }
    if !words.isEmpty { text += " (\(words.joined(separator: ", ")))" }
    if let comment = call.comment { text += comment.isEmpty ? " #" : " # \(comment)" }
    text += "\n"
  }

  private mutating func write(_ arguments: [SyzArgument], _ open: String, _ close: String) {
    text += open
    for (index, argument) in arguments.enumerated() {
      if index > 0 { text += ", " }
      write(argument)
    }
    text += close
  }

  private mutating func write(_ argument: SyzArgument) {
    if let binding = argument.binding { text += "<\(binding)=>" }
    switch argument.value {
    case .integer(let value): text += Self.hexadecimal(value)
    case .result(let variable):
      text += variable.name
      if variable.divisor != 0 { text += "/\(variable.divisor)" }
      if variable.addend != 0 { text += "+\(variable.addend)" }
    case .pointer(let place, let pointee, let isAny):
      switch place {
      case .automatic: text += "&AUTO"
      case .address(let address): text += "&(\(Self.hexadecimal(address)))"
      case .range(let address, let length):
        text += "&(\(Self.hexadecimal(address))/\(Self.hexadecimal(length)))"
      }
      if let pointee {
        text += isAny ? "=ANY=" : "="
        write(pointee)
      }
    case .data(let data): write(data)
    case .structure(let fields): write(fields, "{", "}")
    case .array(let elements): write(elements, "[", "]")
    case .option(let name, let value):
      text += "@\(name)"
      if let value {
        text += "="
        write(value)
      }
    case .absent: text += "nil"
    case .automatic: text += "AUTO"
    }
  }

  private mutating func write(_ data: SyzData) {
    switch data.notation {
    case .text:
      text += "'"
      for byte in data.bytes {
        if let name = SyzData.named[byte] {
          text += "\\"
          text.unicodeScalars.append(Unicode.Scalar(name))
        } else if (0x20...0x7E).contains(byte) {
          text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
          text += "\\x"
          write(digitsOf: byte)
        }
      }
      text += "'"
    case .hexadecimal:
      text += "\""
      for byte in data.bytes { write(digitsOf: byte) }
      text += "\""
    case .compressed: writeBase64(data.bytes)
    }
    if let size = data.size { text += "/\(size)" }
  }

  private mutating func write(digitsOf byte: UInt8) {
    if byte < 16 { text += "0" }
    text += String(byte, radix: 16)
  }

  private mutating func writeBase64(_ bytes: [UInt8]) {
    text += "\"$"
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group: UInt32 = 0
      for index in 0..<count { group |= UInt32(bytes[start + index]) << UInt32(16 - 8 * index) }
      for index in 0..<4 {
        let digit = SyzBase64.alphabet[Int(group >> UInt32(18 - 6 * index)) & 63]
        text.unicodeScalars.append(index <= count ? Unicode.Scalar(digit) : "=")
      }
    }
    text += "\""
  }

  private static func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
