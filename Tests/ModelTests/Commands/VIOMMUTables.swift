// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Memory
import Testing
import UAPI

// VIOMMU_ALLOC, VDEVICE_ALLOC, VEVENTQ_ALLOC, HW_QUEUE_ALLOC, FAULT_QUEUE_ALLOC. Reference uapi.md sections
// 3.6 and 4, devices-hwpt-viommu.md section 5.

private let data = World.data
private let max64 = UInt64.max
private let selftest: UInt64 = 0xDEAD_BEEF

extension RequestTable {
  static let faultQueue = RequestTable(
    "FAULT_QUEUE_ALLOC", good: ["flags": 0], whenReadOnly: .undone,
    list {
      ok("an object and a descriptor", gives: ["out_fault_id": 1, "out_fault_fd": 4]) { world, _ in
        #expect(world.fact(1, "users") == 2)
        try #expect(world.target.poll(4) == .output)
      }
      ok(
        "another one", gives: ["out_fault_id": 2, "out_fault_fd": 5],
        given: {
          try $0.make("FAULT_QUEUE_ALLOC")
        })
      fails("EOPNOTSUPP", "any flag", ["flags": 1])
      fails("EMFILE", "no descriptor is free", given: { $0.exhaustDescriptors() })
    })

  static let viommuAlloc = RequestTable(
    "VIOMMU_ALLOC", in: World.parent, good: ["type": selftest, "dev_id": 3, "hwpt_id": 5],
    whenReadOnly: .undone,
    list {
      ok("holds its parent", gives: ["out_viommu_id": 6]) { world, _ in #expect(world.fact(5, "users") == 2) }
      ok(
        "a second one", gives: ["out_viommu_id": 7],
        given: {
          try $0.make("VIOMMU_ALLOC", ["type": selftest, "dev_id": 3, "hwpt_id": 5])
        })
      ok(
        "with data, and a window", ["data_len": 24, "data_uptr": data + 64],
        given: {
          try $0.words(0x1234, at: 64)
        }
      ) { world, _ in
        try #expect([world.word(64), world.word(68)] == [0x1234, 0x1234])
        try #expect([world.long(72), world.long(80)] == [0x1000, 0x2000])
      }
      ok(
        "with the data of the first version", ["data_len": 8, "data_uptr": data + 64],
        given: {
          try $0.words(0x1234, 0, 7, at: 64)
        }
      ) { world, _ in
        try #expect([world.word(68), world.word(72)] == [0x1234, 7])
      }
      ok("the unchecked reserved field", ["__reserved": 1])
      fails("EOPNOTSUPP", "a flag", ["flags": 1])
      fails("EOPNOTSUPP", "type 0", ["type": 0])
      fails("EOPNOTSUPP", "type 0, before the device", ["type": 0, "dev_id": 9])
      fails("ENOENT", "no device", ["dev_id": 9])
      fails("ENOENT", "an IOAS for a device", ["dev_id": 1])
      fails("ENOENT", "no device, before the type", ["dev_id": 9, "type": 1])
      fails("EOPNOTSUPP", "another driver's type", ["type": 1])
      fails("EOPNOTSUPP", "the type, before the HWPT", ["type": 1, "hwpt_id": 9])
      fails("ENOENT", "no HWPT", ["hwpt_id": 9])
      fails("ENOENT", "an IOAS for an HWPT", ["hwpt_id": 1])
      fails("ENOENT", "a nested HWPT", ["hwpt_id": 6], given: { try $0.nested(on: 5) })
      fails("EINVAL", "an HWPT that is no parent", ["hwpt_id": 4])
      fails("EINVAL", "short data", ["data_len": 7, "data_uptr": data])
      fails("EINVAL", "long data", ["data_len": 25, "data_uptr": data])
      fails("EFAULT", "data that cannot be read", ["data_len": 8, "data_uptr": World.hole])
      fails("EFAULT", "data that cannot be written", ["data_len": 24, "data_uptr": World.readOnly])
    })

  static let vdeviceAlloc = RequestTable(
    "VDEVICE_ALLOC", in: World.viommu, good: ["viommu_id": 6, "dev_id": 3, "virt_id": 0x99],
    whenReadOnly: .undone,
    list {
      ok("holds its vIOMMU and device", gives: ["out_vdevice_id": 7]) { world, _ in
        #expect(world.fact(6, "users") == 2)
        #expect(world.fact(3, "users") == 4)
      }
      ok("virtual ID 0", ["virt_id": 0])
      ok("the largest virtual ID", ["virt_id": max64])
      fails("ENOENT", "no vIOMMU", ["viommu_id": 9])
      fails("ENOENT", "an HWPT for a vIOMMU", ["viommu_id": 5])
      fails("ENOENT", "no device", ["dev_id": 9])
      fails("ENOENT", "an IOAS for a device", ["dev_id": 1])
      fails(
        "EEXIST", "the device has one",
        given: {
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 1])
        })
      fails(
        "EEXIST", "the device has one, on another vIOMMU",
        given: {
          try $0.make("VIOMMU_ALLOC", ["type": selftest, "dev_id": 3, "hwpt_id": 5])
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 7, "dev_id": 3, "virt_id": 0x99])
        })
      fails(
        "EEXIST", "another device has the number", ["dev_id": 8],
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0x99])
        })
      fails(
        "ENOENT", "no device, before the number", ["dev_id": 9],
        given: {
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0x99])
        })
    })

  static let veventqAlloc = RequestTable(
    "VEVENTQ_ALLOC", in: World.viommu, good: ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 2],
    whenReadOnly: .undone,
    list {
      ok("an object and a descriptor", gives: ["out_veventq_id": 7, "out_veventq_fd": 4]) { world, _ in
        #expect(world.fact(7, "users") == 2)
        #expect(world.fact(6, "users") == 2)
        try #expect(world.target.poll(4) == [])
      }
      ok("any type but 0", ["type": 77])
      ok("the largest depth", ["veventq_depth": 1 << 19])
      ok(
        "one more, of another type", gives: ["out_veventq_id": 8],
        given: {
          try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 1, "veventq_depth": 1])
        })
      fails("EOPNOTSUPP", "a flag", ["flags": 1])
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "type 0", ["type": 0])
      fails("EOPNOTSUPP", "type 0, before the depth", ["type": 0, "veventq_depth": 0])
      fails("EINVAL", "depth 0", ["veventq_depth": 0])
      fails("EINVAL", "too deep", ["veventq_depth": 1 << 19 | 1])
      fails("EINVAL", "the depth, before the vIOMMU", ["veventq_depth": 0, "viommu_id": 9])
      fails("ENOENT", "no vIOMMU", ["viommu_id": 9])
      fails("ENOENT", "an HWPT for a vIOMMU", ["viommu_id": 5])
      fails(
        "EEXIST", "the vIOMMU has one of the type",
        given: {
          try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 1])
        })
      fails("EMFILE", "no descriptor is free", given: { $0.exhaustDescriptors() })
      fails(
        "EEXIST", "the type, before the descriptor",
        given: {
          try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 1])
          $0.exhaustDescriptors()
        })
    })

  static let hwQueueAlloc = RequestTable(
    "HW_QUEUE_ALLOC",
    in: {
      // Touched in order, the pages are neighbours in physical memory.
      for page in 0..<UInt64(16) { try $0.target.memory.store(UInt8(1), at: World.va + page * 0x1000) }
      try World.viommu($0)
      try $0.map(1, 0x4000)
    },
    good: [
      "viommu_id": 6, "type": selftest, "index": 0, "nesting_parent_iova": 0x1000000, "length": 0x2000,
    ], whenReadOnly: .undone,
    list {
      ok("pins, and takes two numbers", gives: ["out_hw_queue_id": 7]) { world, _ in
        #expect(world.exists(8))
        #expect(world.fact(6, "users") == 2)
        #expect(world.fact(1, "users") == 4)
        #expect(world.fact(1, "alignment") == 4096)
        #expect(world.ask("DESTROY", ["id": 7]).name == "ok")
        #expect(world.fact(1, "alignment") == 2048)
      }
      ok("a few bytes", ["nesting_parent_iova": 0x1000FFF, "length": 2])
      ok(
        "two areas that are neighbours", ["length": 0x6000],
        given: {
          try $0.map(at: 0x1004000, from: World.va + 0x4000)
        })
      ok("the second queue", ["index": 1], gives: ["out_hw_queue_id": 9], given: { try $0.queue() }) {
        world, _ in
        #expect(world.fact(7, "users") == 2)
      }
      fails("EOPNOTSUPP", "a flag", ["flags": 1])
      fails("EOPNOTSUPP", "type 0", ["type": 0])
      fails("EOPNOTSUPP", "type 0, before the length", ["type": 0, "length": 0])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "length 0, before the vIOMMU", ["length": 0, "viommu_id": 9])
      fails("EOVERFLOW", "the end wraps", ["nesting_parent_iova": max64, "length": 2])
      fails(
        "EOVERFLOW", "the end, before the vIOMMU",
        ["nesting_parent_iova": max64, "length": 2, "viommu_id": 9])
      fails("ENOENT", "no vIOMMU", ["viommu_id": 9])
      fails("ENOENT", "no vIOMMU, before the type", ["viommu_id": 9, "type": 1])
      fails("EOPNOTSUPP", "another driver's type", ["type": 1])
      fails("EOPNOTSUPP", "the type, before the pages", ["type": 1, "nesting_parent_iova": 0])
      fails("ERANGE", "rounded up the length wraps", ["nesting_parent_iova": 1, "length": max64])
      fails("ENOMEM", "a length for no array", ["length": max64 - 0x1000000])
      fails("EADDRINUSE", "a misaligned area anywhere", given: { try $0.misalign() })
      fails(
        "EADDRINUSE", "a misaligned area, before the pages", ["nesting_parent_iova": 0x2000000],
        given: { try $0.misalign() })
      fails("ENOENT", "nothing is mapped", ["nesting_parent_iova": 0x2000000])
      fails("ENOENT", "the end is not mapped", ["length": 0x4001])
      fails(
        "EPERM", "pages that are not readable", ["nesting_parent_iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, from: World.va, flags: 3)
        })
      fails(
        "EINVAL", "a dma-buf", ["nesting_parent_iova": 0x2000000],
        given: {
          try $0.openFiles()
          try $0.make(
            "IOAS_MAP_FILE", ["flags": 7, "ioas_id": 1, "fd": 5, "length": 0x4000, "iova": 0x2000000])
        })
      fails(
        "EFAULT", "pages that are no neighbours", ["length": 0x6000],
        given: {
          try $0.map(at: 0x1004000, from: World.va + 0x8000)
        })
      fails("ENOENT", "the pages, before the index", ["index": 2, "nesting_parent_iova": 0x2000000])
      fails(
        "EFAULT", "the neighbours, before the index", ["index": 2, "length": 0x6000],
        given: {
          try $0.map(at: 0x1004000, from: World.va + 0x8000)
        })
      fails("EINVAL", "a third queue", ["index": 2])
      fails("EEXIST", "the queue exists", given: { try $0.queue() })
      fails("EIO", "the second before the first", ["index": 1])
    })
}

extension World {
  /// No descriptor can be had any more.
  func exhaustDescriptors() { target.process.table.setLimit(0) }

  fileprivate func queue() throws {
    try make(
      "HW_QUEUE_ALLOC",
      ["viommu_id": 6, "type": selftest, "nesting_parent_iova": 0x1000000, "length": 0x1000])
  }

  /// An area that the mock can map and no access can pin.
  fileprivate func misalign() throws { try map(at: 0x3000800, 0x800, from: World.va + 0x800) }
}
