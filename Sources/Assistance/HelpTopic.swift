// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import UAPI

/// A page about an idea rather than a command: how things are written, what is there to choose from.
public struct HelpTopic: Sendable {
  public let name: String
  /// A line about it.
  public let title: String
  public let text: String
  /// A script that passes; tests run it.
  public let example: String

  var page: String {
    "\(name) · \(title)\n\n\(text)\n\nExample\n"
      + example.split(separator: "\n").map { "    \($0)\n" }.joined()
  }

  private static func paragraph(_ parts: String...) -> String {
    parts.map { Explain.wrapped($0) }.joined(separator: "\n\n")
  }

  /// `name  summary`, in two columns.
  private static func table(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.utf8.count).max() ?? 0
    return rows.map { row in
      "  \(row.0)" + String(repeating: " ", count: width - row.0.utf8.count + 2) + row.1
    }.joined(separator: "\n")
  }

  /// In the order of the help.
  public static let all: [HelpTopic] = [
    HelpTopic(
      name: "first-steps", title: "a mapping and a device, in seven lines",
      text: paragraph(
        "An IOAS is a space of I/O addresses. Memory of the process is mapped into it; a device that is attached to it "
          + "reaches that memory. Every command prints what came back; what is refused says why, and 'why' says more."
      ),
      example:
        "vm = ioas create\nbuf = mem alloc 64K fill=seq\ndev = device add kind=mock\nattach $dev to=$vm\n"
        + "map $vm $buf iova=0x1000000\nexpect translate($dev, 0x1000abc) = physical($buf + 0xabc)\n"
        + "unmap $vm 0x1000000...0x100ffff -> length=64K"),
    HelpTopic(
      name: "names", title: "binding and using",
      text: paragraph(
        "A name is bound with 'name = ...' and used as '$name'. A command may answer several things, and several names "
          + "take them in order. A word without '$' is never a name. 'show names' lists them."),
      example:
        "vm = ioas create\nsize = 64K\nbuf = mem alloc $size\nmap $vm $buf -> iova=?where\nunmap $vm $where len=$size"
    ),
    HelpTopic(
      name: "numbers", title: "numbers and sizes",
      text: paragraph(
        "Decimal, 0x, 0b, 0o, with _ between digits. K M G T P E are powers of 1024. A zero in front of other digits is "
          + "refused, since C would read it as octal. 'max' is all ones. Arithmetic stands in parentheses; '$buf+4K' is "
          + "the one short form."),
      example:
        "vm = ioas create\nbuf = mem alloc 1M\nmap $vm $buf iova=0x10_0000 len=(64K / 4)\nunmap $vm (0x100000) len=16K"
    ),
    HelpTopic(
      name: "ranges", title: "ranges and parts of memory",
      text: paragraph(
        "A range has both its ends in it: 0x1000...0x1fff is one page. A place and a length are 'iova=0x1000 len=4K', a "
          + "place and the last address 'iova=0x1000 last=0x1fff'. '$buf+0x800' is a place in memory, "
          + "'$buf[0x800...0xfff]' a part of it."),
      example: "vm = ioas create\nbuf = mem alloc 64K\nmap $vm $buf[0x1000...0x2fff] iova=0x100000\n"
        + "unmap $vm 0x100000...0x101fff -> length=8K"),
    HelpTopic(
      name: "bytes", title: "texts and bytes",
      text: paragraph(
        "\"text\\n\\x00\" and hex\"de ad\" are bytes, and so is what these functions give; ++ joins them.")
        + "\n\n"
        + table(Function.allCases.filter { $0.kind == .bytes }.map { ($0.signature, $0.summary) }) + "\n\n"
        + paragraph("In an expectation, hex\"de **\" leaves bytes open."),
      example: "buf = mem alloc 4K fill=seq\nmem write $buf \"hello\" ++ le32(7)\n"
        + "mem read $buf len=9 -> hex\"68 65 6c 6c 6f 07 ** ** 00\""),
    HelpTopic(
      name: "functions", title: "what can be asked inside a value",
      text: table(Function.allCases.map { ($0.signature, $0.summary) }),
      example:
        "vm = ioas create\nbuf = mem alloc 8K\nmap $vm $buf iova=0x1000\nexpect area($vm, 0) = 0x1000\n"
        + "expect length($buf) = 8K\nexpect exists($vm) = 1"),
    HelpTopic(
      name: "expectations", title: "what must come back, behind ->",
      text: paragraph(
        "In a script a command must succeed unless its line says something else; at the prompt nothing is expected. "
          + "'-> EEXIST' names the errno, '-> EEXIST|EINVAL' leaves a choice, '-> iova=0x1000' looks at a result and "
          + "'-> iova=?a' binds it. '-> ?' waits for 'iofd run --update=accept' to fill it in. '!' in front: any errno; '?': "
          + "whatever comes.",
        "Comparisons: = != < <= > >= in has ~. Lists: [a, b] in order, [a, ..., c] with a gap, {a, b} in any order. "
          + "'none' is nothing. '-> rejected' says that nothing has changed either.",
        "Outcomes: " + Keywords.outcomes.joined(separator: " ") + " and every errno."),
      example: "vm = ioas create\nbuf = mem alloc 4K\nmap $vm $buf iova=0x1000 -> iova=0x1000\n"
        + "map $vm $buf iova=0x1000 -> EEXIST\n! destroy id:99\nunmap $vm all -> length>=4K"),
    HelpTopic(
      name: "conditions", title: "kernel, backend, bench",
      text: paragraph(
        "'[kernel>=6.15]' in front of a statement, 'if' around several and 'require' for a whole script ask what it runs "
          + "on: a kernel's release, the IOMMU hardware, and whether the target can be looked into. '!' means not."
      ),
      example:
        "require kernel>=6.2\n[mock] dev = device add kind=mock\n[!bench] unmap id:1 all\nvm = ioas create"),
    HelpTopic(
      name: "kernels", title: "whose answers are given",
      text: paragraph(
        "The model answers as one kernel does, --kernel says which: commands and flags that it does not have are refused "
          + "as it refuses them.")
        + "\n\n"
        + table(
          Personality.allCases.map {
            ($0.rawValue, $0 == .standard ? "what is meant when nothing is said" : "")
          }),
      example: "[kernel<6.13] viommu create dev=id:1 parent=id:1 -> ENOTTY\nvm = ioas create"),
    HelpTopic(
      name: "backends", title: "the IOMMU behind it",
      text: paragraph(
        "'mock' is the driver of the kernel's own tests. The others are models of hardware, each with the driver that "
          + "Linux has for it; devices behind them do DMA. --backend chooses one for the machine, 'iommu' plugs one in. "
          + "'iommu kinds' lists them with their options.")
        + "\n\n  " + Environment.backends.joined(separator: " "),
      example: "iommu io kind=vtd\ndevice add nic behind $io\nvm = ioas create\nbuf = mem alloc 4K fill=seq\n"
        + "attach $nic to=$vm\nmap $vm $buf iova=0x1000\ndma read $nic 0x1000 len=4 -> seq(4)"),
    HelpTopic(
      name: "looking", title: "what can be seen",
      text: paragraph(
        "'show' prints the open file, 'show $vm' an object, 'show $vm areas' a part of it, 'show machine' memory and "
          + "processes. 'walk $nic 0x1000' prints every step of a translation. Whatever 'show' prints of an object can be "
          + "expected: expect $vm.areas.count = 1."),
      example: "vm = ioas create\nshow\nshow $vm\nshow $vm areas\nshow machine\nshow names"),
    HelpTopic(
      name: "scripts", title: "a session as a file",
      text: paragraph(
        "A script is what is typed here, in a file: one statement a line, '#' begins a comment, the first line is "
          + "'iofd 1'. 'save FILE' writes the session down, 'iofd run FILE' runs it, 'iofd fmt' lays it out, 'iofd check' "
          + "finds mistakes without running, 'iofd lint' likely ones, too."),
      example:
        "iofd 1\n# A space, and an object that is not there.\nvm = ioas create\ndestroy id:99 -> ENOENT"),
    HelpTopic(
      name: "keys", title: "the keys of the prompt",
      text: table([
        ("Tab", "completes; twice lists what there is"),
        ("Up, Down", "earlier statements, blocks as a whole"),
        ("Ctrl-R", "looks for an earlier statement"),
        ("Ctrl-C", "forgets the line or the block; stops a statement that runs"),
        ("Ctrl-D", "leaves the block, or iofd; with statements that are not saved it asks once"),
        ("Ctrl-A, Ctrl-E", "the beginning and the end of the line"),
        ("Alt-B, Alt-F", "a word back, a word on"),
        ("Ctrl-L", "an empty screen"),
      ]) + "\n\n"
        + paragraph(
          "A block or a bracket that is open goes on in the next line. A line that begins with a space is not remembered. "
            + "Unique prefixes are enough: 'ioas c'. ~/.inputrc holds, with 'iofd' as the application."),
      example: "for i in 1...2 {\n  vm = ioas create\n}"),
  ]
}
