// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs

// One walker serves the device and two readers. For a device it uses and fills caches, updates descriptors and
// tells nobody; for `walk` it does none of that and tells an observer; for `cachedAnswer` it uses caches and changes
// nothing. The compiler makes three walkers of it.

extension SMMUv3 {
  /// Who looks on while a transaction is translated.
  protocol Observer {
    /// Caches, table updates and records happen.
    static var live: Bool { get }
    /// Caches answer.
    static var consults: Bool { get }
    /// A cache has answered.
    mutating func found()
    mutating func structure(
      _ name: StaticString, at address: UInt64, _ words: [UInt64], _ fields: [FieldName])
    mutating func descriptor(stage: Int, level: Int, at address: UInt64, _ value: UInt64?)
    mutating func leaf(_ entry: Entry)
  }

  typealias FieldName = (name: String, field: SMMU.Field)

  /// A device: nobody looks.
  struct Unobserved: Observer {
    // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
    private let place: UInt8 = 0
    static var live: Bool { true }
    static var consults: Bool { true }
    @inline(__always)
    mutating func found() {}
    @inline(__always)
    mutating func structure(
      _ name: StaticString, at address: UInt64, _ words: [UInt64], _ fields: [FieldName]
    ) {}
    @inline(__always)
    mutating func descriptor(stage: Int, level: Int, at address: UInt64, _ value: UInt64?) {}
    @inline(__always)
    mutating func leaf(_ entry: Entry) {}
  }

  /// Writes the steps down.
  struct Recorder: Observer {
    static var live: Bool { false }
    static var consults: Bool { false }
    var steps: [WalkStep] = []

    mutating func found() {}

    mutating func structure(
      _ name: StaticString, at address: UInt64, _ words: [UInt64], _ fields: [FieldName]
    ) {
      let decoded = fields.compactMap { field -> (name: String, value: Fact)? in
        guard field.field.word < words.count else { return nil }
        return (field.name, .hex(words[field.field.word][field.field]))
      }
      steps.append(WalkStep(name.description, at: address, words, decoded))
    }

    mutating func descriptor(stage: Int, level: Int, at address: UInt64, _ value: UInt64?) {
      var fields: [(name: String, value: Fact)] = []
      if let value {
        let kind =
          value & VMSAv8.valid == 0
          ? "invalid"
          : value & VMSAv8.tableOrPage == 0 ? "block" : level == 3 ? "page" : "table"
        fields = [
          ("type", .text(kind)), ("address", .hex(value & VMSAv8.addressMask)),
          ("AF", .flag(value & VMSAv8.accessFlag != 0)), ("AP", .number((value >> 6) & 3)),
          ("DBM", .flag(value & VMSAv8.dirtyBitModifier != 0)),
          ("Contig", .flag(value & VMSAv8.contiguous != 0)), ("XN", .number((value >> 53) & 3)),
        ]
      }
      steps.append(
        WalkStep("stage \(stage) level \(level)", at: address, value.map { [$0] } ?? [], fields))
    }

    mutating func leaf(_ entry: Entry) {
      guard !steps.isEmpty else { return }
      steps[steps.count - 1].fields += [
        ("output", .hex(entry.output)), ("sizeLg2", .number(entry.sizeLg2)),
      ]
    }
  }

  /// Looks whether any cache has a say.
  struct CacheReader: Observer {
    static var live: Bool { false }
    static var consults: Bool { true }
    var hasFound = false

    mutating func found() { hasFound = true }
    mutating func structure(
      _ name: StaticString, at address: UInt64, _ words: [UInt64], _ fields: [FieldName]
    ) {}
    mutating func descriptor(stage: Int, level: Int, at address: UInt64, _ value: UInt64?) {}
    mutating func leaf(_ entry: Entry) {}
  }
}
