// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import UAPI

// Linux's fault injection, as a program sees it: a number to be counted down in `/proc/PID/task/TID/fail-nth`, and
// a directory of settings for each kind of failure in debugfs. Here the model's failure points are what is
// counted. Source: Documentation/fault-injection of the kernel, and `should_fail_ex` in `lib/fault-inject.c`.

/// What programs have set up to fail.
final class FaultInjection: @unchecked Sendable {
  private let lock = Lock(.frontEnd)
  private var counts: [Int32: UInt64] = [:]
  private var directory: String?

  /// The kinds of failures that the model's points belong to, with what each directory holds by default.
  private static let settings: [(name: String, files: [(String, String)])] = {
    let common = [
      ("probability", "0\n"), ("interval", "1\n"), ("times", "1\n"), ("space", "0\n"), ("verbose", "2\n"),
      ("task-filter", "N\n"),
    ]
    return [
      ("failslab", common + [("ignore-gfp-wait", "Y\n"), ("cache-filter", "N\n")]),
      (
        "fail_page_alloc",
        common + [("ignore-gfp-wait", "Y\n"), ("ignore-gfp-highmem", "Y\n"), ("min-order", "1\n")]
      ),
      ("fail_iommufd", common),
    ]
  }()

  /// Failure points that are counted: memory that may be waited for fails only where failslab says so. Copies never do,
  /// as in a kernel without `fail_usercopy`.
  var points: Set<FailurePoint> {
    let all = Set(FailurePoint.allCases).subtracting([.copy, .answer])
    guard let directory = lock.withLock({ directory }),
      let setting = readSmallFile(directory + "/failslab/ignore-gfp-wait"), setting.first == UInt8(ascii: "N")
    else { return all.subtracting([.allocation, .scratch, .domainMap, .spare]) }
    return all
  }

  // MARK: fail-nth

  /// How many points a thread has yet to pass until one fails; 0 for never.
  func count(of thread: Int32) -> UInt64 { lock.withLock { counts[thread] ?? 0 } }

  func setCount(_ count: UInt64, of thread: Int32) {
    lock.withLock { counts[thread] = count == 0 ? nil : count }
  }

  var isArmed: Bool { lock.withLock { !counts.isEmpty } }

  // MARK: debugfs

  /// A file or the directory under `/sys/kernel/debug`, opened; `path` begins with a slash or is empty.
  ///
  /// - Throws: ENOENT and what else opening gives.
  func open(_ path: String, _ flags: Int32) throws(Errno) -> Descriptor {
    let directory = try makeDirectory()
    guard let descriptor = Descriptor(opening: directory + path, flags & ~O_CREAT) else {
      throw Errno(code: Glibc.errno)
    }
    return descriptor
  }

  private func makeDirectory() throws(Errno) -> String {
    try lock.withLock { () throws(Errno) -> String in
      if let directory { return directory }
      let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
      var template = Array("\(base)/iofd-exec-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw Errno(code: Glibc.errno) }
      let path = template.withUnsafeBufferPointer {
        String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      }
      for (name, files) in Self.settings {
        mkdir("\(path)/\(name)", 0o755)
        for (file, text) in files {
          let number = Glibc.open("\(path)/\(name)/\(file)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
          guard number >= 0 else { throw Errno(code: Glibc.errno) }
          let descriptor = Descriptor(number)
          guard write(descriptor.number, text, text.utf8.count) == text.utf8.count else { throw .ENOSPC }
        }
      }
      directory = path
      return path
    }
  }

  /// The path that a program means by one of the supervisor's own: it opened the directory under its real name.
  func original(_ path: String) -> String {
    guard let directory = lock.withLock({ directory }), path == directory || path.hasPrefix(directory + "/")
    else {
      return path
    }
    return "/sys/kernel/debug" + path.dropFirst(directory.count)
  }

  /// Nothing of it outlives the supervisor.
  func removeDirectory() {
    guard let path = lock.withLock({ directory }) else { return }
    for (name, files) in Self.settings {
      for (file, _) in files { unlink("\(path)/\(name)/\(file)") }
      rmdir("\(path)/\(name)")
    }
    rmdir(path)
  }
}

/// `/proc/PID/task/TID/fail-nth`. Source: `proc_fail_nth_read`, `proc_fail_nth_write` in `fs/proc/base.c`.
final class FailNthFile: OpenFile, @unchecked Sendable {
  private let injection: FaultInjection
  private let thread: Int32
  private let lock = Lock(.frontEnd)
  private var position: Int64 = 0

  init(_ injection: FaultInjection, thread: Int32) {
    self.injection = injection
    self.thread = thread
    super.init()
  }

  override var name: String { "/proc/\(thread)/fail-nth" }
  override var movesBytes: Bool { true }

  override func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    let start = lock.withLock { position }
    let done = try read(address, count, at: start, by: task)
    lock.withLock { position = start + Int64(done) }
    return done
  }

  /// Reads the number and a line end.
  ///
  /// - Throws: EINVAL for a negative offset, EFAULT.
  func read(_ address: UInt64, _ count: Int, at offset: Int64, by task: any CallingTask) throws(Errno) -> Int
  {
    guard offset >= 0 else { throw .EINVAL("a negative offset") }
    let text = Array("\(injection.count(of: thread))\n".utf8)
    let rest = Array(text.dropFirst(Int(clamping: offset)).prefix(max(0, count)))
    try task.memory.write(rest, at: address)
    return rest.count
  }

  /// - Throws: EINVAL for what is no number, EFAULT.
  override func write(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    let bytes = try task.memory.bytes(at: address, count: min(max(0, count), 32))
    guard let number = Self.number(bytes) else { throw .EINVAL("fail-nth wants a number") }
    injection.setCount(UInt64(number), of: thread)
    return count
  }

  /// As `kstrtouint` with base 0 reads it: decimal, octal or hexadecimal, with one line end at most.
  static func number(_ bytes: [UInt8]) -> UInt32? {
    var text = String(decoding: bytes, as: UTF8.self)
    if text.hasSuffix("\n") { text.removeLast() }
    if text.hasPrefix("+") { text.removeFirst() }
    // A second sign, or one behind 0x, is none to Swift's reading alone.
    guard let first = text.first, first.isHexDigit,
      text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) })
    else { return nil }
    if text.lowercased().hasPrefix("0x") { return UInt32(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0"), text.utf8.count > 1 { return UInt32(text, radix: 8) }
    return UInt32(text)
  }
}
