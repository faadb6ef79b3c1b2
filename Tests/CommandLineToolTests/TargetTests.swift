// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

/// What programs and scripts run on, from the command line.
struct TargetOptionTests {
  @Test(arguments: ["/dev/iommu", "model,/dev/iommu"])
  func whereThereIsNoKernelThereIsOneMessage(_ target: String) throws {
    guard access("/dev/iommu", F_OK) != 0 else { return }
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Script.pass)
    let outcome = try tool.run(["run", "--target", target, script, script])
    #expect(outcome.status == 4)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("iofd: cannot open /dev/iommu: ENOENT\n"))
    #expect(try tool.run(["run", "--target", "/dev/null", script]).status == 2)
  }
}
