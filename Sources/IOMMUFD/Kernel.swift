// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import Seams
internal import Synchronization
public import UAPI

/// What one machine's iommufd knows beyond a single open file: which release it is, the physical memory, the
/// failure points, and the few global settings of the kernel module.
public final class Kernel: @unchecked Sendable {
  public let personality: Personality
  public let memory: PhysicalMemory
  public let failures: FailurePoints
  /// What page tables have lost.
  public let damage = TableDamage()
  /// `IOMMU_TEST_CMD`, in a kernel that is built with the selftest driver.
  public let selftest: (any SelftestCommand)?
  /// The module parameter `allow_unsafe_interrupts`.
  public let allowUnsafeInterrupts: Bool

  private let lock = Lock(.module)
  private var contexts: [Context] = []

  /// Bytes of scratch memory that a fill may use; the selftest lowers it so that batching shows.
  /// `iommufd_test_memory_limit`.
  private let scratch = Atomic<Int>(65536)

  public init(
    _ personality: Personality, memory: PhysicalMemory, failures: FailurePoints = FailurePoints(),
    selftest: (any SelftestCommand)? = nil, allowUnsafeInterrupts: Bool = false
  ) {
    self.personality = personality
    self.selftest = selftest
    commands = Dispatcher.table(for: personality, hasSelftest: selftest != nil)
    self.memory = memory
    self.failures = failures
    self.allowUnsafeInterrupts = allowUnsafeInterrupts
  }

  public var version: KernelVersion { personality.version }

  /// The dispatch table.
  let commands: [Dispatcher.Entry?]

  public var scratchLimit: Int {
    get { scratch.load(ordering: .relaxed) }
    set { scratch.store(newValue, ordering: .relaxed) }
  }

  /// Opens `/dev/iommu`, or `/dev/vfio/vfio`, whose context starts in process accounting.
  /// Source: `iommufd_fops_open`.
  public func open(vfio: Bool = false) -> ContextFile {
    let context = Context(self, accounting: vfio ? .process : .user)
    lock.withLock { contexts.append(context) }
    return ContextFile(context)
  }

  /// Every context that is open, also one that only an access or an event queue keeps open.
  public var openContexts: [Context] { lock.withLock { contexts } }

  /// A context has been closed.
  func forget(_ context: Context) { lock.withLock { contexts.removeAll { $0 === context } } }
}

/// `IOMMU_TEST_CMD` (0xA0). It reaches into the model's objects and into the mock driver, so it lives above
/// both and is plugged in here. Source: `iommufd_test`.
public protocol SelftestCommand: AnyObject, Sendable {
  func run(_ command: borrowing Command) throws(Errno) -> Int32
}
