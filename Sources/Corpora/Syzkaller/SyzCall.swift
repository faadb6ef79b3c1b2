// SPDX-License-Identifier: GPL-3.0-or-later

/// One call of a program: `r0 = name(arguments) (properties) # comment`.
public struct SyzCall: Sendable {
  /// The variable that takes the returned value.
  public var binding: String?
  /// With its variant: `ioctl$IOMMU_IOAS_MAP$PAGES`.
  public var name: String {
    didSet { number = nil }
  }
  /// The row of `SyzVocabulary.linux` with that name, where it has been looked up.
  var number: Int32?
  public var arguments: [SyzArgument]
  public var properties: Properties
  /// The comment that belongs to this call; in a test program it names the expected errno.
  public var comment: String?
  /// Where the name begins, from 1; no part of the program (`==` does not look).
  public var line = 0
  public var column = 0

  public init(
    _ name: String, _ arguments: [SyzArgument] = [], binding: String? = nil,
    properties: Properties = Properties(), comment: String? = nil
  ) {
    self.name = name
    self.arguments = arguments
    self.binding = binding
    self.properties = properties
    self.comment = comment
  }

  /// How a call is to be run. Source: syzkaller `prog.CallProps`.
  public struct Properties: Sendable, Equatable {
    /// The point of the call, from 1, at which the kernel is to fail; 0 for none.
    public var failNth: UInt64
    /// The next call need not wait for this one.
    public var isAsynchronous: Bool
    /// How often the call is run again.
    public var rerun: UInt64

    public init(failNth: UInt64 = 0, isAsynchronous: Bool = false, rerun: UInt64 = 0) {
      self.failNth = failNth
      self.isAsynchronous = isAsynchronous
      self.rerun = rerun
    }
  }
}

extension SyzCall: Equatable {
  public static func == (a: SyzCall, b: SyzCall) -> Bool {
    a.binding == b.binding && a.name == b.name && a.arguments == b.arguments && a.properties == b.properties
      && a.comment == b.comment
  }
}
