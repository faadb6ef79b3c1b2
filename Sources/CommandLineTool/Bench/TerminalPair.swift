// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A pseudo-terminal: what is written to `master` is typed on the terminal at `path`, what a program writes there can be
/// read from `master`. For those who play the person.
///
/// Source: pty(7), ioctl_tty(2). What the C library has for it (`posix_openpt`) is these calls.
final class TerminalPair {
  let master: Int32
  let path: String

  /// Nil where the host has none.
  init?(columns: UInt16 = 100) {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard master >= 0 else { return nil }
    var (lock, number): (Int32, Int32) = (0, 0)
    guard ioctl(master, Self.setLock, &lock) == 0, ioctl(master, Self.getNumber, &number) == 0 else {
      close(master)
      return nil
    }
    path = "/dev/pts/\(number)"
    resize(columns: columns)
  }

  deinit { close(master) }

  /// `TIOCSPTLCK` and `TIOCGPTN`, which Swift does not see, being made by macros.
  private static let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

  /// Gives the window another width.
  func resize(columns: UInt16) {
    var size = winsize(ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
  }
}
