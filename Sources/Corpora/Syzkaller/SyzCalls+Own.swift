// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// The requests once more under names of ours: `ioctl$iofd_IOAS_MAP`, `ioctl$iofd_TEST_DIRTY`.
//
// syzkaller describes half of the requests, and of some only what succeeds. What it has no call for is written with
// these, which are made from the waist's table: every field is an integer of its own, IDs and descriptors are
// resources, pointers lead to bytes. Only this tool knows them.

extension SyzCalls {
  /// `ioctl$iofd_`
  public static let ownPrefix = "ioctl$iofd_"

  static let own: [SyzCallRow] =
    CommandTable.all.filter { $0.family != .selftest && !$0.sizes.isEmpty }.map {
      row("iofd_" + $0.name, $0, $0.fields)
    }
    + CommandTable.selftestOps.map { op in
      // An access is named by its descriptor.
      let isAccess = if case .access = op.id { true } else { false }
      let fields = CommandTable.selftest.fields.map { field in
        field.name == "id" && isAccess
          ? Field("id", Slot<UInt32>(field.offset), .input, .fileDescriptor) : field
      }
      return row("iofd_TEST_" + op.name, CommandTable.selftest, fields + op.fields, op: op)
    }

  private static func row(_ name: String, _ row: CommandRow, _ fields: [Field], op: SelftestOp? = nil)
    -> SyzCallRow
  {
    .ioctl(
      name, UInt64(row.request), size: max(row.sizes.map(\.bytes).max() ?? 0, op == nil ? 0 : 72),
      direction: .both, layOut(fields, op), result: op?.name == "DMABUF_GET" ? .descriptor : nil)
  }

  /// The fields in the order of their places, with bytes in the gaps between them.
  private static func layOut(_ fields: [Field], _ op: SelftestOp?) -> [SyzField] {
    var made: [SyzField] = []
    var end = 0
    for field in fields.sorted(by: { $0.offset < $1.offset }) where field.offset >= end {
      while end < field.offset {
        // The widest that is aligned and fits.
        let width = [8, 4, 2, 1].first { end % $0 == 0 && end + $0 <= field.offset } ?? 1
        made.append(SyzField("pad\(end)", .integer(width: width)))
        end += width
      }
      made.append(syz(field, op))
      end += field.size
    }
    return made
  }

  private static func syz(_ field: Field, _ op: SelftestOp?) -> SyzField {
    if field.offset == 0 { return SyzField(field.name, .length(of: "parent", width: field.size)) }
    if let op, field.name == "op" { return .is32("op", UInt64(op.number)) }
    let direction: SyzDirection =
      switch field.direction {
      case .input: .input
      case .output: .output
      case .both: .both
      }
    switch field.meaning {
    case .objectID where field.size == 4:
      return SyzField(field.name, .resource(.handle, width: 4), direction)
    case .fileDescriptor where field.size == 4:
      return SyzField(field.name, .resource(.descriptor, width: 4), direction)
    case .userPointer where field.size == 8: return SyzField(field.name, .pointer(.buffer, .both), direction)
    default: return SyzField(field.name, .integer(width: field.size), direction)
    }
  }
}
