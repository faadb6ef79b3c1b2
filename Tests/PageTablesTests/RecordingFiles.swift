// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A file beside the tests, as bytes.
func contents(_ path: String) throws -> [UInt8] {
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

struct Missing: Error { let path: String }

/// Names of the recordings, without `.txt`, sorted. They are in a folder beside this one.
func recordingNames() throws -> [String] {
  let path = recordingFolder
  guard let directory = opendir(path) else { throw Missing(path: path) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name.hasSuffix(".txt") { names.append(String(name.dropLast(4))) }
  }
  return names.sorted()
}

let recordingFolder: String = {
  var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  parts.removeLast(2)
  return parts.joined(separator: "/") + "/DriverTraces"
}()
