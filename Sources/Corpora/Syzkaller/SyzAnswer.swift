// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// What one call of a program answered.
public struct SyzAnswer: Sendable, Equatable {
  public let name: String
  public let outcome: Outcome

  public enum Outcome: Sendable, Equatable {
    case returned(UInt64)
    case failed(Errno)
    /// Nothing was done: the call is not known, or it would touch what is not the program's.
    case unsupported
  }

  /// The errno that the program saw: 0 for success, nil where nothing was done.
  public var errno: Int32? {
    switch outcome {
    case .returned: 0
    case .failed(let errno): errno.code
    case .unsupported: nil
    }
  }
}
