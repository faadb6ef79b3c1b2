// SPDX-License-Identifier: GPL-3.0-or-later

/// A zip file of seeds, as OSS-Fuzz puts it beside a fuzz target.
///
/// The central directory at the end of the file says what there is; a local header in front of each member only how
/// far its data are from it. Members are stored or deflated. Directories and hidden files are left out. Names that
/// point out of the archive, encrypted members, other methods and archives with 64-bit sizes are refused with a reason.
///
/// What a member inflates to is bounded by what the directory says, and the sum of that over all members by `Limits`:
/// members that share their data, the trick of the worst archives, count for each.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16; reference corpora.md section 7.6.
public struct ZipReader: Sendable {
  public struct Limits: Sendable {
    /// Bytes of one member, and of all of them.
    public var member = 16 << 20
    public var total = 256 << 20
    public init() {}
  }

  /// Why an archive or a member cannot be read.
  public struct Damage: Error, Sendable, Equatable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
  }

  public struct Member: Sendable {
    public let name: [UInt8]
    public let isDeflated: Bool
    public let checksum: UInt32
    public let compressedSize: Int
    public let size: Int
    let header: Int
  }

  /// A member that is not offered.
  public struct Refusal: Sendable {
    public let name: [UInt8]
    public let reason: String
  }

  /// What can be read, in the order of the directory.
  public private(set) var members: [Member] = []
  public private(set) var refused: [Refusal] = []
  /// Directories and hidden files.
  public private(set) var ignored = 0
  /// Why the directory could not be read to its end.
  public private(set) var damage: Damage?

  private let bytes: [UInt8]
  private let limits: Limits
  private var total = 0

  private static let localHeader: UInt32 = 0x0403_4B50
  private static let directoryHeader: UInt32 = 0x0201_4B50
  private static let endRecord: UInt32 = 0x0605_4B50

  /// Whether a file begins like an archive, be it an empty one.
  public static func isOne(_ bytes: [UInt8]) -> Bool {
    let magic = bytes.number(at: 0, as: UInt32.self)
    return magic == localHeader || magic == endRecord
  }

  /// Reads the directory as far as it goes.
  public init(_ bytes: [UInt8], limits: Limits = Limits()) {
    self.bytes = bytes
    self.limits = limits
    do throws(Damage) { try readDirectory() } catch { damage = error }
  }

  private mutating func readDirectory() throws(Damage) {
    let end = try endRecord()
    guard let disk = bytes.number(at: end + 4, as: UInt16.self),
      let count = bytes.number(at: end + 10, as: UInt16.self),
      let size = bytes.number(at: end + 12, as: UInt32.self),
      let start = bytes.number(at: end + 16, as: UInt32.self)
    else { throw Damage(reason: "the archive ends in its end record") }
    guard count != .max && size != .max && start != .max else {
      throw Damage(reason: "an archive with 64-bit sizes")
    }
    guard disk == 0 else { throw Damage(reason: "a part of an archive") }
    var position = Int(start)
    for _ in 0..<count {
      guard position < end, bytes.number(at: position, as: UInt32.self) == Self.directoryHeader,
        let next = readEntry(at: position), next <= end
      else { throw Damage(reason: "byte \(position): here should be an entry of the directory") }
      position = next
    }
  }

  /// Where the end record begins: a comment of up to 65,535 bytes may follow it.
  private func endRecord() throws(Damage) -> Int {
    let last = bytes.count - 22
    for position in stride(from: last, through: max(0, last - 65535), by: -1)
    where bytes.number(at: position, as: UInt32.self) == Self.endRecord {
      let comment = bytes.number(at: position + 20, as: UInt16.self)
      if Int(comment ?? 0) == last - position { return position }
    }
    throw Damage(reason: "the archive's end is missing")
  }

  /// Takes or refuses the entry; returns where the next one begins, nil where the bytes end before it does.
  private mutating func readEntry(at position: Int) -> Int? {
    guard let flags = bytes.number(at: position + 8, as: UInt16.self),
      let method = bytes.number(at: position + 10, as: UInt16.self),
      let checksum = bytes.number(at: position + 16, as: UInt32.self),
      let compressedSize = bytes.number(at: position + 20, as: UInt32.self),
      let size = bytes.number(at: position + 24, as: UInt32.self),
      let nameLength = bytes.number(at: position + 28, as: UInt16.self),
      let extraLength = bytes.number(at: position + 30, as: UInt16.self),
      let commentLength = bytes.number(at: position + 32, as: UInt16.self),
      let header = bytes.number(at: position + 42, as: UInt32.self),
      position + 46 + Int(nameLength) <= bytes.count
    else { return nil }
    let name = Array(bytes[position + 46..<position + 46 + Int(nameLength)])
    let next = position + 46 + Int(nameLength) + Int(extraLength) + Int(commentLength)
    if Self.isIgnored(name) {
      ignored += 1
      return next
    }
    let member = Member(
      name: name, isDeflated: method == 8, checksum: checksum, compressedSize: Int(compressedSize),
      size: Int(size), header: Int(header))
    let reason: String? =
      switch true {
      case Self.pointsOut(name): "its name points out of the archive"
      case flags & 1 != 0: "it is encrypted"
      case size == .max || compressedSize == .max || header == .max: "it has 64-bit sizes"
      case method != 0 && method != 8: "compression method \(method)"
      case member.size > limits.member: "\(size) bytes are more than \(limits.member)"
      case member.size > limits.total - total: "the archive inflates to more than \(limits.total) bytes"
      default: nil
      }
    if let reason {
      refused.append(Refusal(name: name, reason: reason))
    } else {
      total += member.size
      members.append(member)
    }
    return next
  }

  private static func isIgnored(_ name: [UInt8]) -> Bool {
    name.isEmpty || name.last == UInt8(ascii: "/")
      || parts(of: name).contains { $0.first == UInt8(ascii: ".") && !$0.elementsEqual("..".utf8) }
  }

  private static func pointsOut(_ name: [UInt8]) -> Bool {
    name.first == UInt8(ascii: "/") || name.contains(0)
      || parts(of: name).contains { $0.elementsEqual("..".utf8) }
  }

  /// Some writers separate directories by backslashes.
  private static func parts(of name: [UInt8]) -> [ArraySlice<UInt8>] {
    name.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
  }

  /// The bytes of a member of this archive.
  ///
  /// - Throws: when they are not there, are damaged, or are not what the checksum says.
  public func contents(of member: Member) throws(Damage) -> [UInt8] {
    guard bytes.number(at: member.header, as: UInt32.self) == Self.localHeader,
      let nameLength = bytes.number(at: member.header + 26, as: UInt16.self),
      let extraLength = bytes.number(at: member.header + 28, as: UInt16.self)
    else { throw Damage(reason: "byte \(member.header): here should be a member") }
    let start = member.header + 30 + Int(nameLength) + Int(extraLength)
    guard start <= bytes.count, member.compressedSize <= bytes.count - start else {
      throw Damage(reason: "the archive ends in its data")
    }
    let data = bytes[start..<start + member.compressedSize]
    let contents: [UInt8]
    if member.isDeflated {
      do throws(Inflate.Failure) { contents = try Inflate.bytes(data, limit: member.size) } catch {
        throw Damage(reason: "\(error)")
      }
    } else {
      contents = Array(data)
    }
    guard contents.count == member.size else {
      throw Damage(reason: "\(contents.count) bytes where the directory says \(member.size)")
    }
    guard CRC32.of(contents) == member.checksum else { throw Damage(reason: "the checksum is another one") }
    return contents
  }
}
