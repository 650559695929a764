#include "counting_blocks.h"

#include <varvite/blockstore_backend.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct counting_store {
    vv_blockstore base;
    vv_blockstore *inner;
    pthread_mutex_t lock;
    json_t *loads;       /* guarded by lock, as all below */
    uint64_t until_save; /* blocks until one fails; 0: none does */
    uint64_t until_load;
    uint64_t cbor_saves;
    void (*before_cbor)(void *ctx);
    void *before_ctx;
} counting_store;

static vv_status fail(vv_error *err, const char *what)
{
    if (err) {
        err->status = VV_EIO;
        snprintf(err->message, sizeof(err->message), "injected %s failure", what);
    }
    return VV_EIO;
}

/* Count down to the block that fails; with the lock held. */
static bool is_due(uint64_t *until)
{
    return *until && --*until == 0;
}

static vv_status counting_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                              vv_error *err)
{
    counting_store *self = (counting_store *)store;
    char text[VV_CID_TEXT_MAX];
    bool due;

    vv_cid_format(cid, text);
    pthread_mutex_lock(&self->lock);
    due = is_due(&self->until_load);
    json_array_append_new(self->loads, json_string(text));
    pthread_mutex_unlock(&self->lock);
    return due ? fail(err, "load") : vv_blockstore_get(self->inner, cid, out, err);
}

static vv_status counting_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                   vv_error *err)
{
    counting_store *self = (counting_store *)store;

    for (size_t i = 0; i < n; i++) {
        const bool is_cbor = blocks[i].cid.codec == VV_CODEC_DAG_CBOR;
        void (*before)(void *) = NULL;
        void *ctx;
        bool due;

        pthread_mutex_lock(&self->lock);
        due = is_due(&self->until_save);
        ctx = self->before_ctx;
        if (is_cbor) {
            self->cbor_saves++;
            before = self->before_cbor;
            self->before_cbor = NULL;
        }
        pthread_mutex_unlock(&self->lock);
        if (before)
            before(ctx);
        if (due)
            return fail(err, "save");
        if (vv_blockstore_add_many(self->inner, &blocks[i], 1, err))
            return err ? err->status : VV_EIO;
    }
    return VV_OK;
}

static vv_status counting_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                   bool *out, vv_error *err)
{
    return vv_blockstore_has_many(((counting_store *)store)->inner, cids, n, out, err);
}

static vv_status counting_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                               vv_error *err)
{
    return vv_blockstore_size(((counting_store *)store)->inner, cid, out, err);
}

static vv_status counting_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                                  vv_error *err)
{
    return vv_blockstore_iterate(((counting_store *)store)->inner, visit, ctx, err);
}

static vv_status counting_stat(vv_blockstore *store, vv_blockstore_stats *out,
                               vv_error *err)
{
    return vv_blockstore_stat(((counting_store *)store)->inner, out, err);
}

static void counting_free(vv_blockstore *store)
{
    counting_store *self = (counting_store *)store;

    vv_blockstore_free(self->inner);
    json_decref(self->loads);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const vv_blockstore_ops counting_ops = {
    .name = "counting",
    .get = counting_get,
    .put_many = counting_put_many,
    .has_many = counting_has_many,
    .size = counting_size,
    .iterate = counting_iterate,
    .stat = counting_stat,
    .free = counting_free,
};

vv_blockstore *counting_blocks_new(void)
{
    counting_store *self = calloc(1, sizeof(*self));

    if (!self || vv_memory_blockstore_new(&self->inner, NULL))
        abort();
    pthread_mutex_init(&self->lock, NULL);
    self->loads = json_array();
    vv_blockstore_base_init(&self->base, &counting_ops, false);
    return &self->base;
}

void counting_blocks_fail_save(vv_blockstore *store, uint64_t n)
{
    ((counting_store *)store)->until_save = n;
}

void counting_blocks_fail_load(vv_blockstore *store, uint64_t n)
{
    ((counting_store *)store)->until_load = n;
}

json_t *counting_blocks_take_loads(vv_blockstore *store)
{
    counting_store *self = (counting_store *)store;
    json_t *taken = self->loads;

    self->loads = json_array();
    return taken;
}

uint64_t counting_blocks_cbor_saves(const vv_blockstore *store)
{
    return ((const counting_store *)store)->cbor_saves;
}

void counting_blocks_before_cbor_save(vv_blockstore *store, void (*call)(void *ctx),
                                      void *ctx)
{
    counting_store *self = (counting_store *)store;

    self->before_cbor = call;
    self->before_ctx = ctx;
}
