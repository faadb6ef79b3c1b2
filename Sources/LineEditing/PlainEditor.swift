// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Lines from a descriptor as they come, without editing: for pipes and for tests.
public final class PlainEditor: LineEditor {
  private let descriptor: Int32
  /// Gets the prompts; nil for silence.
  private let prompts: ((String) -> Void)?
  private var buffer: [UInt8] = []
  private var isAtEnd = false
  /// What was worth remembering, oldest first.
  public private(set) var history: [String] = []

  public init(descriptor: Int32 = 0, prompts: ((String) -> Void)? = nil) {
    self.descriptor = descriptor
    self.prompts = prompts
  }

  public func addHistory(_ entry: String) { history.append(entry) }

  public func readLine(prompt: String) -> LineInput {
    prompts?(prompt)
    var searched = 0
    while true {
      if let end = buffer[searched...].firstIndex(of: 0x0A) {
        let line = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeSubrange(...end)
        return .line(line)
      }
      searched = buffer.count
      if isAtEnd {
        guard !buffer.isEmpty else { return .end }
        defer { buffer = [] }
        return .line(String(decoding: buffer, as: UTF8.self))
      }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { return .interrupted }
      if count <= 0 { isAtEnd = true } else { buffer += chunk[..<count] }
    }
  }
}
