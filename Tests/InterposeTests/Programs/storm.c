// SPDX-License-Identifier: GPL-3.0-or-later
// A storm of signals while requests are made: none runs twice, and none that has begun is interrupted. A signal that
// comes before anybody has looked at the request may end it, where its handler does not restart calls; then nothing
// has happened, and the next one gets the number that it would have got.
#include "program.h"

enum { requests = 3000 };

static volatile sig_atomic_t signals;
static void count(int number) {
  (void)number;
  signals++;
}

static void storm(int flags) {
  struct sigaction action = {.sa_handler = count, .sa_flags = flags};
  struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  int fd = open_iommu();
  signals = 0;
  CHECK_EQUAL(0, sigaction(SIGALRM, &action, NULL));
  CHECK_EQUAL(0, setitimer(ITIMER_REAL, &every, NULL));
  for (uint32_t i = 1; i <= requests; i++) {
    uint32_t id;
    while (ioas_alloc(fd, &id) != 0) {
      CHECK_EQUAL(EINTR, errno);
      CHECK(flags == 0);
    }
    CHECK_EQUAL(i, id);
  }
  // Opening is the other call that would leave something behind if it ran twice.
  for (int i = 0; i < 200; i++) {
    int other;
    while ((other = open("/dev/iommu", O_RDWR)) < 0) {
      CHECK_EQUAL(EINTR, errno);
      CHECK(flags == 0);
    }
    CHECK_EQUAL(fd + 1, other);
    CHECK_EQUAL(0, close(other));
  }
  CHECK_EQUAL(0, setitimer(ITIMER_REAL, &never, NULL));
  CHECK(signals > 10);
  CHECK_EQUAL(0, close(fd));
}

int main(void) {
  storm(0);
  storm(SA_RESTART);
  return 0;
}
