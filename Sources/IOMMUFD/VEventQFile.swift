// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import UAPI

/// The file of an event queue. It keeps the queue busy and the context open.
final class VEventQFile: OpenFile, @unchecked Sendable {
  private let queue: VEventQ
  private let contextFile: ContextFile

  init(_ queue: VEventQ) {
    self.queue = queue
    contextFile = queue.context.file
    super.init()
    queue.setOpen(true)
    contextFile.retainFile()
  }

  override var name: String { "anon_inode:[iommufd-viommu-event]" }
  override var movesBytes: Bool { true }
  override var keptFile: OpenFile? { contextFile }

  override func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    try queue.read(address, count, by: task)
  }

  override func poll() -> PollEvents { queue.isEmpty ? [] : [.input, .readNormal] }

  override func release() {
    queue.setOpen(false)
    contextFile.releaseFile()
  }
}

extension Command {
  private static var maximumDepth: UInt32 { 1 << 19 }

  /// IOMMU_VEVENTQ_ALLOC. Source: `iommufd_veventq_alloc`; reference uapi.md section 4.3.
  ///
  /// - Throws: EOPNOTSUPP, EINVAL, ENOENT, EEXIST, ENOMEM, EMFILE, EFAULT.
  func veventqAlloc() throws(Errno) -> Int32 {
    let type = self[Layout.VEventQAlloc.type]
    let depth = self[Layout.VEventQAlloc.depth]
    guard self[Layout.VEventQAlloc.flags] == 0, self[Layout.VEventQAlloc.reserved] == 0, type != 0 else {
      throw .EOPNOTSUPP("flags or __reserved is not 0, or the type is", UInt64(type))
    }
    guard depth > 0, depth <= Self.maximumDepth else {
      throw .EINVAL("the depth is 0 or too large", UInt64(depth), UInt64(Self.maximumDepth))
    }
    try context.objects.with(VIOMMU.self, self[Layout.VEventQAlloc.viommuID]) { viommu throws(Errno) in
      try viommu.eventQueuesLock.withExclusive { () throws(Errno) in
        guard !viommu.eventQueues.contains(where: { $0.type == type }) else {
          throw .EEXIST("the vIOMMU has a queue of this type", UInt64(type))
        }
        let queue = VEventQ(type: type, depth: depth, on: viommu)
        try context.objects.reserve(queue)
        viommu.addUser()
        viommu.eventQueues.append(queue)
        do throws(Errno) {
          try context.kernel.failures.pass(.allocation, "the file of an event queue")
          try install(VEventQFile(queue)) { descriptor throws(Errno) in
            self[Layout.VEventQAlloc.outVEventQID] = queue.id
            self[Layout.VEventQAlloc.outVEventQFD] = UInt32(bitPattern: descriptor)
            try respond()
          }
        } catch {
          queue.leave()
          context.objects.abandon(queue)
          throw error
        }
        context.objects.publish(queue)
      }
    }
    return 0
  }
}
