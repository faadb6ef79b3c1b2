// SPDX-License-Identifier: GPL-3.0-or-later
internal import Replay
internal import Runner
internal import Testing

@Suite struct StopWatchTests {
  private static let tick: UInt64 = 200_000_000

  @Test("Who waits as long as was asked for, or little longer, was not stopped")
  func waiting() {
    var stops = StopWatch()
    var now = Watch.now()
    for late in [0, 1, 900_000_000] as [UInt64] {
      now += Self.tick + late
      let woke = stops.woke(now, after: Self.tick)
      #expect(!woke)
    }
    #expect(stops.resumed == 0)
  }

  @Test("Who waits a second longer was, and what it waited for begins anew")
  func stopped() {
    var stops = StopWatch()
    let now = Watch.now() + Self.tick + 1_100_000_000
    let first = stops.woke(now, after: Self.tick)
    #expect(first && stops.resumed == now)
    let second = stops.woke(now + Self.tick, after: Self.tick)
    #expect(!second)
    #expect(stops.resumed == now)
  }
}
