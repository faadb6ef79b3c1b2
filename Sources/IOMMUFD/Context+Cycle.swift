// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory

// IOMMU_IOAS_MAP_FILE takes any file, and the mapping holds a reference to it, as `iopt_alloc_file_pages` does. Of an
// iommufd, of its fault and event queues and of a VFIO device that is bound to it, that reference leads back: once the
// descriptors are closed, nobody but the file itself holds it, and it stays for ever, with all that is in it. So it does
// in the kernel, where nothing looks for such rings (Unix sockets alone have a collector).

extension Context {
  /// Whether the file stays open whoever closes it, since what is mapped in it keeps it open.
  public var keepsItselfOpen: Bool {
    var seen: Set<ObjectIdentifier> = []
    var waiting = mappedFiles
    while let next = waiting.popLast() {
      if next === file { return true }
      guard seen.insert(ObjectIdentifier(next)).inserted else { continue }
      if let other = next as? ContextFile { waiting += other.context.mappedFiles }
      if let kept = next.keptFile { waiting.append(kept) }
    }
    return false
  }

  /// Every file that a mapping of an IOAS holds.
  private var mappedFiles: [OpenFile] {
    ObjectCensus(self).sources.compactMap { source in
      if case .file(let file, _) = source.pages.source { file } else { nil }
    }
  }
}
