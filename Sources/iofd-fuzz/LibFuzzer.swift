// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Fuzzing
internal import Glibc

// What libFuzzer calls. It brings its own main loop, corpus and options; coverage is the compiler's, of every module, since
// the build is one with `-sanitize=fuzzer`:
//
//     IOFD_LIBFUZZER=1 swift build -c release --scratch-path .build-libfuzzer --product iofd-fuzz
//     IOFD_BACKEND=vtd .build-libfuzzer/release/iofd-fuzz -max_total_time=60 CORPUS
//
// An input is a program in bytes, as everywhere, and mutations are those of `iofd fuzz`. A broken rule is told and ends the
// process as a trap does, so that libFuzzer keeps the input; `iofd minimize` makes it small.

private let target = FuzzTarget(backend: getenv("IOFD_BACKEND").map { String(cString: $0) } ?? "mock")

/// The package manager starts an executable at this name, and so keeps libFuzzer's `main` out.
@_cdecl("iofd_fuzz_main")
public func main(_ count: CInt, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var (count, words) = (count, words)
  return LLVMFuzzerRunDriver(&count, &words) { testOneInput($0, $1) }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let finding = target.run(Array(UnsafeBufferPointer(start: data, count: count))) else { return 0 }
  let line = "iofd: \(finding)\n"
  _ = write(2, line, line.utf8.count)
  abort()
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>?, _ count: Int, _ most: Int, _ seed: CUnsignedInt)
  -> Int
{
  let input = Array(UnsafeBufferPointer(start: data, count: count))
  let mutant = target.mutate(input, nil, longest: most, seed: UInt64(seed))
  return copy(mutant, to: data, most)
}

@_cdecl("LLVMFuzzerCustomCrossOver")
public func crossOver(
  _ first: UnsafePointer<UInt8>?, _ firstCount: Int, _ second: UnsafePointer<UInt8>?, _ secondCount: Int,
  _ output: UnsafeMutablePointer<UInt8>?, _ most: Int, _ seed: CUnsignedInt
) -> Int {
  let one = Array(UnsafeBufferPointer(start: first, count: firstCount))
  let other = Array(UnsafeBufferPointer(start: second, count: secondCount))
  return copy(target.mutate(one, other, longest: most, seed: UInt64(seed)), to: output, most)
}

private func copy(_ bytes: [UInt8], to place: UnsafeMutablePointer<UInt8>?, _ most: Int) -> Int {
  let count = min(bytes.count, most)
  place?.update(from: bytes, count: count)
  return count
}
