// SPDX-License-Identifier: GPL-3.0-or-later

/// Every limit of syzkaller programs in one place: none of them is ever reached by a trap.
///
/// Source: syzkaller `prog/prog.go` and `executor/executor.cc` for the number of arguments and the size of the data
/// area; the others are ours and generous.
public enum SyzLimits {
  /// Largest program text, in bytes.
  public static let textBytes = 16 << 20
  /// Most calls of one program; syzkaller itself refuses seeds with more than 40.
  public static let calls = 1_000
  /// Most arguments of one call.
  public static let callArguments = 9
  /// Most arguments, fields and elements of one program, counted together.
  public static let arguments = 1 << 20
  /// Deepest nesting of pointers, structs, arrays and unions, counted together.
  public static let nesting = 64
  /// The memory that a program may use, in bytes.
  public static let areaBytes: UInt64 = 16 << 20
  /// Most bytes that one program stores into its memory, all calls together.
  public static let storedBytes: UInt64 = 64 << 20
  /// Most runs of one call that `rerun` may ask for.
  public static let reruns: UInt64 = 1_000
}
