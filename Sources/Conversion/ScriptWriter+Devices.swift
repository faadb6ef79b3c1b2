// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

// What was done to the hardware, in the verbs that do it again. Where in physical memory something lies is the machine's
// own affair, and not expected.

extension ScriptWriter {
  mutating func write(_ action: LoggedDeviceAction, at index: Int) {
    switch action {
    case .addIOMMU(let name, let kind, let numbers, let words, let result):
      var text = "iommu \(name) kind=\(kind)"
      for (option, value) in numbers.sorted(by: { $0.key < $1.key }) { text += " \(option)=\(value)" }
      for (option, value) in words.sorted(by: { $0.key < $1.key }) { text += " \(option)=\(value)" }
      add(text, result.error)
      if case .success(let number) = result { iommus[number] = name }
    case .addFunction(let description, let result, _): plug(description, result)
    case .removeFunction(let function, let error):
      say(action, function) { ("device remove \($0)", error) }
    case .configure(let function, let ats, let pri, let pasid, let error):
      let words = (ats ? " ats" : "") + (pri ? " pri" : "") + (pasid ? " pasid" : "")
      say(action, function) { ("device enable \($0)\(words)", error) }
    case .remapInterrupt(let function, let vector, let destination, let result):
      guard let name = name(of: function) else { return leave(action) }
      var line = ScriptLine(
        "irq alloc \(name) vector=\(ScriptText.hex(UInt64(vector)))"
          + (destination == 0 ? "" : " cpu=\(destination)"))
      line.errno = result.error
      if case .success(let message) = result {
        messages[function] = message.address
        line.results = [
          .equal("address", ScriptText.hex(message.address)),
          .equal("data", ScriptText.hex(UInt64(message.data))),
        ]
      }
      add(line)
    case .dma(let function, let request, let result):
      guard let name = name(of: function) else { return leave(action) }
      var line = ScriptLine(words(request, name, function))
      line.errno = result.error
      if case .success(let outcome) = result { expect(outcome, function, &line) }
      add(line)
    case .finishedDMA(let function, let result):
      guard let name = name(of: function) else { return leave(action) }
      var line = ScriptLine("dma wait \(name)")
      switch result {
      case .failure(let error): line.errno = error
      case .success(nil): line.outcome = "blocked"
      case .success(.some(let outcome)): expect(outcome, function, &line)
      }
      add(line)
    case .requestTranslation(let function, let address, let pasid, let writing, let result):
      guard let name = name(of: function) else { return leave(action) }
      var line = ScriptLine(
        "ats \(name) \(ScriptText.hex(address))" + Self.pasid(pasid) + (writing ? " write" : ""))
      line.errno = result.error
      if case .success(let answer) = result { expect(answer, &line) }
      add(line)
    case .requestPage(let function, let address, let pasid, let permissions, let last, let group, let error):
      var words = " \(ScriptText.hex(address))" + (permissions & 7 == 0 ? " none" : "")
      for (word, bit) in [("read", UInt32(1)), ("write", 2), ("exec", 4), ("priv", 8)]
      where permissions & bit != 0 {
        words += " \(word)"
      }
      words += Self.pasid(pasid) + (group == 0 ? "" : " group=\(group)") + (last ? "" : " more")
      say(action, function) { ("fault \($0)\(words)", error) }
    default: reach(action, at: index)
    }
  }

  /// What goes behind everybody's back.
  private mutating func reach(_ action: LoggedDeviceAction, at index: Int) {
    switch action {
    case .writeRegister(let iommu, let offset, let width, let value, let error):
      guard let name = iommus[iommu] else { return leave(action) }
      add(
        "reg write $\(name) \(ScriptText.hex(offset)) \(ScriptText.hex(value)) width=\(width)", error)
    case .setBug(let iommu, let bug, let isOn, let error):
      guard let name = iommus[iommu] else { return leave(action) }
      add("bug $\(name) \(bug)\(isOn ? "" : " off")", error)
    case .writePhysical(let address, let bytes, let error):
      add("phys write \(ScriptText.hex(address)) \(ScriptText.bytes(bytes))", error)
    case .cut(let fd, let hwpt, let iova, let error):
      guard use(fd) else { return leave(action) }
      add("cut \(table(hwpt, fd)) \(ScriptText.hex(iova))", error)
    case .grow(let fd, let hwpt, let iova, let length, let result):
      guard let range = Phrasing.range(iova, length), use(fd) else { return leave(action) }
      var line = ScriptLine("grow \(table(hwpt, fd)) \(range)")
      line.errno = result.error
      if case .success(let made) = result { line.results = [.equal("made", "\(made)")] }
      add(line)
    case .guestTable(let format, let guestAddress, let room, let entries, let table):
      pendingTable = PendingTable(
        format: format, guestAddress: guestAddress, room: room, entries: entries, table: table)
    case .armFailure(let nth, let kinds):
      guard outlook.failures.contains(index) else { return }
      let kinds = kinds.map { " at=[\($0.sorted().joined(separator: ", "))]" } ?? ""
      add(ScriptLine("fail nth=\(nth)\(kinds) {"))
      isFailing = true
    case .disarmFailure:
      if isFailing { add(ScriptLine("}")) }
      isFailing = false
    default: leave(action)
    }
  }

  /// It has no verb.
  private mutating func leave(_ action: LoggedDeviceAction) { add(.comment("left out: \(action)")) }

  // MARK: Functions

  private mutating func plug(_ description: FunctionDescription, _ result: Result<Int, Errno>) {
    var words = "device add"
    if let iommu = description.behind {
      guard let name = iommus[iommu] else {
        return add(.comment("left out: a PCI function is plugged in behind an IOMMU without a name"))
      }
      words += " behind $\(name)"
    }
    if let id = description.requesterID { words += " rid=\(ScriptText.hex(UInt64(id)))" }
    if let other = description.groupOf, let name = name(of: other) { words += " group=\(name)" }
    if description.pri { words += " pri" } else if description.ats { words += " ats" }
    if description.isVirtualFunction { words += " virtual" }
    words += " pasid-bits=\(description.pasidBits)"
    switch result {
    case .failure(let error): add(words, error)
    case .success(let number):
      plugged += 1
      guard plugged <= outlook.functionCount else { return }
      let name = ScriptName("d\(plugged - 1)")
      functions[number] = name
      add(ScriptLine(words, binding: name))
    }
  }

  private func name(of function: Int) -> String? { functions[function]?.reference }

  private mutating func say(
    _ action: LoggedDeviceAction, _ function: Int, _ line: (String) -> (words: String, errno: Errno?)
  ) {
    guard let name = name(of: function) else { return leave(action) }
    let (words, errno) = line(name)
    add(words, errno)
  }

  private static func pasid(_ pasid: UInt32?) -> String { pasid.map { " pasid=\($0)" } ?? "" }

  private func words(_ request: DMARequest, _ name: String, _ function: Int) -> String {
    let address = ScriptText.hex(request.address)
    var words: String
    if let atomic = request.atomic {
      words =
        "dma atomic \(name) \(address) \(ScriptText.bytes(request.bytes))"
        + (atomic == .fetchAdd ? "" : " op=\(atomic.rawValue)")
    } else if request.isWrite {
      let data = LoggedRequest.word(request.bytes, 0, 4)
      words =
        request.bytes.count == 4 && messages[function] == request.address
        ? "irq \(name) address=\(address) data=\(ScriptText.hex(data))"
        : "dma write \(name) \(address) \(ScriptText.bytes(request.bytes))"
    } else {
      words = "dma read \(name) \(address) len=\(request.length)"
    }
    words += Self.pasid(request.pasid)
    for (word, isOn) in [
      ("exec", request.execute), ("priv", request.privileged), ("translated", request.isTranslated),
      ("untranslated", request.avoidsCache),
    ] where isOn {
      words += " \(word)"
    }
    return words
  }

  /// More bytes than these say nothing to anybody.
  private static let shownBytes = 64

  private func expect(_ outcome: DMAOutcome, _ function: Int, _ line: inout ScriptLine) {
    switch outcome {
    case .done(let bytes):
      // A function of the kernel's may reach any memory, where others than the program write.
      let isShown = !bytes.isEmpty && (bytes.count <= Self.shownBytes || bytes.allSatisfy { $0 == bytes[0] })
      if isShown, opened.contains(function) { line.results = [.equal("data", ScriptText.bytes(bytes))] }
    case .fault(let fault):
      line.outcome = "fault"
      line.results = [.equal("reason", fault.reason.rawValue), .equal("at", ScriptText.hex(fault.address))]
    case .held: line.outcome = "blocked"
    case .interrupt(let address, let data):
      line.results = [
        .equal("address", ScriptText.hex(address)), .equal("value", ScriptText.hex(UInt64(data))),
      ]
    }
  }

  private func expect(_ answer: Fact, _ line: inout ScriptLine) {
    switch answer["result"] {
    case .text("fault")?: line.outcome = "fault"
    case .text("stalled")?: line.outcome = "blocked"
    default: break
    }
    for name in ["readable", "writable"] {
      if case .flag(let isSet)? = answer[name] { line.results.append(.equal(name, isSet ? "1" : "0")) }
    }
    if case .text(let reason)? = answer["reason"] { line.results.append(.equal("reason", reason)) }
  }

  // MARK: Device files

  /// The calls of a binding. The first one, which opens the device's file, `bind` makes as well.
  mutating func write(_ binding: ScriptOutlook.Binding, _ call: LoggedCall) {
    guard let name = name(of: binding.function) else { return }
    opened.insert(binding.function)
    switch call {
    case .ioctl(let request):
      guard case .bind(let file)? = DeviceFileRequest(request), use(file) else { return }
      let id = LoggedRequest.word(request.received, 12, 4)
      var line = ScriptLine("bind \(name)")
      line.results = [.equal("id", "\(id)")]
      add(line)
      devices[request.fd] = BoundDevice(function: binding.function, file: file)
      if let device = functions[binding.function] {
        names.add(id, of: file, ScriptNames.Object(name: device, kind: .device, isFunction: true))
      }
    case .close(let fd, let error):
      add("unbind \(name)", error)
      if let device = functions[binding.function], let file = devices[fd]?.file {
        names.remove(device, of: file)
      }
      devices[fd] = nil
    default: break
    }
  }

  /// A request to a device file that `bind` has opened.
  mutating func write(_ request: LoggedRequest, to device: BoundDevice) {
    guard let name = name(of: device.function) else { return }
    switch DeviceFileRequest(request) {
    case .attach(let table, let pasid):
      var line = ScriptLine(
        "attach \(name) to=\(names.text(table, of: device.file, [.ioas, .hwpt]))"
          + Self.pasid(pasid.map { UInt32(truncatingIfNeeded: $0) }))
      line.errno = request.errno
      if request.errno == nil {
        let id = LoggedRequest.word(request.received, 8, 4)
        if names.object(id, of: device.file) == nil {
          let made = names.make(.hwpt)
          names.add(id, of: device.file, ScriptNames.Object(name: made, kind: .hwpt))
          line.results = [.named("hwpt", made, otherwise: "\(id)")]
        } else {
          line.results = [.equal("hwpt", "\(id)")]
        }
      }
      add(line)
    case .detach(let pasid):
      add("detach \(name)" + Self.pasid(pasid.map { UInt32(truncatingIfNeeded: $0) }), request.errno)
    case .bind, nil: break
    }
  }

  // MARK: Tables

  private func table(_ id: UInt32, _ fd: Int32) -> String { names.text(UInt64(id), of: fd, [.hwpt]) }

  /// The bytes of a guest's table that was put together before; false for any others.
  mutating func storeTable(_ address: UInt64, _ bytes: [UInt8]) -> Bool {
    guard let pending = pendingTable else { return false }
    pendingTable = nil
    guard bytes == pending.table.bytes, let room = memory.part(address, pending.room) else { return false }
    let entries = pending.entries.map { entry in
      let rights = entry.readable ? (entry.writable ? "rw" : "ro") : "wo"
      let length = entry.length == 4096 ? "" : " len=\(ScriptText.hex(entry.length))"
      return "\(ScriptText.hex(entry.iova)) = gpa \(ScriptText.hex(entry.target))\(length) \(rights)"
    }
    memory.forget(address, UInt64(bytes.count))
    var line = ScriptLine(
      "table \(pending.format) in=\(room) at=\(ScriptText.hex(pending.guestAddress)) { \(entries.joined(separator: "; ")) }"
    )
    line.results = [.equal("root", ScriptText.hex(pending.table.root))]
    add(line)
    return true
  }
}

/// A function whose file `bind` has opened, and the `/dev/iommu` that it is bound to.
struct BoundDevice {
  let function: Int
  let file: Int32
}

/// A guest's table on its way into memory.
struct PendingTable {
  let format: String
  let guestAddress: UInt64
  let room: UInt64
  let entries: [GuestMapping]
  let table: GuestTable
}
