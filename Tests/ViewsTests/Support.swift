// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Foundation
import Interpreter
import Language
import Machine
import Testing
import Views

enum Project {
  static let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

  /// Compares with a file of expected text. With `IOFD_UPDATE_GOLDEN=1` in the environment it is written anew, for
  /// review.
  static func expect(_ text: String, is name: String, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let place = golden.appending(path: name)
    if ProcessInfo.processInfo.environment["IOFD_UPDATE_GOLDEN"] != nil {
      try Data(text.utf8).write(to: place)
    }
    let expected = String(decoding: try Data(contentsOf: place), as: UTF8.self)
    #expect(text == expected, "\(name)", sourceLocation: sourceLocation)
  }
}

/// What a script prints; it must pass.
func printed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> String {
  var printed = ""
  var options = RunOptions()
  options.check = true
  options.output = { printed += $0 }
  let result = Interpreter.run(
    SourceFile(name: "test.iofd", text: text), loader: MemoryLoader(), options: options
  ) {
    let target = ModelTarget(Machine.Configuration())
    return Rig(target: target, bench: ModelBench(target), backend: "mock")
  }
  let report = DiagnosticRenderer().render(result.allDiagnostics)
  #expect(result.verdict == .passed, "\(report)", sourceLocation: sourceLocation)
  return printed
}

/// The script of the scene.
func scene() throws -> String {
  String(decoding: try Data(contentsOf: Project.golden.appending(path: "scene.iofd")), as: UTF8.self)
}
