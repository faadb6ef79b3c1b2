// SPDX-License-Identifier: GPL-3.0-or-later
// /proc/.../fail-nth and the settings of debugfs, as the kernel's fault injection has them.
#include "program.h"

static long count(int file) {
  char text[32] = {0};
  CHECK(pread(file, text, sizeof text - 1, 0) > 0);
  return strtol(text, NULL, 10);
}

static void set(int file, const char *text) {
  CHECK_EQUAL(strlen(text), pwrite(file, text, strlen(text), 0));
}

int main(void) {
  char path[64];
  int setting = open("/sys/kernel/debug/failslab/ignore-gfp-wait", O_WRONLY);
  CHECK(setting >= 0);
  CHECK_EQUAL(1, write(setting, "N", 1));
  close(setting);

  snprintf(path, sizeof path, "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
  int file = open(path, O_RDWR), fd = open_iommu();
  CHECK(file >= 0);
  CHECK_EQUAL(0, count(file));
  CHECK_FAILS(EINVAL, write(file, "one", 3));

  uint32_t id;
  int failures = 0;
  for (int nth = 1; nth < 100; nth++) {
    char text[16];
    snprintf(text, sizeof text, "%d\n", nth);
    set(file, text);
    CHECK_EQUAL(nth, count(file));
    int result = ioas_alloc(fd, &id), code = errno;
    if (count(file) > 0) {
      // It ran to its end, and the failure waits for the next.
      CHECK_EQUAL(0, result);
      break;
    }
    CHECK_EQUAL(-1, result);
    CHECK_EQUAL(ENOMEM, code);
    failures++;
  }
  CHECK(failures > 0);
  set(file, "0");
  // What failed has left nothing: ids go on where they were.
  CHECK_EQUAL(id + 1, new_ioas(fd));

  // Another thread, here another process, counts for itself.
  set(file, "1");
  pid_t child = new_child();
  if (child == 0) {
    int own = open("/proc/thread-self/fail-nth", O_RDONLY);
    CHECK_EQUAL(0, count(own));
    new_ioas(fd);
    _exit(0);
  }
  CHECK_EQUAL(0, wait_for(child));
  CHECK_EQUAL(1, count(file));
  CHECK_FAILS(ENOMEM, ioas_alloc(fd, &id));
  CHECK_EQUAL(0, ioas_alloc(fd, &id));
  return 0;
}
