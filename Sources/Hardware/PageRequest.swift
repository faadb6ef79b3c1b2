// SPDX-License-Identifier: GPL-3.0-or-later

/// A PCI page request message: a device asks for a page before it uses it.
/// PCI Express Base Specification, section 10.4.
public struct PageRequest: Hashable, Sendable {
  public var source: UInt32
  public var pasid: UInt32?
  /// A multiple of 4 KiB.
  public var address: UInt64
  public var read: Bool
  public var write: Bool
  public var execute: Bool
  public var privileged: Bool
  /// The last request of its group: only this one is answered.
  public var last: Bool
  /// Page request group index, 9 bits.
  public var group: UInt16

  public init(
    source: UInt32, pasid: UInt32? = nil, address: UInt64, read: Bool = true, write: Bool = false,
    execute: Bool = false, privileged: Bool = false, last: Bool = true, group: UInt16 = 0
  ) {
    self.source = source
    self.pasid = pasid
    self.address = address
    self.read = read
    self.write = write
    self.execute = execute
    self.privileged = privileged
    self.last = last
    self.group = group
  }
}

/// The answer to a page request group. PCI Express Base Specification, section 10.4.2: the response codes.
public struct PageResponse: Hashable, Sendable {
  public enum Code: UInt8, Sendable { case success = 0, invalidRequest = 1, failure = 0xF }
  public var source: UInt32
  public var pasid: UInt32?
  public var group: UInt16
  public var code: Code

  public init(source: UInt32, pasid: UInt32? = nil, group: UInt16, code: Code) {
    self.source = source
    self.pasid = pasid
    self.group = group
    self.code = code
  }
}

/// What an IOMMU tells a device to forget. An ATS invalidation covers `1 << sizeLg2` bytes, aligned; 64 means
/// everything.
public struct DeviceTLBInvalidation: Hashable, Sendable {
  public var source: UInt32
  public var pasid: UInt32?
  public var address: UInt64
  public var sizeLg2: UInt8
  /// The range is to be forgotten for all PASIDs: the G bit of an invalidation with PASID.
  public var allPASIDs: Bool

  public init(
    source: UInt32, pasid: UInt32? = nil, address: UInt64, sizeLg2: UInt8, allPASIDs: Bool = false
  ) {
    self.source = source
    self.pasid = pasid
    self.address = address
    self.sizeLg2 = sizeLg2
    self.allPASIDs = allPASIDs
  }
}
