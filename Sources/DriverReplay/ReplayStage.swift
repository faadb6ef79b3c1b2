// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Machine
internal import Memory
internal import UAPI

/// The machine that a recording is replayed on, and its requests made through iommufd.
final class ReplayStage {
  typealias Result = (code: Int, errno: Int, rest: String)

  let machine: Machine
  let endpoint: Endpoint
  private let target: ModelTarget
  private let fd: Int32
  private let ioas: UInt32
  private var bound: DeviceObject?
  private var scratch: UInt64 = 0

  /// - Throws: ENOMEM and what the hardware's driver refuses.
  init(_ recording: DriverRecording, _ hardware: RecordedHardware, name: String) throws(Errno) {
    guard let kind = IOMMUKind.named(hardware.kind) else { throw .ENODEV("the machine has no such IOMMU") }
    target = ModelTarget(Machine.Configuration(memorySize: 16 << 30))
    machine = target.machine
    // Before anything else takes them.
    let frames = recording.lines.flatMap { line -> [FrameNumber] in
      guard case .pages(let runs) = line else { return [] }
      return runs.flatMap { run in
        (0..<run.pages).map { FrameNumber(UInt32(truncatingIfNeeded: run.address >> Page.shift + $0)) }
      }
    }
    let memory = machine.memory
    try memory.claim(Array(Set(frames)).sorted())
    let choices = hardware.recorder.choices(for: RecordedHardware.registers(of: recording), name: name)
    let unit = try machine.addIOMMU("iommu0", kind, choices)
    let function = PCIFunction(requesterID: RecordedHardware.source)
    endpoint = try machine.addFunction("edu", function, behind: unit)
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 4096, at: nil, mode: [.read, .write])
    var words: [UInt32] = [12, 0, 0]
    try Self.call(target, fd, scratch, "IOAS_ALLOC", &words)
    ioas = words[2]
  }

  /// The page table that the device is on.
  var domain: TableDomain? { endpoint.device.group?.domain as? TableDomain }

  // MARK: Requests

  func perform(_ request: DriverRecording.Request, _ lines: [DriverRecording.Line]) -> Result {
    var rest = ""
    do throws(Errno) {
      switch request {
      case .map(let iova, let length, let flags):
        try map(iova, length, UInt32(truncatingIfNeeded: flags), lines)
      case .unmap(let iova, let length): try unmap(iova, length)
      case .allocateHWPT(let flags): try destroy(try allocateHWPT(UInt32(truncatingIfNeeded: flags)))
      case .other(let words): rest = try perform(words)
      }
    } catch {
      return (-1, Int(error.code), "")
    }
    machine.settle()
    return (0, 0, rest)
  }

  private static let words: Set = ["bind", "attach ioas", "attach hwpt", "detach", "hw_info", "ranges"]

  /// Whether the request is one that the stage can make.
  func knows(_ request: DriverRecording.Request) -> Bool {
    if case .other(let words) = request { Self.words.contains(words) } else { true }
  }

  private func perform(_ words: String) throws(Errno) -> String {
    switch words {
    case "bind": bound = try context().bind(endpoint.device)
    case "attach ioas":
      var pageTable = ioas
      try bound?.attach(to: &pageTable)
    case "attach hwpt":
      var pageTable = try allocateHWPT(HWPTFlag.nestParent)
      try bound?.attach(to: &pageTable)
    case "detach": bound?.detach()
    case "hw_info": return try hardwareInformation()
    case "ranges": return try ranges()
    default: throw .EOPNOTSUPP("a request that the replayer does not know")
    }
    return ""
  }

  private func context() throws(Errno) -> Context {
    guard let context = machine.kernel.openContexts.first else { throw .ENODEV("nothing is open") }
    return context
  }

  private func map(_ iova: UInt64, _ length: UInt64, _ flags: UInt32, _ lines: [DriverRecording.Line])
    throws(Errno)
  {
    var frames: [FrameNumber] = []
    for case .pages(let runs) in lines {
      for run in runs {
        for page in 0..<run.pages {
          frames.append(FrameNumber(UInt32(truncatingIfNeeded: run.address >> Page.shift + page)))
        }
      }
    }
    // A page that two hold would be copied before it is pinned to be written, and the copy mapped. So the area has the
    // frames alone while it is mapped, and what was claimed is the stage's again when the area goes.
    let space = target.process.space
    let address = try space.install(frames, at: nil, mode: [.read, .write])
    defer {
      for frame in frames { machine.memory.retain(frame) }
      try? space.unmap(address, length: UInt64(frames.count) << Page.shift)
    }
    var words: [UInt32] = [40, flags, ioas, 0] + Self.pair(address) + Self.pair(length) + Self.pair(iova)
    try Self.call(target, fd, scratch, "IOAS_MAP", &words)
  }

  private func unmap(_ iova: UInt64, _ length: UInt64) throws(Errno) {
    var words: [UInt32] = [24, ioas] + Self.pair(iova) + Self.pair(length)
    try Self.call(target, fd, scratch, "IOAS_UNMAP", &words)
  }

  private func allocateHWPT(_ flags: UInt32) throws(Errno) -> UInt32 {
    var words: [UInt32] = [48, flags, bound?.id ?? 0, ioas, 0, 0, 0, 0, 0, 0, 0, 0]
    try Self.call(target, fd, scratch, "HWPT_ALLOC", &words)
    return words[4]
  }

  private func destroy(_ id: UInt32) throws(Errno) {
    var words: [UInt32] = [8, id]
    try Self.call(target, fd, scratch, "DESTROY", &words)
  }

  private func hardwareInformation() throws(Errno) -> String {
    let room = scratch + 1024
    var words: [UInt32] = [40, 0, bound?.id ?? 0, 256] + Self.pair(room) + [0, 0, 0, 0]
    try Self.call(target, fd, scratch, "GET_HW_INFO", &words)
    let length = Int(words[3])
    let bytes = try target.memory.bytes(at: room, count: min(length, 256))
    let data = bytes.map { Self.hex(UInt64($0), digits: 2) }.joined()
    let capabilities = UInt64(words[9]) << 32 | UInt64(words[8])
    return
      "type=\(words[6]) len=\(length) caps=\(Self.hex(capabilities)) pasid_log2=\(words[7] & 0xFF) data=\(data)"
  }

  private func ranges() throws(Errno) -> String {
    let room = scratch + 1024
    var words: [UInt32] = [32, ioas, 64, 0] + Self.pair(room) + [0, 0]
    try Self.call(target, fd, scratch, "IOAS_IOVA_RANGES", &words)
    let bytes = try target.memory.bytes(at: room, count: Int(words[2]) * 16)
    func word(_ index: Int) -> UInt64 {
      bytes[index * 8..<index * 8 + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let alignment = UInt64(words[7]) << 32 | UInt64(words[6])
    let list = (0..<Int(words[2])).map { "\(Self.hex(word($0 * 2)))-\(Self.hex(word($0 * 2 + 1)))" }
    return (["align=\(Self.hex(alignment))"] + list).joined(separator: " ")
  }

  // MARK: Words

  private static func pair(_ value: UInt64) -> [UInt32] {
    [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  private static func hex(_ value: UInt64, digits: Int = 1) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }

  /// Makes a request whose struct is these words, and reads it back.
  private static func call(
    _ target: ModelTarget, _ fd: Int32, _ scratch: UInt64, _ name: String, _ words: inout [UInt32]
  ) throws(Errno) {
    guard let row = CommandTable.row(named: name) else { throw .ENOTTY("no such request") }
    try target.memory.write(
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }, at: scratch)
    _ = try target.ioctl(fd, row.request, scratch)
    let bytes = try target.memory.bytes(at: scratch, count: words.count * 4)
    for index in words.indices {
      words[index] = bytes[index * 4..<index * 4 + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }
}
