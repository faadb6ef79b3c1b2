// SPDX-License-Identifier: GPL-3.0-or-later
// What Swift cannot say: thread-local variables, which are one load relative to the thread pointer (locks ask at
// every use whether a scheduler decides when this thread runs), and the instruction for loops that wait.
#ifndef IOFD_CSEAMS_H
#define IOFD_CSEAMS_H
#include <stddef.h>

extern _Thread_local void *_Nullable iofd_scheduled_thread __attribute__((tls_model("initial-exec")));

// The scheduled thread that this thread is, or NULL for all others.
static inline void *_Nullable iofd_scheduled(void) { return iofd_scheduled_thread; }
static inline void iofd_set_scheduled(void *_Nullable thread) { iofd_scheduled_thread = thread; }

// The tracer that hears what happens on this thread, or NULL.
extern _Thread_local void *_Nullable iofd_thread_tracer __attribute__((tls_model("initial-exec")));
static inline void *_Nullable iofd_tracer(void) { return iofd_thread_tracer; }
static inline void iofd_set_tracer(void *_Nullable tracer) { iofd_thread_tracer = tracer; }

// What a thread does while it looks again and again whether a lock is free.
static inline void iofd_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
