/* The values of another store, encrypted as py-hamt's SimpleEncryptedZarrHAMTStore does: nonce, tag,
 * ciphertext; XChaCha20-Poly1305 with one header as the associated data of all of them. */
#include "encrypted/pyhamt.h"

#include "crypto/secret.h"
#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <varvite/store_backend.h>

#include <string.h>

/* Values encrypted at once: what bounds the memory of a set of very many. */
#define BATCH_VALUES ((size_t)1024)
#define BATCH_BYTES  ((uint64_t)64 << 20)

typedef struct pyhamt_store {
    vv_store base;
    vv_store *inner; /* held */
    uint8_t *key;    /* in locked memory */
    vv_buf header;
    vvi_draw draw;
} pyhamt_store;

static pyhamt_store *of(vv_store *base)
{
    return (pyhamt_store *)base;
}

vv_status vvi_pyhamt_seal(const uint8_t key[VV_KEY_BYTES], vv_bytes header,
                          vv_bytes plain, uint8_t *stored, vv_error *err)
{
    return vvi_xchacha_seal(key, stored, header, plain, stored + VVI_PYHAMT_FRONT,
                            stored + VVI_XCHACHA_NONCE_BYTES, err);
}

vv_status vvi_pyhamt_open(const uint8_t key[VV_KEY_BYTES], vv_bytes header,
                          vv_bytes stored, vv_buf *plain, vv_error *err)
{
    vv_buf opened = VV_BUF_INIT;
    vv_bytes cipher;
    vv_status status;

    if (stored.len < VVI_PYHAMT_FRONT)
        return vvi_fail(err, VV_EAUTH,
                        "decryption failed: %zu bytes, and nonce and tag take %d",
                        stored.len, VVI_PYHAMT_FRONT);
    cipher = vvi_bytes(stored.data + VVI_PYHAMT_FRONT, stored.len - VVI_PYHAMT_FRONT);
    VVI_TRY(vvi_buf_reserve(&opened, cipher.len + 1, err));
    status = vvi_xchacha_open(key, stored.data, header, cipher,
                              stored.data + VVI_XCHACHA_NONCE_BYTES, opened.data, err);
    if (!status) {
        opened.len = cipher.len;
        vvi_buf_move(plain, &opened);
    }
    vv_buf_clear(&opened);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Decrypt, then cut: what the whole value's tag does not cover is nobody's value. */
static vv_status open_value(pyhamt_store *self, const char *key, vv_buf *stored,
                            vv_range range, vv_buf *out, vv_error *err)
{
    vv_status status = vvi_pyhamt_open(self->key, vvi_buf_bytes(&self->header),
                                       vvi_buf_bytes(stored), stored, err);

    if (status)
        return vvi_wrap(err, status, "the value of key '%s'", key);
    vvi_store_give(stored, range, out);
    return VV_OK;
}

static vv_status pyhamt_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                            vv_error *err)
{
    pyhamt_store *self = of(base);
    vv_buf stored = VV_BUF_INIT;
    vv_status status = vv_store_get(self->inner, key, VV_RANGE_ALL, &stored, err);

    if (!status)
        status = open_value(self, key, &stored, range, out, err);
    vv_buf_clear(&stored);
    return status;
}

typedef struct opening {
    pyhamt_store *store;
    const char *const *keys;
    const vv_range *ranges;
    vv_buf *outs;
    vv_status *statuses;
    vvi_mutex lock;
    vv_status first; /* guarded by lock, as the next */
    vv_error error;
} opening;

static vv_status open_one(void *ctx, size_t i, vv_error *err)
{
    opening *self = ctx;
    vv_error why = VV_ERROR_INIT;
    vv_range range = self->ranges ? self->ranges[i] : VV_RANGE_ALL;

    (void)err;
    if (self->statuses[i])
        return VV_OK;
    self->statuses[i] = open_value(self->store, self->keys[i], &self->outs[i], range,
                                   &self->outs[i], &why);
    if (!self->statuses[i])
        return VV_OK;
    vv_buf_clear(&self->outs[i]);
    vvi_mutex_lock(&self->lock);
    if (!self->first) {
        self->first = self->statuses[i];
        self->error = why;
    }
    vvi_mutex_unlock(&self->lock);
    return VV_OK;
}

static vv_status pyhamt_get_many(vv_store *base, const char *const *keys,
                                 const vv_range *ranges, size_t n, vv_buf *outs,
                                 vv_status *statuses, vv_error *err)
{
    opening all = { .store = of(base),
                    .keys = keys,
                    .ranges = ranges,
                    .outs = outs,
                    .statuses = statuses };
    vv_status status = vvi_mutex_init(&all.lock, err);

    if (!status) {
        status = vv_store_get_many(all.store->inner, keys, NULL, n, outs, statuses, err);
        /* Also when some could not be read: the others are there, still encrypted. A value that is opened
         * twice does not decrypt the second time. */
        if (vvi_parallel(0, n, open_one, &all, NULL))
            for (size_t i = 0; i < n; i++)
                open_one(&all, i, NULL);
        vvi_mutex_clear(&all.lock);
    } else {
        for (size_t i = 0; i < n; i++)
            statuses[i] = status;
    }
    if (!status && all.first) {
        status = all.first;
        if (err)
            *err = all.error;
    }
    return status;
}

static vv_status pyhamt_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    return vv_store_exists(of(base)->inner, key, out, err);
}

static vv_status pyhamt_size(vv_store *base, const char *key, uint64_t *out,
                             vv_error *err)
{
    uint64_t stored;

    VVI_TRY(vv_store_size(of(base)->inner, key, &stored, err));
    if (stored < VVI_PYHAMT_FRONT)
        return vvi_fail(err, VV_EAUTH,
                        "the value of key '%s': %" PRIu64 " bytes are no encrypted value",
                        key, stored);
    *out = stored - VVI_PYHAMT_FRONT;
    return VV_OK;
}

static vv_status pyhamt_list(vv_store *base, const char *prefix, vv_key_fn visit,
                             void *ctx, vv_error *err)
{
    return vv_store_list(of(base)->inner, prefix, visit, ctx, err);
}

static vv_status pyhamt_list_dir(vv_store *base, const char *prefix, vv_key_fn visit,
                                 void *ctx, vv_error *err)
{
    return vv_store_list_dir(of(base)->inner, prefix, visit, ctx, err);
}

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct sealing {
    pyhamt_store *store;
    const char *const *keys;
    const vv_bytes *values;
    size_t n;
    vv_buf *stored; /* some, as the next */
    vv_bytes *pieces;
} sealing;

static vv_status seal_one(void *ctx, size_t i, vv_error *err)
{
    sealing *self = ctx;
    vv_status status = vvi_pyhamt_seal(self->store->key,
                                       vvi_buf_bytes(&self->store->header),
                                       self->values[i], self->stored[i].data, err);

    return status ? vvi_wrap(err, status, "key '%s'", self->keys[i]) : VV_OK;
}

/* Nonces are drawn in the order of the values, whichever thread encrypts them. */
static vv_status seal_some(sealing *self, vv_error *err)
{
    for (size_t i = 0; i < self->n; i++) {
        size_t len = self->values[i].len + VVI_PYHAMT_FRONT;

        self->stored[i].len = 0;
        VVI_TRY(vvi_buf_reserve(&self->stored[i], len, err));
        self->stored[i].len = len;
        vvi_draw_bytes(&self->store->draw, self->stored[i].data, VVI_XCHACHA_NONCE_BYTES);
        self->pieces[i] = vvi_buf_bytes(&self->stored[i]);
    }
    return vvi_parallel(0, self->n, seal_one, self, err);
}

static size_t some_of(const vv_bytes *values, size_t n)
{
    uint64_t bytes = 0;
    size_t count = 0;

    while (count < n && count < BATCH_VALUES &&
           (!count || bytes + values[count].len <= BATCH_BYTES))
        bytes += values[count++].len;
    return count;
}

static vv_status sealing_init(sealing *self, size_t places, vv_error *err)
{
    self->stored = vvi_alloc_array_zero(places, sizeof(*self->stored));
    self->pieces = vvi_alloc_array(places, sizeof(*self->pieces));
    return self->stored && self->pieces
               ? VV_OK
               : vvi_fail_nomem(err, places * sizeof(*self->stored));
}

static void sealing_clear(sealing *self, size_t places)
{
    for (size_t i = 0; self->stored && i < places; i++)
        vv_buf_clear(&self->stored[i]);
    vvi_free(self->stored);
    vvi_free(self->pieces);
}

static vv_status pyhamt_set_many(vv_store *base, const char *const *keys,
                                 const vv_bytes *values, size_t n, vv_error *err)
{
    size_t places = n < BATCH_VALUES ? n : BATCH_VALUES;
    sealing some = { .store = of(base) };
    vv_status status = sealing_init(&some, places, err);

    for (size_t done = 0; done < n && !status; done += some.n) {
        some.keys = keys + done;
        some.values = values + done;
        some.n = some_of(values + done, n - done);
        status = seal_some(&some, err);
        if (!status)
            status = vv_store_set_many(some.store->inner, some.keys, some.pieces, some.n,
                                       err);
    }
    sealing_clear(&some, places);
    return status;
}

static vv_status pyhamt_set(vv_store *base, const char *key, vv_bytes value,
                            bool only_if_absent, vv_error *err)
{
    sealing one = { .store = of(base), .keys = &key, .values = &value, .n = 1 };
    vv_status status = sealing_init(&one, 1, err);

    if (!status)
        status = seal_some(&one, err);
    if (!status)
        status = (only_if_absent ? vv_store_set_if_absent : vv_store_set)(
            one.store->inner, key, one.pieces[0], err);
    sealing_clear(&one, 1);
    return status;
}

static vv_status pyhamt_remove(vv_store *base, const char *key, vv_error *err)
{
    return vv_store_delete(of(base)->inner, key, err);
}

static vv_status pyhamt_remove_dir(vv_store *base, const char *prefix, uint64_t *deleted,
                                   vv_error *err)
{
    return vv_store_delete_prefix(of(base)->inner, prefix, deleted, err);
}

/* Values are not bound to their keys, so what is stored means the same under another one. */
static vv_status pyhamt_copy(vv_store *base, const char *from, const char *to,
                             vv_error *err)
{
    return vv_store_copy(of(base)->inner, from, to, err);
}

static vv_status pyhamt_rename_dir(vv_store *base, const char *from, const char *to,
                                   vv_error *err)
{
    return vvi_store_rename_dir(of(base)->inner, from, to, err);
}

static vv_status pyhamt_flush(vv_store *base, vv_error *err)
{
    return vv_store_flush(of(base)->inner, err);
}

static vv_status pyhamt_commit(vv_store *base, vv_cid *root, vv_error *err)
{
    return vv_store_commit(of(base)->inner, root, err);
}

static vv_status pyhamt_pointer(vv_store *base, const char *key, vv_cid *out,
                                vv_error *err)
{
    return vv_store_pointer(of(base)->inner, key, out, err);
}

static vv_status pyhamt_set_pointer(vv_store *base, const char *key,
                                    const vv_cid *pointer, vv_error *err)
{
    return vv_store_set_pointer(of(base)->inner, key, pointer, err);
}

static void pyhamt_free(vv_store *base)
{
    pyhamt_store *self = of(base);

    vv_store_free(self->inner);
    vvi_secret_free(self->key);
    vv_buf_clear(&self->header);
    vvi_free(self);
}

#define OPS_OF_ALL                                                                 \
    .name = "encrypted (py-hamt)", .get = pyhamt_get, .get_many = pyhamt_get_many, \
    .set = pyhamt_set, .set_many = pyhamt_set_many, .remove = pyhamt_remove,       \
    .exists = pyhamt_exists, .size = pyhamt_size, .list = pyhamt_list,             \
    .list_dir = pyhamt_list_dir, .flush = pyhamt_flush, .free = pyhamt_free,       \
    .copy = pyhamt_copy, .rename_dir = pyhamt_rename_dir,                          \
    .remove_dir = pyhamt_remove_dir

static const vv_store_ops pyhamt_ops = { OPS_OF_ALL };
/* Over a store that one CID names. */
static const vv_store_ops pyhamt_rooted_ops = { OPS_OF_ALL, .commit = pyhamt_commit,
                                                .pointer = pyhamt_pointer,
                                                .set_pointer = pyhamt_set_pointer };

vv_status vvi_pyhamt_encrypted_store_new(vv_store *inner, const vv_key *key,
                                         vv_bytes header, const vvi_draw *draw,
                                         vv_store **out, vv_error *err)
{
    pyhamt_store *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vv_store_base_init(&self->base,
                       vvi_store_has_root(inner) ? &pyhamt_rooted_ops : &pyhamt_ops,
                       inner->read_only);
    self->base.indexes_chunks = inner->indexes_chunks;
    self->base.slashed_keys = inner->slashed_keys;
    self->inner = vv_store_retain(inner);
    if (draw)
        self->draw = *draw;
    self->key = vvi_secret_new(VV_KEY_BYTES);
    status = self->key ? vvi_buf_set(&self->header, header, err)
                       : vvi_fail_nomem(err, VV_KEY_BYTES);
    if (status) {
        pyhamt_free(&self->base);
        return status;
    }
    vv_key_bytes(key, self->key);
    *out = &self->base;
    return VV_OK;
}

vv_status vv_pyhamt_encrypted_store_new(vv_store *inner, const vv_key *key,
                                        vv_bytes header, vv_store **out, vv_error *err)
{
    return vvi_pyhamt_encrypted_store_new(inner, key, header, NULL, out, err);
}
