// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// Something that the fuzzer found: a program, made small, and what is wrong with it.
public struct FuzzFinding: Sendable {
  /// `violated IOAS_UNMAP: a page's pin count is the number of mappings that need it`
  public let signature: String
  /// `violated`, `trapped`, `timeout`, ...
  public let verdict: String
  public let message: String
  public let details: String
  /// The input that showed it first, and the smallest one that shows the same.
  public let input: [UInt8]
  public let smallest: [UInt8]
  /// Which execution it was.
  public let execution: Int
  /// Records of the smallest one.
  public let records: Int
  /// The smallest one as a script.
  public let script: String
}
