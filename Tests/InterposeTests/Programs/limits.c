// SPDX-License-Identifier: GPL-3.0-or-later
// As few descriptors as a program can do with: what does not fit is EMFILE and leaves nothing.
#include "program.h"

int main(void) {
  int fd = open_iommu(), other = open("/dev/null", O_RDONLY);
  CHECK_EQUAL(1, new_ioas(fd));
  struct rlimit limit = {(rlim_t)other + 1, (rlim_t)other + 1};
  CHECK_EQUAL(0, setrlimit(RLIMIT_NOFILE, &limit));
  uint32_t id = 0;
  for (int i = 0; i < 50; i++) {
    CHECK_FAILS(EMFILE, open("/dev/iommu", O_RDWR));
    CHECK_FAILS(EMFILE, fault_alloc(fd, &id));
    struct test request = {0};
    // The selftest calls it so.
    CHECK_FAILS(ENOMEM, test(fd, &request, test_create_access, 1));
    CHECK_FAILS(EMFILE, open("/proc/self/status", O_RDONLY));
  }
  CHECK_EQUAL(0, id);
  // One that is free is enough.
  CHECK_EQUAL(0, close(other));
  CHECK_EQUAL(other, new_access(fd, 1));
  CHECK_EQUAL(0, close(other));
  CHECK_EQUAL(other, open_iommu());
  return 0;
}
