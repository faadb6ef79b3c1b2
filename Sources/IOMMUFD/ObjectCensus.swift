// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Memory
internal import Seams

// The invariants ask the same questions again and again: which objects are there, of which kind, who refers to whom,
// which areas share their pages. A census answers them once for a whole look, which a corpus takes several thousand
// times a second.

/// What is in an open file at one moment at which no call is in flight. A class, since it is long and nobody needs two.
public final class ObjectCensus {
  let context: Context
  /// Every published object, ascending by ID; below, the same by kind.
  let all: [Object]
  private(set) var spaces: [IOAS] = []
  private(set) var devices: [DeviceObject] = []
  private(set) var hwpts: [HWPT] = []
  private(set) var faults: [FaultQueue] = []
  private(set) var viommus: [VIOMMU] = []
  private(set) var vdevices: [VDevice] = []
  private(set) var eventQueues: [VEventQ] = []
  /// For each of `all` what it refers to, as places in `all`; what is not there is left out.
  let references: [[Int]]

  /// A pages object, and the areas of the file that are slices of it.
  struct Source {
    let pages: Pages
    var areas: [Area]
  }
  /// Every pages object that an area uses, once.
  private(set) var sources: [Source] = []
  /// The areas of each of `spaces`, ascending.
  private(set) var areas: [[Area]] = []

  init(_ context: Context) {
    self.context = context
    let all = context.objects.all
    self.all = all
    // Places by ID: IDs are small, since the lowest free one is always taken.
    var places = [Int](repeating: -1, count: Int(all.last?.id ?? 0) + 1)
    for (place, object) in all.enumerated() { places[Int(object.id)] = place }
    references = all.map { object in
      object.references.compactMap { target in
        guard Int(target.id) < places.count else { return nil }
        let place = places[Int(target.id)]
        return place >= 0 && all[place] === target ? place : nil
      }
    }
    for object in all { sort(object) }
    countAreas()
  }

  private func sort(_ object: Object) {
    switch object.kind {
    case .ioas: if let ioas = object as? IOAS { spaces.append(ioas) }
    case .device: if let device = object as? DeviceObject { devices.append(device) }
    case .pagingHWPT, .nestedHWPT: if let hwpt = object as? HWPT { hwpts.append(hwpt) }
    case .fault: if let queue = object as? FaultQueue { faults.append(queue) }
    case .viommu: if let viommu = object as? VIOMMU { viommus.append(viommu) }
    case .vdevice: if let vdevice = object as? VDevice { vdevices.append(vdevice) }
    case .veventq: if let queue = object as? VEventQ { eventQueues.append(queue) }
    case .access, .hwQueue, .selftest: break
    }
  }

  private func countAreas() {
    var places: [ObjectIdentifier: Int] = [:]
    for space in spaces {
      let table = space.pagetable
      let mine = table.areasLock.withShared { table.areas.all }
      areas.append(mine)
      for area in mine {
        if let last = sources.last, last.pages === area.pages {
          sources[sources.count - 1].areas.append(area)
        } else if let place = places[ObjectIdentifier(area.pages)] {
          sources[place].areas.append(area)
        } else {
          places[ObjectIdentifier(area.pages)] = sources.count
          sources.append(Source(pages: area.pages, areas: [area]))
        }
      }
    }
  }

  // MARK: What the file has pinned and charged

  /// Adds what this file's mappings have pinned, frame by frame: for the check of the machine's pin counts (24).
  public func countPins(into counts: inout FrameCounts) {
    for source in sources where !source.pages.isDMABuf && source.pages.pageCount > 0 {
      let pages = source.pages
      pages.lock.lock()
      defer { pages.lock.unlock() }
      let end = pages.pageCount - 1
      var index: UInt64 = 0
      while true {
        let (use, last) = pages.piece(at: index, through: end)
        switch use {
        case .held: for held in index...last { if let frame = pages.heldFrames[held] { counts.add(frame) } }
        // A page that its table has lost is reported as that.
        case .mapped:
          pages.forEachMappedFrame(in: Span64(index, last)) { if let frame = $0 { counts.add(frame) } }
        case .hole: break
        }
        if last >= end { break }
        index = last + 1
      }
    }
  }

  /// Adds what this file's mappings have charged in pages, to users and to process memories, and what they count as VmPin
  /// (25, 26).
  public func addCharges(to charges: inout Charges) {
    for source in sources {
      source.pages.lock.withLock {
        let count = Int(source.pages.charged)
        let owner = source.pages.owner
        Charges.add(count, to: &charges.pinned, owner.memory)
        switch source.pages.accounting {
        case .none: break
        case .user: Charges.add(count, to: &charges.byUser, owner.user)
        case .process: Charges.add(count, to: &charges.locked, owner.memory)
        }
      }
    }
  }

  /// Pages that mappings have charged. Whoever is charged is in a short list: mostly there is one.
  public struct Charges {
    public typealias Ledger = [(who: AnyObject, pages: Int)]
    public fileprivate(set) var byUser: Ledger = []
    public fileprivate(set) var locked: Ledger = []
    public fileprivate(set) var pinned: Ledger = []

    public init() {}

    fileprivate static func add(_ pages: Int, to ledger: inout Ledger, _ who: AnyObject) {
      guard let place = ledger.firstIndex(where: { $0.who === who }) else {
        ledger.append((who, pages))
        return
      }
      ledger[place].pages += pages
    }

    /// What a ledger says of somebody.
    public static func pages(_ ledger: Ledger, of who: AnyObject) -> Int {
      ledger.first { $0.who === who }?.pages ?? 0
    }
  }
}

extension Context {
  /// Who and what is there now. No call may be in flight.
  public func census() -> ObjectCensus { ObjectCensus(self) }

  /// Every broken invariant of this file.
  public func violations() -> [Violation] { census().violations() }
}
