// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Memory
public import UAPI

/// A system call of a program that the model answered.
public struct AnsweredCall: Sendable {
  public enum Kind: Sendable {
    /// `/dev/iommu`, `/dev/vfio/vfio` or `/dev/vfio/devices/vfioN`; the result is the descriptor.
    case open(path: String)
    case ioctl(request: UInt32, argument: UInt64, sent: [UInt8], received: [UInt8])
    /// Of an event file; plain are one buffer and no position. Others are told by their first buffer.
    case read(address: UInt64, count: Int, isPlain: Bool)
    case write(address: UInt64, count: Int, isPlain: Bool)
    case mmap(length: UInt64, offset: UInt64, MapMode)
  }

  public let process: Int32
  public let thread: Int32
  /// The descriptor it was made on; -1 for an open.
  public let descriptor: Int32
  /// The number of the open file of the model, counted from 1; for an open the new one's. Two descriptors of
  /// one open file have one number.
  public let file: UInt64
  public let kind: Kind
  /// An address for mmap, otherwise a count, a descriptor or 0.
  public let result: Result<Int64, Errno>
  /// A failure was injected into it.
  public let isInjected: Bool
  /// What the request read and wrote in memory, where the observer wants it.
  public let memory: [MemoryEvent]
  public let capabilities: Capabilities
  /// RLIMIT_MEMLOCK in bytes.
  public let memlockLimit: UInt64

  /// The call in one line, decoded: `IOAS_ALLOC size=12 -> ok out_ioas_id=1`.
  public var line: String {
    switch kind {
    case .open(let path): "open(\"\(path)\") -> \(outcome)"
    case .ioctl(let request, let argument, let sent, let received):
      if let structure = RequestStruct(request, head: sent), !sent.isEmpty {
        RequestText(structure).line(sent, result.map { Int32(truncatingIfNeeded: $0) }, received)
      } else {
        "ioctl(0x\(String(request, radix: 16)), 0x\(String(argument, radix: 16))) -> \(outcome)"
      }
    case .read(let address, let count, _): "read(0x\(String(address, radix: 16)), \(count)) -> \(outcome)"
    case .write(let address, let count, _): "write(0x\(String(address, radix: 16)), \(count)) -> \(outcome)"
    case .mmap(let length, let offset, _):
      "mmap(\(length), offset 0x\(String(offset, radix: 16))) -> \(outcome)"
    }
  }

  private var outcome: String {
    switch (result, kind) {
    case (.success(let value), .mmap): "0x" + String(UInt64(bitPattern: value), radix: 16)
    case (.success(let value), _): String(value)
    case (.failure(let errno), _): RequestText.outcome(.failure(errno), reply: "")
    }
  }
}

/// What a request did in a program's memory.
public enum MemoryEvent: Sendable {
  case read(address: UInt64, bytes: [UInt8])
  case wrote(address: UInt64, bytes: [UInt8])
  /// Pages of a range are looked at or pinned; these are the mappings that the process has there.
  case pages(process: Int32, first: UInt64, last: UInt64, [MappedArea])
  /// Bytes of a page that was pinned were read: where in which process, or in which object.
  case readPage(PageOwner, offset: UInt64, bytes: [UInt8])
  case wrotePage(PageOwner, offset: UInt64, bytes: [UInt8])
}

/// Whose page it is.
public enum PageOwner: Hashable, Sendable {
  case process(Int32)
  case object(FileIdentity)
}

/// Hears of the calls that the model answers.
public protocol CallObserver: AnyObject, Sendable {
  /// Whether what requests read and write in memory should be told; requests then run one by one.
  var wantsMemory: Bool { get }
  /// The call is answered, and its thread has not gone on yet.
  func call(_ call: AnsweredCall, in program: any ObservedProgram)
  /// The last descriptor of an open file of the model is closed.
  func released(file: UInt64)
  /// A window that a program had mapped is not mapped any more.
  func unmapped(address: UInt64, length: UInt64, process: Int32)
  /// An invariant was found broken behind the call before.
  func broken(_ violations: [Violation])
}

/// What an observer can ask about the program while a call waits.
public protocol ObservedProgram: AnyObject {
  /// The number of the model's open file behind a descriptor of a thread, or nil.
  func file(ofThread thread: Int32, _ descriptor: Int32) -> UInt64?
  /// What a descriptor that is not the model's refers to: which file, its size in bytes, whether it lies on tmpfs or
  /// hugetlbfs, and whether its pages are large.
  func realFile(ofThread thread: Int32, _ descriptor: Int32) -> (
    FileIdentity, UInt64, isMemory: Bool, isHuge: Bool
  )?
  /// The size of a shared object that the model knows, in bytes.
  func size(of object: FileIdentity) -> UInt64?
  /// The mappings of a process that meet a range.
  func areas(of process: Int32, _ first: UInt64, _ last: UInt64) -> [MappedArea]
  func isAlive(_ process: Int32) -> Bool
  /// The parent of a process, or nil when it is gone.
  func parent(of process: Int32) -> Int32?
}
