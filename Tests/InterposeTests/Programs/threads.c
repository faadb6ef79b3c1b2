// SPDX-License-Identifier: GPL-3.0-or-later
// Many threads make requests on one open file, and other threads close descriptors under them: every request is
// answered as one on an open file or on none, and what the threads made is all there.
#include "program.h"

enum { threads = 8, rounds = 200 };

static int shared_fd;

// MARK: Requests side by side

static void *allocate(void *unused) {
  (void)unused;
  for (int i = 0; i < rounds; i++) {
    uint32_t id = new_ioas(shared_fd);
    if (i % 2 == 0) CHECK_EQUAL(0, destroy(shared_fd, id));
  }
  return NULL;
}

static void start(pthread_t *all, int count, void *(*body)(void *)) {
  for (int i = 0; i < count; i++) CHECK_EQUAL(0, pthread_create(&all[i], NULL, body, NULL));
}

static void join(pthread_t *all, int count) {
  for (int i = 0; i < count; i++) CHECK_EQUAL(0, pthread_join(all[i], NULL));
}

static void side_by_side(void) {
  pthread_t all[threads];
  shared_fd = open_iommu();
  start(all, threads, allocate);
  join(all, threads);
  int left = 0;
  for (uint32_t id = 1; id <= threads * rounds; id++) left += destroy(shared_fd, id) == 0;
  CHECK_EQUAL(threads * rounds / 2, left);
  CHECK_EQUAL(0, close(shared_fd));
}

// MARK: Closing under them

static volatile bool is_over;

static void *map_and_unmap(void *unused) {
  (void)unused;
  uint8_t *memory = new_memory(16 * page, MAP_PRIVATE);
  while (!is_over) {
    uint32_t id;
    if (ioas_alloc(shared_fd, &id) != 0) {
      CHECK(errno == EBADF || errno == ENOTTY);
      continue;
    }
    // The descriptor may be another file's by now, where there is another IOAS of this number, or none.
    if (map(shared_fd, id, memory, 16 * page, aperture) != 0)
      CHECK(errno == EBADF || errno == ENOENT || errno == EEXIST || errno == ENOTTY);
  }
  return NULL;
}

static void closing(void) {
  pthread_t all[4];
  shared_fd = open_iommu();
  start(all, 4, map_and_unmap);
  for (int i = 0; i < rounds; i++) {
    usleep(500);
    int fd = shared_fd;
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(fd, open_iommu());
  }
  is_over = true;
  join(all, 4);
  CHECK_EQUAL(0, close(shared_fd));
  CHECK_EQUAL(0, status_kilobytes("VmPin:"));
}

// MARK: Without the first thread

static void *after_main(void *unused) {
  (void)unused;
  usleep(50000);
  int fd = open_iommu();
  uint32_t ioas = new_ioas(fd);
  CHECK_EQUAL(0, map(fd, ioas, new_memory(page, MAP_PRIVATE), page, aperture));
  new_device(fd, ioas);
  exit(0);
}

int main(void) {
  side_by_side();
  closing();
  pthread_t last;
  CHECK_EQUAL(0, pthread_create(&last, NULL, after_main, NULL));
  pthread_exit(NULL);
}
