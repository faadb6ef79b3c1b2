// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import Language
import Testing
import UAPI

/// The verb table as data.
@Suite struct VerbTests {
  @Test func namesAreUnique() {
    var seen: Set<[String]> = []
    for verb in VerbTable.all {
      for words in [verb.words] + verb.alternates {
        #expect(seen.insert(words).inserted, "\(words)")
        #expect((1...3).contains(words.count))
      }
    }
  }

  @Test func everyCommandAndOperationHasAVerb() {
    let reached = Set(VerbTable.all.compactMap { $0.requestName })
    // MAP_FILE is `map file=`, MOCK_DOMAIN and the first attachment are MOCK_DOMAIN_FLAGS, a PASID's
    // replacement is `replace pasid=`.
    let others: Set<String> = [
      "IOAS_MAP_FILE", "TEST MOCK_DOMAIN", "TEST MOCK_DOMAIN_FLAGS", "TEST PASID_REPLACE",
      "IOAS_NOIOMMU_GET_PA",
    ]
    for row in CommandTable.iommufd + CommandTable.vfio {
      #expect(reached.contains(row.name) || others.contains(row.name), "\(row.name)")
    }
    for op in CommandTable.selftestOps {
      #expect(reached.contains("TEST \(op.name)") || others.contains("TEST \(op.name)"), "\(op.name)")
    }
  }

  /// Names that examples speak of.
  static let world = """
    vm = ioas create
    vm2 = ioas create
    a = ioas create
    b = ioas create
    dev = device add
    mem alloc 64K as buf
    mfd = mem memfd 2M
    q = faultq create
    db = dmabuf create 4K
    ctx = open
    child = process fork
    hw = hwpt create dev=$dev parent=$vm
    n = hwpt create dev=$dev parent=$hw
    v = viommu create dev=$dev parent=$hw
    vd = vdevice create $v dev=$dev id=1
    e = veventq create $v
    c = 1
    i = 1
    iommu io kind=vtd
    device add nic behind $io
    mem alloc 64K as ram
    before = snapshot
    after = snapshot

    """

  @Test(arguments: VerbTable.all.flatMap { verb in verb.examples.map { (verb.name, $0) } })
  func theExampleResolves(name: String, example: String) {
    var world = Self.world
    if name.hasPrefix("access") { world += "a = access create $vm pin\n" }
    let source = SourceFile(name: "example.iofd", text: world + example)
    let errors = Interpreter.check(source, loader: MemoryLoader(), environment: mock).filter {
      $0.severity == .error
    }
    #expect(errors.isEmpty, "\(DiagnosticRenderer().render(errors))")
  }

  @Test func whatFollowsAPrepositionIsItsValue() {
    func problems(_ text: String) -> [String] {
      Interpreter.check(
        SourceFile(name: "x.iofd", text: Self.world + text), loader: MemoryLoader(), environment: mock
      ).filter { $0.severity == .error }.map { $0.code.code }
    }
    #expect(problems("device add d behind $io rid=8").isEmpty)
    #expect(problems("device add d behind=$io").isEmpty)
    #expect(problems("device add d behind") == ["R0007"])
    #expect(problems("device add d behind $vm") == ["R0006"])
    #expect(problems("device add d kind=mock behind $io") == ["R0009"])
    #expect(problems("device add d pasid kind=pci") == ["R0009"])
    #expect(problems("device add d behind $io\ndma read $d 0 len=4 -> fault, reason=page").isEmpty)
  }

  @Test func everyVerbHasAnExample() {
    for verb in VerbTable.all { #expect(!verb.examples.isEmpty, "\(verb.name)") }
  }

  /// Each raw field of each row can be given, by its C name, and reaches its place.
  @Test(arguments: CommandTable.iommufd.map { $0.name })
  func everyFieldCanBeGiven(name: String) throws {
    let row = try #require(CommandTable.row(named: name))
    for field in row.fields where !field.name.contains("[") {
      let source = SourceFile(name: "t.iofd", text: "? request \(name) \(field.name)=1")
      let errors = Interpreter.check(source, loader: MemoryLoader(), environment: mock)
      #expect(errors.isEmpty, "\(DiagnosticRenderer().render(errors))")
    }
  }
}
