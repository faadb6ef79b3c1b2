// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux

/// The seccomp filter of a program under `iofd exec`: which of its system calls the supervisor sees.
///
/// A filter sees numbers and arguments, no memory, so it cannot tell `/dev/iommu` from another path: every
/// call that names a file passes by the supervisor, which lets it go on. The requests are told by their type and
/// number, mappings by being of a file, and reads and writes by the descriptor: fault and event queues get numbers
/// from a range at the upper end of what the program may have (`EventDescriptors`), which the filter knows.
/// All else goes on in the kernel, untouched.
struct SystemCallFilter {
  private var program: [sock_filter] = []

  /// AT_EMPTY_PATH: the call is about a descriptor.
  private static let emptyPath: UInt32 = 0x1000

  /// - Parameter events: the numbers of descriptors whose reads and writes are wanted.
  init(events: ClosedRange<Int32>) {
    load(offset: 4)
    program.append(Self.jump(BPF_JEQ, iofd_exec_arch(), then: 1, otherwise: 0))
    program.append(Self.finish(SECCOMP_RET_ALLOW))
    load(offset: 0)

    for number in [
      __NR_open, __NR_creat, __NR_openat, __NR_openat2, __NR_access, __NR_faccessat, __NR_faccessat2,
      __NR_stat, __NR_lstat,
    ] { rule(number) { $0.program.append(Self.finish(SECCOMP_RET_USER_NOTIF)) } }
    rule(__NR_newfstatat) { $0.notifyUnless(argument: 3, has: Self.emptyPath) }
    rule(__NR_statx) { $0.notifyUnless(argument: 2, has: Self.emptyPath) }
    rule(__NR_mmap) { $0.notifyUnless(argument: 3, has: 0x20) }  // MAP_ANONYMOUS
    rule(__NR_ioctl) { $0.notifyRequests() }
    for number in [
      __NR_read, __NR_readv, __NR_pread64, __NR_preadv, __NR_preadv2, __NR_write, __NR_writev, __NR_pwrite64,
      __NR_pwritev, __NR_pwritev2, __NR_dup, __NR_dup2, __NR_dup3, __NR_fcntl,
    ] {
      rule(number) {
        $0.load(offset: Self.argument(0))
        $0.program.append(Self.jump(BPF_JGE, UInt32(events.lowerBound), then: 1, otherwise: 0))
        $0.program.append(Self.finish(SECCOMP_RET_ALLOW))
        $0.notify(unless: BPF_JGT, UInt32(events.upperBound))
      }
    }
    program.append(Self.finish(SECCOMP_RET_ALLOW))
  }

  func withProgram<Result>(_ body: (UnsafePointer<sock_filter>, UInt16) -> Result) -> Result {
    program.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("a filter has instructions") }
      return body(base, UInt16(buffer.count))
    }
  }

  // MARK: Instructions

  /// Runs `body`, which ends the program, where the call's number, which is loaded, is `number`.
  private mutating func rule(_ number: Int32, _ body: (inout SystemCallFilter) -> Void) {
    let place = program.count
    program.append(Self.jump(BPF_JEQ, UInt32(number), then: 0, otherwise: 0))
    body(&self)
    program[place].jf = UInt8(program.count - place - 1)
  }

  private mutating func load(offset: UInt32) {
    program.append(sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: offset))
  }

  private mutating func notifyUnless(argument: UInt32, has bits: UInt32) {
    load(offset: Self.argument(argument))
    program.append(Self.and(bits))
    notify(if: BPF_JEQ, 0)
  }

  /// Requests of type 0x3B, and what else iommufd looks at: it knows a request by its number alone before it
  /// compares the type. Of KVM (0xAE) none, whose run request has such a number and is made very often.
  private mutating func notifyRequests() {
    load(offset: Self.argument(1))
    program.append(Self.and(0xFF00))
    program.append(Self.jump(BPF_JEQ, 0x3B00, then: 0, otherwise: 1))
    program.append(Self.finish(SECCOMP_RET_USER_NOTIF))
    program.append(Self.jump(BPF_JEQ, 0xAE00, then: 0, otherwise: 1))
    program.append(Self.finish(SECCOMP_RET_ALLOW))
    load(offset: Self.argument(1))
    program.append(Self.and(0xFF))
    program.append(Self.jump(BPF_JGE, 0x80, then: 1, otherwise: 0))
    program.append(Self.finish(SECCOMP_RET_ALLOW))
    notify(unless: BPF_JGT, 0xA0)
  }

  private mutating func notify(if condition: Int32, _ value: UInt32) {
    program.append(Self.jump(condition, value, then: 0, otherwise: 1))
    program.append(Self.finish(SECCOMP_RET_USER_NOTIF))
    program.append(Self.finish(SECCOMP_RET_ALLOW))
  }

  private mutating func notify(unless condition: Int32, _ value: UInt32) {
    program.append(Self.jump(condition, value, then: 1, otherwise: 0))
    program.append(Self.finish(SECCOMP_RET_USER_NOTIF))
    program.append(Self.finish(SECCOMP_RET_ALLOW))
  }

  /// Offset of the lower half of an argument in `struct seccomp_data`.
  private static func argument(_ index: UInt32) -> UInt32 { 16 + 8 * index }

  private static func jump(_ condition: Int32, _ value: UInt32, then: UInt8, otherwise: UInt8) -> sock_filter
  {
    sock_filter(code: UInt16(BPF_JMP | condition | BPF_K), jt: then, jf: otherwise, k: value)
  }

  private static func and(_ value: UInt32) -> sock_filter {
    sock_filter(code: UInt16(BPF_ALU | BPF_AND | BPF_K), jt: 0, jf: 0, k: value)
  }

  private static func finish(_ action: UInt32) -> sock_filter {
    sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: action)
  }
}

extension SystemCallFilter {
  /// The number of a system call, as far as the supervisor cares.
  enum Call {
    case open, openat, openat2, creat
    case access, faccessat
    case stat, lstat, newfstatat, statx
    case ioctl, mmap
    case read, readv, pread, preadv
    case write, writev, pwrite, pwritev
    case dup, dup2, dup3, fcntl
    case other

    init(number: Int32) {
      self =
        switch number {
        case __NR_open: .open
        case __NR_openat: .openat
        case __NR_openat2: .openat2
        case __NR_creat: .creat
        case __NR_access: .access
        case __NR_faccessat, __NR_faccessat2: .faccessat
        case __NR_stat: .stat
        case __NR_lstat: .lstat
        case __NR_newfstatat: .newfstatat
        case __NR_statx: .statx
        case __NR_ioctl: .ioctl
        case __NR_mmap: .mmap
        case __NR_read: .read
        case __NR_readv: .readv
        case __NR_pread64: .pread
        case __NR_preadv, __NR_preadv2: .preadv
        case __NR_write: .write
        case __NR_writev: .writev
        case __NR_pwrite64: .pwrite
        case __NR_pwritev, __NR_pwritev2: .pwritev
        case __NR_dup: .dup
        case __NR_dup2: .dup2
        case __NR_dup3: .dup3
        case __NR_fcntl: .fcntl
        default: .other
        }
    }
  }
}
