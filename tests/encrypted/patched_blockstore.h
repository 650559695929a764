/* A block store that answers one name with other bytes and is believed, and that counts what is read. */
#ifndef VV_TESTS_PATCHED_BLOCKSTORE_H
#define VV_TESTS_PATCHED_BLOCKSTORE_H

#include "support/support.h"

#include "util/buf.h"

#include <varvite/blockstore_backend.h>

typedef struct patched_blockstore {
    vv_blockstore base;
    vv_blockstore *inner; /* held */
    vv_cid name;          /* of the block that is lied about */
    vv_bytes lie;         /* borrowed; data NULL: none */
    uint64_t bytes_read;
} patched_blockstore;

static inline vv_status patched_get_range(vv_blockstore *base, const vv_cid *cid,
                                          vv_range range, vv_buf *out, vv_error *err)
{
    patched_blockstore *self = (patched_blockstore *)base;
    vv_buf whole = VV_BUF_INIT;
    vv_status status;

    if (self->lie.data && vv_cid_same_block(cid, &self->name))
        status = vvi_buf_set(&whole, self->lie, err);
    else
        status = vv_blockstore_get(self->inner, cid, &whole, err);
    if (!status)
        status = vvi_buf_cut(&whole, range, err);
    if (!status) {
        self->bytes_read += whole.len;
        vvi_buf_move(out, &whole);
    }
    vv_buf_clear(&whole);
    return status;
}

static inline vv_status patched_get(vv_blockstore *base, const vv_cid *cid, vv_buf *out,
                                    vv_error *err)
{
    return patched_get_range(base, cid, VV_RANGE_ALL, out, err);
}

static inline vv_status patched_put_many(vv_blockstore *base, const vv_block *blocks,
                                         size_t n, vv_error *err)
{
    return vv_blockstore_add_many(((patched_blockstore *)base)->inner, blocks, n, err);
}

static inline vv_status patched_has_many(vv_blockstore *base, const vv_cid *cids,
                                         size_t n, bool *out, vv_error *err)
{
    return vv_blockstore_has_many(((patched_blockstore *)base)->inner, cids, n, out, err);
}

static inline vv_status patched_size(vv_blockstore *base, const vv_cid *cid,
                                     uint64_t *out, vv_error *err)
{
    return vv_blockstore_size(((patched_blockstore *)base)->inner, cid, out, err);
}

static inline void patched_free(vv_blockstore *base)
{
    vv_blockstore_free(((patched_blockstore *)base)->inner);
    free(base);
}

/* trusted: whole blocks are not hashed either. */
static inline patched_blockstore *patched_blockstore_new(vv_blockstore *inner,
                                                         bool trusted)
{
    static const vv_blockstore_ops ops = { .name = "patched",
                                           .get = patched_get,
                                           .get_range = patched_get_range,
                                           .put_many = patched_put_many,
                                           .has_many = patched_has_many,
                                           .size = patched_size,
                                           .free = patched_free };
    patched_blockstore *self = calloc(1, sizeof(*self));

    vv_blockstore_base_init(&self->base, &ops, trusted);
    self->inner = vv_blockstore_retain(inner);
    return self;
}

#endif
