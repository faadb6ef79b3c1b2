// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Runner

/// A line on a terminal that says how far a run is:
///
///     41,213 inputs (27 %)  23,118/s  2 findings  0:04 left
public final class ReplayProgress: ReplaySink {
  private let output: ByteOutput
  /// The part of the corpus that has been handed out, from 0 to 1; nil where nobody knows.
  private let done: () -> Double?
  private let begin = Watch.now()
  private var shown: UInt64 = 0
  private var isShown = false
  private var inputs = 0
  private var findings = 0
  private static let interval: UInt64 = 200_000_000

  public init(_ output: ByteOutput, done: @escaping () -> Double?) {
    self.output = output
    self.done = done
  }

  public func began(_ head: ReplayHead) {}

  public func ended(_ result: ReplayResult, isNew: Bool) {
    inputs += 1
    if isNew { findings += 1 }
  }

  public func finished(_ totals: ReplayTotals) { clear() }

  /// Shows the line when it is time to; to be called again and again, whether inputs end or not.
  public func tick() {
    let now = Watch.now()
    guard now &- shown >= Self.interval else { return }
    shown = now
    isShown = true
    output.write("\r\u{1B}[K" + Self.line(inputs, findings, seconds: Double(now &- begin) / 1e9, done()))
    output.flush()
  }

  /// Makes room.
  public func clear() {
    guard isShown else { return }
    isShown = false
    shown = 0
    output.write("\r\u{1B}[K")
    output.flush()
  }

  static func line(_ inputs: Int, _ findings: Int, seconds: Double, _ done: Double?) -> String {
    var text = "\(grouped(inputs)) inputs"
    if let done { text += " (\(Int(done * 100)) %)" }
    if seconds > 0.1 { text += "  \(grouped(Int(Double(inputs) / seconds)))/s" }
    text += "  \(findings) finding\(findings == 1 ? "" : "s")"
    if let done, done > 0.01, seconds > 1 {
      let left = Int(min(seconds / done - seconds, 359_999))
      let (hours, minutes, rest) = (left / 3600, left / 60 % 60, left % 60)
      text += "  " + (hours > 0 ? "\(hours):\(padded(minutes))" : "\(minutes)") + ":\(padded(rest)) left"
    }
    return text
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  private static func grouped(_ number: Int) -> String {
    number < 1000
      ? "\(number)" : grouped(number / 1000) + "," + String(String(1000 + number % 1000).dropFirst())
  }
}
