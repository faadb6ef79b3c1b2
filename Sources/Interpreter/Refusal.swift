// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
public import Language
public import UAPI

/// Why the last request that was refused was refused: the check, what it saw, and where the check stands.
public struct Refusal: Sendable {
  /// The statement as it was written.
  public let statement: String
  /// The errno with its check and values.
  public let errno: Errno
  /// Everything about it as labelled lines: `request`, `check`, `values`, `linux`, `model`, `state`, `bound`.
  public let details: [Diagnostic.Detail]

  /// For people: a heading, and the details below it.
  public var text: String {
    var text = errno.name + (errno.reason.map { ", since \($0)" } ?? "") + "\n"
    let width = details.map(\.label.count).max() ?? 0
    for detail in details {
      let space = String(repeating: " ", count: width - detail.label.count + 2)
      text += "  \(detail.label)\(space)\(detail.text)\n"
    }
    return text
  }
}

extension Executor {
  /// What there is to tell about a refused command. What it says of the state is the state now.
  func explain(_ refused: RefusedCommand) -> Refusal {
    let reason = refused.reason
    let statement = refused.node.place.source.text(refused.node.place.span)
    var details = [Diagnostic.Detail("statement", Self.oneLine(statement))]
    if let (plan, sent) = refused.request {
      details.append(Diagnostic.Detail("request", PlanText(executor: self).request(plan, sent: sent)))
    }
    if reason.check.utf8CodeUnitCount > 0 {
      details.append(Diagnostic.Detail("check", "\(reason.check)"))
    }
    let values = [reason.values.0, reason.values.1, reason.values.2].prefix(Int(reason.valueCount))
    if !values.isEmpty {
      details.append(Diagnostic.Detail("values", values.map { Self.spelled($0) }.joined(separator: ", ")))
    }
    if let plan = refused.request?.plan, let name = plan.row?.name, let handler = KernelHandler.of(name) {
      details.append(Diagnostic.Detail("linux", handler))
    }
    if reason.file.utf8CodeUnitCount > 0 {
      details.append(Diagnostic.Detail("model", "Sources/\(reason.file), line \(reason.line)"))
    }
    if let (plan, sent) = refused.request {
      details += stateDetails(plan, sent, ValueText(executor: self))
    }
    details += boundDetails(refused.command)
    if let meaning = reason.meaning { details.append(Diagnostic.Detail(reason.name, meaning)) }
    return Refusal(statement: statement, errno: reason, details: details)
  }

  /// A value as people look for it: hexadecimal, and decimal where that is another number to the eye.
  private static func spelled(_ value: UInt64) -> String {
    value < 10 ? String(value) : "0x\(String(value, radix: 16)) (\(value))"
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }.joined(separator: " ")
  }
}
