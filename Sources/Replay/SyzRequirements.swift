// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// What a syzkaller test demands of where it runs, and what there is: one process on a 64-bit x86, no sandbox, each call
/// to its end before the next.
///
/// Source: syzkaller `pkg/runtest`; reference corpora.md section 3.2.
enum SyzRequirements {
  private static let held: Set<String> = ["executor", "norepeat", "sandbox=none", "arch=amd64"]

  /// The first demand that is not met, or nil: `word` has to hold, `-word` must not, `-a,b` not both.
  static func unmet(of image: SyzImage) -> String? {
    for text in image.requirements {
      let isMet =
        text.hasPrefix("-")
        ? !text.dropFirst().split(separator: ",").allSatisfy { held.contains(String($0)) }
        : held.contains(text)
      if !isMet { return text }
    }
    return nil
  }
}
