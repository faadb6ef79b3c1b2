// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

extension Lesson {
  /// The lessons, the first one first. They are the scripts of `examples/lessons`, which are part of the program, so that
  /// they are there wherever it runs.
  public static let all: [Lesson] = [
    ("01-what-is-an-ioas", PackageResources._1_what_is_an_ioas_iofd),
    ("02-mapping-and-reading-back", PackageResources._2_mapping_and_reading_back_iofd),
    ("03-pins-and-accounting", PackageResources._3_pins_and_accounting_iofd),
    ("04-where-things-may-go", PackageResources._4_where_things_may_go_iofd),
    ("05-two-domains-one-pin", PackageResources._5_two_domains_one_pin_iofd),
    ("06-dirty-tracking", PackageResources._6_dirty_tracking_iofd),
    ("07-vfio-type1", PackageResources._7_vfio_type1_iofd),
    ("08-pasid", PackageResources._8_pasid_iofd),
    ("09-a-guests-own-table", PackageResources._9_a_guests_own_table_iofd),
    ("10-nested-page-faults", PackageResources._0_nested_page_faults_iofd),
  ].map { name, bytes in
    do throws(Mistake) {
      return try Lesson(SourceFile(name: "\(name).iofd", bytes: bytes))
    } catch {
      preconditionFailure("\(name), line \(error.line): \(error.why)")
    }
  }
}
