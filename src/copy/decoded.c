/* Arrays that are encoded anew: read and written region by region. */
#include "copy/overlay.h"
#include "copy/plan.h"
#include "copy/run.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/listed.h"
#include "zarr/node.h"

#include <varvite/store_backend.h>

#include <string.h>

/* From so many regions on it pays to list which chunks the source has. */
#define LIST_FROM_REGIONS 16u
/* And so many are told apart by a bit each. */
#define REGIONS_MAX ((uint64_t)1 << 33)

typedef struct transfer {
    vvi_copy_run *run;
    vv_array *from, *to;
    const vv_array_meta *from_meta, *to_meta;
    vvi_plan plan;
    size_t item;
    uint64_t region_count;
    uint8_t *data;
    uint8_t *needed; /* a bit for each region; NULL: all are */
    size_t key_skip; /* bytes of a source key in front of the chunk's */
} transfer;

static const uint64_t *unit_of(const vv_array_meta *meta)
{
    return meta->inner_chunk_shape ? meta->inner_chunk_shape : meta->chunk_shape;
}

size_t vvi_copy_item(const vv_array_meta *meta)
{
    if (vv_dtype_is_variable(meta->dtype))
        return sizeof(vv_bytes);
    return meta->item_size ? meta->item_size : vv_dtype_size(meta->dtype);
}

/* ---- planning ----------------------------------------------------------------------------------- */

static vv_status make_plan(const vvi_copy_run *run, const vv_array_meta *from,
                           const vv_array_meta *to, vvi_plan *out, vv_error *err)
{
    return vvi_plan_make(from->ndim, from->shape, unit_of(from), to->chunk_shape,
                         vvi_copy_item(from), run->options.memory_bytes / 2, out, err);
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static vv_status open_from(const vvi_copy_run *run, const vvi_copy_node *node,
                           vv_array **out, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_status status = vvi_copy_path(run->from_path, node->path, &path, err);

    if (!status)
        status = vv_array_open(run->from, (const char *)path.data, out, err);
    vv_buf_clear(&path);
    return status;
}

static vv_status make_target(vvi_copy_run *run, const vvi_copy_node *node,
                             const vv_array *from, vvi_target *out, vv_error *err)
{
    const char *name = *node->path ? node->path : run->from_path;

    return vvi_target_make(vv_array_get_meta(from), last_name(name),
                           node->change ? &run->changes : NULL, out, err);
}

static void tell_plan(vvi_copy_run *run, const vvi_copy_node *node,
                      const vv_array_meta *meta, const vvi_plan *plan)
{
    vv_copy_plan told = { .way = node->stored ? VV_COPY_STORED : VV_COPY_DECODED };

    if (!node->stored) {
        told.region = plan->regions.chunk;
        told.region_bytes = plan->region_bytes;
        told.source_chunks = plan->source_chunks;
        told.source_reads = plan->source_reads;
    }
    if (run->options.planned)
        run->options.planned(run->options.ctx, node->path, meta, &told);
}

vv_status vvi_copy_plan_array(vvi_copy_run *run, vvi_copy_node *node, vv_error *err)
{
    vv_array *from = NULL;
    const vv_array_meta *meta;
    vvi_target target;
    vvi_plan plan;
    vv_status status = open_from(run, node, &from, err);

    /* What cannot be read can still be copied as it is. */
    if (status == VV_EUNSUPPORTED && !(node->change && run->changes.any)) {
        node->stored = true;
        return VV_OK;
    }
    if (status)
        return status;
    meta = vv_array_get_meta(from);
    status = make_target(run, node, from, &target, err);
    if (!status) {
        node->stored = target.same_encoding;
        node->rekeyed = node->stored && !target.same_keys;
        memset(&plan, 0, sizeof(plan));
        if (!node->stored)
            status = make_plan(run, meta, &target.meta, &plan, err);
    }
    if (!status) {
        uint64_t bytes = 0;

        tell_plan(run, node, &target.meta, &plan);
        if (!node->stored && !vv_array_count(from, &bytes, NULL))
            run->bytes_total += bytes * vvi_copy_item(meta);
    }
    vv_array_free(from);
    return status ? vvi_wrap(err, status, "array '/%s'", node->path) : VV_OK;
}

/* ---- which regions hold anything ---------------------------------------------------------------- */

/* Mark the regions that a chunk of the source reaches into. */
static void mark(transfer *self, const uint64_t *index)
{
    const vvi_grid *regions = &self->plan.regions;
    uint64_t first[VVI_GRID_NDIM_MAX];
    uint64_t last[VVI_GRID_NDIM_MAX];
    uint64_t at[VVI_GRID_NDIM_MAX];
    uint32_t ndim = regions->ndim;
    uint32_t d;

    for (d = 0; d < ndim; d++) {
        uint64_t chunk = self->from_meta->chunk_shape[d];
        uint64_t start;
        uint64_t end;

        if (__builtin_mul_overflow(index[d], chunk, &start) || start >= regions->shape[d])
            return; /* left behind by an array that was cut */
        end = regions->shape[d] - start > chunk ? start + chunk : regions->shape[d];
        first[d] = at[d] = start / regions->chunk[d];
        last[d] = (end - 1) / regions->chunk[d];
    }
    do {
        uint64_t number = 0;

        for (d = 0; d < ndim; d++)
            number = number * regions->count[d] + at[d];
        self->needed[number / 8] |= (uint8_t)(1u << number % 8);
        for (d = ndim; d-- > 0;) {
            if (at[d]++ < last[d])
                break;
            at[d] = first[d];
        }
    } while (d < ndim);
}

static vv_status see_key(void *ctx, const char *key, vv_error *err)
{
    transfer *self = ctx;
    const vv_array_meta *meta = self->from_meta;
    uint64_t index[VV_NDIM_MAX];

    (void)err;
    if (vvi_listed_chunk(self->run->from,
                         (vvi_key_form){ meta->separator, meta->v2_keys }, meta->ndim,
                         key + self->key_skip, index))
        mark(self, index);
    return VV_OK;
}

static vv_status find_needed(transfer *self, vv_error *err)
{
    vv_buf prefix = VV_BUF_INIT;
    size_t bytes = (size_t)(self->region_count / 8 + 1);
    vv_status status;

    if (self->region_count < LIST_FROM_REGIONS || self->from_meta->chunk_edges ||
        self->from_meta->ndim == 0)
        return VV_OK;
    if (self->region_count > REGIONS_MAX)
        return vvi_fail(err, VV_ELIMIT, "%" PRIu64 " regions are too many",
                        self->region_count);
    self->needed = vvi_alloc_zero(bytes);
    if (!self->needed)
        return vvi_fail_nomem(err, bytes);
    status = vvi_path_key(vv_array_path(self->from), "", &prefix, err);
    self->key_skip = prefix.len;
    if (!status)
        status = vv_store_list(self->run->from, (const char *)prefix.data, see_key, self,
                               err);
    vv_buf_clear(&prefix);
    return status;
}

/* ---- regions ------------------------------------------------------------------------------------ */

/* Are all chunks of the region at the target already? Chunks of fill values are not stored, so a
 * region that has some is made again. */
static vv_status is_there(transfer *self, const vvi_grid_part *region, bool *out,
                          vv_error *err)
{
    vvi_grid grid;
    vvi_region box;
    vvi_grid_walk walk;
    vvi_grid_part part;
    vv_buf key = VV_BUF_INIT;
    uint64_t start[VVI_GRID_NDIM_MAX];
    const vv_array_meta *meta = self->to_meta;
    vv_status status = vvi_grid_init(&grid, meta->ndim, meta->shape, meta->chunk_shape,
                                     err);

    for (uint32_t d = 0; d < meta->ndim; d++)
        start[d] = region->index[d] * self->plan.regions.chunk[d];
    if (!status)
        status = vvi_region_init(&box, &grid, start, region->count, NULL, err);
    *out = true;
    if (status)
        return status;
    vvi_grid_walk_init(&walk, &grid, &box);
    while (!status && *out && vvi_grid_walk_next(&walk, &part)) {
        status = vv_array_chunk_key(self->to, part.index, &key, err);
        if (!status)
            status = vv_store_exists(self->run->to, (const char *)key.data, out, err);
    }
    vv_buf_clear(&key);
    return status;
}

/* Elements of any length; how much memory their bytes take is not known beforehand. */
static vv_status move_varlen(transfer *self, const uint64_t *start, const uint64_t *count,
                             vv_error *err)
{
    vv_varlen items = VV_VARLEN_INIT;
    vv_status status = vv_array_read_varlen(self->from, start, count, NULL, &items, err);

    if (!status)
        status = vv_array_write_varlen(self->to, start, count, items.items, items.count,
                                       err);
    vv_varlen_clear(&items);
    return status;
}

static vv_status move_region(transfer *self, const uint64_t *start, const uint64_t *count,
                             size_t bytes, vv_error *err)
{
    if (vv_dtype_is_variable(self->from_meta->dtype))
        return move_varlen(self, start, count, err);
    VVI_TRY(vv_array_read(self->from, start, count, NULL, self->data, bytes, err));
    return vv_array_write(self->to, start, count, self->data, bytes, err);
}

static vv_status copy_region(transfer *self, const vvi_grid_part *region, vv_error *err)
{
    vvi_copy_run *run = self->run;
    uint64_t start[VVI_GRID_NDIM_MAX];
    uint64_t bytes = self->item;
    bool there = false;

    for (uint32_t d = 0; d < self->plan.regions.ndim; d++) {
        start[d] = region->index[d] * self->plan.regions.chunk[d];
        bytes *= region->count[d];
    }
    if (run->going_on)
        VVI_TRY(is_there(self, region, &there, err));
    if (!there)
        VVI_TRY(move_region(self, start, region->count, (size_t)bytes, err));
    run->items++;
    run->result.bytes += bytes;
    return vvi_copy_tell(run, err);
}

static vv_status copy_regions(transfer *self, vv_error *err)
{
    const vvi_grid *regions = &self->plan.regions;
    uint64_t zero[VVI_GRID_NDIM_MAX] = { 0 };
    uint64_t number = 0;
    vvi_region all;
    vvi_grid_walk walk;
    vvi_grid_part part;

    VVI_TRY(vvi_region_init(&all, regions, zero, regions->shape, NULL, err));
    if (all.elements == 0)
        return VV_OK;
    VVI_TRY(vvi_product(regions->ndim, regions->count, &self->region_count, err));
    VVI_TRY(find_needed(self, err));
    self->data = vvi_alloc((size_t)self->plan.region_bytes);
    if (!self->data)
        return vvi_fail_nomem(err, (size_t)self->plan.region_bytes);
    vvi_grid_walk_init(&walk, regions, &all);
    for (; vvi_grid_walk_next(&walk, &part); number++)
        if (!self->needed || (self->needed[number / 8] & 1u << number % 8))
            VVI_TRY(copy_region(self, &part, err));
    return VV_OK;
}

/* ---- one array ---------------------------------------------------------------------------------- */

static vv_status run_transfer(transfer *self, const vvi_copy_node *node, vv_store *into,
                              const char *path, vv_error *err)
{
    vvi_target target;

    VVI_TRY(open_from(self->run, node, &self->from, err));
    self->from_meta = vv_array_get_meta(self->from);
    VVI_TRY(make_target(self->run, node, self->from, &target, err));
    if (node->documented)
        VVI_TRY(vv_array_open(into, path, &self->to, err));
    else
        VVI_TRY(vv_array_create(into, path, &target.meta, false, &self->to, err));
    self->to_meta = vv_array_get_meta(self->to);
    self->item = vvi_copy_item(self->from_meta);
    VVI_TRY(make_plan(self->run, self->from_meta, &target.meta, &self->plan, err));
    return copy_regions(self, err);
}

vv_status vvi_copy_decoded(vvi_copy_run *run, const vvi_copy_node *node, vv_error *err)
{
    transfer self = { .run = run };
    bool ahead = run->to->indexes_chunks;
    vv_store *overlay = NULL;
    vv_buf path = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    vv_status status = vvi_copy_path(run->to_path, node->path, &path, err);

    if (!status)
        status = vvi_path_key((const char *)path.data, "zarr.json", &key, err);
    if (!status && !ahead)
        status = vvi_overlay_new(run->to, (const char *)key.data, &overlay, err);
    if (!status)
        status = run_transfer(&self, node, ahead ? run->to : overlay,
                              (const char *)path.data, err);
    if (!status && !ahead)
        status = vvi_overlay_release(overlay, err);
    vvi_free(self.data);
    vvi_free(self.needed);
    vv_array_free(self.to);
    vv_array_free(self.from);
    vv_store_free(overlay);
    vv_buf_clear(&key);
    vv_buf_clear(&path);
    return status ? vvi_wrap(err, status, "copy '/%s'", node->path) : VV_OK;
}
