// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// Real threads on one open file, on every backend: every promise is kept, and nothing is left broken. CI builds these
/// with the thread sanitizer, which then reads along.
@Suite("Parallel")
struct ParallelTests {
  @Test(arguments: Scripts.backends)
  func threadsOfOneFile(_ backend: String) throws {
    let script = backend == "mock" ? "parallel.iofd" : "hardware-parallel.iofd"
    let result = try Scripts.run(script, on: backend, defines: ["rounds": "12"])
    #expect(result.problems == "")
    #expect(result.passed > 100)
    #expect(result.cases >= 3)
  }
}
