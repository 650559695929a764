#include "far_store.h"

#include "support/support.h"

#include <varvite/store_backend.h>

#include <pthread.h>

typedef struct far_store {
    vv_store base;
    vv_store *inner;
    pthread_mutex_t lock;
    far_store_calls calls; /* guarded by lock, as the rest is */
    uint64_t left;
    const char *key;
    void (*fn)(void *ctx);
    void *ctx;
} far_store;

static vv_status count_call(far_store *self, vv_error *err)
{
    bool fails;

    pthread_mutex_lock(&self->lock);
    self->calls.trips++;
    fails = self->left == 0;
    if (self->left && self->left != UINT64_MAX)
        self->left--;
    pthread_mutex_unlock(&self->lock);
    if (!fails)
        return VV_OK;
    if (err) {
        err->status = VV_EIO;
        strcpy(err->message, "the far store does not answer");
    }
    return VV_EIO;
}

static void count_get(far_store *self, const char *key, vv_status status, size_t bytes)
{
    pthread_mutex_lock(&self->lock);
    self->calls.gets++;
    if (!status)
        self->calls.bytes += bytes;
    pthread_mutex_unlock(&self->lock);
    if (self->fn && strcmp(key, self->key) == 0)
        self->fn(self->ctx);
}

static vv_status far_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                         vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    if (status)
        return status;
    status = vv_store_get(self->inner, key, range, out, err);
    count_get(self, key, status, out->len);
    return status;
}

static vv_status far_get_many(vv_store *base, const char *const *keys,
                              const vv_range *ranges, size_t n, vv_buf *outs,
                              vv_status *statuses, vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    for (size_t i = 0; i < n && status; i++)
        statuses[i] = status;
    if (status)
        return status;
    status = vv_store_get_many(self->inner, keys, ranges, n, outs, statuses, err);
    for (size_t i = 0; i < n; i++)
        count_get(self, keys[i], statuses[i], outs[i].len);
    return status;
}

static vv_status far_set(vv_store *base, const char *key, vv_bytes value,
                         bool only_if_absent, vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    if (status)
        return status;
    pthread_mutex_lock(&self->lock);
    self->calls.sets++;
    pthread_mutex_unlock(&self->lock);
    return only_if_absent ? vv_store_set_if_absent(self->inner, key, value, err)
                          : vv_store_set(self->inner, key, value, err);
}

static vv_status far_remove(vv_store *base, const char *key, vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    return status ? status : vv_store_delete(self->inner, key, err);
}

static vv_status far_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    return status ? status : vv_store_exists(self->inner, key, out, err);
}

static vv_status far_size(vv_store *base, const char *key, uint64_t *out, vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    return status ? status : vv_store_size(self->inner, key, out, err);
}

static vv_status far_list(vv_store *base, const char *prefix, vv_key_fn visit, void *ctx,
                          vv_error *err)
{
    far_store *self = (far_store *)base;
    vv_status status = count_call(self, err);

    return status ? status : vv_store_list(self->inner, prefix, visit, ctx, err);
}

static void far_free(vv_store *base)
{
    far_store *self = (far_store *)base;

    vv_store_free(self->inner);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const vv_store_ops far_ops = {
    .name = "far",
    .get = far_get,
    .get_many = far_get_many,
    .set = far_set,
    .remove = far_remove,
    .exists = far_exists,
    .size = far_size,
    .list = far_list,
    .free = far_free,
};

vv_store *far_store_new(vv_store *inner)
{
    far_store *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    vv_store_base_init(&self->base, &far_ops, false);
    pthread_mutex_init(&self->lock, NULL);
    self->inner = vv_store_retain(inner);
    self->left = UINT64_MAX;
    return &self->base;
}

far_store_calls far_store_count(vv_store *store)
{
    far_store *self = (far_store *)store;
    far_store_calls calls;

    pthread_mutex_lock(&self->lock);
    calls = self->calls;
    memset(&self->calls, 0, sizeof(self->calls));
    pthread_mutex_unlock(&self->lock);
    return calls;
}

void far_store_fail_after(vv_store *store, uint64_t n)
{
    ((far_store *)store)->left = n;
}

void far_store_on_get(vv_store *store, const char *key, void (*fn)(void *ctx), void *ctx)
{
    far_store *self = (far_store *)store;

    self->key = key;
    self->fn = fn;
    self->ctx = ctx;
}
