// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import UAPI

/// Hears what an input does, call by call, as it is played: what a fuzzer makes coverage of.
public protocol PlayObserver: AnyObject {
  /// A call was answered; `errno` is nil where it succeeded, and `argument` an ioctl's.
  func answered(_ call: CallName, _ errno: Errno?, argument: UInt64, in memory: any UserMemory)
  /// A function's access came to its end. `rig` is the machine, for another look at the same address.
  func accessed(_ call: CallName, _ request: DMARequest, by function: Int, _ outcome: DMAOutcome, on rig: Rig)
  /// The bench did what it was asked for; `word` says with which result.
  func acted(_ call: CallName, _ word: String)
  /// The input is over and its machine still there.
  func ended(on rig: Rig)
}
