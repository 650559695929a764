/* A store in memory: a table of keys, each with a counted, unchanging value. */
#include "store/internal.h"

#include "store/key_set.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <string.h>

/* A value is never changed, only replaced, so readers hold it without a copy. */
typedef struct value {
    int refs;        /* atomic */
    uint64_t number; /* no other value of the store has it */
    size_t len;
    uint8_t data[];
} value;

typedef struct memory_store {
    vv_store base;
    vvi_rwlock lock;
    vvi_key_set keys; /* key → value; guarded by lock */
    uint64_t made;    /* values so far; guarded by lock */
} memory_store;

static value *value_new(vv_bytes bytes)
{
    value *self = vvi_alloc(sizeof(*self) + bytes.len);

    if (!self)
        return NULL;
    self->refs = 1;
    self->number = 0;
    self->len = bytes.len;
    if (bytes.len)
        memcpy(self->data, bytes.data, bytes.len);
    return self;
}

static void value_release(void *owner)
{
    value *self = owner;

    if (self && __atomic_sub_fetch(&self->refs, 1, __ATOMIC_ACQ_REL) == 0)
        vvi_free(self);
}

/* The value of a key, held for the caller; NULL if there is none. */
static value *hold_value(memory_store *self, const char *key)
{
    vvi_key_entry *entry;
    value *found = NULL;

    vvi_rwlock_read(&self->lock);
    entry = vvi_key_set_find(&self->keys, key, strlen(key));
    if (entry) {
        found = entry->value;
        __atomic_add_fetch(&found->refs, 1, __ATOMIC_RELAXED);
    }
    vvi_rwlock_unlock(&self->lock);
    return found;
}

static vv_status memory_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                            vv_error *err)
{
    value *found = hold_value((memory_store *)base, key);
    vv_buf lent = VV_BUF_INIT;

    if (!found)
        return vvi_fail_missing_key(err, base, key);
    vvi_buf_lend(&lent, found->data, found->len, value_release, found);
    vvi_store_give(&lent, range, out);
    return VV_OK;
}

static vv_status memory_open_value(vv_store *base, const char *key, vv_store_value *out,
                                   vv_error *err)
{
    value *found = hold_value((memory_store *)base, key);

    if (!found)
        return vvi_fail_missing_key(err, base, key);
    out->size = found->len;
    out->version[0] = found->number;
    out->view = found->data;
    out->handle = found;
    return VV_OK;
}

static void memory_close_value(vv_store *base, vv_store_value *open)
{
    (void)base;
    value_release(open->handle);
}

static vv_status memory_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    value *found = hold_value((memory_store *)base, key);

    (void)err;
    *out = found != NULL;
    value_release(found);
    return VV_OK;
}

static vv_status memory_size(vv_store *base, const char *key, uint64_t *out,
                             vv_error *err)
{
    value *found = hold_value((memory_store *)base, key);

    if (!found)
        return vvi_fail_missing_key(err, base, key);
    *out = found->len;
    value_release(found);
    return VV_OK;
}

/* Let the key have the value, which is taken also on failure. */
static vv_status put_value(memory_store *self, const char *key, value *fresh,
                           bool only_if_absent, vv_error *err)
{
    value *old = fresh; /* released below unless it goes in */
    vvi_key_entry *entry;
    bool is_new;
    vv_status status;

    vvi_rwlock_write(&self->lock);
    status = vvi_key_set_add(&self->keys, key, strlen(key), &entry, &is_new, err);
    if (!status && !is_new && only_if_absent)
        status = vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
    if (!status) {
        old = entry->value;
        entry->value = fresh;
        if (!fresh->number) /* else a copy: the same bytes */
            fresh->number = ++self->made;
    }
    vvi_rwlock_unlock(&self->lock);
    value_release(old);
    return status;
}

static vv_status memory_set(vv_store *base, const char *key, vv_bytes bytes,
                            bool only_if_absent, vv_error *err)
{
    value *fresh = value_new(bytes);

    if (!fresh)
        return vvi_fail_nomem(err, bytes.len);
    return put_value((memory_store *)base, key, fresh, only_if_absent, err);
}

static vv_status memory_copy(vv_store *base, const char *from, const char *to,
                             vv_error *err)
{
    value *found = hold_value((memory_store *)base, from);

    if (!found)
        return vvi_fail_missing_key(err, base, from);
    return put_value((memory_store *)base, to, found, false, err);
}

static vv_status memory_remove(vv_store *base, const char *key, vv_error *err)
{
    memory_store *self = (memory_store *)base;
    vvi_key_entry *entry;
    value *old = NULL;

    vvi_rwlock_write(&self->lock);
    entry = vvi_key_set_find(&self->keys, key, strlen(key));
    if (entry) {
        old = entry->value;
        vvi_key_set_remove(&self->keys, entry);
    }
    vvi_rwlock_unlock(&self->lock);
    if (!old)
        return vvi_fail_missing_key(err, base, key);
    value_release(old);
    return VV_OK;
}

/* Append the keys with this prefix, each with its end, to out. */
static vv_status copy_keys(memory_store *self, const char *prefix, vv_buf *out,
                           vv_error *err)
{
    size_t len = strlen(prefix);
    vv_status status = VV_OK;

    vvi_rwlock_read(&self->lock);
    for (size_t i = 0; i < self->keys.capacity && !status; i++) {
        const char *key = self->keys.entries[i].key;

        if (key && strncmp(key, prefix, len) == 0)
            status = vvi_buf_append(out, vvi_bytes(key, strlen(key) + 1), err);
    }
    vvi_rwlock_unlock(&self->lock);
    return status;
}

static vv_status memory_list(vv_store *base, const char *prefix, vv_key_fn visit,
                             void *ctx, vv_error *err)
{
    vv_buf keys = VV_BUF_INIT;
    vv_status status = copy_keys((memory_store *)base, prefix, &keys, err);

    for (size_t at = 0; at < keys.len && !status;) {
        const char *key = (const char *)keys.data + at;

        at += strlen(key) + 1;
        status = visit(ctx, key, err);
    }
    vv_buf_clear(&keys);
    return status;
}

static void memory_free(vv_store *base)
{
    memory_store *self = (memory_store *)base;

    for (size_t i = 0; i < self->keys.capacity; i++)
        value_release(self->keys.entries[i].value);
    vvi_key_set_clear(&self->keys);
    vvi_rwlock_clear(&self->lock);
    vvi_free(self);
}

static const vv_store_ops memory_ops = {
    .name = "memory",
    .get = memory_get,
    .set = memory_set,
    .copy = memory_copy,
    .remove = memory_remove,
    .exists = memory_exists,
    .size = memory_size,
    .list = memory_list,
    .free = memory_free,
    .open_value = memory_open_value,
    .close_value = memory_close_value,
};

vv_status vv_memory_store_new(vv_store **out, vv_error *err)
{
    memory_store *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_rwlock_init_writers_first(&self->lock, err);
    if (status) {
        vvi_free(self);
        return status;
    }
    vv_store_base_init(&self->base, &memory_ops, false);
    self->base.is_near = true;
    *out = &self->base;
    return VV_OK;
}
