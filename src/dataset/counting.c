#include "dataset/counting.h"

#include "util/alloc.h"
#include "util/error.h"

#include <varvite/store_backend.h>

#include <stdatomic.h>

typedef struct counting_store {
    vv_store base;
    vv_store *inner;
    atomic_uint_fast64_t values;
    atomic_uint_fast64_t bytes;
} counting_store;

static vv_store *inner_of(vv_store *self)
{
    return ((counting_store *)self)->inner;
}

static void count(vv_store *base, uint64_t values, uint64_t bytes)
{
    counting_store *self = (counting_store *)base;

    atomic_fetch_add(&self->values, values);
    atomic_fetch_add(&self->bytes, bytes);
}

static vv_status counting_get(vv_store *self, const char *key, vv_range range,
                              vv_buf *out, vv_error *err)
{
    return vv_store_get(inner_of(self), key, range, out, err);
}

static vv_status counting_get_many(vv_store *self, const char *const *keys,
                                   const vv_range *ranges, size_t n, vv_buf *outs,
                                   vv_status *statuses, vv_error *err)
{
    return vv_store_get_many(inner_of(self), keys, ranges, n, outs, statuses, err);
}

static vv_status counting_set(vv_store *self, const char *key, vv_bytes value,
                              bool only_if_absent, vv_error *err)
{
    vv_status status = only_if_absent
                           ? vv_store_set_if_absent(inner_of(self), key, value, err)
                           : vv_store_set(inner_of(self), key, value, err);

    if (!status)
        count(self, 1, value.len);
    return status;
}

static vv_status counting_set_many(vv_store *self, const char *const *keys,
                                   const vv_bytes *values, size_t n, vv_error *err)
{
    VVI_TRY(vv_store_set_many(inner_of(self), keys, values, n, err));
    for (size_t i = 0; i < n; i++)
        count(self, 1, values[i].len);
    return VV_OK;
}

static vv_status counting_remove(vv_store *self, const char *key, vv_error *err)
{
    return vv_store_delete(inner_of(self), key, err);
}

static vv_status counting_exists(vv_store *self, const char *key, bool *out,
                                 vv_error *err)
{
    return vv_store_exists(inner_of(self), key, out, err);
}

static vv_status counting_size(vv_store *self, const char *key, uint64_t *out,
                               vv_error *err)
{
    return vv_store_size(inner_of(self), key, out, err);
}

static vv_status counting_list(vv_store *self, const char *prefix, vv_key_fn visit,
                               void *ctx, vv_error *err)
{
    return vv_store_list(inner_of(self), prefix, visit, ctx, err);
}

static vv_status counting_list_dir(vv_store *self, const char *prefix, vv_key_fn visit,
                                   void *ctx, vv_error *err)
{
    return vv_store_list_dir(inner_of(self), prefix, visit, ctx, err);
}

static vv_status counting_flush(vv_store *self, vv_error *err)
{
    return vv_store_flush(inner_of(self), err);
}

static void counting_free(vv_store *base)
{
    counting_store *self = (counting_store *)base;

    vv_store_free(self->inner);
    vvi_free(self);
}

static const vv_store_ops counting_ops = {
    .name = "counting",
    .get = counting_get,
    .get_many = counting_get_many,
    .set = counting_set,
    .set_many = counting_set_many,
    .remove = counting_remove,
    .exists = counting_exists,
    .size = counting_size,
    .list = counting_list,
    .list_dir = counting_list_dir,
    .flush = counting_flush,
    .free = counting_free,
};

vv_status vvi_counting_store_new(vv_store *inner, vv_store **out, vv_error *err)
{
    counting_store *self = vvi_alloc_zero(sizeof(*self));

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vv_store_base_init(&self->base, &counting_ops, vv_store_is_read_only(inner));
    self->inner = vv_store_retain(inner);
    atomic_init(&self->values, 0);
    atomic_init(&self->bytes, 0);
    *out = &self->base;
    return VV_OK;
}

void vvi_counting_store_get(vv_store *store, uint64_t *values, uint64_t *bytes)
{
    counting_store *self = (counting_store *)store;

    *values = atomic_load(&self->values);
    *bytes = atomic_load(&self->bytes);
}
