// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import PageTables
internal import Seams
internal import UAPI

@testable internal import Drivers
@testable internal import IOMMUFD
@testable internal import Machine

/// A machine with one IOMMU and functions behind it, all bound by one program through its `/dev/iommu`.
final class Program {
  let target: ModelTarget
  let fd: Int32
  let functions: [Endpoint]
  private(set) var bound: [DeviceObject] = []
  private(set) var accesses: [PinningAccess] = []
  let isBigEndian: Bool
  /// What worked, and how often.
  private(set) var succeeded: [String: Int] = [:]
  private let scratch: UInt64

  /// The lowest IOVA that is used: every driver's aperture has it, and no reserved region.
  static let base: UInt64 = 1 << 32

  /// - Parameters:
  ///   - devices: how many functions there are.
  ///   - scattered: no two pages of memory are neighbours, so that each has an entry of its own.
  init(_ kind: IOMMUKind, devices: Int = 2, scattered: Bool = false) throws {
    target = ModelTarget(Machine.Configuration(memorySize: 1 << 30, frameStride: scattered ? 2 : 1))
    var choices = IOMMUKind.Choices()
    // Linux 7.2's RISC-V driver lets no device be bound; another one would.
    if kind.options.contains(where: { $0.name == "vfio" }) { choices.words["vfio"] = "isolated" }
    let unit = try target.machine.addIOMMU("iommu0", kind, choices)
    var functions: [Endpoint] = []
    for number in 1...devices {
      functions.append(
        try target.machine.addFunction(
          "nic\(number)", PCIFunction(requesterID: UInt16(number << 3)), behind: unit))
    }
    self.functions = functions
    isBigEndian = kind.name == "s390"
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 4096, at: nil, mode: [.read, .write])
    for function in functions { bound.append(try context.bind(function.device)) }
  }

  var machine: Machine { target.machine }
  var memory: PhysicalMemory { machine.memory }
  var failures: FailurePoints { machine.kernel.failures }

  var context: Context {
    guard let context = machine.kernel.openContexts.first else { preconditionFailure("nothing is open") }
    return context
  }

  // MARK: Requests

  struct Answer {
    var errno: Errno?
    var fields: [String: UInt64] = [:]
    var code: Int { Int(errno?.code ?? 0) }
    subscript(_ name: String) -> UInt64 { fields[name] ?? 0 }
  }

  /// Makes a request; fields are set by name.
  @discardableResult
  func request(_ name: String, _ values: KeyValuePairs<String, UInt64> = [:]) -> Answer {
    guard let row = CommandTable.row(named: name) else { preconditionFailure("no row \(name)") }
    var bytes = [UInt8](repeating: 0, count: row.fullSize(target.kernel))
    func put(_ value: UInt64, _ field: Field) {
      for index in 0..<field.size {
        bytes[field.offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    for field in row.fields {
      if field.name == "size" { put(UInt64(bytes.count), field) }
      if let value = values.first(where: { $0.key == field.name })?.value { put(value, field) }
    }
    var answer = Answer()
    do throws(Errno) {
      try target.memory.write(bytes, at: scratch)
      _ = try target.ioctl(fd, row.request, scratch)
      note(name)
    } catch { answer.errno = error }
    let after = (try? target.memory.bytes(at: scratch, count: bytes.count)) ?? bytes
    for field in row.fields {
      answer.fields[field.name] = (0..<field.size).reduce(0) {
        $0 | UInt64(after[field.offset + $1]) << UInt64(8 * $1)
      }
    }
    return answer
  }

  /// Something worked.
  func note(_ what: String) { succeeded[what, default: 0] += 1 }

  func ioas() -> UInt32 { UInt32(request("IOAS_ALLOC")["out_ioas_id"]) }

  func buffer(_ pages: UInt64) throws -> UInt64 {
    try target.process.space.allocate(length: pages << 12, at: nil, mode: [.read, .write])
  }

  @discardableResult
  func map(_ ioas: UInt32, _ address: UInt64, _ length: UInt64, at iova: UInt64) -> Answer {
    request(
      "IOAS_MAP", ["flags": 7, "ioas_id": UInt64(ioas), "user_va": address, "length": length, "iova": iova])
  }

  @discardableResult
  func unmap(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64) -> Answer {
    request("IOAS_UNMAP", ["ioas_id": UInt64(ioas), "iova": iova, "length": length])
  }

  /// Attaches a device to an IOAS or an HWPT; returns the HWPT.
  @discardableResult
  func attach(_ device: Int, to id: UInt32) throws -> UInt32 {
    var id = id
    try bound[device].attach(to: &id)
    return id
  }

  func access(on ioas: UInt32? = nil) throws -> PinningAccess {
    let access = try PinningAccess(in: context)
    accesses.append(access)
    if let ioas { try access.access.attach(id: ioas) }
    return access
  }

  /// The frame of the caller's own page.
  func frame(_ address: UInt64) -> FrameNumber? { target.process.space.frame(at: address, writing: true) }

  // MARK: Tables

  var hwpts: [PagingHWPT] {
    machine.kernel.openContexts.flatMap { $0.objects.all.compactMap { $0 as? PagingHWPT } }
  }

  /// Every entry of an HWPT's table.
  func entries(_ hwpt: PagingHWPT) -> [TableEntry] {
    var entries: [TableEntry] = []
    (hwpt.pagingDomain as? TableDomain)?.forEachEntry { entry, _ in entries.append(entry) }
    return entries
  }

  /// Overwrites an entry, with a word that is written as the format numbers its bits.
  func overwrite(_ entry: TableEntry, with word: UInt64) {
    _ = memory.store64(isBigEndian ? word.byteSwapped : word, at: entry.address)
  }

  /// The leaf entry of an IOVA.
  func leaf(_ hwpt: UInt32, _ iova: UInt64) -> TableEntry? {
    let domain = hwpts.first { $0.id == hwpt }?.pagingDomain as? TableDomain
    return domain?.table.walk(IOVA(iova)).last
  }

  // MARK: The end

  /// Gives everything back: accesses, devices, and then processes with their files.
  func close() {
    failures.disarm()
    for access in accesses { access.close() }
    accesses = []
    for device in bound {
      device.detach()
      device.unbind()
    }
    bound = []
    for process in machine.allProcesses { try? machine.exit(process.pid) }
    machine.settle()
  }
}

/// An in-kernel user of an IOAS that lets go of its pins when it is asked to.
final class PinningAccess: @unchecked Sendable {
  private(set) var access: Access!
  private var pins: [Span64] = []

  init(in context: Context) throws(Errno) {
    access = try context.createAccess(needsPin: true) { [weak self] _, iova, length in
      self?.unpin(Span64(first: iova, length: length) ?? .everything)
    }
  }

  func pin(_ iova: UInt64, _ length: UInt64, writing: Bool = false) throws(Errno) -> [FrameNumber] {
    let frames = try access.pin(iova: iova, length: length, writing: writing)
    pins.append(Span64(iova, iova + (length - 1)))
    return frames
  }

  func unpin(_ span: Span64) {
    let meeting = pins.filter { $0.overlaps(span) }
    pins.removeAll { $0.overlaps(span) }
    for pin in meeting { access.unpin(iova: pin.first, length: pin.count) }
  }

  func close() {
    access.detach()
    access.context.destroyAccess(access)
  }
}

extension DMAOutcome {
  var isDone: Bool { if case .done = self { true } else { false } }
}
