// SPDX-License-Identifier: GPL-3.0-or-later

/// Two words of a command.
typealias Words = (UInt64, UInt64)

/// IOTINVAL.VMA.
func vma(
  pscid: UInt64? = nil, gscid: UInt64? = nil, page: UInt64? = nil, napot: Bool = false, nonLeaf: Bool = false
) -> Words {
  var low: UInt64 = 1
  if let pscid { low |= 1 << 32 | pscid << 12 }
  if let gscid { low |= 1 << 33 | gscid << 44 }
  if page != nil { low |= 1 << 10 }
  if nonLeaf { low |= 1 << 34 }
  let high: UInt64 = (page ?? 0) << 10 | (napot ? 1 << 9 : 0)
  return (low, high)
}

/// IOTINVAL.GVMA.
func gvma(gscid: UInt64? = nil, page: UInt64? = nil, nonLeaf: Bool = false) -> Words {
  let words = vma(gscid: gscid, page: page, nonLeaf: nonLeaf)
  return (words.0 | 0x80, words.1)
}

/// IODIR.INVAL_DDT.
func invalDDT(_ device: UInt64? = nil) -> Words {
  guard let device else { return (3, 0) }
  return (3 | 1 << 33 | device << 40, 0)
}

/// IODIR.INVAL_PDT.
func invalPDT(_ device: UInt64, _ process: UInt64) -> Words {
  (0x83 | 1 << 33 | device << 40 | process << 12, 0)
}
