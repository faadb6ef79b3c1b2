// SPDX-License-Identifier: GPL-3.0-or-later

// `IOMMU_TEST_CMD` (0xA0): one 72-byte struct, a union chosen by `op`.
// Source: `drivers/iommu/iommufd/iommufd_test.h`; reference uapi.md section 7.

/// One operation of the kernel's selftest command.
public struct SelftestOp: Sendable {
  /// The value of `op`, 1...23.
  public let number: UInt32
  /// The name without `IOMMU_TEST_OP_`.
  public let name: String
  public let since: KernelVersion
  /// What the `id` field at offset 8 names.
  public let id: Operand
  /// The union's fields, at offsets from the start of the struct (16 and up).
  public let fields: [Field]
  public let summary: String

  public enum Operand: Sendable {
    case none, ioas, hwpt, nestedHWPT
    /// An IOAS or an HWPT.
    case pageTable
    /// The SELFTEST object of a mock device.
    case stdev
    /// The DEVICE object of a mock device.
    case idev
    /// An access's file descriptor.
    case access
  }

  public func exists(in kernel: KernelVersion) -> Bool { since <= kernel }

  /// The operation called `name` (any case, `-` or `_`), or nil.
  public static func named(_ name: String) -> SelftestOp? {
    let key = String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    return table.first { $0.name == key }
  }
}

extension Layout {
  /// `struct iommu_test_cmd`, 72 bytes: the part that every op has.
  public enum Selftest {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var op: Slot<UInt32> { Slot(4) }
    @inlinable public static var id: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var last: Slot<UInt32> { Slot(64) }

    /// Op 1, ADD_RESERVED.
    public enum AddReserved {
      @inlinable public static var start: Slot<UInt64> { Slot(16) }
      @inlinable public static var length: Slot<UInt64> { Slot(24) }
    }

    /// Op 2, MOCK_DOMAIN.
    public enum MockDomain {
      @inlinable public static var outStdevID: Slot<UInt32> { Slot(16) }
      @inlinable public static var outHWPTID: Slot<UInt32> { Slot(20) }
      @inlinable public static var outIdevID: Slot<UInt32> { Slot(24) }
    }

    /// Op 3, MD_CHECK_MAP.
    public enum CheckMap {
      @inlinable public static var iova: Slot<UInt64> { Slot(16) }
      @inlinable public static var length: Slot<UInt64> { Slot(24) }
      @inlinable public static var uptr: Slot<UInt64> { Slot(32) }
    }

    /// Op 4, MD_CHECK_REFS.
    public enum CheckRefs {
      @inlinable public static var length: Slot<UInt64> { Slot(16) }
      @inlinable public static var uptr: Slot<UInt64> { Slot(24) }
      @inlinable public static var refs: Slot<UInt32> { Slot(32) }
    }

    /// Op 5, CREATE_ACCESS.
    public enum CreateAccess {
      @inlinable public static var outAccessFD: Slot<UInt32> { Slot(16) }
      @inlinable public static var flags: Slot<UInt32> { Slot(20) }
    }

    /// Op 6, DESTROY_ACCESS_PAGES.
    public enum DestroyAccessPages {
      @inlinable public static var accessPagesID: Slot<UInt32> { Slot(16) }
    }

    /// Op 7, ACCESS_PAGES.
    public enum AccessPages {
      @inlinable public static var flags: Slot<UInt32> { Slot(16) }
      @inlinable public static var outAccessPagesID: Slot<UInt32> { Slot(20) }
      @inlinable public static var iova: Slot<UInt64> { Slot(24) }
      @inlinable public static var length: Slot<UInt64> { Slot(32) }
      @inlinable public static var uptr: Slot<UInt64> { Slot(40) }
    }

    /// Op 8, ACCESS_RW.
    public enum AccessRW {
      @inlinable public static var iova: Slot<UInt64> { Slot(16) }
      @inlinable public static var length: Slot<UInt64> { Slot(24) }
      @inlinable public static var uptr: Slot<UInt64> { Slot(32) }
      @inlinable public static var flags: Slot<UInt32> { Slot(40) }
    }

    /// Op 9, SET_TEMP_MEMORY_LIMIT.
    public enum MemoryLimit {
      @inlinable public static var limit: Slot<UInt32> { Slot(16) }
    }

    /// Op 10, MOCK_DOMAIN_REPLACE.
    public enum MockDomainReplace {
      @inlinable public static var ptID: Slot<UInt32> { Slot(16) }
    }

    /// Op 11, ACCESS_REPLACE_IOAS.
    public enum AccessReplaceIOAS {
      @inlinable public static var ioasID: Slot<UInt32> { Slot(16) }
    }

    /// Op 12, MOCK_DOMAIN_FLAGS.
    public enum MockDomainFlags {
      @inlinable public static var outStdevID: Slot<UInt32> { Slot(16) }
      @inlinable public static var outHWPTID: Slot<UInt32> { Slot(20) }
      @inlinable public static var outIdevID: Slot<UInt32> { Slot(24) }
      @inlinable public static var devFlags: Slot<UInt32> { Slot(28) }
    }

    /// Op 13, DIRTY.
    public enum Dirty {
      @inlinable public static var flags: Slot<UInt32> { Slot(16) }
      @inlinable public static var iova: Slot<UInt64> { Slot(24) }
      @inlinable public static var length: Slot<UInt64> { Slot(32) }
      @inlinable public static var pageSize: Slot<UInt64> { Slot(40) }
      @inlinable public static var uptr: Slot<UInt64> { Slot(48) }
      @inlinable public static var outNrDirty: Slot<UInt64> { Slot(56) }
    }

    /// Op 14, MD_CHECK_IOTLB.
    public enum CheckIOTLB {
      @inlinable public static var id: Slot<UInt32> { Slot(16) }
      @inlinable public static var iotlb: Slot<UInt32> { Slot(20) }
    }

    /// Op 15, TRIGGER_IOPF.
    public enum TriggerIOPF {
      @inlinable public static var devID: Slot<UInt32> { Slot(16) }
      @inlinable public static var pasid: Slot<UInt32> { Slot(20) }
      @inlinable public static var grpid: Slot<UInt32> { Slot(24) }
      @inlinable public static var perm: Slot<UInt32> { Slot(28) }
      @inlinable public static var addr: Slot<UInt64> { Slot(32) }
    }

    /// Op 16, DEV_CHECK_CACHE.
    public enum CheckCache {
      @inlinable public static var id: Slot<UInt32> { Slot(16) }
      @inlinable public static var cache: Slot<UInt32> { Slot(20) }
    }

    /// Op 17, TRIGGER_VEVENT.
    public enum TriggerVEvent {
      @inlinable public static var devID: Slot<UInt32> { Slot(16) }
    }

    /// Op 18, PASID_ATTACH.
    public enum PASIDAttach {
      @inlinable public static var pasid: Slot<UInt32> { Slot(16) }
      @inlinable public static var ptID: Slot<UInt32> { Slot(20) }
    }

    /// Op 19, PASID_REPLACE.
    public enum PASIDReplace {
      @inlinable public static var pasid: Slot<UInt32> { Slot(16) }
      @inlinable public static var ptID: Slot<UInt32> { Slot(20) }
    }

    /// Op 20, PASID_DETACH.
    public enum PASIDDetach {
      @inlinable public static var pasid: Slot<UInt32> { Slot(16) }
    }

    /// Op 21, PASID_CHECK_HWPT.
    public enum PASIDCheckHWPT {
      @inlinable public static var pasid: Slot<UInt32> { Slot(16) }
      @inlinable public static var hwptID: Slot<UInt32> { Slot(20) }
    }

    /// Op 22, DMABUF_GET.
    public enum DMABufGet {
      @inlinable public static var length: Slot<UInt32> { Slot(16) }
      @inlinable public static var openFlags: Slot<UInt32> { Slot(20) }
    }

    /// Op 23, DMABUF_REVOKE.
    public enum DMABufRevoke {
      @inlinable public static var dmabufFD: Slot<UInt32> { Slot(16) }
      @inlinable public static var revoked: Slot<UInt32> { Slot(20) }
    }

  }
}

extension CommandTable {
  /// `IOMMU_TEST_CMD` itself; the union's fields are in `selftestOps`.
  public static let selftest = CommandRow(
    "TEST_CMD", 0x3BA0, .selftest, minimum: 68,
    sizes: [(KernelVersion(6, 2), 56), (KernelVersion(6, 7), 72)],
    fields: [
      Field("size", Layout.Selftest.size, .input, .length),
      Field("op", Layout.Selftest.op, .input, .choice(SelftestOp.names)),
      Field("id", Layout.Selftest.id, .input, .objectID),
      Field("__reserved", Layout.Selftest.reserved),
    ],
    "Drives the mock devices and looks behind the uAPI (kernels built with the selftest driver).")
}

extension SelftestOp {
  static let names = NamedValues("IOMMU_TEST_OP", table.map { ($0.name, UInt64($0.number), $0.since) })

  /// All 23, in the order of their numbers.
  static let table: [SelftestOp] = [
    SelftestOp(
      number: 1, name: "ADD_RESERVED", since: KernelVersion(6, 2), id: .ioas,
      fields: [
        Field("start", Layout.Selftest.AddReserved.start, .input, .iova),
        Field("length", Layout.Selftest.AddReserved.length, .input, .length),
      ],
      summary: "Reserves an IOVA range for good."),
    SelftestOp(
      number: 2, name: "MOCK_DOMAIN", since: KernelVersion(6, 2), id: .pageTable,
      fields: [
        Field("out_stdev_id", Layout.Selftest.MockDomain.outStdevID, .output, .objectID),
        Field("out_hwpt_id", Layout.Selftest.MockDomain.outHWPTID, .output, .objectID),
        Field("out_idev_id", Layout.Selftest.MockDomain.outIdevID, .output, .objectID),
      ],
      summary: "Makes a mock device, binds it and attaches it."),
    SelftestOp(
      number: 3, name: "MD_CHECK_MAP", since: KernelVersion(6, 2), id: .hwpt,
      fields: [
        Field("iova", Layout.Selftest.CheckMap.iova, .input, .iova),
        Field("length", Layout.Selftest.CheckMap.length, .input, .length),
        Field("uptr", Layout.Selftest.CheckMap.uptr, .input, .userPointer),
      ],
      summary: "Checks that an HWPT translates to the pages behind a user address."),
    SelftestOp(
      number: 4, name: "MD_CHECK_REFS", since: KernelVersion(6, 2), id: .none,
      fields: [
        Field("length", Layout.Selftest.CheckRefs.length, .input, .length),
        Field("uptr", Layout.Selftest.CheckRefs.uptr, .input, .userPointer),
        Field("refs", Layout.Selftest.CheckRefs.refs),
      ],
      summary: "Checks how often pages are pinned."),
    SelftestOp(
      number: 5, name: "CREATE_ACCESS", since: KernelVersion(6, 2), id: .ioas,
      fields: [
        Field("out_access_fd", Layout.Selftest.CreateAccess.outAccessFD, .output, .fileDescriptor),
        Field("flags", Layout.Selftest.CreateAccess.flags, .input, .flags(Names.accessCreateFlags)),
      ],
      summary: "Makes an in-kernel user of an IOAS."),
    SelftestOp(
      number: 6, name: "DESTROY_ACCESS_PAGES", since: KernelVersion(6, 2), id: .access,
      fields: [
        Field("access_pages_id", Layout.Selftest.DestroyAccessPages.accessPagesID)
      ],
      summary: "Unpins what an access pinned."),
    SelftestOp(
      number: 7, name: "ACCESS_PAGES", since: KernelVersion(6, 2), id: .access,
      fields: [
        Field("flags", Layout.Selftest.AccessPages.flags, .input, .flags(Names.accessFlags)),
        Field("out_access_pages_id", Layout.Selftest.AccessPages.outAccessPagesID, .output),
        Field("iova", Layout.Selftest.AccessPages.iova, .input, .iova),
        Field("length", Layout.Selftest.AccessPages.length, .input, .length),
        Field("uptr", Layout.Selftest.AccessPages.uptr, .input, .userPointer),
      ],
      summary: "Pins pages through an access."),
    SelftestOp(
      number: 8, name: "ACCESS_RW", since: KernelVersion(6, 2), id: .access,
      fields: [
        Field("iova", Layout.Selftest.AccessRW.iova, .input, .iova),
        Field("length", Layout.Selftest.AccessRW.length, .input, .length),
        Field("uptr", Layout.Selftest.AccessRW.uptr, .input, .userPointer),
        Field("flags", Layout.Selftest.AccessRW.flags, .input, .flags(Names.accessRWFlags)),
      ],
      summary: "Reads or writes an IOVA range through an access."),
    SelftestOp(
      number: 9, name: "SET_TEMP_MEMORY_LIMIT", since: KernelVersion(6, 2), id: .none,
      fields: [
        Field("limit", Layout.Selftest.MemoryLimit.limit, .input, .length)
      ],
      summary: "Bounds the scratch memory of fill and unfill."),
    SelftestOp(
      number: 10, name: "MOCK_DOMAIN_REPLACE", since: KernelVersion(6, 6), id: .stdev,
      fields: [
        Field("pt_id", Layout.Selftest.MockDomainReplace.ptID, .both, .objectID)
      ],
      summary: "Moves a mock device to another page table."),
    SelftestOp(
      number: 11, name: "ACCESS_REPLACE_IOAS", since: KernelVersion(6, 6), id: .access,
      fields: [
        Field("ioas_id", Layout.Selftest.AccessReplaceIOAS.ioasID, .input, .objectID)
      ],
      summary: "Moves an access to another IOAS."),
    SelftestOp(
      number: 12, name: "MOCK_DOMAIN_FLAGS", since: KernelVersion(6, 7), id: .pageTable,
      fields: [
        Field("out_stdev_id", Layout.Selftest.MockDomainFlags.outStdevID, .output, .objectID),
        Field("out_hwpt_id", Layout.Selftest.MockDomainFlags.outHWPTID, .output, .objectID),
        Field("out_idev_id", Layout.Selftest.MockDomainFlags.outIdevID, .output, .objectID),
        Field("dev_flags", Layout.Selftest.MockDomainFlags.devFlags, .input, .flags(Names.mockDeviceFlags)),
      ],
      summary: "MOCK_DOMAIN with properties of the device."),
    SelftestOp(
      number: 13, name: "DIRTY", since: KernelVersion(6, 7), id: .hwpt,
      fields: [
        Field("flags", Layout.Selftest.Dirty.flags),
        Field("iova", Layout.Selftest.Dirty.iova, .input, .iova),
        Field("length", Layout.Selftest.Dirty.length, .input, .length),
        Field("page_size", Layout.Selftest.Dirty.pageSize, .input, .length),
        Field("uptr", Layout.Selftest.Dirty.uptr, .input, .userPointer),
        Field("out_nr_dirty", Layout.Selftest.Dirty.outNrDirty, .output),
      ],
      summary: "Marks pages as written by the device."),
    SelftestOp(
      number: 14, name: "MD_CHECK_IOTLB", since: KernelVersion(6, 8), id: .nestedHWPT,
      fields: [
        Field("id", Layout.Selftest.CheckIOTLB.id),
        Field("iotlb", Layout.Selftest.CheckIOTLB.iotlb),
      ],
      summary: "Checks an IOTLB word of a nested HWPT."),
    SelftestOp(
      number: 15, name: "TRIGGER_IOPF", since: KernelVersion(6, 11), id: .none,
      fields: [
        Field("dev_id", Layout.Selftest.TriggerIOPF.devID, .input, .objectID),
        Field("pasid", Layout.Selftest.TriggerIOPF.pasid),
        Field("grpid", Layout.Selftest.TriggerIOPF.grpid),
        Field("perm", Layout.Selftest.TriggerIOPF.perm, .input, .flags(Names.pageFaultPermissions)),
        Field("addr", Layout.Selftest.TriggerIOPF.addr, .input, .iova),
      ],
      summary: "Makes a mock device raise an I/O page fault."),
    SelftestOp(
      number: 16, name: "DEV_CHECK_CACHE", since: KernelVersion(6, 13), id: .idev,
      fields: [
        Field("id", Layout.Selftest.CheckCache.id),
        Field("cache", Layout.Selftest.CheckCache.cache),
      ],
      summary: "Checks a cache word of a mock device."),
    SelftestOp(
      number: 17, name: "TRIGGER_VEVENT", since: KernelVersion(6, 15), id: .none,
      fields: [
        Field("dev_id", Layout.Selftest.TriggerVEvent.devID, .input, .objectID)
      ],
      summary: "Makes a mock device report an event to its vIOMMU."),
    SelftestOp(
      number: 18, name: "PASID_ATTACH", since: KernelVersion(6, 15), id: .stdev,
      fields: [
        Field("pasid", Layout.Selftest.PASIDAttach.pasid),
        Field("pt_id", Layout.Selftest.PASIDAttach.ptID, .both, .objectID),
      ],
      summary: "Attaches a PASID of a mock device."),
    SelftestOp(
      number: 19, name: "PASID_REPLACE", since: KernelVersion(6, 15), id: .stdev,
      fields: [
        Field("pasid", Layout.Selftest.PASIDReplace.pasid),
        Field("pt_id", Layout.Selftest.PASIDReplace.ptID, .both, .objectID),
      ],
      summary: "Moves a PASID of a mock device."),
    SelftestOp(
      number: 20, name: "PASID_DETACH", since: KernelVersion(6, 15), id: .stdev,
      fields: [
        Field("pasid", Layout.Selftest.PASIDDetach.pasid)
      ],
      summary: "Detaches a PASID of a mock device."),
    SelftestOp(
      number: 21, name: "PASID_CHECK_HWPT", since: KernelVersion(6, 15), id: .stdev,
      fields: [
        Field("pasid", Layout.Selftest.PASIDCheckHWPT.pasid),
        Field("hwpt_id", Layout.Selftest.PASIDCheckHWPT.hwptID, .input, .objectID),
      ],
      summary: "Checks what a PASID is attached to."),
    SelftestOp(
      number: 22, name: "DMABUF_GET", since: KernelVersion(6, 19), id: .none,
      fields: [
        Field("length", Layout.Selftest.DMABufGet.length, .input, .length),
        Field("open_flags", Layout.Selftest.DMABufGet.openFlags),
      ],
      summary: "Returns a dma-buf of zeroed memory as the result."),
    SelftestOp(
      number: 23, name: "DMABUF_REVOKE", since: KernelVersion(6, 19), id: .none,
      fields: [
        Field("dmabuf_fd", Layout.Selftest.DMABufRevoke.dmabufFD, .input, .fileDescriptor),
        Field("revoked", Layout.Selftest.DMABufRevoke.revoked),
      ],
      summary: "Revokes a dma-buf, or gives it back."),
  ]
}
