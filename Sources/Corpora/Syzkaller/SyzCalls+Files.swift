// SPDX-License-Identifier: GPL-3.0-or-later

// Calls on any file and on memory. Source: syzkaller `sys/linux/sys.txt`, `sys/linux/auto.txt`.

extension SyzCalls {
  /// AT_FDCWD, as an argument of 64 bits.
  static let currentDirectory: UInt64 = 0xFFFF_FFFF_FFFF_FF9C

  static let files: [SyzCallRow] = [
    .open("iommufd", "/dev/iommu"),
    .open("auto_iommufd_fops_main", "/dev/iommu"),
    .open("vfio", "/dev/vfio/vfio"),
    SyzCallRow(
      "openat", .open, [.descriptor("fd"), .pointer("file", .buffer), .u64("flags"), .u64("mode")],
      result: .descriptor),
    SyzCallRow("close", .close, [.descriptor("fd")]),
    SyzCallRow("dup", .dup, [.descriptor("oldfd")], result: .descriptor),
    SyzCallRow("ioctl", .ioctl, [.descriptor("fd"), .u32("cmd"), .pointer("arg", .buffer)]),
    SyzCallRow(
      "read", .read, [.descriptor("fd"), .pointer("buf", .buffer, .output), .count64("count", of: "buf")]),
    SyzCallRow("write", .write, [.descriptor("fd"), .pointer("buf", .buffer), .count64("count", of: "buf")]),
    SyzCallRow(
      "poll", .poll,
      [
        .pointer("fds", .array(.structure(pollEntry))), .count64("nfds", of: "fds"), .u32("timeout"),
      ]),
    SyzCallRow(
      "mmap", .map,
      [
        SyzField("addr", .pages), .count64("len", of: "addr"), .u64("prot"), .u64("flags"), .descriptor("fd"),
        .u64("offset"),
      ]),
    SyzCallRow("munmap", .unmap, [SyzField("addr", .pages), .count64("len", of: "addr")]),
    SyzCallRow(
      "mprotect", .protect, [SyzField("addr", .pages), .count64("len", of: "addr"), .u64("prot")]),
    SyzCallRow("memfd_create", .makeMemFD, [.pointer("name", .buffer), .u64("flags")], result: .descriptor),
    SyzCallRow("ftruncate", .truncate, [.descriptor("fd"), .u64("len")]),
  ]

  /// `struct pollfd`, 8 bytes.
  private static let pollEntry = SyzStructure([.descriptor("fd"), .u16("events"), .is16("revents", 0)])
}
