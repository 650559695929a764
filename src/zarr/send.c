/* Writing into stores with latency: one call of the store for many values. */
#include "zarr/writing.h"

#include "util/alloc.h"
#include "util/buf.h"

/* A value of the batch. */
typedef struct outgoing {
    vvi_grid_part part;
    const vvi_form *form;
    uint64_t number; /* whose turn we have, if has_turn */
    bool has_turn;
    vv_buf old; /* fetched */
    vv_status
        status; /* of fetching; VV_ENOTFOUND: there was nothing, or nothing is needed */
    vvi_prepared prepared;
} outgoing;

typedef struct batch {
    const vvi_writing *writing;
    vvi_walk walk;
    outgoing *values;
    size_t capacity, count;
    vv_buf key_text; /* the keys, each terminated */
    size_t *key_at;
    /* For one call of the store: */
    const char **keys;
    vv_buf *fetched;
    vv_bytes *stored;
    vv_status *statuses;
} batch;

static const char *key_of(const batch *self, size_t i)
{
    return (const char *)self->key_text.data + self->key_at[i];
}

static void empty_batch(batch *self)
{
    vv_array *array = self->writing->array;

    for (size_t i = 0; self->values && i < self->count; i++) {
        outgoing *value = &self->values[i];

        vv_buf_clear(&value->old);
        vv_buf_clear(&value->prepared.value);
        vvi_form_give(array, value->form);
        if (value->has_turn) {
            vvi_index_cache_drop(&array->indexes, value->number);
            vvi_turns_give(&array->turns, value->number);
        }
    }
    self->count = 0;
    self->key_text.len = 0;
}

static vv_status next_batch(batch *self, vv_error *err)
{
    vv_array *array = self->writing->array;

    empty_batch(self);
    while (self->count < self->capacity) {
        outgoing *value = &self->values[self->count];

        *value = (outgoing){ .status = VV_ENOTFOUND };
        if (!vvi_walk_next(&self->walk, &value->part))
            break;
        self->key_at[self->count++] = self->key_text.len;
        VVI_TRY(vvi_form_take(array, value->part.index, &value->form, err));
        VVI_TRY(vvi_array_key(array, value->part.index, &self->key_text, err));
        VVI_TRY(vvi_buf_append_byte(&self->key_text, '\0', err));
        value->number = vvi_array_chunk_number(array, value->part.index);
        VVI_TRY(vvi_turns_take(&array->turns, value->number, err));
        value->has_turn = true;
    }
    return VV_OK;
}

/* Fetch what values were, of those that are not covered whole. */
static vv_status fetch_old(batch *self, vv_error *err)
{
    vv_status status;
    size_t n = 0;

    for (size_t i = 0; i < self->count; i++)
        if (vvi_keeps_old(self->writing, self->values[i].form, &self->values[i].part)) {
            self->values[i].status = VV_OK;
            self->keys[n++] = key_of(self, i);
        }
    if (n == 0)
        return VV_OK;
    status = vv_store_get_many(self->writing->array->store, self->keys, NULL, n,
                               self->fetched, self->statuses, err);
    n = 0;
    for (size_t i = 0; i < self->count; i++) {
        outgoing *value = &self->values[i];

        if (value->status)
            continue;
        value->status = self->statuses[n];
        vvi_buf_move(&value->old, &self->fetched[n++]);
        if (!status && value->status && value->status != VV_ENOTFOUND)
            status = vvi_fail(err, value->status, "chunk %s: %s", key_of(self, i),
                              vv_status_name(value->status));
    }
    return status;
}

static vv_status prepare_one(batch *self, size_t i, bool alone, vv_error *err)
{
    outgoing *value = &self->values[i];
    vv_array *array = self->writing->array;
    vvi_stored old = { .value = { .fd = -1 } };
    vv_status status = VV_OK;
    vvi_desk *desk;

    VVI_TRY(vvi_desk_take(array, &desk, err));
    if (!value->status)
        status = vvi_stored_take(&old, array, value->form, value->part.index, &value->old,
                                 err);
    if (!status)
        status = vvi_prepare_value(self->writing, value->form, &value->part, &old, desk,
                                   alone, &value->prepared, err);
    /* What stands on the desk is needed by the next one. */
    if (!status && value->prepared.stored.data == desk->unit &&
        !value->prepared.is_empty) {
        status = vvi_buf_set(&value->prepared.value, value->prepared.stored, err);
        value->prepared.stored = vvi_buf_bytes(&value->prepared.value);
    }
    vvi_stored_clear(&old);
    vvi_desk_give(array, desk);
    return status ? vvi_wrap(err, status, "chunk %s", key_of(self, i)) : VV_OK;
}

static vv_status prepare_alone(void *ctx, size_t i, vv_error *err)
{
    return prepare_one(ctx, i, true, err);
}

static vv_status prepare_batch(batch *self, uint32_t threads, vv_error *err)
{
    if (threads == 1 || self->count >= 2 * (size_t)vvi_cpu_count() ||
        !self->writing->array->form.sharding)
        return vvi_parallel(threads, self->count, prepare_alone, self, err);
    for (size_t i = 0; i < self->count; i++)
        VVI_TRY(prepare_one(self, i, false, err));
    return VV_OK;
}

static vv_status send_batch(batch *self, vv_error *err)
{
    vv_store *store = self->writing->array->store;
    size_t n = 0;

    for (size_t i = 0; i < self->count; i++) {
        const vvi_prepared *prepared = &self->values[i].prepared;

        if (prepared->is_empty) {
            VVI_TRY(vv_store_delete(store, key_of(self, i), err));
        } else {
            self->stored[n] = prepared->stored;
            self->keys[n++] = key_of(self, i);
        }
    }
    return vv_store_set_many(store, self->keys, self->stored, n, err);
}

static vv_status write_batches(batch *self, uint32_t threads, vv_error *err)
{
    for (;;) {
        VVI_TRY(next_batch(self, err));
        if (self->count == 0)
            return VV_OK;
        VVI_TRY(fetch_old(self, err));
        VVI_TRY(prepare_batch(self, threads, err));
        VVI_TRY(send_batch(self, err));
    }
}

vv_status vvi_write_far(const vvi_writing *writing, uint64_t values, vv_error *err)
{
    const vvi_form *form = &writing->array->form;
    /* Who has several turns needs them to differ. */
    size_t n = vvi_array_numbers_differ(writing->array) ? vvi_form_batch(form, values)
                                                        : 1;
    batch self = { .writing = writing, .capacity = n };
    uint64_t units = vvi_selection_units(writing->array, writing->selection);
    vv_status status;

    VVI_TRY(
        vvi_walk_init(&self.walk, writing->selection, &writing->array->meta.grid, err));
    self.values = vvi_alloc_array_zero(n, sizeof(*self.values));
    self.key_at = vvi_alloc_array(n, sizeof(*self.key_at));
    self.keys = vvi_alloc_array(n, sizeof(*self.keys));
    self.fetched = vvi_alloc_array_zero(n, sizeof(*self.fetched));
    self.stored = vvi_alloc_array(n, sizeof(*self.stored));
    self.statuses = vvi_alloc_array_zero(n, sizeof(*self.statuses));
    status = self.values && self.key_at && self.keys && self.fetched && self.stored &&
                     self.statuses
                 ? write_batches(&self, vvi_form_threads(form, units), err)
                 : vvi_fail_nomem(err, n * sizeof(*self.values));
    empty_batch(&self);
    for (size_t i = 0; self.fetched && i < n; i++)
        vv_buf_clear(&self.fetched[i]);
    vvi_free(self.values);
    vvi_free(self.key_at);
    vvi_free(self.keys);
    vvi_free(self.fetched);
    vvi_free(self.stored);
    vvi_free(self.statuses);
    vv_buf_clear(&self.key_text);
    vvi_walk_clear(&self.walk);
    return status;
}
