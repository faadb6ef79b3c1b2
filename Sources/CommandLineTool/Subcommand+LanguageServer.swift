// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Interpreter
internal import Language
internal import LanguageServer
internal import Runner

// `iofd lsp`: the language server on standard input and output. It ends with its input, with `exit`, with a signal, when
// nobody reads what it says, and when the editor that started it is gone.

extension Subcommand {
  static let languageServer = Subcommand(
    name: "lsp", operands: "",
    summary: "Serves editors: the Language Server Protocol on standard input and output.",
    options: [
      SharedOptions.kernel, SharedOptions.backend,
      OptionRow("--stdio", help: "the only way to talk to it; for clients that say so"),
    ],
    run: { arguments throws(UsageError) in
      guard arguments.operands.isEmpty else {
        throw UsageError(message: "lsp takes no operands", help: "iofd lsp")
      }
      let rigs = try SharedOptions.rigs(arguments)
      // Only its tables are asked for: kinds of IOMMU, points, failures.
      let rig = try? rigs.make()
      let server = LanguageServer(
        environment: try SharedOptions.environment(arguments), host: HostScripts(), bench: rig?.bench,
        version: CommandLineTool.version)
      let status = withExtendedLifetime(rig) { serve(server) }
      return status
    })

  private static func serve(_ server: LanguageServer) -> ExitStatus {
    let output = ByteOutput.standardOutput()
    while server.exitStatus == nil {
      guard !Interrupts.isRaised else { return .interrupted }
      if let parent = server.parent, kill(parent, 0) != 0, errno == ESRCH { break }
      switch read() {
      case .bytes(let bytes):
        output.write(server.receive(bytes))
        output.flush()
        // Nobody reads: there is nobody to tell, either.
        if output.failure != nil { return Terminal.finish(output, .passed) }
      case .nothing: continue
      case .end: server.end()
      }
    }
    return server.exitStatus == 0 ? .passed : .failed
  }

  private enum Input {
    case bytes([UInt8])
    /// Nothing came for a while, or a signal did.
    case nothing
    case end
  }

  private static let chunk = 1 << 16
  /// How often to look for the editor, in milliseconds.
  private static let patience: Int32 = 3000

  private static func read() -> Input {
    var descriptors = [
      pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
      pollfd(fd: Interrupts.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    guard poll(&descriptors, 2, patience) > 0, descriptors[0].revents != 0 else { return .nothing }
    var count = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, initialized in
      count = Glibc.read(0, buffer.baseAddress, chunk)
      initialized = max(0, count)
    }
    if count < 0 { return errno == EINTR || errno == EAGAIN ? .nothing : .end }
    return count == 0 ? .end : .bytes(bytes)
  }
}

/// The disk, for the language server.
private struct HostScripts: ServerHost {
  private let disk = DiskLoader()

  func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    // A pipe or a device would keep the editor waiting.
    let place = DiskLoader.joined(path, to: origin)
    guard HostFile.isRegular(place) || !HostFile.exists(place) else { throw LoadError("no regular file") }
    return try disk.load(path, from: origin)
  }

  func place(_ path: String, from origin: String?) -> String {
    HostFile.resolved(DiskLoader.joined(path, to: origin))
  }

  func files(_ path: String) -> [String] { HostPaths.goingOn(path) }
}
