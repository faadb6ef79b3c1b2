// swift-tools-version: 6.2
// SPDX-License-Identifier: GPL-3.0-or-later
import PackageDescription

// Every target is checked as strictly as the compiler can: Swift 6 mode, spelled-out existentials,
// imports that must be written where they are used, and warnings as errors. `Sources/` is layered as
// the design's hourglass is; `.ci/imports` holds the layering to the import lines.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

// `IOFD_LIBFUZZER=1` makes it a build for libFuzzer: every module is instrumented, and there is one more product.
let isForLibFuzzer = Context.environment["IOFD_LIBFUZZER"] != nil
let instrumented: [SwiftSetting] = isForLibFuzzer ? [.unsafeFlags(["-sanitize=fuzzer"])] : []

// The model's inner loops span modules (waist, memory, domain); without this switch each crossing
// costs an unspecialised call.
let hot: [SwiftSetting] =
  strict + instrumented + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

// Half of the time a small script takes from cold is the loading of the language's run-time libraries
// (4.5 ms of 7; 2 ms when they are linked in).
let quickToStart: [LinkerSetting] = [
  .unsafeFlags(["-static-stdlib"], .when(configuration: .release))
]

let package = Package(
  name: "iofd",
  products: [
    .executable(name: "iofd", targets: ["iofd"]),
    .library(name: "UAPI", targets: ["UAPI"]),
    .library(name: "IOMMUFD", targets: ["IOMMUFD"]),
    .library(name: "Machine", targets: ["Machine"]),
    .library(name: "Language", targets: ["Language"]),
    .library(name: "Interpreter", targets: ["Interpreter"]),
  ],
  targets: [
    // The waist.
    .target(name: "UAPI", swiftSettings: hot),
    .target(name: "Bench", dependencies: ["UAPI"], swiftSettings: hot),
    .target(name: "Lockstep", dependencies: ["UAPI"], swiftSettings: hot),

    // Below the waist: the model.
    .target(name: "CSeams"),
    .target(name: "Seams", dependencies: ["UAPI", "Bench", "CSeams"], swiftSettings: hot),
    .target(name: "Memory", dependencies: ["UAPI", "Seams"], swiftSettings: hot),
    .target(name: "HardwareSpecs", swiftSettings: hot),
    .target(
      name: "PageTables", dependencies: ["UAPI", "Seams", "Memory", "HardwareSpecs"], swiftSettings: hot),
    .target(
      name: "Hardware", dependencies: ["UAPI", "Bench", "Seams", "Memory", "HardwareSpecs"],
      swiftSettings: hot),
    .target(name: "IOMMU", dependencies: ["UAPI", "Seams", "Memory"], swiftSettings: hot),
    .target(
      name: "IOMMUFD", dependencies: ["UAPI", "Bench", "Seams", "Memory", "IOMMU"], swiftSettings: hot),
    .target(
      name: "Drivers", dependencies: ["UAPI", "Seams", "Memory", "IOMMU", "PageTables", "HardwareSpecs"],
      swiftSettings: hot),
    .target(
      name: "Selftest", dependencies: ["UAPI", "Bench", "Seams", "Memory", "IOMMU", "IOMMUFD", "Drivers"],
      swiftSettings: hot),
    .target(
      name: "VFIO", dependencies: ["UAPI", "Seams", "Memory", "IOMMU", "IOMMUFD"], swiftSettings: hot),
    .target(
      name: "Machine",
      dependencies: [
        "UAPI", "Bench", "Seams", "Memory", "IOMMU", "IOMMUFD", "Drivers", "Selftest", "VFIO", "Hardware",
        "HardwareSpecs", "PageTables",
      ],
      swiftSettings: hot),

    // Below the waist: a real kernel.
    .target(name: "KernelTarget", dependencies: ["UAPI", "CLinux"], swiftSettings: strict),

    // Above the waist: front ends.
    .target(name: "Language", swiftSettings: hot),
    .target(name: "JSON", swiftSettings: hot),
    .target(name: "Views", dependencies: ["Bench"], swiftSettings: hot),
    .target(name: "Interpreter", dependencies: ["Language", "UAPI", "Bench", "Views"], swiftSettings: hot),
    // What may be typed next, hints, and the pages of the help: for the prompt and for editors.
    .target(
      name: "Assistance", dependencies: ["Interpreter", "Language", "UAPI", "Bench", "Views"],
      swiftSettings: strict),
    .target(
      name: "LanguageServer",
      dependencies: ["Assistance", "Interpreter", "Language", "JSON", "UAPI", "Bench"],
      swiftSettings: strict),
    // What the tables say, for editors, shells and readers.
    .target(
      name: "Publishing", dependencies: ["Assistance", "Interpreter", "Language", "UAPI", "Bench", "Views"],
      swiftSettings: strict),
    // Scripts that explain, wait, and look at what was typed; `Scripts` leads to examples/lessons.
    .target(
      name: "Lessons", dependencies: ["Interpreter", "Language", "Views", "Bench"],
      resources: [.embedInCode("Scripts")], swiftSettings: strict),
    .target(name: "Corpora", dependencies: ["UAPI", "Bench"], swiftSettings: hot),

    // Programs whose /dev/iommu is the model.
    .target(name: "CLinux"),
    .target(
      name: "Interpose",
      dependencies: [
        "CLinux", "UAPI", "Bench", "Seams", "Memory", "IOMMUFD", "VFIO", "Machine", "Conversion",
      ],
      swiftSettings: hot),

    // What real drivers wrote, against the model's.
    .target(
      name: "DriverReplay",
      dependencies: [
        "Corpora", "Machine", "Drivers", "PageTables", "IOMMU", "IOMMUFD", "Memory", "HardwareSpecs", "UAPI",
      ],
      swiftSettings: hot),

    // The tool, and what it measures itself against.
    .target(name: "CWalk"),
    .systemLibrary(name: "CReadline", providers: [.apt(["libreadline-dev"])]),
    .target(name: "LineEditing", dependencies: ["CReadline"], swiftSettings: strict),
    .target(
      name: "Runner",
      dependencies: [
        "Language", "Interpreter", "Views", "Corpora", "UAPI", "Bench", "Machine", "KernelTarget", "Lockstep",
      ],
      swiftSettings: hot),
    // Corpora: an input to a verdict, in processes that may die.
    .target(
      name: "Replay",
      dependencies: [
        "Runner", "Corpora", "DriverReplay", "Interpreter", "Language", "JSON", "UAPI", "Bench",
      ],
      swiftSettings: hot),
    // Programs of one kind as programs of another.
    .target(
      name: "Conversion", dependencies: ["Corpora", "Interpreter", "Language", "UAPI", "Bench"],
      swiftSettings: hot),
    .target(
      name: "Fuzzing",
      dependencies: ["Replay", "Runner", "Conversion", "Corpora", "Language", "UAPI", "Bench"],
      swiftSettings: hot),
    .target(
      name: "CommandLineTool",
      dependencies: [
        "Fuzzing", "Runner", "Replay", "Conversion", "Assistance", "LanguageServer", "Lessons", "Publishing",
        "LineEditing", "Interpose", "DriverReplay",
        "Machine", "Drivers", "PageTables", "Hardware",
        "HardwareSpecs", "IOMMU", "Memory", "Seams", "Interpreter", "Language", "Views", "Corpora", "UAPI",
        "Bench", "CWalk",
      ],
      swiftSettings: hot),
    .executableTarget(
      name: "iofd", dependencies: ["CommandLineTool"], swiftSettings: strict, linkerSettings: quickToStart),

    // Tests.
    .target(
      name: "HardwareTestSupport", dependencies: ["Hardware"], path: "Tests/HardwareTestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "DeviceTests", dependencies: ["IOMMU", "IOMMUFD", "Memory", "Seams", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "DriversTests", dependencies: ["Drivers", "IOMMU", "Memory", "Seams", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "CommandLineToolTests",
      dependencies: [
        "CommandLineTool", "Assistance", "Lessons", "Interpreter", "Language", "LineEditing", "Runner",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "AssistanceTests",
      dependencies: ["Assistance", "Interpreter", "Views", "Machine", "Bench", "Language", "UAPI"],
      exclude: ["Completion.text"], swiftSettings: strict),
    .testTarget(
      name: "LanguageServerTests",
      dependencies: ["LanguageServer", "Interpreter", "Language", "JSON", "Machine", "Bench", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "PublishingTests",
      dependencies: ["Publishing", "Runner", "Interpreter", "Language", "UAPI", "Bench"],
      swiftSettings: strict),
    .testTarget(
      name: "RunnerTests", dependencies: ["Runner", "Interpreter", "Language", "Bench"],
      swiftSettings: strict),
    .testTarget(
      name: "TargetTests",
      dependencies: [
        "Lockstep", "KernelTarget", "Machine", "Bench", "Corpora", "Interpreter", "Language", "Runner",
        "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LanguageTests", dependencies: ["Language"], exclude: ["Golden"], swiftSettings: strict),
    .testTarget(
      name: "InterpreterTests",
      dependencies: ["Interpreter", "Views", "Machine", "Bench", "Language", "UAPI"],
      exclude: ["Golden"], swiftSettings: strict),
    .testTarget(
      name: "ViewsTests", dependencies: ["Views", "Interpreter", "Machine", "Bench", "Language", "UAPI"],
      exclude: ["Golden"], swiftSettings: strict),
    .testTarget(
      name: "AMDViTests",
      dependencies: ["Hardware", "HardwareSpecs", "Bench", "Memory", "HardwareTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "AMDViDriverTests",
      dependencies: [
        "Machine", "Drivers", "Hardware", "HardwareSpecs", "IOMMU", "IOMMUFD", "Bench", "Memory",
        "PageTables", "Seams", "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RISCVTests",
      dependencies: [
        "Hardware", "HardwareSpecs", "Bench", "Memory", "PageTables", "HardwareTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RISCVDriverTests",
      dependencies: [
        "Machine", "Drivers", "PageTables", "IOMMU", "IOMMUFD", "Hardware", "HardwareSpecs", "Bench",
        "Memory", "Seams", "UAPI", "HardwareTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SMMUv3DriverTests",
      dependencies: [
        "Machine", "Drivers", "Hardware", "Bench", "IOMMU", "IOMMUFD", "Memory", "Seams", "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ZPCITests",
      dependencies: ["Hardware", "HardwareSpecs", "Bench", "Memory", "HardwareTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "SMMUv3Tests",
      dependencies: ["Hardware", "HardwareSpecs", "Memory", "Bench", "HardwareTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ZPCIDriverTests",
      dependencies: [
        "Machine", "Drivers", "Hardware", "HardwareSpecs", "IOMMU", "IOMMUFD", "Memory", "Bench", "Seams",
        "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CorruptionTests",
      dependencies: [
        "Machine", "Drivers", "PageTables", "IOMMU", "IOMMUFD", "Bench", "Memory", "Seams", "UAPI",
        "HardwareTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(name: "SeamsTests", dependencies: ["Seams", "Bench"], swiftSettings: strict),
    .testTarget(
      name: "ScheduleTests", dependencies: ["Runner", "Interpreter", "Language", "UAPI"],
      swiftSettings: strict),
    .testTarget(name: "MemoryTests", dependencies: ["Memory", "Seams", "UAPI"], swiftSettings: strict),
    .testTarget(
      name: "PageTablesTests", dependencies: ["PageTables", "Corpora", "Memory", "Seams", "UAPI"],
      swiftSettings: strict),
    .target(name: "CorporaTestSupport", path: "Tests/CorporaTestSupport", swiftSettings: strict),
    .testTarget(
      name: "CorporaTests", dependencies: ["Corpora", "CorporaTestSupport", "Machine", "Bench", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "ConversionTests",
      dependencies: [
        "Conversion", "Corpora", "CorporaTestSupport", "Runner", "Interpreter", "Language", "Machine",
        "Bench", "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ModelTests", dependencies: ["Machine", "Bench", "IOMMUFD", "Memory", "Corpora", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "CorpusTests", dependencies: ["Corpora", "Machine", "UAPI"], swiftSettings: strict),
    .testTarget(
      name: "ReplayTests",
      dependencies: ["Replay", "Runner", "Corpora", "Machine", "Memory", "Bench", "JSON", "UAPI"],
      swiftSettings: strict),
    .testTarget(
      name: "FuzzingTests",
      dependencies: ["Fuzzing", "Conversion", "Replay", "Runner", "Corpora", "Interpreter", "Language"],
      swiftSettings: strict),
    .testTarget(
      name: "DriverReplayTests", dependencies: ["DriverReplay", "Corpora"], swiftSettings: strict),
    .testTarget(
      name: "VTdTests",
      dependencies: ["Hardware", "HardwareSpecs", "Memory", "Bench", "HardwareTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "VFIOTests",
      dependencies: ["VFIO", "Machine", "Hardware", "IOMMU", "IOMMUFD", "Memory", "Seams", "UAPI", "Bench"],
      swiftSettings: strict),
    .testTarget(
      name: "VTdDriverTests",
      dependencies: [
        "Machine", "Drivers", "Hardware", "HardwareSpecs", "PageTables", "IOMMU", "IOMMUFD", "Memory",
        "Bench",
        "Seams",
        "UAPI",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "InterposeTests", dependencies: ["Interpose", "CLinux", "IOMMUFD", "Memory", "Seams", "UAPI"],
      exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
      name: "ExamplesTests", dependencies: ["Runner", "Interpreter", "Language", "UAPI"],
      swiftSettings: strict),
  ]
)

if isForLibFuzzer {
  package.products.append(.executable(name: "iofd-fuzz", targets: ["iofd-fuzz"]))
  package.targets.append(
    .executableTarget(
      name: "iofd-fuzz", dependencies: ["CLinux", "Fuzzing"],
      swiftSettings: strict + instrumented + [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
