// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// A page that a worker and its parent share: what the worker is at. It is written before an input begins and read when the
/// worker is dead or takes long, so it costs a store and no system call.
public final class WorkerMark {
  /// Where the worker finds it.
  static let descriptor: Int32 = 3
  static let size = 4096
  private let words: UnsafeMutablePointer<UInt64>

  /// The worker's own; nil in a process that nobody started as one.
  public static func ofThisProcess() -> WorkerMark? { WorkerMark(descriptor) }

  /// Maps the page behind a descriptor, which may be closed then.
  init?(_ descriptor: Int32) {
    let page = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let page, page != MAP_FAILED else { return nil }
    words = page.assumingMemoryBound(to: UInt64.self)
  }

  deinit { munmap(words, Self.size) }

  /// A file without a name for it; nil where the host has no room.
  static func makeFile() -> Int32? {
    guard let descriptor = NamelessFile.make() else { return nil }
    guard ftruncate(descriptor, off_t(size)) == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  /// The input that is being played, by its number from 1; 0 between two.
  var input: UInt64 {
    get { words[0] }
    set { words[0] = newValue }
  }
  /// When it began, on the monotonic clock.
  var began: UInt64 {
    get { words[1] }
    set { words[1] = newValue }
  }
  /// `CallName.raw` of its last call.
  public var call: UnsafeMutablePointer<UInt64> { words + 2 }
  /// The signal that ended it and the place in the program, where `CrashReport.leaveNote` could write them down.
  public var trap: UnsafeMutablePointer<UInt64> { words + 3 }

  /// Nothing is going on.
  public func clear() { for word in 0..<5 { words[word] = 0 } }
}

/// Files that go away with their last descriptor.
enum NamelessFile {
  /// Nil where there is no room for one.
  static func make() -> Int32? {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array((directory + "/iofd.XXXXXX").utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { return nil }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return descriptor
  }
}
