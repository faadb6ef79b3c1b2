// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// What one call of a program answered.
public struct SyzAnswer: Sendable, Equatable, CustomStringConvertible {
  public let name: String
  public let outcome: Outcome

  public enum Outcome: Sendable, Equatable {
    case returned(UInt64)
    case failed(Errno)
    /// Nothing was done: the call is not known, or it would touch what is not the program's.
    case unsupported
  }

  /// `ioctl$IOMMU_IOAS_MAP rc=0x0 errno=0`
  public var description: String {
    switch outcome {
    case .returned(let value): "\(name) rc=0x\(String(value, radix: 16)) errno=0"
    case .failed(let errno): "\(name) rc=-1 errno=\(errno.code)"
    case .unsupported: "\(name) not known"
    }
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
