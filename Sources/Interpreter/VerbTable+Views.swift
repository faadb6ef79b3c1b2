// SPDX-License-Identifier: GPL-3.0-or-later
internal import Views

// Verbs that look: one for each view of the table of views, the two drawings, and the comparison of two moments.

extension VerbTable {
  static let viewVerbs: [Verb] =
    View.all.map { view in
      Verb(
        "show \(view.name)", .local, options: [format(View.Format.table)], "Prints \(view.summary).",
        examples: ["show \(view.name)", "show \(view.name) format=json"]
      ) { l in
        if view.name == "requests" { l.resolver.program.keepsRequests = true }
        if let format = chosen(l, View.Format.self) { l.body = .action(.look(.view(view, format))) }
      }
    } + [
      Verb(
        "graph", .local, options: [format(GraphDrawing.Format.text)],
        "Draws the object graph: who needs whom, down to the hardware. `iofd graph` writes it to a file.",
        examples: ["graph", "graph format=dot"]
      ) { l in
        if let format = chosen(l, GraphDrawing.Format.self) { l.body = .action(.look(.graph(format))) }
      },
      Verb(
        "space", .local, operands: [.value("ioas", .object([.ioas]))],
        options: [format(SpaceDrawing.Format.text)],
        "Draws the IOVAs of an IOAS, or of all, to scale: areas, what may be used, what is reserved.",
        examples: ["space", "space $vm", "space $vm format=svg"]
      ) { l in
        if let format = chosen(l, SpaceDrawing.Format.self) {
          l.body = .action(.look(.space(l.code("ioas"), format)))
        }
      },
      Verb(
        "explain", .local, operands: [.value("object", .any, .required), .value("address", .iova)],
        options: [.value("pasid", .number), .word("write")],
        "Says in plain words what an object is for, who needs it and why it cannot go; or where an access of a device "
          + "to an IOVA ends, and why.",
        examples: ["explain $vm", "explain $nic 0x1000", "explain $nic 0x1000 write pasid=5"]
      ) { l in
        guard let object = l.code("object") else { return }
        l.body = .action(
          .look(
            .explain(object, address: l.code("address"), pasid: l.code("pasid"), writing: l.has("write"))))
      },
      Verb(
        "snapshot", .local, results: [ResultSpec("snapshot", .any, .named)],
        "Keeps the state of the whole machine, bytes of memory included, to compare with later.",
        examples: ["before = snapshot"]
      ) { l in l.body = .action(.look(.snapshot)) },
      Verb(
        "diff", .local, operands: [.value("from", .any, .required), .value("to", .any)],
        results: [
          ResultSpec("added", .number, .named), ResultSpec("removed", .number, .named),
          ResultSpec("changed", .number, .named),
        ],
        "Prints what came, went and changed since a snapshot, or between two of them.",
        examples: ["diff $before", "diff $before $after   -> added=0, removed=0"]
      ) { l in
        if let old = l.code("from") { l.body = .action(.look(.diff(from: old, to: l.code("to")))) }
      },
    ]

  private static func format<Format: RawRepresentable & CaseIterable>(_ usual: Format) -> Parameter
  where Format.RawValue == String {
    .value("format", .words(Format.allCases.map(\.rawValue)), usual: .word(usual.rawValue))
  }

  /// The format; nil for a word that is none, of which the author knows already.
  private static func chosen<Format: RawRepresentable>(_ lowering: Lowering, _: Format.Type) -> Format?
  where Format.RawValue == String {
    lowering.wordOrUsual("format").flatMap(Format.init(rawValue:))
  }
}
