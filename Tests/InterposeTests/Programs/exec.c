// SPDX-License-Identifier: GPL-3.0-or-later
// Descriptors and what they hold across exec: a file that is inherited stays what it is, one with O_CLOEXEC is gone.
#include "program.h"

static int after_exec(char **arguments) {
  int kept = atoi(arguments[2]), closing = atoi(arguments[3]);
  CHECK_FAILS(EBADF, fcntl(closing, F_GETFD));
  CHECK_EQUAL(0, fcntl(kept, F_GETFD));
  CHECK_EQUAL(2, new_ioas(kept));
  // The memory that was mapped before is gone with the process that had it; that IOAS 1 maps it is still known.
  int access = new_access(kept, 1);
  char bytes[8];
  CHECK_FAILS(EFAULT, access_rw(kept, access, aperture, bytes, sizeof bytes, reading));
  return 0;
}

int main(int count, char **arguments) {
  if (count == 4) return after_exec(arguments);
  int kept = open_iommu(), closing = open("/dev/iommu", O_RDWR | O_CLOEXEC);
  CHECK_EQUAL(0, fcntl(kept, F_GETFD));
  CHECK_EQUAL(FD_CLOEXEC, fcntl(closing, F_GETFD));
  CHECK_EQUAL(1, new_ioas(kept));
  CHECK_EQUAL(0, map(kept, 1, new_memory(page, MAP_PRIVATE), page, aperture));
  // A file that iommufd makes closes on exec.
  uint32_t id;
  CHECK_EQUAL(FD_CLOEXEC, fcntl(fault_alloc(closing, &id), F_GETFD));
  char numbers[2][16];
  snprintf(numbers[0], 16, "%d", kept);
  snprintf(numbers[1], 16, "%d", closing);
  execv("/proc/self/exe", (char *[]){arguments[0], "after", numbers[0], numbers[1], NULL});
  CHECK(false);
}
