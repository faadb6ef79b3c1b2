// SPDX-License-Identifier: GPL-3.0-or-later

// What happens inside a machine while a request is served, as plain data: what `--trace` tells, and what `expect trace`
// is compared with. Events are rows of a table, so that a name that does not exist can be told from one that did not
// happen.

/// How much a trace tells; each level tells what those before it do.
public enum TraceLevel: String, CaseIterable, Comparable, Sendable {
  /// A line for each request, decoded.
  case request
  /// Objects, areas, pins, charges, page tables, attachments.
  case model
  /// Registers, commands, translations with the steps of the walk, DMA, invalidations.
  case hardware

  public static func < (a: TraceLevel, b: TraceLevel) -> Bool {
    allCases.firstIndex(of: a).map { $0 < (allCases.firstIndex(of: b) ?? 0) } ?? false
  }
}

/// Something that happened in a machine.
public struct MachineEvent: Sendable {
  /// What can happen, by the name that traces and scripts call it.
  public enum Kind: String, CaseIterable, Sendable {
    case objectCreate = "object-create"
    case objectDestroy = "object-destroy"
    case areaAdd = "area-add"
    case areaRemove = "area-remove"
    case pagesPin = "pages-pin"
    case pagesUnpin = "pages-unpin"
    case pagesCharge = "pages-charge"
    case pagesUncharge = "pages-uncharge"
    case domainMap = "domain-map"
    case domainUnmap = "domain-unmap"
    case domainAdd = "domain-add"
    case domainRemove = "domain-remove"
    case attach, detach, replace
    case registerWrite = "register-write"
    case command
    case translate
    case walkStep = "walk-step"
    case dma
    case pageRequest = "page-request"
    case deviceInvalidate = "device-invalidate"
    case interrupt

    /// The level from which it is told, its fields in order, and what it means.
    public var row: (level: TraceLevel, fields: [String], meaning: String) {
      switch self {
      case .objectCreate: (.model, ["id", "type"], "an object can be found by its ID from now on")
      case .objectDestroy: (.model, ["id", "type"], "an object's ID is free again")
      case .areaAdd: (.model, ["iova", "last", "access"], "a range of an IOAS is mapped")
      case .areaRemove: (.model, ["iova", "last"], "a range of an IOAS is no longer mapped")
      case .pagesPin: (.model, ["pages"], "pages of user memory or of a file are pinned")
      case .pagesUnpin: (.model, ["pages"], "pages are unpinned")
      case .pagesCharge: (.model, ["pages"], "pinned pages are charged to whoever mapped them")
      case .pagesUncharge: (.model, ["pages"], "a charge is given back")
      case .domainMap: (.model, ["iova", "physical", "length"], "a run of frames is put into a page table")
      case .domainUnmap: (.model, ["iova", "length"], "a range is taken out of a page table")
      case .domainAdd: (.model, ["alignment"], "a page table mirrors an IOAS from now on")
      case .domainRemove: (.model, ["alignment"], "a page table no longer mirrors its IOAS")
      case .attach: (.model, ["device", "hwpt", "pasid"], "a device's DMA goes through a page table")
      case .detach:
        (.model, ["device", "hwpt", "pasid"], "a device's DMA no longer goes through a page table")
      case .replace:
        (.model, ["device", "old", "hwpt", "pasid"], "a device's DMA goes through another page table")
      case .registerWrite:
        (.hardware, ["iommu", "offset", "value"], "the driver writes a register of an IOMMU")
      case .command: (.hardware, ["kind", "opcode", "words"], "an IOMMU carries out a command of its queue")
      case .translate:
        (
          .hardware, ["device", "iova", "pasid", "access", "kind", "result", "address", "cached", "code"],
          "an IOMMU answers a device"
        )
      case .walkStep:
        (.hardware, ["structure", "at", "words"], "an IOMMU reads a structure on the way to an answer")
      case .dma:
        (.hardware, ["device", "iova", "length", "access", "result"], "a device reads or writes memory")
      case .pageRequest:
        (.hardware, ["device", "iova", "last"], "a device asks for a page to be made present")
      case .deviceInvalidate:
        (.hardware, ["device", "iova", "size"], "an IOMMU tells a device to forget translations")
      case .interrupt: (.hardware, ["iommu"], "an IOMMU interrupts its driver")
      }
    }
  }

  public let kind: Kind
  /// In the order of the row's fields.
  public let values: [Fact]

  public init(_ kind: Kind, _ values: Fact...) {
    self.kind = kind
    self.values = values
  }

  /// Fields by name, without those that do not apply.
  public var fields: [(name: String, value: Fact)] {
    zip(kind.row.fields, values).compactMap { name, value in
      if case .none = value { nil } else { (name, value) }
    }
  }
}
