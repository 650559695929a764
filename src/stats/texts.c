#include "stats/texts.h"

#include <varvite/stats.h>

#include "util/alloc.h"

#include <string.h>

/* A power of two; at most a quarter is used. */
#define SLOTS ((size_t)4 * VV_STATS_DISTINCT_MAX)

vv_status vvi_distinct_init(vvi_distinct *self, vv_error *err)
{
    VVI_TRY(vvi_mutex_init(&self->lock, err));
    self->is_ready = true;
    self->slots = vvi_alloc_array_zero(SLOTS, sizeof(*self->slots));
    return self->slots ? VV_OK : vvi_fail_nomem(err, SLOTS * sizeof(*self->slots));
}

void vvi_distinct_clear(vvi_distinct *self)
{
    if (self->is_ready)
        vvi_mutex_clear(&self->lock);
    vvi_free(self->slots);
    *self = (vvi_distinct){ .slots = NULL };
}

/* FNV-1a, its bits mixed; never 0. */
static uint64_t hash_of(vv_bytes bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

static void insert(vvi_distinct *self, uint64_t hash)
{
    size_t at = (size_t)hash & (SLOTS - 1);

    while (self->slots[at] && self->slots[at] != hash)
        at = (at + 1) & (SLOTS - 1);
    if (self->slots[at])
        return;
    self->slots[at] = hash;
    self->count++;
}

/* The bytes of an element that count: of a fixed length those in front of the zeros. */
static vv_bytes bytes_of(const vvi_dtype *dtype, const uint8_t *element)
{
    size_t word = dtype->code == VV_FIXED_UTF32 ? 4 : 1;
    size_t len = dtype->item;
    vv_bytes bytes;

    if (dtype->kind == VVI_KIND_VARIABLE) {
        memcpy(&bytes, element, sizeof(bytes));
        return bytes;
    }
    while (dtype->kind == VVI_KIND_TEXT && len &&
           memcmp(element + len - word, "\0\0\0", word) == 0)
        len -= word;
    return (vv_bytes){ element, len };
}

/* Characters of text, else bytes. */
static uint64_t length_of(const vvi_dtype *dtype, vv_bytes bytes)
{
    uint64_t characters = 0;

    if (dtype->code == VV_FIXED_UTF32)
        return bytes.len / 4;
    if (dtype->code != VV_STRING)
        return bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        characters += (bytes.data[i] & 0xC0) != 0x80; /* what follows a first byte */
    return characters;
}

static void add(vvi_texts *self, uint64_t n, uint64_t length, size_t bytes)
{
    if (!self->count || length < self->shortest)
        self->shortest = length;
    if (length > self->longest)
        self->longest = length;
    self->count += n;
    self->empty += length ? 0 : n;
    self->bytes += n * bytes;
}

#define AT_ONCE 256

void vvi_texts_add(vvi_texts *self, vvi_distinct *distinct, const vvi_dtype *dtype,
                   const void *elements, uint64_t n, bool repeat)
{
    const uint8_t *from = elements;
    uint64_t hashes[AT_ONCE];

    for (uint64_t done = 0; done < n;) {
        size_t some = 0;

        for (; some < AT_ONCE && done < n; some++) {
            vv_bytes bytes = bytes_of(dtype, from + (repeat ? 0 : done * dtype->item));
            uint64_t count = repeat ? n : 1;

            add(self, count, length_of(dtype, bytes), bytes.len);
            hashes[some] = hash_of(bytes);
            done += count;
        }
        vvi_mutex_lock(&distinct->lock);
        for (size_t i = 0; i < some && distinct->count <= VV_STATS_DISTINCT_MAX; i++)
            insert(distinct, hashes[i]);
        vvi_mutex_unlock(&distinct->lock);
    }
}

void vvi_texts_merge(vvi_texts *to, const vvi_texts *from)
{
    if (!from->count)
        return;
    if (!to->count || from->shortest < to->shortest)
        to->shortest = from->shortest;
    if (from->longest > to->longest)
        to->longest = from->longest;
    to->count += from->count;
    to->empty += from->empty;
    to->bytes += from->bytes;
}
