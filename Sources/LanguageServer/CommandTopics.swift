// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// Words of the uAPI that have pages.
enum CommandTopics {
  /// Requests and test operations.
  static let names = Set(CommandTable.all.map(\.name) + CommandTable.selftestOps.map(\.name))

  static func isErrno(_ word: String) -> Bool { Errno(name: word) != nil }
}
