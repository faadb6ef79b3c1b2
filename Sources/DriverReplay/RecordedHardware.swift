// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Machine

/// Which IOMMU a recording is of: told by the registers that it begins with.
struct RecordedHardware: Sendable {
  /// A register that only this kind has.
  let mark: String
  let kind: String
  let recorder: any (DriverRecorder & SendableMetatype).Type

  static let all: [RecordedHardware] = [
    RecordedHardware(mark: "ecap", kind: "vtd", recorder: VTdRecorder.self),
    RecordedHardware(mark: "dtba", kind: "amd", recorder: AMDViRecorder.self),
    RecordedHardware(mark: "strtab", kind: "smmuv3", recorder: SMMUv3Recorder.self),
  ]

  /// The requester ID that every recording's device has: 00:04.0.
  static let source: UInt16 = 0x20

  static func of(_ recording: DriverRecording) -> RecordedHardware? {
    let registers = registers(of: recording)
    return all.first { hardware in registers.contains { $0.name == hardware.mark } }
  }

  static func registers(of recording: DriverRecording) -> [DriverRecording.Register] {
    for case .registers(let registers) in recording.lines { return registers }
    return []
  }

  func makeRecorder(_ unit: IOMMUUnit, _ machine: Machine) -> any DriverRecorder {
    recorder.init(unit, source: UInt32(Self.source), in: machine)
  }
}
