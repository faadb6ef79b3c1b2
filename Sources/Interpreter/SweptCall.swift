// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI
internal import Views

// Where Linux promises less than "refused with the errno of the step that failed, and nothing has changed". Every line
// is a fact about the kernel; what is not here is a defect of the model.

/// What a sweep knows of a call.
struct SweptCall {
  /// `IOAS_MAP`, `TEST MD_CHECK_MAP`, `open`, `device add`
  let name: String
  /// The named values that a request has in its fields: `data_type=VTD_S1`.
  let values: [String]

  /// What nobody can refuse: each failure in it has a run of its own, see `LateFailures`.
  ///
  /// - What a device does by itself: no request fails when the kernel has no memory to take notice of it.
  /// - The end of a file: a device whose own domain finds no memory then stays blocked, and the kernel complains in its
  ///   log. `__iommu_group_set_domain_nofail`.
  private static let exempt: Set<String> = [
    "dma read", "dma write", "dma atomic", "dma wait", "ats", "fault", "close", "access close", "unbind",
    "process exit",
  ]

  /// Calls that attach a device, to an IOAS or to an HWPT.
  var attaches: Bool {
    switch name {
    case "VFIO_DEVICE_ATTACH_IOMMUFD_PT", "TEST MOCK_DOMAIN", "TEST MOCK_DOMAIN_FLAGS",
      "TEST MOCK_DOMAIN_REPLACE",
      "TEST PASID_ATTACH", "TEST PASID_REPLACE":
      true
    default: false
    }
  }

  /// Kinds of points after which the call cannot be made again as if nothing had happened.
  ///
  /// - `answer`: it is done.
  /// - `spare`: it goes on, or what is lost is lost.
  /// - `regions`, while attaching: with an IOAS, EINVAL means that an automatic HWPT does not suit, and another is
  ///   made.
  /// - `copy` and `alloc` of queues: what was read or answered before is told as a short count.
  var unrepeatable: Set<String> {
    if attaches { return ["answer", "spare", "regions"] }
    switch name {
    case "faultq read", "faultq reply", "veventq read": return ["answer", "spare", "copy", "alloc"]
    default: return ["answer", "spare"]
    }
  }

  /// Whether nothing is to be made to fail.
  var isExempt: Bool { Self.exempt.contains(name) }

  /// Whether a failure may be told as something else.
  func mayAnswer(_ errno: Errno, for failure: InjectedFailure) -> Bool {
    switch (name, failure.kind) {
    // Every error of this lookup is EINVAL. `iommufd_hwpt_alloc`.
    case ("HWPT_ALLOC", "lookup"): errno == .EINVAL
    // The number of entries done is written back first. `iommufd_hwpt_invalidate`.
    case ("HWPT_INVALIDATE", _): errno == .EFAULT
    // The new domain does not want the device, and what fails is the way back to the old one.
    case (_, "alloc") where attaches: errno == .ENODEV
    default: false
    }
  }

  /// Whether a call that failed may have changed this: paths with both values, as `FactText.difference` has them.
  ///
  /// - Parameter errno: what it answered.
  func mayChange(_ changes: [String], answering errno: Errno?, for failure: InjectedFailure) -> Bool {
    // A device that leaves its old domain before the new one takes it, or that the old one does not take back, is on
    // neither: blocked, without the domain ID and the capabilities that a domain would have brought.
    let reach = errno == failure.errno ? ".reach-or-blocked" : ".reach"
    let isBlocked = attaches && changes.contains { $0.contains(reach) && $0.hasSuffix("became blocked") }
    return changes.allSatisfy { change in
      if isBlocked, change.contains(".reach") { return change.hasSuffix("became blocked") }
      if isBlocked, Self.isOfBlockedDevice(change) { return true }
      // A failed replacement inside one IOAS takes the reserved regions of the device along (reference Q4).
      if attaches, change.hasPrefix("files"), change.contains("].reserved") || change.contains("].iovas") {
        return true
      }
      // The first of two cuts is done. `iopt_cut_iova`. So there are more ends of mappings where devices are looked at.
      return name == "VFIO_IOMMU_UNMAP_DMA"
        && (change.contains("].areas") || change.hasPrefix("devices") && change.contains(".count: "))
    }
  }

  /// What a device does not have while it is blocked.
  static func isOfBlockedDevice(_ change: String) -> Bool {
    change.contains("].domain-ids: ")
      || ["ats", "pri", "pasid", "page-requests"].contains { change.contains("].\($0): yes became no") }
  }
}
