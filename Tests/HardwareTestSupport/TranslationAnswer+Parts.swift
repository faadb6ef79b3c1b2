// SPDX-License-Identifier: GPL-3.0-or-later
public import Hardware

extension TranslationAnswer {
  public var translation: Translation? { if case .translated(let found) = self { found } else { nil } }
  public var address: UInt64? { translation?.address }
  public var abort: Abort? { if case .aborted(let abort) = self { abort } else { nil } }
  /// The manual's fault code; nil when it is no abort.
  public var code: UInt32? { abort?.code }
  public var tag: UInt32? { if case .stalled(let tag) = self { tag } else { nil } }
}
