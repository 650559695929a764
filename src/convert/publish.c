/* A trajectory into a store, and what is there compared with it. */
#include "convert/transfer.h"

#include "recorder/zarr_names.h"
#include "recorder/zarr_sink.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <varvite/zarr.h>

#include <string.h>

/* ---- comparing ----------------------------------------------------------------------------------- */

typedef struct comparison {
    const vvi_rows *source;
    size_t group, leaf;
    const vvi_plan_leaf *planned;
    vv_array *array;
    const char *path;
    uint64_t rows, first; /* chunk */
    uint8_t **buffers;    /* two a chunk */
} comparison;

static vv_status differs(const comparison *self, uint64_t row, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT,
                    "array '%s' does not read back as it was written, near row %" PRIu64,
                    self->path, row);
}

static vv_status compare_rows(void *ctx, size_t i, vv_error *err)
{
    comparison *self = ctx;
    uint64_t chunk_rows = self->planned->chunk_rows;
    uint64_t start[VV_NDIM_MAX] = { (self->first + i) * chunk_rows };
    uint64_t count[VV_NDIM_MAX] = { self->rows - start[0] };
    size_t bytes;

    if (count[0] > chunk_rows)
        count[0] = chunk_rows;
    for (uint32_t d = 0; d < self->planned->ndim; d++)
        count[d + 1] = self->planned->shape[d];
    bytes = (size_t)count[0] * self->planned->row_bytes;
    VVI_TRY(vvi_rows_read(self->source, self->group, self->leaf, start[0], count[0],
                          self->buffers[2 * i], err));
    VVI_TRY(vv_array_read(self->array, start, count, NULL, self->buffers[2 * i + 1],
                          bytes, err));
    return memcmp(self->buffers[2 * i], self->buffers[2 * i + 1], bytes) == 0
               ? VV_OK
               : differs(self, start[0], err);
}

static vv_status compare_chunks(vvi_rows *source, comparison *self, size_t batch,
                                vv_error *err)
{
    uint64_t chunk_rows = self->planned->chunk_rows;
    uint64_t chunks = self->rows / chunk_rows + (self->rows % chunk_rows ? 1 : 0);

    for (size_t i = 0; i < 2 * batch; i++) {
        self->buffers[i] = vvi_alloc_array((size_t)chunk_rows, self->planned->row_bytes);
        if (!self->buffers[i])
            return vvi_fail_nomem(err, (size_t)chunk_rows * self->planned->row_bytes);
    }
    for (; self->first < chunks; self->first += batch) {
        uint64_t left = chunks - self->first;
        size_t n = left < batch ? (size_t)left : batch;
        uint64_t rows = self->rows - self->first * chunk_rows;

        VVI_TRY(vvi_parallel(source->options.threads, n, compare_rows, self, err));
        if (rows > n * chunk_rows)
            rows = n * chunk_rows;
        VVI_TRY(vvi_rows_tick(source, rows * self->planned->row_bytes, err));
    }
    return VV_OK;
}

static vv_status compare_leaf_of_rows(vvi_rows *source, comparison *self, vv_error *err)
{
    size_t batch = vvi_rows_batch(source, self->planned);
    vv_status status;

    if (vv_array_get_meta(self->array)->shape[0] != self->rows)
        return vvi_fail(err, VV_ECORRUPT, "array '%s' has not the rows that were written",
                        self->path);
    self->buffers = vvi_alloc_array_zero(2 * batch, sizeof(*self->buffers));
    if (!self->buffers)
        return vvi_fail_nomem(err, 2 * batch * sizeof(*self->buffers));
    status = compare_chunks(source, self, batch, err);
    for (size_t i = 0; i < 2 * batch; i++)
        vvi_free(self->buffers[i]);
    vvi_free(self->buffers);
    return status;
}

static vv_status compare_value(vvi_rows *source, comparison *self, vv_error *err)
{
    static const uint64_t start[VV_NDIM_MAX];
    size_t bytes = self->planned->row_bytes;
    void *is = vvi_alloc(bytes);
    void *was = NULL;
    vv_status status = is ? VV_OK : vvi_fail_nomem(err, bytes);

    if (!status)
        status = vvi_rows_value(source, self->group, self->leaf, &was, err);
    if (!status)
        status = vv_array_read(self->array, start,
                               self->planned->ndim ? self->planned->shape : start, NULL,
                               is, bytes, err);
    if (!status && memcmp(is, was, bytes) != 0)
        status = differs(self, 0, err);
    vvi_free(is);
    vvi_free(was);
    return status ? status : vvi_rows_tick(source, bytes, err);
}

static vv_status compare_place(const comparison *self, const uint64_t *index, void *was,
                               void *is, vv_error *err)
{
    const vvi_plan_group *group = &self->source->plan.groups[self->group];
    uint64_t start[VV_NDIM_MAX] = { 0 };
    uint64_t count[VV_NDIM_MAX];
    size_t bytes = self->planned->row_bytes;

    for (uint32_t d = 0; d < group->extent_ndim; d++) {
        start[d] = index[d];
        count[d] = 1;
    }
    for (uint32_t d = 0; d < self->planned->ndim; d++)
        count[group->extent_ndim + d] = self->planned->shape[d];
    VVI_TRY(vvi_rows_place(self->source, self->group, self->leaf, index, was, err));
    VVI_TRY(vv_array_read(self->array, start, count, NULL, is, bytes, err));
    return memcmp(was, is, bytes) == 0 ? VV_OK : differs(self, index[0], err);
}

static vv_status compare_places(vvi_rows *source, comparison *self, vv_error *err)
{
    const vvi_plan_group *group = &source->plan.groups[self->group];
    uint64_t index[VVI_EXTENT_NDIM_MAX] = { 0 };
    uint8_t *written = NULL;
    size_t bytes = self->planned->row_bytes;
    uint8_t *both = vvi_alloc_array(2, bytes);
    vv_status status = both ? VV_OK : vvi_fail_nomem(err, 2 * bytes);

    if (!status)
        status = vvi_rows_written(source, self->group, &written, err);
    for (uint64_t i = 0; i < group->places && !status; i++) {
        if (written[i]) {
            status = compare_place(self, index, both, both + bytes, err);
            if (!status)
                status = vvi_rows_tick(source, bytes, err);
        }
        vvi_rows_next_place(group, index);
    }
    vvi_free(written);
    vvi_free(both);
    return status;
}

static vv_status compare_leaf(vvi_rows *source, vv_store *store, const char *path,
                              size_t group, size_t leaf, vv_error *err)
{
    const vvi_plan_group *planned = &source->plan.groups[group];
    comparison self = { .source = source,
                        .group = group,
                        .leaf = leaf,
                        .planned = &planned->leaves[leaf],
                        .path = path,
                        .rows = source->groups[group].rows };
    vv_status status;

    if (self.planned->row_bytes == 0 ||
        (planned->kind == VVI_GROUP_ONCE && self.rows == 0))
        return VV_OK;
    VVI_TRY(vv_array_open(store, path, &self.array, err));
    status = planned->kind == VVI_GROUP_ROWS   ? compare_leaf_of_rows(source, &self, err)
             : planned->kind == VVI_GROUP_ONCE ? compare_value(source, &self, err)
                                               : compare_places(source, &self, err);
    vv_array_free(self.array);
    return status;
}

/* The path of a leaf in the store. */
static vv_status join(const char *base, const char *below, vv_buf *out, vv_error *err)
{
    size_t len;

    out->len = 0;
    base += strspn(base, "/");
    len = strlen(base);
    while (len && base[len - 1] == '/')
        len--;
    VVI_TRY(vvi_buf_append(out, vvi_bytes(base, len), err));
    if (len)
        VVI_TRY(vvi_buf_append_byte(out, '/', err));
    VVI_TRY(vvi_buf_append_text(out, below, err));
    return vvi_buf_terminate(out, err);
}

static vv_status compare(vvi_rows *source, vv_store *store, const char *base,
                         vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vvi_zarr_names names;
    vv_status status = vvi_zarr_names_make(&source->plan, &names, err);

    for (size_t g = 0; g < source->plan.group_count && !status; g++)
        for (size_t i = 0; i < source->plan.groups[g].leaf_count && !status; i++) {
            status = join(base, names.leaves[g][i], &path, err);
            if (!status)
                status = compare_leaf(source, store, (const char *)path.data, g, i, err);
        }
    vvi_zarr_names_clear(&names);
    vv_buf_clear(&path);
    return status;
}

/* ---- publishing ---------------------------------------------------------------------------------- */

static void take_root(void *ctx, const vv_cid *root)
{
    vv_transfer_result *result = ctx;

    result->root = *root;
    result->has_root = true;
}

/* The schema by which it could be gone on with; empty where there is none. */
static vv_status schema_text(const vvi_rows *source, vv_buf *out, vv_error *err)
{
    vv_schema *schema = NULL;
    vv_status status;

    /* Of a part of the rows or the groups the frequencies are no longer true. */
    if (source->options.group || source->options.rows.step != 1 ||
        source->options.rows.start != 0)
        return VV_OK;
    status = vv_traj_schema(source->traj, &schema, err);
    if (status == VV_EUNSUPPORTED)
        return VV_OK;
    if (!status)
        status = vv_schema_to_json(schema, out, err);
    vv_schema_free(schema);
    return status;
}

vv_status vv_traj_publish(vv_traj *traj, vv_store *store, const char *path,
                          const vv_transfer_options *options, vv_transfer_result *result,
                          vv_error *err)
{
    vv_transfer_result told = { .groups = 0 };
    vv_buf schema = VV_BUF_INIT;
    vvi_sink *sink = NULL;
    vvi_rows source;
    vv_status status = vvi_rows_open(traj, options, &source, err);

    if (!status && !source.options.unverified)
        source.at.bytes_total *= 2;
    if (!status)
        status = schema_text(&source, &schema, err);
    if (!status)
        status = vvi_zarr_sink_create(store, path, &source.plan,
                                      (const char *)schema.data, take_root, &told, &sink,
                                      err);
    if (!status) {
        status = vvi_transfer(&source, sink, NULL, err);
        vvi_transfer_count(&source, sink, &told);
        sink->ops->free(sink, false);
    }
    if (!status && !source.options.unverified) {
        status = compare(&source, store, path ? path : "", err);
        told.verified = status == VV_OK;
    }
    if (result)
        *result = told;
    vv_buf_clear(&schema);
    vvi_rows_clear(&source);
    return status;
}
