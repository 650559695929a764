#include "local/pending.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

void vvi_pending_clear(vvi_pending *set)
{
    vv_buf_clear(&set->bytes);
    vvi_free(set->entries);
    vvi_free(set->table);
    *set = (vvi_pending){ .count = 0 };
}

void vvi_pending_empty(vvi_pending *set)
{
    set->bytes.len = 0;
    if (set->count)
        memset(set->table, 0, set->table_cap * sizeof(*set->table));
    set->count = 0;
}

/* Same hash function and digest: compares what a record header holds of them. */
static bool same_name(const uint8_t *a, const uint8_t *b)
{
    return a[10] == b[10] && memcmp(a + 28, b + 28, 4) == 0 &&
           memcmp(a + VVI_RECORD_FIXED, b + VVI_RECORD_FIXED, a[10]) == 0;
}

const vvi_pending_entry *vvi_pending_find(const vvi_pending *set, uint64_t tag,
                                          const vv_cid *cid)
{
    if (!set->count)
        return NULL;
    for (size_t i = (size_t)tag & (set->table_cap - 1); set->table[i];
         i = (i + 1) & (set->table_cap - 1)) {
        const vvi_pending_entry *entry = &set->entries[set->table[i] - 1];

        if (entry->tag == tag && vvi_record_names(vvi_pending_header(set, entry), cid))
            return entry;
    }
    return NULL;
}

/* Point the table at entry number n, in place of an earlier one of the same name. */
static void table_put(vvi_pending *set, size_t n)
{
    const vvi_pending_entry *entry = &set->entries[n];
    size_t i = (size_t)entry->tag & (set->table_cap - 1);

    for (; set->table[i]; i = (i + 1) & (set->table_cap - 1)) {
        const vvi_pending_entry *other = &set->entries[set->table[i] - 1];

        if (other->tag == entry->tag &&
            same_name(vvi_pending_header(set, other), vvi_pending_header(set, entry)))
            break;
    }
    set->table[i] = (uint32_t)n + 1;
}

static vv_status table_reserve(vvi_pending *set, size_t count, vv_error *err)
{
    size_t cap = set->table_cap ? set->table_cap : 256;
    uint32_t *table;

    while (cap < (set->count + count) * 2)
        cap *= 2;
    if (cap == set->table_cap)
        return VV_OK;
    table = vvi_alloc_array_zero(cap, sizeof(*table));
    if (!table)
        return vvi_fail_nomem(err, cap * sizeof(*table));
    vvi_free(set->table);
    set->table = table;
    set->table_cap = cap;
    for (size_t n = 0; n < set->count; n++)
        table_put(set, n);
    return VV_OK;
}

vv_status vvi_pending_reserve(vvi_pending *set, size_t count, size_t bytes, vv_error *err)
{
    if (count > UINT32_MAX - 1 - set->count)
        return vvi_fail(err, VV_ELIMIT, "too many blocks between two flushes");
    VVI_TRY(table_reserve(set, count, err));
    VVI_TRY(vvi_grow((void **)&set->entries, &set->cap, set->count + count,
                     sizeof(*set->entries), err));
    return vvi_buf_reserve(&set->bytes, bytes, err);
}

vv_status vvi_pending_add(vvi_pending *set, uint64_t tag, vvi_place place,
                          vv_bytes header, vv_bytes data, vv_error *err)
{
    static const uint8_t zeros[8];
    size_t pad = (size_t)(vvi_pad8(data.len) - data.len);

    VVI_TRY(vvi_pending_reserve(set, 1, header.len + data.len + pad, err));
    set->entries[set->count] = (vvi_pending_entry){ tag, place, set->bytes.len };
    (void)vvi_buf_append(&set->bytes, header, NULL); /* reserved: cannot fail */
    (void)vvi_buf_append(&set->bytes, data, NULL);
    (void)vvi_buf_append(&set->bytes, vvi_bytes(zeros, pad), NULL);
    table_put(set, set->count++);
    return VV_OK;
}
