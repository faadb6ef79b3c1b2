// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import UAPI

/// The file of a fault queue. It keeps the queue busy and the context open.
final class FaultQueueFile: OpenFile, @unchecked Sendable {
  private let queue: FaultQueue
  private let contextFile: ContextFile

  init(_ queue: FaultQueue) {
    self.queue = queue
    contextFile = queue.context.file
    super.init()
    queue.setOpen(true)
    contextFile.retainFile()
  }

  override var name: String { "anon_inode:[iommufd-pgfault]" }
  override var movesBytes: Bool { true }
  override var keptFile: OpenFile? { contextFile }

  override func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    try queue.read(address, count, by: task)
  }

  override func write(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    try queue.write(address, count, by: task)
  }

  override func poll() -> PollEvents { queue.queued.isEmpty ? .output : [.output, .input, .readNormal] }

  override func release() {
    queue.setOpen(false)
    contextFile.releaseFile()
  }
}

extension Command {
  /// Gives the caller a descriptor for `file` and answers with `respond`; on failure neither remains.
  ///
  /// - Throws: EMFILE, and what `respond` throws.
  func install(_ file: OpenFile, _ respond: (Int32) throws(Errno) -> Void) throws(Errno) {
    let descriptor: Int32
    do throws(Errno) {
      try context.kernel.failures.pass(.allocation, "a descriptor")
      descriptor = try task.files.install(file)
    } catch {
      file.releaseFile()
      throw error
    }
    do throws(Errno) { try respond(descriptor) } catch {
      try? task.files.close(descriptor)
      throw error
    }
  }

  /// IOMMU_FAULT_QUEUE_ALLOC. Source: `iommufd_fault_alloc`; reference uapi.md section 3.6.
  ///
  /// - Throws: EOPNOTSUPP, ENOMEM, EMFILE, EFAULT.
  func faultQueueAlloc() throws(Errno) -> Int32 {
    guard self[Layout.FaultQueueAlloc.flags] == 0 else {
      throw .EOPNOTSUPP("flags is not 0", UInt64(self[Layout.FaultQueueAlloc.flags]))
    }
    try context.create(FaultQueue(in: context)) { queue throws(Errno) in
      try context.kernel.failures.pass(.allocation, "the file of a fault queue")
      try install(FaultQueueFile(queue)) { descriptor throws(Errno) in
        self[Layout.FaultQueueAlloc.outFaultID] = queue.id
        self[Layout.FaultQueueAlloc.outFaultFD] = UInt32(bitPattern: descriptor)
        try respond()
      }
    }
    return 0
  }
}
