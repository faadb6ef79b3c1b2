// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

// What a checker of drivers asks: true, and without effects.

@Suite struct CheckingTests {
  private func request(_ access: Transaction.Access = .read, pasid: UInt32? = nil, _ address: UInt64 = iova)
    -> Transaction
  {
    Transaction(source: sid, pasid: pasid, address: address, access: access)
  }

  @Test func nothingIsCachedBeforeTheFirstRequest() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    #expect(rig.unit.cachedAnswer(request()) == nil)
    #expect(rig.unit.cachedAddresses.isEmpty)
    #expect(rig.unit.staleStructures.isEmpty)
    // Asking has cached nothing.
    rig.setPASIDEntry([0], 0)
    #expect(rig.dma(.read, iova).brief == "-59")
  }

  @Test func aCachedTranslationAnswersAlthoughMemoryHasChanged() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    rig.startQueue(wide: true)
    #expect(rig.dma(.read, iova).brief == "abcde678")
    #expect(rig.unit.cachedAddresses == [CachedAddress(0x1234_5000)])
    rig.put("[13a28]=77777003")
    #expect(rig.unit.cachedAnswer(request())?.brief == "abcde678")
    // The leaf goes, the tables stay cached and lead to memory.
    rig.submit([(0x123_0032, 0x1234_5040)])
    #expect(rig.unit.cachedAddresses.isEmpty)
    #expect(rig.unit.cachedAnswer(request())?.brief == "77777678")
    #expect(rig.unit.cachedAddresses.isEmpty)
    // A table elsewhere is only seen when the table caches are emptied.
    rig.put("[12488]=14003 [14a28]=66666003")
    #expect(rig.unit.cachedAnswer(request())?.brief == "77777678")
    rig.submit([(0x123_0022, 0)])
    #expect(rig.unit.cachedAnswer(request())?.brief == "66666678")
  }

  @Test func firstStageEntriesHaveTheirPASID() {
    let rig = Rig()
    rig.put(FirstStageVectorTests.base)
    rig.startScalable([0x49, 0x80_0124, 0x20000], pasid: 0x47)
    #expect(rig.dma(.read, iova, pasid: 0x47).brief == "abcde678")
    #expect(rig.unit.cachedAddresses == [CachedAddress(0x1234_5000, pasid: 0x47)])
    #expect(rig.unit.cachedAnswer(request(pasid: 0x47))?.brief == "abcde678")
    #expect(rig.unit.cachedAnswer(request(.write, pasid: 0x48))?.brief == "-59")
  }

  @Test func whatWasMissingAnswersWithCachingMode() {
    var configuration = Rig.configuration
    configuration.set(VTd.Cap.cm, 1)
    let rig = Rig(configuration)
    rig.put(SecondStageVectorTests.base)
    rig.put("[13a28]=0")
    rig.startScalable(SecondStageVectorTests.plain)
    #expect(rig.dma(.read, iova).brief == "-79")
    rig.put("[13a28]=abcde003")
    #expect(rig.unit.cachedAnswer(request())?.brief == "-79")
    #expect(rig.unit.walk(request()).answer.brief == "abcde678")
  }

  @Test func structuresThatMemoryNoLongerHoldsAreNamed() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    rig.startQueue(wide: true)
    #expect(rig.dma(.read, iova).brief == "abcde678")
    #expect(rig.unit.staleStructures.isEmpty)
    rig.setPASIDEntry([0], 0)
    #expect(rig.unit.staleStructures.count == 1)
    #expect(rig.unit.staleStructures.first?.contains("PASID-cache") == true)
    rig.submit([(0x123_0017, 0)])
    #expect(rig.unit.staleStructures.isEmpty)
    rig[0x2520] = 0
    #expect(rig.unit.staleStructures.first?.contains("context entry of requester 3a29") == true)
    rig.submit([(0x3A29_0000_0031, 0)])
    #expect(rig.unit.staleStructures.isEmpty)
  }
}
