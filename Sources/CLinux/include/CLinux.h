// SPDX-License-Identifier: GPL-3.0-or-later
// What `iofd exec` and the kernel as a target need of Linux and Swift cannot say: variadic system calls, macros with arguments, and the few
// steps between fork and exec, where nothing but system calls may happen. Each function is one such call, or a
// few that belong together, and decides nothing.
#ifndef IOFD_CLINUX_H
#define IOFD_CLINUX_H
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <asm/unistd.h>

#ifndef __x86_64__
// Calls that newer architectures lack; programs are not run there, see iofd_exec_arch.
#define __NR_open (-1)
#define __NR_creat (-1)
#define __NR_access (-1)
#define __NR_stat (-1)
#define __NR_lstat (-1)
#define __NR_dup2 (-1)
#endif

// The architecture whose system calls are known here, as seccomp names it; 0 for none.
uint32_t iofd_exec_arch(void);

// How far a program was started.
enum iofd_spawn_stage { IOFD_SPAWNED, IOFD_SPAWN_FORK, IOFD_SPAWN_PRIVILEGES, IOFD_SPAWN_FILTER, IOFD_SPAWN_EXEC };

struct iofd_spawned {
  int pid;
  int listener;
  int stage;
  int error;
};

// Forks, puts the filter on the child, and leaves it waiting. `gate` is the parent's end of what they talk over.
struct iofd_spawned iofd_spawn(
    char *arguments[], const struct sock_filter *filter, unsigned short count, unsigned long filter_flags, int *gate);
// Lets the child go on, and waits until its program runs: 0, or the errno why it does not.
int iofd_release(int gate);

int iofd_notify_receive(int listener, struct seccomp_notif *request);
int iofd_notify_send(int listener, struct seccomp_notif_resp *response);
int iofd_notify_is_valid(int listener, uint64_t id);
int iofd_notify_add(int listener, struct seccomp_notif_addfd *request);
// Wakes the program on the processor of the thread that answers it. Older kernels lack it.
void iofd_notify_wake_here(int listener);

// A request whose argument is a number or a pointer.
int iofd_ioctl(int fd, uint32_t request, uint64_t argument);
// Fills those of descriptors 0 to 2 that are closed, so that no other file gets their numbers and, with it, what is
// meant for people. A program that is started finds them closed, as they were.
void iofd_fill_standard_descriptors(void);
// memfd_create; it closes with exec.
int iofd_memfd(const char *name, int huge);
int iofd_pidfd_open(int pid);
int iofd_pidfd_getfd(int pidfd, int fd);
int iofd_tgkill(int process, int thread, int signal);
int iofd_subreaper(void);
int iofd_wait(int pid, int *status);
// waitpid for any child, of whatever kind, that has something to tell; 0 or -1 for none.
int iofd_reap(void);
// RLIMIT_MEMLOCK of a process, in bytes.
int iofd_locked_memory_limit(int pid, uint64_t *limit);
uint64_t iofd_open_files_limit(void);
// Allows this process as many open files as it may have; programs that it spawns get what it had before.
void iofd_raise_open_files_limit(void);
// 1 when both use one memory: KCMP_VM of kcmp(2).
int iofd_share_memory(int a, int b);
// The effective capabilities of a thread.
int iofd_capabilities(int thread, uint64_t *effective);

// Move bytes between this process and another, as far as its memory goes; -1 when nothing could be moved.
ptrdiff_t iofd_vm_read(int pid, uint64_t address, void *buffer, size_t count);
ptrdiff_t iofd_vm_write(int pid, uint64_t address, const void *buffer, size_t count);
// Touches a byte of each of `count` pages from `address` on; tells how many could be read before the first that
// could not.
size_t iofd_vm_probe(int pid, uint64_t address, size_t count);

// The first mapping that ends above an address, of the memory whose /proc/PID/maps is open: 0, ENOENT when there is
// none, ENOTTY before Linux 6.11. Flags are 1 readable, 2 writable, 8 shared; the name ends with a zero byte.
struct iofd_mapping {
  uint64_t start, end, flags, page_size, offset, inode;
  uint32_t major, minor;
  char name[256];
};
int iofd_query_mapping(int maps, uint64_t address, struct iofd_mapping *mapping);

// tmpfs and hugetlbfs: what memfd_pin_folios accepts.
int iofd_is_memory_file(int fd);
int iofd_is_huge_file(int fd);

// epoll, for hang-ups alone: the descriptors that hung up, -1 for nothing yet but more to look at, 0 for none.
int iofd_epoll(void);
int iofd_epoll_watch(int epoll, int fd);
int iofd_epoll_hangups(int epoll, int *fds, int most);

// ptrace.
struct iofd_registers {
  uint64_t words[32];
};
int iofd_trace_seize(int thread);
int iofd_trace_interrupt(int thread);
int iofd_trace_continue(int thread, int signal);
int iofd_trace_detach(int thread, int signal);
int iofd_registers_get(int thread, struct iofd_registers *registers);
int iofd_registers_set(int thread, const struct iofd_registers *registers);
void iofd_registers_set_result(struct iofd_registers *registers, int64_t result);
// Makes a stopped thread, which has its registers in `registers`, carry out one system call (a number and six
// arguments) at the syscall instruction at `instruction`. 0, or -1 when the thread is gone; a signal that came
// meanwhile is in `signal`, and how it ended, where it did, in `end`.
int iofd_remote_call(
    int thread, uint64_t instruction, const struct iofd_registers *registers, const uint64_t call[7], int64_t *result,
    int *signal, int *end);
// libFuzzer's own main loop, of clang's runtime: there in a build with -sanitize=fuzzer alone.
int LLVMFuzzerRunDriver(int *count, char ***words, int (*test_one_input)(const uint8_t *data, size_t size));

#endif
