// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Testing

@testable internal import Interpose

/// The filter, carried out by an interpreter that knows as much of classic BPF as seccomp allows it to use.
@Suite("The system call filter")
struct SystemCallFilterTests {
  static let events: ClosedRange<Int32> = 960...1023

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let number: Int32
    var arguments: [UInt64] = []
    let isSeen: Bool
    var testDescription: String {
      "\(name)(\(arguments.map { String($0, radix: 16) }.joined(separator: ", ")))"
    }
  }

  static let rows: [Row] = {
    var rows = [
      Row(name: "open", number: __NR_open, isSeen: true),
      Row(name: "creat", number: __NR_creat, isSeen: true),
      Row(name: "openat", number: __NR_openat, isSeen: true),
      Row(name: "openat2", number: __NR_openat2, isSeen: true),
      Row(name: "access", number: __NR_access, isSeen: true),
      Row(name: "faccessat", number: __NR_faccessat, isSeen: true),
      Row(name: "faccessat2", number: __NR_faccessat2, isSeen: true),
      Row(name: "stat", number: __NR_stat, isSeen: true),
      Row(name: "lstat", number: __NR_lstat, isSeen: true),
      Row(name: "newfstatat", number: __NR_newfstatat, arguments: [0, 1, 2, 0], isSeen: true),
      Row(name: "newfstatat", number: __NR_newfstatat, arguments: [0, 1, 2, 0x100], isSeen: true),
      Row(name: "newfstatat", number: __NR_newfstatat, arguments: [0, 1, 2, 0x1000], isSeen: false),
      Row(name: "statx", number: __NR_statx, arguments: [0, 1, 0, 0x7FF], isSeen: true),
      Row(name: "statx", number: __NR_statx, arguments: [0, 1, 0x1000, 0x7FF], isSeen: false),
      Row(name: "mmap", number: __NR_mmap, arguments: [0, 4096, 3, 0x1, 5], isSeen: true),
      Row(name: "mmap", number: __NR_mmap, arguments: [0, 4096, 3, 0x22, 5], isSeen: false),
      Row(name: "close", number: __NR_close, arguments: [1000], isSeen: false),
      Row(name: "futex", number: __NR_futex, isSeen: false),
      Row(name: "execve", number: __NR_execve, isSeen: false),
      Row(name: "none", number: 100_000, isSeen: false), Row(name: "none", number: -1, isSeen: false),
    ]
    for (request, isSeen) in [
      (0x3B80, true), (0x3BA0, true), (0x3B64, true), (0x3B00, true), (0xC008_3B80, true),
      // A number of iommufd's with another type; of KVM none.
      (0x4B80, true), (0x1194, true), (0x11A0, true), (0x11A1, false), (0x1164, false), (0x5401, false),
      (0xAE80, false), (0xAEA0, false), (0, false), (0xFFFF_FFFF, false), (0x3B80 | 1 << 40, true),
    ] as [(UInt64, Bool)] {
      rows.append(Row(name: "ioctl", number: __NR_ioctl, arguments: [3, request], isSeen: isSeen))
    }
    for (name, number) in [
      ("read", __NR_read), ("readv", __NR_readv), ("pread64", __NR_pread64), ("preadv", __NR_preadv),
      ("preadv2", __NR_preadv2), ("write", __NR_write), ("writev", __NR_writev), ("pwrite64", __NR_pwrite64),
      ("pwritev", __NR_pwritev), ("pwritev2", __NR_pwritev2), ("dup", __NR_dup), ("dup2", __NR_dup2),
      ("dup3", __NR_dup3), ("fcntl", __NR_fcntl),
    ] {
      for (descriptor, isSeen) in [
        (0, false), (959, false), (960, true), (1000, true), (1023, true), (1024, false),
        (0xFFFF_FFFF, false),
        // The kernel looks at the lower half only, and so does the filter.
        (1000 | 1 << 32, true),
      ] as [(UInt64, Bool)] {
        rows.append(Row(name: name, number: number, arguments: [descriptor, 0x3B80], isSeen: isSeen))
      }
    }
    return rows
  }()

  @Test(arguments: rows)
  func seesWhatCouldConcernTheModel(_ row: Row) throws {
    let action = try Self.run(row.number, row.arguments)
    #expect(action == (row.isSeen ? SECCOMP_RET_USER_NOTIF : UInt32(SECCOMP_RET_ALLOW)))
  }

  /// A call of another architecture has other numbers: it is none of ours.
  @Test func looksAtItsOwnArchitectureOnly() throws {
    #expect(try Self.run(__NR_openat, [], architecture: 0x4000_0003) == UInt32(SECCOMP_RET_ALLOW))
  }

  /// Every call that the filter sees has a name here, or the supervisor would let it go on unseen.
  @Test func everyCallThatIsSeenHasAName() throws {
    for number in Int32(0)..<1024 {
      for arguments in [[], [1000, 0x3B80], [3, 0x3B80]] as [[UInt64]]
      where try Self.run(number, arguments) == UInt32(SECCOMP_RET_USER_NOTIF) {
        #expect(SystemCallFilter.Call(number: number) != .other, "call \(number)")
      }
    }
  }

  // MARK: The interpreter

  enum Mistake: Error {
    case fallsOffTheEnd
    case loadsBeyondTheData(UInt32)
    case unknownInstruction(UInt16)
  }

  static func run(_ number: Int32, _ arguments: [UInt64], architecture: UInt32 = iofd_exec_arch()) throws
    -> UInt32
  {
    // struct seccomp_data in words of 32 bits.
    var data: [UInt32] = [UInt32(bitPattern: number), architecture, 0x1000, 0]
    for index in 0..<6 {
      let value = index < arguments.count ? arguments[index] : 0
      data += [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    }
    let program = SystemCallFilter(events: events).withProgram {
      Array(UnsafeBufferPointer(start: $0, count: Int($1)))
    }
    var accumulator: UInt32 = 0
    var place = 0
    while place < program.count {
      let instruction = program[place]
      place += 1
      switch Int32(instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        guard instruction.k % 4 == 0, Int(instruction.k / 4) < data.count else {
          throw Mistake.loadsBeyondTheData(instruction.k)
        }
        accumulator = data[Int(instruction.k / 4)]
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k
      case BPF_JMP | BPF_JEQ | BPF_K:
        place += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
      case BPF_JMP | BPF_JGE | BPF_K:
        place += Int(accumulator >= instruction.k ? instruction.jt : instruction.jf)
      case BPF_JMP | BPF_JGT | BPF_K:
        place += Int(accumulator > instruction.k ? instruction.jt : instruction.jf)
      case BPF_RET | BPF_K: return instruction.k
      default: throw Mistake.unknownInstruction(instruction.code)
      }
    }
    throw Mistake.fallsOffTheEnd
  }
}
