// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing

@testable internal import Interpose

@Suite("Paths that programs name")
struct ProgramPathTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let path: String
    var directory: String? = "/home"
    let means: ProgramPath
    var testDescription: String { "\(path) in \(directory ?? "no directory")" }
  }

  static let rows = [
    Row(path: "/dev/iommu", means: .device("/dev/iommu")),
    Row(path: "//dev//iommu", means: .device("/dev/iommu")),
    Row(path: "/dev/./iommu", means: .device("/dev/iommu")),
    Row(path: "/dev/vfio/../iommu", means: .device("/dev/iommu")),
    Row(path: "/../dev/iommu", means: .device("/dev/iommu")),
    Row(path: "/dev/vfio/vfio", means: .device("/dev/vfio/vfio")),
    Row(path: "/dev/vfio/devices/vfio0", means: .device("/dev/vfio/devices/vfio0")),
    Row(path: "devices/vfio12", directory: "/dev/vfio", means: .device("/dev/vfio/devices/vfio12")),
    Row(path: "/dev/vfio/devices", means: .other),
    Row(path: "/dev/vfio/devices/vfio0/vfio", means: .other),
    Row(path: "/dev/vfio/devices/noiommu-vfio0", means: .other),
    Row(path: "/dev/vfio/vfio0", means: .other),
    Row(path: "iommu", directory: "/dev", means: .device("/dev/iommu")),
    Row(path: "../dev/iommu", directory: "/sys", means: .device("/dev/iommu")),
    Row(path: "vfio/vfio", directory: "/dev", means: .device("/dev/vfio/vfio")),
    Row(path: "iommu", directory: "/", means: .other),
    Row(path: "iommu", directory: nil, means: .other),
    Row(path: "/dev/iommu0", means: .other),
    Row(path: "/dev/vfio", means: .other),
    Row(path: "/tmp/dev/iommu", means: .other),
    Row(path: "/dev/iommu/vfio", means: .other),
    Row(path: "", means: .other),
    Row(path: "/", means: .other),
    Row(path: "/proc/self/fail-nth", means: .failNth(20)),
    Row(path: "/proc/thread-self/fail-nth", means: .failNth(21)),
    Row(path: "/proc/77/fail-nth", means: .failNth(77)),
    Row(path: "/proc/self/task/78/fail-nth", means: .failNth(78)),
    Row(path: "/proc/self/task/x/fail-nth", means: .other),
    Row(path: "/proc/self/fd/fail-nth", means: .other),
    Row(path: "/proc/x/fail-nth", means: .other),
    Row(path: "/proc/self/status", means: .status(20)),
    Row(path: "/proc/55/status", means: .status(55)),
    Row(path: "status", directory: "/proc/self", means: .status(20)),
    Row(path: "/proc/self/task/78/status", means: .other),
    Row(path: "/proc/status", means: .other),
    Row(path: "/sys/kernel/debug", means: .faultInjection("")),
    Row(path: "/sys/kernel/debug/", means: .faultInjection("")),
    Row(path: "/sys/kernel/debug/failslab/probability", means: .faultInjection("/failslab/probability")),
    Row(path: "failslab", directory: "/sys/kernel/debug", means: .faultInjection("/failslab")),
    Row(path: "/sys/kernel/debug/tracing", means: .other),
    Row(path: "/sys/kernel/debug/../debug/fail_iommufd", means: .faultInjection("/fail_iommufd")),
    Row(path: "/sys/kernel/debug/../../fail", means: .other),
  ]

  @Test(arguments: rows)
  func meansOneThing(_ row: Row) {
    #expect(ProgramPath(row.path, from: { row.directory }, thread: 21, process: { 20 }) == row.means)
  }

  /// A path that is asked for a million times a second costs no look into /proc.
  @Test func asksForTheDirectoryOnlyWhereItMatters() {
    for path in ["a", "lib/libc.so.6", "/etc/passwd", "/usr/lib/iommu.so"] {
      let means = ProgramPath(
        path,
        from: {
          Issue.record("\(path) needs no directory")
          return nil
        }, thread: 21, process: { 20 })
      #expect(means == .other)
    }
  }
}
