// SPDX-License-Identifier: GPL-3.0-or-later
// A virtual IOMMU's event queue can be read and never written; its register window can be mapped.
#include "program.h"

static void replace_domain(int fd, struct device device, uint32_t to) {
  struct test replace = {.operand = {to}};
  CHECK_EQUAL(0, test(fd, &replace, test_replace, device.stdev));
}

static uint32_t parent_page_table(int fd, struct device *device) {
  uint32_t ioas = new_ioas(fd);
  *device = new_device(fd, ioas);
  struct hwpt_alloc parent = {.flags = 1, .device = device->id, .parent = ioas};
  CHECK_EQUAL(0, hwpt_alloc(fd, &parent));
  return parent.out_id;
}

static void queue(int fd, uint32_t viommu, uint32_t parent, struct device device) {
  uint32_t virtual_id = 0x99;
  struct vdevice_alloc vdevice = {
      .size = sizeof vdevice, .viommu = viommu, .device = device.id, .virtual_id = virtual_id};
  CHECK_EQUAL(0, ioctl(fd, REQUEST(0x91), &vdevice));
  // Events come from a device behind the virtual IOMMU.
  uint32_t tlb[2] = {0xBADBEEF, 0};
  struct hwpt_alloc nested = {
      .device = device.id, .parent = viommu, .data_type = 0xDEAD, .data_length = sizeof tlb, .data = (uintptr_t)tlb};
  CHECK_EQUAL(0, hwpt_alloc(fd, &nested));
  replace_domain(fd, device, nested.out_id);
  struct veventq_alloc queue = {.size = sizeof queue, .viommu = viommu, .type = 0xBEEFBEEF, .depth = 2};
  CHECK_EQUAL(0, ioctl(fd, REQUEST(0x93), &queue));
  int events = (int)queue.out_fd;
  struct pollfd wait = {.fd = events, .events = POLLIN | POLLOUT};
  CHECK_EQUAL(0, poll(&wait, 1, 0));
  struct test trigger = {.operand = {device.id}};
  CHECK_EQUAL(0, test(fd, &trigger, test_trigger_vevent, 0));
  CHECK_EQUAL(1, poll(&wait, 1, 0));
  CHECK_EQUAL(POLLIN, wait.revents);
  struct { uint32_t flags, sequence, virtual_id; } event;
  CHECK_EQUAL(sizeof event, read(events, &event, sizeof event));
  CHECK_EQUAL(virtual_id, event.virtual_id);
  CHECK_EQUAL(0, event.sequence);
  CHECK_EQUAL(0, poll(&wait, 1, 0));
  CHECK_FAILS(EINVAL, write(events, &event, sizeof event));
  close(events);
  CHECK_EQUAL(0, destroy(fd, queue.out_id));
  replace_domain(fd, device, parent);
  CHECK_EQUAL(0, destroy(fd, nested.out_id));
  CHECK_EQUAL(0, destroy(fd, vdevice.out_id));
}

static void window(int fd, uint32_t viommu, const struct viommu_data *data) {
  CHECK(data->length >= page);
  size_t length = data->length;
  CHECK_FAILS(ENXIO, (intptr_t)mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 1 << 30));
  CHECK_FAILS(EINVAL, (intptr_t)mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, (off_t)data->offset));
  CHECK_FAILS(EPERM, (intptr_t)mmap(NULL, length, PROT_EXEC, MAP_SHARED, fd, (off_t)data->offset));
  uint32_t *first = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)data->offset);
  uint32_t *second = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)data->offset);
  CHECK(first != MAP_FAILED && second != MAP_FAILED);
  CHECK_EQUAL(data->in, *first);
  *first = 0x12345678;
  CHECK_EQUAL(0x12345678, *second);
  // Who is mapped cannot go.
  CHECK_FAILS(EBUSY, destroy(fd, viommu));
  CHECK_EQUAL(0, munmap(first, length));
  CHECK_FAILS(EBUSY, destroy(fd, viommu));
  CHECK_EQUAL(0, munmap(second, length));
  CHECK_EQUAL(0, destroy(fd, viommu));
  // Nothing was left in the program.
  int next = open("/dev/null", O_RDONLY);
  CHECK_EQUAL(fd + 1, next);
  close(next);
}

int main(void) {
  int fd = open_iommu();
  struct device device;
  uint32_t parent = parent_page_table(fd, &device);
  struct viommu_data data = {.in = 0xCAFE};
  struct viommu_alloc viommu = {
      .size = sizeof viommu, .type = 0xDEADBEEF, .device = device.id, .hwpt = parent,
      .data_length = sizeof data, .data = (uintptr_t)&data};
  CHECK_EQUAL(0, ioctl(fd, REQUEST(0x90), &viommu));
  CHECK_EQUAL(data.in, data.out);
  queue(fd, viommu.out_id, parent, device);
  window(fd, viommu.out_id, &data);
  close(fd);
  return 0;
}
