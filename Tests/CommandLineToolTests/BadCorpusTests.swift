// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Runner
import Testing

// Corpora as they should not be: what can be read is played and told, and the status says that something could not.
struct BadCorpusTests {
  /// A database of three programs, the vector of the reference among them.
  private static let database = """
    import struct, zlib, hashlib, sys
    def deflate(data):
      c = zlib.compressobj(9, zlib.DEFLATED, -15)
      return c.compress(data) + c.flush()
    out = struct.pack('<IIQ', 0xbaddb, 2, 5)
    for text in [b'close(0xffffffffffffffff)\\n', b'close(0x9)\\n', b'dup(0x9)\\n']:
      key = hashlib.sha1(text).hexdigest().encode()
      data = deflate(text)
      out += struct.pack('<II', 0xfee1bad, len(key)) + key + struct.pack('<QI', 0, len(data)) + data
    open('corpus.db', 'wb').write(out)

    """

  @Test func aDatabaseThatIsCut() throws {
    let tool = try Tool()
    try tool.scratch.write("make.py", Self.database)
    let whole = try tool.shell("python3 make.py && iofd replay corpus.db")
    #expect(whole.status == 0 && whole.output.contains("3 inputs: 3 passed"))
    let cut = try tool.shell("head -c -5 corpus.db > cut.db; iofd replay cut.db")
    #expect(cut.status == 3 && cut.output.contains("3 inputs: 2 passed, 1 invalid"))
    let spoilt = try tool.shell(
      "(head -c 90 corpus.db; printf XXXX; tail -c +95 corpus.db) > spoilt.db; iofd replay spoilt.db")
    #expect(spoilt.status == 3, "\(spoilt.output)")
  }

  @Test func aZipBomb() throws {
    let tool = try Tool()
    try tool.scratch.write(
      "make.py",
      """
      import zipfile
      with zipfile.ZipFile('t_seed_corpus.zip', 'w', zipfile.ZIP_DEFLATED) as z:
        z.writestr('good', 'close(0x9)\\n')
        z.writestr('bomb', b'\\0' * (1 << 30))
        z.writestr('../out', 'close(0x8)\\n')

      """)
    let outcome = try tool.shell(
      "python3 make.py && ulimit -v 8000000 && iofd replay --report tap=- t_seed_corpus.zip")
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("ok 1 - t_seed_corpus.zip/good\n"))
    #expect(outcome.output.hasSuffix("1..3\n"))
  }

  @Test func aLineOfAGibibyte() throws {
    let tool = try Tool()
    let outcome = try tool.shell(
      "mkdir c; truncate -s 1G c/long; echo 'close(0x9)' > c/short; iofd replay c")
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("c/long: it is longer than 16777216 bytes"))
    #expect(outcome.output.contains("2 inputs: 1 passed, 1 invalid"))
    // One that is just short enough is a program that is none.
    let just = try tool.shell(
      "rm c/long; head -c 16000000 /dev/zero | tr '\\0' 'a' > c/a; echo '(' >> c/a; iofd replay c")
    #expect([0, 3].contains(just.status) && just.output.contains("2 inputs: "))
  }

  @Test func manyTinyFiles() throws {
    let tool = try Tool()
    let outcome = try tool.shell(
      "mkdir c; cd c; seq 1 5000 | awk '{print \"close(0x\"$1\")\" > \"f\"$1; close(\"f\"$1)}'; cd ..; iofd replay c"
    )
    #expect(outcome.status == 0)
    #expect(outcome.output == "5000 inputs: 5000 passed; 5000 calls\n")
  }

  @Test func loopsAndOddNames() throws {
    let tool = try Tool()
    let outcome = try tool.shell(
      """
      mkdir -p c/d; ln -s .. c/d/up; ln -s loop c/loop; mkfifo c/pipe; ln -s nowhere c/gone
      echo 'close(0x9)' > $'c/a\\nb'; echo 'close(0x8)' > $'c/\\377'; echo 'close(0x7)' > 'c/ & <x> "q" # y'
      iofd replay -v --report tap=t --report junit=j c
      """)
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("passed      c/a\\x0ab\n"))
    #expect(outcome.output.contains("passed      c/\\xff\n"))
    #expect(
      outcome.output.contains("it leads back to c")
        && outcome.output.contains("c/loop: it cannot be read: ELOOP"))
    #expect(outcome.output.contains("c/pipe: it is no regular file") && outcome.output.contains("c/gone: "))
    #expect(outcome.output.contains("7 inputs: 3 passed, 4 invalid"))
    #expect(try tool.scratch.read("t").contains("ok 1 - c/ & <x> \"q\" \\# y\n"))
    #expect(try tool.scratch.read("j").contains("name=\" &amp; &lt;x&gt; &quot;q&quot; # y "))
  }

  @Test func inputsThatVanish() throws {
    let tool = try Tool()
    try tool.scratch.write("slow.iofd", "iofd 1\n" + Script.long)
    // The first input takes a second, and so few are read ahead that the last are gone when it is their turn.
    let outcome = try tool.shell(
      """
      mkdir c; mv slow.iofd c/00.iofd
      for i in $(seq 1000 1999); do echo "close(0x$i)" > c/$i; done
      (sleep 0.5; rm c/199*) & iofd replay -j1 --time-limit 1 c
      """)
    #expect(outcome.status == 70)
    #expect(outcome.output.contains("c/1990: it cannot be read: ENOENT"))
    #expect(outcome.output.contains("1001 inputs: 990 passed, 1 timeout, 10 invalid"))
  }

  @Test func fullDisk() throws {
    let tool = try Tool()
    try tool.scratch.write("a", "close(0x9)\n")
    for format in ["tap", "junit", "ndjson"] {
      let outcome = try tool.shell("iofd replay --report \(format)=/dev/full a")
      #expect(outcome.status == 2)
      #expect(outcome.errors == "iofd: cannot write /dev/full: No space left on device\n")
      #expect(outcome.output == "1 input: 1 passed; 1 calls\n")
    }
    #expect(try tool.shell("iofd replay a > /dev/full").status == 2)
    #expect(try tool.shell("iofd replay --answers=/dev/full a").status == 2)
    // A limit of file sizes stands in for a disk that is full.
    try tool.scratch.write("report", "old")
    let limited = try tool.shell(
      "(ulimit -f 0; iofd replay --report tap=report a 2>&1) | cat; exit ${PIPESTATUS[0]}")
    #expect(limited.status == 2)
    #expect(try tool.scratch.read("report") == "old")
    let log = try tool.shell("(ulimit -f 0; iofd replay --resume log a 2>&1) | cat; exit ${PIPESTATUS[0]}")
    #expect(log.status == 2)
  }

  @Test func closedPipe() throws {
    let tool = try Tool()
    let outcome = try tool.shell(
      "mkdir c; for i in $(seq 1 2000); do echo \"close(0x$i)\" > c/$i; done; (sleep 1; iofd replay -v c; echo $? >&2) | true"
    )
    #expect(outcome.errors == "130\n")
  }
}
