// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// Whether two histories make the same requests and get the same answers.
///
/// Where memory lies, and which number a descriptor has, is each program's own affair. Everything else of a struct
/// counts: what was sent, as far as the kernel reads it, and what came back.
public enum RequestComparison {
  /// The first difference, in words; nil where there is none.
  public static func difference(_ a: [LoggedCall], _ b: [LoggedCall]) -> String? {
    let (first, second) = (requests(a), requests(b))
    for (index, (x, y)) in zip(first, second).enumerated() {
      if let what = difference(x, y) { return "request \(index + 1): \(what)" }
    }
    guard first.count == second.count else {
      return "\(first.count) requests became \(second.count)"
    }
    return nil
  }

  private static func requests(_ calls: [LoggedCall]) -> [LoggedRequest] {
    calls.compactMap { call in
      if case .ioctl(let request) = call { request } else { nil }
    }
  }

  private static func difference(_ a: LoggedRequest, _ b: LoggedRequest) -> String? {
    guard a.request == b.request else {
      return "0x\(String(a.request, radix: 16)) became 0x\(String(b.request, radix: 16))"
    }
    let name = a.structure?.name ?? "0x\(String(a.request, radix: 16))"
    if a.errno != b.errno {
      return "\(name) answers \(b.errno?.name ?? "ok") instead of \(a.errno?.name ?? "ok")"
    }
    if case .success(let x) = a.result, case .success(let y) = b.result, x != y,
      a.structure?.returnsDescriptor != true
    {
      return "\(name) returns \(y) instead of \(x)"
    }
    // A struct of VFIO's may end where all that follows is 0.
    let mayEndEarly = CommandTable.row(request: a.request)?.family == .vfioDevice
    guard mayEndEarly || a.sent.count == b.sent.count else {
      return "\(name) has \(b.sent.count) bytes instead of \(a.sent.count)"
    }
    func byte(_ bytes: [UInt8], _ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
    let longer = a.sent.count >= b.sent.count ? a : b
    let own = ownPlaces(longer)
    for index in (mayEndEarly ? 4 : 0)..<max(longer.sent.count, mayEndEarly ? 4 : 0) where !own[index] {
      if byte(a.sent, index) != byte(b.sent, index), !isOutput(longer, index) {
        return "\(name) sends another byte at \(index)"
      }
      if byte(a.received, index) != byte(b.received, index), a.errno == nil {
        return "\(name) answers another byte at \(index)"
      }
    }
    return nil
  }

  /// Bytes of pointers and descriptors.
  private static func ownPlaces(_ request: LoggedRequest) -> [Bool] {
    var own = [Bool](repeating: false, count: request.sent.count)
    for field in request.structure?.fields ?? [] {
      switch field.meaning {
      case .userPointer, .fileDescriptor:
        for index in field.offset..<field.offset + field.size where index < own.count { own[index] = true }
      default: break
      }
    }
    return own
  }

  /// A byte of a field that the kernel only writes.
  private static func isOutput(_ request: LoggedRequest, _ index: Int) -> Bool {
    request.structure?.fields.contains {
      $0.direction == .output && $0.offset <= index && index < $0.offset + $0.size
    } ?? false
  }
}
