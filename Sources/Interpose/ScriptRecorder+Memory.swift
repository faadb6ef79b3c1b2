// SPDX-License-Identifier: GPL-3.0-or-later
internal import Conversion
internal import Memory

// Memory of the script, brought to what the program has.

extension ScriptRecorder {
  typealias Piece = ShadowMemory.Piece

  /// Makes the pages that `first...last` meets what they are in the program, where `areas` are its mappings.
  func layOut(
    _ process: Process, _ first: UInt64, _ last: UInt64, _ areas: [MappedArea], _ program: any ObservedProgram
  ) {
    let start = first & ~Page.mask
    let end = last >= ProcessMemory.addressLimit ? ProcessMemory.addressLimit : (last | Page.mask) + 1
    guard start < end else { return }
    var place = start
    for area in areas where area.end > place && area.start < end && !area.isSpecial {
      if area.start > place { unmap(process, place, area.start) }
      var piece = wanted(area, program)
      let from = max(place, area.start)
      piece = piece.cut(piece.huge ? max(area.start, from & ~(Page.hugeSize - 1)) : from, min(area.end, end))
      if piece.huge { piece.end = min(area.end, (piece.end + Page.hugeSize - 1) & ~(Page.hugeSize - 1)) }
      map(process, piece)
      place = max(piece.end, place)
    }
    if place < end { unmap(process, place, end) }
  }

  private func wanted(_ area: MappedArea, _ program: any ObservedProgram) -> Piece {
    var kind = Piece.Kind.anonymous
    if area.shared, let identity = area.file {
      // What cannot be asked for its size is as long as the longest mapping of it so far.
      let known = knownObject(identity).map { objects[$0].size } ?? 0
      let size = program.size(of: identity) ?? max(known, area.offset + (area.end - area.start))
      kind = .object(object(identity, size: size, isHuge: area.isHuge), offset: area.offset)
    }
    let isHuge: Bool =
      if case .object(let number, _) = kind { objects[number].isHuge } else { area.isHuge }
    return Piece(
      start: area.start, end: area.end, kind: kind, readable: area.readable, writable: area.writable,
      huge: isHuge)
  }

  private func map(_ process: Process, _ piece: Piece) {
    var place = piece.start
    for old in process.memory.pieces(piece.start, piece.end) {
      if old.start > place { create(process, piece.cut(place, old.start)) }
      let new = piece.cut(old.start, old.end)
      if !old.isSamePlace(as: new) {
        create(process, new)
      } else if old != new {
        line(
          "mem protect \(ScriptText.hex(new.start)) len=\(ScriptText.hex(new.end - new.start)) \(new.rights)")
        process.memory.protect(new)
      }
      place = old.end
    }
    if place < piece.end { create(process, piece.cut(place, piece.end)) }
  }

  private func create(_ process: Process, _ piece: Piece) {
    let (length, at) = (ScriptText.hex(piece.end - piece.start), ScriptText.hex(piece.start))
    switch piece.kind {
    case .anonymous:
      line("mem alloc \(length)\(piece.huge ? " huge" : "") at=\(at) \(piece.rights)")
    case .object(let number, let offset):
      let file = Self.descriptor(ofObject: number)
      line("mem map \(file) off=\(ScriptText.hex(offset)) len=\(length) at=\(at) \(piece.rights)")
    }
    process.memory.insert(piece)
  }

  private func unmap(_ process: Process, _ start: UInt64, _ end: UInt64) {
    for piece in process.memory.pieces(start, end) {
      line("mem unmap \(ScriptText.hex(piece.start)) len=\(ScriptText.hex(piece.end - piece.start))")
    }
    process.memory.remove(start, end)
  }

  // MARK: Contents

  /// Gives memory the bytes that a request read there.
  func provide(_ process: Process, _ address: UInt64, _ bytes: [UInt8]) {
    eachPiece(process, address, bytes) { piece, place, part in
      guard !has(process, piece, place, part) else { return }
      if !piece.writable {
        line("mem protect \(ScriptText.hex(piece.start)) len=\(ScriptText.hex(piece.end - piece.start)) rw")
      }
      line("mem write \(ScriptText.hex(place)) \(ScriptText.bytes(part))")
      if !piece.writable {
        line(
          "mem protect \(ScriptText.hex(piece.start)) len=\(ScriptText.hex(piece.end - piece.start)) \(piece.rights)"
        )
      }
      store(process, piece, place, part)
    }
  }

  /// Gives an object that no process maps the bytes that a request read there, through a mapping for the moment.
  func provide(object number: Int, _ offset: UInt64, _ bytes: [UInt8]) {
    let mask = (objects[number].isHuge ? Page.hugeSize : Page.size) - 1
    let start = offset & ~mask
    let length = ((offset + UInt64(bytes.count) - 1) | mask) + 1 - start
    let (file, at) = (Self.descriptor(ofObject: number), ScriptText.hex(Self.elsewhere))
    line("mem map \(file) off=\(ScriptText.hex(start)) len=\(ScriptText.hex(length)) at=\(at) rw")
    line("mem write \(ScriptText.hex(Self.elsewhere + (offset - start))) \(ScriptText.bytes(bytes))")
    line("mem unmap \(at) len=\(ScriptText.hex(length))")
    objects[number].contents.store(bytes, at: offset)
  }

  /// An address where programs have nothing.
  private static let elsewhere: UInt64 = 0x6000_0000_0000

  /// Expects the bytes that a request wrote.
  func check(_ process: Process, _ address: UInt64, _ bytes: [UInt8]) {
    eachPiece(process, address, bytes) { piece, place, part in
      if piece.readable { line("mem check \(ScriptText.hex(place)) \(ScriptText.bytes(part))") }
      store(process, piece, place, part)
    }
  }

  /// The request wrote into a page by itself.
  func note(_ owner: PageOwner, _ offset: UInt64, _ bytes: [UInt8]) {
    switch owner {
    case .process(let real):
      guard let process = processes.first(where: { $0.real == real }) else { return }
      process.memory.contents.store(bytes, at: offset)
    case .object(let identity):
      if let number = knownObject(identity) { objects[number].contents.store(bytes, at: offset) }
    }
  }

  /// Calls `body` for the parts of at most a page each that one piece maps.
  private func eachPiece(
    _ process: Process, _ address: UInt64, _ bytes: [UInt8], _ body: (Piece, UInt64, [UInt8]) -> Void
  ) {
    var index = 0
    while index < bytes.count {
      let place = address &+ UInt64(index)
      let count = min(bytes.count - index, Int(Page.size - place & Page.mask))
      if let piece = process.memory.piece(at: place) {
        body(piece, place, Array(bytes[index..<index + count]))
      }
      index += count
    }
  }

  private func has(_ process: Process, _ piece: Piece, _ place: UInt64, _ bytes: [UInt8]) -> Bool {
    switch piece.kind {
    case .anonymous: process.memory.contents.has(bytes, at: place)
    case .object(let number, let offset):
      objects[number].contents.has(bytes, at: offset + (place - piece.start))
    }
  }

  private func store(_ process: Process, _ piece: Piece, _ place: UInt64, _ bytes: [UInt8]) {
    switch piece.kind {
    case .anonymous: process.memory.contents.store(bytes, at: place)
    case .object(let number, let offset):
      objects[number].contents.store(bytes, at: offset + (place - piece.start))
    }
  }
}
