// SPDX-License-Identifier: GPL-3.0-or-later
public import Views

/// What is alive when a file or a test is over, and before its `defer` blocks clean up.
public struct FrameEnd: Sendable {
  /// The test's name; nil for the file.
  public let test: String?
  public let snapshot: Snapshot
  /// Requests that were made so far.
  public let requests: [RequestRecord]
}
