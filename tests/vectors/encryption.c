/* encryption.json: values encrypted by py-hamt, what it refuses, and whole stores of it. */
#include "hamt.h"

#include "crypto/aead.h"
#include "encrypted/pyhamt.h"
#include "util/buf.h"
#include "util/endian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parts of an entry, from hexadecimal. */
typedef struct parts {
    vv_buf key, header, nonce, plain, stored;
} parts;

static vv_buf part(const json_t *entry, const char *name)
{
    const char *hex = text_of(entry, name);

    return hex ? bytes_of_hex(hex) : (vv_buf)VV_BUF_INIT;
}

static parts read_parts(const json_t *entry)
{
    return (parts){ part(entry, "key"), part(entry, "header"), part(entry, "nonce"),
                    part(entry, "plaintext"), part(entry, "stored") };
}

static void clear_parts(parts *self)
{
    vv_buf_clear(&self->key);
    vv_buf_clear(&self->header);
    vv_buf_clear(&self->nonce);
    vv_buf_clear(&self->plain);
    vv_buf_clear(&self->stored);
}

/* Both ways; the subkey of the entry is what the bytes come of. */
static void run_encrypt(vector_run *run, const json_t *entry, const char *name)
{
    parts given = read_parts(entry);
    vv_buf opened = VV_BUF_INIT;
    uint8_t *stored = malloc(given.plain.len + VVI_PYHAMT_FRONT);

    memcpy(stored, given.nonce.data, VVI_XCHACHA_NONCE_BYTES);
    if (vvi_pyhamt_seal(given.key.data, vvi_buf_bytes(&given.header),
                        vvi_buf_bytes(&given.plain), stored, NULL) ||
        given.stored.len != given.plain.len + VVI_PYHAMT_FRONT ||
        memcmp(stored, given.stored.data, given.stored.len) != 0)
        vector_fail(run, name, "other bytes");
    else if (vvi_pyhamt_open(given.key.data, vvi_buf_bytes(&given.header),
                             vvi_buf_bytes(&given.stored), &opened, NULL) ||
             !vvi_bytes_equal(vvi_buf_bytes(&opened), vvi_buf_bytes(&given.plain)))
        vector_fail(run, name, "does not decrypt");
    else
        vector_pass(run);
    free(stored);
    vv_buf_clear(&opened);
    clear_parts(&given);
}

/* Refused, whether the key has the right length or not, and nothing handed out. */
static void run_refusal(vector_run *run, const json_t *entry, const char *name)
{
    parts given = read_parts(entry);
    vv_buf opened = VV_BUF_INIT;
    vv_key *key = NULL;
    vv_status status = vv_key_from_bytes(vvi_buf_bytes(&given.key), &key, NULL);

    if (!status)
        status = vvi_pyhamt_open(given.key.data, vvi_buf_bytes(&given.header),
                                 vvi_buf_bytes(&given.stored), &opened, NULL);
    if (status != VV_EAUTH && status != VV_EINVAL)
        vector_fail(run, name, "%s, not refused", vv_status_name(status));
    else if (opened.data)
        vector_fail(run, name, "bytes were handed out");
    else
        vector_pass(run);
    vv_key_free(key);
    clear_parts(&given);
}

/* The i-th encryption uses i as eight bytes, then zeros. */
static void count_nonces(void *ctx, uint8_t *out, size_t len)
{
    uint64_t *next = ctx;

    memset(out, 0, len);
    vvi_put_le64(out, (*next)++);
}

static bool set_all(const json_t *sets, vv_store *store, vv_error *err)
{
    bool right = true;

    for (size_t i = 0; i < json_array_size(sets) && right; i++) {
        const json_t *set = json_array_get(sets, i);
        vv_buf value = bytes_of_hex(json_string_value(json_array_get(set, 1)));

        right = vv_store_set(store, json_string_value(json_array_get(set, 0)),
                             vvi_buf_bytes(&value), err) == VV_OK;
        vv_buf_clear(&value);
    }
    return right;
}

/* The last value of each key is what is read. */
static bool reads_all(const json_t *sets, vv_store *store, vv_error *err)
{
    bool right = true;

    for (size_t i = 0; i < json_array_size(sets) && right; i++) {
        const char *key = json_string_value(json_array_get(json_array_get(sets, i), 0));
        vv_buf got = VV_BUF_INIT;
        vv_buf want;
        size_t last = i;

        for (size_t j = i; j < json_array_size(sets); j++)
            if (strcmp(key, json_string_value(
                                json_array_get(json_array_get(sets, j), 0))) == 0)
                last = j;
        want = bytes_of_hex(
            json_string_value(json_array_get(json_array_get(sets, last), 1)));
        right = !vv_store_get(store, key, VV_RANGE_ALL, &got, err) &&
                vvi_bytes_equal(vvi_buf_bytes(&got), vvi_buf_bytes(&want));
        vv_buf_clear(&want);
        vv_buf_clear(&got);
    }
    return right;
}

static void run_store(vector_run *run, const json_t *entry, const hamt_backend *backend,
                      const char *name)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_buf key_bytes = part(entry, "key");
    vv_buf header = part(entry, "header");
    const json_t *sets = json_object_get(entry, "sets");
    const char *want = text_of(json_object_get(entry, "roots"), backend->name);
    vv_blockstore *blocks = NULL;
    vv_store *inner = NULL;
    vv_store *store = NULL;
    vv_key *key = NULL;
    vv_error err = VV_ERROR_INIT;
    uint64_t nonce = 0;
    vvi_draw draw = { count_nonces, &nonce };
    vv_cid root;

    options.max_bucket_size = (uint32_t)int_of(entry, "max_bucket_size", 4);
    options.ids = backend->ids;
    if (vv_memory_blockstore_new(&blocks, &err) ||
        vv_hamt_store_open(blocks, NULL, &options, &inner, &err) ||
        vv_key_from_bytes(vvi_buf_bytes(&key_bytes), &key, &err) ||
        vvi_pyhamt_encrypted_store_new(inner, key, vvi_buf_bytes(&header), &draw, &store,
                                       &err) ||
        !set_all(sets, store, &err) || vv_store_commit(store, &root, &err))
        vector_fail(run, name, "cannot be replayed: %s", err.message);
    else if (!want || strcmp(hamt_id_text(&root), want) != 0)
        vector_fail(run, name, "root %s, not %s", hamt_id_text(&root), want);
    else if (!reads_all(sets, store, &err))
        vector_fail(run, name, "other values: %s", err.message);
    else
        vector_pass(run);
    vv_store_free(store);
    vv_store_free(inner);
    vv_key_free(key);
    vv_buf_clear(&key_bytes);
    vv_buf_clear(&header);
    vv_blockstore_free(blocks);
}

void run_encryption(vector_run *run, const json_t *document)
{
    const json_t *encrypt = json_object_get(document, "encrypt");
    const json_t *errors = json_object_get(document, "decrypt_errors");
    const json_t *stores = json_object_get(document, "stores");
    char name[120];

    for (size_t i = 0; i < json_array_size(encrypt); i++) {
        snprintf(name, sizeof(name), "encrypt %zu", i);
        run_encrypt(run, json_array_get(encrypt, i), name);
    }
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *entry = json_array_get(errors, i);
        const char *note = text_of(entry, "note");

        snprintf(name, sizeof(name), "error %zu: %s", i, note ? note : "");
        run_refusal(run, entry, name);
    }
    for (size_t i = 0; i < json_array_size(stores); i++)
        for (size_t b = 0; b < HAMT_BACKEND_COUNT; b++) {
            snprintf(name, sizeof(name), "store %zu %s", i, hamt_backends[b].name);
            run_store(run, json_array_get(stores, i), &hamt_backends[b], name);
        }
}

/* ---- known bugs ------------------------------------------------------------------------------ */

/* An encrypted store of either kind on a memory store, with c/0 set. */
typedef struct two_stores {
    vv_blockstore *blocks;
    vv_store *inner; /* of py-hamt's */
    vv_store *store;
} two_stores;

static bool open_stores(two_stores *self, bool ours)
{
    vv_key *key = NULL;
    bool right;

    *self = (two_stores){ NULL, NULL, NULL };
    right = !vv_memory_blockstore_new(&self->blocks, NULL) && !vv_key_new(&key, NULL);
    if (right && ours)
        right = !vv_encrypted_store_open(self->blocks, NULL, key, NULL, &self->store,
                                         NULL);
    else if (right)
        right = !vv_hamt_store_open(self->blocks, NULL, NULL, &self->inner, NULL) &&
                !vv_pyhamt_encrypted_store_new(self->inner, key, vv_bytes_of("h"),
                                               &self->store, NULL);
    vv_key_free(key);
    return right && !vv_store_set(self->store, "c/0", vv_bytes_of("0123456789"), NULL);
}

static void close_stores(two_stores *self)
{
    vv_store_free(self->store);
    vv_store_free(self->inner);
    vv_blockstore_free(self->blocks);
}

static bool ranges_are_cut(bool ours)
{
    vv_buf out = VV_BUF_INIT;
    two_stores all;
    bool right = open_stores(&all, ours) &&
                 !vv_store_get(all.store, "c/0", VV_RANGE_OF(0, 3), &out, NULL) &&
                 out.len == 3 && memcmp(out.data, "012", 3) == 0;

    vv_buf_clear(&out);
    close_stores(&all);
    return right;
}

/* Our own format refuses the value of another key. */
static bool values_are_bound(void)
{
    vv_buf out = VV_BUF_INIT;
    two_stores all;
    vv_cid pointer;
    bool right = open_stores(&all, true) &&
                 !vv_store_pointer(all.store, "c/0", &pointer, NULL) &&
                 !vv_store_set_pointer(all.store, "c/1", &pointer, NULL) &&
                 vv_store_get(all.store, "c/1", VV_RANGE_ALL, &out, NULL) == VV_EAUTH &&
                 !out.data;

    close_stores(&all);
    return right;
}

bool run_encrypted_bug(vector_run *run, const char *id)
{
    bool right;

    if (strcmp(id, "encrypted-range-ignored") == 0)
        right = ranges_are_cut(false) && ranges_are_cut(true);
    else if (strcmp(id, "encrypted-values-not-bound-to-keys") == 0)
        right = values_are_bound();
    else
        return false;
    if (right)
        vector_pass(run);
    else
        vector_fail(run, id, "not the right result");
    return true;
}
