// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner

/// JUnit's XML: a suite for each directory or archive, a test case for each input.
///
/// A suite's head says how its cases ended, which is known at its end: room is left for it, and filled in then.
struct JUnitReplayWriter: ReplayWriter {
  private let file: SpoolFile
  private let times: Bool
  private var head: ReplayHead?
  private var suite: (name: String, sums: Sums)?
  private var room = 0
  /// Of the whole run: the first line.
  private var total = Sums()
  private var totalRoom = 0

  private struct Sums {
    var tests = 0
    var failures = 0
    var errors = 0
    var skipped = 0
    var seconds = 0.0

    /// As wide as it ever gets.
    static let width = 160

    func text(times: Bool) -> String {
      let text =
        "tests=\"\(tests)\" failures=\"\(failures)\" errors=\"\(errors)\" skipped=\"\(skipped)\""
        + (times ? " time=\"\(ReportText.seconds(seconds))\"" : "")
      return text + String(repeating: " ", count: max(0, Self.width - text.utf8.count))
    }
  }

  init(_ file: SpoolFile, times: Bool) {
    self.file = file
    self.times = times
  }

  mutating func began(_ head: ReplayHead) {
    self.head = head
    file.write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"iofd\" ")
    totalRoom = file.offset
    file.write(total.text(times: times) + ">\n")
  }

  mutating func ended(_ result: ReplayResult) {
    if suite?.name != result.container { begin(result.container) }
    let outcome = result.outcome
    count { sums in
      sums.tests += 1
      sums.seconds += result.seconds
      switch JUnitOutcome(outcome.verdict) {
      case .good: break
      case .failure: sums.failures += 1
      case .error: sums.errors += 1
      case .skipped: sums.skipped += 1
      }
    }
    var text =
      "    <testcase classname=\"\(ReportText.xml(result.container))\" name=\"\(ReportText.xml(name(result)))\""
    if times { text += " time=\"\(ReportText.seconds(result.seconds))\"" }
    let message = ReportText.xml(outcome.message ?? outcome.verdict.reason ?? outcome.verdict.word)
    switch JUnitOutcome(outcome.verdict) {
    case .good: text += "/>\n"
    case .skipped:
      text += "><skipped message=\"\(outcome.verdict.word): \(message)\"/></testcase>\n"
    case .failure: text += fault("failure", outcome, message)
    case .error: text += fault("error", outcome, message)
    }
    file.write(text)
  }

  private func fault(_ element: String, _ outcome: ReplayOutcome, _ message: String) -> String {
    ">\n      <\(element) type=\"\(outcome.verdict.word)\" message=\"\(message)\">"
      + ReportText.xml(outcome.signature.map { "\($0) [\($0.id)]\n" } ?? "") + "</\(element)>\n"
      + (outcome.details.isEmpty ? "" : "      <system-out>\(ReportText.xml(outcome.details))</system-out>\n")
      + "    </testcase>\n"
  }

  /// The label without the container, and a short hash.
  private func name(_ result: ReplayResult) -> String {
    let label =
      result.label.hasPrefix(result.container) && result.container != "."
      ? String(result.label.dropFirst(result.container.count + 1)) : result.label
    return result.hash.isEmpty ? label : "\(label) \(result.hash.prefix(8))"
  }

  private mutating func count(_ body: (inout Sums) -> Void) {
    body(&total)
    if var suite {
      body(&suite.sums)
      self.suite = suite
    }
  }

  private mutating func begin(_ name: String) {
    endSuite()
    suite = (name, Sums())
    file.write("  <testsuite name=\"\(ReportText.xml(name))\" ")
    room = file.offset
    file.write(Sums().text(times: times) + ">\n    <properties>\n")
    guard let head else { return }
    for (name, value) in [
      ("tool", head.tool), ("kernel", head.kernel), ("backend", head.backend), ("target", head.target),
      ("options", head.options), ("shard", "\(head.shard.index)/\(head.shard.count)"),
    ] { file.write("      <property name=\"\(name)\" value=\"\(ReportText.xml(value))\"/>\n") }
    file.write("    </properties>\n")
  }

  private func endSuite() {
    guard let suite else { return }
    file.write("  </testsuite>\n")
    file.patch(suite.sums.text(times: times), at: room)
  }

  mutating func finished(_ totals: ReplayTotals) {
    endSuite()
    suite = nil
    file.write("</testsuites>\n")
    file.patch(total.text(times: times), at: totalRoom)
  }
}
