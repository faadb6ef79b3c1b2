// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Memory
internal import UAPI

// What whoever watches may ask about the program.

extension Supervisor: ObservedProgram {
  public func file(ofThread thread: Int32, _ descriptor: Int32) -> UInt64? {
    guard let file = sockets.file(of: thread, descriptor) else { return nil }
    defer { file.releaseFile() }
    return fileNumber(file)
  }

  public func realFile(
    ofThread thread: Int32, _ descriptor: Int32
  ) -> (FileIdentity, UInt64, isMemory: Bool, isHuge: Bool)? {
    guard let process = RealProcesses.leader(thread), let file = Descriptor(of: process, descriptor),
      let identity = file.identity
    else { return nil }
    return (
      identity, file.size, isMemory: iofd_is_memory_file(file.number) != 0,
      isHuge: iofd_is_huge_file(file.number) != 0
    )
  }

  public func size(of object: FileIdentity) -> UInt64? { processes.objects.size(of: object) }

  public func areas(of process: Int32, _ first: UInt64, _ last: UInt64) -> [MappedArea] {
    processes.known(process)?.memory.areas(first, last) ?? MappedArea.areas(of: process, meeting: first, last)
  }

  public func isAlive(_ process: Int32) -> Bool { processes.known(process) != nil }

  public func parent(of process: Int32) -> Int32? { ProcessStatus(process)?.parent }
}
