// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import FoundationXML
import Testing
import Views

/// The object graph and the IOVA space, in every form.
@Suite struct DrawingTests {
  @Test func textAndDOTAreAsExpected() throws {
    try Project.expect(printed(try scene() + "graph"), is: "graph.txt")
    try Project.expect(printed(try scene() + "graph format=dot"), is: "graph.dot")
    try Project.expect(printed(try scene() + "space"), is: "space.txt")
    let one = printed(try scene() + "space $host")
    #expect(one.contains("IOAS 2 $host") && !one.contains("$vm"))
  }

  @Test(arguments: ["graph", "space"]) func jsonParses(verb: String) throws {
    let text = printed(try scene() + "\(verb) format=json")
    let document = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(document["version"] as? Int == 1 && document["complete"] as? Bool == true)
    if verb == "graph" {
      let nodes = try #require(document["nodes"] as? [[String: Any]])
      let keys = Set(nodes.compactMap { $0["key"] as? String })
      #expect(keys.count == nodes.count)
      for edge in try #require(document["edges"] as? [[String: Any]]) {
        #expect(keys.contains(edge["from"] as? String ?? "") && keys.contains(edge["to"] as? String ?? ""))
      }
    } else {
      // The pieces of each space are all addresses, without holes.
      for space in try #require(document["spaces"] as? [[String: Any]]) {
        var next: UInt64? = 0
        for piece in try #require(space["pieces"] as? [[String: Any]]) {
          func address(_ name: String) throws -> UInt64 {
            try #require(UInt64((piece[name] as? String ?? "").dropFirst(2), radix: 16))
          }
          #expect(try address("first") == next)
          let last = try address("last")
          next = last == .max ? nil : last + 1
        }
        #expect(next == nil)
      }
    }
  }

  /// Well-formed, no box on another, no text outside.
  @Test(arguments: ["graph", "space"]) func theSVGIsWellFormed(verb: String) throws {
    let text = printed(try scene() + "\(verb) format=svg")
    let picture = try #require(Picture(text), "it is no XML")
    #expect(picture.width > 100 && picture.height > 100)
    #expect(!text.contains("<script") && !text.contains("href"))
    let boxes = picture.shapes.filter { $0.name == "box" }
    if verb == "graph" { #expect(boxes.count >= 12) }
    for (index, a) in boxes.enumerated() {
      for b in boxes.dropFirst(index + 1) { #expect(!a.touches(b), "two boxes overlap") }
    }
    #expect(!picture.texts.isEmpty)
    for line in picture.texts {
      #expect(line.x >= 0 && line.x + line.width <= picture.width, "\(line.text)")
      #expect(line.y <= picture.height, "\(line.text)")
    }
    for (index, a) in picture.texts.enumerated() {
      for b in picture.texts.dropFirst(index + 1) where a.y == b.y {
        #expect(a.x + a.width <= b.x || b.x + b.width <= a.x, "'\(a.text)' and '\(b.text)' overlap")
      }
    }
  }

  /// Many objects, many files, many PASIDs: nothing overlaps, and it does not take long.
  @Test func aLargeGraphHasNoOverlaps() throws {
    var script = "iofd 1\n"
    for file in 0..<3 {
      script += "c\(file) = open\n"
      for number in 0..<12 {
        script += "dev = device add pasid\nvm\(number) = ioas create\n"
        script += "attach $dev to=$vm\(number)\n"
      }
    }
    script += "fault = faultq create\ngraph format=svg"
    let picture = try #require(Picture(printed(script)))
    let boxes = picture.shapes.filter { $0.name == "box" }
    #expect(boxes.count == 3 * 12 * 4 + 1)
    for (index, a) in boxes.enumerated() {
      for b in boxes.dropFirst(index + 1) { #expect(!a.touches(b)) }
    }
    let frames = picture.shapes.filter { $0.name == "frame" }
    #expect(frames.count == 3)
    for (index, a) in frames.enumerated() {
      for b in frames.dropFirst(index + 1) { #expect(!a.touches(b)) }
    }
  }

  @Test func aScaleIsAScale() throws {
    // Two areas of 16 and 48 KiB with 64 KiB between: 1/8, 1/2 and 3/8 of the line.
    let text = printed(
      """
      iofd 1
      vm = ioas create
      buf = mem alloc 64K
      map $vm $buf iova=0x10000 len=16K
      map $vm $buf iova=0x24000 len=48K
      space $vm
      """)
    let bar = try #require(text.split(separator: "|").dropFirst().first)
    #expect(
      bar == String(repeating: "a", count: 8) + String(repeating: ".", count: 32)
        + String(repeating: "b", count: 24))
  }
}

/// What there is to see in an SVG.
final class Picture: NSObject, XMLParserDelegate {
  struct Shape {
    let name: String
    let x: Double
    let y: Double
    let width: Double
    let height: Double

    func touches(_ other: Shape) -> Bool {
      x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
    }
  }
  struct Line {
    var text = ""
    var x: Double
    let y: Double
    var width: Double { Double(text.count) * 6.62 }
  }
  private(set) var width = 0.0
  private(set) var height = 0.0
  private(set) var shapes: [Shape] = []
  private(set) var texts: [Line] = []
  private var isInText = false
  private var anchor = ""

  init?(_ text: String) {
    super.init()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    guard parser.parse() else { return nil }
  }

  func parser(
    _: XMLParser, didStartElement name: String, namespaceURI _: String?, qualifiedName _: String?,
    attributes: [String: String]
  ) {
    func number(_ name: String) -> Double { Double(attributes[name] ?? "") ?? 0 }
    switch name {
    case "svg": (width, height) = (number("width"), number("height"))
    case "rect":
      shapes.append(
        Shape(
          name: attributes["class"] ?? "", x: number("x"), y: number("y"), width: number("width"),
          height: number("height")))
    case "text":
      isInText = true
      anchor = attributes["text-anchor"] ?? "start"
      texts.append(Line(x: number("x"), y: number("y")))
    default: break
    }
  }

  func parser(_: XMLParser, foundCharacters text: String) {
    if isInText { texts[texts.count - 1].text += text }
  }

  func parser(_: XMLParser, didEndElement name: String, namespaceURI _: String?, qualifiedName _: String?) {
    guard name == "text", isInText else { return }
    isInText = false
    if anchor == "middle" { texts[texts.count - 1].x -= texts[texts.count - 1].width / 2 }
  }
}
