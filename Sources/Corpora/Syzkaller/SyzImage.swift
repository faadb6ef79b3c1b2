// SPDX-License-Identifier: GPL-3.0-or-later

/// A program made ready to run: for each call what is stored before it, its arguments, and what is read back.
///
/// Everything that can be known beforehand is: addresses, sizes and defaults. What is left are the slots, one for each
/// variable that the program binds.
///
/// Source: syzkaller `prog/encodingexec.go`; reference corpora.md section 2.
public struct SyzImage: Sendable {
  public let calls: [Call]
  public let slotCount: Int
  /// `SyzProgram.requirements`
  public let requirements: [String]
  /// What the reader mended.
  public let repairs: [SyzProblem]

  /// Where the memory of a program lies on 64-bit x86 and RISC-V.
  public static let area: UInt64 = 0x2000_0000_0000

  public struct Call: Sendable {
    public let name: String
    /// Nil for a call that is not known.
    public let row: SyzCallRow?
    public let stores: [Store]
    public let arguments: [SyzOperand]
    public let loads: [Load]
    /// The slot of the returned value.
    public let result: Int?
    public let properties: SyzCall.Properties
    public let comment: String?
    public let line: Int
  }

  /// What is written before the call, in this order.
  public enum Store: Sendable, Equatable {
    case number(at: UInt64, SyzOperand, SyzNotation)
    /// The bytes, and zeroes up to `size`.
    case bytes(at: UInt64, [UInt8], size: UInt64)
  }

  /// What is read after a call that did not fail.
  public struct Load: Sendable, Equatable {
    public let address: UInt64
    public let width: Int
    /// Nil for a descriptor that no variable takes: it is open all the same.
    public let slot: Int?
    public let isDescriptor: Bool
  }

  /// Makes `program` ready.
  ///
  /// - Parameters:
  ///   - isStrict: what does not fit its type is an error, as in syzkaller's own tests; otherwise it is repaired and
  ///     reported.
  ///   - vocabulary: the calls that there are.
  /// - Throws: what is wrong, at its line and column.
  public init(
    _ program: SyzProgram, isStrict: Bool = false, vocabulary: SyzVocabulary = .linux
  ) throws(SyzProblem) {
    var binder = SyzBinder(vocabulary, isStrict: isStrict)
    var bound: [(row: Int?, node: Int32, result: Int?)] = []
    bound.reserveCapacity(program.calls.count)
    for index in program.calls.indices {
      guard let row = vocabulary.number(of: program.calls[index]) else {
        let call = program.calls[index]
        try binder.repair("\(call.name) is not known", SyzBinder.Place(call.line, call.column))
        binder.forget(call)
        bound.append((nil, SyzNode.none, nil))
        continue
      }
      let (node, result) = try binder.bind(program.calls[index], as: row)
      bound.append((row, node, result))
    }
    var flattening = SyzFlattening(binder)
    var calls: [Call] = []
    calls.reserveCapacity(bound.count)
    for (index, call) in program.calls.enumerated() {
      let (row, node, result) = bound[index]
      let next = bound[(index + 1)...].first { $0.node != SyzNode.none }?.node
      let flat = flattening.call(node, until: next ?? Int32(binder.nodes.count))
      guard !flattening.isOverflown else {
        throw SyzProblem(
          line: call.line, column: call.column, "a program stores at most \(SyzLimits.storedBytes) bytes")
      }
      calls.append(
        Call(
          name: call.name, row: row.map { vocabulary.rows[$0] }, stores: flat.stores,
          arguments: flat.arguments, loads: flat.loads, result: result, properties: call.properties,
          comment: call.comment, line: call.line))
    }
    self.calls = calls
    requirements = program.requirements
    slotCount = binder.scope.slotCount
    repairs = binder.repairs
  }
}
