// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// The hardware verbs: each is one call of the bench.

extension Executor {
  func perform(_ action: HardwareAction) throws(ActionError) {
    guard let bench else { throw .stop(.actsThroughBench) }
    switch action {
    case .addIOMMU(let name, let kind, let options): try addIOMMU(name, kind, options, bench)
    case .addFunction(let function): try add(function, bench)
    case .removeFunction(let code):
      let number = try function(code)
      try tried { () throws(Errno) in try bench.removeFunction(number) }
    case .configure(let code, let ats, let pri, let pasid):
      let number = try function(code)
      try tried { () throws(Errno) in try bench.configure(number, ats: ats, pri: pri, pasid: pasid) }
    case .remapInterrupt(let code, let vector, let destination):
      let (number, line, target) = (try function(code), try integer(vector), try integer(destination))
      let message = try tried { () throws(Errno) in
        try bench.remapInterrupt(
          number, vector: UInt8(truncatingIfNeeded: line), destination: UInt32(truncatingIfNeeded: target))
      }
      answer("address", .number(message.address))
      answer("data", .number(UInt64(message.data)))
    case .bind(let code):
      let device = try device(code)
      if try given({ () throws(Stop) in try bind(device) }) {
        answer("id", .number(UInt64(device.device)))
      } else if errno != 0 {
        throw .errno(reason ?? Errno(code: errno))
      }
    case .unbind(let code):
      release(try device(code))
      if errno != 0 { throw .errno(reason ?? Errno(code: errno)) }
    case .dma(let code, let access):
      let number = try function(code)
      let request = try request(access)
      tell(try tried { () throws(Errno) in try bench.dma(number, request) })
    case .awaitDMA(let code):
      let number = try function(code)
      if let outcome = try tried({ () throws(Errno) in try bench.finishedDMA(number) }) {
        tell(outcome)
      } else {
        ending = .held
      }
    case .requestTranslation(let code, let address, let pasid, let writing):
      let number = try function(code)
      let (place, tag) = (try integer(address), try optional(pasid))
      tell(
        try tried { () throws(Errno) in
          try bench.requestTranslation(number, place, pasid: tag, writing: writing)
        })
    case .walk(let code, let address, let pasid, let writing):
      let number = try function(code)
      let (place, tag) = (try integer(address), try optional(pasid))
      let fact = try tried { () throws(Errno) in
        try bench.walk(number, place, pasid: tag, writing: writing)
      }
      if !isAnswerChecked { output(WalkText.text(fact)) }
      tell(fact)
    default: try reach(action, bench)
    }
  }

  /// Reading and writing what only the bench can reach.
  private func reach(_ action: HardwareAction, _ bench: any Bench) throws(ActionError) {
    switch action {
    case .readRegister(let code, let offset, let width):
      let (number, place, size) = (try iommu(code), try integer(offset), try integer(width))
      answer(
        "value",
        .number(
          try tried { () throws(Errno) in try bench.readRegister(number, place, width: Int(clamping: size)) })
      )
    case .writeRegister(let code, let offset, let value, let width):
      let (number, place, size) = (try iommu(code), try integer(offset), try integer(width))
      let word = try integer(value)
      try tried { () throws(Errno) in
        try bench.writeRegister(number, place, width: Int(clamping: size), word)
      }
    case .readPhysical(let address, let length):
      let (place, count) = (try integer(address), try integer(length))
      answer(
        "data",
        .bytes(try tried { () throws(Errno) in try bench.readPhysical(place, Int(clamping: count)) }))
    case .writePhysical(let address, let bytes):
      let place = try integer(address)
      let data = try given { () throws(Stop) in try self.bytes(bytes, noPlace) }
      try tried { () throws(Errno) in try bench.writePhysical(place, data) }
    case .cut(let code, let iova):
      let (fd, id, place) = (try openFile(), try integer(code), try integer(iova))
      try tried { () throws(Errno) in
        try bench.cut(fd, hwpt: UInt32(truncatingIfNeeded: id), iova: place)
      }
    case .grow(let code, let range):
      let (fd, id) = (try openFile(), try integer(code))
      guard case .range(let first, let last) = try given({ () throws(Stop) in try value(range) }) else {
        throw .stop(
          .problem(Problem(code: .wrongKindAtRun, place: noPlace, message: "a range belongs here")))
      }
      let made = try tried { () throws(Errno) in
        try bench.grow(
          fd, hwpt: UInt32(truncatingIfNeeded: id), iova: first, length: last &- first &+ 1)
      }
      answer("made", .number(UInt64(made)))
    case .setBug(let code, let name, let on):
      let number = try iommu(code)
      let word = try text(name)
      try requireKnown(word, "bug", bench.driverBugs.map(\.name))
      try tried { () throws(Errno) in try bench.setBug(number, word, on) }
    case .omitLock(let name, let on):
      let word = try text(name)
      try requireKnown(word, "lock that can be forgotten", bench.forgettableLocks)
      try tried { () throws(Errno) in try bench.forgetLock(word, on) }
    case .table(let format, let memory, let place, let entries):
      try makeTable(format, memory, place, entries, bench)
    default: break
    }
  }

  // MARK: Operands

  private func openFile() throws(ActionError) -> Int32 {
    try given { () throws(Stop) in try currentContext(noPlace) }
  }

  private func device(_ code: Code) throws(ActionError) -> ScriptDevice {
    guard case .device(let device) = try given({ () throws(Stop) in try value(code) }) else {
      throw .stop(
        .problem(Problem(code: .wrongKindAtRun, place: noPlace, message: "a device belongs here")))
    }
    return device
  }

  private func function(_ code: Code) throws(ActionError) -> Int {
    guard let number = try device(code).function else {
      throw .stop(
        .problem(
          Problem(
            code: .wrongKindAtRun, place: noPlace,
            message: "a mock device has no hardware behind it",
            help: ["device add behind $io, or iofd run --backend vtd"])))
    }
    return number
  }

  private func iommu(_ code: Code) throws(ActionError) -> Int {
    guard case .handle(let handle) = try given({ () throws(Stop) in try value(code) }), handle.kind == .iommu
    else {
      throw .stop(
        .problem(Problem(code: .wrongKindAtRun, place: noPlace, message: "an IOMMU belongs here")))
    }
    return Int(handle.id)
  }

  private func optional(_ code: Code?) throws(ActionError) -> UInt32? {
    guard let code else { return nil }
    return UInt32(truncatingIfNeeded: try integer(code))
  }

  private func text(_ code: Code) throws(ActionError) -> String {
    String(decoding: try given { () throws(Stop) in try bytes(code, noPlace) }, as: UTF8.self)
  }

  private func requireKnown(_ word: String, _ what: String, _ known: [String]) throws(ActionError) {
    guard !known.contains(word) else { return }
    throw .stop(
      .problem(
        Problem(
          code: .unknownHardware, place: noPlace, message: "there is no \(what) '\(word)'",
          help: [Suggest.help(for: word, in: known)].compactMap { $0 } + [
            "known: " + known.joined(separator: " ")
          ])))
  }

  // MARK: Plugging in

  private func addIOMMU(
    _ name: String?, _ kind: Code, _ options: [(name: Name, value: Code?)], _ bench: any Bench
  ) throws(ActionError) {
    let word = try text(kind)
    try requireKnown(word, "kind of IOMMU", bench.iommuKinds.map(\.name))
    let known = bench.iommuKinds.first { $0.name == word }?.options ?? []
    var numbers: [String: UInt64] = [:]
    var words: [String: String] = [:]
    for (option, code) in options {
      try requireKnown(option.text, "option of kind=\(word)", known.map(\.name))
      guard let row = known.first(where: { $0.name == option.text }) else { continue }
      if let choices = row.words {
        let chosen = if let code { try text(code) } else { "" }
        try requireKnown(chosen, "choice of \(option.text)", choices)
        words[option.text] = chosen
      } else if let code {
        numbers[option.text] = try integer(code)
      } else if row.isFlag {
        numbers[option.text] = 1
      } else {
        throw .stop(
          .problem(
            Problem(
              code: .unknownHardware, place: noPlace, message: "'\(option.text)' needs a value",
              help: ["\(option.text)=...: \(row.summary)"])))
      }
    }
    let count = plugged
    let number = try tried { () throws(Errno) in
      try bench.addIOMMU(name ?? "iommu\(count)", kind: word, numbers: numbers, words: words)
    }
    plugged += 1
    answer("iommu", .handle(Handle(.iommu, id: UInt32(number))))
  }

  private func add(_ code: FunctionCode, _ bench: any Bench) throws(ActionError) {
    var function = FunctionDescription()
    if let behind = code.behind { function.behind = try iommu(behind) }
    if let group = code.groupOf { function.groupOf = try self.function(group) }
    if let id = code.requesterID { function.requesterID = UInt32(truncatingIfNeeded: try integer(id)) }
    if let bits = code.pasidBits { function.pasidBits = Int(clamping: try integer(bits)) }
    function.ats = code.ats
    function.pri = code.pri
    function.isVirtualFunction = code.isVirtualFunction
    let number = try tried { () throws(Errno) in try bench.addFunction(function) }
    answer("device", .device(ScriptDevice(function: number)))
  }

  // MARK: DMA

  private func request(_ code: DMACode) throws(ActionError) -> DMARequest {
    let address = try integer(code.address)
    let pasid = try optional(code.pasid)
    var request: DMARequest
    switch code.access {
    case .read(let length):
      let count = try integer(length)
      guard count <= UInt64(Limits.valueBytes) else {
        throw .stop(
          .problem(
            Problem(
              code: .valueTooLargeAtRun, place: noPlace,
              message: "more than \(Limits.valueBytes >> 20) MiB of bytes")))
      }
      request = .read(address, Int(count), pasid: pasid)
    case .write(let bytes):
      request = .write(address, try given { () throws(Stop) in try self.bytes(bytes, noPlace) }, pasid: pasid)
    case .atomic(let atomic, let bytes):
      let operand = try given { () throws(Stop) in try self.bytes(bytes, noPlace) }
      guard operand.count == 4 || operand.count == 8, address % UInt64(operand.count) == 0 else {
        throw .stop(
          .problem(
            Problem(
              code: .wrongKindAtRun, place: noPlace,
              message: "an atomic operation is on 4 or 8 bytes at a multiple of its size")))
      }
      request = .atomic(atomic, address, operand, pasid: pasid)
    case .interrupt(let data):
      let word = try integer(data)
      request = .write(
        address, (0..<4).map { UInt8(truncatingIfNeeded: word >> (UInt64($0) * 8)) }, pasid: pasid)
    }
    request.execute = code.execute
    request.privileged = code.privileged
    request.isTranslated = code.isTranslated
    request.avoidsCache = code.avoidsCache
    return request
  }

  private func tell(_ outcome: DMAOutcome) {
    switch outcome {
    case .done(let bytes): answer("data", bytes.isEmpty ? .none : .bytes(bytes))
    case .interrupt(let address, let data):
      answer("address", .number(address))
      answer("value", .number(UInt64(data)))
    case .held: ending = .held
    case .fault(let fault):
      ending = .faulted
      answer("data", fault.done.isEmpty ? .none : .bytes(fault.done))
      answer("reason", .text(fault.reason.rawValue))
      answer("code", .number(UInt64(fault.code)))
      answer("name", .text(fault.name))
      answer("at", .number(fault.address))
      answer("recorded", .number(fault.recorded ? 1 : 0))
    }
  }

  /// Every member of a translation becomes a result.
  private func tell(_ fact: Fact) {
    guard case .record(let members) = fact else { return }
    for member in members { answer(member.name, Value(member.value)) }
    switch fact["result"] {
    case .text("fault")?: ending = .faulted
    case .text("stalled")?: ending = .held
    default: break
    }
  }

  // MARK: Guest tables

  private func makeTable(
    _ format: Code, _ memory: Code, _ place: Code, _ entries: [TableEntryCode], _ bench: any Bench
  ) throws(ActionError) {
    let name = try text(format)
    try requireKnown(name, "table format", bench.guestTableFormats)
    let room = try self.memory(memory, nil)
    let guest = try integer(place)
    var mappings: [GuestMapping] = []
    for entry in entries {
      mappings.append(
        GuestMapping(
          iova: try integer(entry.iova), target: try integer(entry.target), length: try integer(entry.length),
          readable: entry.readable, writable: entry.writable))
    }
    try tried { () throws(Errno) in
      let table = try bench.guestTable(format: name, at: guest, room: room.length, entries: mappings)
      try target.memory.write(table.bytes, at: room.address)
      answer("root", .number(table.root))
      answer("ste", table.streamTableEntry.isEmpty ? .none : .bytes(table.streamTableEntry))
      answer("used", .number(UInt64(table.bytes.count)))
    }
  }

  // MARK: Looking

  /// What the bench knows of an IOMMU or of a PCI function; nil for anything else.
  func hardwareState(_ value: Value, _ bench: any Bench) -> Fact? {
    switch value {
    case .handle(let handle) where handle.kind == .iommu: bench.state(ofIOMMU: Int(handle.id))
    case .device(let device): device.function.flatMap { bench.state(ofFunction: $0) }
    default: nil
    }
  }

  func kindsText(_ kinds: [IOMMUDescription]) throws(ActionError) -> String {
    var text = ""
    for kind in kinds {
      text += "\(kind.name): \(kind.summary)\n"
      for option in kind.options {
        let values = option.words.map { "=" + $0.joined(separator: "|") } ?? (option.isFlag ? "" : "=N")
        text += "  \(option.name)\(values)  \(option.summary)\n"
      }
    }
    return text
  }

  /// `leaf($hw, iova)`
  func leaf(_ arguments: [Code], _ place: Place) throws(Stop) -> Value {
    guard let bench else { throw .needsBench }
    let fd = try currentContext(place)
    var subject = try value(arguments[0])
    if case .device(let device) = subject { subject = .number(UInt64(device.hwpt)) }
    let iova = try number(arguments[1], place)
    let id = UInt32(truncatingIfNeeded: subject.number ?? 0)
    return bench.leaf(fd, hwpt: id, iova: iova).map { Value($0) } ?? .none
  }

  /// `cached($dev, iova)`
  func cached(_ arguments: [Code], _ place: Place) throws(Stop) -> Value {
    guard let bench else { throw .needsBench }
    guard case .device(let device) = try value(arguments[0]), let function = device.function else {
      throw .problem(
        Problem(code: .wrongKindAtRun, place: place, message: "a PCI function belongs here"))
    }
    let address = try number(arguments[1], place)
    var pasid: UInt32?
    if arguments.count > 2 { pasid = UInt32(truncatingIfNeeded: try number(arguments[2], place)) }
    return bench.cachedTranslation(function, address, pasid: pasid).map { Value($0) } ?? .none
  }

  // MARK: Stale translations

  /// Those that have not been told of, which are told of now.
  func noteStaleTranslations() -> [Violation] {
    guard let bench else { return [] }
    let now = bench.staleTranslations()
    let new = now.filter { !knownStale.contains($0.evidence) }
    knownStale = Set(now.map(\.evidence))
    return new
  }

  func staleTranslations(_ violations: [Violation], _ place: Place) -> Diagnostic {
    let where_ = "unmapped or taken away at line \(place.line)"
    return Diagnostic(
      .staleTranslation, in: place.source, at: place.span,
      violations.count == 1
        ? "this leaves a cache behind that is out of date"
        : "this leaves \(violations.count) cached entries behind that are out of date",
      details: violations.prefix(5).map { Diagnostic.Detail("stale", "\($0.evidence), \(where_)") },
      help: ["a driver with a bug on purpose: -> stale"])
  }
}
