// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// A thread of a real program while it makes a request: `current`. What it may do is asked of the kernel when the
/// model wants to know, so a program that gives up a capability is one without it.
final class RealTask: CallingTask {
  let thread: Int32
  let process: RealProcess
  let descriptors: RealDescriptors

  init(thread: Int32, process: RealProcess, descriptors: RealDescriptors) {
    self.thread = thread
    self.process = process
    self.descriptors = descriptors
  }

  var memory: any AddressSpace { process.memory }
  var files: any DescriptorTable { descriptors }
  var user: UserAccount { process.user }

  /// Who can open the real `/dev/iommu` is root, so a program has every capability, until it gives up one that it
  /// was started with.
  var capabilities: Capabilities {
    var bits: UInt64 = 0
    guard iofd_capabilities(thread, &bits) == 0 else { return [] }
    return Capabilities(bits: bits | ~Self.atStart)
  }

  /// What the supervisor, and so the program at first, has.
  private static let atStart: UInt64 = {
    var bits: UInt64 = 0
    return iofd_capabilities(getpid(), &bits) == 0 ? bits : 0
  }()

  var memlockLimit: UInt64 { process.memlockLimit }
}

extension Capabilities {
  /// From the bits of linux/capability.h: CAP_IPC_LOCK, CAP_SYS_RAWIO, CAP_SYS_RESOURCE.
  fileprivate init(bits: UInt64) {
    self = []
    if bits >> 14 & 1 == 1 { insert(.ipcLock) }
    if bits >> 17 & 1 == 1 { insert(.sysRawIO) }
    if bits >> 24 & 1 == 1 { insert(.sysResource) }
  }
}

/// A real process, for as long as it keeps its memory: with exec it becomes another.
final class RealProcess: Sendable {
  let number: Int32
  let memory: RealMemory
  let user: UserAccount
  /// The last RLIMIT_MEMLOCK that was read, for charges after the process has gone.
  private let lastLimit = Atomic<UInt64>(8 << 20)

  init(number: Int32, memory: RealMemory, user: UserAccount) {
    self.number = number
    self.memory = memory
    self.user = user
  }

  /// In bytes.
  var memlockLimit: UInt64 {
    var limit: UInt64 = 0
    if iofd_locked_memory_limit(number, &limit) == 0 { lastLimit.store(limit, ordering: .relaxed) }
    return lastLimit.load(ordering: .relaxed)
  }
}

/// The processes that have made a request.
final class RealProcesses: @unchecked Sendable {
  private let lock = Lock(.frontEnd)
  private var processes: [Int32: RealProcess] = [:]
  private var users: [UInt32: UserAccount] = [:]
  private let frames: ForeignFrames
  let objects = SharedObjects()
  private let journal: any MemoryJournal
  /// Hears of each process as it comes, so that its charges are checked.
  private let adopted: @Sendable (RealProcess) -> Void

  init(
    _ frames: ForeignFrames, _ journal: any MemoryJournal, adopted: @escaping @Sendable (RealProcess) -> Void
  ) {
    self.frames = frames
    self.journal = journal
    self.adopted = adopted
  }

  /// The process that a thread belongs to; nil when it is gone, or may not be looked at.
  func process(ofThread thread: Int32) -> RealProcess? {
    guard let number = Self.leader(thread) else { return nil }
    return lock.withLock {
      if let known = processes[number], known.memory.isAlive { return known }
      processes[number] = nil
      guard let status = ProcessStatus(number) else { return nil }
      // A child of vfork uses its parent's memory until it execs. It is looked up anew each time.
      if let parent = processes[status.parent], parent.memory.isAlive, Self.share(number, status.parent) {
        return parent
      }
      guard let memory = RealMemory(of: number, thread: thread, frames, objects, journal) else { return nil }
      let user = users[status.user] ?? UserAccount(uid: status.user)
      users[status.user] = user
      let process = RealProcess(number: number, memory: memory, user: user)
      objects.memories.add(memory)
      forgetDead()
      processes[number] = process
      adopted(process)
      return process
    }
  }

  /// Each of them costs a descriptor; a look at all of them now and then keeps it to those that live.
  private func forgetDead() {
    guard processes.count >= mostBeforeLook else { return }
    processes = processes.filter { $0.value.memory.isAlive }
    mostBeforeLook = max(Self.fewProcesses, processes.count * 2)
  }
  private static let fewProcesses = 16
  private var mostBeforeLook = fewProcesses

  /// A process that has made a request, by its number.
  func known(_ number: Int32) -> RealProcess? {
    lock.withLock { processes[number].flatMap { $0.memory.isAlive ? $0 : nil } }
  }

  /// The number of the process that a thread belongs to.
  static func leader(_ thread: Int32) -> Int32? {
    iofd_tgkill(thread, thread, 0) == 0 ? thread : ProcessStatus(thread)?.leader
  }

  /// Whether two processes use the same memory.
  private static func share(_ a: Int32, _ b: Int32) -> Bool { iofd_share_memory(a, b) != 0 }
}

/// What `/proc/PID/status` says, as far as it matters here.
struct ProcessStatus {
  var leader: Int32 = 0
  var parent: Int32 = 0
  /// The real user ID, which pinned memory is charged to.
  var user: UInt32 = 0

  /// - Returns: nil when there is no such thread.
  init?(_ thread: Int32) {
    guard let bytes = readSmallFile("/proc/\(thread)/status") else { return nil }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        .prefix(2).map { String(decoding: $0, as: UTF8.self) }
      guard words.count == 2 else { continue }
      switch words[0] {
      case "Tgid:": leader = Int32(words[1]) ?? 0
      case "PPid:": parent = Int32(words[1]) ?? 0
      case "Uid:": user = UInt32(words[1]) ?? 0
      default: break
      }
    }
    guard leader > 0 else { return nil }
  }

  /// A thread of a process that has not ended, or nil.
  static func living(of process: Int32) -> Int32? {
    guard let tasks = opendir("/proc/\(process)/task") else { return nil }
    defer { closedir(tasks) }
    while let entry = readdir(tasks) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      // Whoever has ended has no descriptors and no memory, and a link to no program.
      if let thread = Int32(name), readLink("/proc/\(thread)/exe") != nil { return thread }
    }
    return nil
  }

  /// The text of a status file with what the model has pinned and locked added, as `task_mem` prints it.
  static func patched(_ text: [UInt8], _ counters: MemoryCounters) -> [UInt8] {
    var patched: [UInt8] = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        .map { String(decoding: $0, as: UTF8.self) }
      let pages: Int
      switch words.first {
      case "VmPin:": pages = counters.pinned.load(ordering: .relaxed)
      case "VmLck:": pages = counters.locked.load(ordering: .relaxed)
      default:
        patched += line + [UInt8(ascii: "\n")]
        continue
      }
      let kilobytes = String((words.count > 1 ? Int(words[1]) ?? 0 : 0) + pages * 4)
      let padding = String(repeating: " ", count: max(0, 8 - kilobytes.utf8.count))
      patched += Array("\(words[0])\t\(padding)\(kilobytes) kB\n".utf8)
    }
    return patched
  }
}
