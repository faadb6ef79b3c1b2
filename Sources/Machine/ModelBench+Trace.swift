// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Seams

extension ModelBench {
  public var traceLevel: TraceLevel? {
    get { machine.tracer.level }
    set { machine.tracer.level = newValue }
  }

  public func takeEvents() -> (events: [MachineEvent], lost: Int) { machine.tracer.take() }
}
