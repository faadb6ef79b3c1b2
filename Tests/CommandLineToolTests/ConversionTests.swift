// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

/// `iofd import` and `iofd export` from outside.
struct ConversionTests {
  private static let program = """
    r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)
    ioctl$IOMMU_IOAS_ALLOC(r0, 0x3b81, &(0x7f0000000040)={0xc, 0x0, <r1=>0x0})
    ioctl$IOMMU_DESTROY$ioas(r0, 0x3b80, &(0x7f0000000080)={0x8, r1})

    """

  @Test func aDatabaseGoesOutAndComesBack() throws {
    let tool = try Tool()
    let first = try tool.scratch.write("a.iofd", "iofd 1\nvm = ioas create\ndestroy $vm\n")
    let second = try tool.scratch.write("b.iofd", "iofd 1\nvm = ioas create\ndestroy id:9 -> ENOENT\n")
    #expect(try tool.run(["export", first, second, "-o", "\(tool.scratch.path)/x.db"]).status == 0)
    let imported = try tool.run(["import", "\(tool.scratch.path)/x.db", "-o", "\(tool.scratch.path)/out/"])
    #expect(imported.status == 0, "\(imported.errors)")
    let ran = try tool.shell("iofd run --check out && cat out/*")
    #expect(ran.status == 0)
    #expect(ran.output.contains("2 passed, 0 failed"))
    #expect(ran.output.contains("destroy $vm"))
    #expect(ran.output.contains("destroy id:9  -> ENOENT"))
  }

  @Test func oneScriptIsPrinted() throws {
    let tool = try Tool()
    let path = try tool.scratch.write("one.syz", Self.program)
    let printed = try tool.run(["import", path])
    #expect(printed.status == 0)
    #expect(printed.output.hasSuffix("\nvm = ioas create  -> id=1\ndestroy $vm\n"))
    let script = "\(tool.scratch.path)/one.iofd"
    #expect(try tool.run(["import", path, "-o", script]).status == 0)
    #expect(try tool.scratch.read("one.iofd") == printed.output)
    let exported = try tool.run(["export", script])
    #expect(exported.status == 0)
    #expect(exported.output.contains("ioctl$IOMMU_DESTROY$ioas(r0, 0x3b80, "))
    // Two scripts do not fit into one file.
    let two = try tool.scratch.write("two.txt", "prog a\nopen 0\nprog b\nopen 0\n")
    #expect(try tool.run(["import", two, "-o", script]).status == 2)
  }

  @Test func aConsoleLogHoldsPrograms() throws {
    let tool = try Tool()
    let log =
      "[ 1.0] boot\nexecuting program 0:\n\(Self.program)executing program 1:\n[ 2.0] noise\n\(Self.program)"
    let path = try tool.scratch.write("log", log)
    let imported = try tool.run(["import", path, "-o", "\(tool.scratch.path)/out/"])
    #expect(imported.status == 0)
    #expect(try tool.shell("ls out").output == "log-2.iofd\nlog-6.iofd\n")
  }

  @Test func whatCannotBeIsTold() throws {
    let tool = try Tool()
    let bad = try tool.scratch.write("bad.syz", "r0 = openat(0x0\n")
    let good = try tool.scratch.write("good.syz", Self.program)
    let outcome = try tool.run(["import", bad, good])
    #expect(outcome.status == 3)
    #expect(outcome.errors.contains("bad.syz: 1:16: expected ','"))
    #expect(outcome.output.contains("ioas create"))
    #expect(try tool.run(["import", "/nowhere"]).status == 3)
    #expect(try tool.run(["import"]).status == 2)
    #expect(try tool.run(["export"]).status == 2)
    // One argument too few is mended, or refused.
    let short = try tool.scratch.write("short.syz", Self.program + "dup(r0)\nclose()\n")
    let mended = try tool.run(["import", short])
    #expect(mended.status == 0)
    #expect(mended.errors.contains("5:1: too few values: 0 instead of 1, mended"))
    #expect(try tool.run(["import", "--strict", short]).status == 1)
    let wrong = try tool.scratch.write("wrong.syz", Self.program + "close(r0) # EPERM\n")
    let disagreement = try tool.run(["import", wrong])
    #expect(disagreement.status == 1)
    #expect(disagreement.errors.contains("close: expected EPERM, got success"))
    let failing = try tool.scratch.write("f.iofd", "iofd 1\nioas create -> EINVAL\n")
    #expect(try tool.run(["export", failing]).status == 1)
    let forks = try tool.scratch.write("forks.iofd", "iofd 1\nioas create\nprocess fork\nioas create\n")
    let exported = try tool.run(["export", forks])
    #expect(exported.status == 0)
    #expect(exported.errors.contains("left out: process 2 is forked"))
    #expect(exported.output.contains("# left out: process 2 is forked"))
  }
}
