// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc

/// Where descriptors of fault and event queues go.
///
/// The kernel takes the lowest free number. The filter must know from the number alone that a read is one of an
/// event file, or every read of every file would pass by the supervisor: so event files, and their duplicates,
/// get numbers from a range of their own, at the top of the first 1024, below which select(2) works, or of what
/// RLIMIT_NOFILE allows. It is the one thing about descriptors that a program sees differently.
/// An event descriptor that the program moves below the range with dup2, or sends over a socket, can still be
/// polled; reading it is reading a socket.
struct EventDescriptors {
  /// The numbers, which the filter knows.
  let range: ClosedRange<Int32>

  init() {
    let top = Int32(clamping: max(min(iofd_open_files_limit(), 1024), 8))
    range = (top - min(64, top / 2))...(top - 1)
  }

  /// The lowest free number of a process in the range, or nil.
  func free(in process: Int32) -> Int32? {
    var status = stat()
    return range.first { lstat("/proc/\(process)/fd/\($0)", &status) != 0 }
  }
}
