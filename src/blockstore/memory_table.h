/*
 * Blocks in memory by name: the index of a shard of the memory store.
 *
 * Open addressing with linear probing, at most three quarters full. A slot is a tag, which is the
 * name mixed with random numbers of the store (see vvi_cid_mix()), and the block, which holds the
 * rest of the name: four slots a line of the processor's caches, and a slot that has another tag
 * needs no second look.
 *
 * Threads: one at a time while it is changed, any number of readers otherwise.
 */
#ifndef VVI_BLOCKSTORE_MEMORY_TABLE_H
#define VVI_BLOCKSTORE_MEMORY_TABLE_H

#include <varvite/cid.h>

#include "util/error.h"

/* One allocation: this, the digest, the bytes. Fixed once made, but for refs and gone. */
typedef struct vvi_mem_block {
    int refs; /* atomic: the table and each loan */
    uint32_t codec;
    uint32_t hash;
    uint8_t version;
    uint8_t digest_len;
    bool gone; /* guarded by the shard's lock: taken out of the table */
    size_t len;
    uint8_t tail[];
} vvi_mem_block;

typedef struct vvi_mem_slot {
    uint64_t tag;
    vvi_mem_block *block; /* NULL: free */
} vvi_mem_slot;

typedef struct vvi_mem_table {
    vvi_mem_slot *slots; /* cap of them */
    size_t cap;          /* a power of two, or 0 */
    size_t count;
} vvi_mem_table;

/* Frees the table's own memory, not the blocks. */
void vvi_mem_table_clear(vvi_mem_table *table);

/* The block of a name, whose tag it is, or NULL. */
vvi_mem_block *vvi_mem_table_find(const vvi_mem_table *table, uint64_t tag,
                                  const vv_cid *cid);
/* Put a block in unless one of its name is there: *added. VV_ENOMEM */
vv_status vvi_mem_table_put(vvi_mem_table *table, uint64_t tag, const vv_cid *cid,
                            vvi_mem_block *block, bool *added, vv_error *err);
/* Take a block out, which is the caller's then; NULL if it was not there. */
vvi_mem_block *vvi_mem_table_remove(vvi_mem_table *table, uint64_t tag,
                                    const vv_cid *cid);

/* Ask for the memory that finding a tag will touch first. Inlined whatever the compiler thinks: gcc
 * drops a call of a function that only asks for memory, as one without an effect. */
__attribute__((always_inline)) static inline void vvi_mem_table_ask(
    const vvi_mem_table *table, uint64_t tag)
{
    if (table->cap)
        __builtin_prefetch(&table->slots[(size_t)tag & (table->cap - 1)]);
}

/* The block that a find will look at first, unless two tags met; NULL: there is none. Reads the
 * slots only. */
static inline const vvi_mem_block *vvi_mem_table_guess(const vvi_mem_table *table,
                                                       uint64_t tag)
{
    size_t mask = table->cap - 1;

    if (table->cap == 0)
        return NULL;
    for (size_t i = (size_t)tag & mask; table->slots[i].block; i = (i + 1) & mask)
        if (table->slots[i].tag == tag)
            return table->slots[i].block;
    return NULL;
}

#endif
