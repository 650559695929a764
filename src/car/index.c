#include "car/index.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET_BYTES 8u

void vvi_car_index_clear(vvi_car_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        vv_buf_clear(&index->buckets[i].own);
    vvi_free(index->buckets);
    *index = (vvi_car_index){ 0 };
}

static vv_status add_bucket(vvi_car_index *index, uint64_t hash, uint32_t width,
                            vv_bytes entries, vvi_car_bucket **out, vv_error *err)
{
    void *buckets = index->buckets;
    vv_status status = vvi_grow(&buckets, &index->cap, index->count + 1,
                                sizeof(*index->buckets), err);

    index->buckets = buckets;
    if (status)
        return status;
    *out = &index->buckets[index->count++];
    **out = (vvi_car_bucket){ .hash = hash, .width = width, .entries = entries };
    return VV_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct index_reader {
    vv_bytes rest;
    uint64_t offset;
} index_reader;

static vv_status fail_index(const index_reader *self, const char *what, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "byte %" PRIu64 ": index of the CAR: %s",
                    self->offset, what);
}

static vv_status take(index_reader *self, uint64_t n, const uint8_t **out, vv_error *err)
{
    if (n > self->rest.len)
        return fail_index(self, "the file ends inside it", err);
    *out = self->rest.data;
    self->rest.data += n;
    self->rest.len -= (size_t)n;
    self->offset += n;
    return VV_OK;
}

static vv_status take_count(index_reader *self, uint32_t *out, vv_error *err)
{
    const uint8_t *bytes = NULL;

    VVI_TRY(take(self, 4, &bytes, err));
    *out = vvi_get_le32(bytes);
    return *out > INT32_MAX ? fail_index(self, "a negative count", err) : VV_OK;
}

static vv_status read_buckets(index_reader *self, vvi_car_index *index, uint64_t hash,
                              vv_error *err)
{
    uint32_t count;

    VVI_TRY(take_count(self, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        vvi_car_bucket *bucket;
        const uint8_t *head = NULL;
        const uint8_t *entries = NULL;
        uint32_t width;
        uint64_t len;

        VVI_TRY(take(self, 12, &head, err));
        width = vvi_get_le32(head);
        len = vvi_get_le64(head + 4);
        if (width < OFFSET_BYTES)
            return fail_index(self, "entries too short for an offset", err);
        if (len % width)
            return fail_index(self, "a bucket that is no number of entries", err);
        VVI_TRY(take(self, len, &entries, err));
        VVI_TRY(add_bucket(index, hash, width, vvi_bytes(entries, (size_t)len), &bucket,
                           err));
    }
    return VV_OK;
}

static vv_status read_index(index_reader *self, vvi_car_index *index, vv_error *err)
{
    const uint8_t *bytes = NULL;
    uint64_t kind;
    uint32_t count;
    size_t used;

    if (vv_varint_decode(self->rest, &kind, &used, NULL))
        return fail_index(self, "it does not begin with its kind", err);
    if (kind != VVI_CAR_INDEX_SORTED && kind != VVI_CAR_INDEX_MULTIHASH_SORTED)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "byte %" PRIu64 ": an index of kind 0x%" PRIx64, self->offset,
                        kind);
    VVI_TRY(take(self, used, &bytes, err));
    if (kind == VVI_CAR_INDEX_SORTED)
        return read_buckets(self, index, VVI_CAR_ANY_HASH, err);
    VVI_TRY(take_count(self, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        VVI_TRY(take(self, 8, &bytes, err));
        VVI_TRY(read_buckets(self, index, vvi_get_le64(bytes), err));
    }
    return VV_OK;
}

vv_status vvi_car_index_read(vvi_car_index *index, vv_bytes bytes, uint64_t offset,
                             vv_error *err)
{
    index_reader self = { bytes, offset };
    vv_status status;

    *index = (vvi_car_index){ 0 };
    status = read_index(&self, index, err);
    if (status)
        vvi_car_index_clear(index);
    return status;
}

/* The first entry of a bucket whose digest is not below digest. */
static size_t first_entry(const vvi_car_bucket *bucket, const uint8_t *digest)
{
    size_t low = 0;
    size_t high = bucket->entries.len / bucket->width;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(bucket->entries.data + middle * bucket->width, digest,
                   bucket->width - OFFSET_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool vvi_car_index_find(const vvi_car_index *index, const vv_cid *cid, size_t *cursor,
                        uint64_t *offset)
{
    size_t skip = *cursor;

    for (size_t i = 0; i < index->count; i++) {
        const vvi_car_bucket *bucket = &index->buckets[i];
        size_t entry;

        if ((bucket->hash != cid->hash && bucket->hash != VVI_CAR_ANY_HASH) ||
            bucket->width != cid->digest_len + OFFSET_BYTES)
            continue;
        for (entry = first_entry(bucket, cid->digest);
             entry < bucket->entries.len / bucket->width; entry++) {
            const uint8_t *at = bucket->entries.data + entry * bucket->width;

            if (memcmp(at, cid->digest, cid->digest_len) != 0)
                break;
            if (skip-- > 0)
                continue;
            *offset = vvi_get_le64(at + cid->digest_len);
            ++*cursor;
            return true;
        }
    }
    return false;
}

/* ---- writing ----------------------------------------------------------------------------- */

vv_status vvi_car_index_add(vvi_car_index *index, const vv_cid *cid, uint64_t offset,
                            vv_error *err)
{
    uint32_t width = cid->digest_len + OFFSET_BYTES;
    vvi_car_bucket *bucket = NULL;
    uint8_t at[OFFSET_BYTES];

    for (size_t i = 0; i < index->count && !bucket; i++)
        if (index->buckets[i].hash == cid->hash && index->buckets[i].width == width)
            bucket = &index->buckets[i];
    if (!bucket)
        VVI_TRY(add_bucket(index, cid->hash, width, vvi_bytes(NULL, 0), &bucket, err));
    vvi_put_le64(at, offset);
    VVI_TRY(vvi_buf_reserve(&bucket->own, width, err));
    VVI_TRY(vvi_buf_append(&bucket->own, vvi_bytes(cid->digest, cid->digest_len), err));
    return vvi_buf_append(&bucket->own, vvi_bytes(at, sizeof(at)), err);
}

static int compare_entries(const void *a, const void *b, void *width)
{
    return memcmp(a, b, *(const uint32_t *)width - OFFSET_BYTES);
}

/* By function, then by width. */
static int compare_buckets(const void *a, const void *b)
{
    const vvi_car_bucket *left = a;
    const vvi_car_bucket *right = b;

    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->width < right->width ? -1 : left->width > right->width;
}

static vv_status write_bucket(vvi_car_bucket *bucket, vv_sink sink, vv_error *err)
{
    uint8_t head[12];

    qsort_r(bucket->own.data, bucket->own.len / bucket->width, bucket->width,
            compare_entries, &bucket->width);
    vvi_put_le32(head, bucket->width);
    vvi_put_le64(head + 4, bucket->own.len);
    VVI_TRY(sink.write(sink.ctx, vvi_bytes(head, sizeof(head)), err));
    return sink.write(sink.ctx, vvi_buf_bytes(&bucket->own), err);
}

/* Buckets of one function follow each other; how many there are from first on. */
static uint32_t buckets_alike(const vvi_car_index *index, size_t first)
{
    size_t end = first;

    while (end < index->count && index->buckets[end].hash == index->buckets[first].hash)
        end++;
    return (uint32_t)(end - first);
}

vv_status vvi_car_index_write(vvi_car_index *index, vv_sink sink, vv_error *err)
{
    uint8_t head[VV_VARINT_MAX + 4];
    uint8_t code[12];
    uint32_t codes = 0;
    uint32_t alike;
    size_t len = vv_varint_encode(VVI_CAR_INDEX_MULTIHASH_SORTED, head);

    if (index->count)
        qsort(index->buckets, index->count, sizeof(*index->buckets), compare_buckets);
    for (size_t i = 0; i < index->count; i += buckets_alike(index, i))
        codes++;
    vvi_put_le32(head + len, codes);
    VVI_TRY(sink.write(sink.ctx, vvi_bytes(head, len + 4), err));
    for (size_t i = 0; i < index->count; i += alike) {
        alike = buckets_alike(index, i);
        vvi_put_le64(code, index->buckets[i].hash);
        vvi_put_le32(code + 8, alike);
        VVI_TRY(sink.write(sink.ctx, vvi_bytes(code, sizeof(code)), err));
        for (size_t k = 0; k < alike; k++)
            VVI_TRY(write_bucket(&index->buckets[i + k], sink, err));
    }
    return VV_OK;
}
