// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// Files of the host, remembered: a statement that is carried out again sees what it saw the first time, whatever has
/// become of the file.
final class RememberingLoader: ScriptLoader {
  struct Load {
    let path: String
    let origin: String?
    let outcome: Result<SourceFile, LoadError>
  }
  private let host: any ScriptLoader
  /// What the statement has read so far.
  private(set) var loads: [Load] = []
  /// What it is to read; nil when it comes from the host.
  private var remembered: [Load]?

  init(_ host: any ScriptLoader) { self.host = host }

  /// The next statement begins.
  func begin(remembering loads: [Load]? = nil) {
    self.loads = []
    remembered = loads
  }

  func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    let known = remembered?.first { $0.path == path && $0.origin == origin }?.outcome
    let outcome = known ?? Result { () throws(LoadError) in try host.load(path, from: origin) }
    loads.append(Load(path: path, origin: origin, outcome: outcome))
    return try outcome.get()
  }
}
