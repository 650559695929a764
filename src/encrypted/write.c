/* Writing: values are encrypted, some of them at a time and on the worker threads, stored together, and then
 * named in the tree. */
#include "encrypted/store.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Values encrypted and stored at once: what bounds the memory of a set of very many. */
#define BATCH_VALUES ((size_t)1024)
#define BATCH_BYTES  ((uint64_t)64 << 20)

typedef struct batch {
    encrypted_store *store;
    const char *const *keys;
    const vv_bytes *values;
    size_t n;
    vv_buf *bodies; /* BATCH_VALUES places at most, as the next three */
    vv_bytes *blocks;
    vv_cid *cids;
    uint8_t (*salts)[VVI_ENC_SALT_BYTES];
} batch;

static void batch_clear(batch *self, size_t places)
{
    for (size_t i = 0; self->bodies && i < places; i++)
        vv_buf_clear(&self->bodies[i]);
    vvi_free(self->bodies);
    vvi_free(self->blocks);
    vvi_free(self->cids);
    vvi_free(self->salts);
}

static vv_status batch_init(batch *self, size_t places, vv_error *err)
{
    self->bodies = vvi_alloc_array_zero(places, sizeof(*self->bodies));
    self->blocks = vvi_alloc_array(places, sizeof(*self->blocks));
    self->cids = vvi_alloc_array(places, sizeof(*self->cids));
    self->salts = vvi_alloc_array(places, sizeof(*self->salts));
    if (self->bodies && self->blocks && self->cids && self->salts)
        return VV_OK;
    return vvi_fail_nomem(err, places * sizeof(*self->cids));
}

/* Every key of the store is bound to its value by its name, so that is done here, once. */
static vv_status encrypt(batch *self, size_t i, bool threads, vv_error *err)
{
    uint32_t segment = self->store->envelope.segment_bytes;
    vv_bytes plain = self->values[i];
    uint64_t len = vvi_body_length(plain.len, segment);
    vv_status status;
    vvi_segments run;
    vvi_sealed_value value;

    if (!len)
        return vvi_fail(err, VV_ELIMIT,
                        "key '%s': a value of %zu bytes, which no block holds",
                        self->keys[i], plain.len);
    self->bodies[i].len = 0;
    VVI_TRY(vvi_buf_reserve(&self->bodies[i], (size_t)len, err));
    vvi_sealed_value_init(&value, self->store->keys, self->keys[i], self->salts[i],
                          plain.len, segment);
    run = vvi_segments_of(&value, 0, plain.len);
    status = vvi_segments_seal(&value, &run, plain.data, self->bodies[i].data, threads,
                               err);
    vvi_sealed_value_clear(&value);
    self->bodies[i].len = (size_t)len;
    self->blocks[i] = vvi_buf_bytes(&self->bodies[i]);
    return status ? vvi_wrap(err, status, "key '%s'", self->keys[i]) : VV_OK;
}

static vv_status encrypt_one(void *ctx, size_t i, vv_error *err)
{
    return encrypt(ctx, i, false, err);
}

/* Encrypt and store: afterwards cids names each value's block. */
static vv_status store_bodies(batch *self, vv_error *err)
{
    for (size_t i = 0; i < self->n; i++)
        vvi_draw_bytes(&self->store->draw, self->salts[i], VVI_ENC_SALT_BYTES);
    if (self->n == 1)
        VVI_TRY(encrypt(self, 0, true, err));
    else
        VVI_TRY(vvi_parallel(0, self->n, encrypt_one, self, err));
    return vv_blockstore_put_many(self->store->blocks, &self->store->body_ids,
                                  self->blocks, self->n, self->cids, err);
}

static vv_status name_body(batch *self, size_t i, vv_buf *token, vv_error *err)
{
    vvi_descriptor at = { .body = self->cids[i], .length = self->values[i].len };
    vv_cid pointer;

    memcpy(at.salt, self->salts[i], sizeof(at.salt));
    VVI_TRY(vvi_descriptor_to_cid(&at, &pointer, err));
    VVI_TRY(vvi_name_seal(self->store->keys, self->keys[i], token, err));
    return vv_hamt_set_pointer(self->store->hamt, vvi_buf_bytes(token), &pointer, err);
}

static vv_status name_bodies(batch *self, vv_error *err)
{
    vv_buf token = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < self->n && !status; i++) {
        status = name_body(self, i, &token, err);
        if (status)
            vvi_wrap(err, status, "key '%s'", self->keys[i]);
    }
    vv_buf_clear(&token);
    return status;
}

/* How many of the next n values go together. */
static size_t batch_size(const vv_bytes *values, size_t n)
{
    uint64_t bytes = 0;
    size_t count = 0;

    while (count < n && count < BATCH_VALUES &&
           (!count || bytes + values[count].len <= BATCH_BYTES))
        bytes += values[count++].len;
    return count;
}

vv_status vvi_encrypted_set_many(vv_store *base, const char *const *keys,
                                 const vv_bytes *values, size_t n, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    size_t places = n < BATCH_VALUES ? n : BATCH_VALUES;
    batch some = { .store = self };
    vv_status status = batch_init(&some, places, err);

    for (size_t done = 0; done < n && !status; done += some.n) {
        some.keys = keys + done;
        some.values = values + done;
        some.n = batch_size(values + done, n - done);
        status = store_bodies(&some, err);
        if (status)
            break;
        vvi_rwlock_read(&self->changes);
        status = name_bodies(&some, err);
        vvi_rwlock_unlock(&self->changes);
    }
    batch_clear(&some, places);
    return status;
}

static vv_status set_if_absent(encrypted_store *self, const char *key, vv_bytes value,
                               vv_error *err)
{
    batch one = { .store = self, .keys = &key, .values = &value, .n = 1 };
    vv_cid pointer;
    vv_status status;

    vvi_rwlock_write(&self->changes);
    status = vvi_encrypted_find(self, key, &pointer, err);
    if (status == VV_OK)
        status = vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
    else if (status == VV_ENOTFOUND)
        status = batch_init(&one, 1, err);
    if (!status)
        status = store_bodies(&one, err);
    if (!status)
        status = name_bodies(&one, err);
    vvi_rwlock_unlock(&self->changes);
    batch_clear(&one, 1);
    return status;
}

vv_status vvi_encrypted_set(vv_store *base, const char *key, vv_bytes value,
                            bool only_if_absent, vv_error *err)
{
    if (only_if_absent)
        return set_if_absent((encrypted_store *)base, key, value, err);
    return vvi_encrypted_set_many(base, &key, &value, 1, err);
}
