// SPDX-License-Identifier: GPL-3.0-or-later

/// A path that a program names, as far as the supervisor has something of its own under it.
enum ProgramPath: Equatable {
  /// `/dev/iommu`, `/dev/vfio/vfio`, or something in `/dev/vfio/devices`, which the machine has or has not.
  case device(String)
  /// `/proc/.../fail-nth`: the thread that it belongs to.
  case failNth(Int32)
  /// `/proc/PID/status`.
  case status(Int32)
  /// What follows `/sys/kernel/debug`: nothing, or `/fail...`.
  case faultInjection(String)
  case other

  /// - Parameters:
  ///   - path: as the program wrote it.
  ///   - directory: where a relative path begins; asked only for one that could matter.
  ///   - thread: the caller, which `self` and `thread-self` mean.
  init(_ path: String, from directory: () -> String?, thread: Int32, process: () -> Int32?) {
    self = .other
    let last: String = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? ""
    let isDebug = path.contains("fail") || path.contains("debug")
    guard last == "iommu" || last.hasPrefix("vfio") || last == "fail-nth" || last == "status" || isDebug
    else {
      return
    }
    guard let whole = path.hasPrefix("/") ? path : directory().map({ $0 + "/" + path }) else { return }
    var parts: [Substring] = []
    for part in whole.split(separator: "/") {
      switch part {
      case ".": break
      case "..": _ = parts.popLast()
      default: parts.append(part)
      }
    }
    switch parts.first {
    case "dev":
      let name = "/" + parts.joined(separator: "/")
      let isInDevices = parts.count == 4 && name.hasPrefix("/dev/vfio/devices/")
      if name == "/dev/iommu" || name == "/dev/vfio/vfio" || isInDevices { self = .device(name) }
    case "proc":
      guard parts.count >= 3 else { return }
      let owner: Int32?
      switch parts[1] {
      case "self": owner = process()
      case "thread-self": owner = thread
      default: owner = Int32(parts[1])
      }
      guard let owner else { return }
      if parts[2...] == ["status"] {
        self = .status(owner)
      } else if parts[2...] == ["fail-nth"] {
        self = .failNth(owner)
      } else if parts.count == 5, parts[2] == "task", parts[4] == "fail-nth", let task = Int32(parts[3]) {
        self = .failNth(task)
      }
    case "sys":
      guard parts.count >= 3, parts[..<3] == ["sys", "kernel", "debug"] else { return }
      if parts.count == 3 || parts[3].hasPrefix("fail") {
        self = .faultInjection(parts[3...].map { "/" + $0 }.joined())
      }
    default: return
    }
  }
}
