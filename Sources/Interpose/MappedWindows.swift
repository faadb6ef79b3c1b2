// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import IOMMUFD
internal import Machine
internal import Memory
internal import Seams
internal import Synchronization

/// Windows of the model's memory that programs have mapped: mmap of an iommufd descriptor.
///
/// The kernel hears of every unmap; the supervisor looks, before it serves another call, whether somebody still
/// maps the window. There is hardly ever one.
final class MappedWindows: @unchecked Sendable {
  private let lock = Lock(.frontEnd)
  private var windows: [Mapping] = []

  private struct Mapping {
    /// Where in the file of physical memory it begins.
    let offset: UInt64
    let window: MappedWindow
    /// Where the program has it.
    let address: UInt64
    let length: UInt64
    let process: Int32
  }

  private let count = Atomic<Int>(0)

  var areAny: Bool { count.load(ordering: .relaxed) > 0 }

  /// - Parameter offset: where in the file of physical memory the window begins.
  func add(
    _ window: MappedWindow, at offset: UInt64, address: UInt64, length: UInt64, process: Int32
  ) {
    let mapping = Mapping(
      offset: offset, window: window, address: address, length: length, process: process)
    lock.withLock { windows.append(mapping) }
    count.add(1, ordering: .relaxed)
  }

  /// Tells the owners of windows that nobody maps any more.
  func releaseUnmapped(_ machine: Machine, _ observer: (any CallObserver)?) {
    guard let backing = machine.memory.backing else { return }
    guard let identity = FileIdentity(of: backing) else { return }
    var mapped: [UInt64: Int] = [:]
    for process in Self.descendants(of: getpid()) {
      for area in MappedArea.areas(of: process, meeting: 0, .max) where area.file == identity {
        mapped[area.offset, default: 0] += 1
      }
    }
    let gone = lock.withLock { () -> [Mapping] in
      var gone: [Mapping] = []
      // Mappings of one window are alike: as many go as are missing.
      windows.removeAll { mapping in
        if mapped[mapping.offset, default: 0] > 0 {
          mapped[mapping.offset, default: 0] -= 1
          return false
        }
        gone.append(mapping)
        return true
      }
      return gone
    }
    count.subtract(gone.count, ordering: .relaxed)
    for mapping in gone {
      observer?.unmapped(address: mapping.address, length: mapping.length, process: mapping.process)
      mapping.window.unmapped()
    }
  }

  /// No program is left.
  func releaseAll() {
    for mapping in lock.withLock({ windows }) { mapping.window.unmapped() }
  }

  /// Every process below this one, without it.
  private static func descendants(of process: Int32) -> [Int32] {
    var found: [Int32] = []
    var waiting = [process]
    while let next = waiting.popLast(), found.count < 100_000 {
      guard let tasks = opendir("/proc/\(next)/task") else { continue }
      defer { closedir(tasks) }
      while let entry = readdir(tasks) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard let task = Int32(name), let text = readSmallFile("/proc/\(next)/task/\(task)/children") else {
          continue
        }
        let children = text.split(separator: UInt8(ascii: " ")).compactMap {
          Int32(String(decoding: $0, as: UTF8.self))
        }
        found += children
        waiting += children
      }
    }
    return found
  }
}
