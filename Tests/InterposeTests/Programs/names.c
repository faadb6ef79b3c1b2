// SPDX-License-Identifier: GPL-3.0-or-later
// The device nodes: however a program names them, looks at them, and opens them.
#include "program.h"

static void looking(const char *path) {
  struct stat status;
  struct statx extended;
  CHECK_EQUAL(0, access(path, F_OK));
  CHECK_EQUAL(0, faccessat(AT_FDCWD, path, R_OK | W_OK, 0));
  CHECK_EQUAL(0, stat(path, &status));
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQUAL(0, lstat(path, &status));
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQUAL(0, fstatat(AT_FDCWD, path, &status, 0));
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQUAL(0, statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &extended));
  CHECK(S_ISCHR(extended.stx_mode));
  CHECK_FAILS(EFAULT, syscall(SYS_newfstatat, AT_FDCWD, path, nowhere, 0));
}

static void is_iommu(int fd) {
  CHECK(fd >= 0);
  CHECK_EQUAL(1, new_ioas(fd));
  close(fd);
}

static void opening(void) {
  struct { uint64_t flags, mode, resolve; } how = {.flags = O_RDWR};
  is_iommu(open("/dev/iommu", O_RDONLY));
  is_iommu(open("//dev/./iommu", O_RDWR | O_CREAT | O_TRUNC, 0600));
  is_iommu(open("/dev/../dev/iommu", O_RDWR));
  is_iommu(openat(AT_FDCWD, "/dev/iommu", O_RDWR));
  is_iommu((int)syscall(SYS_open, "/dev/iommu", O_RDWR));
  is_iommu((int)syscall(SYS_openat2, AT_FDCWD, "/dev/iommu", &how, sizeof how));
  int directory = open("/dev", O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0);
  is_iommu(openat(directory, "iommu", O_RDWR));
  CHECK_EQUAL(0, fchdir(directory));
  is_iommu(open("iommu", O_RDWR));
  is_iommu(open("./vfio/../iommu", O_RDWR));
  CHECK_FAILS(ENOTDIR, open("/dev/iommu", O_RDWR | O_DIRECTORY));
  CHECK_FAILS(EEXIST, open("/dev/iommu", O_RDWR | O_CREAT | O_EXCL, 0600));
  CHECK_FAILS(ENOENT, open("/dev/iommu2", O_RDWR));
  CHECK_FAILS(ENOENT, access("/dev/iommufd", F_OK));
  // All else is what it was.
  CHECK(open("/dev/null", O_RDWR) >= 0);
  CHECK_EQUAL(0, chdir("/"));
  is_iommu(open("dev/iommu", O_RDWR));
  CHECK_FAILS(ENOENT, open("iommu", O_RDWR));
}

static void vfio(void) {
  int fd = open("/dev/vfio/vfio", O_RDWR);
  CHECK(fd >= 0);
  CHECK_EQUAL(0, ioctl(fd, REQUEST(100)));  // VFIO_GET_API_VERSION
  CHECK_EQUAL(1, ioctl(fd, REQUEST(101), 1));  // VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU
  CHECK_EQUAL(0, ioctl(fd, REQUEST(101), 4711));
  CHECK_EQUAL(0, close(fd));
}

int main(void) {
  looking("/dev/iommu");
  looking("/dev/vfio/vfio");
  opening();
  vfio();
  return 0;
}
