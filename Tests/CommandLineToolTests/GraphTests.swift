// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

/// `iofd graph`, and the trace of `iofd run`.
struct GraphTests {
  static let script = """
    iofd 1
    vm = ioas create
    dev = device add
    attach $dev to=$vm
    test "inside" { other = ioas create }
    defer destroy $vm   -> EBUSY
    """

  @Test func theSuffixIsTheFormat() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Self.script)
    let text = try tool.run(["graph", script])
    #expect(text.status == 0 && text.output.hasPrefix("/dev/iommu · process 1 fd 3"))
    #expect(text.output.contains("IOAS 1 $vm") && !text.output.contains("other"))
    for (suffix, beginning) in [
      ("svg", "<svg "), ("dot", "digraph "), ("json", "{\n"), ("txt", "/dev/iommu"),
    ] {
      let place = tool.scratch.path + "/x.\(suffix)"
      #expect(try tool.run(["graph", script, "-o", place]).status == 0)
      #expect(try tool.scratch.read("x.\(suffix)").hasPrefix(beginning))
      #expect(
        try tool.run(["graph", script, "--format", suffix == "txt" ? "text" : suffix]).output.hasPrefix(
          beginning))
    }
  }

  @Test func anotherMomentAnotherSubject() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Self.script)
    #expect(
      try tool.run(["graph", script, "--until", "2", "--show", "objects"]).output.contains("DEVICE") == false)
    #expect(try tool.run(["graph", script, "--show", "objects"]).output.contains("DEVICE"))
    #expect(
      try tool.run(["graph", script, "--show", "requests", "--format", "json"]).output.contains("IOAS_ALLOC"))
    #expect(try tool.run(["graph", script, "--space"]).output.hasPrefix("IOAS 1 $vm: nothing mapped"))
    #expect(try tool.run(["graph", script, "--test", "inside"]).output.contains("IOAS 1 $other"))
    let change = try tool.run(["graph", script, "--since", "2"]).output
    #expect(change.contains("+ HWPT") && change.contains("~ IOAS 1 $vm") && !change.contains("+ IOAS"))
  }

  @Test func whatCannotBeIsSaid() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Self.script)
    let bad = try tool.scratch.write("b.iofd", Script.invalid)
    let failing = try tool.scratch.write("c.iofd", Script.fail)
    let rows: [(words: [String], status: Int32, error: String)] = [
      ([], 2, "graph which script?"), ([script, script], 2, "graph which script?"),
      ([script, "-o", "x.png"], 2, "which format"), ([script, "--space", "--format", "dot"], 2, "no dot"),
      ([script, "--show", "object"], 2, "did you mean 'objects'"),
      ([script, "--space", "--since", "1"], 2, "not several"),
      ([script, "--test", "nope"], 2, "no test 'nope'"), ([script + "x"], 3, "No such file"),
      ([bad], 3, "R0001"),
      ([failing], 1, "error["), ([script, "-o", "/nowhere/x.svg"], 2, "/nowhere/x.svg"),
    ]
    for row in rows {
      let outcome = try tool.run(["graph"] + row.words)
      #expect(outcome.status == row.status, "\(row.words): \(outcome.errors)")
      #expect(outcome.errors.contains(row.error), "\(row.words): \(outcome.errors)")
    }
  }

  @Test func traces() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Self.script)
    let requests = try tool.run(["run", "--trace", script])
    #expect(requests.output.contains("IOAS_ALLOC") && !requests.output.contains("object-create"))
    let model = try tool.run(["run", "--trace-level", "model", script])
    #expect(model.output.contains("\n1:   object-create id=1 type=IOAS\n"))
    let place = tool.scratch.path + "/t.json"
    let json = try tool.run([
      "run", "-q", "--trace=\(place)", "--trace-level=model", "--trace-format=json", script,
    ])
    #expect(json.output == "2 passed, 0 failed\n", "\(json.output)")
    let lines = try tool.scratch.read("t.json").split(separator: "\n")
    #expect(lines.count > 5 && lines.allSatisfy { $0.hasPrefix("{\"") && $0.hasSuffix("}") })
    #expect(
      lines.contains(
        "{\"statement\":1,\"level\":\"model\",\"event\":\"object-create\",\"id\":1,\"type\":\"IOAS\"}"))
    #expect(try tool.run(["run", "--trace-level", "all", script]).status == 2)
  }
}
