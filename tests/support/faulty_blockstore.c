#include "support/faulty_blockstore.h"

#include <stdatomic.h>
#include <stdio.h>

typedef struct faulty_store {
    vv_blockstore base;
    vv_blockstore *inner;
    atomic_size_t calls;
    atomic_llong until_failure; /* calls to let pass; -1: no failing */
    atomic_llong until_lie;     /* reads to let pass; -1: no lying */
    vv_status status;
    bool forever;
    atomic_bool hit;
} faulty_store;

/* Count down to zero; true for the call that comes to it. */
static bool due(atomic_llong *countdown, bool forever)
{
    if (atomic_load(countdown) < 0)
        return false;
    if (atomic_fetch_sub(countdown, 1) > 0)
        return false;
    atomic_store(countdown, forever ? 0 : -1);
    return true;
}

static vv_status call(vv_blockstore *store, const char *what, vv_error *err)
{
    faulty_store *self = (faulty_store *)store;

    atomic_fetch_add(&self->calls, 1);
    if (!due(&self->until_failure, self->forever))
        return VV_OK;
    atomic_store(&self->hit, true);
    if (err) {
        err->status = self->status;
        snprintf(err->message, sizeof(err->message), "the faulty store fails in %s",
                 what);
    }
    return self->status;
}

static void free_lie(void *owner)
{
    free(owner);
}

static void lie(faulty_store *self, vv_buf *block)
{
    size_t len = block->len ? block->len : 1;
    uint8_t *copy;

    if (!due(&self->until_lie, false))
        return;
    atomic_store(&self->hit, true);
    copy = calloc(1, len);
    assert_non_null(copy);
    if (block->len)
        memcpy(copy, block->data, block->len);
    copy[len / 2] ^= 0x10;
    vv_buf_clear(block);
    *block = (vv_buf){ .data = copy, .len = len, .release = free_lie, .owner = copy };
}

static vv_status faulty_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                            vv_error *err)
{
    faulty_store *self = (faulty_store *)store;
    vv_status status = call(store, "get", err);

    if (!status)
        status = vv_blockstore_get(self->inner, cid, out, err);
    if (!status)
        lie(self, out);
    return status;
}

static vv_status faulty_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                 vv_error *err)
{
    vv_status status = call(store, "put", err);

    return status
               ? status
               : vv_blockstore_add_many(((faulty_store *)store)->inner, blocks, n, err);
}

static vv_status faulty_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                 bool *out, vv_error *err)
{
    vv_status status = call(store, "has", err);

    return status ? status
                  : vv_blockstore_has_many(((faulty_store *)store)->inner, cids, n, out,
                                           err);
}

static vv_status faulty_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                             vv_error *err)
{
    vv_status status = call(store, "size", err);

    return status ? status
                  : vv_blockstore_size(((faulty_store *)store)->inner, cid, out, err);
}

static vv_status faulty_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    vv_status status = call(store, "remove", err);

    return status ? status
                  : vv_blockstore_delete(((faulty_store *)store)->inner, cid, err);
}

static vv_status faulty_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                                vv_error *err)
{
    vv_status status = call(store, "iterate", err);

    return status
               ? status
               : vv_blockstore_iterate(((faulty_store *)store)->inner, visit, ctx, err);
}

static vv_status faulty_stat(vv_blockstore *store, vv_blockstore_stats *out,
                             vv_error *err)
{
    vv_status status = call(store, "stat", err);

    return status ? status : vv_blockstore_stat(((faulty_store *)store)->inner, out, err);
}

static vv_status faulty_flush(vv_blockstore *store, vv_error *err)
{
    vv_status status = call(store, "flush", err);

    return status ? status : vv_blockstore_flush(((faulty_store *)store)->inner, err);
}

static void faulty_free(vv_blockstore *store)
{
    vv_blockstore_free(((faulty_store *)store)->inner);
    free(store);
}

static const vv_blockstore_ops faulty_ops = {
    .name = "faulty",
    .get = faulty_get,
    .put_many = faulty_put_many,
    .has_many = faulty_has_many,
    .size = faulty_size,
    .remove = faulty_remove,
    .iterate = faulty_iterate,
    .stat = faulty_stat,
    .flush = faulty_flush,
    .free = faulty_free,
};

vv_blockstore *faulty_blockstore_new(vv_blockstore *inner)
{
    faulty_store *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    self->inner = vv_blockstore_retain(inner);
    atomic_init(&self->until_failure, -1);
    atomic_init(&self->until_lie, -1);
    vv_blockstore_base_init(&self->base, &faulty_ops, false);
    return &self->base;
}

void faulty_fail_after(vv_blockstore *faulty, size_t n, vv_status status, bool forever)
{
    faulty_store *self = (faulty_store *)faulty;

    faulty_stop(faulty);
    self->status = status;
    self->forever = forever;
    atomic_store(&self->until_failure, (long long)n);
}

void faulty_lie_after(vv_blockstore *faulty, size_t n)
{
    faulty_stop(faulty);
    atomic_store(&((faulty_store *)faulty)->until_lie, (long long)n);
}

bool faulty_stop(vv_blockstore *faulty)
{
    faulty_store *self = (faulty_store *)faulty;

    atomic_store(&self->until_failure, -1);
    atomic_store(&self->until_lie, -1);
    return atomic_exchange(&self->hit, false);
}

size_t faulty_calls(const vv_blockstore *faulty)
{
    return atomic_load(&((faulty_store *)(uintptr_t)faulty)->calls);
}

void survives_failing_calls(vv_blockstore *faulty, vv_status status,
                            vv_status (*scenario)(void *ctx), void *ctx)
{
    bool any = true;

    watch_allocations();
    for (size_t n = 0; any; n++) {
        size_t before = live_allocations();
        vv_status got;

        faulty_fail_after(faulty, n, status, false);
        got = scenario(ctx);
        any = faulty_stop(faulty);
        if (got != VV_OK && (got != status || !any))
            fail_msg("call %zu failing with %s gives %s", n, vv_status_name(status),
                     vv_status_name(got));
        if (live_allocations() != before)
            fail_msg("call %zu failing leaves %zu allocations behind", n,
                     live_allocations() - before);
    }
}
