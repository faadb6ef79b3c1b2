// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing

@testable internal import CommandLineTool

/// What translations are measured on translates.
@Suite struct BenchSceneTests {
  static let effort = BenchEffort(isQuick: true)

  @Test(arguments: [BenchScene.Way.walk, .cached, .nested, .nestedWalk])
  func scenes(_ way: BenchScene.Way) throws {
    let scenes = [
      try BenchScene.vtd(way), try .amd(way), try .smmu(way), try .riscv(way),
      try .s390(way.isNested ? .walk : way),
    ]
    for scene in scenes { #expect(scene.nanoseconds(Self.effort, rounds: 8) != nil) }
  }
}
