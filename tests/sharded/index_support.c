#include "index_support.h"

#include <stdio.h>

vv_cid cid_number(uint64_t n)
{
    vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;
    char text[32];
    vv_cid cid;

    if (n % 7 == 0)
        prefix.hash = VV_HASH_SHA2_512, prefix.digest_len = 64;
    snprintf(text, sizeof(text), "chunk %llu", (unsigned long long)n);
    assert_int_equal(vv_cid_of(&prefix, vv_bytes_of(text), &cid, NULL), VV_OK);
    return cid;
}

vvi_shard_cache *new_cache(vv_blockstore *blocks, size_t cap)
{
    vv_cid_prefix ids = VV_PREFIX_CBOR_BLAKE3;
    vvi_shard_cache *cache;
    vv_error err;

    assert_vv_ok(vvi_shard_cache_new(blocks, &ids, cap, &cache, &err));
    return cache;
}

vvi_chunk_index *new_index(vvi_shard_cache *cache, const uint64_t *shape, uint64_t slots)
{
    const uint64_t ones[MODEL_NDIM] = { 1, 1, 1 };
    vvi_geometry geometry;
    vvi_chunk_index *index;
    vv_error err;

    assert_vv_ok(vvi_geometry_init(&geometry, MODEL_NDIM, shape, ones, slots, &err));
    assert_vv_ok(vvi_chunk_index_new(cache, "g/a", &geometry, &index, &err));
    return index;
}

vvi_chunk_index *reopen(vvi_chunk_index *index, vvi_shard_cache *cache)
{
    const vvi_geometry *geometry = vvi_chunk_index_geometry(index);
    vvi_chunk_index *again;
    vv_error err;
    vv_cid cid;

    assert_vv_ok(vvi_chunk_index_new(cache, "g/a", geometry, &again, &err));
    for (uint64_t i = 0; i < geometry->shard_count; i++)
        if (vvi_chunk_index_shard(index, i, &cid))
            assert_vv_ok(vvi_chunk_index_put_shard(again, i, &cid, &err));
    return again;
}

void set_both(vvi_chunk_index *index, model *expected, const uint64_t *coords,
              uint64_t value)
{
    uint64_t *old = &expected->values[coords[0]][coords[1]][coords[2]];
    vv_cid cid = cid_number(value);
    vv_error err;
    bool changed;

    assert_vv_ok(vvi_chunk_index_set(index, coords, value ? &cid : NULL, &changed, &err));
    assert_int_equal(changed, *old != value);
    *old = value;
}

typedef struct walk {
    const model *expected;
    uint64_t at[MODEL_NDIM]; /* the chunk to come */
    uint64_t count;
} walk;

static uint64_t value_at(const model *self, const uint64_t *coords)
{
    return self->values[coords[0]][coords[1]][coords[2]];
}

static vv_status see(void *ctx, const uint64_t *coords, const vv_cid *cid, vv_error *err)
{
    walk *self = ctx;
    uint64_t value = value_at(self->expected, coords);
    vv_cid right = cid_number(value);

    (void)err;
    assert_int_not_equal(value, 0);
    assert_true(vv_cid_equal(cid, &right));
    if (self->count++)
        assert_true(memcmp(self->at, coords, sizeof(self->at)) != 0);
    /* Rising: the first place where they differ is higher. */
    for (int d = 0; self->count > 1 && d < MODEL_NDIM; d++) {
        assert_true(coords[d] >= self->at[d]);
        if (coords[d] > self->at[d])
            break;
    }
    memcpy(self->at, coords, sizeof(self->at));
    return VV_OK;
}

void assert_index(vvi_chunk_index *index, const model *expected, vv_shard_read read)
{
    static uint64_t coords[512][MODEL_NDIM];
    static vv_cid cids[512];
    static vv_status statuses[512];
    walk seen = { .expected = expected };
    uint64_t there = 0;
    size_t n = 0;
    vv_error err;

    for (uint64_t a = 0; a < expected->shape[0]; a++)
        for (uint64_t b = 0; b < expected->shape[1]; b++)
            for (uint64_t c = 0; c < expected->shape[2]; c++, n++) {
                coords[n][0] = a;
                coords[n][1] = b;
                coords[n][2] = c;
            }
    assert_vv_ok(
        vvi_chunk_index_get_many(index, coords[0], n, read, cids, statuses, &err));
    for (size_t i = 0; i < n; i++) {
        uint64_t value = value_at(expected, coords[i]);
        vv_cid right = cid_number(value);
        vv_cid one;

        assert_int_equal(statuses[i], value ? VV_OK : VV_ENOTFOUND);
        assert_int_equal(vvi_chunk_index_get(index, coords[i], read, &one, NULL),
                         statuses[i]);
        if (value) {
            assert_true(vv_cid_equal(&cids[i], &right));
            assert_true(vv_cid_equal(&one, &right));
            there++;
        }
    }
    assert_vv_ok(vvi_chunk_index_visit(index, see, &seen, &err));
    assert_int_equal(seen.count, there);
}

void model_resize(model *self, const uint64_t *shape)
{
    for (uint64_t a = 0; a < 8; a++)
        for (uint64_t b = 0; b < 8; b++)
            for (uint64_t c = 0; c < 8; c++)
                if (a >= shape[0] || b >= shape[1] || c >= shape[2])
                    self->values[a][b][c] = 0;
    memcpy(self->shape, shape, sizeof(self->shape));
}
