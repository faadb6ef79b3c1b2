// SPDX-License-Identifier: GPL-3.0-or-later
// Wild pointers and odd sizes, of which a request is refused and nothing else happens.
#include "program.h"

static const uint64_t wild[] = {
    0, 1, 8, 4095, 0xDEAD0000, 0x7FFFFFFFF000, 0x7FFFFFFFFFFF, 0x800000000000, 0xFFFF800000000000,
    0xFFFFFFFF81000000, 0xFFFFFFFFFFFFF000, UINT64_MAX,
};

static void as_argument(int fd, unsigned number) {
  for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) CHECK_FAILS(EFAULT, ioctl(fd, REQUEST(number), wild[i]));
}

// A struct that ends beyond its memory, one that cannot be written, and one that cannot be read.
static void at_an_edge(int fd) {
  uint8_t *memory = new_memory(2 * page, MAP_PRIVATE);
  CHECK_EQUAL(0, munmap(memory + page, page));
  struct ioas_alloc request = {.size = sizeof request};
  for (size_t part = 0; part < sizeof request; part++) {
    memcpy(memory + page - part, &request, part);
    CHECK_FAILS(EFAULT, ioctl(fd, REQUEST(0x81), memory + page - part));
  }
  memcpy(memory, &request, sizeof request);
  CHECK_EQUAL(0, mprotect(memory, page, PROT_READ));
  CHECK_FAILS(EFAULT, ioctl(fd, REQUEST(0x81), memory));
  CHECK_EQUAL(0, mprotect(memory, page, PROT_NONE));
  CHECK_FAILS(EFAULT, ioctl(fd, REQUEST(0x81), memory));
}

static void of_odd_size(int fd) {
  static uint8_t memory[1 << 16] __attribute__((aligned(page)));
  for (unsigned number = 0x7F; number <= 0xA1; number++) {
    const uint32_t sizes[] = {0, 1, 3, 4, 7, 4095, 4096, 4097, 65535, 0x7FFFFFFF, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      memset(memory, 0xFF, sizeof memory);
      memcpy(memory, &sizes[i], 4);
      CHECK_EQUAL(-1, ioctl(fd, REQUEST(number), memory));
      CHECK(errno == EINVAL || errno == E2BIG || errno == ENOTTY || errno == EOPNOTSUPP);
    }
  }
  // Commands with bits that iommufd ignores, or that are none of its.
  for (int bit = 0; bit < 32; bit++) CHECK_EQUAL(-1, ioctl(fd, REQUEST(0x80) ^ 1u << bit, NULL));
}

static void inside(int fd) {
  uint32_t ioas = new_ioas(fd);
  new_device(fd, ioas);
  int access = new_access(fd, ioas);
  uint8_t *memory = new_memory(4 * page, MAP_PRIVATE);
  CHECK_EQUAL(0, map(fd, ioas, memory, 4 * page, aperture));
  for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
    // Where nothing can be pinned, nothing can be mapped that a device uses.
    CHECK_EQUAL(-1, map(fd, ioas, (void *)wild[i], page, 2 * aperture));
    CHECK(errno == EFAULT || errno == EINVAL || errno == EOVERFLOW);
    CHECK_EQUAL(-1, access_rw(fd, access, aperture, (void *)wild[i], 2 * page, writing));
    CHECK_EQUAL(-1, access_rw(fd, access, aperture, (void *)wild[i], 2 * page, reading));
  }
  CHECK_EQUAL(0, check_pins(fd, memory, 4 * page, 1));
}

// Names and buffers of other calls: they go on to the kernel.
static void elsewhere(void) {
  CHECK_FAILS(EFAULT, open(nowhere, O_RDONLY));
  CHECK_FAILS(EFAULT, access(nowhere, F_OK));
  CHECK_FAILS(EFAULT, syscall(SYS_openat2, AT_FDCWD, "/dev/iommu", nowhere, 24));
  CHECK_FAILS(EBADF, ioctl(-1, REQUEST(0x81), NULL));
  CHECK_FAILS(EBADF, ioctl(12345, REQUEST(0x81), NULL));
  CHECK_FAILS(ENOTTY, ioctl(open("/dev/null", O_RDONLY), REQUEST(0x81), NULL));
  char *long_name = malloc(10000);
  memset(long_name, 'x', 9999);
  long_name[9999] = 0;
  CHECK_FAILS(ENAMETOOLONG, open(long_name, O_RDONLY));
}

int main(void) {
  int fd = open_iommu();
  for (unsigned number = 0x80; number <= 0x94; number++) as_argument(fd, number);
  as_argument(fd, 0xA0);
  at_an_edge(fd);
  of_odd_size(fd);
  inside(fd);
  elsewhere();
  return 0;
}
