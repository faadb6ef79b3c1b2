// SPDX-License-Identifier: GPL-3.0-or-later
// What `iofd exec` and the kernel as a target need of Linux and Swift cannot say: variadic calls, macros with arguments, and the few
// steps between fork and exec, where nothing but system calls may happen.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

// Newer than the headers of the systems that this builds on.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define IOFD_FD_SYNC_WAKE_UP 1
#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif

#if defined(__x86_64__)
#define IOFD_EXEC_ARCH AUDIT_ARCH_X86_64
#else
#define IOFD_EXEC_ARCH 0
#endif

uint32_t iofd_exec_arch(void) { return IOFD_EXEC_ARCH; }

// RLIMIT_NOFILE as it was before it was raised; no soft limit is above its hard one.
static struct rlimit iofd_open_files_before = {1, 0};

void iofd_raise_open_files_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (iofd_open_files_before.rlim_cur > iofd_open_files_before.rlim_max) iofd_open_files_before = limit;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Sends `report` and, unless it is negative, the descriptor `fd`.
static int iofd_send_report(int socket, struct iofd_spawned report, int fd) {
  struct iovec piece = {&report, sizeof report};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof report ? 0 : -1;
}

static int iofd_receive_report(int socket, struct iofd_spawned *report) {
  struct iovec piece = {report, sizeof *report};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count;
  do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  while (count < 0 && errno == EINTR);
  if (count != sizeof *report) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&report->listener, CMSG_DATA(header), sizeof(int));
  return 0;
}

// Forks, puts the filter on the child, and leaves it waiting: iofd_release lets it go on to its program.
// `gate` is the parent's end of what they talk over.
struct iofd_spawned iofd_spawn(
    char *arguments[], const struct sock_filter *filter, unsigned short count, unsigned long filter_flags,
    int *gate) {
  struct iofd_spawned result = {-1, -1, IOFD_SPAWN_FORK, 0};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    result.error = errno;
    return result;
  }
  int pid = fork();
  if (pid < 0) {
    result.error = errno;
    close(ends[0]);
    close(ends[1]);
    return result;
  }
  if (pid == 0) {
    struct iofd_spawned report = {getpid(), -1, IOFD_SPAWN_PRIVILEGES, 0};
    struct sock_fprog program = {count, (struct sock_filter *)filter};
    // What the tool has changed for itself. The rest, and what is blocked, is the starter's choice: nohup(1).
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (iofd_open_files_before.rlim_cur <= iofd_open_files_before.rlim_max)
      setrlimit(RLIMIT_NOFILE, &iofd_open_files_before);
    int listener = -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
      report.stage = IOFD_SPAWN_FILTER;
      listener = (int)syscall(
          __NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | filter_flags, &program);
    }
    if (listener < 0) {
      report.error = errno;
      iofd_send_report(ends[1], report, -1);
      _exit(127);
    }
    report.stage = IOFD_SPAWNED;
    if (iofd_send_report(ends[1], report, listener) != 0) _exit(127);
    close(listener);
    char go;
    if (read(ends[1], &go, 1) != 1) _exit(127);
    execvp(arguments[0], arguments);
    report.stage = IOFD_SPAWN_EXEC;
    report.error = errno;
    iofd_send_report(ends[1], report, -1);
    _exit(report.error == ENOENT ? 127 : 126);
  }
  close(ends[1]);
  *gate = ends[0];
  if (iofd_receive_report(ends[0], &result) != 0) result.error = EPIPE;
  result.pid = pid;
  return result;
}

// Lets the child go on, and waits until its program runs: 0, or the errno why it does not.
int iofd_release(int gate) {
  struct iofd_spawned report;
  char go = 1;
  if (send(gate, &go, 1, MSG_NOSIGNAL) != 1) return EPIPE;
  // The child's end closes with its exec.
  return iofd_receive_report(gate, &report) == 0 ? report.error : 0;
}

int iofd_notify_receive(int listener, struct seccomp_notif *request) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, request);
}
int iofd_notify_send(int listener, struct seccomp_notif_resp *response) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response);
}
int iofd_notify_is_valid(int listener, uint64_t id) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
int iofd_notify_add(int listener, struct seccomp_notif_addfd *request) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, request);
}
// Wakes the program on the processor of the thread that answers it. Older kernels lack it.
void iofd_notify_wake_here(int listener) {
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (uint64_t)IOFD_FD_SYNC_WAKE_UP);
}

int iofd_ioctl(int fd, uint32_t request, uint64_t argument) {
  return ioctl(fd, (unsigned long)request, (void *)(uintptr_t)argument);
}

void iofd_fill_standard_descriptors(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR | O_CLOEXEC);
}

int iofd_memfd(const char *name, int huge) {
  // MFD_CLOEXEC, MFD_HUGETLB with the default size.
  return (int)syscall(__NR_memfd_create, name, 1u | (huge ? 4u : 0u));
}
int iofd_pidfd_open(int pid) { return (int)syscall(__NR_pidfd_open, pid, 0u); }
int iofd_pidfd_getfd(int pidfd, int fd) { return (int)syscall(__NR_pidfd_getfd, pidfd, fd, 0u); }
int iofd_tgkill(int process, int thread, int signal) {
  return (int)syscall(__NR_tgkill, process, thread, signal);
}
int iofd_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
int iofd_locked_memory_limit(int pid, uint64_t *limit) {
  uint64_t both[2];
  if (syscall(__NR_prlimit64, pid, RLIMIT_MEMLOCK, NULL, both) != 0) return -1;
  *limit = both[0];
  return 0;
}
uint64_t iofd_open_files_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

// Moves bytes between this process and another, as far as its memory goes.
ptrdiff_t iofd_vm_read(int pid, uint64_t address, void *buffer, size_t count) {
  struct iovec here = {buffer, count}, there = {(void *)(uintptr_t)address, count};
  return syscall(__NR_process_vm_readv, pid, &here, 1ul, &there, 1ul, 0ul);
}
ptrdiff_t iofd_vm_write(int pid, uint64_t address, const void *buffer, size_t count) {
  struct iovec here = {(void *)buffer, count}, there = {(void *)(uintptr_t)address, count};
  return syscall(__NR_process_vm_writev, pid, &here, 1ul, &there, 1ul, 0ul);
}

// Touches a byte of each of `count` pages from `address` on; tells how many could be read before the first that
// could not.
size_t iofd_vm_probe(int pid, uint64_t address, size_t count) {
  enum { most = 256 };
  char bytes[most];
  struct iovec there[most];
  size_t done = 0;
  while (done < count) {
    size_t batch = count - done < most ? count - done : most;
    for (size_t i = 0; i < batch; i++) {
      there[i].iov_base = (void *)(uintptr_t)(address + (done + i) * 4096);
      there[i].iov_len = 1;
    }
    struct iovec here = {bytes, batch};
    ssize_t got = syscall(__NR_process_vm_readv, pid, &here, 1ul, there, batch, 0ul);
    if (got > 0) done += (size_t)got;
    if (got != (ssize_t)batch) break;
  }
  return done;
}

// KCMP_VM of kcmp(2).
int iofd_share_memory(int a, int b) { return syscall(__NR_kcmp, a, b, 1, 0ul, 0ul) == 0; }

int iofd_capabilities(int thread, uint64_t *effective) {
  struct {
    uint32_t version;
    int pid;
  } header = {0x20080522, thread};
  uint32_t data[6];
  if (syscall(__NR_capget, &header, data) != 0) return -1;
  *effective = data[0] | (uint64_t)data[3] << 32;
  return 0;
}

int iofd_query_mapping(int maps, uint64_t address, struct iofd_mapping *mapping) {
  // struct procmap_query of linux/fs.h, which the headers here may not have.
  struct {
    uint64_t size, query_flags, query_address, start, end, flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name_address, build_id_address;
  } query = {
      .size = sizeof query,
      .query_flags = 0x10,
      .query_address = address,
      .name_size = sizeof mapping->name,
      .name_address = (uint64_t)(uintptr_t)mapping->name};
  mapping->name[0] = 0;
  if (ioctl(maps, _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, sizeof query), &query) != 0) {
    if (errno != ENAMETOOLONG) return errno;
    // Only its beginning is ever looked at, and names that long begin with none of what is looked for.
    query.name_size = 0;
    query.name_address = 0;
    mapping->name[0] = 0;
    if (ioctl(maps, _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, sizeof query), &query) != 0) return errno;
  }
  mapping->start = query.start;
  mapping->end = query.end;
  mapping->flags = query.flags;
  mapping->page_size = query.page_size;
  mapping->offset = query.offset;
  mapping->inode = query.inode;
  mapping->major = query.major;
  mapping->minor = query.minor;
  return 0;
}

// tmpfs and hugetlbfs: what memfd_pin_folios accepts.
int iofd_is_memory_file(int fd) {
  struct statfs system;
  if (fstatfs(fd, &system) != 0) return 0;
  return system.f_type == 0x01021994 || system.f_type == 0x958458f6;
}
int iofd_is_huge_file(int fd) {
  struct statfs system;
  return fstatfs(fd, &system) == 0 && system.f_type == 0x958458f6;
}

int iofd_reap(void) {
  int status;
  return waitpid(-1, &status, __WALL | WNOHANG);
}

int iofd_wait(int pid, int *status) {
  int result;
  do result = waitpid(pid, status, __WALL);
  while (result < 0 && errno == EINTR);
  return result;
}

#if defined(__x86_64__)
int iofd_registers_get(int thread, struct iofd_registers *registers) {
  _Static_assert(sizeof(struct user_regs_struct) <= sizeof registers->words, "room for all registers");
  return ptrace(PTRACE_GETREGS, thread, NULL, registers->words) == 0 ? 0 : -1;
}

int iofd_registers_set(int thread, const struct iofd_registers *registers) {
  return ptrace(PTRACE_SETREGS, thread, NULL, registers->words) == 0 ? 0 : -1;
}

void iofd_registers_set_result(struct iofd_registers *registers, int64_t result) {
  ((struct user_regs_struct *)registers->words)->rax = (uint64_t)result;
}

int iofd_remote_call(
    int thread, uint64_t instruction, const struct iofd_registers *registers, const uint64_t call[7], int64_t *result,
    int *signal, int *end) {
  struct user_regs_struct now;
  memcpy(&now, registers->words, sizeof now);
  now.rip = instruction;
  now.rax = call[0];
  now.orig_rax = (uint64_t)-1;
  now.rdi = call[1];
  now.rsi = call[2];
  now.rdx = call[3];
  now.r10 = call[4];
  now.r8 = call[5];
  now.r9 = call[6];
  if (ptrace(PTRACE_SETREGS, thread, NULL, &now) != 0) return -1;
  // Two stops: where the call begins, and where it ends.
  for (int stops = 0; stops < 2;) {
    int status;
    if (ptrace(PTRACE_SYSCALL, thread, NULL, NULL) != 0 || iofd_wait(thread, &status) != thread) return -1;
    if (!WIFSTOPPED(status)) {
      *end = status;
      return -1;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      stops++;
    } else if (status >> 16 == 0) {
      *signal = WSTOPSIG(status);
    }
  }
  if (ptrace(PTRACE_GETREGS, thread, NULL, &now) != 0) return -1;
  *result = (int64_t)now.rax;
  return 0;
}
#else
int iofd_registers_get(int thread, struct iofd_registers *registers) { return -1; }
int iofd_registers_set(int thread, const struct iofd_registers *registers) { return -1; }
void iofd_registers_set_result(struct iofd_registers *registers, int64_t result) {}
int iofd_remote_call(
    int thread, uint64_t instruction, const struct iofd_registers *registers, const uint64_t call[7], int64_t *result,
    int *signal, int *end) {
  return -1;
}
#endif

int iofd_trace_seize(int thread) {
  return ptrace(PTRACE_SEIZE, thread, NULL, (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD) == 0 ? 0 : -1;
}
int iofd_trace_interrupt(int thread) { return ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 ? 0 : -1; }
int iofd_trace_continue(int thread, int signal) {
  return ptrace(PTRACE_CONT, thread, NULL, (void *)(intptr_t)signal) == 0 ? 0 : -1;
}
int iofd_trace_detach(int thread, int signal) {
  return ptrace(PTRACE_DETACH, thread, NULL, (void *)(intptr_t)signal) == 0 ? 0 : -1;
}

int iofd_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int iofd_epoll_watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLET, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int iofd_epoll_hangups(int epoll, int *fds, int most) {
  struct epoll_event events[64];
  int count = epoll_wait(epoll, events, most < 64 ? most : 64, 0), hung = 0;
  for (int i = 0; i < count; i++)
    if (events[i].events & EPOLLHUP) fds[hung++] = events[i].data.fd;
  // Something happened that was no hang-up: there may be more behind it.
  return count > 0 && hung == 0 ? -1 : hung;
}
