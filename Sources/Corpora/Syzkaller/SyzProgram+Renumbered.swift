// SPDX-License-Identifier: GPL-3.0-or-later

// The canonical names of variables. Source: reference corpora.md section 1.7.

extension SyzProgram {
  /// The same program with its variables called r0, r1, ... in the order in which they are bound, and without
  /// bindings that nothing uses.
  ///
  /// A name that is bound again is another variable from there on. A name that is used and bound nowhere before
  /// stays, since nothing says what it means.
  public func renumbered() -> SyzProgram {
    var counting = SyzRenaming()
    for call in calls { _ = counting.rename(call) }
    var renaming = SyzRenaming(used: counting.used)
    return SyzProgram(calls: calls.map { renaming.rename($0) }, comments: comments)
  }
}

/// One pass over a program's variables: the first says which bindings are used, the second gives the names.
private struct SyzRenaming {
  /// The bindings that something uses, by their order in the text; nil while that is being found out.
  private let wanted: Set<Int>?
  private(set) var used: Set<Int> = []
  private var bindings = 0
  /// The latest binding of each name, and the number that it gets.
  private var latest: [String: (binding: Int, number: Int)] = [:]
  private var numbers = 0

  init(used: Set<Int>? = nil) { wanted = used }

  mutating func rename(_ call: SyzCall) -> SyzCall {
    var call = call
    call.arguments = call.arguments.map { rename($0) }
    guard let name = call.binding else { return call }
    // The number belongs to where the name stands in the text, which is before the arguments; the binding
    // itself begins behind them.
    call.binding = bind(name)
    return call
  }

  private mutating func bind(_ name: String) -> String? {
    defer { bindings += 1 }
    // Nothing looks a name up between a binding that is not wanted and the next one.
    guard wanted?.contains(bindings) ?? true else { return nil }
    defer { numbers += 1 }
    latest[name] = (bindings, numbers)
    return "r\(numbers)"
  }

  private mutating func rename(_ argument: SyzArgument) -> SyzArgument {
    var argument = argument
    switch argument.value {
    case .result(var variable):
      if let (binding, number) = latest[variable.name] {
        used.insert(binding)
        variable.name = "r\(number)"
        argument.value = .result(variable)
      }
    case .pointer(let place, let pointee?, let isAny):
      argument.value = .pointer(place, rename(pointee), isAny: isAny)
    case .structure(let fields): argument.value = .structure(fields.map { rename($0) })
    case .array(let elements): argument.value = .array(elements.map { rename($0) })
    case .option(let name, let value?): argument.value = .option(name, rename(value))
    case .integer, .data, .absent, .automatic, .pointer(_, nil, _), .option(_, nil): break
    }
    if let name = argument.binding { argument.binding = bind(name) }
    return argument
  }
}
