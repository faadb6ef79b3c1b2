// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Seams
public import UAPI

/// The objects of one open file by ID: `ictx->objects`.
///
/// An ID is the lowest free number, 1 and up, and is reused at once. It is first *reserved* (lookups miss
/// it), and *published* when the command that makes the object can no longer fail; a failed command abandons
/// it. A *tombstone* is an ID that is neither found nor handed out again until the file closes.
/// Source: `drivers/iommu/iommufd/main.c`; reference io-pagetable.md section 1.1.
public final class ObjectTable: @unchecked Sendable {
  private enum Slot {
    case free, reserved, tombstone
    case object(Object)
  }

  private let lock = Lock(.objects)
  private let failures: FailurePoints
  /// Index is the ID; slot 0 is never used.
  @exclusivity(unchecked) private var slots: [Slot] = [.tombstone]
  /// No ID below this one is free.
  @exclusivity(unchecked) private var lowestFree = 1
  /// The IOAS that VFIO type1 requests act on; not a reference. `ictx->vfio_ioas`.
  @exclusivity(unchecked) private var compat: IOAS?

  init(failures: FailurePoints) { self.failures = failures }

  // MARK: Creation

  /// Gives `object` the lowest free ID, invisible to lookups. `_iommufd_object_alloc`.
  ///
  /// - Throws: ENOMEM.
  public func reserve(_ object: Object) throws(Errno) {
    try failures.pass(.allocation, "an object")
    try failures.pass(.allocation, "the ID of an object")
    object.id = lock.withLock {
      var index = lowestFree
      search: while index < slots.count {
        if case .free = slots[index] { break search }
        index += 1
      }
      if index == slots.count { slots.append(.reserved) } else { slots[index] = .reserved }
      lowestFree = index + 1
      return UInt32(index)
    }
  }

  /// Makes a reserved object visible. `iommufd_object_finalize`.
  public func publish(_ object: Object) {
    lock.withLock { slots[Int(object.id)] = .object(object) }
    Tracer.tell(MachineEvent(.objectCreate, .id(object.id), .text(object.kind.name)))
  }

  /// Gives the ID of an object that never became visible back. `iommufd_object_abort`.
  public func abandon(_ object: Object) { free(object.id) }

  private func free(_ id: UInt32) {
    lock.withLock { freeLocked(id) }
  }

  private func freeLocked(_ id: UInt32) {
    if compat?.id == id { compat = nil }
    slots[Int(id)] = .free
    lowestFree = min(lowestFree, Int(id))
  }

  // MARK: Lookup

  /// Runs `body` with the object of this ID and type, which cannot be destroyed meanwhile.
  /// `iommufd_get_object` and `iommufd_put_object`.
  ///
  /// - Throws: ENOENT when there is no such object or it is of another type, and what `body` throws.
  @inlinable
  public func with<T: Object, Result: ~Copyable>(
    _: T.Type, _ id: UInt32, _ body: (T) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    let object = try get(T.self, id)
    defer { put(object) }
    return try body(object)
  }

  /// The object of this ID and type; the caller must `put` it. `iommufd_get_object`.
  ///
  /// - Throws: ENOENT.
  public func get<T: Object>(_: T.Type, _ id: UInt32) throws(Errno) -> T {
    try failures.pass(.objectLookup, "an object by its ID")
    lock.lock()
    guard Int(id) < slots.count, case .object(let any) = slots[Int(id)] else {
      lock.unlock()
      throw .ENOENT("no object has this ID", UInt64(id))
    }
    guard let object = any as? T else {
      lock.unlock()
      throw .ENOENT("the object with this ID is of another type", UInt64(id))
    }
    object.beginCall()
    lock.unlock()
    NamedPoint.objectFound.pass()
    return object
  }

  /// The compatibility IOAS; the caller must `put` it. `get_compat_ioas`.
  ///
  /// - Throws: ENODEV when none is set.
  func getCompat() throws(Errno) -> IOAS {
    try lock.withLock { () throws(Errno) -> IOAS in
      guard let compat else { throw .ENODEV("no compatibility IOAS is set") }
      compat.beginCall()
      return compat
    }
  }

  /// Sets or clears the compatibility IOAS; destroying it clears it, too.
  func setCompat(_ ioas: IOAS?) { lock.withLock { compat = ioas } }

  /// ID of the compatibility IOAS.
  var compatID: UInt32? { lock.withLock { compat?.id } }

  /// Ends the use that `get` began. `iommufd_put_object`.
  public func put(_ object: Object) { object.endCall() }

  /// A long-term reference on an object that may be on its way out; the caller must drop it.
  /// `iommufd_try_inc_users`.
  ///
  /// - Returns: false when the table has let go of the object already.
  func hold(_ object: Object) -> Bool {
    lock.withLock {
      guard Int(object.id) < slots.count, case .object(let there) = slots[Int(object.id)], there === object
      else { return false }
      object.addUser()
      return true
    }
  }

  // MARK: Destruction

  /// IOMMU_DESTROY: only an object that nothing else refers to. `iommufd_object_remove` by ID.
  ///
  /// - Throws: ENOENT; EBUSY while somebody, even a call in flight, holds a reference.
  public func destroy(_ id: UInt32) throws(Errno) -> Object {
    try failures.pass(.objectLookup, "an object by its ID")
    return try lock.withLock { () throws(Errno) -> Object in
      guard Int(id) < slots.count, case .object(let object) = slots[Int(id)] else {
        throw .ENOENT("no object has this ID", UInt64(id))
      }
      guard object.claimForDestroy() else {
        throw .EBUSY("somebody still refers to the object", UInt64(id), UInt64(object.users - 1))
      }
      freeLocked(id)
      tellDestroyed(object)
      return object
    }
  }

  /// Destroys an object that nobody but the caller refers to, if that is so; the caller has given up its own
  /// reference. For automatic HWPTs: `iommufd_object_put_and_try_destroy`.
  ///
  /// - Returns: whether the object is gone from the table; the caller then runs `destroy()` on it.
  func tryRemove(_ object: Object) -> Bool {
    lock.withLock {
      guard Int(object.id) < slots.count, case .object(let there) = slots[Int(object.id)], there === object,
        object.claimForDestroy()
      else { return false }
      freeLocked(object.id)
      tellDestroyed(object)
      return true
    }
  }

  private func tellDestroyed(_ object: Object) {
    Tracer.tell(MachineEvent(.objectDestroy, .id(object.id), .text(object.kind.name)))
  }

  /// Destroys an object on behalf of the driver that made it and holds one `users` reference: lookups stop,
  /// calls in flight are waited for. `iommufd_object_destroy_user`.
  ///
  /// - Parameter tombstone: keep the ID for ever.
  /// - Returns: whether the object is gone; false when something besides the driver still refers to it, which
  ///   leaves it for the close of the file.
  func removeForDriver(_ object: Object, tombstone: Bool = false) -> Bool {
    lock.withLock { slots[Int(object.id)] = .reserved }
    object.dropWaiter()
    if object.waiters > 0 { object.preDestroy() }
    NamedPoint.objectWait.wait { object.waiters == 0 }
    return lock.withLock {
      // The table's share and the driver's.
      guard object.users == 2 else {
        object.addWaiter()
        slots[Int(object.id)] = .object(object)
        return false
      }
      object.dropUsers(2)
      if tombstone { slots[Int(object.id)] = .tombstone } else { freeLocked(object.id) }
      tellDestroyed(object)
      return true
    }
  }

  /// Removes, in ascending order of IDs, every object that nothing else refers to, and again until none is
  /// left: the close of the file. `iommufd_fops_release`.
  ///
  /// - Returns: the objects that something refers to for ever; see `Context.close`.
  func removeAll() -> [Object] {
    while true {
      var progress = false
      var index = 1
      while let object = nextObject(from: &index) {
        guard lock.withLock({ object.claimForDestroy() }) else { continue }
        free(object.id)
        tellDestroyed(object)
        object.destroy()
        progress = true
      }
      let left = all
      if left.isEmpty || !progress { return left }
    }
  }

  private func nextObject(from index: inout Int) -> Object? {
    lock.lock()
    defer { lock.unlock() }
    while index < slots.count {
      defer { index += 1 }
      if case .object(let object) = slots[index] { return object }
    }
    return nil
  }

  // MARK: Looking

  /// Every published object, ascending by ID.
  public var all: [Object] {
    lock.withLock {
      slots.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }
  }

  /// Whether no ID is taken, not even by a reservation or a tombstone: `xa_empty`.
  public var isEmpty: Bool {
    lock.withLock {
      !slots.dropFirst().contains { if case .free = $0 { false } else { true } }
    }
  }

  /// The IDs that are reserved for ever.
  public var tombstones: [UInt32] {
    lock.withLock {
      slots.indices.dropFirst().compactMap { if case .tombstone = slots[$0] { UInt32($0) } else { nil } }
    }
  }
}
