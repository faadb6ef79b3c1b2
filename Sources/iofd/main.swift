// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineTool
import Glibc

exit(CommandLineTool.main(Array(CommandLine.arguments.dropFirst())))
