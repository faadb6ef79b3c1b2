// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
public import UAPI

/// What a run with `--sweep=FILE` counted: a line for everything that can be swept, whether a script does it or not, so
/// what nobody sweeps is seen.
///
/// A line has seven fields with tabs between them, the first line their names: kernel, backend, call, how often it was
/// made, how often it succeeded when nothing failed, failures that were made, and those of them that took a run of
/// their own. Behind the calls come the named values of their fields, `HWPT_ALLOC data_type=VTD_S1`, and the sum.
/// The tables of commands and of verbs decide what there is.
public final class SweepTable: RunEventSink {
  public let path: String
  private var kernel = ""
  private var backend = ""
  private var ledger = SweepLedger()

  public init(path: String) { self.path = path }

  public func receive(_ event: RunEvent) {
    switch event {
    case .began(let kernel, let backend, _): (self.kernel, self.backend) = (kernel, backend)
    case .swept(let part): ledger.add(part)
    default: break
    }
  }

  public var text: String {
    var text = "kernel\tbackend\tcall\tcalls\tdone\tpoints\tlate\n"
    func add(_ name: String, _ count: SweepCount) {
      text +=
        "\(kernel)\t\(backend)\t\(name)\t\(count.calls)\t\(count.done)\t\(count.points)\t\(count.late)\n"
    }
    let version = Personality(rawValue: kernel)?.version ?? Personality.standard.version
    let calls = Self.calls(version)
    // What has another name on hardware, as `fault` has.
    let others = ledger.calls.keys.filter { !calls.contains($0) && !Self.isRequest($0) }.sorted()
    for name in calls + others { add(name, ledger.calls[name] ?? SweepCount()) }
    for name in Self.values(version) { add(name, ledger.values[name] ?? SweepCount()) }
    add("total", ledger.total)
    return text
  }

  /// Puts it where it belongs.
  public func save() throws(FileFailure) { try HostFile.replace(path, with: Array(text.utf8)) }

  /// Whether some kernel has it.
  private static func isRequest(_ name: String) -> Bool {
    CommandTable.row(named: name) != nil || name.hasPrefix("TEST ")
  }

  /// Every request and operation of the selftest that a kernel has, and every verb that is none of them.
  public static func calls(_ kernel: KernelVersion) -> [String] {
    CommandTable.all.filter { $0.exists(in: kernel) && $0.family != .selftest }.map(\.name)
      + CommandTable.selftestOps.filter { $0.exists(in: kernel) }.map { "TEST \($0.name)" }
      + VerbTable.all.filter { $0.requestName == nil }.map(\.name)
  }

  /// Every named value that a kernel knows of an input of one of its requests.
  public static func values(_ kernel: KernelVersion) -> [String] {
    let requests = CommandTable.all.filter { $0.family != .selftest && $0.exists(in: kernel) }
    return requests.flatMap { values($0.fields, of: $0.name, kernel) }
      + CommandTable.selftestOps.filter { $0.exists(in: kernel) }
      .flatMap { values($0.fields, of: "TEST \($0.name)", kernel) }
  }

  private static func values(_ fields: [Field], of name: String, _ kernel: KernelVersion) -> [String] {
    fields.filter { $0.direction.isInput }.flatMap { field -> [String] in
      switch field.meaning {
      case .choice(let names), .flags(let names):
        names.entries.filter { $0.since <= kernel }.map { "\(name) \(field.name)=\($0.name)" }
      default: []
      }
    }
  }
}
