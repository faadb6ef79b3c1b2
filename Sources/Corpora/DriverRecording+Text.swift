// SPDX-License-Identifier: GPL-3.0-or-later

// Lines of a driver recording, from text and back.

extension DriverRecording {
  static func parse(_ text: String) -> Line? {
    if text.first == "#" { return .comment(text) }
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard let first = words.first else { return nil }
    let rest = words.dropFirst()
    switch first {
    case "step": return .step(request(Array(rest)))
    case "pages":
      var runs: [Run] = []
      guard rest.count % 2 == 0 else { return nil }
      for index in stride(from: rest.startIndex, to: rest.endIndex, by: 2) {
        guard let address = hexadecimal(rest[index]), rest[index + 1].first == "x",
          let pages = UInt64(rest[index + 1].dropFirst())
        else { return nil }
        runs.append(Run(address: address, pages: pages))
      }
      return .pages(runs)
    case "rc":
      guard words.count >= 4, let code = Int(words[1]), words[2] == "errno", let errno = Int(words[3]) else {
        return nil
      }
      return .result(code: code, errno: errno, rest: words[4...].joined(separator: " "))
    case "cmd":
      let numbers = rest.compactMap { hexadecimal($0) }
      return numbers.count == rest.count && !numbers.isEmpty ? .command(numbers) : nil
    case "ctx": return context(Array(rest))
    case "pte": return entry(Array(rest))
    case "dma":
      guard words.count == 3, words[1] == "read" || words[1] == "write", let iova = hexadecimal(words[2])
      else {
        return nil
      }
      return .dma(isWrite: words[1] == "write", iova: iova)
    case "log": return .log(String(text.dropFirst(4)))
    default: return nil
    }
  }

  private static func request(_ words: [Substring]) -> Request {
    let other = Request.other(words.joined(separator: " "))
    var values: [Substring: Substring] = [:]
    for word in words.dropFirst() {
      guard let sign = word.firstIndex(of: "=") else { return other }
      values[word[..<sign]] = word[word.index(after: sign)...]
    }
    func value(_ name: Substring) -> UInt64? { values[name].flatMap { hexadecimal($0) } }
    switch words.first {
    case "map":
      guard values.count == 3, let iova = value("iova"), let length = value("len"),
        let flags = values["flags"].flatMap({ UInt64($0) })
      else { return other }
      return .map(iova: iova, length: length, flags: flags)
    case "unmap":
      guard values.count == 2, let iova = value("iova"), let length = value("len") else { return other }
      return .unmap(iova: iova, length: length)
    case "hwpt_alloc":
      guard values.count == 1, let flags = value("flags") else { return other }
      return .allocateHWPT(flags: flags)
    default: return other
    }
  }

  private static func context(_ words: [Substring]) -> Line? {
    guard let name = words.first else { return nil }
    if name == "registers" {
      var registers: [Register] = []
      for word in words.dropFirst() {
        guard let sign = word.firstIndex(of: "=") else { return nil }
        let digits = word[word.index(after: sign)...]
        guard let value = hexadecimal(digits) else { return nil }
        registers.append(Register(name: String(word[..<sign]), value: value, digits: digits.count))
      }
      return .registers(registers)
    }
    guard words.count >= 3, words[1] == "=" else { return nil }
    let numbers = words[2...].compactMap { hexadecimal($0) }
    return numbers.count == words.count - 2 ? .context(name: String(name), words: numbers) : nil
  }

  private static func entry(_ words: [Substring]) -> Line? {
    guard let sign = words.firstIndex(of: "="), sign >= 2, sign + 1 < words.count, let level = Int(words[0]),
      let raw = hexadecimal(words[sign + 1])
    else { return nil }
    let path = words[1..<sign].compactMap { Int($0) }
    guard path.count == sign - 1 else { return nil }
    let tail = words[(sign + 2)...]
    guard !tail.isEmpty else { return .entry(Entry(level: level, path: path, raw: raw)) }
    guard tail.count == 2, let count = tail.first, count.first == "x", let count = UInt64(count.dropFirst()),
      let step = tail.last, step.first == "+", let step = hexadecimal(step.dropFirst())
    else { return nil }
    return .entry(Entry(level: level, path: path, raw: raw, count: count, step: step))
  }

  private static func hexadecimal(_ word: Substring) -> UInt64? {
    word.first == "+" || word.first == "-" ? nil : UInt64(word, radix: 16)
  }

  fileprivate static func padded(_ value: UInt64, _ width: Int = 16) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension DriverRecording.Line: CustomStringConvertible {
  public var description: String {
    switch self {
    case .step(let request): "step \(request)"
    case .pages(let runs): runs.reduce("pages") { $0 + " \(String($1.address, radix: 16)) x\($1.pages)" }
    case .result(let code, let errno, let rest):
      "rc \(code) errno \(errno)" + (rest.isEmpty ? "" : " " + rest)
    case .command(let words): words.reduce("cmd") { $0 + " " + DriverRecording.padded($1) }
    case .context(let name, let words):
      words.reduce("ctx \(name) =") { $0 + " " + DriverRecording.padded($1) }
    case .registers(let registers): registers.reduce("ctx registers") { $0 + " \($1)" }
    case .entry(let entry): "\(entry)"
    case .dma(let isWrite, let iova): "dma \(isWrite ? "write" : "read") \(String(iova, radix: 16))"
    case .log(let text): "log \(text)"
    case .comment(let text): text
    }
  }
}

extension DriverRecording.Request: CustomStringConvertible {
  public var description: String {
    switch self {
    case .map(let iova, let length, let flags):
      "map iova=\(String(iova, radix: 16)) len=\(String(length, radix: 16)) flags=\(flags)"
    case .unmap(let iova, let length):
      "unmap iova=\(String(iova, radix: 16)) len=\(String(length, radix: 16))"
    case .allocateHWPT(let flags): "hwpt_alloc flags=\(String(flags, radix: 16))"
    case .other(let words): words
    }
  }
}

extension DriverRecording.Register: CustomStringConvertible {
  public var description: String { "\(name)=\(DriverRecording.padded(value, digits))" }
}

extension DriverRecording.Entry: CustomStringConvertible {
  public var description: String {
    let place = path.reduce("pte \(level)") { $0 + " \($1)" }
    let run = count > 1 ? " x\(count) +\(String(step, radix: 16))" : ""
    return "\(place) = \(DriverRecording.padded(raw))\(run)"
  }
}
