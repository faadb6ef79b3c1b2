// SPDX-License-Identifier: GPL-3.0-or-later
// Children that end in the middle of what they do, by SIGKILL, by a crash, or all at once: what they held is released,
// and the file that they shared goes on. With an argument it works until somebody ends it.
#include "program.h"

enum { pages = 64, length = pages * page };

// Requests, mappings of a window and openings without end.
static void work(int fd) {
  uint8_t *memory = new_memory(length, MAP_PRIVATE);
  while (true) {
    int own = open_iommu();
    uint32_t ioas = new_ioas(own), shared = new_ioas(fd);
    struct device device = new_device(own, ioas);
    CHECK_EQUAL(0, map(own, ioas, memory, length, aperture));
    struct hwpt_alloc parent = {.flags = 1, .device = device.id, .parent = ioas};
    CHECK_EQUAL(0, hwpt_alloc(own, &parent));
    struct viommu_data data = {.in = 1};
    struct viommu_alloc viommu = {
        .size = sizeof viommu, .type = 0xDEADBEEF, .device = device.id, .hwpt = parent.out_id,
        .data_length = sizeof data, .data = (uintptr_t)&data};
    CHECK_EQUAL(0, ioctl(own, REQUEST(0x90), &viommu));
    void *window = mmap(NULL, data.length, PROT_READ, MAP_SHARED, own, (off_t)data.offset);
    CHECK(window != MAP_FAILED);
    CHECK_EQUAL(0, munmap(window, data.length));
    uint32_t fault;
    CHECK_EQUAL(0, close(fault_alloc(own, &fault)));
    CHECK_EQUAL(0, destroy(fd, shared));
    CHECK_EQUAL(0, close(own));
  }
}

static void by_signal(int signal) {
  int fd = open_iommu();
  for (int i = 0; i < 25; i++) {
    pid_t child = new_child();
    if (child == 0) work(fd);
    usleep(1000 + i * 1700);
    CHECK_EQUAL(0, kill(child, signal));
    CHECK_EQUAL(128 + signal, wait_for(child));
    // Its file is free for others, at once.
    CHECK_EQUAL(0, destroy(fd, new_ioas(fd)));
  }
  CHECK_EQUAL(0, close(fd));
}

static void *crash(void *unused) {
  (void)unused;
  usleep(3000);
  *(volatile int *)nowhere = 1;
  return NULL;
}

static void by_crash(void) {
  struct rlimit none = {0, 0};
  CHECK_EQUAL(0, setrlimit(RLIMIT_CORE, &none));
  int fd = open_iommu();
  for (int i = 0; i < 5; i++) {
    pid_t child = new_child();
    if (child == 0) {
      pthread_t thread;
      CHECK_EQUAL(0, pthread_create(&thread, NULL, crash, NULL));
      work(fd);
    }
    CHECK_EQUAL(128 + SIGSEGV, wait_for(child));
  }
  CHECK_EQUAL(0, destroy(fd, new_ioas(fd)));
}

static void stopped(void) {
  int fd = open_iommu(), status;
  pid_t child = new_child();
  if (child == 0) work(fd);
  for (int i = 0; i < 20; i++) {
    usleep(2000);
    CHECK_EQUAL(0, kill(child, SIGSTOP));
    CHECK_EQUAL(child, waitpid(child, &status, WUNTRACED));
    CHECK(WIFSTOPPED(status));
    CHECK_EQUAL(0, destroy(fd, new_ioas(fd)));
    CHECK_EQUAL(0, kill(child, SIGCONT));
  }
  CHECK_EQUAL(0, kill(child, SIGKILL));
  CHECK_EQUAL(128 + SIGKILL, wait_for(child));
}

int main(int count, char **arguments) {
  (void)arguments;
  if (count == 2) work(open_iommu());
  by_signal(SIGKILL);
  by_signal(SIGTERM);
  by_crash();
  stopped();
  return 0;
}
