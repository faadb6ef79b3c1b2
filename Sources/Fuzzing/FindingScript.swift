// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import UAPI

/// A program in bytes as a script that makes the same requests on the same machine, and ends with a look for what is
/// wrong: it fails where the bug is and passes where it is not.
///
/// Requests are said by the names of their rows and fields, with the numbers that the model gave when the finding was
/// made; what a device does is said in verbs. What no verb says is a comment.
struct FindingScript {
  private let kernel: KernelVersion
  private let scene: ByteScene
  private var answers: ArraySlice<String>
  private(set) var lines: [String] = []
  /// What registers hold, as the script says it.
  private var registers: [Int: String] = [:]
  /// What the last success of a kind returned, which a failure leaves in the register.
  private var lastGood: [String: String] = [:]
  private var fileInUse = ""
  private var processes = ["1"]
  private var currentProcess = "1"
  private var functions: Int
  private var cookies: [String: String] = [:]
  private var response: UInt64 = 0

  static let area: UInt64 = 0x2000_0000_0000

  /// - Parameter answers: what each step of the program answered, in the words of the recordings.
  static func text(_ program: ByteProgram, answers: [String], finding: TrialOutcome.Finding) -> String {
    let kernel = program.kernel ?? KernelVersion(7, 2)
    var script = FindingScript(kernel, program.scene, answers)
    let actions = ByteDecoder.actions(of: program)
    for action in actions { script.add(action) }
    var text = "iofd 1\n# \(finding.signature)\n"
    for line in finding.message.split(separator: "\n") { text += "# \(line)\n" }
    text +=
      "# Run it on the machine that it was found on: iofd run --check --backend \(program.scene.backend)\n"
    text += "require kernel=\(kernel), backend=\(program.scene.family), bench\n\n"
    for (number, function) in program.scene.functions.prefix(script.functions).enumerated() {
      text += Self.device(number, function) + "\n"
    }
    text += "ram = mem alloc 16M at=0x\(String(area, radix: 16)) shared rw\n"
    text += script.lines.map { $0 + "\n" }.joined()
    return text + "expect invariants\nexpect stale() = []\n"
  }

  private init(_ kernel: KernelVersion, _ scene: ByteScene, _ answers: [String]) {
    self.kernel = kernel
    self.scene = scene
    self.answers = answers[...]
    functions = 0
  }

  private static func device(_ number: Int, _ function: ByteScene.Function) -> String {
    var line = "device add d\(number)"
    if let companion = function.companion { line += " group=$d\(companion)" }
    if function.pri { line += " pri" } else if function.ats { line += " ats" }
    return line + " pasid-bits=\(function.pasidBits)"
  }

  // MARK: Steps

  private mutating func add(_ action: ByteDecoder.Action) {
    switch action {
    case .step(let step): add(step)
    case .bench(let action):
      _ = answers.popFirst()
      add(action)
    }
  }

  private mutating func add(_ step: RecordedProgram.Step) {
    switch step {
    case .fill(let at, let byte, let count): say("mem write \(address(at)) fill(\(byte), \(count))")
    case .put(let at, let width, let value):
      if case .area(let offset) = at, case .constant(let number) = value, width == 4, offset & 0xFFF != 0 {
        response = number
      }
      say("mem write \(address(at)) le\(width * 8)(\(number(value)))")
      return
    case .unmap(let at, let length): say("mem unmap \(address(at)) len=\(Self.hex(length))")
    case .dump: break
    default: answered(step, Answer(answers.popFirst() ?? ""))
    }
  }

  /// What a step answered: `3 ioctl 3b81 rc=0 errno=0 +4=1`.
  private struct Answer {
    let words: [Substring]
    var errno: String? {
      let code = words.first { $0.hasPrefix("errno=") }.flatMap { Int32($0.dropFirst(6)) } ?? 0
      return code == 0 ? nil : Errno(code: code).name
    }
    var result: Int { words.first { $0.hasPrefix("rc=") }.flatMap { Int($0.dropFirst(3)) } ?? 0 }
    var isOK: Bool { words.last == "ok" }
    /// False where the program did not come to the step, or came to its end there.
    var isThere: Bool { !words.isEmpty }

    init(_ line: String) { words = line.split(separator: " ") }

    /// A word of the struct that the call changed.
    func word(_ offset: Int) -> UInt64? {
      words.first { $0.hasPrefix("+\(offset)=") }.flatMap {
        UInt64($0.split(separator: "=")[1], radix: 16)
      }
    }
  }

  private mutating func answered(_ step: RecordedProgram.Step, _ answer: Answer) {
    switch step {
    case .open(let register): open("", register, answer)
    case .openDevice(let register, let number):
      functions = max(functions, min(number + 1, scene.functions.count))
      open(" \"/dev/vfio/devices/vfio\(number)\"", register, answer)
    case .close(let register): say("? close \(registers[register] ?? "-1")")
    case .memfd(let register, let length):
      registers[register] = answer.isOK ? "$f\(register)" : "-1"
      say(answer.isOK ? "f\(register) = mem memfd \(Self.hex(length))" : "? mem memfd \(Self.hex(length))")
    case .read(let fd, _, let count): read(number(fd), count, answer)
    case .write(let fd, let at, let count): write(number(fd), at, count)
    case .poll(let fd): say("? poll \(number(fd))")
    case .ioctl(let fd, let request, let size, let stores, let loads):
      ioctl(number(fd), request, size, stores, loads, answer)
    case .fill, .put, .unmap, .dump: break
    }
  }

  private mutating func open(_ path: String, _ register: Int, _ answer: Answer) {
    registers[register] = answer.isOK ? "$f\(register)" : "-1"
    say(answer.isOK ? "f\(register) = open\(path)" : "? open\(path)")
    if answer.isOK { fileInUse = "$f\(register)" }
  }

  /// A fault's cookie gets a name: the answer to it lies behind it in memory.
  private mutating func read(_ fd: String, _ count: Int, _ answer: Answer) {
    guard count == 40, answer.result == 40 else {
      say("? read \(fd) len=\(count)")
      return
    }
    let name = "c\(cookies.count)"
    cookies[fd] = name
    say("faultq read \(fd) max=1  -> [{cookie=?\(name)}]")
  }

  private mutating func write(_ fd: String, _ at: RecordedProgram.Operand, _ count: Int) {
    if case .area(let offset) = at, offset & 0xFFF != 0 {
      say("? faultq reply \(fd) \(cookies[fd].map { "$\($0)" } ?? "0") code=\(response)")
    } else {
      say("# the next bytes are those of `ram` at \(address(at))")
      say("? write \(fd) zero(\(count))")
    }
  }

  // MARK: Requests

  private mutating func ioctl(
    _ fd: String, _ request: UInt32, _ size: Int, _ stores: [RecordedProgram.Store],
    _ loads: [RecordedProgram.Load], _ answer: Answer
  ) {
    let operation = stores.first { $0.offset == 4 && $0.width == 4 }.flatMap { store -> SelftestOp? in
      guard request == CommandTable.selftest.request, case .constant(let number) = store.value else {
        return nil
      }
      return CommandTable.selftestOps.first { UInt64($0.number) == number }
    }
    let words = named(request, operation, size, stores)
    if words != nil, fd.hasPrefix("$"), fileInUse != fd {
      say("on \(fd)")
      fileInUse = fd
    }
    var line = words.flatMap { fd.hasPrefix("$") ? $0 : nil } ?? raw(fd, request, size, stores)
    guard answer.isThere else {
      say("? \(line)")
      return
    }
    line += answer.errno.map { "  -> \($0)" } ?? "  -> ok"
    for load in loads { line += take(load, request, operation, answer, isNamed: words != nil) }
    say(line)
  }

  /// By the names of the row, where its size and its fields say everything.
  private func named(
    _ request: UInt32, _ operation: SelftestOp?, _ size: Int, _ stores: [RecordedProgram.Store]
  ) -> String? {
    guard let row = CommandTable.row(request: request), size == row.fullSize(kernel) else { return nil }
    let fields = row.fields + (operation?.fields ?? [])
    guard Set(fields.map(\.name)).count == fields.count else { return nil }
    var line = operation.map { "selftest \($0.name)" } ?? "request \(row.name)"
    for store in stores {
      guard let field = fields.first(where: { $0.offset == store.offset && $0.size == store.width }) else {
        return nil
      }
      if operation != nil, field.name == "op" { continue }
      line += " \(field.name)=\(number(store.value))"
    }
    return row.family == .selftest && operation == nil ? nil : line
  }

  private func raw(
    _ fd: String, _ request: UInt32, _ size: Int, _ stores: [RecordedProgram.Store]
  ) -> String {
    let head = "ioctl \(fd) \(Self.hex(UInt64(request)))"
    guard size >= 4 else { return head + " arg=0" }
    var words = [String](repeating: "0", count: (size + 3) / 4)
    words[0] = "\(size)"
    for store in stores {
      let index = store.offset / 4
      guard index < words.count else { continue }
      switch store.value {
      case .constant, .area:
        let value = literal(store.value)
        words[index] = Self.hex(value & 0xFFFF_FFFF)
        if store.width == 8, index + 1 < words.count { words[index + 1] = Self.hex(value >> 32) }
      case .register: words[index] = number(store.value)
      }
    }
    return head + " { " + words.map { "u32 \($0)" }.joined(separator: "; ") + " }"
  }

  /// What a register holds behind a call; and for a descriptor the clause that gives it a name.
  private mutating func take(
    _ load: RecordedProgram.Load, _ request: UInt32, _ operation: SelftestOp?, _ answer: Answer,
    isNamed: Bool
  ) -> String {
    let kind = "\(request) \(operation?.number ?? 0) \(load.offset ?? -1)"
    guard answer.errno == nil else {
      registers[load.register] = lastGood[kind] ?? "0"
      return ""
    }
    guard load.isDescriptor else {
      var value = answer.word(load.offset ?? 0) ?? 0
      if load.width == 8, let offset = load.offset { value |= (answer.word(offset + 4) ?? 0) << 32 }
      registers[load.register] = Self.hex(value)
      lastGood[kind] = Self.hex(value)
      return ""
    }
    registers[load.register] = "$f\(load.register)"
    let fields = (CommandTable.row(request: request)?.fields ?? []) + (operation?.fields ?? [])
    let name = load.offset.map { offset in fields.first { $0.offset == offset }?.name ?? "" } ?? "rc"
    return isNamed && !name.isEmpty ? ", \(name)=?f\(load.register)" : ""
  }

  // MARK: The machine

  private mutating func add(_ action: BenchAction) {
    switch action {
    case .fork:
      let name = "p\(processes.count)"
      processes.append("$\(name)")
      say("\(name) = process fork")
    case .switchProcess(let number):
      currentProcess = processes[number % processes.count]
      say("? process switch \(currentProcess)")
    case .exitProcess(let number):
      let others = processes.filter { $0 != currentProcess }
      guard !others.isEmpty else { return }
      let process = others[number % others.count]
      processes.removeAll { $0 == process }
      say("? process exit \(process)")
    case .setMemlockLimit(let bytes): say("memlock \(Self.hex(bytes))")
    case .setCapability(let number, let held):
      let names = BenchAction.capabilities
      say("capability \(names[number % names.count]) \(held ? "on" : "off")")
    case .armFailure(let nth): say("# the failure point that comes as number \(nth) from here fails")
    case .disarmFailure: say("# no failure point fails any more")
    case .dma(let access): dma(access)
    case .requestTranslation(let access):
      say(
        "? ats \(device(access.function)) \(number(access.address))" + pasid(access)
          + flag(access.isWrite, "write"))
    case .requestPage(let access, let permissions, let last, let group):
      say(
        "? fault \(device(access.function)) \(number(access.address))" + flag(permissions & 1 != 0, "read")
          + flag(permissions & 2 != 0, "write") + flag(permissions & 4 != 0, "exec")
          + flag(permissions & 8 != 0, "priv") + pasid(access) + " group=\(group)" + flag(!last, "more"))
    case .takeFinished(let function): say("? dma wait \(device(function))")
    case .interrupt(let function, let vector):
      say("? irq alloc \(device(function)) vector=\(vector)")
      say("# and the device sends it")
    case .plug: say("# a further function is plugged in")
    case .unplug(let function): say("? device remove \(device(function))")
    case .cut(_, let table, let iova): say("? cut \(number(table)) \(number(iova))")
    case .grow(_, let table, let iova, let length):
      say("? grow \(number(table)) \(number(iova)) len=\(Self.hex(length))")
    case .guestTable(let table): guestTable(table)
    }
  }

  private mutating func dma(_ access: BenchAction.DeviceAccess) {
    let verb = access.isAtomic ? "atomic" : access.isWrite ? "write" : "read"
    let data = access.isAtomic ? " le32(1)" : access.isWrite ? " fill(0xd5, \(access.length))" : ""
    say(
      "? dma \(verb) \(device(access.function)) \(number(access.address))\(data)"
        + (verb == "read" ? " len=\(access.length)" : "") + pasid(access)
        + flag(access.execute && verb == "read", "exec") + flag(access.privileged, "priv")
        + flag(access.avoidsCache, "untranslated"))
  }

  private mutating func guestTable(_ table: BenchAction.GuestTableAction) {
    typealias Table = BenchAction.GuestTableAction
    let guest = literal(table.guestAddress)
    let count = UInt64(Table.pageCount)
    let entries = (0..<count).map { page in
      let turned = (page + UInt64(table.rotation)) % count
      return
        "\(Self.hex(Table.firstPage + page << 12)) = gpa \(Self.hex(guest + Table.pagesOffset + turned << 12)) "
        + (table.isReadOnly ? "ro" : "rw")
    }
    let offset = literal(table.memory) - Self.area
    let room =
      "in=$ram[\(Self.hex(offset + Table.tablesOffset))...\(Self.hex(offset + Table.pagesOffset - 1))] "
      + "at=\(Self.hex(guest + Table.tablesOffset))"
    say("root, ste = table \(table.format) \(room) { \(entries.joined(separator: "; ")) }")
    switch table.family {
    case .smmuv3: say("mem write \(address(table.data)) $ste")
    case .amd:
      say("mem write \(address(table.memory)) le64($root + 1)")
      let entry = BenchAction.GuestTableAction.deviceTableEntry(guest)
      say("mem write \(address(table.data)) le64(\(entry.map(Self.hex).joined(separator: ", ")))")
    default: say("mem write \(address(table.data)) le64(0, $root, 48)")
    }
  }

  // MARK: Words

  private mutating func say(_ line: String) { lines.append(line) }

  /// The function of a number, which has to be there.
  private mutating func device(_ number: Int) -> String {
    let count = max(1, scene.functions.count)
    functions = max(functions, number % count + 1)
    return "$d\(number % count)"
  }

  private func pasid(_ access: BenchAction.DeviceAccess) -> String {
    access.pasid.map { " pasid=\($0)" } ?? ""
  }

  private func flag(_ isOn: Bool, _ word: String) -> String { isOn ? " \(word)" : "" }

  private static func hex(_ value: UInt64) -> String {
    value < 10 ? "\(value)" : "0x" + String(value, radix: 16)
  }

  private func literal(_ operand: RecordedProgram.Operand) -> UInt64 {
    switch operand {
    case .constant(let value): value
    case .area(let offset): Self.area + offset
    case .register: 0
    }
  }

  private func number(_ operand: RecordedProgram.Operand) -> String {
    if case .register(let register) = operand { return registers[register] ?? "0" }
    return Self.hex(literal(operand))
  }

  private func address(_ operand: RecordedProgram.Operand) -> String {
    if case .area(let offset) = operand { return "$ram+\(Self.hex(offset))" }
    return number(operand)
  }
}
