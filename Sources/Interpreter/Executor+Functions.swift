// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// A PCI function as a program uses it: through its device node, with the three requests that VFIO has for iommufd.
// What a script does first to a function opens the node and binds it, as every program must; `bind` does it by itself.

extension Executor {
  // MARK: Binding

  /// Binds the PCI functions among these; false when one could not be, and then `errno` says why.
  func bindFunctions(_ codes: [Code]) throws(Stop) -> Bool {
    for code in codes {
      guard case .device(let device) = try value(code), device.function != nil else { continue }
      if try !bind(device) { return false }
    }
    return true
  }

  /// Opens and binds, unless that has been done.
  func bind(_ device: ScriptDevice) throws(Stop) -> Bool {
    guard !device.exists, let function = device.function else { return true }
    let iommufd = try currentContext(noPlace)
    if device.file == nil {
      guard let path = bench?.devicePath(of: function) else {
        fail(.ENODEV("the device was unplugged"))
        return false
      }
      do throws(Errno) {
        device.file = try asked("open") { () throws(Errno) in try target.open(path) }
      } catch {
        fail(error)
        return false
      }
    }
    try request("VFIO_DEVICE_BIND_IOMMUFD", [16, 0, UInt32(bitPattern: iommufd), 0], of: device)
    guard errno == 0 else { return false }
    fetch()
    device.device = UInt32(truncatingIfNeeded: field(12, 4))
    return true
  }

  /// Closes the device node: everything is detached, and the function unbound.
  func release(_ device: ScriptDevice) {
    errno = 0
    reason = nil
    defer { device.forget() }
    guard let file = device.file else { return }
    do throws(Errno) {
      try asked("close") { () throws(Errno) in try target.close(file) }
    } catch { fail(error) }
  }

  private func fail(_ error: Errno) {
    errno = error.code
    reason = error
    returned = -1
    lastPlan = nil
  }

  /// One of VFIO's requests, given its words.
  private func request(
    _ name: String, _ words: [UInt32], of device: ScriptDevice, results: [ResultSpec] = []
  ) throws(Stop) {
    guard let row = CommandTable.row(named: name), let file = device.file else {
      return fail(.ENODEV("the device is not open"))
    }
    let plan = RequestPlan(
      place: noPlace, name: row.name, request: row.request, row: row, op: nil, template: [], fields: [],
      payloads: [], descriptor: .number(UInt64(UInt32(bitPattern: file))), argument: nil, results: results,
      announced: nil)
    try send(plan, words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })
  }

  // MARK: Attaching

  /// `attach`, `replace` and `detach` of a PCI function.
  func change(_ device: ScriptDevice, _ plan: AttachmentPlan) throws(Stop) {
    var pasid: UInt32?
    if let code = plan.pasid { pasid = UInt32(truncatingIfNeeded: try number(code, noPlace)) }
    let flags: UInt32 = pasid == nil ? 0 : 1
    guard let code = plan.target else {
      guard device.file != nil else { return }
      try request("VFIO_DEVICE_DETACH_IOMMUFD_PT", [12, flags, pasid ?? 0], of: device)
      if errno == 0, pasid == nil { device.hwpt = 0 }
      return
    }
    let pageTable = UInt32(truncatingIfNeeded: try number(code, noPlace, as: .object))
    guard try bind(device) else { return }
    let results = plan.later.results.map { spec in
      if case .object(.hwpt, _, _) = spec.source {
        return ResultSpec(spec.name, spec.shape, .object(.hwpt, id: 8, fd: nil))
      }
      return spec
    }
    try request(
      "VFIO_DEVICE_ATTACH_IOMMUFD_PT", [16, flags, pageTable, pasid ?? 0], of: device, results: results)
    guard errno == 0, pasid == nil else { return }
    fetch()
    device.hwpt = UInt32(truncatingIfNeeded: field(8, 4))
  }

  // MARK: Page requests

  func requestPage(_ code: Code, _ plan: PageRequestPlan) throws(Stop) {
    guard case .device(let device) = try value(code), let function = device.function else {
      return try send(plan.mock)
    }
    guard let bench else { throw .actsThroughBench }
    let address = try number(plan.address, noPlace)
    var pasid: UInt32?
    if let code = plan.pasid { pasid = UInt32(truncatingIfNeeded: try number(code, noPlace)) }
    let group: UInt64 = if let code = plan.group { try number(code, noPlace) } else { 0 }
    errno = 0
    reason = nil
    lastPlan = nil
    do throws(Errno) {
      try asked("fault") { () throws(Errno) in
        try bench.requestPage(
          function, address, pasid: pasid, permissions: UInt32(truncatingIfNeeded: plan.permissions),
          last: plan.isLast, group: UInt16(truncatingIfNeeded: group))
      }
    } catch { fail(error) }
  }
}
