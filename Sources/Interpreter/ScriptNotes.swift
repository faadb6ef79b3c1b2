// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

/// What the resolver met on its way, for who asks about a script instead of running it. A run keeps no notes.
final class ScriptNotes {
  private(set) var names: [ScriptIndex.Name] = []
  private(set) var inclusions: [ScriptIndex.Inclusion] = []
  /// Numbers in places where words have meanings.
  private(set) var numbers: [(value: UInt64, place: Place, names: NamedValues)] = []
  /// Names that an include passes on: the slot of the included file, and the one that it becomes.
  private(set) var exports: [(from: Int, to: Int)] = []
  /// Numbers of procedures and threads. They are kept alive, so that no two of them are ever the same object.
  private var numbered: [ObjectIdentifier: (object: AnyObject, number: Int)] = [:]

  func note(
    _ subject: ScriptIndex.Subject, _ text: String, _ place: Place, _ role: ScriptIndex.Role,
    kind: Kind? = nil
  ) {
    // What an include is given has no place in the included file.
    guard !place.span.isEmpty else { return }
    names.append(ScriptIndex.Name(subject, text, in: place.source, at: place.span, role, kind: kind))
  }

  func note(_ procedure: Procedure, _ place: Place, _ role: ScriptIndex.Role) {
    note(.procedure(number(procedure)), procedure.name, place, role)
  }

  func note(_ thread: ThreadNode, _ place: Place, _ role: ScriptIndex.Role) {
    note(.thread(number(thread)), thread.name, place, role)
  }

  private func number(_ object: AnyObject) -> Int {
    let number = numbered[ObjectIdentifier(object)]?.number ?? numbered.count
    numbered[ObjectIdentifier(object)] = (object, number)
    return number
  }

  func note(_ value: UInt64, _ place: Place, _ names: NamedValues) { numbers.append((value, place, names)) }

  func note(_ inclusion: ScriptIndex.Inclusion) { inclusions.append(inclusion) }

  func noteExport(from: Int, to: Int) { exports.append((from, to)) }
}
