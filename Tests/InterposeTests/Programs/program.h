// SPDX-License-Identifier: GPL-3.0-or-later
// What the programs of these tests have in common: iommufd's requests, as a header of the system that may be older
// than them would have them, and checks that say where they failed. A program that finds what it expects ends
// with 0 and says nothing.
#ifndef PROGRAM_H
#define PROGRAM_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { page = 4096 };
// An address without memory, which the compiler does not know to be one.
static void *volatile nowhere = (void *)8;

#define CHECK(condition)                                                                                      \
  do {                                                                                                        \
    int code = errno;                                                                                         \
    if (!(condition)) {                                                                                       \
      fprintf(stderr, "%s:%d: not so: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, code,             \
              strerror(code));                                                                                \
      _exit(1);                                                                                               \
    }                                                                                                         \
  } while (0)

#define CHECK_EQUAL(expected, actual)                                                                         \
  do {                                                                                                        \
    long long want = (long long)(expected), got = (long long)(actual);                                        \
    if (want != got) {                                                                                        \
      fprintf(stderr, "%s:%d: %s: expected %lld, got %lld (errno %d)\n", __FILE__, __LINE__, #actual, want,   \
              got, errno);                                                                                    \
      _exit(1);                                                                                               \
    }                                                                                                         \
  } while (0)

// It fails, and with this errno.
#define CHECK_FAILS(expected, call)                                                                           \
  do {                                                                                                        \
    errno = 0;                                                                                                \
    long long got = (long long)(call);                                                                        \
    if (got != -1 || errno != (expected)) {                                                                   \
      fprintf(stderr, "%s:%d: %s: expected errno %d, got %lld with errno %d\n", __FILE__, __LINE__, #call,    \
              expected, got, errno);                                                                          \
      _exit(1);                                                                                               \
    }                                                                                                         \
  } while (0)

// MARK: Requests

#define REQUEST(number) _IO(';', number)

struct destroy { uint32_t size, id; };
struct ioas_alloc { uint32_t size, flags, out_id; };
struct ioas_map { uint32_t size, flags, ioas, reserved; uint64_t address, length, iova; };
struct ioas_map_file { uint32_t size, flags, ioas; int32_t fd; uint64_t start, length, iova; };
struct ioas_unmap { uint32_t size, ioas; uint64_t iova, length; };
struct option { uint32_t size, option; uint16_t op, reserved; uint32_t object; uint64_t value; };
struct hwpt_alloc {
  uint32_t size, flags, device, parent, out_id, reserved, data_type, data_length;
  uint64_t data;
  uint32_t fault, reserved2;
};
struct fault_alloc { uint32_t size, flags, out_id, out_fd; };
struct fault { uint32_t flags, device, pasid, group, perm, reserved; uint64_t address; uint32_t length, cookie; };
struct response { uint32_t cookie, code; };
struct viommu_alloc { uint32_t size, flags, type, device, hwpt, out_id, data_length, reserved; uint64_t data; };
struct viommu_data { uint32_t in, out; uint64_t offset, length; };
struct vdevice_alloc { uint32_t size, viommu, device, out_id; uint64_t virtual_id; };
struct veventq_alloc { uint32_t size, flags, viommu, type, depth, out_id, out_fd, reserved; };
// The selftest command; its operands are 32-bit words, of which two make a long one.
struct test { uint32_t size, op, id, reserved, operand[13], last; };
_Static_assert(sizeof(struct test) == 72, "struct iommu_test_cmd");

enum { map_fixed = 1, map_writable = 2, map_readable = 4, map_both = 6 };
enum {
  test_mock_domain = 2, test_check_map = 3, test_check_refs = 4, test_create_access = 5, test_access_rw = 8,
  test_replace = 10, test_trigger_iopf = 15, test_trigger_vevent = 17,
};
// The mock's aperture begins here.
static const uint64_t aperture = 1 << 24;

static inline int open_iommu(void) {
  int fd = open("/dev/iommu", O_RDWR);
  CHECK(fd >= 0);
  return fd;
}

static inline int ioas_alloc(int fd, uint32_t *id) {
  struct ioas_alloc request = {.size = sizeof request};
  int result = ioctl(fd, REQUEST(0x81), &request);
  if (result == 0) *id = request.out_id;
  return result;
}

static inline uint32_t new_ioas(int fd) {
  uint32_t id = 0;
  CHECK_EQUAL(0, ioas_alloc(fd, &id));
  return id;
}

static inline int destroy(int fd, uint32_t id) {
  struct destroy request = {sizeof request, id};
  return ioctl(fd, REQUEST(0x80), &request);
}

static inline int map(int fd, uint32_t ioas, const void *address, uint64_t length, uint64_t iova) {
  struct ioas_map request = {
      .size = sizeof request, .flags = map_fixed | map_both, .ioas = ioas, .address = (uintptr_t)address,
      .length = length, .iova = iova};
  return ioctl(fd, REQUEST(0x85), &request);
}

static inline int map_file(int fd, uint32_t ioas, int file, uint64_t start, uint64_t length, uint64_t iova) {
  struct ioas_map_file request = {
      .size = sizeof request, .flags = map_fixed | map_both, .ioas = ioas, .fd = file, .start = start,
      .length = length, .iova = iova};
  return ioctl(fd, REQUEST(0x8F), &request);
}

static inline int unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t length) {
  struct ioas_unmap request = {sizeof request, ioas, iova, length};
  return ioctl(fd, REQUEST(0x86), &request);
}

static inline int test(int fd, struct test *test, uint32_t op, uint32_t id) {
  test->size = sizeof *test;
  test->op = op;
  test->id = id;
  return ioctl(fd, REQUEST(0xA0), test);
}

static inline void put64(struct test *test, int index, uint64_t value) {
  memcpy(&test->operand[index], &value, sizeof value);
}

struct device { uint32_t stdev, hwpt, id; };

// A mock device, attached to an IOAS or a page table.
static inline struct device new_device(int fd, uint32_t to) {
  struct test request = {0};
  CHECK_EQUAL(0, test(fd, &request, test_mock_domain, to));
  return (struct device){request.operand[0], request.operand[1], request.operand[2]};
}

static inline int hwpt_alloc(int fd, struct hwpt_alloc *request) {
  request->size = sizeof *request;
  return ioctl(fd, REQUEST(0x89), request);
}

static inline int fault_alloc(int fd, uint32_t *id) {
  struct fault_alloc request = {.size = sizeof request};
  if (ioctl(fd, REQUEST(0x8E), &request) != 0) return -1;
  *id = request.out_id;
  return (int)request.out_fd;
}

static inline int new_access(int fd, uint32_t ioas) {
  struct test request = {0};
  CHECK_EQUAL(0, test(fd, &request, test_create_access, ioas));
  return (int)request.operand[0];
}

// Reads or writes through an access, as a device that is emulated does: `slowly` through the pages and not through
// the addresses that they were mapped from.
enum { reading = 0, writing = 1, slowly = 4 };
static inline int access_rw(int fd, int access, uint64_t iova, const void *buffer, uint64_t length, uint32_t flags) {
  struct test request = {0};
  put64(&request, 0, iova);
  put64(&request, 2, length);
  put64(&request, 4, (uintptr_t)buffer);
  request.operand[6] = flags;
  return test(fd, &request, test_access_rw, (uint32_t)access);
}

// Whether each page of a range has so many pins.
static inline int check_pins(int fd, const void *address, uint64_t length, uint32_t pins) {
  struct test request = {0};
  put64(&request, 0, length);
  put64(&request, 2, (uintptr_t)address);
  request.operand[4] = pins;
  return test(fd, &request, test_check_refs, 0);
}

// MARK: Memory and processes

static inline uint8_t *new_memory(size_t length, int flags) {
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  CHECK(address != MAP_FAILED);
  memset(address, 0, length);
  return address;
}

// A line of /proc/self/status in kilobytes.
static inline long status_kilobytes(const char *name) {
  char text[8192] = {0};
  int fd = open("/proc/self/status", O_RDONLY);
  CHECK(fd >= 0);
  CHECK(read(fd, text, sizeof text - 1) > 0);
  close(fd);
  char *line = strstr(text, name);
  CHECK(line != NULL);
  return strtol(line + strlen(name) + 1, NULL, 10);
}

// The exit status of a child, 128 + N for signal N.
static inline int wait_for(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0) CHECK_EQUAL(EINTR, errno);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline pid_t new_child(void) {
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  return child;
}
#endif
