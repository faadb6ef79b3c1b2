// SPDX-License-Identifier: GPL-3.0-or-later

/// Every limit of the language in one place.
///
/// A script is input like any other: nothing in it may cost unbounded memory, stack or time. What goes
/// beyond a limit is a diagnostic that names the limit; none of these is ever reached by a trap.
public enum Limits {
  /// Largest script, in bytes.
  public static let fileBytes = 16 << 20
  /// Longest line, in bytes, without its line end.
  public static let lineBytes = 1 << 20
  /// Most tokens of one script.
  public static let tokens = 2 << 20
  /// Deepest nesting of blocks, brackets and operators, counted together.
  public static let nesting = 64
  /// Most diagnostics a script collects while it is read; the next one says that there are more.
  public static let diagnostics = 20
  /// Most entries of one list, record, argument list or chain of alternatives.
  public static let elements = 65_536
  /// Most rounds of one `for`.
  public static let loopRounds = 1 << 20
  /// Most statements one script executes, all rounds of all loops counted.
  public static let statementsRun = 1 << 26
  /// Deepest chain of `include` and of procedure calls.
  public static let callDepth = 32
  /// Largest value of bytes a script can build (`fill`, `seq`, `random`, `zero`, `file`, `++`), in bytes.
  public static let valueBytes = 64 << 20
}
