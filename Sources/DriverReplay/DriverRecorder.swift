// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora
public import Machine

/// Sees what a driver half wrote, in the lines of a driver recording: the model's side of the comparison. It reads
/// registers and memory only, as the recorder on a real kernel does.
public protocol DriverRecorder: AnyObject {
  /// The choices of `iommu` that give hardware with the registers of the recording's first `ctx registers` line.
  ///
  /// - Parameter name: the recording's file name, for what its registers do not tell.
  static func choices(for registers: [DriverRecording.Register], name: String) -> IOMMUKind.Choices

  init(_ unit: IOMMUUnit, source: UInt32, in machine: Machine)

  /// The `ctx registers` line, as in the recording: its registers, their order and digits.
  var registers: [DriverRecording.Register] { get }
  /// The other `ctx` lines of the function now: name and words, in the recording's order.
  var contexts: [(name: String, words: [UInt64])] { get }
  /// Queue entries written since the last call, oldest first, with the words that a `cmd` line has. Read from the ring,
  /// as on a real kernel: of a step that wrote more than the ring holds, only what it still holds.
  func newCommands() -> [[UInt64]]
  /// Which words of a `ctx` line and which bits of them hold addresses of tables, which differ from run to run; the
  /// replayer renames those. By the line's name; bits not named are compared as they are.
  func addressBits(ofContext name: String, word: Int) -> UInt64
  /// The same for registers and for words of commands, for instance where a wait writes its status.
  func addressBits(ofRegister name: String) -> UInt64
  func addressBits(ofCommand words: [UInt64], word: Int) -> UInt64

  /// Where an entry of the page table that points to another table has that table's address.
  var tableAddressBits: UInt64 { get }
}
