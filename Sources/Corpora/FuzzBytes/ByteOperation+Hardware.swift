// SPDX-License-Identifier: GPL-3.0-or-later

// The operations that version 2 adds: those that reach an IOMMU. VFIO device files, what functions do, guests.
// Frozen: see ByteOperation. In a scene without an IOMMU there is nobody to open, and they are refused.

extension ByteOperation {
  private static let attachRow = "VFIO_DEVICE_ATTACH_IOMMUFD_PT"
  private static let detachRow = "VFIO_DEVICE_DETACH_IOMMUFD_PT"
  private static let passed = Source.flags(flipped: 1, mask: 1)

  static let devices: [ByteOperation] = [
    ByteOperation(name: "open-device", effect: .openDevice),
    command("VFIO_DEVICE_GET_INFO", file: .deviceFile, []),
    command("VFIO_DEVICE_RESET", file: .deviceFile, []),
    command(
      "VFIO_DEVICE_BIND_IOMMUFD", file: .deviceFile,
      [("flags", .reserved), ("iommufd", .b([.context]))]),
    command(
      attachRow, file: .boundFile, [("flags", .reserved), ("pt_id", .b([.ioas, .hwpt]))],
      provides: .attached),
    command(
      attachRow, ".hwpt", file: .boundFile,
      [("flags", .reserved), ("pt_id", .b([.hwpt, .nested, .pasidTable, .ioas]))], provides: .attached),
    command(
      attachRow, ".guest", file: .boundFile, [("flags", .reserved), ("pt_id", .b([.nested]))],
      needs: [.guestTable], needsOnVIOMMU: [.vdevice], provides: .onGuest),
    command(
      attachRow, ".table", file: .boundFile, [("flags", .reserved), ("pt_id", .b([.pasidTable]))],
      provides: .onPASIDTableVFIO),
    command(
      attachRow, ".pasid", file: .boundFile,
      [("flags", passed), ("pt_id", .b([.pasidTable, .hwpt, .ioas, .nested])), ("pasid", .x(1))],
      needs: [.onPASIDTableVFIO], provides: .pasidVFIO),
    command(detachRow, file: .boundFile, [("flags", .reserved)], needs: [.attached]),
    command(
      detachRow, ".pasid", file: .boundFile, [("flags", passed), ("pasid", .x(1))], needs: [.pasidVFIO]),
    ByteOperation(name: "translation-request", effect: .translationRequest),
    ByteOperation(name: "page-request", effect: .pageRequest),
    ByteOperation(name: "answer-fault", effect: .answerFault),
    ByteOperation(name: "finished", effect: .finished),
    ByteOperation(name: "interrupt", effect: .interrupt),
    ByteOperation(name: "plug", effect: .plug),
    ByteOperation(name: "unplug", effect: .unplug),
    ByteOperation(name: "cut", effect: .cut),
    ByteOperation(name: "grow", effect: .grow),
    ByteOperation(name: "capability", effect: .capability),
  ]

  static let guests: [ByteOperation] = [
    command(
      "IOAS_MAP", ".guest",
      [
        ("flags", .flags(flipped: 7, mask: 7)), ("ioas_id", .a([.ioas])), ("user_va", .area(Area.guest)),
        ("length", .fixed(Area.guestLength)), ("iova", .guestMemory),
      ], provides: .guestMemory),
    ByteOperation(name: "guest-table", effect: .guestTable, needs: [.guestMemory]),
    command(
      "HWPT_ALLOC", ".guest",
      [
        ("flags", .flags(flipped: 0, mask: 4)), ("dev_id", .b([.idev])), ("pt_id", .nestingBase),
        ("data_type", .scene { $0.nesting.dataType }), ("data_len", .scene { $0.nesting.dataLength }),
        ("data_uptr", .area(Area.hwptData)), ("fault_id", .a([.fault])),
      ], puts: [(Area.hwptData, 8, .patch)], needs: [.guestTable]),
    command(
      "HWPT_INVALIDATE", ".guest",
      [
        ("hwpt_id", .nestingCaches), ("data_uptr", .area(Area.invalidations)),
        ("data_type", .scene { $0.nesting.invalidation }),
        ("entry_len", .scene { $0.nesting.entryLength }), ("entry_num", .flags(flipped: 1, mask: 3)),
        ("__reserved", .reserved),
      ],
      puts: [
        (Area.invalidations, 8, .guestCommand(0)), (Area.invalidations + 8, 8, .guestCommand(1)),
        (Area.invalidations + 16, 8, .guestCommand(2)),
      ]),
  ]
}
