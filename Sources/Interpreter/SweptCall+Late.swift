// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Views

// What Linux promises of failures that a call cannot be made again after: it is as if the call had not been made, or as
// if nothing had failed. Every other line is a fact about the kernel; what is not here is a defect of the model.

extension SweptCall {
  /// The kinds of points that take a run of their own.
  func lateKinds(of bench: any Bench) -> Set<String> {
    isExempt ? Set(bench.failurePoints.map(\.name)) : unrepeatable
  }

  /// Whether the call may succeed although this failed.
  func mayGoOn(without failure: InjectedFailure) -> Bool { isExempt || failure.kind != "answer" }

  /// Whether such a failure may leave this: differences to what the call leaves by itself, as `FactText.difference` has
  /// them.
  func mayLeave(_ changes: [String], without failure: InjectedFailure) -> Bool {
    switch (name, failure.kind) {
    // A device that cannot take part in page requests goes on without. `amd_iommu_iopf_add_device`.
    case ("device add", "spare"), ("close", "spare"), ("unbind", "spare"),
      ("VFIO_DEVICE_ATTACH_IOMMUFD_PT", "spare"):
      changes.allSatisfy {
        $0.contains("].pri: yes became no") || $0.contains("].page-requests: yes became no")
      }
    // Nobody can refuse it: a device whose own domain finds no memory is blocked, without the domain ID and the
    // capabilities that the domain would have brought. `__iommu_group_set_domain_nofail`.
    case ("close", _), ("unbind", _), ("process exit", _):
      changes.contains { $0.hasSuffix("became blocked") }
        && changes.allSatisfy { $0.hasSuffix("became blocked") || Self.isOfBlockedDevice($0) }
    // The RID is detached, whatever it was that was attached. `vfio_df_ioctl_attach_pt`, reference Q2.
    case ("VFIO_DEVICE_ATTACH_IOMMUFD_PT", "answer"):
      changes.contains { $0.contains("].vfio-attached: yes became no") }
    // EINVAL means that this automatic HWPT does not suit, so another one is made.
    // `iommufd_device_auto_get_domain`.
    case (_, "regions") where attaches: changes.contains { $0.contains("].objects.count: ") }
    // The event is lost, and the queue says so. `iommufd_viommu_report_event`.
    case ("TEST TRIGGER_VEVENT", "spare"), ("dma read", "spare"), ("dma write", "spare"),
      ("dma atomic", "spare"):
      changes.allSatisfy { $0.contains("].events: ") || $0.contains("].lost: ") }
    // What was read or answered before it is told as a short count. `iommufd_fault_fops_read`, `_write`.
    case ("faultq read", "copy"), ("faultq read", "alloc"), ("faultq reply", "copy"):
      changes.allSatisfy { $0.contains("].queued: ") || $0.contains("].cookies.count: ") }
    case ("veventq read", "copy"):
      changes.allSatisfy { $0.contains("].events: ") || $0.contains("].lost: no became yes") }
    default: false
    }
  }
}
