// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

extension ByteOperation {
  /// The struct of an operation's request: each field, with where its value comes from and where its answer goes.
  struct Form: Sendable {
    struct Part: Sendable {
      let field: Field
      let source: Source?
      let pools: [Pool]
    }

    let request: UInt32
    let size: Int
    let minimum: Int
    let parts: [Part]
  }

  /// The kernel whose structs versions 1 and 2 pass.
  private static let kernel = KernelVersion(7, 3)

  private static let versionTwoForms = versionTwo.map { $0.form }
  private static let versionOneForms = Array(versionTwoForms.prefix(versionOne.count))

  /// By operation; nil for one that is no request.
  static func forms(version: UInt8) -> [Form?] {
    version < 2 ? versionOneForms : versionTwoForms
  }

  private var form: Form? {
    switch effect {
    case .command(let name):
      guard let row = CommandTable.row(named: name) else { preconditionFailure("the table has \(name)") }
      return Form(
        request: row.request, size: row.fullSize(Self.kernel), minimum: row.minimumSize,
        parts: parts(row.fields))
    case .selftest(let name):
      guard let op = SelftestOp.named(name) else { preconditionFailure("the table has \(name)") }
      let row = CommandTable.selftest
      // `id` is also the name of a field of some unions; those are called `number` here.
      let fields = op.fields.map { field in
        field.name == "id" ? Field("number", Slot<UInt32>(field.offset)) : field
      }
      let head = Form.Part(
        field: Field("op", Layout.Selftest.op), source: .fixed(UInt64(op.number)), pools: [])
      return Form(
        request: row.request, size: row.fullSize(Self.kernel), minimum: row.minimumSize,
        parts: [head] + parts([Field("id", Layout.Selftest.id, .input, .objectID)] + fields))
    default: return nil
    }
  }

  private func parts(_ all: [Field]) -> [Form.Part] {
    all.map { field in
      Form.Part(
        field: field, source: fields.first { $0.name == field.name }?.source,
        pools: pools(ofOutput: field.name))
    }.filter { $0.source != nil || !$0.pools.isEmpty }
  }
}
