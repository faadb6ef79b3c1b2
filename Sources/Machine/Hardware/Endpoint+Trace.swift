// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import Seams

// What a function and its IOMMU say to each other, for a trace.

extension Endpoint {
  /// How an access went.
  static func event(_ request: DMARequest, _ outcome: DMAOutcome, of function: PCIFunction) -> MachineEvent {
    let result: String =
      switch outcome {
      case .done: "done"
      case .fault(let fault): fault.reason.rawValue
      case .held: "held"
      case .interrupt: "interrupt"
      }
    let access = request.atomic?.rawValue ?? (request.isWrite ? "write" : "read")
    return MachineEvent(
      .dma, .text(function.address), .hex(request.address), .number(UInt64(request.length)), .text(access),
      .text(result))
  }

  /// A question and its answer, and in front of it the structures that were read for it.
  func tell(_ transaction: Transaction, _ answer: TranslationAnswer, _ steps: [WalkStep]) {
    let kind: String =
      switch transaction.kind {
      case .untranslated: "untranslated"
      case .translationRequest: "translation request"
      case .translated: "translated"
      }
    var isCached = Fact.none
    let (result, address, code): (String, Fact, Fact)
    switch answer {
    case .translated(let translation):
      isCached = .flag(translation.fromCache)
      (result, address, code) = ("translated", .hex(translation.address), .none)
    case .aborted(let abort): (result, address, code) = ("fault", .none, .hex(UInt64(abort.code)))
    case .stalled: (result, address, code) = ("held", .none, .none)
    }
    if case .flag(true) = isCached {
    } else {
      for step in steps {
        Tracer.tell(
          MachineEvent(
            .walkStep, .text(step.structure), .hex(step.address), .list(step.words.map(Fact.hex))))
      }
    }
    Tracer.tell(
      MachineEvent(
        .translate, .text(function.address), .hex(transaction.address),
        transaction.pasid.map { .number(UInt64($0)) } ?? .none, .text("\(transaction.access)"), .text(kind),
        .text(result), address, isCached, code))
  }
}
