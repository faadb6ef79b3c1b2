// SPDX-License-Identifier: GPL-3.0-or-later

/// The locks of the model by what they guard, as `show points` and messages name them.
///
/// A class, not a lock: every IOAS has an `areas` lock of its own.
public enum LockName: UInt8, CaseIterable, Sendable {
  // Locks of IOMMUFD.
  case pages, domains, areas, ioas, ioasCreation, objects, access, group, devices, softwareMSI, fault,
    faultQueue, eventQueue, eventQueues, virtualDevices, hardwareQueue, dmabuf, tableDamage, module
  // Locks of the IOMMU core.
  case coreGroup, groupNumbers, faultRecords, function, deviceFaults
  // Locks of memory.
  case mmap, fileTable, pageCache, frames, mapperLink, spareMemory
  // Locks of the machine.
  case machine, hardware, endpoint, unit, fabric, vfioDevice, vfioRegistration, selftestAccess
  // Locks of page tables.
  case tableFrames, tableRoot, mockTables, mockDriver, mockDevice, mockCache, mockVIOMMU, mockFaults
  // Locks of the VT-d driver.
  case vtdDomain, vtdDomainUnits, vtdDomainIDs, vtdCacheTags, vtdDevices, vtdTracking, vtdNested,
    vtdPASIDTable, vtdStructures, vtdRegisters, vtdQueue, vtdInterrupt, vtdRemapping
  // Locks of the AMD-Vi driver.
  case amdDriver, amdDevices, amdDomain, amdDomainIDs, amdGuestDomainIDs, amdDeviceEntry, amdGCR3,
    amdGCR3Table, amdCommands, amdLogs, amdInterrupts
  // Locks of the SMMUv3 driver.
  case smmuASIDs, smmuASIDNumbers, smmuVMIDs, smmuStreams, smmuInvalidations, smmuCommandQueue,
    smmuEventQueue, cmdqvFront, cmdqvInterface
  // Locks of the RISC-V driver.
  case riscvDriver, riscvBonds, riscvPages, riscvCommandQueue, riscvInterrupts
  // Locks of the s390 driver.
  case zpciFunctions, zpciFunction, zpciDomain
  /// Of a front end: nothing that a script's thread comes to takes it.
  case frontEnd

  /// Its name in scripts, and what it guards.
  public var text: (name: String, guards: String) {
    switch self {
    case .pages: ("pages", "a source of pages: its pins, its charges, what maps it")
    case .domains:
      ("domains", "which page tables mirror an IOAS; shared by map and unmap, exclusive for attach")
    case .areas: ("areas", "the mappings and reservations of an IOAS; exclusive for short steps only")
    case .ioas: ("ioas", "the page tables that were made for an IOAS")
    case .ioasCreation:
      ("ioas-creation", "held shared while an IOAS is made, exclusive for a change of process")
    case .objects: ("objects", "the objects of an open file by ID")
    case .access: ("access", "the IOAS of an in-kernel access")
    case .group: ("group", "what the devices of a group are attached to")
    case .devices: ("devices", "groups and mmap windows of an open file")
    case .softwareMSI: ("software-msi", "where doorbells of interrupts are mapped")
    case .fault: ("fault", "page faults that wait for an answer")
    case .faultQueue: ("fault-queue", "page faults that nobody has read")
    case .eventQueue: ("event-queue", "events of a virtual IOMMU that nobody has read")
    case .eventQueues: ("event-queues", "the event queues of a virtual IOMMU")
    case .virtualDevices: ("virtual-devices", "the virtual devices of a virtual IOMMU")
    case .hardwareQueue: ("hardware-queue", "what a hardware queue depends on")
    case .dmabuf: ("dmabuf", "a dma-buf and who maps it")
    case .tableDamage: ("table-damage", "what page tables have lost")
    case .module: ("module", "the open files")
    case .coreGroup: ("core-group", "the domain and the owner of a group")
    case .groupNumbers: ("group-numbers", "numbers of groups")
    case .faultRecords: ("fault-records", "what IOMMUs reported")
    case .function: ("function", "the configuration of a PCI function")
    case .deviceFaults: ("device-faults", "page requests of a device that wait for an answer")
    case .mmap: ("mmap", "the mappings of a process")
    case .fileTable: ("file-table", "the descriptors of a process")
    case .pageCache: ("page-cache", "the pages of a file")
    case .frames: ("frames", "free physical memory")
    case .mapperLink: ("mapper-link", "what maps the pages of a process elsewhere")
    case .spareMemory: ("spare-memory", "memory that machines have left")
    case .machine: ("machine", "the processes")
    case .hardware: ("hardware", "IOMMUs and PCI functions that are plugged in")
    case .endpoint: ("endpoint", "a device: its cache, its DMA that waits")
    case .unit: ("unit", "the hardware of an IOMMU, one access at a time")
    case .fabric: ("fabric", "devices behind an IOMMU, and signals on their way")
    case .vfioDevice: ("vfio-device", "the device file of a PCI function")
    case .vfioRegistration: ("vfio-registration", "who has the device file of a PCI function open")
    case .selftestAccess: ("selftest-access", "an access that a test made")
    case .tableFrames: ("table-frames", "the frames of a page table")
    case .tableRoot: ("table-root", "the root of a page table")
    case .mockTables: ("mock-tables", "the tables of a mock page table")
    case .mockDriver: ("mock-driver", "numbers of mock devices")
    case .mockDevice: ("mock-device", "a mock device")
    case .mockCache: ("mock-cache", "the cache of a nested mock page table")
    case .mockVIOMMU: ("mock-viommu", "the queues of a virtual mock IOMMU")
    case .mockFaults: ("mock-faults", "page requests of a mock device on their way; exclusive for attach")
    case .vtdDomain: ("vtd-domain", "devices and PASIDs that a domain serves")
    case .vtdDomainUnits: ("vtd-domain-units", "domain IDs that units have given to a domain")
    case .vtdDomainIDs: ("vtd-domain-ids", "domain IDs of a unit")
    case .vtdCacheTags: ("vtd-cache-tags", "which caches a domain has to invalidate")
    case .vtdDevices: ("vtd-devices", "devices of a unit")
    case .vtdTracking: ("vtd-tracking", "dirty tracking of a domain")
    case .vtdNested: ("vtd-nested", "domains that are nested in one")
    case .vtdPASIDTable: ("vtd-pasid-table", "the PASID table of a device")
    case .vtdStructures: ("vtd-structures", "root and context tables")
    case .vtdRegisters: ("vtd-registers", "registers that are written in steps")
    case .vtdQueue: ("vtd-queue", "the invalidation queue")
    case .vtdInterrupt: ("vtd-interrupt", "the fault and page request interrupts")
    case .vtdRemapping: ("vtd-remapping", "the interrupt remapping table")
    case .amdDriver: ("amd-driver", "units and devices")
    case .amdDevices: ("amd-devices", "devices of a unit")
    case .amdDomain: ("amd-domain", "devices that a domain serves")
    case .amdDomainIDs: ("amd-domain-ids", "domain IDs")
    case .amdGuestDomainIDs: ("amd-guest-domain-ids", "domain IDs of a guest")
    case .amdDeviceEntry: ("amd-device-entry", "an entry of the device table")
    case .amdGCR3: ("amd-gcr3", "the GCR3 table of a device")
    case .amdGCR3Table: ("amd-gcr3-table", "the entries of a GCR3 table")
    case .amdCommands: ("amd-commands", "the command buffer")
    case .amdLogs: ("amd-logs", "the event and page request logs")
    case .amdInterrupts: ("amd-interrupts", "interrupt remapping tables")
    case .smmuASIDs: ("smmu-asids", "attaching and detaching: which ASID is whose")
    case .smmuASIDNumbers: ("smmu-asid-numbers", "numbers of ASIDs")
    case .smmuVMIDs: ("smmu-vmids", "numbers of VMIDs")
    case .smmuStreams: ("smmu-streams", "streams of a unit")
    case .smmuInvalidations:
      ("smmu-invalidations", "whom a domain invalidates; shared by unmap, exclusive for attach")
    case .smmuCommandQueue: ("smmu-command-queue", "the command queue")
    case .smmuEventQueue: ("smmu-event-queue", "the event queue")
    case .cmdqvFront: ("cmdqv-front", "virtual interfaces of a CMDQV")
    case .cmdqvInterface: ("cmdqv-interface", "queues of a virtual interface")
    case .riscvDriver: ("riscv-driver", "units and devices")
    case .riscvBonds: ("riscv-bonds", "devices that a domain serves")
    case .riscvPages: ("riscv-pages", "pages of the device directory")
    case .riscvCommandQueue: ("riscv-command-queue", "the command queue")
    case .riscvInterrupts: ("riscv-interrupts", "the fault and page request interrupts")
    case .zpciFunctions: ("zpci-functions", "functions of the host")
    case .zpciFunction: ("zpci-function", "a function and its domain")
    case .zpciDomain: ("zpci-domain", "functions that a domain serves")
    case .frontEnd: ("front-end", "what belongs to a front end")
    }
  }

  /// Whether several may hold it, to read.
  public var isReaderWriter: Bool {
    switch self {
    case .domains, .areas, .ioasCreation, .eventQueues, .mmap, .mockFaults, .smmuInvalidations: true
    default: false
    }
  }

  /// Whether the model without it goes wrong where it should, in broken invariants, and traps nowhere.
  public var isForgettable: Bool {
    switch self {
    case .domains: true
    default: false
    }
  }
}
