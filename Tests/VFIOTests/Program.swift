// SPDX-License-Identifier: GPL-3.0-or-later
import IOMMU
import IOMMUFD
import Memory
import Testing
import UAPI

@testable import Machine

/// A program on a machine with some PCI functions, requester IDs 1, 2, ..., that makes requests by the rows of the
/// command table.
final class Program {
  let machine: Machine
  let driver: TinyDriver
  let unit: IOMMUUnit
  var process: Process
  private(set) var endpoints: [Endpoint] = []
  /// The struct of each request lies at the end of a page, so that what is behind it cannot be read.
  let page: UInt64

  static let standard: DeviceCapabilities = [.cacheCoherency, .isolatedMSI, .ats]

  init(
    _ kernel: Personality = .standard, functions: Int = 1, sharingGroup: Bool = false,
    _ capabilities: DeviceCapabilities = standard
  ) throws {
    machine = Machine(Machine.Configuration(kernel: kernel, memorySize: 64 << 20))
    driver = TinyDriver(capabilities)
    unit = try machine.addIOMMU("iommu0", .tiny(driver))
    process = machine.spawn()
    page = try process.space.allocate(length: 4096, at: 0x10000, mode: [.read, .write])
    for index in 0..<functions {
      try plug(UInt16(index + 1), groupOf: sharingGroup ? endpoints.first : nil)
    }
    _ = driver.log()
  }

  @discardableResult
  func plug(_ requesterID: UInt16, groupOf companion: Endpoint? = nil) throws -> Endpoint {
    let function = PCIFunction(
      requesterID: requesterID, capabilities: PCIFunction.Capabilities(ats: true, pasidBits: 6))
    let endpoint = try machine.addFunction(
      "dev\(requesterID)", function, behind: unit, groupOf: companion)
    endpoints.append(endpoint)
    return endpoint
  }

  func open(_ path: String) throws -> Int32 { try machine.open(path, by: process) }

  /// What came of a request.
  struct Answer: Equatable, CustomStringConvertible {
    var errno: Errno?
    /// The struct afterwards.
    var bytes: [UInt8] = []
    /// The check that refused it.
    var reason: String { errno?.reason ?? "" }
    var description: String { errno.map { "\($0.name): \($0.reason ?? "")" } ?? "ok" }
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
  }

  /// Makes a request with the struct that the row describes, its first field the full size unless given.
  ///
  /// - Parameters:
  ///   - size: bytes of the struct in memory.
  ///   - isReadOnly: the answer cannot be written.
  func request(
    _ fd: Int32, _ name: String, _ fields: KeyValuePairs<String, UInt64> = [:], size: Int? = nil,
    isReadOnly: Bool = false, extra: UInt8 = 0
  ) throws -> Answer {
    let row = try #require(CommandTable.row(named: name))
    let full = row.fullSize(machine.kernel.version)
    let count = size ?? full
    var bytes = [UInt8](repeating: 0, count: count)
    for index in full..<max(full, count) { bytes[index] = extra }
    func put(_ value: UInt64, _ field: Field) {
      for index in 0..<field.size where field.offset + index < count {
        bytes[field.offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    if let first = row.fields.first { put(UInt64(count), first) }
    for (name, value) in fields { put(value, try #require(row.field(name), "\(name)")) }
    let argument = page + 4096 - UInt64(count)
    try process.space.write(bytes, at: argument)
    if isReadOnly { try process.space.protect(page, length: 4096, mode: .read) }
    defer { if isReadOnly { try? process.space.protect(page, length: 4096, mode: [.read, .write]) } }
    do throws(Errno) {
      _ = try process.table.with(fd) { file throws(Errno) in
        try file.ioctl(row.request, argument, by: process)
      }
    } catch { return Answer(errno: error) }
    return Answer(errno: nil, bytes: try process.space.bytes(at: argument, count: count))
  }

  // MARK: Shorter

  func bind(_ fd: Int32, to iommufd: Int32) throws -> UInt32 {
    let answer = try request(
      fd, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": UInt64(UInt32(bitPattern: iommufd))])
    try #require(answer.errno == nil, "\(answer)")
    return answer.word(12)
  }

  func ioas(_ iommufd: Int32) throws -> UInt32 { try request(iommufd, "IOAS_ALLOC").word(8) }

  func hwpt(_ iommufd: Int32, _ device: UInt32, on ioas: UInt32, flags: UInt64 = 0) throws -> UInt32 {
    let answer = try request(
      iommufd, "HWPT_ALLOC", ["dev_id": UInt64(device), "pt_id": UInt64(ioas), "flags": flags])
    try #require(answer.errno == nil, "\(answer)")
    return answer.word(16)
  }

  func attach(_ fd: Int32, _ pageTable: UInt32, pasid: UInt32? = nil, isReadOnly: Bool = false) throws
    -> Answer
  {
    try request(
      fd, "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
      ["flags": pasid == nil ? 0 : 1, "pt_id": UInt64(pageTable), "pasid": UInt64(pasid ?? 0)],
      isReadOnly: isReadOnly)
  }

  func detach(_ fd: Int32, pasid: UInt32? = nil) throws -> Answer {
    try request(
      fd, "VFIO_DEVICE_DETACH_IOMMUFD_PT",
      ["flags": pasid == nil ? 0 : 1, "pasid": UInt64(pasid ?? 0)])
  }

  /// The file of function 0, bound to an iommufd with an IOAS.
  func bound() throws -> (vfio: Int32, iommufd: Int32, device: UInt32, ioas: UInt32) {
    let iommufd = try open("/dev/iommu")
    let vfio = try open("/dev/vfio/devices/vfio0")
    let device = try bind(vfio, to: iommufd)
    _ = driver.log()
    return (vfio, iommufd, device, try ioas(iommufd))
  }

  func expectWhole(sourceLocation: SourceLocation = #_sourceLocation) {
    let broken = machine.violations()
    #expect(broken.isEmpty, "\(broken)", sourceLocation: sourceLocation)
  }
}
