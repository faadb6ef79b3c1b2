// SPDX-License-Identifier: GPL-3.0-or-later

extension Explain {
  /// Pages of the statements that make things fail; the other statements of the language are in its grammar.
  static let statements: [String: String] = ["fail": fail, "sweep": sweep]

  /// The same with a line about each.
  public static let injections: [String: String] = [
    "fail": "Makes the N-th failure point that a block passes fail.",
    "sweep": "Makes every call of a block fail at each of its failure points.",
  ]

  private static let fail =
    "fail nth=N [at=KIND] { ... } [-> kind=KIND, what=TEXT, errno=ERRNO]\n\n"
    + wrapped(
      "Makes the N-th failure point that the block passes fail, once; N counts from 1. A block that passes fewer is "
        + "an error, and the message says how many there are. The statement that is hit says what it expects: map "
        + "$vm $buf -> ENOMEM.")
    + "\n\n" + kinds + "\nResults: kind, what, errno\n\nExamples\n"
    + "    fail nth=1 at=pin { map $vm $buf iova=0x1000  -> EFAULT }\n"

  private static let sweep =
    "sweep [at=KIND] { ... } [-> points=N, partial=N]\n\n"
    + wrapped(
      "Makes every call of the block fail at its first failure point, then at its second, and so on, until it ends "
        + "with nothing made to fail: that is the answer that the statement sees. After each failure the call must "
        + "have been refused with the errno of the step that failed and have left everything as it was; nothing may "
        + "leak, and no rule may break. Where Linux promises less, 'partial' counts it. 'iofd run --sweep' does it "
        + "with whole scripts, and there it also makes what is left out here fail, each time in a run of its own."
    )
    + "\n\n" + kinds + "\nResults: points, partial\n\nExamples\n"
    + "    sweep { map $vm $buf iova=0x1000 }  -> points=9\n"

  private static let kinds = """
    Kinds of failure points, for at=KIND or at=[KIND, KIND]
        lookup   an object is not found by its ID
        alloc    memory for an object, a driver's table or queue, an array
        scratch  memory to collect page frames in
        pin      pinning pages
        charge   charging pinned pages
        store    storing page frames of an access
        access   reaching a page of another process
        regions  reserving a device's regions; sweeps leave it out where another table is tried then
        table    a page of a page table, or the driver's map call
        copy     reading the process's memory, or writing an answer that is undone
        spare    what can be done without or be lost; sweeps leave it out
        answer   the answer of a call that stays done; sweeps leave it out

    """
}
