// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Drivers
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import PageTables
internal import Seams
public import UAPI
internal import VFIO

extension ModelBench {
  // MARK: Plugging in

  public var iommuKinds: [IOMMUDescription] {
    IOMMUKind.all.map { kind in
      IOMMUDescription(
        name: kind.name, summary: kind.summary,
        options: kind.options.map { option in
          let words: [String]? = if case .words(let words) = option.form { words } else { nil }
          let isFlag = if case .flag = option.form { true } else { false }
          return IOMMUDescription.Option(
            name: option.name, words: words, isFlag: isFlag, summary: option.summary)
        })
    }
  }

  public func addIOMMU(_ name: String, kind: String, numbers: [String: UInt64], words: [String: String])
    throws(Errno) -> Int
  {
    guard let kind = IOMMUKind.named(kind) else { throw .EINVAL("there is no such kind of IOMMU") }
    var choices = IOMMUKind.Choices()
    choices.numbers = numbers
    choices.words = words
    for name in Array(numbers.keys) + Array(words.keys)
    where !kind.options.contains(where: { $0.name == name }) {
      throw .EINVAL("the IOMMU has no such option")
    }
    _ = try machine.tracer.around { () throws(Errno) in try machine.addIOMMU(name, kind, choices) }
    return machine.allIOMMUs.count - 1
  }

  public func addFunction(_ function: FunctionDescription) throws(Errno) -> Int {
    let units = machine.allIOMMUs
    let index = function.behind ?? 0
    guard index >= 0, index < units.count else { throw .ENODEV("the machine has no such IOMMU") }
    let companion: Endpoint? = if let group = function.groupOf { try endpoint(group) } else { nil }
    let number = machine.functionCount
    let capabilities = PCIFunction.Capabilities(
      ats: function.ats, pri: function.pri && function.ats, pasidBits: min(20, max(0, function.pasidBits)),
      isVirtualFunction: function.isVirtualFunction)
    let id: UInt32
    if let chosen = function.requesterID { id = chosen } else { id = try machine.freeRequesterID() }
    let pci = PCIFunction(
      segment: UInt16(truncatingIfNeeded: id >> 16), requesterID: UInt16(truncatingIfNeeded: id),
      capabilities: capabilities)
    _ = try machine.tracer.around { () throws(Errno) in
      try machine.addFunction("device\(number)", pci, behind: units[index], groupOf: companion)
    }
    return number
  }

  public func removeFunction(_ function: Int) throws(Errno) {
    try machine.removeFunction(try endpoint(function))
  }

  public func configure(_ function: Int, ats: Bool, pri: Bool, pasid: Bool) throws(Errno) {
    try endpoint(function).function.configure { control in
      control.ats = ats
      control.pri = pri
      control.pasid = pasid
    }
  }

  public func remapInterrupt(_ function: Int, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  ) {
    let endpoint = try endpoint(function)
    guard let iommu = endpoint.unit.software as? any InterruptRemapping else {
      throw .EOPNOTSUPP("the IOMMU's driver remaps no interrupts")
    }
    return try iommu.remapInterrupt(of: endpoint.device, vector: vector, destination: destination)
  }

  public func devicePath(of function: Int) -> String? {
    machine.function(number: function)?.vfio.path
  }

  private func endpoint(_ number: Int) throws(Errno) -> Endpoint {
    guard let endpoint = machine.function(number: number) else {
      throw .ENODEV("the machine has no such device")
    }
    return endpoint
  }

  private func unit(_ number: Int) throws(Errno) -> IOMMUUnit {
    let units = machine.allIOMMUs
    guard number >= 0, number < units.count else { throw .ENODEV("the machine has no such IOMMU") }
    return units[number]
  }

  // MARK: Devices at work

  public func dma(_ function: Int, _ request: DMARequest) throws(Errno) -> DMAOutcome {
    let endpoint = try endpoint(function)
    return machine.tracer.around { endpoint.perform(request) }
  }

  public func finishedDMA(_ function: Int) throws(Errno) -> DMAOutcome? {
    let endpoint = try endpoint(function)
    machine.settle()
    return endpoint.takeFinished()
  }

  public func requestTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool)
    throws(Errno) -> Fact
  {
    let endpoint = try endpoint(function)
    return try machine.tracer.around { () throws(Errno) in
      try endpoint.requestTranslation(address, pasid: pasid, writing: writing)
    }
  }

  public func requestPage(
    _ function: Int, _ address: UInt64, pasid: UInt32?, permissions: UInt32, last: Bool, group: UInt16
  ) throws(Errno) {
    let endpoint = try endpoint(function)
    try machine.tracer.around { () throws(Errno) in
      try endpoint.requestPage(
        address, pasid: pasid, read: permissions & 1 != 0, write: permissions & 2 != 0,
        execute: permissions & 4 != 0, privileged: permissions & 8 != 0, last: last, group: group)
    }
  }

  public func walk(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno) -> Fact {
    let endpoint = try endpoint(function)
    let transaction = Transaction(
      source: endpoint.source, pasid: pasid, address: address, access: writing ? .write : .read)
    let report = endpoint.unit.withHardware { $0.walk(transaction) }
    let steps = report.steps.map { step in
      Fact.record(
        [
          ("structure", .text(step.structure)), ("at", .hex(step.address)),
          ("words", .list(step.words.map(Fact.hex))),
        ] + step.fields.map { ($0.name, $0.value) })
    }
    return .record([("steps", .list(steps))] + report.answer.facts(endpoint.unit.kind))
  }

  // MARK: Looking and reaching in

  public func state(ofIOMMU iommu: Int) -> Fact? {
    let units = machine.allIOMMUs
    guard iommu >= 0, iommu < units.count else { return nil }
    let unit = units[iommu]
    let software = unit.software
    var members: [(name: String, value: Fact)] = [
      ("name", .text(unit.name)), ("kind", .text(unit.kind.name)),
      (
        "faults",
        .list(
          software.faults.map { fault in
            .record([
              ("source", .hex(UInt64(fault.source))),
              ("pasid", fault.pasid.map { .number(UInt64($0)) } ?? .none),
              ("address", .hex(fault.address)), ("code", .hex(UInt64(fault.code))),
              ("name", .text(fault.name)),
              ("write", .flag(fault.isWrite)),
            ])
          })
      ),
      ("complaints", .list(software.complaints.map(Fact.text))),
      ("bugs", .list(software.bugs.all.map { .text($0.rawValue) })),
    ]
    if case .record(let hardware) = unit.withHardware({ $0.facts() }) {
      members += hardware.filter { member in !members.contains { $0.name == member.name } }
      if let own = hardware.first(where: { $0.name == "faults" }) {
        members.append(("fault-records", own.value))
      }
    }
    return .record(members)
  }

  public func state(ofFunction function: Int) -> Fact? { machine.function(number: function)?.facts }

  public func readRegister(_ iommu: Int, _ offset: UInt64, width: Int) throws(Errno) -> UInt64 {
    let unit = try unit(iommu)
    try requireAligned(offset, width)
    return unit.withHardware { $0.readRegister(offset, width: width) }
  }

  public func writeRegister(_ iommu: Int, _ offset: UInt64, width: Int, _ value: UInt64) throws(Errno) {
    let unit = try unit(iommu)
    try requireAligned(offset, width)
    unit.withHardware { $0.writeRegister(offset, width: width, value) }
    unit.settle()
  }

  private func requireAligned(_ offset: UInt64, _ width: Int) throws(Errno) {
    guard width == 4 || width == 8, offset % UInt64(width) == 0 else {
      throw .EINVAL("a register is 4 or 8 bytes at a multiple of its width", offset, UInt64(max(0, width)))
    }
  }

  public func setBug(_ iommu: Int, _ name: String, _ on: Bool) throws(Errno) {
    let unit = try unit(iommu)
    guard let bug = DriverBug(rawValue: name) else { throw .EINVAL("there is no such bug") }
    guard let driver = unit.software.driver as? any PCIDriver, driver.possibleBugs.contains(bug) else {
      throw .EOPNOTSUPP("the driver of this IOMMU cannot have the bug")
    }
    unit.software.bugs.set(bug, on)
  }

  /// Names of the mistakes that the driver of an IOMMU can make.
  public static func possibleBugs(of unit: IOMMUUnit) -> [String] {
    (unit.software.driver as? any PCIDriver)?.possibleBugs.map(\.rawValue) ?? []
  }

  public var driverBugs: [(name: String, summary: String)] {
    DriverBug.allCases.map { ($0.rawValue, $0.summary) }
  }

  private static let largestAccess = 16 << 20

  public func readPhysical(_ address: UInt64, _ count: Int) throws(Errno) -> [UInt8] {
    guard count >= 0, count <= Self.largestAccess else { throw .EINVAL("at most 16 MiB at once") }
    var bytes = [UInt8](repeating: 0, count: count)
    guard bytes.withUnsafeMutableBytes({ machine.memory.read(PhysAddr(address), into: $0) }) == count else {
      throw .EFAULT("there is no memory at the physical address", address, UInt64(count))
    }
    return bytes
  }

  public func writePhysical(_ address: UInt64, _ bytes: [UInt8]) throws(Errno) {
    guard bytes.withUnsafeBytes({ machine.memory.write(PhysAddr(address), from: $0) }) == bytes.count else {
      throw .EFAULT("there is no memory at the physical address", address, UInt64(bytes.count))
    }
  }

  public func leaf(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> Fact? {
    var found: Fact?
    pagingDomain(fd, hwpt)?.forEachLeaf(in: Span64(iova, iova)) { leaf in
      found = .record([
        ("iova", .hex(leaf.iova.raw)), ("physical", .hex(leaf.physical.raw)),
        ("size", .hex(1 << UInt64(min(63, leaf.sizeLg2)))),
        ("read", .flag(leaf.protection.contains(.read))),
        ("write", .flag(leaf.protection.contains(.write))), ("dirty", .flag(leaf.dirty)),
      ])
    }
    return found
  }

  /// - Throws: ENOENT, EOPNOTSUPP.
  private func domain(_ fd: Int32, _ hwpt: UInt32) throws(Errno) -> TableDomain {
    guard let found = pagingDomain(fd, hwpt) else {
      throw .ENOENT("no paging HWPT has this ID", UInt64(hwpt))
    }
    guard let domain = found as? TableDomain else {
      throw .EOPNOTSUPP("the page table is not one of a hardware format")
    }
    return domain
  }

  public func cut(_ fd: Int32, hwpt: UInt32, iova: UInt64) throws(Errno) {
    let domain = try domain(fd, hwpt)
    try machine.tracer.around { () throws(Errno) in try domain.cut(IOVA(iova)) }
  }

  public func grow(_ fd: Int32, hwpt: UInt32, iova: UInt64, length: UInt64) throws(Errno) -> Int {
    guard Span64(first: iova, length: length) != nil else { throw .EINVAL("the range is empty or wraps") }
    let domain = try domain(fd, hwpt)
    if pagingHWPT(fd, hwpt)?.ioas.pagetable.hasLargePages == false {
      throw .EINVAL("the IOAS of the page table is to have no large pages", UInt64(hwpt))
    }
    return machine.tracer.around { domain.grow(IOVA(iova), length: length) }
  }

  public func table(_ fd: Int32, hwpt: UInt32) -> Fact? {
    guard let domain = try? domain(fd, hwpt) else { return nil }
    var entries: [Fact] = []
    domain.forEachEntry { entry, path in
      entries.append(
        .record([
          ("level", .number(UInt64(entry.level))), ("path", .list(path.map { .number(UInt64($0)) })),
          ("at", .hex(entry.address.raw)), ("raw", .hex(entry.raw)),
          ("kind", .text(entry.kind == .leaf ? "leaf" : "table")),
        ]))
    }
    return .record([
      ("format", .text(domain.tableName)), ("root", .hex(domain.tableRoot.address.raw)),
      ("levels", .number(UInt64(domain.tableRoot.level + 1))),
      ("frames", .number(UInt64(domain.tableFrames))),
      ("entries", .list(entries)),
    ])
  }

  public func cachedTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?) -> Fact? {
    guard let endpoint = machine.function(number: function) else { return nil }
    let transaction = Transaction(source: endpoint.source, pasid: pasid, address: address)
    guard let answer = endpoint.unit.withHardware({ $0.cachedAnswer(transaction) }) else { return nil }
    if case .translated(let translation) = answer, !translation.fromCache { return nil }
    return .record(answer.facts(endpoint.unit.kind))
  }

  public func staleTranslations() -> [Violation] { machine.staleTranslations() }

  public var guestTableFormats: [String] { GuestTableBuilder.forms.map(\.name) }

  public func guestTable(format: String, at guestAddress: UInt64, room: UInt64, entries: [GuestMapping])
    throws(Errno) -> GuestTable
  {
    try GuestTableBuilder.build(format, at: guestAddress, room: room, entries)
  }
}
