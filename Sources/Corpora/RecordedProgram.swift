// SPDX-License-Identifier: GPL-3.0-or-later

/// One program of raw ioctls, as the kernel recordings hold them.
///
///     prog NAME                       begins a program with a fresh data area
///     open R                          register R = open("/dev/iommu")
///     opendev R N                     register R = open("/dev/vfio/devices/vfioN")
///     close R
///     mem ADDR BYTE LEN               fills memory
///     put ADDR WIDTH VALUE            stores a little-endian value
///     unmapmem ADDR LEN
///     dump ADDR LEN                   prints memory as hex
///     ioctl FD CMD SIZE [OFF:WIDTH=VALUE]... [OFF:WIDTH>R]... [rc>R]
///     memfd R LEN                     register R = a memfd of that length
///     read FD ADDR LEN                reads from a queue into memory
///     write FD ADDR LEN
///     poll FD
///
/// ADDR is an offset into the data area where it begins with `+`; VALUE likewise, or a register where it
/// begins with `$`. `>R` loads a register, `>fR` one that is a descriptor: it is closed at the program's end and
/// not printed. `#` begins a comment line.
///
/// The last four steps, `opendev` and `rc>` (the result of the call into a register) are younger than the first recordings.
/// They reach what those cannot: files mapped into an IOAS, dma-bufs, the queues of faults and events, and devices behind an IOMMU.
public struct RecordedProgram: Sendable, Equatable {
  public let name: String
  public let steps: [Step]

  public init(name: String, steps: [Step]) {
    self.name = name
    self.steps = steps
  }

  public enum Operand: Sendable, Hashable {
    case constant(UInt64)
    case area(UInt64)
    case register(Int)
  }

  public struct Store: Sendable, Hashable {
    public let offset: Int
    public let width: Int
    public let value: Operand
  }

  public struct Load: Sendable, Hashable {
    /// Nil loads the result of the call.
    public let offset: Int?
    public let width: Int
    public let register: Int
    /// The value is a descriptor: it is closed at the end, and not compared.
    public let isDescriptor: Bool
  }

  public enum Step: Sendable, Hashable {
    case open(Int)
    case openDevice(Int, number: Int)
    case close(Int)
    case fill(Operand, byte: UInt8, count: Int)
    case put(Operand, width: Int, Operand)
    case unmap(Operand, length: UInt64)
    case dump(Operand, count: Int)
    /// `size` 0 passes a null pointer.
    case ioctl(fd: Operand, request: UInt32, size: Int, stores: [Store], loads: [Load])
    case memfd(Int, length: UInt64)
    case read(fd: Operand, Operand, count: Int)
    case write(fd: Operand, Operand, count: Int)
    case poll(fd: Operand)
  }

  /// A line that is not of the format.
  public struct Malformed: Error, CustomStringConvertible {
    public let line: Int
    public let text: String
    public var description: String { "line \(line) is not a step of a recorded program: \(text)" }
  }

  /// Longest struct that a step may pass, and most memory that one may touch, in bytes.
  public static let longestStruct = 4096
  public static let areaLength = 16 << 20
}
