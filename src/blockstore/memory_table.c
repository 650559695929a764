#include "blockstore/memory_table.h"

#include "util/alloc.h"
#include "util/endian.h"

#include <string.h>

#define FIRST_CAP 16

void vvi_mem_table_clear(vvi_mem_table *table)
{
    vvi_free(table->slots);
    *table = (vvi_mem_table){ NULL, 0, 0 };
}

/* Nearly every digest has 32 bytes: comparing these costs less than a call. */
static bool same_digest(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t differ = 0;

    if (len != VV_BLAKE3_SIZE)
        return memcmp(a, b, len) == 0;
    for (size_t i = 0; i < VV_BLAKE3_SIZE; i += sizeof(differ))
        differ |= vvi_get_le64(a + i) ^ vvi_get_le64(b + i);
    return differ == 0;
}

static bool is_named(const vvi_mem_block *block, const vv_cid *cid)
{
    return block->hash == cid->hash && block->digest_len == cid->digest_len &&
           same_digest(block->tail, cid->digest, cid->digest_len);
}

/* The slot of a name, or the free one where it belongs. cap is not 0. */
static inline size_t probe(const vvi_mem_table *table, uint64_t tag, const vv_cid *cid)
{
    size_t mask = table->cap - 1;
    size_t i = (size_t)tag & mask;

    while (table->slots[i].block &&
           !(table->slots[i].tag == tag && is_named(table->slots[i].block, cid)))
        i = (i + 1) & mask;
    return i;
}

vvi_mem_block *vvi_mem_table_find(const vvi_mem_table *table, uint64_t tag,
                                  const vv_cid *cid)
{
    return table->cap ? table->slots[probe(table, tag, cid)].block : NULL;
}

static vv_status grow(vvi_mem_table *table, vv_error *err)
{
    vvi_mem_table larger = { NULL, table->cap ? 2 * table->cap : FIRST_CAP,
                             table->count };
    size_t mask = larger.cap - 1;

    larger.slots = vvi_alloc_array_zero(larger.cap, sizeof(*larger.slots));
    if (!larger.slots)
        return vvi_fail_nomem(err, larger.cap * sizeof(*larger.slots));
    for (size_t from = 0; from < table->cap; from++) {
        size_t i = (size_t)table->slots[from].tag & mask;

        if (!table->slots[from].block)
            continue;
        while (larger.slots[i].block)
            i = (i + 1) & mask;
        larger.slots[i] = table->slots[from];
    }
    vvi_free(table->slots);
    *table = larger;
    return VV_OK;
}

vv_status vvi_mem_table_put(vvi_mem_table *table, uint64_t tag, const vv_cid *cid,
                            vvi_mem_block *block, bool *added, vv_error *err)
{
    size_t i;

    if (table->count >= table->cap / 4 * 3)
        VVI_TRY(grow(table, err));
    i = probe(table, tag, cid);
    *added = !table->slots[i].block;
    if (!*added)
        return VV_OK;
    table->slots[i] = (vvi_mem_slot){ tag, block };
    table->count++;
    return VV_OK;
}

vvi_mem_block *vvi_mem_table_remove(vvi_mem_table *table, uint64_t tag, const vv_cid *cid)
{
    size_t mask = table->cap - 1;
    vvi_mem_block *taken;
    size_t hole;

    if (table->cap == 0)
        return NULL;
    hole = probe(table, tag, cid);
    taken = table->slots[hole].block;
    if (!taken)
        return NULL;
    /* Move back what was pushed past the hole, so that no probe stops too early. */
    for (size_t i = (hole + 1) & mask; table->slots[i].block; i = (i + 1) & mask) {
        size_t start = (size_t)table->slots[i].tag & mask;

        if (((i - start) & mask) < ((i - hole) & mask))
            continue;
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole] = (vvi_mem_slot){ 0, NULL };
    table->count--;
    return taken;
}
