// SPDX-License-Identifier: GPL-3.0-or-later
// System calls that Swift cannot make itself: ioctl is variadic in C, and the declaration of memfd_create is
// hidden unless the whole program asks for it.
#ifndef IOFD_CSYSTEMCALLS_SHIM_H
#define IOFD_CSYSTEMCALLS_SHIM_H
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int iofd_ioctl(int fd, uint32_t request, uint64_t argument) {
  return ioctl(fd, (unsigned long)request, (void *)(uintptr_t)argument);
}

static inline int iofd_memfd_create(const char *name, unsigned int flags) {
  return (int)syscall(SYS_memfd_create, name, flags);
}
#endif
