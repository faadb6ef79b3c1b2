// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// Makes a program in bytes small: fewer records first, then operands of 0, which are what is usual.
enum ProgramShrinker {
  /// - Parameters:
  ///   - trials: most programs to try.
  ///   - holds: whether a program still shows what it is to show; it does for `program`.
  static func shrink(_ program: ByteProgram, trials: Int, holds: @escaping (ByteProgram) -> Bool)
    -> ByteProgram
  {
    func make(_ records: [ByteProgram.Record], _ flags: UInt16) -> ByteProgram {
      ByteProgram(
        profile: program.profile, flags: flags, records: records)
    }
    var flags = program.flags
    // The machine that everybody has.
    let plain = ByteScene(program.scene.family).flags
    if plain != flags, holds(make(program.records, plain)) { flags = plain }
    var shrinker = Shrinker<ByteProgram.Record>(budget: trials, simpler: simpler) { [flags] records in
      holds(make(records, flags))
    }
    return make(shrinker.shrink(program.records), flags)
  }

  /// The record with one operand less.
  private static func simpler(_ record: ByteProgram.Record) -> [ByteProgram.Record] {
    var forms: [ByteProgram.Record] = []
    func add(_ change: (inout ByteProgram.Record) -> Void) {
      var form = record
      change(&form)
      if form != record { forms.append(form) }
    }
    add { $0 = ByteProgram.Record(operation: $0.operation) }
    add { $0.flags = 0 }
    add { $0.a = 0 }
    add { $0.b = 0 }
    add { $0.x = 0 }
    add { $0.y = 0 }
    if record.a > 1 { add { $0.a = $0.a >> 1 } }
    if record.b > 1 { add { $0.b = $0.b >> 1 } }
    if record.x > 1 { add { $0.x = $0.x >> 1 } }
    if record.y > 1 { add { $0.y = $0.y >> 8 } }
    return forms
  }
}
