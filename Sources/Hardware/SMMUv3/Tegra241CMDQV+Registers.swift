// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension Tegra241CMDQV {
  /// A register of a queue: which queue, which of its two pages, and the offset there.
  private func queueRegister(_ offset: UInt64) -> (queue: Int, page1: Bool, offset: UInt64)? {
    typealias R = Tegra241.Register
    let inPage = offset & (R.pageSize - 1)
    let index = Int(inPage / R.queueStride)
    let rest = inPage & (R.queueStride - 1)
    if offset < R.vintfPages {
      guard offset >= R.queuePage0, index < queues.count else { return nil }
      return (index, offset >= R.queuePage1, rest)
    }
    let place = offset - R.vintfPages
    let vintf = place / R.vintfPagesStride
    guard vintf < UInt64(interfaces.count), let queue = physical(Int(vintf), index) else { return nil }
    return (queue, place & R.pageSize != 0, rest)
  }

  /// Reads a register of the block; offsets from its start.
  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    if width == 8, offset & 7 == 0 { return UInt64(read32(offset)) | UInt64(read32(offset + 4)) << 32 }
    return width == 4 && offset & 3 == 0 ? UInt64(read32(offset)) : 0
  }

  /// Writes a register of the block.
  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    if width == 8, offset & 7 == 0 {
      write32(offset, UInt32(truncatingIfNeeded: value))
      write32(offset + 4, UInt32(truncatingIfNeeded: value >> 32))
    } else if width == 4, offset & 3 == 0 {
      write32(offset, UInt32(truncatingIfNeeded: value))
    }
  }

  private var parameters: UInt32 {
    var value: UInt32 = 0
    value[Tegra241.Param.version] = configuration.version
    value[Tegra241.Param.cmdqsLg2] = UInt32(configuration.queuesLg2)
    value[Tegra241.Param.vintfsLg2] = UInt32(configuration.vintfsLg2)
    value[Tegra241.Param.sidsLg2] = UInt32(configuration.streamsLg2)
    return value
  }

  private func read32(_ offset: UInt64) -> UInt32 {
    typealias R = Tegra241.Register
    if offset >= R.queuePage0 { return readQueue(offset) }
    if offset >= R.vintf { return readInterface(offset) }
    switch offset {
    case R.config, R.status: return enabled ? Tegra241.enable : 0
    case R.param: return parameters
    case R.vintfErrorMap: return UInt32(truncatingIfNeeded: vintfErrors)
    case R.vintfErrorMap + 4: return UInt32(truncatingIfNeeded: vintfErrors >> 32)
    case R.interruptMask: return UInt32(truncatingIfNeeded: interruptMask)
    case R.interruptMask + 4: return UInt32(truncatingIfNeeded: interruptMask >> 32)
    case R.cmdqErrorMap..<R.cmdqErrorMap + 16: return queueErrors(Int((offset - R.cmdqErrorMap) / 4))
    case R.cmdqAllocation..<R.vintf:
      let queue = Int((offset - R.cmdqAllocation) / 4)
      return queue < queues.count ? queues[queue].allocation : 0
    default: return 0
    }
  }

  private func write32(_ offset: UInt64, _ value: UInt32) {
    typealias R = Tegra241.Register
    if offset >= R.queuePage0 { return writeQueue(offset, value) }
    if offset >= R.vintf { return writeInterface(offset, value) }
    switch offset {
    case R.config:
      enabled = value & Tegra241.enable != 0
      runAll()
    case R.interruptMask: interruptMask = interruptMask & ~0xFFFF_FFFF | UInt64(value)
    case R.interruptMask + 4: interruptMask = interruptMask & 0xFFFF_FFFF | UInt64(value) << 32
    case R.cmdqAllocation..<R.vintf:
      let queue = Int((offset - R.cmdqAllocation) / 4)
      guard queue < queues.count else { return }
      if queues[queue].enabled { smmu.mistakes.note("CMDQ_ALLOC was written while its queue is enabled") }
      queues[queue].allocation = value & 0x001F_80FF
      run(queue)
    default: break
    }
  }

  // MARK: VINTFs

  private func readInterface(_ offset: UInt64) -> UInt32 {
    typealias V = Tegra241.VINTF
    let index = Int((offset - Tegra241.Register.vintf) / Tegra241.Register.vintfStride)
    guard index < interfaces.count else { return 0 }
    let rest = offset & (Tegra241.Register.vintfStride - 1)
    switch rest {
    case V.config: return interfaces[index].config
    case V.status: return interfaces[index].config & Tegra241.enable
    case V.sidMatch..<V.sidReplace: return stream(interfaces[index].match, rest - V.sidMatch)
    case V.sidReplace..<V.errorMap: return stream(interfaces[index].replace, rest - V.sidReplace)
    case V.errorMap..<V.errorMap + 16:
      let map = logicalErrors(index)
      let word = rest & 8 == 0 ? map.0 : map.1
      return UInt32(truncatingIfNeeded: rest & 4 == 0 ? word : word >> 32)
    default: return 0
    }
  }

  private func stream(_ slots: [UInt32], _ offset: UInt64) -> UInt32 {
    let slot = Int(offset / 4)
    return slot < slots.count ? slots[slot] : 0
  }

  private func writeInterface(_ offset: UInt64, _ value: UInt32) {
    typealias V = Tegra241.VINTF
    let index = Int((offset - Tegra241.Register.vintf) / Tegra241.Register.vintfStride)
    guard index < interfaces.count else { return }
    let rest = offset & (Tegra241.Register.vintfStride - 1)
    switch rest {
    case V.config:
      interfaces[index].config = value & 0x3_FFFF
      runAll()
    case V.sidMatch..<V.sidReplace:
      let slot = Int((rest - V.sidMatch) / 4)
      if slot < interfaces[index].match.count { interfaces[index].match[slot] = value & 0x1F_FFFF }
    case V.sidReplace..<V.errorMap:
      let slot = Int((rest - V.sidReplace) / 4)
      if slot < interfaces[index].replace.count { interfaces[index].replace[slot] = value }
    default: break
    }
  }

  // MARK: Queues

  private func readQueue(_ offset: UInt64) -> UInt32 {
    guard let place = queueRegister(offset) else { return 0 }
    let queue = queues[place.queue]
    if place.page1 {
      return switch place.offset {
      case Tegra241.Queue.base: UInt32(truncatingIfNeeded: queue.ring.base)
      case Tegra241.Queue.base + 4: UInt32(truncatingIfNeeded: queue.ring.base >> 32)
      case Tegra241.Queue.consIndexBase: UInt32(truncatingIfNeeded: queue.consIndexBase)
      case Tegra241.Queue.consIndexBase + 4: UInt32(truncatingIfNeeded: queue.consIndexBase >> 32)
      default: 0
      }
    }
    return switch place.offset {
    case Tegra241.Queue.cons: queue.ring.cons
    case Tegra241.Queue.prod: queue.ring.prod
    case Tegra241.Queue.config, Tegra241.Queue.status: queue.enabled ? Tegra241.enable : 0
    case Tegra241.Queue.gerror: queue.gerror
    case Tegra241.Queue.gerrorN: queue.gerrorN
    default: 0
    }
  }

  private func writeQueue(_ offset: UInt64, _ value: UInt32) {
    guard let place = queueRegister(offset) else { return }
    let index = place.queue
    if place.page1 {
      writePage1(index, place.offset, value)
      return
    }
    switch place.offset {
    case Tegra241.Queue.cons:
      // As CMDQ_CONS: software sets it while the queue is off.
      if !queues[index].enabled { queues[index].ring.cons = value & Tegra241.Queue.indexMask }
    case Tegra241.Queue.prod:
      queues[index].ring.prod = value & Tegra241.Queue.indexMask
      run(index)
    case Tegra241.Queue.config:
      queues[index].enabled = value & Tegra241.enable != 0
      run(index)
    case Tegra241.Queue.gerrorN:
      queues[index].gerrorN = value & Tegra241.Queue.commandError
      run(index)
    default: break
    }
  }

  private func writePage1(_ index: Int, _ offset: UInt64, _ value: UInt32) {
    if queues[index].enabled {
      smmu.mistakes.note("page 1 of a virtual command queue was written while it is enabled")
      return
    }
    switch offset {
    case Tegra241.Queue.base: put(&queues[index].ring.base, value, high: false)
    case Tegra241.Queue.base + 4: put(&queues[index].ring.base, value, high: true)
    case Tegra241.Queue.consIndexBase: put(&queues[index].consIndexBase, value, high: false)
    case Tegra241.Queue.consIndexBase + 4: put(&queues[index].consIndexBase, value, high: true)
    default: break
    }
    queues[index].ring.base &= Tegra241.Queue.baseMask | 0x1F
  }

  private func put(_ register: inout UInt64, _ value: UInt32, high: Bool) {
    register =
      high
      ? register & 0xFFFF_FFFF | UInt64(value) << 32 : register & ~0xFFFF_FFFF | UInt64(value)
  }
}
