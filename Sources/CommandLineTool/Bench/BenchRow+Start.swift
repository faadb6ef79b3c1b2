// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

// From nothing to the end of a small script, as a shell sees it.

extension BenchRow {
  static let startRows = [
    BenchRow(name: "a small script from cold", unit: .milliseconds, budget: .atMost(10)) { effort in
      var template = Array("/tmp/iofd-bench.XXXXXX".utf8CString)
      let descriptor = mkstemp(&template)
      guard descriptor >= 0 else { return Outcome(value: nil, comparison: "no room in /tmp") }
      close(descriptor)
      let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      defer { unlink(path) }
      do throws(FileFailure) {
        try HostFile.replace(path, with: Array(smallScript.utf8))
      } catch { return Outcome(value: nil, comparison: error.description) }
      let others = [["sqlite3", ":memory:", "select 1"], ["tclsh", "/dev/null"], ["/bin/true"]].compactMap {
        words in
        ChildProcess.milliseconds(effort, words).map { "\(words[0]) \(BenchTable.text($0, .milliseconds))" }
      }
      return Outcome(
        value: ChildProcess.milliseconds(effort, ["/proc/self/exe", "run", path]),
        comparison: others.joined(separator: ", "))
    }
  ]

  private static let smallScript = """
    vm = ioas create
    buf = mem alloc 64K fill=seq
    dev = device add kind=mock
    attach $dev to=$vm -> hwpt=?table
    map $vm $buf iova=0x1000000 -> iova=0x1000000
    map $vm $buf iova=0x1008000 -> EEXIST
    check map $table 0x1000000 $buf
    expect pins($buf) = 1
    unmap $vm 0x1000000 len=64K -> length=64K
    expect pins($buf) = 0
    """
}
