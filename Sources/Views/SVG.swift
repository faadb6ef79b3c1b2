// SPDX-License-Identifier: GPL-3.0-or-later

/// An SVG document, written by hand: no scripts, no fonts of its own, nothing loaded from elsewhere. Colours are classes,
/// so that a browser that prefers dark ones gets them.
struct SVG {
  private var body = ""
  private let width: Double
  private let height: Double
  private let title: String

  init(width: Double, height: Double, title: String) {
    self.width = width.rounded(.up)
    self.height = height.rounded(.up)
    self.title = title
  }

  /// A number with at most one digit behind the point.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let whole = abs(tenths) / 10
    let rest = abs(tenths) % 10
    return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest)"
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "&": result += "&amp;"
      case "\"": result += "&quot;"
      // XML has no other control characters, escaped or not.
      case "\n", "\t": result.unicodeScalars.append(scalar)
      default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
      }
    }
    return result
  }

  mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, class name: String, radius: Double = 0,
    tip: String? = nil
  ) {
    let n = Self.number
    let round = radius > 0 ? " rx=\"\(n(radius))\"" : ""
    let end = tip.map { "><title>\(Self.escaped($0))</title></rect>" } ?? "/>"
    body +=
      "<rect class=\"\(name)\" x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" height=\"\(n(height))\"\(round)\(end)\n"
  }

  mutating func text(
    _ text: String, _ x: Double, _ y: Double, class name: String, anchor: String = "start"
  ) {
    let n = Self.number
    let place = anchor == "start" ? "" : " text-anchor=\"\(anchor)\""
    body += "<text class=\"\(name)\" x=\"\(n(x))\" y=\"\(n(y))\"\(place)>\(Self.escaped(text))</text>\n"
  }

  /// A line of several parts, each in a class of its own.
  mutating func text(_ parts: [(text: String, class: String)], _ x: Double, _ y: Double) {
    let n = Self.number
    let spans = parts.map { "<tspan class=\"\($0.class)\">\(Self.escaped($0.text))</tspan>" }
    body += "<text xml:space=\"preserve\" x=\"\(n(x))\" y=\"\(n(y))\">\(spans.joined())</text>\n"
  }

  mutating func path(_ data: String, class name: String, hasTip: Bool = false) {
    let tip = hasTip ? " marker-end=\"url(#tip)\"" : ""
    body += "<path class=\"\(name)\" d=\"\(data)\"\(tip)/>\n"
  }

  /// The whole document.
  var document: String {
    let n = Self.number
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(n(width))" height="\(n(height))" \
      viewBox="0 0 \(n(width)) \(n(height))" role="img">
      <title>\(Self.escaped(title))</title>
      <style>\(Self.style)</style>
      <defs>
      <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto">\
      <path class="tip" d="M0,0.5 L8,4 L0,7.5 z"/></marker>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
      <rect class="hatch-back" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern>
      </defs>
      <rect class="page" width="\(n(width))" height="\(n(height))"/>
      \(body)</svg>

      """
  }

  /// Light colours first; what is different in the dark below.
  private static let style = """

    text { font: 12px ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace; fill: #24292f; }
    .page { fill: #ffffff; }
    .title { font-weight: bold; }
    .name { fill: #0550ae; font-weight: bold; }
    .small { font-size: 11px; fill: #57606a; }
    .frame { fill: #f6f8fa; stroke: #d0d7de; }
    .box { fill: #ffffff; stroke: #8c959f; }
    .ioas { fill: #1a7f37; } .hwpt { fill: #0969da; } .nested { fill: #54aeff; } .access { fill: #4ac26b; }
    .viommu { fill: #8250df; } .vdevice { fill: #a475f9; } .eventQueue, .faultQueue, .hwQueue { fill: #bf8700; }
    .device { fill: #cf222e; } .selftest { fill: #fa4549; } .function { fill: #953800; } .iommu { fill: #57606a; }
    .wire { fill: none; stroke: #57606a; stroke-width: 1.3; }
    .attached { stroke: #cf222e; stroke-width: 2; }
    .reports { stroke: #bf8700; stroke-dasharray: 6 3; }
    .uses { stroke-dasharray: 2 3; }
    .binds, .behind { stroke: #953800; }
    .tip { fill: #57606a; }
    .plate { fill: #ffffff; fill-opacity: 0.9; }
    .axis { fill: none; stroke: #24292f; stroke-width: 1.2; }
    .usable { fill: #eaeef2; } .forbidden { fill: #d0d7de; }
    .reserved { fill: url(#hatch); } .hatch-back { fill: #ffebe9; } .hatch-line { fill: #ff8182; }
    .rw { fill: #2da44e; } .ro { fill: #54aeff; } .wo { fill: #d4a72c; } .none { fill: #8c959f; }
    .edge { fill: none; stroke: #ffffff; }
    .inside { fill: #ffffff; font-weight: bold; }
    @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .page { fill: #0d1117; } .frame { fill: #161b22; stroke: #30363d; } .box { fill: #0d1117; stroke: #6e7681; }
    .name { fill: #79c0ff; } .small { fill: #9198a1; } .plate { fill: #161b22; }
    .wire { stroke: #9198a1; } .tip { fill: #9198a1; } .attached { stroke: #ff7b72; } .reports { stroke: #d29922; }
    .binds, .behind { stroke: #f0883e; } .axis { stroke: #e6edf3; }
    .usable { fill: #21262d; } .forbidden { fill: #30363d; } .edge { stroke: #0d1117; }
    .hatch-back { fill: #3c1618; } .hatch-line { fill: #b62324; } .inside { fill: #ffffff; }
    }

    """
}
