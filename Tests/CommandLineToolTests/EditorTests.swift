// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

/// `iofd lint` and `iofd lsp` as processes.
struct EditorTests {
  private func message(_ text: String) -> String { "Content-Length: \(text.utf8.count)\r\n\r\n\(text)" }

  private var initialize: String {
    message(#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"capabilities":{}}}"#)
  }
  private var shutdown: String { message(#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#) }
  private var exit: String { message(#"{"jsonrpc":"2.0","method":"exit"}"#) }

  @Test func lintSaysItWithItsStatus() throws {
    let tool = try Tool()
    let good = try tool.run(["lint", "-"], input: "iofd 1\nioas create\n")
    #expect(good.status == 0 && good.output.isEmpty)
    let text = "iofd 1\nthread a { ioas create }\n"
    let found = try tool.run(["lint", "-"], input: text)
    #expect(found.status == 1 && found.output.contains("warning[L0004]"))
    #expect(try tool.run(["check", "-"], input: text).status == 0)
    let json = try tool.run(["lint", "--diag", "json", "-"], input: text)
    #expect(
      json.output.hasPrefix("{\"severity\":\"warning\",\"code\":\"L0004\",\"file\":\"<stdin>\",\"line\":2,"))
    #expect(try tool.run(["lint", "-"], input: "destroy $vm\n").status == 3)
    #expect(try tool.run(["lint"]).status == 2)
    #expect(try tool.run(["explain", "L0004"]).output.contains("never gets the turn"))
    // What is true under one kernel may not be under another.
    let old = "iofd 1\nvm = ioas create\nrequest OPTION option_id=1 object_id=$vm op=SET val64=0\n"
    #expect(try tool.run(["lint", "--kernel", "6.12", "-"], input: old).status == 1)
  }

  @Test func theServerEndsWithItsInput() throws {
    let tool = try Tool()
    let polite = try tool.run(["lsp", "--stdio"], input: initialize + shutdown + exit)
    #expect(polite.status == 0 && polite.errors.isEmpty)
    #expect(polite.output.hasPrefix("Content-Length: ") && polite.output.contains(#""id":2,"result":null"#))
    #expect(try tool.run(["lsp"], input: initialize + exit).status == 1)
    #expect(try tool.run(["lsp"], input: "").status == 1)
    #expect(try tool.run(["lsp"], input: initialize + shutdown).status == 0)
    #expect(try tool.run(["lsp"], input: "nonsense\r\n\r\n" + initialize + shutdown + exit).status == 0)
    #expect(try tool.run(["lsp", "file"]).status == 2)
  }

  /// The shell holds both ends of the pipe, so the input does not end.
  private static let endless = "mkfifo in; exec 9<>in;"

  @Test func theServerEndsWithNobodyToTalkTo() throws {
    let tool = try Tool()
    try tool.scratch.write("messages", String(repeating: initialize, count: 2000))
    let closed = try tool.shell(
      "\(Self.endless) cat messages >&9 & { iofd lsp <in; echo $? >status; } | head -c 1 >/dev/null; kill %1; cat status"
    )
    #expect(closed.output == "130\n")

    let orphan = try Tool()
    let gone =
      #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":999999999,"capabilities":{}}}"#
    try orphan.scratch.write("messages", message(gone))
    let ended = try orphan.shell("\(Self.endless) cat messages >&9; iofd lsp <in >/dev/null; echo $?")
    #expect(ended.output == "1\n")
  }

  @Test func includesDoNotKeepItWaiting() throws {
    let tool = try Tool()
    let uri = "file://\(tool.scratch.path)/a.iofd"
    let open = """
      {"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"\(uri)","languageId":"iofd",\
      "version":1,"text":"include \\"pipe\\""}}}
      """
    let hover = """
      {"jsonrpc":"2.0","id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"\(uri)"},\
      "position":{"line":0,"character":10}}}
      """
    try tool.scratch.write("messages", initialize + message(open) + message(hover) + shutdown + exit)
    let ended = try tool.shell("mkfifo pipe; iofd lsp < messages; echo; echo $?")
    #expect(ended.output.contains("R0017") && ended.output.hasSuffix("\n0\n"))
  }

  @Test(arguments: [SIGTERM, SIGINT]) func aSignalEndsTheServer(signal: Int32) throws {
    let tool = try Tool()
    let running = try tool.start(
      ["-c", "cd \(tool.scratch.path); \(Self.endless) exec \(Tool.path) lsp <in"], input: "",
      program: "/bin/bash")
    try running.signal(signal)
    #expect(try running.wait().status == 130)
  }
}
