// SPDX-License-Identifier: GPL-3.0-or-later
// A program has every capability that iommufd asks for, until it gives one up that it had; RLIMIT_MEMLOCK is the
// program's own.
#include "program.h"

// Tells whether there was anything to give up.
static bool drop(int capability) {
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  struct { uint32_t effective, permitted, inheritable; } data[2];
  CHECK_EQUAL(0, syscall(SYS_capget, &header, data));
  if ((data[0].effective >> capability & 1) == 0) return false;
  data[0].effective &= ~(1u << capability);
  CHECK_EQUAL(0, syscall(SYS_capset, &header, data));
  return true;
}

enum { cap_ipc_lock = 14, cap_sys_resource = 24 };

// IOMMU_OPTION_RLIMIT_MODE needs CAP_SYS_RESOURCE.
static int set_mode(int fd, uint64_t value) {
  struct option request = {.size = sizeof request, .value = value};
  return ioctl(fd, REQUEST(0x87), &request);
}

int main(void) {
  int fd = open_iommu();
  CHECK_EQUAL(0, set_mode(fd, 1));
  CHECK_EQUAL(0, set_mode(fd, 0));
  if (drop(cap_sys_resource)) CHECK_FAILS(EPERM, set_mode(fd, 1));

  // What is mapped with CAP_IPC_LOCK counts against no limit.
  struct rlimit limit = {4 * page, 4 * page};
  CHECK_EQUAL(0, setrlimit(RLIMIT_MEMLOCK, &limit));
  uint32_t ioas = new_ioas(fd);
  new_device(fd, ioas);
  CHECK_EQUAL(0, map(fd, ioas, new_memory(5 * page, MAP_PRIVATE), 5 * page, aperture));
  if (!drop(cap_ipc_lock)) return 0;
  CHECK_FAILS(ENOMEM, map(fd, ioas, new_memory(5 * page, MAP_PRIVATE), 5 * page, 2 * aperture));
  CHECK_EQUAL(0, map(fd, ioas, new_memory(4 * page, MAP_PRIVATE), 4 * page, 2 * aperture));
  close(fd);
  return 0;
}
