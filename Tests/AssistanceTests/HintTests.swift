// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import Testing

@testable import Assistance

/// Hints shrink as a statement is typed.
@Suite struct HintTests {
  @Test func whatIsStillToCome() {
    let journal = scene()
    let assistant = Assistant(LiveSurroundings(journal), commands: PromptCommand.all)
    let expected: [(String, String)] = [
      ("", ""),
      ("ioas", " create"),
      ("ioas c", "reate"),
      ("vm3 = ioas c", "reate"),
      ("unma", "p $vm [IOVA] [len=] [last=] [all]"),
      ("unmap", " $vm [IOVA] [len=] [last=] [all]"),
      ("unmap $vm", " [IOVA] [len=] [last=] [all]"),
      ("unmap $vm ", "[IOVA] [len=] [last=] [all]"),
      ("unmap $vm 0x1000", " [len=] [last=] [all]"),
      ("unmap $vm 0x1000 len=4K ", "[last=] [all]"),
      ("unmap $vm 0x1000 le", "n=a size"),
      ("unmap $vm 0x1000 len=", "a size"),
      ("unmap $vm 0x1000 len=4", ""),
      ("dirty ", "mark|read|start|stop"),
      ("dirty st", ""),
      ("dirty sto", "p $hwpt"),
      ("attach $dev ", "to= [pasid=]"),
      ("device add x behind ", "an IOMMU"),
      ("unmap $vm all -> ", "ok|ERRNO|length="),
      ("for", " NAME in LIST|RANGE { STATEMENT... }"),
      ("undo", " [N]"),
      ("undo ", "[N]"),
      ("und", "o [N]"),
      ("what-if ", "STATEMENT"),
      ("what-if ioas c", "reate"),
      ("help", " [TOPIC]"),
      ("fill ", "SPACE SIZE"),
      ("fill $vm ", "SIZE"),
      ("nonsense ", ""),
      ("# ioas", ""),
      ("mem write $buf \"ioas", ""),
    ]
    for (text, hint) in expected { #expect(assistant.hint(text) == hint, "\(text)|") }
    withExtendedLifetime(journal) {}
  }

  @Test func insideABlock() {
    let journal = scene()
    let assistant = Assistant(LiveSurroundings(journal))
    #expect(assistant.hint("for i in 1...2 {\n  ioas c") == "reate")
    #expect(assistant.hint("test \"x\" { unmap $vm") == " [IOVA] [len=] [last=] [all]")
    withExtendedLifetime(journal) {}
  }
}
