// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
public import UAPI

/// Writes a history of calls as a script that makes the same requests and expects the same answers.
///
/// The script speaks in verbs and names. It does not repeat what only served a request: a struct that was put together
/// in memory, an array that a pointer led to. Where memory matters (it is mapped, or looked at) it has the bytes of
/// the program.
///
/// With `.exact` nothing is left out: every store is made, and a struct that lies in the program's memory is passed
/// by its address. That reads badly and is right even where memory of the program is several things at once.
public struct ScriptWriter {
  public enum Style: Sendable {
    case readable, exact
  }

  /// What stands around the history.
  public struct Frame: Sendable {
    /// What it was made from, for a comment at its head; a line each.
    public var title: [String]
    /// What it requires besides a kernel: `backend=vtd`.
    public var requirements: [String] = []
    /// Statements behind the last one.
    public var ending: [String] = []

    public init(title: [String]) { self.title = title }
  }

  let style: Style
  let kernel: KernelVersion
  let outlook: ScriptOutlook
  private let checksLoads: Bool
  var lines: [ScriptLine] = []
  var names = ScriptNames()
  var memory = ScriptMemory()
  /// The open file that statements use unless they say another; -1 for none.
  var fileInUse: Int32 = -1
  /// The next call is the one that never came back.
  private var isUnanswered = false

  /// Names of IOMMUs and functions by their numbers, and how many functions were plugged in.
  var iommus: [Int: String] = [:]
  var functions: [Int: ScriptName] = [:]
  var plugged = 0
  /// Functions whose files the program has opened.
  var opened: Set<Int> = []
  /// Device files that `bind` has opened.
  var devices: [Int32: BoundDevice] = [:]
  /// Where functions were last told to write to for an interrupt.
  var messages: [Int: UInt64] = [:]
  var pendingTable: PendingTable?
  var isFailing = false

  /// The script's text.
  ///
  /// - Parameter checksLoads: what the program reads from its own memory is expected to be there; otherwise only its front
  ///   end looked.
  public static func write(
    _ calls: [LoggedCall], kernel: KernelVersion, _ frame: Frame, checksLoads: Bool, style: Style
  ) -> String {
    var writer = ScriptWriter(calls, kernel, checksLoads: checksLoads, style)
    for (index, call) in calls.enumerated() { writer.write(call, at: index) }
    if writer.isFailing { writer.add(ScriptLine("}")) }
    var text = "iofd 1\n"
    for line in frame.title { text += "\(ScriptLine.comment(line).words)\n" }
    let bench = writer.outlook.hasDevices || !frame.ending.isEmpty ? ["bench"] : []
    let required = ["kernel=\(kernel)"] + frame.requirements + bench
    text += "require \(required.joined(separator: ", "))\n\n"
    for line in writer.lines {
      if let line = line.text { text += "\(line)\n" }
    }
    for line in frame.ending { text += "\(line)\n" }
    let (formatted, _) = Formatter.format(SourceFile(name: "imported.iofd", text: text))
    return formatted.map { String(decoding: $0, as: UTF8.self) } ?? text
  }

  private init(_ calls: [LoggedCall], _ kernel: KernelVersion, checksLoads: Bool, _ style: Style) {
    self.kernel = kernel
    self.style = style
    self.checksLoads = checksLoads
    outlook = ScriptOutlook(calls, checksLoads: checksLoads)
  }

  mutating func add(_ line: ScriptLine) { lines.append(line) }

  mutating func add(_ words: String, _ error: Errno?) {
    var line = ScriptLine(words)
    line.errno = error
    lines.append(line)
  }

  /// Makes an open `/dev/iommu` the one that statements use; false for a descriptor of anything else.
  mutating func use(_ fd: Int32) -> Bool {
    guard names.descriptor(fd)?.kind == .context else { return false }
    if fileInUse != fd {
      add(ScriptLine("on \(names.text(ofDescriptor: fd))"))
      fileInUse = fd
    }
    return true
  }

  private mutating func write(_ call: LoggedCall, at index: Int) {
    let count = lines.count
    if let binding = outlook.binding(at: index) {
      write(binding, call)
    } else if case .ioctl(let request) = call, let device = devices[request.fd] {
      write(request, to: device)
    } else {
      perform(call, at: index)
    }
    switch call {
    case .stored, .loaded, .step, .allocate: break
    case .unanswered: isUnanswered = true
    default:
      if isUnanswered, lines.count > count { lines[lines.count - 1].isUnanswered = true }
      isUnanswered = false
    }
  }

  private mutating func perform(_ call: LoggedCall, at index: Int) {
    switch call {
    case .open(let path, let result): open(path, result)
    case .close(let fd, let error):
      add("close \(names.text(ofDescriptor: fd))", error)
      guard error == nil else { return }
      names.close(fd)
      if fileInUse == fd { fileInUse = -1 }
    case .dup(let fd, let result):
      var line = ScriptLine("dup \(names.text(ofDescriptor: fd))")
      switch result {
      case .failure(let error): line.errno = error
      case .success(let copy):
        let kind = names.descriptor(fd)?.kind ?? .context
        let name = names.make(kind)
        line.binding = name
        names.open(copy, name, kind, sharing: fd)
      }
      add(line)
    case .ioctl(let request): write(request)
    case .read(let fd, let address, let count, let bytes, let result):
      if case .failure(.EFAULT) = result {
        add(.comment("left out: a read into memory that is not there"))
        return
      }
      var line = ScriptLine("read \(names.text(ofDescriptor: fd)) len=\(count)")
      line.errno = result.error
      if result.error == nil {
        line.results = [.equal("data", bytes.isEmpty ? "none" : ScriptText.bytes(bytes))]
      }
      add(line)
      store(address, bytes)
    case .write(let fd, _, let count, let bytes, let result):
      guard let bytes else {
        add(.comment("left out: a write of \(count) bytes that are not there"))
        return
      }
      var line = ScriptLine("write \(names.text(ofDescriptor: fd)) \(ScriptText.bytes(bytes))")
      line.errno = result.error
      if case .success(let count) = result { line.results = [.equal("count", "\(count)")] }
      add(line)
    case .poll(let fd, let result):
      var line = ScriptLine("poll \(names.text(ofDescriptor: fd))")
      line.errno = result.error
      if case .success(let events) = result { line.results = [.equal("events", events.description)] }
      add(line)
    case .mmap, .allocate, .memfd, .truncate, .unmap, .protect: writeMemory(call)
    case .stored(let address, let bytes):
      if !storeTable(address, bytes) { store(address, bytes) }
    case .loaded(let address, let bytes):
      guard checksLoads, memory.isKnown(address), !bytes.isEmpty else { return }
      add(ScriptLine("mem check \(memory.text(address)) \(ScriptText.bytes(bytes))"))
    case .fork(let child):
      add(ScriptLine("process fork"))
      names.fork(child)
    case .switchProcess(let process):
      add(ScriptLine("process switch \(process)"))
      names.process = process
      fileInUse = -1
    case .exitProcess(let process): add(ScriptLine("process exit \(process)"))
    case .memlock(let bytes):
      add(ScriptLine("memlock \(bytes == .max ? "unlimited" : ScriptText.hex(bytes))"))
    case .capability(let name, let isHeld):
      add(ScriptLine("capability \(name) \(isHeld ? "on" : "off")"))
    case .device(let action): write(action, at: index)
    case .note(let text): add(.comment(text))
    case .step, .unanswered: break
    }
  }

  private mutating func open(_ path: String, _ result: Result<Int32, Errno>) {
    var line = ScriptLine(path == "/dev/iommu" ? "open" : "open \(Self.quoted(path))")
    switch result {
    case .failure(let error): line.errno = error
    case .success(let fd):
      let name = names.make(.context)
      names.open(fd, name, .context)
      if let function = outlook.paths[path] { opened.insert(function) }
      fileInUse = fd
      line.binding = name
      line.isNeededForName = outlook.hasOneFile
    }
    add(line)
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : $0.isNewline ? " " : String($0) }.joined() + "\""
  }

  mutating func store(_ address: UInt64, _ bytes: [UInt8]) {
    if style == .exact, memory.isKnown(address) { lines += memory.makeLive(address, UInt64(bytes.count)) }
    if let line = memory.store(address, bytes) { add(line) }
  }

  private mutating func writeMemory(_ call: LoggedCall) {
    switch call {
    case .mmap(let fd, let place, let length, let offset, let mode, let result):
      var words = "mem map \(names.text(ofDescriptor: fd)) off=\(ScriptText.hex(offset))"
      words += " len=\(ScriptText.hex(length))"
      if let place { words += " at=\(ScriptText.hex(place))" }
      if !mode.contains(.shared) { words += " private" }
      if mode.contains(.execute) { words += " exec" }
      gain(words + Self.rights(mode), length, result, stem: "window", isNeededForName: false)
    case .allocate(let length, let place, let mode, let isHuge, let result):
      var words = "mem alloc \(ScriptText.hex(length))"
      if isHuge { words += " huge" }
      if let place { words += " at=\(ScriptText.hex(place))" }
      if mode.contains(.shared) { words += " shared" }
      let isNew = place.map { !memory.isKnown($0) } ?? true
      gain(
        words + Self.rights(mode), length, result, stem: lines.count == functions.count ? "area" : "mem",
        isNeededForName: isNew)
    case .memfd(let length, let isHuge, let result):
      var line = ScriptLine("mem memfd \(ScriptText.hex(length))\(isHuge ? " huge" : "")")
      switch result {
      case .failure(let error): line.errno = error
      case .success(let fd):
        let name = names.make(.memfd)
        line.binding = name
        names.open(fd, name, .memfd)
      }
      add(line)
    case .truncate(let fd, let length, let error):
      add("mem truncate \(names.text(ofDescriptor: fd)) \(ScriptText.hex(length))", error)
    case .unmap(let address, let length, let error):
      add("mem unmap \(memory.text(address)) len=\(ScriptText.hex(length))", error)
    case .protect(let address, let length, let mode, let error):
      add("mem protect \(memory.text(address)) len=\(ScriptText.hex(length))\(Self.rights(mode))", error)
    default: break
    }
  }

  private static func rights(_ mode: MapMode) -> String {
    ScriptText.rights(read: mode.contains(.read), write: mode.contains(.write))
  }

  /// The program gets memory.
  private mutating func gain(
    _ words: String, _ length: UInt64, _ result: Result<UInt64, Errno>, stem: String, isNeededForName: Bool
  ) {
    var line = ScriptLine(words)
    line.isNeededForName = isNeededForName
    switch result {
    case .failure(let error):
      line.errno = error
      add(line)
    case .success(let address):
      let name = names.make(stem)
      line.binding = name
      add(line)
      memory.add(address, length: length, name)
      for look in outlook.looks where look.address >= address && look.address - address < length {
        lines += memory.makeLive(look.address, look.length)
      }
    }
  }
}
