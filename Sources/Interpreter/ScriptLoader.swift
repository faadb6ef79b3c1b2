// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

/// Why a script or a data file cannot be read.
public struct LoadError: Error, Sendable {
  /// `no such file`, completes "cannot read NAME: ...".
  public let reason: String

  public init(_ reason: String) { self.reason = reason }
}

/// Where scripts and their files come from: the disk for the tool, a dictionary for tests.
public protocol ScriptLoader {
  /// The file `path`, relative to the directory of the file `origin` (its `SourceFile.name`).
  ///
  /// - Returns: the bytes under a name that is the same for the same file, however it was reached.
  func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile
}

/// Scripts in memory, by name.
public struct MemoryLoader: ScriptLoader {
  public var files: [String: [UInt8]]

  public init(_ files: [String: [UInt8]] = [:]) { self.files = files }
  public init(texts: [String: String]) { files = texts.mapValues { Array($0.utf8) } }

  public func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    guard let bytes = files[path] else { throw LoadError("no such file") }
    return SourceFile(name: path, bytes: bytes)
  }
}
