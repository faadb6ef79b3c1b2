// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// `modelled.md`: what is modelled, by kernel and by IOMMU, and what happens where it is not.
///
/// Requests, structs, names, options and mistakes come from their tables. What no table knows, what hardware and drivers do
/// and what is left out, is written here.
enum ModelledPage {
  static func text(_ tool: ToolDescription) -> String {
    """
    <!-- SPDX-License-Identifier: GPL-3.0-or-later -->
    <!-- \(Origin.sentence) -->

    # What is modelled, and what is not

    The answers are those of Linux \(Personality.allCases.map(\.rawValue).joined(separator: " and "))\
     (\(Personality.standard.rawValue) when nothing is said), as recordings of real kernels have them. What a kernel does not have
    is refused as it refuses it.

    - [Parts](#parts)
    - [Requests](#requests)
    - [Test operations](#test-operations)
    - [Names of the uAPI](#names-of-the-uapi)
    - [IOMMUs](#iommus)
    - [Options of the IOMMUs](#options-of-the-iommus)
    - [Mistakes on request](#mistakes-on-request)
    - [Where the model differs](#where-the-model-differs)


    """
      + "## Parts\n\n" + Markdown.table(["part", "modelled", "not modelled", "what happens instead"], parts)
      + requests() + operations() + names()
      + "## IOMMUs\n\nEach is hardware, and in front of it a driver that writes what Linux 7.2's writes.\n\n"
      + Markdown.table(["", "VT-d", "AMD-Vi", "SMMUv3", "RISC-V", "s390"], features)
      + "Linux 7.2 hands no device behind a RISC-V IOMMU to user space (`bind` is EINVAL); `riscv:vfio=isolated` is a kernel "
      + "that does. With `--kernel 6.12` the drivers write 7.2's command sequences all the same.\n\n"
      + options(tool) + mistakes(tool) + "## Where the model differs\n\n"
      + differences.map { "- \($0)\n" }.joined()
  }

  // MARK: From tables

  private static func requests() -> String {
    func size(_ row: CommandRow, _ kernel: Personality) -> String {
      guard row.exists(in: kernel.version) else { return "ENOTTY" }
      let bytes = row.fullSize(kernel.version)
      return bytes == 0 ? "no struct" : "\(bytes) bytes"
    }
    let families: [(title: String, note: String, rows: [CommandRow])] = [
      ("Of `/dev/iommu`", "", CommandTable.iommufd + [CommandTable.selftest]),
      (
        "Of VFIO type1, on `/dev/iommu`",
        "Any other request of VFIO is ENOTTY. `/dev/vfio/vfio` is `/dev/iommu` for programs.\n\n",
        CommandTable.vfio
      ),
      (
        "Of a VFIO device, `/dev/vfio/devices/vfioN`",
        "A file that has not bound its device answers EINVAL to everything but that; after it, any other request is ENOTTY.\n\n",
        CommandTable.vfioDevice
      ),
    ]
    var text =
      "## Requests\n\nThe struct that each kernel knows. A longer one needs a tail of zeros (E2BIG).\n\n"
    for family in families {
      text += "### \(family.title)\n\n" + family.note
      text += Markdown.table(
        ["request", "number", "since"] + Personality.allCases.map(\.rawValue) + ["what it does"],
        family.rows.map { row in
          [
            "[\(row.name)](reference.md#\(Markdown.anchor(ReferencePage.heading(row))))",
            "0x\(String(row.request, radix: 16))",
            "\(row.since)",
          ]
            + Personality.allCases.map { size(row, $0) } + [row.summary]
        })
    }
    return text + "### VFIO's other requests\n\n"
      + Markdown.table(
        ["request", "number", "on", "what happens"],
        otherRequests.map {
          [$0.name, "0x\(String($0.number, radix: 16))", $0.file.rawValue, $0.file.answer]
        })
  }

  private static func operations() -> String {
    "## Test operations\n\nOf TEST_CMD, which kernels built with the selftest driver have. One that a kernel lacks is "
      + "EOPNOTSUPP.\n\n"
      + Markdown.table(
        ["operation", "number", "since"] + Personality.allCases.map(\.rawValue) + ["what it does"],
        CommandTable.selftestOps.map { op in
          [op.name, "\(op.number)", "\(op.since)"]
            + Personality.allCases.map { op.exists(in: $0.version) ? "yes" : "no" } + [op.summary]
        })
  }

  private static func names() -> String {
    var rows: [[String]] = []
    for names in Vocabulary.enumerations where names.type != "POLL" && names.type != "IOMMU_TEST_OP" {
      for entry in names.entries {
        rows.append(
          [Markdown.code(names.type), entry.name, "0x\(String(entry.value, radix: 16))", "\(entry.since)"]
            + Personality.allCases.map { entry.since <= $0.version ? "yes" : "no" })
      }
    }
    return
      "## Names of the uAPI\n\nFlags and enumerations, and which kernel's header has them. Some are there to be refused: "
      + "VFIO's VADDR and GET_DIRTY_BITMAP on `/dev/iommu` are EINVAL.\n\n"
      + Markdown.table(["type", "name", "value", "since"] + Personality.allCases.map(\.rawValue), rows)
  }

  private static func options(_ tool: ToolDescription) -> String {
    var text =
      "## Options of the IOMMUs\n\n`--backend KIND:OPTION,OPTION=VALUE`, or `iommu io kind=KIND OPTION=VALUE`.\n\n"
    for kind in tool.iommus {
      text += "### \(kind.name)\n\n\(kind.summary).\n\n"
      text += Markdown.table(
        ["option", "takes", "what it is"],
        kind.options.map { option in
          let takes =
            option.words?.joined(separator: ", ") ?? (option.isFlag ? "nothing, or 0 for off" : "a number")
          return [Markdown.code(option.name), takes, option.summary]
        })
    }
    return text
  }

  private static func mistakes(_ tool: ToolDescription) -> String {
    "## Mistakes on request\n\n`--bug NAME`, or `bug $io NAME`. Each driver has those that it can make.\n\n"
      + Markdown.table(
        ["mistake", "what the driver does"], tool.mistakes.map { [Markdown.code($0.name), $0.summary] })
  }

  // MARK: By hand

  /// Where a request of VFIO that is not modelled would be made.
  enum OtherFile: String {
    case container = "a container"
    case group = "a group"
    case device = "a device"

    var answer: String {
      switch self {
      case .container: "ENOTTY on `/dev/iommu`, as in Linux"
      case .group: "there is no such file: ENOENT"
      case .device: "EINVAL before the device is bound, ENOTTY after it"
      }
    }
  }

  /// Requests of VFIO that have no row. Source: `include/uapi/linux/vfio.h`. Tests make each.
  static let otherRequests: [(name: String, number: UInt32, file: OtherFile)] = [
    ("VFIO_GROUP_GET_STATUS", 0x3B67, .group), ("VFIO_GROUP_SET_CONTAINER", 0x3B68, .group),
    ("VFIO_GROUP_UNSET_CONTAINER", 0x3B69, .group), ("VFIO_GROUP_GET_DEVICE_FD", 0x3B6A, .group),
    ("VFIO_DEVICE_GET_REGION_INFO", 0x3B6C, .device), ("VFIO_DEVICE_GET_IRQ_INFO", 0x3B6D, .device),
    ("VFIO_DEVICE_SET_IRQS", 0x3B6E, .device), ("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", 0x3B70, .device),
    ("VFIO_DEVICE_PCI_HOT_RESET", 0x3B71, .device), ("VFIO_DEVICE_QUERY_GFX_PLANE", 0x3B72, .device),
    ("VFIO_DEVICE_GET_GFX_DMABUF", 0x3B73, .device), ("VFIO_DEVICE_IOEVENTFD", 0x3B74, .device),
    ("VFIO_DEVICE_FEATURE", 0x3B75, .device), ("VFIO_IOMMU_ENABLE", 0x3B73, .container),
    ("VFIO_IOMMU_DISABLE", 0x3B74, .container), ("VFIO_IOMMU_DIRTY_PAGES", 0x3B75, .container),
    ("VFIO_EEH_PE_OP", 0x3B79, .container), ("VFIO_IOMMU_SPAPR_TCE_CREATE", 0x3B77, .container),
    ("VFIO_IOMMU_SPAPR_TCE_REMOVE", 0x3B78, .container),
  ]

  private static let parts: [[String]] = [
    [
      "kernels", "7.2 and 6.12, from recordings", "others",
      "`--kernel` takes no other; commands newer than 7.2 (NOIOMMU_GET_PA) answer ENOTTY",
    ],
    [
      "requests",
      "0x80...0x94 and the selftest command; VFIO type1 on `/dev/iommu`; bind, attach, detach, info and reset of "
        + "VFIO device files",
      "regions, interrupts and configuration space of VFIO devices; VFIO groups and containers",
      "ENOTTY on a bound device file; there are no files for groups",
    ],
    [
      "IOAS",
      "placement, allowed and reserved ranges, map, file and dma-buf map, copy, unmap, options, process change, "
        + "accounting in both modes",
      "live update", "nothing asks for it",
    ],
    [
      "memory",
      "private, shared, memfd, huge pages, read-only, holes, fork, exit; the rules of get_user_pages",
      "swap, NUMA", "memory stays where it is, on one node",
    ],
    ["page tables", "automatic and manual, nested, dirty tracking, PASID, faults", "", ""],
    ["virtual IOMMUs", "vIOMMU, vDEVICE with tombstones, vEVENTQ, HW queue, mmap windows", "", ""],
    [
      "IOMMUs",
      "the kernel's mock driver, as 6.12 and as 7.2 have it; Intel VT-d, AMD-Vi, Arm SMMUv3 with Tegra241 CMDQV, "
        + "RISC-V, s390, each as hardware and as Linux 7.2's driver",
      "Apple, Rockchip, virtio and other IOMMUs; SVA; 6.12's command sequences where they differ",
      "such a kind is an error of the script; nothing shares a process's page table with a device; 7.2's sequences are written",
    ],
    [
      "devices",
      "PCI functions with groups, ATS, PRI and PASID, a cache of their own, DMA, atomics, interrupts, page requests",
      "configuration space, regions, physical functions of virtual ones",
      "`device enable` sets the capabilities' control bits; a virtual function says only that it is one",
    ],
    [
      "front ends",
      "scripts, the prompt, the recordings' format, unmodified programs (x86-64, Linux 5.14 or newer), corpora of "
        + "syzkaller and of fuzzers",
      "syzkaller calls that are neither iommufd's nor VFIO's nor what those need", "left out, and named",
    ],
    [
      "language",
      "everything of the [reference](reference.md); threads and all their orders, failures on purpose",
      "`atomic`", "a reserved word (P0208); `checkpoint` and `rollback` are the prompt's",
    ],
  ]

  private static let features: [[String]] = [
    [
      "hardware", "legacy and scalable mode, both stages, nested, 4 and 5 levels", "v1, v2, nested",
      "stages 1 and 2, nested, 4K/16K/64K, HTTU", "Sv39/48/57 and x4, two stages, MSI tables",
      "region to page tables, RPCIT, mirroring",
    ],
    [
      "registers, queues, faults", "all fault reasons, invalidation and page request queues",
      "command, event and PPR logs",
      "command, event and PRI queues, stall", "CQ, FQ, PQ, debug, HPM", "CLP, MPCIFC, events",
    ],
    ["attach, replace, PASID", "yes", "yes (v2)", "yes", "RID only, as Linux", "RID only, as Linux"],
    [
      "nesting through iommufd", "VTD_S1, HWPT_INVALIDATE", "AMD_GUEST on a vIOMMU",
      "vIOMMU, vDEVICE, vEVENTQ; Tegra241 HW queues", "no, as Linux; by hand in a script", "no hardware",
    ],
    ["dirty tracking", "second stage", "v1", "stage 1", "no, as Linux", "no hardware"],
    [
      "page requests", "PRI", "PPR, with a PASID", "stall; PRI is denied, as Linux", "no, as Linux; by hand",
      "no hardware",
    ],
    [
      "interrupt remapping", "yes", "yes", "software MSI window", "MSI tables by hand",
      "adapter interrupts not",
    ],
    ["GET_HW_INFO", "type 1", "type 4", "types 2, 3", "none, as Linux", "none, as Linux"],
  ]

  private static let differences = [
    "A mock device that is destroyed with PASIDs attached leaks for ever in the kernel; the model releases what it held when "
      + "the file closes. That is the one deliberate difference.",
    "Under `iofd exec` descriptors are sockets: fstat(2) says so, and reading one of `/dev/iommu` gives nothing instead of "
      + "EINVAL. Descriptors of fault and event queues have high numbers (960 to 1023), not the lowest free one.",
    "There, a page that a program gave up while it was pinned is out of reach (EFAULT) unless it was shared.",
    "There, programs have root's capabilities until they drop one that they were started with.",
    "There, descriptors of one table that several processes share (CLONE_FILES) are served, and left out of recordings.",
    "There, a signal handler without SA_RESTART may see EINTR from a call that waits to be looked at.",
    "Programs of other architectures than x86-64 run, and find no `/dev/iommu`.",
  ]
}
