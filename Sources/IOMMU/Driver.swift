// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// What an IOMMU driver offers: `struct iommu_ops`. One instance stands for one kind of hardware; domains
/// and devices belong to the same driver when they name the same instance.
public protocol IOMMUDriver: AnyObject, Sendable {
  /// For messages: `mock`, `intel-vtd`, ...
  var name: String { get }
}
