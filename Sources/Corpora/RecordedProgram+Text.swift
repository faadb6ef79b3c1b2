// SPDX-License-Identifier: GPL-3.0-or-later

extension RecordedProgram {
  /// The program as lines of its file, as `parse` reads them.
  public var text: String {
    var text = "prog \(name)\n"
    for step in steps { text += "\(step)\n" }
    return text
  }
}

extension RecordedProgram.Step: CustomStringConvertible {
  /// The step's line.
  public var description: String {
    switch self {
    case .open(let register): return "open \(register)"
    case .openDevice(let register, let number): return "opendev \(register) \(number)"
    case .close(let register): return "close \(register)"
    case .fill(let at, let byte, let count): return "mem \(at) \(byte) \(count)"
    case .put(let at, let width, let value): return "put \(at) \(width) \(value)"
    case .unmap(let at, let length): return "unmapmem \(at) \(length)"
    case .dump(let at, let count): return "dump \(at) \(count)"
    case .memfd(let register, let length): return "memfd \(register) \(length)"
    case .read(let fd, let at, let count): return "read \(fd) \(at) \(count)"
    case .write(let fd, let at, let count): return "write \(fd) \(at) \(count)"
    case .poll(let fd): return "poll \(fd)"
    case .ioctl(let fd, let request, let size, let stores, let loads):
      var line = "ioctl \(fd) 0x\(String(request, radix: 16)) \(size)"
      for store in stores { line += " \(store.offset):\(store.width)=\(store.value)" }
      for load in loads {
        let place = load.offset.map { "\($0):\(load.width)" } ?? "rc"
        line += " \(place)>\(load.isDescriptor ? "f" : "")\(load.register)"
      }
      return line
    }
  }
}

extension RecordedProgram.Operand: CustomStringConvertible {
  /// `17`, `+4096` or `$3`.
  public var description: String {
    switch self {
    case .constant(let value): "\(value)"
    case .area(let offset): "+\(offset)"
    case .register(let register): "$\(register)"
    }
  }
}
