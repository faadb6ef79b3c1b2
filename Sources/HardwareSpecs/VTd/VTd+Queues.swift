// SPDX-License-Identifier: GPL-3.0-or-later

// What is in the invalidation queue, the page request queue and the fault recording registers.

extension VTd {
  /// Invalidation descriptors, by first and second word. VT-d section 6.5.2.
  public enum Descriptor {
    public static let type = Field(0...3)
    public static let typeHigh = Field(9...11)

    public enum Kind {
      public static let contextCache: UInt64 = 1
      public static let iotlb: UInt64 = 2
      public static let deviceTLB: UInt64 = 3
      public static let interruptEntryCache: UInt64 = 4
      public static let wait: UInt64 = 5
      public static let pasidIOTLB: UInt64 = 6
      public static let pasidCache: UInt64 = 7
      public static let pasidDeviceTLB: UInt64 = 8
      public static let pageGroupResponse: UInt64 = 9
    }

    public enum ContextCache {
      public static let g = Field(4...5)
      public static let did = Field(16...31)
      public static let sid = Field(32...47)
      public static let fm = Field(48...49)
    }

    public enum IOTLB {
      public static let g = Field(4...5)
      public static let dw = Field(6)
      public static let dr = Field(7)
      public static let did = Field(16...31)
      public static let am = Field(0...5)
      public static let ih = Field(6)
      public static let address = Field(12...63)
    }

    public enum DeviceTLB {
      public static let pfsidLow = Field(12...15)
      public static let qdep = Field(16...20)
      public static let sid = Field(32...47)
      public static let pfsidHigh = Field(52...63)
      public static let s = Field(0)
      public static let address = Field(12...63)
    }

    public enum InterruptEntryCache {
      public static let g = Field(4)
      public static let im = Field(27...31)
      public static let iidx = Field(32...47)
    }

    public enum Wait {
      public static let `if` = Field(4)
      public static let sw = Field(5)
      public static let fn = Field(6)
      public static let pd = Field(7)
      public static let statusData = Field(32...63)
      public static let statusAddress = Field(2...63)
    }

    public enum PASIDIOTLB {
      public static let g = Field(4...5)
      public static let did = Field(16...31)
      public static let pasid = Field(32...51)
      public static let am = Field(0...5)
      public static let ih = Field(6)
      public static let address = Field(12...63)
    }

    public enum PASIDCache {
      public static let g = Field(4...5)
      public static let did = Field(16...31)
      public static let pasid = Field(32...51)
    }

    public enum PASIDDeviceTLB {
      public static let qdep = Field(4...8)
      public static let pfsidLow = Field(12...15)
      public static let sid = Field(16...31)
      public static let pasid = Field(32...51)
      public static let pfsidHigh = Field(52...63)
      public static let g = Field(0)
      public static let s = Field(11)
      public static let address = Field(12...63)
    }

    public enum PageGroupResponse {
      public static let pasidPresent = Field(4)
      public static let code = Field(12...15)
      public static let rid = Field(16...31)
      public static let pasid = Field(32...51)
      public static let lpig = Field(2)
      public static let prgi = Field(3...11)
    }

    /// Granularities of types 1 and 2, and of the registers that do the same.
    public enum Granularity {
      public static let global: UInt64 = 1
      public static let domain: UInt64 = 2
      /// A device of the context cache, a page of the IOTLB.
      public static let selective: UInt64 = 3
    }

    /// Granularities of type 6.
    public enum PASIDIOTLBGranularity {
      public static let pasid: UInt64 = 2
      public static let page: UInt64 = 3
    }

    /// Granularities of type 7.
    public enum PASIDCacheGranularity {
      public static let domain: UInt64 = 0
      public static let pasid: UInt64 = 1
      public static let global: UInt64 = 3
    }

    /// The field that the function mask of a context-cache invalidation leaves out of the comparison.
    public static let functionMasks: [UInt64] = [0, 4, 6, 7]
  }

  /// Page request descriptor: 32 bytes. VT-d section 7.4.1.
  public enum PageRequestDescriptor {
    public static let size: UInt64 = 32
    public static let typeValue: UInt64 = 1
    public static let type = Field(0...7)
    public static let pasidPresent = Field(8)
    public static let privateData = Field(9)
    public static let rid = Field(16...31)
    public static let pasid = Field(32...51)
    public static let execute = Field(52)
    public static let privileged = Field(53)
    // Second word.
    public static let read = Field(0)
    public static let write = Field(1)
    public static let lpig = Field(2)
    public static let prgi = Field(3...11)
    public static let address = Field(12...63)
  }

  /// Fault recording register: two words, of which software reads four halves. VT-d section 11.4.7.6.
  public enum FaultRecord {
    public static let fi = Field(12...63)
    /// The index of a faulting interrupt, in the first word.
    public static let interruptIndex = Field(48...63)
    // Second word.
    public static let sid = Field(0...15)
    public static let t2 = Field(28)
    public static let priv = Field(29)
    public static let exe = Field(30)
    public static let pp = Field(31)
    public static let fr = Field(32...39)
    public static let pv = Field(40...59)
    public static let at = Field(60...61)
    public static let t1 = Field(62)
    public static let f = Field(63)
  }
}
