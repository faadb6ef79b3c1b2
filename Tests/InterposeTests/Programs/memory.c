// SPDX-License-Identifier: GPL-3.0-or-later
// A process's memory as the kernel sees it: what is shared outlives its mapping, what is gone is EFAULT, and what is
// pinned is counted where /proc says so.
#include "program.h"

enum { pages = 8, length = pages * page };

static void files(void) {
  int fd = open_iommu(), file = memfd_create("memory", 0);
  uint32_t ioas = new_ioas(fd);
  CHECK_EQUAL(0, ftruncate(file, length));
  CHECK_EQUAL(0, map_file(fd, ioas, file, page, 2 * page, aperture));
  int access = new_access(fd, ioas);
  CHECK_EQUAL(0, access_rw(fd, access, aperture + 4, "through the access", 18, writing));
  char text[18];
  CHECK_EQUAL(18, pread(file, text, 18, page + 4));
  CHECK_EQUAL(0, memcmp(text, "through the access", 18));
  CHECK_EQUAL(4, pwrite(file, "back", 4, 2 * page));
  CHECK_EQUAL(0, access_rw(fd, access, aperture + page, text, 4, reading));
  CHECK_EQUAL(0, memcmp(text, "back", 4));
  // Past its end it can be mapped, and nothing is there; what is not open cannot.
  CHECK_EQUAL(0, map_file(fd, ioas, file, length, page, aperture + length));
  CHECK_FAILS(EINVAL, access_rw(fd, access, aperture + length, text, 4, reading));
  CHECK_FAILS(EBADF, map_file(fd, ioas, 999, 0, page, aperture + length));
  // The file may close: the mapping holds it.
  close(file);
  CHECK_EQUAL(0, access_rw(fd, access, aperture + page, text, 4, reading));
  close(access);
  close(fd);
}

static void shared(void) {
  int fd = open_iommu();
  uint32_t ioas = new_ioas(fd);
  uint8_t *memory = new_memory(length, MAP_SHARED);
  strcpy((char *)memory, "still there");
  CHECK_EQUAL(0, map(fd, ioas, memory, length, aperture));
  new_device(fd, ioas);
  CHECK_EQUAL(0, check_pins(fd, memory, length, 1));
  struct device other = new_device(fd, ioas);
  CHECK(other.id != 0);
  CHECK_EQUAL(0, check_pins(fd, memory, length, 1));
  CHECK_EQUAL(length / 1024, status_kilobytes("VmPin:"));
  // A child has the same pages at other addresses; what it writes is what the device sees.
  pid_t child = new_child();
  if (child == 0) {
    uint8_t *moved = mremap(memory, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, memory + (1 << 28));
    CHECK(moved != MAP_FAILED);
    CHECK_EQUAL(0, check_pins(fd, moved, length, 1));
    strcpy((char *)moved, "by the child");
    _exit(0);
  }
  CHECK_EQUAL(0, wait_for(child));
  int access = new_access(fd, ioas);
  char text[16];
  CHECK_EQUAL(0, access_rw(fd, access, aperture, text, 13, reading));
  CHECK_EQUAL(0, strcmp(text, "by the child"));
  close(access);
  CHECK_EQUAL(0, munmap(memory, length));
  CHECK_EQUAL(length / 1024, status_kilobytes("VmPin:"));
  CHECK_EQUAL(0, close(fd));
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
}

// Shared memory that has a name outlives the mapping in the program, pinned as it is.
static void unmapped(void) {
  int fd = open_iommu(), file = memfd_create("memory", 0);
  uint32_t ioas = new_ioas(fd);
  CHECK_EQUAL(0, ftruncate(file, length));
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  strcpy(memory + page - 4, "outlives");
  CHECK_EQUAL(0, map(fd, ioas, memory, length, aperture));
  new_device(fd, ioas);
  CHECK_EQUAL(0, munmap(memory, length));
  close(file);
  int access = new_access(fd, ioas);
  char text[9];
  CHECK_EQUAL(0, access_rw(fd, access, aperture + page - 4, text, 9, reading | slowly));
  CHECK_EQUAL(0, strcmp(text, "outlives"));
  CHECK_FAILS(EFAULT, access_rw(fd, access, aperture + page - 4, text, 9, reading));
  close(access);
  close(fd);
}

// What nobody has pinned is looked up when it is wanted: in the process that mapped it.
static void gone(void) {
  int fd = open_iommu(), gate[2], back[2];
  uint32_t ioas = new_ioas(fd);
  CHECK(pipe(gate) == 0 && pipe(back) == 0);
  pid_t child = new_child();
  if (child == 0) {
    char *memory = (char *)new_memory(page, MAP_PRIVATE), go = 0;
    strcpy(memory, "child");
    CHECK_EQUAL(0, map(fd, ioas, memory, page, aperture));
    CHECK_EQUAL(1, write(back[1], &go, 1));
    CHECK_EQUAL(1, read(gate[0], &go, 1));
    _exit(0);
  }
  char text[8] = "", go = 0;
  CHECK_EQUAL(1, read(back[0], &go, 1));
  int access = new_access(fd, ioas);
  CHECK_EQUAL(0, access_rw(fd, access, aperture, text, 6, reading));
  CHECK_EQUAL(0, strcmp(text, "child"));
  CHECK_EQUAL(1, write(gate[1], &go, 1));
  CHECK_EQUAL(0, wait_for(child));
  CHECK_FAILS(EFAULT, access_rw(fd, access, aperture, text, 6, reading));
  CHECK_EQUAL(0, unmap(fd, ioas, aperture, page));
  close(access);
  close(fd);
}

static void counters(void) {
  int fd = open_iommu();
  uint32_t ioas = new_ioas(fd);
  long locked = status_kilobytes("VmLck:");
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
  CHECK_EQUAL(0, map(fd, ioas, new_memory(length, MAP_PRIVATE), length, aperture));
  // Nothing is pinned until there is a page table.
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
  struct device device = new_device(fd, ioas);
  CHECK_EQUAL(length / 1024, status_kilobytes("VmPin:"));
  CHECK_EQUAL(locked, status_kilobytes("VmLck:"));
  CHECK_EQUAL(0, unmap(fd, ioas, aperture, length));
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
  CHECK_EQUAL(0, destroy(fd, device.stdev));
  close(fd);
}

int main(void) {
  files();
  shared();
  unmapped();
  gone();
  counters();
  return 0;
}
