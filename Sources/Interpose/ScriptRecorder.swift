// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Conversion
internal import Memory
internal import Synchronization
public import UAPI

// A recording is a script that does what the program did, and expects what the program saw. Requests are the
// program's own, field by field; memory is at the program's addresses, and has the bytes that requests read.
//
//     objects     what processes share (memfds, shared anonymous memory) are memfds, made at the start, so that
//                 every process of the script has them under the same number
//     processes   the first is the script's own; another is forked when it makes its first request
//     files       an open file of the model has a name as long as it is open
//     parts       a long recording is several scripts that the first one includes; it is cut where no file is open

/// Writes down the history of a program as a script.
public final class ScriptRecorder: CallObserver, @unchecked Sendable {
  /// A process of the script.
  final class Process {
    /// Its number in the script.
    let number: Int32
    /// The program's process that it stands for.
    let real: Int32
    var memory = ShadowMemory()
    var capabilities = Capabilities.all
    var memlockLimit: UInt64 = 8 << 20
    /// Open files that it has a descriptor of.
    var files: Set<UInt64> = []

    init(number: Int32, real: Int32) {
      self.number = number
      self.real = real
    }
  }

  /// Memory that processes share: a memfd of the script.
  struct Object {
    let isHuge: Bool
    let firstSize: UInt64
    var size: UInt64
    var contents = PageContents()
  }

  private let lock = Mutex<Void>(())
  let kernel: Personality
  private let title: String
  private var finished: [String] = []
  /// The part that is being written.
  var text = ""
  var processes: [Process] = []
  var current: Process?
  private var processCount: Int32 = 0
  var objects: [Object] = []
  private var objectNumbers: [FileIdentity: Int] = [:]
  /// Names of open files, by number.
  var names: [UInt64: String] = [:]
  /// The call that is being written passes its struct by address.
  var isPlaced = false
  /// The file that statements use unless they say another.
  var fileInUse: UInt64?

  /// - Parameter title: what was run, for the head of the script.
  public init(kernel: Personality, title: String) {
    self.kernel = kernel
    self.title = title
  }

  public var wantsMemory: Bool { true }

  // MARK: Observing

  public func call(_ call: AnsweredCall, in program: any ObservedProgram) {
    lock.withLock { _ in
      endDeadProcesses(program)
      let process = enter(call, program)
      guard !call.isInjected else {
        line("# a failure was injected into a request, which is not repeated")
        return
      }
      record(call, by: process, in: program)
    }
  }

  public func released(file: UInt64) {
    lock.withLock { _ in
      guard let name = names.removeValue(forKey: file) else { return }
      for process in processes where process.files.remove(file) != nil {
        change(to: process)
        line("close $\(name)")
      }
      // Statements use a file by its number, which another file may have in another process.
      fileInUse = nil
      if names.isEmpty, text.utf8.count >= Self.partLength { endPart() }
    }
  }

  public func unmapped(address: UInt64, length: UInt64, process: Int32) {
    lock.withLock { _ in
      guard let process = processes.first(where: { $0.real == process }) else { return }
      change(to: process)
      line("mem unmap \(ScriptText.hex(address)) len=\(ScriptText.hex((length + Page.mask) & ~Page.mask))")
    }
  }

  public func broken(_ violations: [Violation]) {}

  // MARK: Parts

  private static let partLength = 4 << 20

  private func endPart() {
    finished.append(text)
    text = ""
    fileInUse = nil
  }

  /// The scripts: the first is to be run, and includes the others, by the names that `partName` gives them.
  public func scripts(partName: (Int) -> String) -> [String] {
    lock.withLock { _ in
      if !text.isEmpty { endPart() }
      var head = "iofd 1\n# Recorded: \(title)\n"
      if kernel != .standard { head += "require kernel=\(kernel.version)\n" }
      for object in objects {
        head += "mem memfd \(ScriptText.hex(object.firstSize))\(object.isHuge ? " huge" : "")\n"
      }
      guard finished.count > 1 else { return [head + (finished.first ?? "")] }
      for index in finished.indices { head += "include \"\(partName(index + 1))\"\n" }
      return [head] + finished.map { "iofd 1\n" + $0 }
    }
  }

  // MARK: Processes

  /// Makes the process of a call the script's current one, as it is now.
  private func enter(_ call: AnsweredCall, _ program: any ObservedProgram) -> Process {
    let process = processes.first { $0.real == call.process } ?? fork(call.process, program)
    change(to: process)
    for (name, capability) in [
      ("ipc-lock", Capabilities.ipcLock), ("sys-resource", .sysResource), ("sys-rawio", .sysRawIO),
    ] where process.capabilities.contains(capability) != call.capabilities.contains(capability) {
      line("capability \(name) \(call.capabilities.contains(capability) ? "on" : "off")")
    }
    process.capabilities = call.capabilities
    if process.memlockLimit != call.memlockLimit {
      line("memlock \(call.memlockLimit == .max ? "unlimited" : ScriptText.hex(call.memlockLimit))")
      process.memlockLimit = call.memlockLimit
    }
    return process
  }

  /// A new process, forked from its nearest known ancestor, or from the first.
  private func fork(_ real: Int32, _ program: any ObservedProgram) -> Process {
    processCount += 1
    let process = Process(number: processCount, real: real)
    if let first = processes.first {
      var ancestor = program.parent(of: real)
      while let number = ancestor, number > 1, !processes.contains(where: { $0.real == number }) {
        ancestor = program.parent(of: number)
      }
      let parent = processes.first { $0.real == ancestor } ?? first
      change(to: parent)
      line("process fork")
      process.memory = parent.memory
      process.capabilities = parent.capabilities
      process.memlockLimit = parent.memlockLimit
      process.files = parent.files
    } else {
      // Not the first that makes a request, but the one that stands for the program as it began.
      let root = Process(number: processCount, real: 0)
      processes.append(root)
      current = root
      return fork(real, program)
    }
    processes.append(process)
    return process
  }

  func change(to process: Process) {
    guard current !== process else { return }
    line("process switch \(process.number)")
    current = process
  }

  private func endDeadProcesses(_ program: any ObservedProgram) {
    for process in processes.dropFirst() where !program.isAlive(process.real) {
      if current === process { change(to: processes[0]) }
      line("process exit \(process.number)")
      processes.removeAll { $0 === process }
    }
  }

  // MARK: Objects

  /// The number of a shared object, with its size brought up to date.
  func object(_ identity: FileIdentity, size: UInt64, isHuge: Bool) -> Int {
    guard let number = objectNumbers[identity] else {
      objects.append(Object(isHuge: isHuge, firstSize: size, size: size))
      objectNumbers[identity] = objects.count - 1
      return objects.count - 1
    }
    if objects[number].size != size {
      line("mem truncate \(Self.descriptor(ofObject: number)) \(ScriptText.hex(size))")
      if size < objects[number].size {
        objects[number].contents.forget((size + Page.mask) & ~Page.mask, .max)
      }
      objects[number].size = size
    }
    return number
  }

  func knownObject(_ identity: FileIdentity) -> Int? { objectNumbers[identity] }

  /// The first process has three descriptors, and then the objects.
  static func descriptor(ofObject number: Int) -> Int { 3 + number }

  // MARK: Text

  func line(_ text: String) {
    self.text += text
    self.text += "\n"
  }
}
