// SPDX-License-Identifier: GPL-3.0-or-later
// A thousand children, each with a file of its own and one that all share: side by side as far as the system lets
// them, and one after the other.
#include "program.h"

enum { at_once = 250, groups = 4 };

static void child(int fd, int gate) {
  char go;
  int own = open_iommu();
  CHECK_EQUAL(1, new_ioas(own));
  CHECK_EQUAL(0, map(own, 1, new_memory(page, MAP_PRIVATE), page, aperture));
  new_ioas(fd);
  CHECK_EQUAL(0, read(gate, &go, 1));
  _exit(0);
}

int main(void) {
  int fd = open_iommu();
  static pid_t children[at_once];
  for (int group = 0; group < groups; group++) {
    int gate[2];
    CHECK_EQUAL(0, pipe(gate));
    for (int i = 0; i < at_once; i++)
      if ((children[i] = new_child()) == 0) {
        close(gate[1]);
        child(fd, gate[0]);
      }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < at_once; i++) CHECK_EQUAL(0, wait_for(children[i]));
  }
  CHECK_EQUAL(groups * at_once + 1, new_ioas(fd));
  return 0;
}
