/* Reading: the tree says where a value lies and which segments a range needs; those are fetched, checked
 * and decrypted. */
#include "encrypted/store.h"

#include "blockstore/internal.h"
#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

/* One value that is wanted. */
typedef struct wanted {
    vvi_descriptor at;
    uint64_t offset, count; /* of the value */
    vv_buf body;            /* the whole block, or empty: fetched when it is decrypted */
    bool whole;             /* every segment: the block's hash is checked too */
} wanted;

/* What the tree says of a value; a length that no value has is refused. */
static vv_status describe(const vv_cid *pointer, uint32_t segment_bytes, const char *key,
                          vvi_descriptor *out, vv_error *err)
{
    vv_status status = vvi_descriptor_of_cid(pointer, out, err);

    if (!status && !vvi_body_length(out->length, segment_bytes))
        status = vvi_fail(err, VV_ECORRUPT, "it cannot have %" PRIu64 " bytes",
                          out->length);
    return status ? vvi_wrap(err, status, "the value of key '%s'", key) : VV_OK;
}

static vv_status plan(wanted *self, const vv_cid *pointer, vv_range range,
                      uint32_t segment_bytes, const char *key, vv_error *err)
{
    VVI_TRY(describe(pointer, segment_bytes, key, &self->at, err));
    vvi_range_resolve(range, self->at.length, &self->offset, &self->count);
    self->whole = self->count == self->at.length;
    return VV_OK;
}

/*
 * The segments' part of the block. A part of it is not hashed, which would take the whole block: its bytes
 * are authenticated by a key that only the value named by the tree has, whose nodes are checked.
 */
static vv_status fetch(encrypted_store *self, wanted *value, const vvi_segments *run,
                       vv_error *err)
{
    vv_range part = VV_RANGE_OF(run->body_at, run->body_len);
    uint64_t right = run->body_len;

    if (!value->body.data) {
        if (value->whole)
            VVI_TRY(vv_blockstore_get(self->blocks, &value->at.body, &value->body, err));
        else
            VVI_TRY(vvi_blockstore_get_range_unchecked(self->blocks, &value->at.body,
                                                       part, &value->body, err));
    }
    if (value->body.len != right)
        return vvi_fail(err, VV_ECORRUPT,
                        "%zu encrypted bytes where there should be %" PRIu64,
                        value->body.len, right);
    return VV_OK;
}

static vv_status decrypt(encrypted_store *self, wanted *value, const char *key,
                         bool threads, vv_buf *out, vv_error *err)
{
    vv_buf plain = VV_BUF_INIT;
    vvi_sealed_value opened;
    vvi_segments run;
    vv_status status;

    vvi_sealed_value_init(&opened, self->keys, key, value->at.salt, value->at.length,
                          self->envelope.segment_bytes);
    run = vvi_segments_of(&opened, value->offset, value->count);
    status = fetch(self, value, &run, err);
    if (!status)
        status = vvi_buf_reserve(&plain, (size_t)run.plain_len + 1, err);
    if (!status)
        status = vvi_segments_open(&opened, &run, value->body.data, plain.data, threads,
                                   err);
    vvi_sealed_value_clear(&opened);
    if (!status) {
        plain.len = (size_t)run.plain_len;
        status = vvi_buf_cut(
            &plain, VV_RANGE_OF(value->offset - run.plain_at, value->count), err);
    }
    if (!status)
        vvi_buf_move(out, &plain);
    vv_buf_clear(&plain);
    return status;
}

/* The map names the value, so a block that is not there is damage, not the absence of a key. */
static vv_status name_value(vv_status status, const char *key, vv_error *err)
{
    if (status == VV_ENOTFOUND)
        status = VV_ECORRUPT;
    return status ? vvi_wrap(err, status, "the value of key '%s'", key) : VV_OK;
}

static vv_status read_value(encrypted_store *self, wanted *value, const char *key,
                            bool threads, vv_buf *out, vv_error *err)
{
    vv_status status;

    if (!value->count && !value->whole)
        return vvi_buf_set(out, vvi_bytes(NULL, 0), err);
    status = name_value(decrypt(self, value, key, threads, out, err), key, err);
    vv_buf_clear(&value->body);
    return status;
}

vv_status vvi_encrypted_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                            vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    wanted value = { .body = VV_BUF_INIT };
    vv_cid pointer;

    VVI_TRY(vvi_encrypted_find(self, key, &pointer, err));
    VVI_TRY(plan(&value, &pointer, range, self->envelope.segment_bytes, key, err));
    return read_value(self, &value, key, true, out, err);
}

vv_status vvi_encrypted_size(vv_store *base, const char *key, uint64_t *out,
                             vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    vvi_descriptor at;
    vv_cid pointer;

    VVI_TRY(vvi_encrypted_find(self, key, &pointer, err));
    VVI_TRY(describe(&pointer, self->envelope.segment_bytes, key, &at, err));
    *out = at.length;
    return VV_OK;
}

/* ---- many ---------------------------------------------------------------------------------- */

typedef struct many {
    encrypted_store *store;
    const char *const *keys;
    size_t n;
    vv_buf *outs;
    vv_status *statuses;
    vv_buf *tokens;
    vv_bytes *texts;
    vv_cid *cids; /* of all keys; then of the blocks that are wanted whole, in front */
    wanted *values;
    size_t *places; /* key number of each of these, then of all that are there */
    vv_buf *bodies;
    vv_status *body_statuses;
} many;

static void many_clear(many *self)
{
    for (size_t i = 0; i < self->n; i++) {
        if (self->tokens)
            vv_buf_clear(&self->tokens[i]);
        if (self->values)
            vv_buf_clear(&self->values[i].body);
        if (self->bodies)
            vv_buf_clear(&self->bodies[i]);
    }
    vvi_free(self->tokens);
    vvi_free(self->texts);
    vvi_free(self->cids);
    vvi_free(self->values);
    vvi_free(self->places);
    vvi_free(self->bodies);
    vvi_free(self->body_statuses);
}

static vv_status many_init(many *self, vv_error *err)
{
    size_t n = self->n;

    self->tokens = vvi_alloc_array_zero(n, sizeof(*self->tokens));
    self->texts = vvi_alloc_array(n, sizeof(*self->texts));
    self->cids = vvi_alloc_array(n, sizeof(*self->cids));
    self->values = vvi_alloc_array_zero(n, sizeof(*self->values));
    self->places = vvi_alloc_array(n, sizeof(*self->places));
    self->bodies = vvi_alloc_array_zero(n, sizeof(*self->bodies));
    self->body_statuses = vvi_alloc_array_zero(n, sizeof(*self->body_statuses));
    if (!self->tokens || !self->texts || !self->cids || !self->values || !self->places ||
        !self->bodies || !self->body_statuses)
        return vvi_fail_nomem(err, n * sizeof(*self->values));
    for (size_t i = 0; i < n; i++) {
        VVI_TRY(vvi_name_seal(self->store->keys, self->keys[i], &self->tokens[i], err));
        self->texts[i] = vvi_buf_bytes(&self->tokens[i]);
    }
    return VV_OK;
}

/* A failure of one value: kept in its place, told if it is the first. */
static void keep(many *self, size_t i, vv_status status, vv_status *first,
                 const vv_error *why, vv_error *err)
{
    self->statuses[i] = status;
    if (status && !*first) {
        *first = status;
        if (err)
            *err = *why;
    }
}

/* Read in one call the blocks of which all is wanted; the others are asked for their parts later. */
static void fetch_whole(many *self, vv_status *first, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    size_t count = 0;

    for (size_t i = 0; i < self->n; i++)
        if (!self->statuses[i] && self->values[i].whole) {
            self->cids[count] = self->values[i].at.body;
            self->places[count++] = i;
        }
    if (!count)
        return;
    vv_blockstore_get_many(self->store->blocks, self->cids, count, self->bodies,
                           self->body_statuses, &why);
    for (size_t i = 0; i < count; i++) {
        const char *key = self->keys[self->places[i]];
        vv_error said = why;
        vv_status status = self->body_statuses[i];

        if (status && status != why.status)
            vvi_fail(&said, status, "its block is %s",
                     status == VV_ENOTFOUND ? "missing" : "damaged");
        if (status)
            status = name_value(status, key, &said);
        keep(self, self->places[i], status, first, &said, err);
        vvi_buf_move(&self->values[self->places[i]].body, &self->bodies[i]);
    }
}

static vv_status read_one(void *ctx, size_t i, vv_error *err)
{
    many *self = ctx;
    size_t place = self->places[i];

    /* Its status is an answer; only what stops all the others is a failure. */
    self->statuses[place] = read_value(self->store, &self->values[place],
                                       self->keys[place], false, &self->outs[place], err);
    return self->statuses[place];
}

/* Decrypt them on the worker threads, going on behind those that fail. */
static void read_all(many *self, vv_status *first, vv_error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < self->n; i++)
        if (!self->statuses[i])
            self->places[count++] = i;
    for (size_t i = 0; i < count; i++)
        self->statuses[self->places[i]] = VV_EBUSY; /* not looked at yet */
    if (count > 1 && vvi_parallel(0, count, read_one, self, NULL) == VV_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t place = self->places[i];
        vv_error why = VV_ERROR_INIT;
        vv_status status = self->statuses[place];

        /* What failed is read again, for its message. */
        if (status)
            status = read_value(self->store, &self->values[place], self->keys[place],
                                true, &self->outs[place], &why);
        keep(self, place, status, first, &why, err);
    }
}

vv_status vvi_encrypted_get_many(vv_store *base, const char *const *keys,
                                 const vv_range *ranges, size_t n, vv_buf *outs,
                                 vv_status *statuses, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    many all = {
        .store = self, .keys = keys, .n = n, .outs = outs, .statuses = statuses
    };
    vv_status first = VV_OK;
    vv_status status = many_init(&all, err);

    if (!status)
        status = vv_hamt_get_pointers(self->hamt, all.texts, n, all.cids, statuses, err);
    for (size_t i = 0; i < n; i++) {
        vv_error why = VV_ERROR_INIT;

        if (status)
            statuses[i] = status;
        else if (statuses[i] == VV_ENOTFOUND)
            continue;
        else if (statuses[i])
            keep(&all, i,
                 vvi_fail(&why, statuses[i], "key '%s' cannot be looked up", keys[i]),
                 &first, &why, err);
        else
            keep(&all, i,
                 plan(&all.values[i], &all.cids[i], ranges ? ranges[i] : VV_RANGE_ALL,
                      self->envelope.segment_bytes, keys[i], &why),
                 &first, &why, err);
    }
    if (!status) {
        fetch_whole(&all, &first, err);
        read_all(&all, &first, err);
    }
    many_clear(&all);
    return status ? status : first;
}
