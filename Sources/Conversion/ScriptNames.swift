// SPDX-License-Identifier: GPL-3.0-or-later

/// A name of a script that is being written.
final class ScriptName {
  let text: String
  /// Something refers to it; a name that nothing does is not bound in the end.
  var isUsed = false

  init(_ text: String) { self.text = text }

  /// A reference, which counts as a use.
  var reference: String {
    isUsed = true
    return "$\(text)"
  }
}

/// What objects, descriptors and memory are called in a script.
///
/// A program knows numbers: of objects per open file, of descriptors per process. The script has a name for each that
/// it saw being made, and says the number where it saw nothing.
struct ScriptNames {
  /// What a name stands for, in the language's kinds.
  enum Kind: String {
    case ioas, device, hwpt, faultq, viommu, vdevice, veventq, hwqueue
    case context, access, memfd, dmabuf
    /// A number that an operation answered.
    case number

    /// What is usual for such a name.
    var stem: String {
      switch self {
      case .ioas: "vm"
      case .device: "dev"
      case .hwpt: "hw"
      case .faultq: "q"
      case .viommu: "v"
      case .vdevice: "vd"
      case .veventq: "e"
      case .hwqueue: "hq"
      case .context: "file"
      case .access: "a"
      case .memfd: "mfd"
      case .dmabuf: "db"
      case .number: "n"
      }
    }
  }

  /// An object of an open file.
  struct Object {
    let name: ScriptName
    let kind: Kind
    /// It is the SELFTEST object of a device, and not its DEVICE.
    var isMock = false
    /// The device is a PCI function.
    var isFunction = false
  }

  struct Descriptor {
    let name: ScriptName
    let kind: Kind
    /// The open file: objects belong to it.
    let file: Int
  }

  private var counts: [String: Int] = [:]
  private var objects: [Int: [UInt64: Object]] = [:]
  /// By process and descriptor.
  private var descriptors: [Int32: [Int32: Descriptor]] = [:]
  private var fileCount = 0
  var process: Int32 = 1

  /// A new name: the stem, and a number from the second one on.
  mutating func make(_ stem: String) -> ScriptName {
    counts[stem, default: 0] += 1
    let count = counts[stem, default: 1]
    return ScriptName(count == 1 ? stem : "\(stem)\(count)")
  }

  mutating func make(_ kind: Kind) -> ScriptName { make(kind.stem) }

  // MARK: Descriptors

  mutating func open(_ fd: Int32, _ name: ScriptName, _ kind: Kind, sharing other: Int32? = nil) {
    var file = other.flatMap { descriptor($0)?.file }
    if file == nil {
      fileCount += 1
      file = fileCount
    }
    descriptors[process, default: [:]][fd] = Descriptor(name: name, kind: kind, file: file ?? 0)
  }

  mutating func close(_ fd: Int32) { descriptors[process]?[fd] = nil }

  func descriptor(_ fd: Int32) -> Descriptor? { descriptors[process]?[fd] }

  /// How a descriptor is written: by its name, or as a number.
  func text(ofDescriptor fd: Int32) -> String { descriptor(fd)?.name.reference ?? "\(fd)" }

  mutating func fork(_ child: Int32) { descriptors[child] = descriptors[process] }

  // MARK: Objects

  mutating func add(_ id: UInt64, of fd: Int32, _ object: Object) {
    guard let file = descriptor(fd)?.file else { return }
    objects[file, default: [:]][id] = object
  }

  /// A device is gone, with all of its numbers.
  mutating func remove(_ name: ScriptName, of fd: Int32) {
    guard let file = descriptor(fd)?.file else { return }
    objects[file] = objects[file]?.filter { $0.value.name !== name }
  }

  func object(_ id: UInt64, of fd: Int32) -> Object? {
    descriptor(fd).flatMap { objects[$0.file]?[id] }
  }

  /// How an object's number is written where one of these kinds is expected; `isMock` wants the SELFTEST object of a
  /// device.
  func text(_ id: UInt64, of fd: Int32, _ kinds: [Kind], isMock: Bool = false) -> String {
    guard let object = object(id, of: fd) else { return "id:\(id)" }
    switch object.kind {
    case .number: return "id:\(object.name.reference)"
    case .device where object.isMock != isMock: return "id:\(id)"
    default: return kinds.contains(object.kind) ? object.name.reference : "any:\(object.name.reference)"
    }
  }
}
