/* The sink that writes Zarr. */
#include "recorder/zarr_sink.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/node.h"

#include <string.h>

#define INDENT 2

/* ---- chunks ------------------------------------------------------------------------------------ */

/* Bit for bit: -0.0 is not zero. */
static bool is_zero(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* A chunk of nothing but zeros, which is the fill value, has no bytes and is not stored. */
static vv_status encode_chunk(const vvi_zarr_leaf *leaf, const void *elements,
                              vvi_encoded *out, vv_error *err)
{
    vv_status status;

    out->left_out = 0;
    if (is_zero(elements, leaf->chunk_bytes)) {
        out->bytes.len = 0;
        return VV_OK;
    }
    status = vvi_codec_chain_encode(leaf->meta.chain, elements, &out->bytes, err);
    return status ? vvi_wrap(err, status, "array '%s'", leaf->path) : VV_OK;
}

static vv_status key_of(vvi_zarr_sink *self, const vvi_zarr_leaf *leaf,
                        const uint64_t *index, vv_error *err)
{
    self->key.len = 0;
    VVI_TRY(vvi_path_key(leaf->path, "", &self->key, err));
    VVI_TRY(vvi_chunk_key(leaf->meta.keys, leaf->meta.grid.ndim, index, &self->key, err));
    return vvi_buf_terminate(&self->key, err);
}

static vv_status set_chunk(vvi_zarr_sink *self, const vvi_zarr_leaf *leaf,
                           const uint64_t *index, vv_bytes bytes, vv_error *err)
{
    const char *key;

    VVI_TRY(key_of(self, leaf, index, err));
    key = (const char *)self->key.data;
    if (bytes.len == 0)
        return vv_store_delete(self->store, key, err);
    VVI_TRY(vv_store_set(self->store, key, bytes, err));
    self->stored += bytes.len;
    return VV_OK;
}

/* Put chunk number chunk of a leaf of ROWS; it takes the place of what was its tail. */
static vv_status set_row_chunk(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint64_t chunk,
                               vv_bytes bytes, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX] = { chunk };

    VVI_TRY(set_chunk(self, leaf, index, bytes, err));
    self->stored -= leaf->tail_stored;
    leaf->tail_stored = 0;
    return VV_OK;
}

/* Rows that are stored as they are stay where they are until they have been put. */
static void give_back(void *rows)
{
    (void)rows;
}

static vv_status sink_encode(vvi_sink *sink, size_t group, size_t leaf_number,
                             const void *rows, uint64_t count, vvi_encoded *out,
                             vv_error *err)
{
    const vvi_zarr_sink *self = (const vvi_zarr_sink *)sink;
    const vvi_zarr_leaf *leaf = &self->groups[group].leaves[leaf_number];
    size_t bytes = (size_t)count * leaf->row_bytes;
    uint8_t *whole;
    vv_status status;

    if (bytes == leaf->chunk_bytes && vvi_codec_chain_is_identity(leaf->meta.chain) &&
        !is_zero(rows, bytes)) {
        vvi_buf_lend(&out->bytes, rows, bytes, give_back, NULL);
        return VV_OK;
    }
    if (bytes == leaf->chunk_bytes)
        return encode_chunk(leaf, rows, out, err);
    whole = vvi_alloc_zero(leaf->chunk_bytes);
    if (!whole)
        return vvi_fail_nomem(err, leaf->chunk_bytes);
    memcpy(whole, rows, bytes);
    status = encode_chunk(leaf, whole, out, err);
    vvi_free(whole);
    return status;
}

static vv_status sink_put_chunk(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                                const vvi_encoded *encoded, vv_error *err)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;

    return set_row_chunk(self, &self->groups[group].leaves[leaf], chunk,
                         vvi_buf_bytes(&encoded->bytes), err);
}

vv_status vvi_zarr_put_rows(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint64_t chunk,
                            const void *rows, uint64_t count, vv_error *err)
{
    size_t bytes = (size_t)count * leaf->row_bytes;

    if (bytes) /* rows may be NULL where a value has no elements */
        memcpy(self->pad, rows, bytes);
    memset(self->pad + bytes, 0, leaf->chunk_bytes - bytes);
    VVI_TRY(encode_chunk(leaf, self->pad, &self->encoded, err));
    VVI_TRY(set_row_chunk(self, leaf, chunk, vvi_buf_bytes(&self->encoded.bytes), err));
    leaf->tail_stored = self->encoded.bytes.len;
    return VV_OK;
}

/* Chunks are stored as a whole: the tail is written anew with the rows that have come. */
static vv_status sink_put_tail(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                               const void *rows, uint64_t first, uint64_t count,
                               vv_error *err)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;

    return vvi_zarr_put_rows(self, &self->groups[group].leaves[leaf], chunk, rows,
                             first + count, err);
}

/* ---- values of ONCE and PLACED ------------------------------------------------------------------- */

/* What the chunks of an array take in the store. */
static vv_status add_stored(vvi_zarr_sink *self, const vvi_zarr_leaf *leaf, vv_error *err)
{
    const vvi_grid *grid = &leaf->meta.grid;
    uint64_t index[VV_NDIM_MAX] = { 0 };
    uint64_t chunks = 1;

    for (uint32_t d = 0; d < grid->ndim; d++)
        chunks *= grid->count[d]; /* each has at least a byte: no overflow */
    for (uint64_t i = 0; i < chunks; i++) {
        uint64_t size = 0;
        vv_status status;

        VVI_TRY(key_of(self, leaf, index, err));
        status = vv_store_size(self->store, (const char *)self->key.data, &size, err);
        if (status && status != VV_ENOTFOUND)
            return status;
        self->stored += size;
        for (uint32_t d = grid->ndim; d-- > 0 && ++index[d] == grid->count[d];)
            index[d] = 0;
    }
    return VV_OK;
}

static vv_status put_once(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, const void *value,
                          vv_error *err)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_array *array = NULL;
    vv_status status;

    if (leaf->row_bytes == 0)
        return VV_OK;
    VVI_TRY(vv_array_open(self->store, leaf->path, &array, err));
    status = vv_array_write(array, start, leaf->meta.grid.shape, value, leaf->row_bytes,
                            err);
    vv_array_free(array);
    return status ? status : add_stored(self, leaf, err);
}

static vv_status release_held(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, vv_error *err)
{
    if (!leaf->is_changed)
        return VV_OK;
    VVI_TRY(encode_chunk(leaf, leaf->held, &self->encoded, err));
    VVI_TRY(set_chunk(self, leaf, leaf->held_index, vvi_buf_bytes(&self->encoded.bytes),
                      err));
    leaf->is_changed = false;
    return VV_OK;
}

/* Have a chunk of a leaf of PLACED in memory, as it is stored. */
static vv_status hold(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, const uint64_t *index,
                      vv_error *err)
{
    size_t bytes = leaf->meta.grid.ndim * sizeof(*index);
    vv_buf stored = VV_BUF_INIT;
    vv_status status;

    if (leaf->is_held && memcmp(index, leaf->held_index, bytes) == 0)
        return VV_OK;
    VVI_TRY(release_held(self, leaf, err));
    leaf->is_held = false;
    if (!leaf->held && !(leaf->held = vvi_alloc(leaf->chunk_bytes)))
        return vvi_fail_nomem(err, leaf->chunk_bytes);
    VVI_TRY(key_of(self, leaf, index, err));
    status = vv_store_get(self->store, (const char *)self->key.data, VV_RANGE_ALL,
                          &stored, err);
    if (status == VV_ENOTFOUND) {
        memset(leaf->held, 0, leaf->chunk_bytes);
        status = VV_OK;
    } else if (!status) {
        status = vvi_codec_chain_decode(leaf->meta.chain, vvi_buf_bytes(&stored),
                                        leaf->held, NULL, err);
        /* It will be stored again. */
        if (!status)
            self->stored -= stored.len < self->stored ? stored.len : self->stored;
    }
    vv_buf_clear(&stored);
    if (status)
        return vvi_wrap(err, status, "chunk '%s'", (const char *)self->key.data);
    memcpy(leaf->held_index, index, bytes);
    leaf->is_held = true;
    return VV_OK;
}

/* Where the value of a place of PLACED lies, in a chunk that is held. */
static vv_status place_at(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint32_t extent_ndim,
                          const uint64_t *index, uint8_t **out, vv_error *err)
{
    const vvi_grid *grid = &leaf->meta.grid;
    uint64_t chunk[VV_NDIM_MAX] = { 0 };
    size_t place = 0;

    for (uint32_t d = 0; d < extent_ndim; d++) {
        chunk[d] = index[d] / grid->chunk[d];
        place = place * (size_t)grid->chunk[d] + (size_t)(index[d] % grid->chunk[d]);
    }
    VVI_TRY(hold(self, leaf, chunk, err));
    *out = leaf->held + place * leaf->row_bytes;
    return VV_OK;
}

static vv_status put_at(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint32_t extent_ndim,
                        const uint64_t *index, const void *value, vv_error *err)
{
    uint8_t *at = NULL;

    if (leaf->row_bytes == 0)
        return VV_OK;
    VVI_TRY(place_at(self, leaf, extent_ndim, index, &at, err));
    memcpy(at, value, leaf->row_bytes);
    leaf->is_changed = true;
    return VV_OK;
}

/* Mark a place as written; one that was counts no second time. */
static vv_status mark_place(vvi_zarr_sink *self, vvi_zarr_group *group,
                            const uint64_t *index, vv_error *err)
{
    uint8_t *mark = NULL;

    VVI_TRY(place_at(self, group->written, group->written->meta.grid.ndim, index, &mark,
                     err));
    if (*mark)
        return VV_OK;
    *mark = 1;
    group->written->is_changed = true;
    group->rows++;
    return VV_OK;
}

static vv_status sink_put_value(vvi_sink *sink, size_t group_number, size_t leaf,
                                const uint64_t *index, const void *value, vv_error *err)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;
    vvi_zarr_group *group = &self->groups[group_number];

    if (group->kind == VVI_GROUP_ONCE)
        return put_once(self, &group->leaves[leaf], value, err);
    VVI_TRY(put_at(self, &group->leaves[leaf], group->written->meta.grid.ndim, index,
                   value, err));
    return mark_place(self, group, index, err);
}

/* ---- commit ------------------------------------------------------------------------------------- */

vv_status vvi_zarr_put_document(vvi_zarr_sink *self, const char *path,
                                const vvi_json *document, vv_error *err)
{
    self->key.len = 0;
    self->text.len = 0;
    VVI_TRY(vvi_path_key(path, "zarr.json", &self->key, err));
    VVI_TRY(vvi_json_write(document, INDENT, &self->text, err));
    return vv_store_set(self->store, (const char *)self->key.data,
                        vvi_buf_bytes(&self->text), err);
}

vv_status vvi_zarr_put_length(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint64_t rows,
                              vv_error *err)
{
    vvi_grid *grid = &leaf->meta.grid;
    vvi_json *shape = vvi_json_new(VVI_JSON_ARRAY);
    vv_status status = shape ? VV_OK : vvi_fail_nomem(err, 0);

    for (uint32_t d = 0; d < grid->ndim && !status; d++)
        status = vvi_json_append(shape, vvi_json_new_uint64(d ? grid->shape[d] : rows),
                                 err);
    if (status) {
        vvi_json_free(shape);
        return status;
    }
    VVI_TRY(vvi_json_set(leaf->meta.document, "shape", shape, err));
    VVI_TRY(vvi_zarr_put_document(self, leaf->path, leaf->meta.document, err));
    grid->shape[0] = rows;
    return VV_OK;
}

vv_status vvi_zarr_note(vvi_zarr_sink *self, int64_t next_step, bool is_closed,
                        vv_error *err)
{
    vvi_json *ours = vvi_json_get(vvi_json_get(self->document, "attributes"),
                                  VVI_ZARR_RECORDING);
    vvi_json *counts = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(vvi_json_set(ours, "rows", counts, err));
    for (size_t g = 0; g < self->group_count; g++)
        VVI_TRY(vvi_json_set(counts, self->groups[g].name,
                             vvi_json_new_uint64(self->groups[g].rows), err));
    VVI_TRY(vvi_json_set(ours, "next_step", vvi_json_new_int64(next_step), err));
    return vvi_json_set(ours, "closed", vvi_json_new_bool(is_closed), err);
}

static vv_status release_all(vvi_zarr_sink *self, vv_error *err)
{
    for (size_t g = 0; g < self->group_count; g++) {
        vvi_zarr_group *group = &self->groups[g];

        if (group->kind != VVI_GROUP_PLACED)
            continue;
        for (size_t i = 0; i < group->leaf_count; i++)
            VVI_TRY(release_held(self, &group->leaves[i], err));
        VVI_TRY(release_held(self, group->written, err));
    }
    return VV_OK;
}

/* The steps are the last leaf of a group: as many as there are, so many rows are there of the others. */
static vv_status put_lengths(vvi_zarr_sink *self, const uint64_t *rows, vv_error *err)
{
    for (size_t g = 0; g < self->group_count; g++) {
        vvi_zarr_group *group = &self->groups[g];

        if (group->kind == VVI_GROUP_ROWS && rows[g] != group->rows)
            for (size_t i = 0; i < group->leaf_count; i++)
                VVI_TRY(vvi_zarr_put_length(self, &group->leaves[i], rows[g], err));
        if (group->kind !=
            VVI_GROUP_PLACED) /* whose places count once each: mark_place() */
            group->rows = rows[g];
    }
    return VV_OK;
}

vv_status vvi_zarr_make_safe(vvi_zarr_sink *self, vv_durability durability, vv_error *err)
{
    vv_cid root;

    if (!self->has_root)
        return durability == VV_DURABLE ? vv_store_flush(self->store, err) : VV_OK;
    VVI_TRY(vv_store_commit(self->store, &root, err));
    if (self->root)
        self->root(self->root_ctx, &root);
    return VV_OK;
}

/*
 * Chunks first, then the lengths of the arrays, then the recording's document: what a reader finds in a length is
 * stored, whenever the writer is killed. A HAMT shows none of it before its root is told.
 */
static vv_status commit(vvi_zarr_sink *self, const uint64_t *rows, int64_t next_step,
                        bool is_closed, vv_durability durability, vv_error *err)
{
    bool sync = durability == VV_DURABLE && !self->has_root;

    VVI_TRY(release_all(self, err));
    if (sync)
        VVI_TRY(vv_store_flush(self->store, err));
    VVI_TRY(put_lengths(self, rows, err));
    VVI_TRY(vvi_zarr_note(self, next_step, is_closed, err));
    VVI_TRY(vvi_zarr_put_document(self, self->path, self->document, err));
    return vvi_zarr_make_safe(self, durability, err);
}

static vv_status sink_commit(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                             vv_durability durability, vv_error *err)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;
    vv_status status = commit(self, rows, next_step, false, durability, err);

    return status ? vvi_wrap(err, status, "recording '%s'", self->path) : VV_OK;
}

static uint64_t sink_stored(const vvi_sink *sink)
{
    return ((const vvi_zarr_sink *)sink)->stored;
}

/* Put the caller's attributes beside ours. */
static vv_status take_attributes(vvi_zarr_sink *self, const char *text, vv_error *err)
{
    vvi_json *ours = vvi_json_get(self->document, "attributes");
    vvi_json *given = NULL;
    vv_status status = vvi_attributes_parse(text, &given, err);

    for (const vvi_json *m = vvi_json_first(given); m && !status; m = vvi_json_next(m)) {
        vvi_json *copy = NULL;

        if (strcmp(vvi_json_name(m), VVI_ZARR_RECORDING) == 0)
            continue;
        status = vvi_json_copy(m, &copy, err);
        if (!status)
            status = vvi_json_set(ours, vvi_json_name(m), copy, err);
    }
    vvi_json_free(given);
    return status;
}

static vv_status sink_close(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                            const char *attributes, vv_error *err)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;
    vv_status status = VV_OK;

    if (attributes)
        status = take_attributes(self, attributes, err);
    if (!status)
        status = commit(self, rows, next_step, true, self->durability, err);
    return status ? vvi_wrap(err, status, "recording '%s'", self->path) : VV_OK;
}

/* ---- locking ------------------------------------------------------------------------------------ */

static void unlock(vvi_zarr_sink *self)
{
    if (vvi_file_is_open(&self->lock))
        (void)vvi_file_lock(&self->lock, VVI_LOCK_NONE, 0, NULL);
    vvi_file_close(&self->lock);
}

vv_status vvi_zarr_sink_lock(vvi_zarr_sink *self, vv_error *err)
{
    vv_status status;

    unlock(self);
    status = vvi_directory_lock(self->store, self->path, &self->lock, err);
    return status == VV_EBUSY
               ? vvi_fail(err, status, "another writer records into '%s'", self->path)
               : status;
}

/* ---- the sink ------------------------------------------------------------------------------------ */

static void sink_free(vvi_sink *sink, bool forked)
{
    vvi_zarr_sink *self = (vvi_zarr_sink *)sink;

    if (!forked) /* a child that lives on has the lock too */
        unlock(self);
    vvi_zarr_sink_free(self);
}

static const vvi_sink_ops sink_ops = {
    .name = "Zarr",
    .encode = sink_encode,
    .put_chunk = sink_put_chunk,
    .put_tail = sink_put_tail,
    .put_value = sink_put_value,
    .commit = sink_commit,
    .stored = sink_stored,
    .close = sink_close,
    .free = sink_free,
};

static void clear_leaf(vvi_zarr_leaf *leaf)
{
    vvi_meta_clear(&leaf->meta);
    vvi_free(leaf->path);
    vvi_free(leaf->held);
}

void vvi_zarr_sink_free(vvi_zarr_sink *self)
{
    if (!self)
        return;
    for (size_t g = 0; self->groups && g < self->group_count; g++) {
        vvi_zarr_group *group = &self->groups[g];

        for (size_t i = 0; group->leaves && i < group->leaf_count; i++)
            clear_leaf(&group->leaves[i]);
        if (group->written)
            clear_leaf(group->written);
        vvi_free(group->leaves);
        vvi_free(group->written);
    }
    vvi_file_close(&self->lock);
    vvi_free(self->groups);
    vvi_free(self->path);
    vvi_free(self->pad);
    vvi_json_free(self->document);
    vv_buf_clear(&self->encoded.bytes);
    vv_buf_clear(&self->key);
    vv_buf_clear(&self->text);
    vv_store_free(self->store);
    vvi_free(self);
}

/* "recording" and "step/positions" as one path. */
static vv_status join(const char *base, const char *below, char **out, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_status status = *below ? vvi_path_key(base, below, &path, err)
                              : vvi_buf_append_text(&path, base, err);

    if (!status)
        status = vvi_buf_terminate(&path, err);
    if (status)
        vv_buf_clear(&path);
    else
        *out = (char *)path.data;
    return status;
}

static vv_status prepare_group(const vvi_zarr_sink *self, vvi_zarr_group *group,
                               const vvi_plan_group *planned, const char *const *leaves,
                               const char *written, vv_error *err)
{
    group->name = planned->name;
    group->kind = planned->kind;
    group->leaves = vvi_alloc_array_zero(planned->leaf_count, sizeof(*group->leaves));
    if (!group->leaves)
        return vvi_fail_nomem(err, planned->leaf_count * sizeof(*group->leaves));
    group->leaf_count = planned->leaf_count;
    for (size_t i = 0; i < group->leaf_count; i++)
        VVI_TRY(join(self->path, leaves[i], &group->leaves[i].path, err));
    if (!written)
        return VV_OK;
    group->written = vvi_alloc_zero(sizeof(*group->written));
    if (!group->written)
        return vvi_fail_nomem(err, sizeof(*group->written));
    return join(self->path, written, &group->written->path, err);
}

vv_status vvi_zarr_sink_new(vv_store *store, char *clean_path, const vvi_plan *plan,
                            const vvi_zarr_names *names, vv_recorder_root_fn root,
                            void *root_ctx, vvi_zarr_sink **out, vv_error *err)
{
    vvi_zarr_sink *self;
    vv_status status = VV_OK;

    /* Chunks are stored before the length that counts them. */
    if (store->indexes_chunks) {
        vvi_free(clean_path);
        return vvi_fail(
            err, VV_EUNSUPPORTED,
            "a %s store takes no chunk behind the end of its array, so nothing "
            "is recorded into it; record into a HAMT, and convert that",
            vv_store_name(store));
    }
    self = vvi_alloc_zero(sizeof(*self));
    if (!self) {
        vvi_free(clean_path);
        return vvi_fail_nomem(err, sizeof(*self));
    }
    self->base.ops = &sink_ops;
    self->lock = VVI_FILE_INIT;
    self->store = vv_store_retain(store);
    self->path = clean_path;
    self->has_root = vvi_store_has_root(store);
    self->durability = plan->options.durability;
    self->root = root;
    self->root_ctx = root_ctx;
    self->groups = vvi_alloc_array_zero(plan->group_count, sizeof(*self->groups));
    self->group_count = plan->group_count;
    if (!self->groups)
        status = vvi_fail_nomem(err, plan->group_count * sizeof(*self->groups));
    for (size_t g = 0; g < plan->group_count && !status; g++)
        status = prepare_group(self, &self->groups[g], &plan->groups[g], names->leaves[g],
                               names->written[g], err);
    if (status)
        vvi_zarr_sink_free(self);
    else
        *out = self;
    return status;
}

vv_status vvi_zarr_leaf_ready(vvi_zarr_leaf *leaf, const vvi_plan_leaf *planned,
                              vv_error *err)
{
    vv_status status = vvi_codec_chain_size(leaf->meta.chain, &leaf->chunk_bytes, err);

    leaf->row_bytes = planned ? planned->row_bytes : 1;
    /* A value without elements has chunks of one, which are never stored. */
    if (leaf->row_bytes == 0)
        leaf->chunk_bytes = 0;
    return status ? vvi_wrap(err, status, "array '%s'", leaf->path) : VV_OK;
}

vv_status vvi_zarr_sink_ready(vvi_zarr_sink *self, vv_error *err)
{
    size_t longest = 1;

    for (size_t g = 0; g < self->group_count; g++)
        for (size_t i = 0; i < self->groups[g].leaf_count; i++)
            if (self->groups[g].kind == VVI_GROUP_ROWS &&
                self->groups[g].leaves[i].chunk_bytes > longest)
                longest = self->groups[g].leaves[i].chunk_bytes;
    self->pad = vvi_alloc(longest);
    return self->pad ? VV_OK : vvi_fail_nomem(err, longest);
}
