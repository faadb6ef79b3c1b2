// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Names of the signals that end processes.
public enum SignalName {
  public static func of(_ signal: Int32) -> String {
    switch signal {
    case SIGILL: "SIGILL"
    case SIGTRAP: "SIGTRAP"
    case SIGSEGV: "SIGSEGV"
    case SIGBUS: "SIGBUS"
    case SIGFPE: "SIGFPE"
    case SIGABRT: "SIGABRT"
    case SIGSYS: "SIGSYS"
    case SIGXCPU: "SIGXCPU"
    default: "signal \(signal)"
    }
  }
}
