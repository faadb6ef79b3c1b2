// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// What a writer has to know of a history before it writes its first line.
struct ScriptOutlook {
  /// A device file as the language's own verbs use one: opened and bound by `bind`, closed by `unbind`, and between
  /// them attached and detached and nothing else.
  struct Binding {
    let function: Int
    /// The calls that open it, bind it, and close it if anything does.
    let open: Int
    let bind: Int
    let close: Int?
  }

  /// There is one file, from the beginning to the end: unless something speaks of it, it is the one that is open without
  /// being asked for.
  private(set) var hasOneFile = false
  /// What the program itself looks at later on.
  private(set) var looks: [(address: UInt64, length: UInt64)] = []
  private var bindings: [Int: Binding] = [:]
  /// The armings that came to a failure; the others show nowhere.
  private(set) var failures: Set<Int> = []
  /// So many functions that are plugged in are of use, counted from the first.
  private(set) var functionCount = 0
  private(set) var hasDevices = false
  /// Functions by their device nodes.
  private(set) var paths: [String: Int] = [:]

  init(_ calls: [LoggedCall], checksLoads: Bool) {
    findFailures(calls)
    findFunctions(calls)
    findBindings(calls)
    var opened = 0
    var isPlain = true
    for (index, call) in calls.enumerated() where bindings[index] == nil {
      switch call {
      case .open(let path, .success): opened += path == "/dev/iommu" ? 1 : 2
      case .open, .close, .dup, .fork, .mmap: isPlain = false
      case .ioctl(let request): if request.errno == .EBADF { isPlain = false }
      case .loaded(let address, let bytes) where checksLoads && !bytes.isEmpty:
        looks.append((address, UInt64(bytes.count)))
      case .device: hasDevices = true
      default: break
      }
    }
    // The one that is open without being asked for is opened by the first request, which may be one that fails.
    hasOneFile = isPlain && opened == 1 && failures.isEmpty
  }

  /// The binding that a call opens, makes or ends.
  func binding(at call: Int) -> Binding? { bindings[call] }

  // MARK: Device files

  private mutating func findBindings(_ calls: [LoggedCall]) {
    // A copy of a process has the file under a number that the verbs do not know.
    let isForked = calls.contains { if case .fork = $0 { true } else { false } }
    guard !isForked else { return }
    for (index, call) in calls.enumerated() {
      guard case .open(let path, .success(let fd)) = call, let function = paths[path],
        let binding = Self.binding(calls, index, path, fd, function)
      else { continue }
      for place in [binding.open, binding.bind] + (binding.close.map { [$0] } ?? []) {
        bindings[place] = binding
      }
    }
  }

  private static func binding(
    _ calls: [LoggedCall], _ open: Int, _ path: String, _ fd: Int32, _ function: Int
  ) -> Binding? {
    var bind: Int?
    for index in calls.indices.dropFirst(open + 1) {
      switch calls[index] {
      case .close(fd, nil):
        return bind.map { Binding(function: function, open: open, bind: $0, close: index) }
      case .open(path, .success), .dup(fd, _), .poll(fd, _): return nil
      case .read(fd, _, _, _, _), .write(fd, _, _, _, _), .mmap(fd, _, _, _, _, _): return nil
      case .device(.removeFunction(function, _)) where bind == nil: return nil
      case .ioctl(let request) where request.fd == fd:
        switch DeviceFileRequest(request) {
        case .bind(let file)?:
          guard bind == nil, request.errno == nil, isIOMMUFD(file, calls[..<index]) else { return nil }
          bind = index
        case .attach, .detach: if bind == nil { return nil }
        case nil: return nil
        }
      default: break
      }
    }
    return bind.map { Binding(function: function, open: open, bind: $0, close: nil) }
  }

  private static func isIOMMUFD(_ file: Int32, _ before: ArraySlice<LoggedCall>) -> Bool {
    for call in before.reversed() {
      switch call {
      case .open(let path, .success(file)): return path == "/dev/iommu"
      case .close(file, nil): return false
      default: break
      }
    }
    return false
  }

  // MARK: Failures

  private mutating func findFailures(_ calls: [LoggedCall]) {
    var armed: Int?
    for (index, call) in calls.enumerated() {
      switch call {
      case .device(.armFailure): armed = index
      case .device(.disarmFailure(let hasHappened)):
        if let armed, hasHappened { failures.insert(armed) }
        armed = nil
      default: break
      }
    }
  }

  // MARK: Functions

  /// Those behind the last one that anything refers to or that shares the group of one.
  private mutating func findFunctions(_ calls: [LoggedCall]) {
    var numbers: [Int] = []
    var groups: [Int?] = []
    var used: Set<Int> = []
    for call in calls {
      switch call {
      case .device(.addFunction(let description, .success(let number), let path)):
        numbers.append(number)
        groups.append(description.groupOf)
        if let path { paths[path] = number }
      case .device(let action): if let function = action.function { used.insert(function) }
      case .open(let path, _): if let function = paths[path] { used.insert(function) }
      default: break
      }
    }
    functionCount = (numbers.lastIndex { used.contains($0) } ?? -1) + 1
    // A failure counts what plugging in passes.
    if !failures.isEmpty { functionCount = numbers.count }
    while let further = numbers.indices.last(where: { index in
      index >= functionCount && groups[index].map { numbers[..<functionCount].contains($0) } ?? false
    }) {
      functionCount = further + 1
    }
  }
}

/// A request to a device file that the language has a verb for. The struct may end early or late, as long as what is
/// not there is 0.
enum DeviceFileRequest {
  case bind(Int32)
  case attach(UInt64, pasid: UInt64?)
  case detach(pasid: UInt64?)

  init?(_ request: LoggedRequest) {
    guard let row = CommandTable.row(request: request.request), row.family == .vfioDevice,
      request.sent.count >= row.minimumSize
    else { return nil }
    func word(_ index: Int) -> UInt64 { LoggedRequest.word(request.sent, index * 4, 4) }
    func isZero(from index: Int) -> Bool { request.sent.dropFirst(index * 4).allSatisfy { $0 == 0 } }
    let flags = word(1)
    switch row.name {
    case "VFIO_DEVICE_BIND_IOMMUFD":
      guard flags == 0, isZero(from: 4) else { return nil }
      self = .bind(Int32(truncatingIfNeeded: word(2)))
    case "VFIO_DEVICE_ATTACH_IOMMUFD_PT":
      guard flags <= 1, isZero(from: flags == 0 ? 3 : 4), flags == 0 || request.sent.count >= 16 else {
        return nil
      }
      self = .attach(word(2), pasid: flags == 0 ? nil : word(3))
    case "VFIO_DEVICE_DETACH_IOMMUFD_PT":
      guard flags <= 1, isZero(from: flags == 0 ? 2 : 3), flags == 0 || request.sent.count >= 12 else {
        return nil
      }
      self = .detach(pasid: flags == 0 ? nil : word(2))
    default: return nil
    }
  }
}
