// SPDX-License-Identifier: GPL-3.0-or-later

// What the fuzzer and its workers say to each other through a pair of pipes. Numbers are little-endian; each message is
// its length in four bytes, and then
//
//     to a worker     effort:u8  input
//                     0xFF  steps:u32  keeps-end:u8  title  input        for a script; all ones are all steps
//     from a worker   calls:u32  features:u32 { feature:u32 }  verdict  script
//                     [signature  message  details]
//
// where a text is its length in four bytes and its UTF-8.

enum TrialMessage {
  /// Longer ones are no message of ours.
  static let longest = 64 << 20

  static func request(_ input: [UInt8], _ effort: TrialEffort) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(input.count + 5)
    append(UInt32(input.count + 1), to: &bytes)
    bytes.append(effort.rawValue)
    bytes += input
    return bytes
  }

  static func request(_ order: FindingScript.Order) -> [UInt8] {
    var body: [UInt8] = [script]
    append(order.steps.map { UInt32(clamping: $0) } ?? .max, to: &body)
    body.append(order.keepsEnd ? 1 : 0)
    append(order.title.joined(separator: "\n"), to: &body)
    body += order.input
    var bytes: [UInt8] = []
    append(UInt32(body.count), to: &bytes)
    return bytes + body
  }

  private static let script: UInt8 = 0xFF

  /// What a worker is asked for; nil for bytes that are no request.
  static func answer(_ body: [UInt8], by trial: any Trial) -> TrialOutcome? {
    var rest = body.dropFirst()
    guard body.first == script else {
      return body.first.flatMap { TrialEffort(rawValue: $0) }.map { trial.run(Array(rest), $0) }
    }
    guard let steps = number(&rest), let keepsEnd = rest.popFirst(), let title = text(&rest) else {
      return nil
    }
    var outcome = TrialOutcome()
    outcome.script =
      trial.script(
        FindingScript.Order(
          input: Array(rest), title: title.split(separator: "\n").map(String.init),
          steps: steps == .max ? nil : Int(steps), keepsEnd: keepsEnd != 0)) ?? ""
    return outcome
  }

  static func reply(_ outcome: TrialOutcome) -> [UInt8] {
    var body: [UInt8] = []
    append(UInt32(clamping: outcome.calls), to: &body)
    append(UInt32(outcome.features.count), to: &body)
    for feature in outcome.features { append(feature, to: &body) }
    append(outcome.verdict, to: &body)
    append(outcome.script, to: &body)
    if let finding = outcome.finding {
      for text in [finding.signature, finding.message, finding.details] { append(text, to: &body) }
    }
    var bytes: [UInt8] = []
    append(UInt32(body.count), to: &bytes)
    return bytes + body
  }

  /// Nil for bytes that are no reply.
  static func outcome(_ body: [UInt8]) -> TrialOutcome? {
    var rest = body[...]
    guard let calls = number(&rest), let count = number(&rest), rest.count / 4 >= Int(count) else {
      return nil
    }
    var outcome = TrialOutcome()
    outcome.calls = Int(calls)
    outcome.features.reserveCapacity(Int(count))
    for _ in 0..<count { if let feature = number(&rest) { outcome.features.append(feature) } }
    guard let verdict = text(&rest), let script = text(&rest) else { return nil }
    outcome.verdict = verdict
    outcome.script = script
    guard !rest.isEmpty else { return outcome }
    guard let signature = text(&rest), let message = text(&rest), let details = text(&rest) else {
      return nil
    }
    outcome.finding = TrialOutcome.Finding(
      verdict: verdict, signature: signature, message: message, details: details)
    return outcome
  }

  private static func append(_ number: UInt32, to bytes: inout [UInt8]) {
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt32(text.utf8.count), to: &bytes)
    bytes += text.utf8
  }

  static func number(_ rest: inout ArraySlice<UInt8>) -> UInt32? {
    guard rest.count >= 4 else { return nil }
    let value = rest.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    rest = rest.dropFirst(4)
    return value
  }

  private static func text(_ rest: inout ArraySlice<UInt8>) -> String? {
    guard let count = number(&rest), rest.count >= Int(count) else { return nil }
    defer { rest = rest.dropFirst(Int(count)) }
    return String(decoding: rest.prefix(Int(count)), as: UTF8.self)
  }
}
