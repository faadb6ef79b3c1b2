// SPDX-License-Identifier: GPL-3.0-or-later
// Makes requests until they are refused, as when the supervisor is gone: then it says which errno that was, in the
// file that its argument names, after it has said there that it began.
#include "program.h"

int main(int count, char **arguments) {
  CHECK_EQUAL(2, count);
  int file = open(arguments[1], O_WRONLY | O_CREAT | O_APPEND, 0644), fd = open_iommu();
  dprintf(file, "%d\n", getpid());
  uint32_t id;
  while (ioas_alloc(fd, &id) == 0) destroy(fd, id);
  dprintf(file, "%s\n", strerrorname_np(errno));
  return 3;
}
