// SPDX-License-Identifier: GPL-3.0-or-later
// Readline keeps its hooks in C globals, which Swift 6 cannot touch; these setters can.
#ifndef IOFD_CREADLINE_SHIM_H
#define IOFD_CREADLINE_SHIM_H
#include <stdio.h>
#include <stdlib.h>
#include <readline/history.h>
#include <readline/readline.h>
#endif
