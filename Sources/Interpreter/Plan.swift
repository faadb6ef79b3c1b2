// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// What a command becomes: struct bytes with the constants already in place, and the few fields that are
// worked out when it runs. Nothing of it changes while the script runs, so a statement in a loop costs
// its fields, two copies and the request.

/// What a field takes from a value.
enum Role: UInt8 {
  case number
  case object
  /// The SELFTEST object of a mock device.
  case stdev
  case descriptor
}

/// A field of a request that is worked out at run time.
struct FieldCode {
  let name: String
  let offset: Int
  let size: Int
  let role: Role
  let code: Code
  /// Written `raw(...)`: cut to the field without a complaint.
  let truncates: Bool
  let place: Place

  var mask: UInt64 { size >= 8 ? .max : (1 << UInt64(size * 8)) - 1 }
}

/// Memory beside the struct: data that a pointer field points at, or room for an answer.
struct Payload {
  enum Content {
    case bytes(Code)
    /// Zeroed room of that many bytes.
    case room(Code)
    /// First and last address of each range.
    case ranges([Code])
    /// A bitmap over `range`, with a bit per `page`: clear, or with the pages of a list set, or all set
    /// where the list is none.
    case bitmap(range: Code, page: Code, pages: Code?)
    /// Memory of the script's own that the answer goes to.
    case memory(Code, length: Code)
  }
  let content: Content
  let pointer: Int
  /// The field that says how many bytes there are.
  let length: (offset: Int, size: Int)?
  /// The field that says how many elements of `stride` bytes there are.
  let count: (offset: Int, size: Int, stride: Int)?
  let place: Place
}

/// Where a result is found once the request is back.
enum ResultSource: Sendable {
  case field(offset: Int, size: Int)
  /// An object: the field with its ID, the field with its descriptor if it has one.
  case object(Kind, id: Int?, fd: Int?)
  /// The ioctl's own result, as a descriptor of that kind or as a number.
  case returned(Kind?)
  /// A list of ranges in a payload; the field at `count` says how many there are.
  case ranges(payload: Int, count: Int)
  /// The bytes of a payload, at most as many as the 32-bit field at `length` says.
  case payload(Int, length: Int?)
  /// An integer inside a payload.
  case word(payload: Int, offset: Int, size: Int)
  /// The set bits of a payload as addresses; `range` and `page` are the fields with first address and size.
  case pages(payload: Int, iova: Int, length: Int, page: Int)
  /// The struct as it came back.
  case structure
  /// The ranges in the capability chain of VFIO_IOMMU_GET_INFO, which is the struct's tail.
  case capabilities
  /// One of the objects of the device that the command is about.
  case part(DevicePart)
  /// What an action calls by that name.
  case named
}

/// A named result.
struct ResultSpec: Sendable {
  let name: String
  let shape: Shape
  let source: ResultSource

  init(_ name: String, _ shape: Shape, _ source: ResultSource) {
    self.name = name
    self.shape = shape
    self.source = source
  }
}

/// A request, ready to be filled in.
final class RequestPlan {
  let place: Place
  /// `IOAS_MAP`, `TEST MD_CHECK_MAP`, `ioctl 0x3b99`
  let name: String
  let request: UInt32
  let row: CommandRow?
  let op: SelftestOp?
  /// The struct with its constants.
  let template: [UInt8]
  let fields: [FieldCode]
  let payloads: [Payload]
  /// The file to ask; nil for the newest context.
  let descriptor: Code?
  /// An integer argument, or a pointer of the script's own choice, in place of the struct.
  let argument: Code?
  let results: [ResultSpec]
  /// Devices that the request names: a PCI function is bound before it.
  let devices: [Code]
  /// The struct is announced larger than the template: offset and size of the field that says how large.
  let announced: (offset: Int, size: Int)?

  init(
    place: Place, name: String, request: UInt32, row: CommandRow?, op: SelftestOp?, template: [UInt8],
    fields: [FieldCode], payloads: [Payload], descriptor: Code?, argument: Code?, results: [ResultSpec],
    announced: (offset: Int, size: Int)?, devices: [Code] = []
  ) {
    self.devices = devices
    self.place = place
    self.name = name
    self.request = request
    self.row = row
    self.op = op
    self.template = template
    self.fields = fields
    self.payloads = payloads
    self.descriptor = descriptor
    self.argument = argument
    self.results = results
    self.announced = announced
  }

  /// All fields of the struct that a trace shows.
  var decodedFields: [Field] {
    guard let row else { return [] }
    return op.map { row.fields + $0.fields } ?? row.fields
  }
}

/// A command as the machine runs it.
enum Body {
  case request(RequestPlan)
  /// About what a device is attached to.
  case device(Code, AttachmentPlan)
  /// A device asks for a page.
  case pageRequest(Code, PageRequestPlan)
  /// A struct of bytes that are worked out when it runs, in place of the template.
  case raw(RequestPlan, Code?)
  /// `destroy`: a device's objects are forgotten when it works.
  case destroy(subject: Code, RequestPlan)
  case action(Action)
  case call(Procedure, [Code], Place)
}

/// A change of what a device is attached to, as a mock device and as a PCI function have it made.
struct AttachmentPlan {
  /// The first attachment of a mock device, which makes it.
  let first: RequestPlan?
  /// Later ones use the objects that exist.
  let later: RequestPlan
  let effect: DeviceEffect
  /// The new page table; nil for a detachment.
  let target: Code?
  let pasid: Code?
}

/// A page request, as a mock device has it raised and as a PCI function does.
struct PageRequestPlan {
  let mock: RequestPlan
  let address: Code
  let permissions: UInt64
  let pasid: Code?
  let group: Code?
  let isLast: Bool
}

/// What a request does to a device's own page table.
enum DeviceEffect {
  case none, attaches, detaches
}

/// What is no ioctl: other system calls, memory, processes, a look inside.
enum Action {
  case open(path: Code?)
  case close(Code)
  case dup(Code)
  case use(Code)
  case read(Code, count: Code)
  case write(Code, bytes: Code)
  case poll(Code)
  case mapFile(Code, offset: Code, length: Code, address: Code?, mode: MapMode)
  case addDevice(flags: Code)
  case hardware(HardwareAction)
  case allocate(length: Code, address: Code?, mode: MapMode, huge: Bool, fill: Code?)
  case createMemFD(length: Code, huge: Bool, fill: Code?)
  case truncate(Code, length: Code)
  case unmapMemory(Code, length: Code?)
  case protect(Code, length: Code?, mode: MapMode)
  case writeMemory(Code, bytes: Code)
  case readMemory(Code, length: Code)
  case checkMemory(Code, bytes: Code)
  case fork, switchProcess(Code), exitProcess(Code)
  case capability(String, held: Bool)
  case memoryLock(Code)
  case readFaults(Code, count: Code)
  case replyFaults(Code, cookies: [Code], code: Code)
  case readEvents(Code, count: Code)
  case show(Code?, part: Code?, what: ShowSubject)
  case look(ViewAction)
}

enum ShowSubject {
  case object, context, machine, names, kinds, bugs, points
}
