// SPDX-License-Identifier: GPL-3.0-or-later
// A page table of four levels in plain C, the x86-64 layout, as one would write it without a model around it: what
// `iofd bench` holds the model's page tables and walkers against. Used for nothing else.
#ifndef IOFD_CWALK_H
#define IOFD_CWALK_H
#include <stddef.h>
#include <stdint.h>

struct iofd_cwalk;

// An empty table with room for so many tables below it; NULL without memory.
struct iofd_cwalk *iofd_cwalk_new(size_t tables);
void iofd_cwalk_free(struct iofd_cwalk *walk);

// Maps pages of 4 KiB, writable; 0, or -1 over something that is mapped or without room for a table.
int iofd_cwalk_map(struct iofd_cwalk *walk, uint64_t iova, uint64_t physical, size_t pages);
// Unmaps pages; how many were mapped. Tables stay.
size_t iofd_cwalk_unmap(struct iofd_cwalk *walk, uint64_t iova, size_t pages);
// The physical address behind one byte, by a walk from the root; UINT64_MAX where nothing allows the access.
uint64_t iofd_cwalk_translate(const struct iofd_cwalk *walk, uint64_t iova, int writing);

#endif
