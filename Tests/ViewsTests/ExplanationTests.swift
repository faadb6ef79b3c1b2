// SPDX-License-Identifier: GPL-3.0-or-later

import Testing
import Views

/// Plain words.
@Suite struct ExplanationTests {
  /// Every kind of object, and accesses that end well and otherwise.
  @Test func objectsAndAccessesAreExplained() throws {
    let subjects = ["vm", "host", "rid", "own", "q", "s2", "v", "vd", "ev", "s1", "nic", "gpu", "io"]
    var script = try scene() + "device add idle behind $io\n"
    for subject in subjects { script += "explain $\(subject)\n" }
    script += """
      explain $nic 0x40000004
      explain $nic 0x40000004 pasid=5
      explain $nic 0x50000000 write
      explain $nic 0x1000 pasid=6
      explain $gpu 0x4000
      explain $idle 0x1000
      """
    try Project.expect(printed(script), is: "explain.txt")
  }

  /// It says that an object can be destroyed exactly when that works.
  @Test func destroyingIsForetold() {
    for (subject, works) in [("vm", false), ("hw", true), ("q", true)] {
      let text = printed(
        """
        iofd 1
        dev = device add
        vm = ioas create
        attach $dev to=$vm
        hw = hwpt create dev=$dev parent=$vm
        q = faultq create
        close $q
        explain $\(subject)
        destroy $\(subject)   -> \(works ? "ok" : "EBUSY")
        """)
      #expect(text.contains("it can be destroyed") == works, "\(text)")
      #expect(text.contains("EBUSY") != works, "\(text)")
    }
  }
}
