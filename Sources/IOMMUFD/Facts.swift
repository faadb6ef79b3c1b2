// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMU
public import Memory
internal import Seams
internal import UAPI

// What `show` and `expect` can see of the IOAS half. Facts are taken under the locks that guard them and are
// plain data afterwards.

extension Context {
  /// The whole file: a record.
  public var facts: Fact {
    .record([
      ("kernel", .text(kernel.personality.rawValue)),
      ("accounting", .text(accounting == .process ? "process" : "user")),
      ("compat", objects.compatID.map { .id($0) } ?? .none),
      ("objects", .list(objects.all.map(\.facts))),
      ("tombstones", .list(objects.tombstones.map { .id($0) })),
    ])
  }
}

extension Object {
  /// `id`, `type`, `users`, who holds it, and what its kind adds.
  public final var facts: Fact {
    let holders = context.objects.all.filter { $0.references.contains { $0 === self } }
    return .record(
      [
        (name: "id", value: .id(id)),
        (name: "type", value: .text(kind.name)),
        (name: "users", value: .number(UInt64(users))),
        (name: "holders", value: .list(holders.map { .id($0.id) })),
      ] + details)
  }
}

extension Span64 {
  /// The range as a fact.
  public var fact: Fact { .range(first: first, last: last) }
}

extension Protection {
  /// `rw`, `r`, `w` or `none`, as the language writes it.
  var text: String {
    switch (contains(.read), contains(.write)) {
    case (true, true): "rw"
    case (true, false): "ro"
    case (false, true): "wo"
    case (false, false): "none"
    }
  }
}

extension Area {
  var facts: Fact {
    .record([
      ("iova", .hex(iova.first)),
      ("last", .hex(iova.last)),
      ("length", .hex(length)),
      ("access", .text(protection.text)),
      ("source", .text(pages.sourceText)),
      ("offset", .hex(pages.placementAddress(startByte(iova.first)))),
      ("pinned", .number(pages.lock.withLock { pages.pinned })),
      ("pins", .number(UInt64(accesses))),
      ("locks", .number(UInt64(locks))),
      ("mapped", .flag(pages.lock.withLock { storage != nil })),
    ])
  }
}

extension Pages {
  fileprivate var sourceText: String {
    switch source {
    case .user: "memory"
    case .file: "file"
    case .dmabuf: "dma-buf"
    }
  }
}

extension IOPageTable {
  /// The ranges that are mapped, ascending.
  public var mappedSpans: [Span64] { areasLock.withShared { areas.all.map(\.iova) } }

  var facts: [(name: String, value: Fact)] {
    domainsLock.withShared {
      areasLock.withShared {
        let areas = areas.all
        var seen: Set<ObjectIdentifier> = []
        var pinned: UInt64 = 0
        for pages in areas.map(\.pages) where seen.insert(ObjectIdentifier(pages)).inserted {
          pinned += pages.lock.withLock { pages.pinned }
        }
        return [
          ("alignment", .hex(alignment)),
          ("hugepages", .flag(!largePagesDisabled)),
          ("areas", .list(areas.map(\.facts))),
          ("mapped", .hex(areas.reduce(0) { $0 &+ $1.length })),
          ("pinned", .number(pinned)),
          ("iovas", .list(unreserved().map(\.fact))),
          ("allowed", .list(allowed.map(\.fact))),
          ("reserved", .list(reserved.elements.map { $0.span.fact })),
          ("domains", .number(UInt64(domains.count))),
          ("accesses", .list(accesses.map { .id($0.id) })),
        ]
      }
    }
  }
}
