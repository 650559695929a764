/*
 * Going on with a recording in Zarr.
 *
 * The recording's document says what the last commit covered. It is written first, with the rows that are to stay: who
 * is killed while the arrays are cut leaves some that are longer than it says, as a killed commit does.
 */
#include "recorder/zarr_sink.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/listed.h"
#include "zarr/node.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is there ------------------------------------------------------------------------------- */

static vv_status load_recording(vv_store *store, const char *path, vvi_json **out,
                                vv_error *err)
{
    vvi_zarr_node node;
    const vvi_json *ours;
    vv_status status = vvi_zarr_node_find(store, path, &node, err);

    if (status == VV_ENOTFOUND)
        return vvi_fail(err, status, "there is no recording at '%s'", path);
    VVI_TRY(status);
    ours = vvi_json_get(vvi_json_get(node.document, "attributes"), VVI_ZARR_RECORDING);
    if (node.format != 3 || node.kind != VV_NODE_GROUP ||
        !vvi_json_is(ours, VVI_JSON_OBJECT))
        status = vvi_fail(err, VV_EUNSUPPORTED,
                          "the node at '%s' was not made by the recorder", path);
    else if (!vvi_json_is(vvi_json_get(ours, "schema"), VVI_JSON_OBJECT))
        status = vvi_fail(
            err, VV_EUNSUPPORTED,
            "recording '%s' was published without a schema, so it cannot be "
            "gone on with",
            path);
    if (!status) {
        *out = node.document;
        node.document = NULL;
    }
    vvi_zarr_node_clear(&node);
    return status;
}

static const vvi_json *ours_of(const vvi_json *document)
{
    return vvi_json_get(vvi_json_get(document, "attributes"), VVI_ZARR_RECORDING);
}

vv_status vvi_zarr_recording_schema(vv_store *store, const char *path, vv_buf *out,
                                    vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_json *document = NULL;
    char *clean = NULL;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = load_recording(store, clean, &document, err);
    if (!status)
        status = vvi_json_write(vvi_json_get(ours_of(document), "schema"), 0, &text, err);
    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (!status)
        vvi_buf_move(out, &text);
    vv_buf_clear(&text);
    vvi_json_free(document);
    vvi_free(clean);
    return status;
}

vv_status vvi_zarr_recording_state(vv_store *store, const char *path, bool *is_closed,
                                   uint64_t *rows, vv_error *err)
{
    vvi_json *document = NULL;
    char *clean = NULL;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = load_recording(store, clean, &document, err);
    vvi_free(clean);
    if (status)
        return status;
    *is_closed = false;
    *rows = 0;
    (void)vvi_json_bool(vvi_json_get(ours_of(document), "closed"), is_closed);
    for (const vvi_json *at = vvi_json_first(vvi_json_get(ours_of(document), "rows")); at;
         at = vvi_json_next(at)) {
        uint64_t count;

        if (vvi_json_uint64(at, &count) && count <= UINT64_MAX - *rows)
            *rows += count;
    }
    vvi_json_free(document);
    return VV_OK;
}

/* ---- arrays ------------------------------------------------------------------------------------- */

static vv_status mismatch(const vvi_zarr_leaf *leaf, const char *what, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "array '%s': its %s is not that of the schema",
                    leaf->path, what);
}

/* Hold an array to the plan; leading dimensions first, then those of a value. */
static vv_status check_array(const vvi_plan_group *group, const vvi_plan_leaf *planned,
                             const vvi_zarr_leaf *leaf, vv_error *err)
{
    const vvi_grid *grid = &leaf->meta.grid;
    uint32_t leading = group->kind == VVI_GROUP_ROWS     ? 1
                       : group->kind == VVI_GROUP_PLACED ? group->extent_ndim
                                                         : 0;
    uint32_t ndim = leading + (planned ? planned->ndim : 0);

    if (leaf->meta.dtype.code != (planned ? planned->dtype.code : VV_BOOL) ||
        leaf->meta.dtype.item != (planned ? planned->dtype.item : 1))
        return mismatch(leaf, "type", err);
    if (grid->ndim != ndim || !vvi_grid_is_regular(grid))
        return mismatch(leaf, "shape", err);
    for (uint32_t d = 0; d < ndim; d++) {
        if (group->kind == VVI_GROUP_PLACED && d < leading &&
            grid->shape[d] != group->extent[d])
            return mismatch(leaf, "extent", err);
        if (d < leading)
            continue;
        if (grid->shape[d] != planned->shape[d - leading])
            return mismatch(leaf, "shape", err);
        /* A chunk holds whole rows. */
        if (group->kind != VVI_GROUP_ONCE && grid->chunk[d] != grid->shape[d] &&
            grid->shape[d])
            return mismatch(leaf, "chunk shape", err);
    }
    return VV_OK;
}

static vv_status open_array(vvi_zarr_sink *self, const vvi_plan_group *group,
                            const vvi_plan_leaf *planned, vvi_zarr_leaf *leaf,
                            vv_error *err)
{
    vvi_json *document = NULL;
    vvi_zarr_node node;
    vv_status status = vvi_zarr_node_find(self->store, leaf->path, &node, err);

    if (status == VV_ENOTFOUND)
        return vvi_fail(err, VV_ECORRUPT, "recording '%s': array '%s' is missing",
                        self->path, leaf->path);
    VVI_TRY(status);
    if (node.kind != VV_NODE_ARRAY || node.format != 3)
        status = vvi_fail(err, VV_ECORRUPT, "'%s' is no array of Zarr version 3",
                          leaf->path);
    else
        status = vvi_zarr_node_document(&node, &document, err);
    vvi_zarr_node_clear(&node);
    VVI_TRY(status);
    status = vvi_meta_read(&leaf->meta, document, err);
    if (status)
        return vvi_wrap(err, status, "array '%s'", leaf->path);
    VVI_TRY(check_array(group, planned, leaf, err));
    return vvi_zarr_leaf_ready(leaf, planned, err);
}

static vv_status open_arrays(vvi_zarr_sink *self, vvi_plan *plan, vv_error *err)
{
    for (size_t g = 0; g < self->group_count; g++) {
        vvi_plan_group *planned = &plan->groups[g];
        vvi_zarr_group *group = &self->groups[g];

        for (size_t i = 0; i < group->leaf_count; i++) {
            vvi_zarr_leaf *leaf = &group->leaves[i];

            VVI_TRY(open_array(self, planned, &planned->leaves[i], leaf, err));
            if (group->kind == VVI_GROUP_ROWS)
                planned->leaves[i].chunk_rows = leaf->meta.grid.chunk[0];
        }
        if (group->written)
            VVI_TRY(open_array(self, planned, NULL, group->written, err));
    }
    return VV_OK;
}

/* ---- which rows stay ------------------------------------------------------------------------------ */

static vv_status add_marks(void *ctx, const uint64_t *start, const uint64_t *count,
                           const void *data, size_t len, vv_error *err)
{
    uint64_t *places = ctx;
    const uint8_t *marks = data;

    (void)start;
    (void)count;
    (void)err;
    for (size_t i = 0; i < len; i++)
        *places += marks[i] != 0;
    return VV_OK;
}

/* A kill may fall between the marks and the document, so the marks are counted. */
static vv_status count_places(const vvi_zarr_sink *self, const vvi_zarr_leaf *written,
                              uint64_t *places, vv_error *err)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_array *array = NULL;
    vv_status status;

    *places = 0;
    VVI_TRY(vv_array_open(self->store, written->path, &array, err));
    status = vv_array_visit(array, start, written->meta.grid.shape, 0, add_marks, places,
                            err);
    vv_array_free(array);
    return status;
}

static vv_status read_counts(const vvi_zarr_sink *self, vvi_resume *resume, vv_error *err)
{
    const vvi_json *ours = ours_of(self->document);
    const vvi_json *counts = vvi_json_get(ours, "rows");

    resume->rows = vvi_alloc_array_zero(self->group_count, sizeof(*resume->rows));
    if (!resume->rows)
        return vvi_fail_nomem(err, self->group_count * sizeof(*resume->rows));
    if (!vvi_json_int64(vvi_json_get(ours, "next_step"), &resume->next_step) ||
        resume->next_step < 0 || vvi_json_count(counts) != self->group_count)
        return vvi_fail(err, VV_ECORRUPT,
                        "recording '%s': its document does not say which rows it has",
                        self->path);
    for (size_t g = 0; g < self->group_count; g++) {
        const vvi_zarr_group *group = &self->groups[g];
        const vvi_json *count = vvi_json_get(counts, group->name);
        uint64_t most = group->kind == VVI_GROUP_ONCE ? 1 : UINT64_MAX;

        for (size_t i = 0; group->kind == VVI_GROUP_ROWS && i < group->leaf_count; i++)
            if (group->leaves[i].meta.grid.shape[0] < most)
                most = group->leaves[i].meta.grid.shape[0];
        if (!vvi_json_uint64(count, &resume->rows[g]) || resume->rows[g] > most)
            return vvi_fail(err, VV_ECORRUPT,
                            "recording '%s': %s has fewer rows than its document says",
                            self->path, group->name);
        if (group->kind == VVI_GROUP_PLACED)
            VVI_TRY(count_places(self, group->written, &resume->rows[g], err));
    }
    return VV_OK;
}

/* How many of the first rows have steps below next_step? Steps rise. */
static vv_status rows_before(const vvi_zarr_sink *self, const vvi_zarr_leaf *steps,
                             int64_t next_step, uint64_t *rows, vv_error *err)
{
    static const uint64_t one = 1;
    vv_array *array = NULL;
    uint64_t low = 0;
    uint64_t high = *rows;
    vv_status status;

    VVI_TRY(vv_array_open(self->store, steps->path, &array, err));
    status = VV_OK;
    while (low < high && !status) {
        uint64_t middle = low + (high - low) / 2;
        int64_t step = 0;

        status = vv_array_read(array, &middle, &one, NULL, &step, sizeof(step), err);
        if (step < next_step)
            low = middle + 1;
        else
            high = middle;
    }
    vv_array_free(array);
    *rows = low;
    return status;
}

static vv_status clear_place(vv_array *written, const uint64_t *index, uint64_t *rows,
                             vv_error *err)
{
    static const uint64_t ones[VVI_EXTENT_NDIM_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    uint8_t flag = 0;

    VVI_TRY(vv_array_read(written, index, ones, NULL, &flag, 1, err));
    if (!flag)
        return VV_OK;
    *rows -= *rows > 0;
    flag = 0;
    return vv_array_write(written, index, ones, &flag, 1, err);
}

/* Unsay the places of the steps that go. What lies there is written over when they come again. */
static vv_status cut_places(const vvi_zarr_sink *self, const vvi_plan_group *planned,
                            const vvi_zarr_leaf *written, int64_t from, int64_t to,
                            uint64_t *rows, vv_error *err)
{
    const vv_frequency *frequency = &planned->frequency;
    vv_array *array = NULL;
    vv_status status;

    if (!frequency->due || !frequency->index)
        return vvi_fail(err, VV_EINVAL,
                        "group %s: its frequency is the caller's own, so its schema is "
                        "needed",
                        planned->name);
    VVI_TRY(vv_array_open(self->store, written->path, &array, err));
    status = VV_OK;
    for (int64_t step = from; step < to && !status; step++) {
        uint64_t index[VVI_EXTENT_NDIM_MAX] = { 0 };

        if (!frequency->due(frequency->ctx, step))
            continue;
        status = frequency->index(frequency->ctx, step, index, err);
        if (!status)
            status = clear_place(array, index, rows, err);
    }
    vv_array_free(array);
    return status;
}

static vv_status choose_rows(const vvi_zarr_sink *self, const vvi_plan *plan,
                             int64_t next_step, vvi_resume *resume, vv_error *err)
{
    int64_t end = resume->next_step;

    resume->next_step = next_step;
    if (next_step >= end)
        return VV_OK;
    for (size_t g = 0; g < self->group_count; g++) {
        const vvi_zarr_group *group = &self->groups[g];
        uint64_t *rows = &resume->rows[g];

        if (group->kind == VVI_GROUP_ONCE && next_step == 0)
            *rows = 0;
        if (group->kind == VVI_GROUP_ROWS)
            VVI_TRY(rows_before(self, &group->leaves[group->leaf_count - 1], next_step,
                                rows, err));
        if (group->kind == VVI_GROUP_PLACED)
            VVI_TRY(cut_places(self, &plan->groups[g], group->written, next_step, end,
                               rows, err));
    }
    return VV_OK;
}

/* ---- cutting ------------------------------------------------------------------------------------- */

/* The rows of the chunk that is not full. */
static vv_status read_tail(const vvi_zarr_sink *self, const vvi_zarr_leaf *leaf,
                           uint64_t rows, void **out, vv_error *err)
{
    uint64_t chunk_rows = leaf->meta.grid.chunk[0];
    uint64_t start[VV_NDIM_MAX] = { rows / chunk_rows * chunk_rows };
    uint64_t count[VV_NDIM_MAX];
    vv_array *array = NULL;
    size_t bytes = (size_t)(rows - start[0]) * leaf->row_bytes;
    vv_status status;

    if (rows == start[0])
        return VV_OK;
    *out = vvi_alloc(bytes);
    if (!*out)
        return vvi_fail_nomem(err, bytes);
    memcpy(count, leaf->meta.grid.shape, sizeof(count));
    count[0] = rows - start[0];
    VVI_TRY(vv_array_open(self->store, leaf->path, &array, err));
    status = vv_array_read(array, start, count, NULL, *out, bytes, err);
    vv_array_free(array);
    return status;
}

typedef struct key_list {
    char **keys;
    size_t count, cap;
} key_list;

/* Chunks behind the last row that stays. */
typedef struct behind {
    const vv_store *store;
    const vvi_zarr_leaf *leaf;
    size_t prefix;
    uint64_t chunks; /* that stay */
    key_list list;
} behind;

static vv_status find_behind(void *ctx, const char *key, vv_error *err)
{
    behind *self = ctx;
    key_list *list = &self->list;
    uint64_t index[VV_NDIM_MAX];

    if (!vvi_listed_chunk(self->store, self->leaf->meta.keys, self->leaf->meta.grid.ndim,
                          key + self->prefix, index) ||
        index[0] < self->chunks)
        return VV_OK;
    VVI_TRY(vvi_grow((void **)&list->keys, &list->cap, list->count + 1,
                     sizeof(*list->keys), err));
    list->keys[list->count] = vvi_strdup(key);
    if (!list->keys[list->count])
        return vvi_fail_nomem(err, strlen(key) + 1);
    list->count++;
    return VV_OK;
}

static vv_status delete_behind(vvi_zarr_sink *self, const vvi_zarr_leaf *leaf,
                               uint64_t rows, vv_error *err)
{
    uint64_t chunk_rows = leaf->meta.grid.chunk[0];
    behind found = { .store = self->store,
                     .leaf = leaf,
                     .chunks = rows / chunk_rows + (rows % chunk_rows ? 1 : 0) };
    vv_status status;

    self->key.len = 0;
    VVI_TRY(vvi_path_key(leaf->path, "", &self->key, err));
    found.prefix = self->key.len;
    status = vv_store_list(self->store, (const char *)self->key.data, find_behind, &found,
                           err);
    for (size_t i = 0; i < found.list.count; i++) {
        if (!status)
            status = vv_store_delete(self->store, found.list.keys[i], err);
        vvi_free(found.list.keys[i]);
    }
    vvi_free(found.list.keys);
    return status;
}

/* Let the array end with its last row that stays, and its last chunk hold nothing behind it. */
static vv_status cut_array(vvi_zarr_sink *self, vvi_zarr_leaf *leaf, uint64_t rows,
                           const void *tail, vv_error *err)
{
    uint64_t chunk_rows = leaf->meta.grid.chunk[0];

    if (leaf->meta.grid.shape[0] != rows)
        VVI_TRY(vvi_zarr_put_length(self, leaf, rows, err));
    VVI_TRY(delete_behind(self, leaf, rows, err));
    return tail ? vvi_zarr_put_rows(self, leaf, rows / chunk_rows, tail,
                                    rows % chunk_rows, err)
                : VV_OK;
}

static vv_status read_tails(const vvi_zarr_sink *self, vvi_resume *resume, vv_error *err)
{
    resume->tails = vvi_alloc_array_zero(self->group_count, sizeof(*resume->tails));
    if (!resume->tails)
        return vvi_fail_nomem(err, self->group_count * sizeof(*resume->tails));
    for (size_t g = 0; g < self->group_count; g++) {
        const vvi_zarr_group *group = &self->groups[g];

        resume->tails[g] = vvi_alloc_array_zero(group->leaf_count,
                                                sizeof(*resume->tails[g]));
        if (!resume->tails[g])
            return vvi_fail_nomem(err, group->leaf_count * sizeof(void *));
        for (size_t i = 0; group->kind == VVI_GROUP_ROWS && i < group->leaf_count; i++)
            VVI_TRY(read_tail(self, &group->leaves[i], resume->rows[g],
                              &resume->tails[g][i], err));
    }
    return VV_OK;
}

static vv_status cut(vvi_zarr_sink *self, const vvi_resume *resume, vv_error *err)
{
    for (size_t g = 0; g < self->group_count; g++)
        self->groups[g].rows = resume->rows[g];
    VVI_TRY(vvi_zarr_note(self, resume->next_step, false, err));
    VVI_TRY(vvi_zarr_put_document(self, self->path, self->document, err));
    for (size_t g = 0; g < self->group_count; g++) {
        vvi_zarr_group *group = &self->groups[g];

        for (size_t i = 0; group->kind == VVI_GROUP_ROWS && i < group->leaf_count; i++)
            VVI_TRY(cut_array(self, &group->leaves[i], resume->rows[g],
                              resume->tails[g][i], err));
    }
    return vvi_zarr_make_safe(self, self->durability, err);
}

vv_status vvi_zarr_sink_append(vv_store *store, const char *path, vvi_plan *plan,
                               int64_t next_step, vv_recorder_root_fn root,
                               void *root_ctx, vvi_sink **out, vvi_resume *resume,
                               vv_error *err)
{
    vvi_zarr_sink *self = NULL;
    vvi_json *document = NULL;
    vvi_zarr_names names;
    char *clean = NULL;
    vv_status status;

    memset(resume, 0, sizeof(*resume));
    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = load_recording(store, clean, &document, err);
    if (status) {
        vvi_free(clean);
        return status;
    }
    status = vvi_zarr_names_make(plan, &names, err);
    if (status)
        vvi_free(clean);
    else
        status = vvi_zarr_sink_new(store, clean, plan, &names, root, root_ctx, &self,
                                   err);
    vvi_zarr_names_clear(&names);
    if (status) {
        vvi_json_free(document);
        return status;
    }
    self->document = document;
    status = vvi_zarr_sink_lock(self, err);
    if (!status)
        status = open_arrays(self, plan, err);
    if (!status)
        status = vvi_zarr_sink_ready(self, err);
    if (!status)
        status = read_counts(self, resume, err);
    if (!status && next_step >= 0)
        status = choose_rows(self, plan, next_step, resume, err);
    if (!status)
        status = read_tails(self, resume, err);
    if (!status)
        status = cut(self, resume, err);
    if (status)
        vvi_zarr_sink_free(self);
    else
        *out = &self->base;
    return status;
}
