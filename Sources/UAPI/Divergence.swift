// SPDX-License-Identifier: GPL-3.0-or-later

/// A target that asks several others and compares: once they disagree, what comes after says nothing.
public protocol ComparingTarget: IoctlTarget {
  /// The first disagreement, or nil.
  var divergence: Divergence? { get }
}

/// Where two targets gave different answers to one call.
public struct Divergence: Sendable, CustomStringConvertible {
  /// `IOAS_MAP`, `read`, `mem alloc`
  public let call: String
  /// By target, what it said: `EINVAL (the length is 0)`.
  public let answers: [(target: String, answer: String)]
  /// What differs beside the result, one line each: `iova: model 0x1000, /dev/iommu 0x2000`.
  public let differences: [String]

  public init(call: String, answers: [(target: String, answer: String)], differences: [String]) {
    self.call = call
    self.answers = answers
    self.differences = differences
  }

  /// `IOAS_MAP: model: ok, 0; /dev/iommu: EINVAL; iova: model 0x1000, /dev/iommu 0x0`
  public var description: String {
    let parts = answers.map { "\($0.target): \($0.answer)" } + differences
    return "\(call): " + parts.joined(separator: "; ")
  }
}
