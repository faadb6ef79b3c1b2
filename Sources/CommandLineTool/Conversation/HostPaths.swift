// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Paths of the host, for completion.
enum HostPaths {
  /// Most entries of a directory that are looked at.
  private static let limit = 4096

  /// Paths that go on from one, sorted; directories end in `/`. Hidden files come when their dot is typed.
  static func goingOn(_ path: String) -> [String] {
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    let prefix = path.dropFirst(directory.count)
    guard let stream = opendir(directory.isEmpty ? "." : directory) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while found.count < limit, let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(prefix), name != ".", name != "..", name.first != "." || prefix.first == "." else {
        continue
      }
      var status = stat()
      let isDirectory = stat(directory + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
      found.append(directory + name + (isDirectory ? "/" : ""))
    }
    return found.sorted()
  }
}
