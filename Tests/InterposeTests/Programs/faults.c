// SPDX-License-Identifier: GPL-3.0-or-later
// The fault queue's descriptor: groups are read whole, answers validated, poll tells which is possible.
#include "program.h"

struct queue { int iommu, fd; struct device device; };

static struct queue new_queue(void) {
  struct queue queue = {.iommu = open_iommu()};
  uint32_t ioas = new_ioas(queue.iommu), fault;
  queue.device = new_device(queue.iommu, ioas);
  queue.fd = fault_alloc(queue.iommu, &fault);
  CHECK(queue.fd >= 0);
  struct hwpt_alloc parent = {.flags = 1, .device = queue.device.id, .parent = ioas};
  CHECK_EQUAL(0, hwpt_alloc(queue.iommu, &parent));
  uint32_t tlb[2] = {0xBADBEEF, 0};
  struct hwpt_alloc nested = {
      .flags = 4, .device = queue.device.id, .parent = parent.out_id, .data_type = 0xDEAD, .data_length = 8,
      .data = (uintptr_t)tlb, .fault = fault};
  CHECK_EQUAL(0, hwpt_alloc(queue.iommu, &nested));
  struct test replace = {.operand = {nested.out_id}};
  CHECK_EQUAL(0, test(queue.iommu, &replace, test_replace, queue.device.stdev));
  return queue;
}

static void trigger(const struct queue *queue, uint64_t address) {
  struct test request = {.operand = {queue->device.id, 0xFFFFFFFF, 1, 3}};
  put64(&request, 4, address);
  CHECK_EQUAL(0, test(queue->iommu, &request, test_trigger_iopf, 0));
}

static int ready(int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLIN | POLLOUT};
  CHECK(poll(&wait, 1, 0) >= 0);
  return wait.revents;
}

static void groups(const struct queue *queue) {
  struct fault faults[2] = {0};
  CHECK_EQUAL(POLLOUT, ready(queue->fd));
  // Nothing is there: nothing is read, at once.
  CHECK_EQUAL(0, read(queue->fd, faults, sizeof faults));
  trigger(queue, 0x1000);
  CHECK_EQUAL(POLLIN | POLLOUT, ready(queue->fd));
  // A position is refused, and so is a size that is no multiple of a group.
  CHECK_FAILS(ESPIPE, pread(queue->fd, faults, sizeof faults[0], 8));
  CHECK_FAILS(ESPIPE, read(queue->fd, faults, sizeof faults[0] + 1));
  CHECK_FAILS(EFAULT, read(queue->fd, nowhere, sizeof faults[0]));
  CHECK_EQUAL(POLLIN | POLLOUT, ready(queue->fd));
  CHECK_EQUAL(sizeof faults[0], read(queue->fd, faults, sizeof faults));
  CHECK_EQUAL(queue->device.id, faults[0].device);
  CHECK_EQUAL(0x1000, faults[0].address);
  CHECK_EQUAL(POLLOUT, ready(queue->fd));

  struct response response = {faults[0].cookie, 0};
  CHECK_FAILS(ESPIPE, write(queue->fd, &response, sizeof response - 1));
  CHECK_FAILS(ESPIPE, pwrite(queue->fd, &response, sizeof response, 8));
  response.code = 7;
  CHECK_FAILS(EINVAL, write(queue->fd, &response, sizeof response));
  response.code = 0;
  response.cookie += 1000;
  CHECK_FAILS(EINVAL, write(queue->fd, &response, sizeof response));
  response.cookie -= 1000;
  CHECK_EQUAL(sizeof response, write(queue->fd, &response, sizeof response));
  // Answered once is answered.
  CHECK_FAILS(EINVAL, write(queue->fd, &response, sizeof response));
}

static void vectors(const struct queue *queue) {
  struct fault faults[2] = {0};
  trigger(queue, 0x2000);
  trigger(queue, 0x3000);
  struct iovec pieces[] = {{&faults[0], sizeof faults[0]}, {&faults[1], sizeof faults[1]}};
  CHECK_EQUAL(sizeof faults, readv(queue->fd, pieces, 2));
  CHECK_EQUAL(0x2000, faults[0].address);
  CHECK_EQUAL(0x3000, faults[1].address);
  CHECK_EQUAL(POLLOUT, ready(queue->fd));
  struct response responses[] = {{faults[0].cookie, 0}, {faults[1].cookie, 1}};
  struct iovec answers[] = {{&responses[0], sizeof responses[0]}, {&responses[1], sizeof responses[1]}};
  CHECK_EQUAL(sizeof responses, writev(queue->fd, answers, 2));
  CHECK_FAILS(EFAULT, readv(queue->fd, nowhere, 1));

  // A position of 0 is the only one.
  trigger(queue, 0x4000);
  CHECK_EQUAL(sizeof faults[0], pread(queue->fd, &faults[0], sizeof faults[0], 0));
  struct response response = {faults[0].cookie, 0};
  CHECK_EQUAL(sizeof response, pwrite(queue->fd, &response, sizeof response, 0));
}

// A duplicate reads the same queue, and a thread that waits in poll is woken.
static void *wait_for_fault(void *descriptor) {
  struct pollfd wait = {.fd = *(int *)descriptor, .events = POLLIN};
  CHECK_EQUAL(1, poll(&wait, 1, 20000));
  CHECK_EQUAL(POLLIN, wait.revents);
  return NULL;
}

static void waiting(const struct queue *queue) {
  int copy = dup(queue->fd);
  CHECK(copy >= 0 && copy != queue->fd);
  pthread_t thread;
  CHECK_EQUAL(0, pthread_create(&thread, NULL, wait_for_fault, &copy));
  usleep(20000);
  trigger(queue, 0x5000);
  CHECK_EQUAL(0, pthread_join(thread, NULL));
  struct fault fault;
  CHECK_EQUAL(sizeof fault, read(copy, &fault, sizeof fault));
  struct response response = {fault.cookie, 0};
  CHECK_EQUAL(0, close(queue->fd));
  CHECK_EQUAL(sizeof response, write(copy, &response, sizeof response));
  close(copy);
}

int main(void) {
  struct queue queue = new_queue();
  groups(&queue);
  vectors(&queue);
  waiting(&queue);
  close(queue.iommu);
  return 0;
}
