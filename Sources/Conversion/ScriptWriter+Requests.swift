// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// Requests as statements: by verbs, by the names of their fields, or by their bytes.

extension ScriptWriter {
  mutating func write(_ request: LoggedRequest) {
    let isPlaced = isPlaced(request)
    let isContext = use(request.fd)
    // The file in use goes without saying, and without a name.
    let file = isContext ? "default" : names.text(ofDescriptor: request.fd)
    // Only what can be written wholly by names of fields can be written by verbs.
    guard !isPlaced, isContext, let plain = PlainRequest(request.request, sent: request.sent) else {
      return writeBare(request, file, isPlaced: isPlaced)
    }
    var phrasing = Phrasing(request: request, structure: plain.structure, names: names, memory: memory)
    var phrase: Phrase?
    if style == .readable, request.errno != .EFAULT {
      phrase =
        phrasing.ioasPhrase() ?? phrasing.devicePhrase() ?? phrasing.selftestPhrase()
    }
    if phrase != nil { names = phrasing.names }
    finish(phrase ?? phrased(plain, request), plain, request)
  }

  /// The struct has to lie where it lay: the program's other uses of that memory depend on it, or the request failed
  /// because of its place.
  private func isPlaced(_ request: LoggedRequest) -> Bool {
    guard memory.isKnown(request.argument) else { return false }
    return style == .exact || request.sent.isEmpty
      || memory.isLive(request.argument, UInt64(request.sent.count))
      || request.errno == .EFAULT
  }

  /// A request by its number, with its struct as numbers or by address.
  private mutating func writeBare(_ request: LoggedRequest, _ file: String, isPlaced: Bool) {
    if let row = CommandTable.row(request: request.request), row.sizes.isEmpty,
      let words = Self.numberWords(row.name, request.argument), file == "default"
    {
      return answer(ScriptLine(words), request, [])
    }
    var words = "ioctl \(file) 0x\(String(request.request, radix: 16))"
    if request.sent.isEmpty || isPlaced {
      lines += memory.update(request.argument, UInt64(max(4, request.sent.count)))
      words +=
        " arg=\(memory.isKnown(request.argument) ? memory.text(request.argument) : ScriptText.hex(request.argument))"
    } else {
      words += " { \(PlainRequest.numbers(request.sent)) }"
    }
    for payload in request.payloads { lines += memory.update(payload.address, payload.length) }
    live(request)
    answer(ScriptLine(words), request, isPlaced || request.errno != nil ? [] : bareResults(request))
    keep(request, isPlaced: isPlaced)
  }

  private func bareResults(_ request: LoggedRequest) -> [ScriptLine.Result] {
    request.sent.isEmpty ? [] : [.equal("bytes", ScriptText.bytes(request.received))]
  }

  /// A VFIO request that takes a number.
  private static func numberWords(_ name: String, _ argument: UInt64) -> String? {
    switch name {
    case "VFIO_GET_API_VERSION": argument == 0 ? "vfio api" : nil
    case "VFIO_CHECK_EXTENSION": "vfio extension \(ScriptText.hex(argument))"
    case "VFIO_SET_IOMMU": "vfio set \(ScriptText.hex(argument))"
    default: nil
    }
  }

  /// The request by its row's name; every field that is not 0 will be said by its own.
  private mutating func phrased(_ plain: PlainRequest, _ request: LoggedRequest) -> Phrase {
    var phrase = Phrase(plain.words)
    guard request.errno == nil else { return phrase }
    for output in plain.outputs(request.received) {
      switch output.field.meaning {
      case .objectID where output.field.direction == .output:
        let bound = names.make(Self.stem(output.name))
        phrase.line.results.append(.named(output.name, bound, otherwise: "\(output.value)"))
        phrase.made.append((output.value, ScriptNames.Object(name: bound, kind: .number)))
      case .fileDescriptor:
        let bound = names.make(Self.stem(output.name))
        phrase.line.results.append(.named(output.name, bound, otherwise: "?\(bound.text)"))
        phrase.opened.append((Int32(truncatingIfNeeded: output.value), bound, .access))
      default: phrase.expect(output.name, ScriptText.hex(output.value))
      }
    }
    return phrase
  }

  private static func stem(_ field: String) -> String {
    let words = field.split(separator: "_").filter { $0 != "out" && $0 != "id" && $0 != "fd" }
    return words.isEmpty ? "n" : words.joined()
  }

  /// Adds what the words of a phrase leave open, and writes it down.
  private mutating func finish(_ phrase: Phrase, _ plain: PlainRequest, _ request: LoggedRequest) {
    var phrase = phrase
    let inputs = plain.inputs(kernel)
    for (index, (name, field)) in plain.structure.namedFields.enumerated()
    where !phrase.pointers.contains(name) {
      let input = inputs.first { $0.name == name }
      let value = input?.value ?? 0
      if case .userPointer = field.meaning { lines += memory.update(value, length(request, name)) }
      // The size is among the inputs where it has to be said.
      guard index == 0 ? input != nil : value != phrase.said[name] ?? 0 else { continue }
      phrase.line.words += " \(name.drop { $0 == "_" })=\(text(field, value, request))"
    }
    lines += phrase.before
    live(request)
    for (fd, name, kind) in phrase.opened { names.open(fd, name, kind) }
    for (id, object) in phrase.made { names.add(id, of: request.fd, object) }
    answer(phrase.line, request, phrase.line.results)
    for (address, bytes) in phrase.unwritten { store(address, bytes) }
    keep(request, isPlaced: false)
    if plain.structure.name == "DESTROY", request.errno == nil,
      let object = names.object(LoggedRequest.word(request.sent, 4, 4), of: request.fd),
      object.kind == .device
    {
      names.remove(object.name, of: request.fd)
    }
  }

  private func length(_ request: LoggedRequest, _ pointer: String) -> UInt64 {
    request.payload(pointer)?.length ?? 0
  }

  /// A field's value where it is said by the field's own name.
  private func text(_ field: Field, _ value: UInt64, _ request: LoggedRequest) -> String {
    switch field.meaning {
    case .userPointer: return memory.text(value)
    case .fileDescriptor: return names.text(ofDescriptor: Int32(truncatingIfNeeded: value))
    case .objectID:
      guard let object = names.object(value, of: request.fd), object.kind != .device else {
        return ScriptText.hex(value)
      }
      return object.name.reference
    default: return ScriptText.value(field, value)
    }
  }

  /// Memory that the request maps has to have its bytes from now on.
  private mutating func live(_ request: LoggedRequest) {
    guard let structure = request.structure else { return }
    func value(_ name: String) -> UInt64 {
      structure.fields.first { $0.name == name }.map { request.sent($0) } ?? 0
    }
    switch structure.name {
    case "IOAS_MAP": lines += memory.makeLive(value("user_va"), value("length"))
    case "VFIO_IOMMU_MAP_DMA": lines += memory.makeLive(value("vaddr"), value("size"))
    default: break
    }
  }

  private mutating func answer(
    _ line: ScriptLine, _ request: LoggedRequest, _ results: [ScriptLine.Result]
  ) {
    var line = line
    switch request.result {
    case .failure(let error): line.errno = error
    case .success(let code):
      line.results = results
      let isDescriptor = request.structure?.returnsDescriptor ?? false
      if code != 0, !isDescriptor { line.results.insert(.equal("rc", "\(code)"), at: 0) }
    }
    add(line)
  }

  /// What the request left in the program's memory and not in the script's: its struct.
  private mutating func keep(_ request: LoggedRequest, isPlaced: Bool) {
    guard !isPlaced, memory.isKnown(request.argument), request.sent != request.received else { return }
    store(request.argument, request.received)
  }
}
