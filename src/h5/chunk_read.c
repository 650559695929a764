/* Reading elements of chunks: of those that are stored as they are only the bytes that are wanted, the others
 * decoded, many at once. */
#include "h5/reading.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Chunks that are looked up at once, and of those so many are read at once. */
#define LOOKUP_MAX 4096
#define BATCH_MAX  64
/* Less than this is decoded by the caller alone. */
#define PARALLEL_BYTES ((uint64_t)1 << 20)
/* Bytes between wanted ones that are read with them rather than around. */
#define SPAN_BYTES ((uint64_t)64 << 10)

/* A part of the region, and where its chunk lies. */
typedef struct located {
    vvi_grid_part part;
    vvi_h5_chunk chunk;
} located;

/* ---- looking up ---------------------------------------------------------------------------- */

/* Chunks that were looked up: of rows first to first + rows along the first dimension, the region's box of the
 * others. */
typedef struct lookup {
    uint64_t begin[VVI_GRID_NDIM_MAX], n[VVI_GRID_NDIM_MAX];
    uint64_t rows; /* 0: none yet */
    uint64_t in_row, cap;
    vvi_h5_chunk *chunks;
} lookup;

static uint64_t last_chunk(const vvi_h5_reading *self, uint32_t d)
{
    return (self->region.start[d] + (self->region.count[d] - 1) * self->region.step[d]) /
           self->grid.chunk[d];
}

static vv_status lookup_init(const vvi_h5_reading *self, lookup *out, vv_error *err)
{
    uint64_t rows;

    *out = (lookup){ .in_row = 1 };
    for (uint32_t d = 0; d < self->grid.ndim; d++) {
        out->begin[d] = self->region.start[d] / self->grid.chunk[d];
        out->n[d] = last_chunk(self, d) - out->begin[d] + 1;
        if (d && (__builtin_mul_overflow(out->in_row, out->n[d], &out->in_row) ||
                  out->in_row > VVI_H5_BLOCK_MAX))
            return vvi_fail(err, VV_ELIMIT, "more than %" PRIu64 " chunks side by side",
                            VVI_H5_BLOCK_MAX);
    }
    rows = out->in_row < LOOKUP_MAX ? LOOKUP_MAX / out->in_row : 1;
    if (rows > out->n[0])
        rows = out->n[0];
    out->cap = rows;
    out->chunks = vvi_alloc_array((size_t)(rows * out->in_row), sizeof(*out->chunks));
    return out->chunks
               ? VV_OK
               : vvi_fail_nomem(err, (size_t)(rows * out->in_row) * sizeof(*out->chunks));
}

/* From the data set's window, which is moved if need be. *rows: as many as are there. */
static vv_status look_in_window(const vvi_h5_reading *self, uint64_t first,
                                uint64_t *rows, vvi_h5_chunk *out, vv_error *err)
{
    vvi_h5_window *window = self->dataset->window;
    vv_status status = VV_OK;

    vvi_mutex_lock(&window->lock);
    if (first < window->first || first - window->first >= window->count) {
        uint64_t lo[VVI_GRID_NDIM_MAX] = { 0 }, n[VVI_GRID_NDIM_MAX];

        for (uint32_t d = 1; d < self->grid.ndim; d++)
            n[d] = 1;
        lo[0] = first / VVI_H5_WINDOW * VVI_H5_WINDOW;
        n[0] = self->grid.count[0] - lo[0];
        if (n[0] > VVI_H5_WINDOW)
            n[0] = VVI_H5_WINDOW;
        window->count = 0;
        status = vvi_h5_chunks_find(self->dataset->file, &self->dataset->chunking, lo, n,
                                    window->chunks, err);
        if (!status) {
            window->first = lo[0];
            window->count = n[0];
        }
    }
    if (!status) {
        uint64_t skip = first - window->first;

        if (*rows > window->count - skip)
            *rows = window->count - skip;
        memcpy(out, window->chunks + skip, (size_t)*rows * sizeof(*out));
    }
    vvi_mutex_unlock(&window->lock);
    return status;
}

/* The chunk of a part; parts come in C order. */
static vv_status locate(const vvi_h5_reading *self, lookup *at, located *item,
                        vv_error *err)
{
    uint64_t i = 0;

    if (!at->rows || item->part.index[0] - at->begin[0] >= at->rows) {
        uint64_t left = last_chunk(self, 0) - item->part.index[0] + 1;

        at->begin[0] = item->part.index[0];
        at->rows = left < at->cap ? left : at->cap;
        at->n[0] = at->rows;
        VVI_TRY(self->dataset->window
                    ? look_in_window(self, at->begin[0], &at->rows, at->chunks, err)
                    : vvi_h5_chunks_find(self->dataset->file, &self->dataset->chunking,
                                         at->begin, at->n, at->chunks, err));
    }
    for (uint32_t d = 0; d < self->grid.ndim; d++)
        i = i * at->n[d] + (item->part.index[d] - at->begin[d]);
    item->chunk = at->chunks[i];
    return VV_OK;
}

/* ---- chunks that are stored as they are ------------------------------------------------------- */

/* Elements of a part as they lie in a chunk: count of them, strides of bytes apart from the offset on. */
typedef struct box {
    uint64_t offset;
    uint64_t count[VVI_GRID_NDIM_MAX];
    uint64_t strides[VVI_GRID_NDIM_MAX];
    uint64_t elements;
    uint64_t span; /* bytes from the first to the end of the last */
} box;

static box box_of(const vvi_h5_reading *self, const vvi_grid_part *part)
{
    box out = { .elements = 1, .span = self->item };

    vvi_strides(self->grid.ndim, self->grid.chunk, self->item, out.strides);
    for (uint32_t d = 0; d < self->grid.ndim; d++) {
        out.offset += part->first[d] * out.strides[d];
        out.strides[d] *= self->region.step[d];
        out.count[d] = part->count[d];
        out.elements *= part->count[d];
        out.span += (part->count[d] - 1) * out.strides[d];
    }
    return out;
}

/* Does what is out's go there in one run? */
static bool is_packed(const vvi_h5_reading *self, const uint64_t *count)
{
    uint64_t run = self->item;

    for (uint32_t d = self->grid.ndim; d-- > 0;) {
        if (count[d] > 1 && self->strides[d] != run)
            return false;
        run *= count[d];
    }
    return true;
}

/* Read the bytes from the first to the last element at once, and put the elements where they belong. */
static vv_status read_span(const vvi_h5_reading *self, uint64_t address, const box *part,
                           uint8_t *to, vv_error *err)
{
    uint8_t near[4096];
    uint8_t *bytes = near;
    vv_status status;

    if (part->span == part->elements * self->item && is_packed(self, part->count))
        return vvi_h5_load_into(self->dataset->file, address, to, (size_t)part->span,
                                err);
    if (part->span > sizeof(near) && !(bytes = vvi_alloc((size_t)part->span)))
        return vvi_fail_nomem(err, (size_t)part->span);
    status = vvi_h5_load_into(self->dataset->file, address, bytes, (size_t)part->span,
                              err);
    if (!status)
        vvi_copy_box(self->grid.ndim, part->count, self->item, to, self->strides, bytes,
                     part->strides);
    if (bytes != near)
        vvi_free(bytes);
    return status;
}

static vv_status read_stored(const vvi_h5_reading *self, const located *item,
                             vv_error *err)
{
    uint8_t *to = self->out +
                  vvi_grid_part_offset(&self->grid, &item->part, self->strides);
    box all = box_of(self, &item->part);
    uint64_t address, n = 1;
    uint32_t split = 0;

    if (item->chunk.stored != self->dataset->chunking.chunk_bytes)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " stored bytes where the chunk has %" PRIu64,
                        item->chunk.stored, self->dataset->chunking.chunk_bytes);
    if (__builtin_add_overflow(item->chunk.address, all.offset, &address))
        return vvi_fail(err, VV_ECORRUPT, "a chunk past the end of the file");
    /* Where most of what lies between is not wanted, each step of the outermost dimension is read by itself. */
    if (all.span > SPAN_BYTES && all.span / 4 > all.elements * self->item) {
        while (split + 1 < self->grid.ndim && all.count[split] == 1)
            split++;
        n = all.count[split];
        all.span -= (n - 1) * all.strides[split];
        all.elements /= n;
        all.count[split] = 1;
    }
    for (uint64_t i = 0; i < n; i++)
        VVI_TRY(read_span(self, address + i * all.strides[split], &all,
                          to + i * self->strides[split], err));
    return VV_OK;
}

/* ---- chunks that are decoded -------------------------------------------------------------------- */

/* Does the chunk reach past the extent? */
static bool is_edge(const vvi_h5_reading *self, const vvi_grid_part *part)
{
    for (uint32_t d = 0; d < self->grid.ndim; d++)
        if (part->index[d] * self->grid.chunk[d] + self->grid.chunk[d] >
            self->grid.shape[d])
            return true;
    return false;
}

/* Filters that the chunk was stored without. */
static uint32_t mask_of(const vvi_h5_reading *self, const located *item)
{
    if (self->dataset->edges_unfiltered && is_edge(self, &item->part))
        return UINT32_MAX;
    return item->chunk.mask;
}

static bool is_stored_plain(const vvi_h5_reading *self, const located *item)
{
    uint32_t count = self->dataset->info.filter_count;
    uint32_t all = ((uint32_t)1 << count) - 1;

    return (mask_of(self, item) & all) == all;
}

/* The whole chunk. */
static vv_status decode(const vvi_h5_reading *self, const located *item, uint8_t *out,
                        vv_error *err)
{
    const vvi_h5_dataset_info *info = &self->dataset->info;
    size_t bytes = (size_t)self->dataset->chunking.chunk_bytes;
    size_t len = (size_t)item->chunk.stored;
    uint8_t *stored;
    vv_status status;

    /* A codec that could not shrink is left out, so no chunk is much longer than it was. */
    if (item->chunk.stored > 2 * (uint64_t)bytes + 65536 ||
        item->chunk.stored > self->dataset->file->info.size)
        return vvi_fail(err, VV_ECORRUPT, "%" PRIu64 " stored bytes", item->chunk.stored);
    stored = vvi_alloc(len ? len : 1);
    if (!stored)
        return vvi_fail_nomem(err, len);
    status = vvi_h5_load_into(self->dataset->file, item->chunk.address, stored, len, err);
    if (!status)
        status = vvi_h5_unfilter(info->filters, info->filter_count, mask_of(self, item),
                                 self->item, vvi_bytes(stored, len), out, bytes, err);
    vvi_free(stored);
    return status;
}

static void copy_part(const vvi_h5_reading *self, const vvi_grid_part *part,
                      const uint8_t *elements)
{
    box from = box_of(self, part);

    vvi_copy_box(self->grid.ndim, from.count, self->item,
                 self->out + vvi_grid_part_offset(&self->grid, part, self->strides),
                 self->strides, elements + from.offset, from.strides);
}

/* A chunk of which all is wanted, as it lies, is decoded where it belongs. The others are kept for what is asked for
 * next. */
static vv_status read_decoded(const vvi_h5_reading *self, const located *item,
                              vv_error *err)
{
    const vvi_h5_dataset *dataset = self->dataset;
    box all = box_of(self, &item->part);
    vvi_h5_decoded *decoded;
    vv_status status;

    if (all.span == dataset->chunking.chunk_bytes &&
        all.span == all.elements * self->item && is_packed(self, all.count))
        return decode(self, item,
                      self->out +
                          vvi_grid_part_offset(&self->grid, &item->part, self->strides),
                      err);
    decoded = vvi_h5_cache_get(dataset->file->cache, dataset->number, &item->chunk);
    if (!decoded) {
        size_t bytes = (size_t)dataset->chunking.chunk_bytes;

        decoded = vvi_h5_decoded_new(dataset->number, &item->chunk, bytes);
        if (!decoded)
            return vvi_fail_nomem(err, bytes);
        status = decode(self, item, decoded->data, err);
        if (status) {
            vvi_h5_decoded_release(decoded);
            return status;
        }
        vvi_h5_cache_put(dataset->file->cache, decoded);
    }
    copy_part(self, &item->part, decoded->data);
    vvi_h5_decoded_release(decoded);
    return VV_OK;
}

/* ---- all of them --------------------------------------------------------------------------------- */

static vv_status read_part(const vvi_h5_reading *self, const located *item, vv_error *err)
{
    const vvi_h5_dataset_info *info = &self->dataset->info;
    vv_status status;

    if (item->chunk.address == VVI_H5_NONE) {
        vvi_fill_box(self->grid.ndim, item->part.count, self->item,
                     self->out +
                         vvi_grid_part_offset(&self->grid, &item->part, self->strides),
                     self->strides, self->dataset->fill);
        return VV_OK;
    }
    for (uint32_t i = 0; i < info->filter_count; i++)
        if (!(item->chunk.mask >> i & 1) && !vvi_h5_filter_known(info->filters[i].id))
            return vvi_fail(err, VV_EUNSUPPORTED, "filter %d is not known to this build",
                            info->filters[i].id);
    status = is_stored_plain(self, item) ? read_stored(self, item, err)
                                         : read_decoded(self, item, err);
    return status ? vvi_wrap(err, status, "chunk %" PRIu64, item->part.index[0]) : VV_OK;
}

typedef struct batch {
    const vvi_h5_reading *reading;
    const located *items;
} batch;

static vv_status read_one(void *ctx, size_t i, vv_error *err)
{
    const batch *self = ctx;

    return read_part(self->reading, &self->items[i], err);
}

static vv_status read_batch(const vvi_h5_reading *self, const located *items, size_t n,
                            vv_error *err)
{
    batch work = { self, items };
    bool alone = !self->dataset->info.filter_count ||
                 n * self->dataset->chunking.chunk_bytes < PARALLEL_BYTES;

    return vvi_parallel(alone ? 1 : 0, n, read_one, &work, err);
}

vv_status vvi_h5_read_chunks(const vvi_h5_reading *self, vv_error *err)
{
    located one;
    located *items = &one;
    size_t cap = 1, n = 0;
    vvi_grid_walk walk;
    lookup at;
    vv_status status = lookup_init(self, &at, err);

    if (!status && at.n[0] * at.in_row > 1) {
        cap = at.n[0] < BATCH_MAX && at.n[0] * at.in_row < BATCH_MAX
                  ? (size_t)(at.n[0] * at.in_row)
                  : BATCH_MAX;
        items = vvi_alloc_array(cap, sizeof(*items));
        if (!items)
            status = vvi_fail_nomem(err, cap * sizeof(*items));
    }
    vvi_grid_walk_init(&walk, &self->grid, &self->region);
    while (!status && vvi_grid_walk_next(&walk, &items[n].part)) {
        status = locate(self, &at, &items[n], err);
        if (!status && ++n == cap) {
            status = read_batch(self, items, n, err);
            n = 0;
        }
    }
    if (!status && n)
        status = read_batch(self, items, n, err);
    if (items != &one)
        vvi_free(items);
    vvi_free(at.chunks);
    return status;
}

/* ---- each of them -------------------------------------------------------------------------------- */

/* A data set is not asked for more chunks than this. */
#define EACH_MAX ((uint64_t)1 << 26)

static vv_status each_in_box(const vvi_h5_dataset *dataset, const uint64_t *lo,
                             const uint64_t *n, vvi_h5_chunk *chunks,
                             vvi_h5_chunk_fn visit, void *ctx, vv_error *err)
{
    uint64_t index[VVI_GRID_NDIM_MAX];
    uint32_t rank = dataset->info.space.rank;
    uint64_t i = 0;

    VVI_TRY(vvi_h5_chunks_find(dataset->file, &dataset->chunking, lo, n, chunks, err));
    memcpy(index, lo, sizeof(index));
    for (uint32_t d = rank; d > 0; i++) {
        if (chunks[i].address != VVI_H5_NONE)
            VVI_TRY(visit(ctx, index, &chunks[i], err));
        for (d = rank; d > 0; d--) {
            if (++index[d - 1] < lo[d - 1] + n[d - 1])
                break;
            index[d - 1] = lo[d - 1];
        }
    }
    return VV_OK;
}

static vv_status visit_whole(const vvi_h5_dataset *dataset, vvi_h5_chunk_fn visit,
                             void *ctx, uint64_t *all, vv_error *err)
{
    const uint64_t index[VVI_GRID_NDIM_MAX] = { 0 };
    bool there = dataset->bytes && (dataset->info.layout == VVI_H5_COMPACT ||
                                    dataset->address != VVI_H5_NONE);
    vvi_h5_chunk whole = { .address = dataset->info.layout == VVI_H5_COMPACT
                                          ? 0
                                          : dataset->address,
                           .stored = dataset->bytes };

    *all = dataset->bytes != 0;
    return there ? visit(ctx, index, &whole, err) : VV_OK;
}

vv_status vvi_h5_each_chunk(const vvi_h5_dataset *dataset, vvi_h5_chunk_fn visit,
                            void *ctx, uint64_t *all, vv_error *err)
{
    const vvi_h5_dataset_info *info = &dataset->info;
    uint64_t lo[VVI_GRID_NDIM_MAX] = { 0 }, in_row, rows;
    vv_status status = VV_OK;
    vvi_h5_chunk *chunks;
    vvi_grid grid;

    if (info->layout != VVI_H5_CHUNKED)
        return visit_whole(dataset, visit, ctx, all, err);
    VVI_TRY(vvi_grid_init(&grid, info->space.rank, info->space.dims, info->chunk, err));
    VVI_TRY(vvi_product(grid.ndim, grid.count, all, err));
    if (!*all)
        return VV_OK;
    in_row = *all / grid.count[0];
    if (*all > EACH_MAX || in_row > VVI_H5_BLOCK_MAX)
        return vvi_fail(err, VV_ELIMIT, "%" PRIu64 " chunks", *all);
    rows = in_row < LOOKUP_MAX ? LOOKUP_MAX / in_row : 1;
    chunks = vvi_alloc_array((size_t)(rows * in_row), sizeof(*chunks));
    if (!chunks)
        return vvi_fail_nomem(err, (size_t)(rows * in_row) * sizeof(*chunks));
    for (; lo[0] < grid.count[0] && !status; lo[0] += rows) {
        uint64_t n[VVI_GRID_NDIM_MAX];

        memcpy(n, grid.count, sizeof(n));
        n[0] = grid.count[0] - lo[0] < rows ? grid.count[0] - lo[0] : rows;
        status = each_in_box(dataset, lo, n, chunks, visit, ctx, err);
    }
    vvi_free(chunks);
    return status;
}
