// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// Every pair of operations on one space, in every order within a bound, on every backend. Here the bound is small; CI
/// runs the same scripts with a larger one.
@Suite("Pairs of operations")
struct PairTests {
  @Test(arguments: Scripts.backends)
  func oneBehindTheOther(_ backend: String) throws {
    let result = try Scripts.run(Self.script(backend), on: backend, defines: ["bound": "0"])
    #expect(result.problems == "")
    #expect(result.cases >= 105)
  }

  /// One of the two held up once, at every point.
  @Test(
    arguments: ["mock", "vtd", "smmuv3"],
    ["map | unmap", "unmap | unmap", "map | create table", "unmap | replace"])
  func oneHeldUp(_ backend: String, _ pair: String) throws {
    let result = try Scripts.run(Self.script(backend), on: backend, defines: ["bound": "1"], only: pair)
    #expect(result.problems == "")
    #expect(result.cases == 1)
    #expect(result.schedules > 40)
  }

  private static func script(_ backend: String) -> String {
    backend == "mock" ? "pairs.iofd" : "hardware-pairs.iofd"
  }
}
