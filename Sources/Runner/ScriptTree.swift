// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Language

/// Finds the scripts behind the paths of a command line.
///
/// A directory means every `*.iofd` file in it, at any depth, in the order of the bytes of the names; a
/// file named on the command line may be called anything, and `-` is standard input. Symbolic links are
/// followed. Each directory is read once, however many links lead to it, and a link back to a directory
/// it lies in is reported; so no arrangement of links makes the search long or endless.
public struct ScriptTree {
  /// A script, or why there is none.
  public struct Entry: Sendable {
    /// The path as given, or as found below a directory that was given.
    public let path: String
    /// Why it cannot be run; nil for a script.
    public let problem: String?
  }

  public private(set) var entries: [Entry] = []
  private var visited: Set<Identity> = []
  private var ancestors: [(identity: Identity, path: String)] = []

  private struct Identity: Hashable {
    let device: UInt64
    let node: UInt64
  }

  public init(_ paths: [String]) {
    for path in paths { add(path) }
  }

  /// What scripts that come from standard input are called.
  public static let standardInput = "-"

  private mutating func add(_ path: String) {
    if path == Self.standardInput {
      entries.append(Entry(path: path, problem: nil))
      return
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      report(path, errno)
      return
    }
    if status.st_mode & S_IFMT == S_IFDIR {
      search(path, status)
    } else {
      entries.append(Entry(path: path, problem: nil))
    }
  }

  private mutating func search(_ path: String, _ status: stat) {
    let identity = Identity(device: UInt64(status.st_dev), node: UInt64(status.st_ino))
    if let outer = ancestors.first(where: { $0.identity == identity }) {
      entries.append(Entry(path: path, problem: "directory loop: it leads back to \(outer.path)"))
      return
    }
    guard visited.insert(identity).inserted else { return }
    guard let directory = opendir(path) else {
      report(path, errno)
      return
    }
    let names = Self.names(in: directory)
    closedir(directory)
    ancestors.append((identity, path))
    let prefix = path.hasSuffix("/") ? path : path + "/"
    for name in names {
      let child = prefix + name
      var status = stat()
      if stat(child, &status) != 0 {
        // A dangling link is only of interest if it was meant to be a script.
        if Self.isScript(name) || errno == ELOOP { report(child, errno) }
      } else if status.st_mode & S_IFMT == S_IFDIR {
        search(child, status)
      } else if Self.isScript(name) && status.st_mode & S_IFMT == S_IFREG {
        entries.append(Entry(path: child, problem: nil))
      }
    }
    ancestors.removeLast()
  }

  private static func isScript(_ name: String) -> Bool { name.utf8.count > 5 && name.hasSuffix(".iofd") }

  /// Sorted by bytes. Hidden files and directories are left alone.
  private static func names(in directory: OpaquePointer) -> [String] {
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private mutating func report(_ path: String, _ code: Int32) {
    entries.append(Entry(path: path, problem: "cannot read it: \(String(cString: strerror(code)))"))
  }

  /// Reads a script; a script that is too large is cut just above the limit, which the parser reports.
  public static func load(_ path: String) throws(FileFailure) -> SourceFile {
    if path == standardInput {
      return SourceFile(
        name: "<stdin>", bytes: try HostFile.read(0, name: "standard input", limit: Limits.fileBytes))
    }
    return SourceFile(name: path, bytes: try HostFile.read(path, limit: Limits.fileBytes))
  }
}
