// SPDX-License-Identifier: GPL-3.0-or-later
// Descriptors of an open file: the last one that closes releases it, in whatever process it is.
#include "program.h"

enum { pages = 4 };

// An IOAS whose pages are pinned and counted: what of it is left tells whether the file is.
static int pinning_file(void) {
  int fd = open_iommu();
  uint32_t ioas = new_ioas(fd);
  uint8_t *memory = new_memory(pages * page, MAP_PRIVATE);
  CHECK_EQUAL(0, map(fd, ioas, memory, pages * page, aperture));
  new_device(fd, ioas);
  CHECK_EQUAL(pages * 4, status_kilobytes("VmPin:"));
  return fd;
}

static void closing(void) {
  int fd = pinning_file();
  CHECK_EQUAL(0, close(fd));
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
  CHECK_FAILS(EBADF, destroy(fd, 1));
  // A new file begins anew, under the same number.
  CHECK_EQUAL(fd, open_iommu());
  CHECK_EQUAL(1, new_ioas(fd));
  CHECK_EQUAL(0, close(fd));
}

static void duplicates(void) {
  int fd = pinning_file();
  int copies[] = {dup(fd), dup2(fd, 50), dup3(fd, 51, O_CLOEXEC), fcntl(fd, F_DUPFD, 60),
                  fcntl(fd, F_DUPFD_CLOEXEC, 70)};
  CHECK_EQUAL(0, close(fd));
  for (int i = 0; i < 5; i++) {
    CHECK(copies[i] >= 0);
    CHECK_EQUAL(pages * 4, status_kilobytes("VmPin:"));
    new_ioas(copies[i]);
    CHECK_EQUAL(0, close(copies[i]));
  }
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
}

static void sharing_with_child(void) {
  int fd = pinning_file(), gate[2];
  uint32_t next = new_ioas(fd);
  CHECK_EQUAL(0, pipe(gate));
  pid_t child = new_child();
  if (child == 0) {
    CHECK_EQUAL(next + 1, new_ioas(fd));
    char go;
    close(gate[1]);
    CHECK_EQUAL(0, read(gate[0], &go, 1));
    _exit(0);
  }
  close(gate[0]);
  CHECK_EQUAL(0, close(fd));
  // The child has it still, and with it the pins of ours.
  CHECK_EQUAL(pages * 4, status_kilobytes("VmPin:"));
  close(gate[1]);
  CHECK_EQUAL(0, wait_for(child));
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
}

static void sharing_after_child(void) {
  int fd = open_iommu();
  CHECK_EQUAL(1, new_ioas(fd));
  pid_t child = new_child();
  if (child == 0) {
    CHECK_EQUAL(2, new_ioas(fd));
    _exit(0);
  }
  CHECK_EQUAL(0, wait_for(child));
  CHECK_EQUAL(3, new_ioas(fd));
  close(fd);
}

static void many(void) {
  int fds[40];
  for (int i = 0; i < 40; i++) CHECK_EQUAL(1, new_ioas(fds[i] = open_iommu()));
  for (int i = 0; i < 40; i += 2) close(fds[i]);
  for (int i = 1; i < 40; i += 2) CHECK_EQUAL(2, new_ioas(fds[i]));
  for (int i = 1; i < 40; i += 2) close(fds[i]);
}

int main(void) {
  closing();
  duplicates();
  sharing_with_child();
  sharing_after_child();
  many();
  return 0;
}
