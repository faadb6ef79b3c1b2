// SPDX-License-Identifier: GPL-3.0-or-later
#include "CWalk.h"
#include <stdlib.h>

#define PRESENT 1ull
#define WRITABLE 2ull
#define ADDRESS 0x000FFFFFFFFFF000ull
#define ENTRIES 512

// Table 0 is the root. A table's physical address is its place in the arena, in pages.
struct iofd_cwalk {
    uint64_t (*tables)[ENTRIES];
    size_t used, capacity;
};

struct iofd_cwalk *iofd_cwalk_new(size_t tables)
{
    struct iofd_cwalk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return NULL;
    walk->tables = calloc(tables + 1, sizeof *walk->tables);
    if (!walk->tables) {
        free(walk);
        return NULL;
    }
    walk->capacity = tables + 1;
    walk->used = 1;
    return walk;
}

void iofd_cwalk_free(struct iofd_cwalk *walk)
{
    if (walk)
        free(walk->tables);
    free(walk);
}

static uint64_t *leaf_table(struct iofd_cwalk *walk, uint64_t iova, int make)
{
    uint64_t *table = walk->tables[0];
    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[(iova >> shift) & (ENTRIES - 1)];
        if (!(*entry & PRESENT)) {
            if (!make || walk->used == walk->capacity)
                return NULL;
            *entry = walk->used++ << 12 | WRITABLE | PRESENT;
        }
        table = walk->tables[(*entry & ADDRESS) >> 12];
    }
    return table;
}

int iofd_cwalk_map(struct iofd_cwalk *walk, uint64_t iova, uint64_t physical, size_t pages)
{
    while (pages) {
        uint64_t *table = leaf_table(walk, iova, 1);
        if (!table)
            return -1;
        size_t index = (iova >> 12) & (ENTRIES - 1);
        for (; pages && index < ENTRIES; pages--, index++) {
            if (table[index] & PRESENT)
                return -1;
            table[index] = physical | WRITABLE | PRESENT;
            physical += 4096;
            iova += 4096;
        }
    }
    return 0;
}

size_t iofd_cwalk_unmap(struct iofd_cwalk *walk, uint64_t iova, size_t pages)
{
    size_t unmapped = 0;
    while (pages) {
        uint64_t *table = leaf_table(walk, iova, 0);
        if (!table)
            return unmapped;
        size_t index = (iova >> 12) & (ENTRIES - 1);
        for (; pages && index < ENTRIES; pages--, index++) {
            unmapped += table[index] & PRESENT;
            table[index] = 0;
            iova += 4096;
        }
    }
    return unmapped;
}

uint64_t iofd_cwalk_translate(const struct iofd_cwalk *walk, uint64_t iova, int writing)
{
    uint64_t needed = writing ? PRESENT | WRITABLE : PRESENT;
    const uint64_t *table = walk->tables[0];
    for (int shift = 39;; shift -= 9) {
        uint64_t entry = table[(iova >> shift) & (ENTRIES - 1)];
        if ((entry & needed) != needed)
            return UINT64_MAX;
        if (shift == 12)
            return (entry & ADDRESS) | (iova & 4095);
        // A pointer is followed only inside of memory, as a walker must.
        size_t next = (entry & ADDRESS) >> 12;
        if (next >= walk->used)
            return UINT64_MAX;
        table = walk->tables[next];
    }
}
