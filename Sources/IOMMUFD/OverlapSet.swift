// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory

/// Intervals that may overlap each other, each with something attached: the kernel's interval tree.
///
/// There are few of them (reservations of an IOAS, areas and pins of one pages object), so a list sorted by
/// start serves; a search begins no further back than the longest interval reaches.
struct OverlapSet<Payload> {
  struct Element {
    let span: Span64
    var payload: Payload
  }

  private(set) var elements: [Element] = []
  /// No interval's `last - first` exceeds this.
  private var reach: UInt64 = 0

  var isEmpty: Bool { elements.isEmpty }

  mutating func insert(_ span: Span64, _ payload: Payload) {
    reach = max(reach, span.last - span.first)
    elements.insert(Element(span: span, payload: payload), at: index(atOrAbove: span.first))
  }

  private func index(atOrAbove first: UInt64) -> Int {
    var low = 0
    var high = elements.count
    while low < high {
      let middle = (low + high) / 2
      if elements[middle].span.first < first { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Index of the interval with the lowest start that shares an address with `span`.
  func firstIndex(in span: Span64) -> Int? {
    var index = index(atOrAbove: span.first > reach ? span.first - reach : 0)
    while index < elements.count, elements[index].span.first <= span.last {
      if elements[index].span.last >= span.first { return index }
      index += 1
    }
    return nil
  }

  func overlaps(_ span: Span64) -> Bool { !elements.isEmpty && firstIndex(in: span) != nil }

  /// The maximal run of touching or overlapping intervals that begins with the lowest one in `span`, clipped
  /// to `span`; nil when there is none.
  func firstRun(in span: Span64) -> Span64? {
    guard !elements.isEmpty, let start = firstIndex(in: span) else { return nil }
    let first = max(elements[start].span.first, span.first)
    var last = elements[start].span.last
    var index = start + 1
    while index < elements.count, last < span.last, elements[index].span.first <= last &+ 1 {
      last = max(last, elements[index].span.last)
      index += 1
    }
    return Span64(first, min(last, span.last))
  }

  func firstIndex(of span: Span64, where matches: (Payload) -> Bool) -> Int? {
    var index = index(atOrAbove: span.first)
    while index < elements.count, elements[index].span.first == span.first {
      if elements[index].span == span, matches(elements[index].payload) { return index }
      index += 1
    }
    return nil
  }

  subscript(_ index: Int) -> Payload {
    get { elements[index].payload }
    set { elements[index].payload = newValue }
  }

  mutating func remove(at index: Int) {
    elements.remove(at: index)
    if elements.isEmpty { reach = 0 }
  }

  mutating func removeAll(where matches: (Payload) -> Bool) {
    elements.removeAll { matches($0.payload) }
  }
}
