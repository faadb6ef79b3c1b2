// SPDX-License-Identifier: GPL-3.0-or-later
#include "CSeams.h"

_Thread_local void *iofd_scheduled_thread = NULL;
_Thread_local void *iofd_thread_tracer = NULL;
