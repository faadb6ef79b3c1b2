// SPDX-License-Identifier: GPL-3.0-or-later
internal import Views

/// Looking at the whole machine: what is made of a snapshot.
enum ViewAction {
  case view(View, View.Format)
  case graph(GraphDrawing.Format)
  case space(Code?, SpaceDrawing.Format)
  /// In plain words: an object, or an access of a device.
  case explain(Code, address: Code?, pasid: Code?, writing: Bool)
  /// Keeps the state as a value.
  case snapshot
  /// What is different from a kept state, now or in another one.
  case diff(from: Code, to: Code?)
}

/// A snapshot as a value: it is large, and values are copied.
final class KeptSnapshot: Sendable {
  let snapshot: Snapshot
  init(_ snapshot: Snapshot) { self.snapshot = snapshot }
}
