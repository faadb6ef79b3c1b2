// SPDX-License-Identifier: GPL-3.0-or-later

extension StatementPage {
  /// Those that say what holds, and what a script is made of.
  static let structure: [StatementPage] = [
    StatementPage(
      word: "expect",
      synopsis: ["expect VALUE = VALUE", "expect VALUE != < <= > >= in has ~ VALUE", "expect invariants"],
      summary:
        "Says what holds now: of a function's value, of a part of an object, or of everything. What 'show' prints of an "
        + "object can be asked for behind its name: $vm.areas.count. 'help functions' lists the functions.",
      example:
        "vm = ioas create\nbuf = mem alloc 8K\nmap $vm $buf iova=0x1000\nexpect $vm.areas.count = 1\n"
        + "expect $vm.areas[0].access = rw\nexpect pins($buf) = 0\nexpect refs($vm) < 2\nexpect invariants"),
    StatementPage(
      word: "test", synopsis: ["test \"NAME\" [label=WORD] { STATEMENT... }"],
      summary:
        "A part of a script with a machine and names of its own, and a verdict of its own in the report. 'require' and "
        + "'xfail' in it are about it alone.",
      example: "test \"an empty space\" {\n  vm = ioas create\n  unmap $vm all -> length=0\n}"),
    StatementPage(
      word: "section", synopsis: ["section \"NAME\""],
      summary: "A heading: what follows, up to the next one, is counted under it.",
      example: "section \"making\"\nvm = ioas create\nsection \"taking apart\"\ndestroy $vm"),
    StatementPage(
      word: "for", synopsis: ["for NAME in LIST|RANGE { STATEMENT... }"],
      summary:
        "Runs the block once for each element of a list or each number of a range. Where something fails, the report "
        + "says in which round.",
      example:
        "vm = ioas create\nfor size in [4K, 64K, 2M] {\n  buf = mem alloc $size\n  map $vm $buf\n}\n"
        + "expect $vm.areas.count = 3"),
    StatementPage(
      word: "def", synopsis: ["def NAME(PARAMETER, PARAMETER=VALUE) { STATEMENT... }"],
      summary:
        "A command of one's own. It sees its parameters and plain values of the script, no objects; it cannot call "
        + "itself. It is called as any command is: NAME $x size=8K.",
      example:
        "def fill(vm, size=4K) {\n  buf = mem alloc $size\n  map $vm $buf\n}\nvm = ioas create\nfill $vm\n"
        + "fill $vm size=64K\nexpect $vm.areas.count = 2"),
    StatementPage(
      word: "if", synopsis: ["if CONDITION { ... } [else if CONDITION { ... }] [else { ... }]"],
      summary:
        "Chooses by kernel, backend or bench, never by what a request answered: which way a script goes is known before "
        + "it runs. Before a single statement a condition is written in brackets.",
      example:
        "if kernel>=6.15 {\n  q = faultq create\n} else {\n  vm = ioas create\n}\n[mock] dev = device add kind=mock"
    ),
    StatementPage(
      word: "include", synopsis: ["include \"FILE\" [with NAME=VALUE, ...]"],
      summary:
        "Runs another script in a scope of its own. 'with' gives values to its 'param's; what it names in 'export' is "
        + "bound here afterwards. The file lies beside the script, or in its archive tail.",
      example:
        "include \"space.iofd\" with size=8K\nexpect $vm.areas.count = 1\n-- space.iofd --\nparam size: size = 4K\n"
        + "vm = ioas create\nbuf = mem alloc $size\nmap $vm $buf\nexport vm"),
    StatementPage(
      word: "export", synopsis: ["export NAME, NAME"],
      summary: "Says which names a script that includes this one gets.",
      example: "vm = ioas create\nexport vm"),
    StatementPage(
      word: "param", synopsis: ["param NAME: int|size|time|text|word|flag [in RANGE|LIST] [= VALUE]"],
      summary:
        "A value that the command line (-D NAME=VALUE) or an including script may give. Without a default it must be "
        + "given.",
      example: "param pages: int in 1...64 = 4\nbuf = mem alloc ($pages * 4K)"),
    StatementPage(
      word: "defer", synopsis: ["defer STATEMENT", "defer { STATEMENT... }"],
      summary: "Runs at the end of the block around it, whatever happened before; the last one comes first.",
      example: "vm = ioas create\ndefer destroy $vm\nbuf = mem alloc 4K\nmap $vm $buf iova=0x1000"),
    StatementPage(
      word: "require", synopsis: ["require CONDITION, CONDITION"],
      summary:
        "Where it does not hold, the script or the test is skipped and reported as skipped: require kernel>=6.15, "
        + "backend=smmuv3. 'bench' stands for a target that can be looked into.",
      example: "require kernel>=6.2, bench\nvm = ioas create"),
    StatementPage(
      word: "xfail", synopsis: ["xfail \"REASON\" [until=DATE]", "xfail \"REASON\" STATEMENT"],
      summary:
        "Announces that the script, the test or this one statement fails. That counts as good; passing after all does "
        + "not.",
      example: "vm = ioas create\nxfail \"spaces cannot be destroyed twice\" destroy id:99"),
    StatementPage(
      word: "iofd", synopsis: ["iofd 1"],
      summary: "The first line of a script: the version of the language that it is written in.",
      example: "iofd 1\nvm = ioas create"),
  ]
}
