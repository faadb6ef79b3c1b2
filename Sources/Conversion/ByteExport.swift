// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import UAPI

/// Writes a history of calls as a fuzzer's bytes, as far as its records reach: a seed need not be the whole story.
enum ByteExport {
  /// Nil for a history that opens no `/dev/iommu`.
  static func exported(_ calls: [LoggedCall]) -> ExportedBytes? {
    var encoder: ByteEncoder?
    var requests: [LoggedRequest] = []
    var leftOut: [(what: String, count: Int)] = []
    func leave(_ what: String) {
      if let known = leftOut.firstIndex(where: { $0.what == what }) {
        leftOut[known].count += 1
      } else {
        leftOut.append((what, 1))
      }
    }
    for call in calls {
      switch call {
      case .open("/dev/iommu", .success(let fd)):
        if encoder == nil { encoder = ByteEncoder(file: fd) } else { leave("another file") }
      case .memfd(let length, false, .success(let fd)):
        if encoder?.addMemFD(fd, length: length) != true { leave("a memfd") }
      case .ioctl(let request):
        if encoder?.add(Self.request(request)) == true {
          requests.append(request)
        } else {
          leave(request.structure?.name ?? "a request that is no row")
        }
      case .close: leave("close")
      case .dup: leave("dup")
      case .read: leave("read")
      case .write: leave("write")
      case .poll: leave("poll")
      case .fork, .switchProcess, .exitProcess: leave("processes")
      case .memlock, .capability: leave("limits and capabilities")
      case .device(let action): leave("\(action)")
      case .note(let text): leave(text)
      case .open, .mmap, .memfd, .truncate, .unmap, .protect: leave("memory and other files")
      case .allocate, .stored, .loaded, .step, .unanswered: break
      }
    }
    return encoder.map { ExportedBytes(program: $0.program, requests: requests, leftOut: leftOut) }
  }

  private static func request(_ request: LoggedRequest) -> ByteEncoder.Request {
    var memory: [Int: [UInt8]] = [:]
    for payload in request.payloads { memory[payload.field.offset] = payload.before }
    return ByteEncoder.Request(
      number: request.request, sent: request.sent, received: request.errno == nil ? request.received : nil,
      result: (try? request.result.get()) ?? -1, memory: memory)
  }
}
