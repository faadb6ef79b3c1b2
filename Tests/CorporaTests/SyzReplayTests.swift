// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Corpora
import CorporaTestSupport
import Machine
import Testing
import UAPI

@Suite("syzkaller replay")
struct SyzReplayTests {
  static func image(_ text: String, isStrict: Bool = true) throws -> SyzImage {
    try SyzImage(SyzParser.parse(text), isStrict: isStrict)
  }

  /// Replays a strict program on a machine of its own, and demands what its comments say.
  @discardableResult
  static func replay(_ text: String, _ kernel: Personality = .v7_2) throws -> [SyzAnswer] {
    let image = try image(text)
    let target = ModelTarget(Machine.Configuration(kernel: kernel))
    let answers = try SyzReplay(target).run(image)
    #expect(image.differences(answers).map(\.description) == [])
    #expect(target.machine.violations().isEmpty)
    return answers
  }

  @Test("the calls of syzkaller's tests succeed, on both kernels", arguments: [Personality.v7_2, .v6_12])
  func upstreamTests(_ kernel: Personality) throws {
    var calls = 0
    for text in SyzPrograms.all { calls += try Self.replay(text, kernel).count }
    #expect(calls == 65)
  }

  @Test("values that the calls return and store")
  func results() throws {
    let vfio = try Self.replay(SyzPrograms.vfio)
    #expect(vfio[7].outcome == .returned(0))
    #expect(vfio[9].outcome == .returned(1))
    let target = ModelTarget()
    let replay = SyzReplay(target)
    let image = try Self.image(
      """
      rfd = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000)='/dev/iommu\\x00', 0x0, 0x0)
      ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &(0x7f0000001000)={AUTO, AUTO, <rspace=>0x0})
      rmem = memfd_create(&(0x7f0000003000)='r\\x00', 0x0)
      ftruncate(rmem, 0x1000)
      mmap(&(0x7f0000002000/0x1000)=nil, 0x1000, 0x3, 0x11, rmem, 0x0)
      write(rmem, &(0x7f0000004000)=ANY=[@ANYRES32=rspace, @ANYRES64=rspace/2+3, @ANYRES16=0x1234, @ANYRESHEX=rspace, @ANYBLOB='!'], 0x40)
      poll(&(0x7f0000005000)=[{rmem, 0x5, 0x0}, {rfd, 0x1, 0x0}, {0x7f, 0x1, 0x0}], 0x3, 0x0)
      """)
    let answers = try replay.run(image)
    #expect(image.differences(answers).isEmpty)
    #expect(answers[5].outcome == .returned(0x40))
    #expect(answers[6].outcome == .returned(3))
    // The area is still there: the mapped page shows what was written into the file.
    let bytes = try target.memory.bytes(at: SyzImage.area + 0x2000, count: 34)
    #expect(
      bytes == [1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12] + Array("0x0000000000000001!".utf8) + [0])
    #expect(try target.memory.load(UInt16.self, at: SyzImage.area + 0x5000 + 8 + 6) == 1)
    #expect(try target.memory.load(UInt16.self, at: SyzImage.area + 0x5000 + 16 + 6) == 0x20)
  }

  @Test("a call that fails leaves its variables at their defaults, and the next one runs")
  func failedProducer() throws {
    let answers = try Self.replay(
      """
      rfd = openat$iommufd(0xffffffffffffff9c, &AUTO='/dev/iommu\\x00', 0x0, 0x0)
      ioctl$IOMMU_IOAS_ALLOC(0xffffffffffffffff, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0}) # EBADF
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace+7, AUTO, AUTO}) # ENOENT
      ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0}) (rerun: 2)
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace/2, AUTO, AUTO})
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO}) # 0
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace+1, AUTO, AUTO}) # 2
      ioctl$IOMMU_IOAS_ALLOC(0xffffffffffffffff, AUTO, &AUTO={AUTO, AUTO, <rgone=>0x0}) # EBADF
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, 0x1, AUTO, AUTO})
      ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rgone+1, AUTO, AUTO}) # ENOENT
      rcopy = dup(rfd) (async)
      close(rfd)
      close(rfd) # EBADF
      ioctl$IOMMU_IOAS_ALLOC(rcopy, AUTO, &AUTO={AUTO, 0x1, <rspace=>0x0}) # EOPNOTSUPP
      close(0x0) # EBADF
      openat(0xffffffffffffff9c, &AUTO='/dev/null\\x00', 0x0, 0x0) # ENOENT
      openat(0xffffffffffffff9c, 0x0, 0x0, 0x0) # EFAULT
      """)
    #expect(answers.count == 17)
  }

  @Test("differences name the call, what was expected and what was got")
  func differences() throws {
    let image = try Self.image(
      "rfd = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO) # EPERM\nclose(rfd) # closes\nclose(rfd)\n"
        + "close(0x9) # unexecuted\nmunmap(0x0, 0x1000)\n")
    let replay = SyzReplay(ModelTarget())
    let answers = try replay.run(image)
    #expect(
      image.differences(answers).map(\.description) == [
        "1:1: openat$iommufd: expected EPERM, got success",
        "2:1: 'closes' is no errno and no state of a call",
        "3:1: close: expected success, got EBADF",
        "4:1: close: expected unexecuted, got EBADF",
        "5:1: munmap: expected success, got nothing: the call is not supported",
      ])
    #expect(replay.unsupported == ["munmap": 1])
    #expect(answers.map(\.errno) == [0, 0, 9, 9, nil])
  }

  @Test("calls that are not known are counted and named")
  func unknownCalls() throws {
    let image = try Self.image(
      "r0 = socket$inet(0x2, 0x1)\nsocket$inet(0x2, 0x1)\nbind(r0, &(0x7f0000000000)={<r1=>0x0})\nclose(r0)\n",
      isStrict: false)
    #expect(
      image.repairs.map(\.message) == [
        "socket$inet is not known", "socket$inet is not known", "bind is not known",
      ])
    let replay = SyzReplay(ModelTarget())
    let answers = try replay.run(image)
    #expect(answers.map(\.outcome) == [.unsupported, .unsupported, .unsupported, .failed(.EBADF)])
    #expect(replay.unsupported == ["socket$inet": 2, "bind": 1])
  }

  @Test("fail_nth fails one call at the point that it names")
  func failures() throws {
    let target = ModelTarget()
    let bench = ModelBench(target)
    let replay = SyzReplay(target)
    replay.injectFailure = { nth, call in
      bench.armFailure(nth: nth)
      call()
      _ = bench.disarmFailure()
    }
    let image = try Self.image(
      """
      r0 = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO)
      ioctl$IOMMU_IOAS_ALLOC(r0, AUTO, &AUTO={AUTO, AUTO, 0x0}) (fail_nth: 1) # ENOMEM
      ioctl$IOMMU_IOAS_ALLOC(r0, AUTO, &AUTO={AUTO, AUTO, 0x0})
      """)
    #expect(image.differences(try replay.run(image)).isEmpty)
  }

  @Test("nothing of a program is left for the next one")
  func isolation() throws {
    let target = ModelTarget()
    let replay = SyzReplay(target)
    let image = try Self.image(
      """
      rfd = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO)
      ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0})
      ioctl$IOMMU_TEST_OP_CREATE_ACCESS(rfd, AUTO, &AUTO={AUTO, AUTO, rspace, AUTO, 0xffffffffffffffff, 0x1})
      mmap(0x0, 0x1000, 0x3, 0x22, 0xffffffffffffffff, 0x0)
      munmap(&(0x7f0000ff0000/0x1000)=nil, 0x1000)
      """)
    let first = try replay.run(image)
    #expect(image.differences(first).isEmpty)
    for _ in 0..<300 { #expect(try replay.run(image) == first) }
  }

  @Test("random programs of known calls run, whatever they do")
  func randomPrograms() throws {
    var random = SyzRandom(seed: 3)
    let names = SyzCalls.all.map(\.name)
    let target = ModelTarget()
    let replay = SyzReplay(target)
    var ran = 0
    for _ in 0..<150 {
      var program = random.program(names)
      for index in program.calls.indices {
        program.calls[index].properties = SyzCall.Properties()
        // A descriptor that is one, and the right request.
        if program.calls[index].name.hasPrefix("ioctl$"), program.calls[index].arguments.count > 1 {
          program.calls[index].arguments[0] = SyzArgument(.result(SyzVariable("r0")))
          program.calls[index].arguments[1] = SyzArgument(.automatic)
        }
      }
      program.calls.insert(
        SyzCall("openat$iommufd", [SyzArgument(.automatic), SyzArgument(.absent)], binding: "r0"), at: 0)
      let image: SyzImage
      do throws(SyzProblem) { image = try SyzImage(program) } catch { continue }
      let answers = try replay.run(image)
      try #require(answers.count == program.calls.count)
      try #require(target.machine.violations().isEmpty)
      ran += 1
    }
    #expect(ran > 80)
  }
}
