// SPDX-License-Identifier: GPL-3.0-or-later

/// The extensible-struct rule: how a struct crosses from a caller whose header is older or newer.
///
/// Source: `copy_struct_from_user` in `include/linux/uaccess.h`; reference uapi.md section 1.4.
public enum ExtensibleStruct {
  /// Copies a struct of `userSize` bytes at `address` into `destination` (the kernel's size).
  ///
  /// A shorter caller's tail reads as zero. A longer caller's tail must be readable and zero, and is
  /// looked at before the head is copied.
  ///
  /// - Throws: E2BIG for a non-zero tail, EFAULT for memory that cannot be read.
  public static func copyIn(
    from memory: any UserMemory, at address: UInt64, userSize: Int,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(Errno) {
    let known = destination.count
    if userSize > known {
      try requireZero(memory, at: address &+ UInt64(known), count: userSize - known)
    } else if userSize < known {
      UnsafeMutableRawBufferPointer(rebasing: destination[userSize...]).initializeMemory(
        as: UInt8.self, repeating: 0)
    }
    let head = min(userSize, known)
    let target = UnsafeMutableRawBufferPointer(rebasing: destination[..<head])
    guard memory.copyIn(address, into: target) == head else {
      throw .EFAULT("the struct is not readable", address, UInt64(head))
    }
  }

  /// Requires `count` readable zero bytes; the first byte that is not decides the errno.
  /// Source: `check_zeroed_user` in `lib/usercopy.c`.
  private static func requireZero(_ memory: any UserMemory, at address: UInt64, count: Int) throws(Errno) {
    // A caller may announce 4 GiB; look at it a piece at a time.
    try withUnsafeTemporaryAllocation(byteCount: min(count, 4096), alignment: 8) {
      piece throws(Errno) in
      var position = 0
      while position < count {
        let want = min(piece.count, count - position)
        let got = memory.copyIn(
          address &+ UInt64(position), into: UnsafeMutableRawBufferPointer(rebasing: piece[..<want]))
        if let odd = piece[..<got].firstIndex(where: { $0 != 0 }) {
          throw .E2BIG("a byte beyond the known struct is not zero", UInt64(position + odd))
        }
        guard got == want else {
          throw .EFAULT("the tail of the struct is not readable", address &+ UInt64(position + got))
        }
        position += want
      }
    }
  }
}
