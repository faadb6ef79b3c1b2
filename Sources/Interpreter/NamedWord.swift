// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

extension Command {
  /// The word among its operands that is a new name, as in `device add nic`; nil where the verb names nothing so.
  public var namedWord: Symbol? {
    guard let (verb, _) = VerbTable.find(words.map(\.text)), let operand = verb.namesResult else {
      return nil
    }
    return Resolver.named(by: operand, verb, self)
  }
}
