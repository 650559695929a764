#include "metrics/tally.h"

#include "util/alloc.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST   64
#define SAMPLES_FIRST 64

static atomic_uint_least64_t sight;

/* FNV-1a, eight bytes at a time, mixed at the end. */
static uint64_t hash_of(const char *name, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u ^ len;
    uint64_t word;

    for (; len >= 8; len -= 8, name += 8) {
        memcpy(&word, name, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, name, len);
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

void vvi_tally_table_clear(vvi_tally_table *table)
{
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i]) {
            vvi_free(table->slots[i]->samples);
            vvi_free(table->slots[i]);
        }
    vvi_free(table->slots);
    *table = (vvi_tally_table){ NULL, 0, 0 };
}

/* Where the name is, or would go. There is a free slot. */
static vvi_tally **slot_of(const vvi_tally_table *table, const char *name, size_t len,
                           uint64_t hash)
{
    for (size_t i = hash;; i++) {
        vvi_tally **slot = &table->slots[i & (table->capacity - 1)];

        if (!*slot || ((*slot)->hash == hash && (*slot)->len == len &&
                       memcmp((*slot)->name, name, len) == 0))
            return slot;
    }
}

vvi_tally *vvi_tally_find(const vvi_tally_table *table, const char *name, size_t len)
{
    return table->capacity ? *slot_of(table, name, len, hash_of(name, len)) : NULL;
}

static bool grow(vvi_tally_table *table)
{
    size_t capacity = table->capacity ? 2 * table->capacity : SLOTS_FIRST;
    vvi_tally_table bigger = { vvi_alloc_array_zero(capacity, sizeof(*bigger.slots)),
                               capacity, table->count };

    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < table->capacity; i++) {
        vvi_tally *one = table->slots[i];

        if (one)
            *slot_of(&bigger, one->name, one->len, one->hash) = one;
    }
    vvi_free(table->slots);
    *table = bigger;
    return true;
}

vvi_tally *vvi_tally_at(vvi_tally_table *table, const char *name, size_t len)
{
    uint64_t hash = hash_of(name, len);
    vvi_tally **slot;

    if (table->capacity) {
        slot = slot_of(table, name, len, hash);
        if (*slot)
            return *slot;
    }
    if (table->count >= VVI_TALLY_MAX ||
        (table->count >= table->capacity / 2 && !grow(table)))
        return NULL;
    slot = slot_of(table, name, len, hash);
    *slot = vvi_alloc_zero(sizeof(**slot) + len + 1);
    if (!*slot)
        return NULL;
    (*slot)->hash = hash;
    (*slot)->seq = atomic_fetch_add_explicit(&sight, 1, memory_order_relaxed);
    (*slot)->len = len;
    memcpy((*slot)->name, name, len);
    table->count++;
    return *slot;
}

void vvi_tally_add(vvi_tally *tally, double value)
{
    tally->total += value;
    if (!isfinite(tally->total))
        tally->total = value > 0 ? DBL_MAX : -DBL_MAX;
}

void vvi_tally_sample(vvi_tally *tally, double value, size_t limit)
{
    if (tally->sample_count >= limit)
        return;
    if (tally->sample_count == tally->sample_cap) {
        size_t cap = tally->sample_cap ? 2 * tally->sample_cap : SAMPLES_FIRST;
        double *more = cap > SIZE_MAX / sizeof(*more)
                           ? NULL
                           : vvi_realloc(tally->samples, cap * sizeof(*more));

        if (!more)
            return;
        tally->samples = more;
        tally->sample_cap = cap;
    }
    tally->samples[tally->sample_count++] = value;
}

void vvi_tally_merge(vvi_tally *tally, const vvi_tally *from, size_t limit)
{
    if (from->seq < tally->seq)
        tally->seq = from->seq;
    vvi_tally_add(tally, from->total);
    tally->count += from->count;
    for (size_t i = 0; i < from->sample_count; i++)
        vvi_tally_sample(tally, from->samples[i], limit);
}

static int compare_seqs(const void *a, const void *b)
{
    uint64_t x = (*(vvi_tally *const *)a)->seq;
    uint64_t y = (*(vvi_tally *const *)b)->seq;

    return (x > y) - (x < y);
}

vvi_tally **vvi_tally_sorted(const vvi_tally_table *table)
{
    vvi_tally **all = table->count ? vvi_alloc_array(table->count, sizeof(*all)) : NULL;
    size_t n = 0;

    for (size_t i = 0; all && i < table->capacity; i++)
        if (table->slots[i])
            all[n++] = table->slots[i];
    if (n)
        qsort(all, n, sizeof(*all), compare_seqs);
    return all;
}
