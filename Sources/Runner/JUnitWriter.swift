// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// JUnit's XML: a suite for each script, a test case for each case.
struct JUnitWriter: ReportWriter {
  private let timings: Bool
  private var suites: [(name: String, cases: [RunCase])] = []
  private var properties: [(String, String)] = []

  init(timings: Bool) { self.timings = timings }

  mutating func receive(_ event: RunEvent) {
    switch event {
    case .began(let kernel, let backend, _): properties = [("kernel", kernel), ("backend", backend)]
    case .caseEnded(let result):
      if suites.last?.name != result.script { suites.append((result.script, [])) }
      suites[suites.count - 1].cases.append(result)
    default: break
    }
  }

  var text: String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text +=
      element("testsuites", [("name", "iofd")] + sums(suites.flatMap { $0.cases }), closed: false) + "\n"
    for suite in suites {
      text += "  " + element("testsuite", [("name", suite.name)] + sums(suite.cases), closed: false) + "\n"
      text += "    <properties>\n"
      for (name, value) in properties {
        text += "      " + element("property", [("name", name), ("value", value)], closed: true) + "\n"
      }
      text += "    </properties>\n"
      for result in suite.cases { text += testCase(result) }
      text += "  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  private func sums(_ cases: [RunCase]) -> [(String, String)] {
    func count(_ outcomes: JUnitOutcome...) -> String {
      String(cases.count { outcomes.contains(JUnitOutcome($0.verdict)) })
    }
    var sums = [
      ("tests", String(cases.count)), ("failures", count(.failure)), ("errors", count(.error)),
      ("skipped", count(.skipped)),
    ]
    if timings { sums.append(("time", ReportText.seconds(cases.reduce(0) { $0 + $1.seconds }))) }
    return sums
  }

  private func testCase(_ result: RunCase) -> String {
    var attributes = [
      ("classname", result.script), ("name", result.name.isEmpty ? "script" : result.name),
      ("line", String(result.line)),
    ]
    if timings { attributes.append(("time", ReportText.seconds(result.seconds))) }
    let message = result.message ?? result.verdict.word
    let child: String?
    switch JUnitOutcome(result.verdict) {
    case .good: child = nil
    case .skipped:
      child = element("skipped", [("message", "\(result.verdict.word): \(message)")], closed: true)
    case .failure: child = fault("failure", result, message)
    case .error: child = fault("error", result, message)
    }
    guard let child else { return "    " + element("testcase", attributes, closed: true) + "\n" }
    return "    " + element("testcase", attributes, closed: false) + "\n      \(child)\n    </testcase>\n"
  }

  private func fault(_ name: String, _ result: RunCase, _ message: String) -> String {
    element(name, [("type", result.verdict.word), ("message", message)], closed: false)
      + ReportText.xml(ReportText.details(result)) + "</\(name)>"
  }

  private func element(_ name: String, _ attributes: [(String, String)], closed: Bool) -> String {
    "<\(name)" + attributes.map { " \($0.0)=\"\(ReportText.xml($0.1))\"" }.joined() + (closed ? "/>" : ">")
  }

}

/// JUnit's four.
public enum JUnitOutcome: Sendable {
  case good, failure, error, skipped

  public init(_ verdict: RunVerdict) {
    switch verdict {
    case .passed: self = .good
    case .failed, .violated, .unexpectedPass: self = .failure
    case .skipped, .unsupported, .expectedFailure, .notRun: self = .skipped
    case .trapped, .invalid, .timedOut, .outOfMemory, .interrupted: self = .error
    }
  }
}
