// SPDX-License-Identifier: GPL-3.0-or-later
public import Interpreter
public import Language

/// Files beside the script, for `include` and `file(...)`.
public struct DiskLoader: ScriptLoader, Sendable {
  public init() {}

  public func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    let place = Self.joined(path, to: origin)
    do throws(FileFailure) {
      let bytes = try HostFile.read(place, limit: Limits.valueBytes)
      return SourceFile(name: HostFile.resolved(place), bytes: bytes)
    } catch {
      throw LoadError(error.reason)
    }
  }

  /// `path` as seen from the directory of `origin`; what has no file is seen from the current directory.
  public static func joined(_ path: String, to origin: String?) -> String {
    guard !path.hasPrefix("/"), let origin, let slash = origin.lastIndex(of: "/") else { return path }
    return String(origin[...slash]) + path
  }
}
