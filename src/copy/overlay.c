#include "copy/overlay.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <varvite/store_backend.h>

#include <string.h>

typedef struct overlay {
    vv_store base;
    vv_store *behind; /* held */
    char *key;
    vvi_mutex lock;
    bool kept;    /* guarded by lock, as value */
    vv_buf value; /* of key */
} overlay;

static overlay *is_mine(vv_store *base, const char *key)
{
    overlay *self = (overlay *)base;

    return strcmp(self->key, key) == 0 ? self : NULL;
}

static vv_status get_mine(overlay *self, vv_range range, vv_buf *out, vv_error *err)
{
    vv_buf copy = VV_BUF_INIT;
    vv_status status;

    vvi_mutex_lock(&self->lock);
    status = self->kept ? vvi_buf_set(&copy, vvi_buf_bytes(&self->value), err)
                        : vvi_fail(err, VV_ENOTFOUND, "no key '%s' yet", self->key);
    vvi_mutex_unlock(&self->lock);
    if (!status) {
        (void)vvi_buf_cut(&copy, range, NULL); /* cannot fail */
        vvi_buf_move(out, &copy);
    }
    vv_buf_clear(&copy);
    return status;
}

static vv_status overlay_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                             vv_error *err)
{
    overlay *self = is_mine(base, key);

    if (self)
        return get_mine(self, range, out, err);
    return vv_store_get(((overlay *)base)->behind, key, range, out, err);
}

static vv_status overlay_get_many(vv_store *base, const char *const *keys,
                                  const vv_range *ranges, size_t n, vv_buf *outs,
                                  vv_status *statuses, vv_error *err)
{
    overlay *self = (overlay *)base;
    vv_status status = vv_store_get_many(self->behind, keys, ranges, n, outs, statuses,
                                         err);

    for (size_t i = 0; i < n; i++)
        if (is_mine(base, keys[i]))
            statuses[i] = get_mine(self, ranges ? ranges[i] : VV_RANGE_ALL, &outs[i],
                                   err);
    return status;
}

static vv_status overlay_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    overlay *self = is_mine(base, key);

    if (!self)
        return vv_store_exists(((overlay *)base)->behind, key, out, err);
    vvi_mutex_lock(&self->lock);
    *out = self->kept;
    vvi_mutex_unlock(&self->lock);
    return VV_OK;
}

static vv_status overlay_size(vv_store *base, const char *key, uint64_t *out,
                              vv_error *err)
{
    vv_buf value = VV_BUF_INIT;
    overlay *self = is_mine(base, key);
    vv_status status;

    if (!self)
        return vv_store_size(((overlay *)base)->behind, key, out, err);
    status = get_mine(self, VV_RANGE_ALL, &value, err);
    *out = value.len;
    vv_buf_clear(&value);
    return status;
}

static vv_status overlay_set(vv_store *base, const char *key, vv_bytes value,
                             bool only_if_absent, vv_error *err)
{
    overlay *self = is_mine(base, key);
    vv_status status;

    if (!self)
        return only_if_absent
                   ? vv_store_set_if_absent(((overlay *)base)->behind, key, value, err)
                   : vv_store_set(((overlay *)base)->behind, key, value, err);
    vvi_mutex_lock(&self->lock);
    if (only_if_absent && self->kept)
        status = vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
    else
        status = vvi_buf_set(&self->value, value, err);
    self->kept = self->kept || !status;
    vvi_mutex_unlock(&self->lock);
    return status;
}

static vv_status overlay_set_many(vv_store *base, const char *const *keys,
                                  const vv_bytes *values, size_t n, vv_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (is_mine(base, keys[i])) { /* never with chunks */
            for (size_t k = 0; k < n; k++)
                VVI_TRY(overlay_set(base, keys[k], values[k], false, err));
            return VV_OK;
        }
    return vv_store_set_many(((overlay *)base)->behind, keys, values, n, err);
}

static vv_status overlay_remove(vv_store *base, const char *key, vv_error *err)
{
    overlay *self = is_mine(base, key);

    if (!self)
        return vv_store_delete(((overlay *)base)->behind, key, err);
    vvi_mutex_lock(&self->lock);
    self->kept = false;
    vv_buf_clear(&self->value);
    vvi_mutex_unlock(&self->lock);
    return VV_OK;
}

static vv_status overlay_list(vv_store *base, const char *prefix, vv_key_fn visit,
                              void *ctx, vv_error *err)
{
    return vv_store_list(((overlay *)base)->behind, prefix, visit, ctx, err);
}

static vv_status overlay_list_dir(vv_store *base, const char *prefix, vv_key_fn visit,
                                  void *ctx, vv_error *err)
{
    return vv_store_list_dir(((overlay *)base)->behind, prefix, visit, ctx, err);
}

static vv_status overlay_flush(vv_store *base, vv_error *err)
{
    return vv_store_flush(((overlay *)base)->behind, err);
}

static void overlay_free(vv_store *base)
{
    overlay *self = (overlay *)base;

    vv_buf_clear(&self->value);
    vvi_mutex_clear(&self->lock);
    vv_store_free(self->behind);
    vvi_free(self->key);
    vvi_free(self);
}

static const vv_store_ops overlay_ops = { .name = "overlay",
                                          .get = overlay_get,
                                          .get_many = overlay_get_many,
                                          .set = overlay_set,
                                          .set_many = overlay_set_many,
                                          .remove = overlay_remove,
                                          .exists = overlay_exists,
                                          .size = overlay_size,
                                          .list = overlay_list,
                                          .list_dir = overlay_list_dir,
                                          .flush = overlay_flush,
                                          .free = overlay_free };

vv_status vvi_overlay_new(vv_store *behind, const char *key, vv_store **out,
                          vv_error *err)
{
    overlay *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->key = vvi_strdup(key);
    status = self->key ? vvi_mutex_init(&self->lock, err)
                       : vvi_fail_nomem(err, strlen(key) + 1);
    if (status) {
        vvi_free(self->key);
        vvi_free(self);
        return status;
    }
    vv_store_base_init(&self->base, &overlay_ops, vv_store_is_read_only(behind));
    self->behind = vv_store_retain(behind);
    *out = &self->base;
    return VV_OK;
}

vv_status vvi_overlay_release(vv_store *base, vv_error *err)
{
    overlay *self = (overlay *)base;

    if (!self->kept)
        return vvi_fail(err, VV_ENOTFOUND, "nothing was put under '%s'", self->key);
    return vv_store_set(self->behind, self->key, vvi_buf_bytes(&self->value), err);
}
