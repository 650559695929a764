/*
 * Reading from stores with latency: one call of the store for many values.
 *
 * Of a shard of which little is wanted, first the index is fetched, then the inner chunks that are
 * wanted, those near each other together. A shard that another writer replaces between the two is
 * found out by what does not decode, and is then read once more, whole.
 */
#include "zarr/reading.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* A value of the batch. */
typedef struct fetched {
    vvi_grid_part part;
    const vvi_form *form;
    vvi_stored source;
    vv_status status; /* of fetching */
    bool in_part;     /* a shard of which inner chunks are fetched one by one */
} fetched;

typedef struct batch {
    const vvi_reading *reading;
    vvi_walk walk;
    fetched *values;
    size_t capacity, count;
    vv_buf key_text; /* the keys, each terminated */
    size_t *key_at;
} batch;

static const char *key_of(const batch *self, size_t i)
{
    return (const char *)self->key_text.data + self->key_at[i];
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What one call of the store is asked for. */
typedef struct requests {
    const char **keys;
    vv_range *ranges;
    vv_buf *values;
    vv_status *statuses;
    size_t *owners; /* which value of the batch each is for */
    size_t count, cap;
} requests;

static void requests_clear(requests *self)
{
    for (size_t i = 0; self->values && i < self->cap; i++)
        vv_buf_clear(&self->values[i]);
    vvi_free(self->keys);
    vvi_free(self->ranges);
    vvi_free(self->values);
    vvi_free(self->statuses);
    vvi_free(self->owners);
}

static vv_status requests_init(requests *self, size_t cap, vv_error *err)
{
    *self = (requests){ .keys = vvi_alloc_array(cap, sizeof(*self->keys)),
                        .ranges = vvi_alloc_array(cap, sizeof(*self->ranges)),
                        .values = vvi_alloc_array_zero(cap, sizeof(*self->values)),
                        .statuses = vvi_alloc_array_zero(cap, sizeof(*self->statuses)),
                        .owners = vvi_alloc_array(cap, sizeof(*self->owners)),
                        .cap = cap };
    if (self->keys && self->ranges && self->values && self->statuses && self->owners)
        return VV_OK;
    return vvi_fail_nomem(err, cap * sizeof(*self->values));
}

static void add_request(requests *self, const char *key, vv_range range, size_t owner)
{
    self->keys[self->count] = key;
    self->ranges[self->count] = range;
    self->owners[self->count++] = owner;
}

static vv_status send_requests(requests *self, const vv_array *array, vv_error *err)
{
    if (self->count == 0)
        return VV_OK;
    return vv_store_get_many(array->store, self->keys, self->ranges, self->count,
                             self->values, self->statuses, err);
}

/* ---- first: whole values and indexes ----------------------------------------------------------- */

/* Is so little of a shard wanted that its index and some inner chunks are less than all of it? */
static bool wants_little(const vvi_reading *reading, const fetched *value)
{
    const vvi_sharding *sharding = value->form->sharding;

    return sharding && vvi_part_units(value->form, reading->selection, &value->part) <
                           (sharding->chunk_count + 1) / 2;
}

static vv_status take_first(batch *self, size_t i, vv_buf *bytes, vv_status status,
                            vv_error *err)
{
    fetched *value = &self->values[i];
    vv_array *array = self->reading->array;

    value->status = status;
    if (status == VV_ENOTFOUND) {
        value->status = VV_OK;
        return VV_OK; /* the source is as cleared: nothing is there */
    }
    if (status)
        return VV_OK;
    if (!value->in_part)
        return vvi_stored_take(&value->source, array, value->form, value->part.index,
                               bytes, err);
    return vvi_stored_take_index(&value->source, array, value->form, value->part.index,
                                 vvi_buf_bytes(bytes), err);
}

static vv_status fetch_first(batch *self, vv_error *err)
{
    requests all;
    vv_status status = requests_init(&all, self->count, err);

    for (size_t i = 0; i < self->count && !status; i++) {
        fetched *value = &self->values[i];
        vv_range range = VV_RANGE_ALL;

        value->in_part = wants_little(self->reading, value);
        if (value->in_part)
            range = vvi_shard_index_range(value->form->sharding);
        add_request(&all, key_of(self, i), range, i);
    }
    if (!status)
        status = send_requests(&all, self->reading->array, err);
    for (size_t i = 0; i < self->count && !status; i++) {
        status = take_first(self, i, &all.values[i], all.statuses[i], err);
        if (status)
            vvi_wrap(err, status, "chunk %s", key_of(self, i));
    }
    requests_clear(&all);
    return status;
}

/* ---- second: inner chunks ---------------------------------------------------------------------- */

/* Which parts of a shard are needed; nothing is fetched yet. */
static vv_status plan_pieces(const vvi_reading *reading, fetched *value, vv_error *err)
{
    vvi_stored *source = &value->source;
    vvi_grid_part unit;
    size_t cap = 0;
    vvi_walk walk;
    vv_status status = VV_OK;

    VVI_TRY(vvi_walk_init_inside(&walk, reading->selection, &value->form->units,
                                 &value->part, err));
    while (!status && vvi_walk_next(&walk, &unit)) {
        uint64_t offset;
        uint64_t length;

        if (!vvi_stored_find(source, unit.index, &offset, &length))
            continue;
        status = vvi_pieces_add(source, &cap, offset, length, err);
    }
    vvi_walk_clear(&walk);
    /* The same bytes again and again could be more than the whole shard: that is fetched then. */
    if (!status && !vvi_pieces_join(source, false)) {
        value->status = VV_ECORRUPT;
    }
    return status;
}

static vv_status fetch_pieces(batch *self, vv_error *err)
{
    size_t total = 0;
    size_t n = 0;
    requests all;
    vv_status status;

    for (size_t i = 0; i < self->count; i++) {
        fetched *value = &self->values[i];

        if (!value->in_part || !value->source.is_there)
            continue;
        status = plan_pieces(self->reading, value, err);
        if (status)
            return vvi_wrap(err, status, "chunk %s", key_of(self, i));
        total += value->source.piece_count;
    }
    if (!total)
        return VV_OK;
    status = requests_init(&all, total, err);
    for (size_t i = 0; i < self->count && !status; i++)
        for (size_t k = 0; k < self->values[i].source.piece_count; k++) {
            const vvi_piece *piece = &self->values[i].source.pieces[k];

            add_request(&all, key_of(self, i), VV_RANGE_OF(piece->offset, piece->length),
                        i);
        }
    if (!status)
        status = send_requests(&all, self->reading->array, err);
    for (size_t i = 0; i < self->count && !status; i++) {
        fetched *value = &self->values[i];

        for (size_t k = 0; k < value->source.piece_count; k++, n++) {
            if (all.statuses[n] && !value->status)
                value->status = all.statuses[n];
            vvi_buf_move(&value->source.pieces[k].bytes, &all.values[n]);
        }
    }
    requests_clear(&all);
    return status;
}

/* ---- third: decoding --------------------------------------------------------------------------- */

/* Once more, the whole value in one request: for what went wrong, or because it has changed. */
static vv_status read_again(batch *self, size_t i, vv_error *err)
{
    fetched *value = &self->values[i];

    vvi_stored_clear(&value->source);
    return vvi_read_part(self->reading, &value->part, true, err);
}

static vv_status decode_value(batch *self, size_t i, bool alone, vv_error *err)
{
    fetched *value = &self->values[i];
    vv_array *array = self->reading->array;
    vv_status status;
    vvi_desk *desk;

    if (value->status)
        return read_again(self, i, err);
    VVI_TRY(vvi_desk_take(array, &desk, err));
    status = vvi_read_units(self->reading, &value->source, &value->part, desk, alone,
                            err);
    vvi_desk_give(array, desk);
    if (status == VV_ECORRUPT && value->in_part)
        return read_again(self, i, err);
    if (status)
        vvi_wrap(err, status, "chunk %s", key_of(self, i));
    vvi_stored_clear(&value->source);
    return status;
}

static vv_status decode_one(void *ctx, size_t i, vv_error *err)
{
    return decode_value(ctx, i, true, err);
}

static vv_status decode_batch(batch *self, uint32_t threads, vv_error *err)
{
    if (threads == 1 || self->count >= 2 * (size_t)vvi_cpu_count() ||
        !self->reading->array->form.sharding)
        return vvi_parallel(threads, self->count, decode_one, self, err);
    for (size_t i = 0; i < self->count; i++)
        VVI_TRY(decode_value(self, i, false, err));
    return VV_OK;
}

/* ---- batches ----------------------------------------------------------------------------------- */

static void empty_batch(batch *self)
{
    for (size_t i = 0; self->values && i < self->count; i++)
        vvi_stored_clear(&self->values[i].source);
    for (size_t i = 0; self->values && i < self->count; i++)
        vvi_form_give(self->reading->array, self->values[i].form);
    self->count = 0;
    self->key_text.len = 0;
}

static vv_status next_batch(batch *self, vv_error *err)
{
    vv_array *array = self->reading->array;

    empty_batch(self);
    while (self->count < self->capacity) {
        fetched *value = &self->values[self->count];

        if (!vvi_walk_next(&self->walk, &value->part))
            break;
        value->source = (vvi_stored){ .value = { .fd = -1 } };
        value->status = VV_OK;
        value->in_part = false;
        value->form = NULL;
        self->key_at[self->count++] = self->key_text.len;
        VVI_TRY(vvi_form_take(array, value->part.index, &value->form, err));
        VVI_TRY(vvi_array_key(array, value->part.index, &self->key_text, err));
        VVI_TRY(vvi_buf_append_byte(&self->key_text, '\0', err));
    }
    return VV_OK;
}

static vv_status read_batches(batch *self, uint32_t threads, vv_error *err)
{
    for (;;) {
        VVI_TRY(next_batch(self, err));
        if (self->count == 0)
            return VV_OK;
        VVI_TRY(fetch_first(self, err));
        VVI_TRY(fetch_pieces(self, err));
        VVI_TRY(decode_batch(self, threads, err));
    }
}

vv_status vvi_read_far(const vvi_reading *reading, uint64_t values, vv_error *err)
{
    const vvi_form *form = &reading->array->form;
    batch self = { .reading = reading, .capacity = vvi_form_batch(form, values) };
    uint64_t units = vvi_selection_units(reading->array, reading->selection);
    vv_status status;

    VVI_TRY(
        vvi_walk_init(&self.walk, reading->selection, &reading->array->meta.grid, err));
    self.values = vvi_alloc_array_zero(self.capacity, sizeof(*self.values));
    self.key_at = vvi_alloc_array(self.capacity, sizeof(*self.key_at));
    status = self.values && self.key_at
                 ? read_batches(&self, vvi_form_threads(form, units), err)
                 : vvi_fail_nomem(err, self.capacity * sizeof(*self.values));
    empty_batch(&self);
    vvi_free(self.values);
    vvi_free(self.key_at);
    vv_buf_clear(&self.key_text);
    vvi_walk_clear(&self.walk);
    return status;
}
