// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import DriverReplay
internal import Glibc
internal import Testing

// Every recording of a real driver in the folder `DriverTraces`, whatever lies there, replayed on the model.

@Suite("Recordings of real drivers, replayed")
struct RecordingTests {
  @Test(arguments: try recordings())
  func everyLineIsTheDrivers(_ name: String) throws {
    let recording = try DriverRecording(contents("\(folder)/\(name)"))
    let outcome = try DriverReplay.run(recording, name: name)
    for difference in outcome.differences.prefix(20) { Issue.record("\(name): \(difference)") }
    #expect(outcome.differences.isEmpty, "\(name): \(outcome.differences.count) differences")
    #expect(outcome.equalLines == outcome.comparedLines)
    for word in ["step", "rc", "ctx", "cmd", "pte"] {
      #expect(outcome.total[word, default: 0] > 0, "no \(word)")
    }
    print("\(name): \(outcome.equalLines) of \(outcome.comparedLines) lines equal")
  }

  private static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(2)
    return parts.joined(separator: "/") + "/DriverTraces"
  }()
  private var folder: String { Self.folder }

  /// Names of the recordings of hardware that the model has a driver for, sorted.
  private static func recordings() throws -> [String] {
    guard let directory = opendir(folder) else { throw Missing(path: folder) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".txt"), DriverReplay.canReplay(try DriverRecording(contents("\(folder)/\(name)"))) {
        names.append(name)
      }
    }
    return names.sorted()
  }

  private struct Missing: Error { let path: String }

  private static func contents(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw Missing(path: path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
  private func contents(_ path: String) throws -> [UInt8] { try Self.contents(path) }
}
