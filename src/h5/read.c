/* Reading elements. */
#include "h5/dataset.h"

#include "grid/grid.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Chunks that are looked up at once. */
#define LOOKUP_MAX 4096

typedef struct reading {
    const vvi_h5_dataset *dataset;
    vvi_grid grid;
    vvi_region region;
    uint8_t *out;
    uint64_t strides[VVI_GRID_NDIM_MAX]; /* of out, in bytes */
    size_t item;
} reading;

/* ---- one run of bytes ------------------------------------------------------------------------- */

/* Elements first to first + count of all, as they follow in the file. */
static vv_status read_run(const reading *self, uint64_t first, uint64_t count,
                          uint8_t *out, vv_error *err)
{
    const vvi_h5_dataset *dataset = self->dataset;
    size_t len = (size_t)count * self->item;
    uint64_t at = first * self->item;

    if (dataset->info.layout == VVI_H5_COMPACT) {
        memcpy(out, dataset->compact.data + at, len);
        return VV_OK;
    }
    if (dataset->address == VVI_H5_NONE) {
        vvi_fill(out, (size_t)count, self->item, dataset->fill);
        return VV_OK;
    }
    if (__builtin_add_overflow(at, dataset->address, &at))
        return vvi_fail(err, VV_ECORRUPT, "elements past the end of the file");
    return vvi_h5_load_into(dataset->file, at, out, len, err);
}

/* The first dimension of those at the end that are read whole: they and one step of the dimension before
 * lie in one run. */
static uint32_t first_whole(const reading *self)
{
    uint32_t d = self->grid.ndim;

    while (d > 0 && self->region.start[d - 1] == 0 && self->region.step[d - 1] == 1 &&
           self->region.count[d - 1] == self->grid.shape[d - 1])
        d--;
    return d;
}

static vv_status read_runs(const reading *self, vv_error *err)
{
    uint32_t whole = first_whole(self);
    uint32_t outer = whole; /* dimensions that are stepped through */
    uint64_t inner = 1;     /* elements of a step of the last of them */
    uint64_t at[VVI_GRID_NDIM_MAX] = { 0 };
    uint64_t run = 1, done = 0;

    for (uint32_t d = whole; d < self->grid.ndim; d++)
        inner *= self->grid.shape[d];
    if (outer && self->region.step[outer - 1] == 1)
        run = self->region.count[--outer];
    while (done < self->region.elements) {
        uint64_t first = 0;

        for (uint32_t d = 0; d < whole; d++)
            first = first * self->grid.shape[d] + self->region.start[d] +
                    (d < outer ? at[d] * self->region.step[d] : 0);
        VVI_TRY(read_run(self, first * inner, run * inner, self->out + done * self->item,
                         err));
        done += run * inner;
        for (uint32_t d = outer; d-- > 0;) {
            if (++at[d] < self->region.count[d])
                break;
            at[d] = 0;
        }
    }
    return VV_OK;
}

/* ---- chunks -------------------------------------------------------------------------------- */

/* Does the chunk reach past the extent? */
static bool is_edge(const reading *self, const vvi_grid_part *part)
{
    for (uint32_t d = 0; d < self->grid.ndim; d++)
        if (part->index[d] * self->grid.chunk[d] + self->grid.chunk[d] >
            self->grid.shape[d])
            return true;
    return false;
}

/* The whole chunk into elements; stored is memory to use. */
static vv_status load_chunk(const reading *self, const vvi_grid_part *part,
                            const vvi_h5_chunk *chunk, vv_buf *stored, uint8_t *elements,
                            vv_error *err)
{
    const vvi_h5_dataset *dataset = self->dataset;
    const vvi_h5_dataset_info *info = &dataset->info;
    size_t bytes = (size_t)dataset->chunking.chunk_bytes;
    uint32_t mask = chunk->mask;

    if (dataset->edges_unfiltered && is_edge(self, part))
        mask = UINT32_MAX;
    /* A codec that could not shrink is left out, so no chunk is much longer than it was. */
    if (chunk->stored > 2 * (uint64_t)bytes + 65536)
        return vvi_fail(err, VV_ECORRUPT, "%" PRIu64 " stored bytes", chunk->stored);
    if (!info->filter_count)
        return vvi_h5_load_into(dataset->file, chunk->address, elements, bytes, err);
    stored->len = 0;
    VVI_TRY(vvi_buf_reserve(stored, (size_t)chunk->stored, err));
    VVI_TRY(vvi_h5_load_into(dataset->file, chunk->address, stored->data,
                             (size_t)chunk->stored, err));
    return vvi_h5_unfilter(info->filters, info->filter_count, mask, self->item,
                           vvi_bytes(stored->data, (size_t)chunk->stored), elements,
                           bytes, err);
}

static void copy_part(const reading *self, const vvi_grid_part *part,
                      const uint8_t *elements)
{
    uint8_t *to = self->out + vvi_grid_part_offset(&self->grid, part, self->strides);
    uint64_t strides[VVI_GRID_NDIM_MAX];

    vvi_strides(self->grid.ndim, self->grid.chunk, self->item, strides);
    for (uint32_t d = 0; d < self->grid.ndim; d++) {
        elements += part->first[d] * strides[d];
        strides[d] *= self->region.step[d];
    }
    vvi_copy_box(self->grid.ndim, part->count, self->item, to, self->strides, elements,
                 strides);
}

static vv_status read_part(const reading *self, const vvi_grid_part *part,
                           const vvi_h5_chunk *chunk, vv_buf *stored, uint8_t *elements,
                           vv_error *err)
{
    vv_status status;

    if (chunk->address == VVI_H5_NONE) {
        vvi_fill_box(self->grid.ndim, part->count, self->item,
                     self->out + vvi_grid_part_offset(&self->grid, part, self->strides),
                     self->strides, self->dataset->fill);
        return VV_OK;
    }
    for (uint32_t i = 0; i < self->dataset->info.filter_count; i++)
        if (!(chunk->mask >> i & 1) &&
            !vvi_h5_filter_known(self->dataset->info.filters[i].id))
            return vvi_fail(err, VV_EUNSUPPORTED, "filter %d is not known to this build",
                            self->dataset->info.filters[i].id);
    status = load_chunk(self, part, chunk, stored, elements, err);
    if (!status)
        copy_part(self, part, elements);
    else if (self->grid.ndim)
        return vvi_wrap(err, status, "chunk %" PRIu64, part->index[0]);
    return status;
}

/* The chunks that lie in rows lo to hi of chunks along the first dimension. */
static vv_status look_up(const reading *self, uint64_t lo, uint64_t rows, uint64_t *begin,
                         uint64_t *n, vvi_h5_chunk *out, vv_error *err)
{
    for (uint32_t d = 0; d < self->grid.ndim; d++) {
        uint64_t last = self->region.start[d] +
                        (self->region.count[d] - 1) * self->region.step[d];

        begin[d] = self->region.start[d] / self->grid.chunk[d];
        n[d] = last / self->grid.chunk[d] - begin[d] + 1;
    }
    begin[0] = lo;
    n[0] = rows;
    return vvi_h5_chunks_find(self->dataset->file, &self->dataset->chunking, begin, n,
                              out, err);
}

/* Chunks of the region across all dimensions but the first; UINT64_MAX when it does not fit. */
static uint64_t chunks_in_row(const reading *self)
{
    uint64_t chunks = 1;

    for (uint32_t d = 1; d < self->grid.ndim; d++) {
        uint64_t last = self->region.start[d] +
                        (self->region.count[d] - 1) * self->region.step[d];
        uint64_t n = last / self->grid.chunk[d] -
                     self->region.start[d] / self->grid.chunk[d] + 1;

        if (__builtin_mul_overflow(chunks, n, &chunks))
            return UINT64_MAX;
    }
    return chunks;
}

static vv_status read_looked_up(const reading *self, vvi_h5_chunk *chunks, uint64_t rows,
                                vv_buf *stored, uint8_t *elements, vv_error *err)
{
    uint64_t begin[VVI_GRID_NDIM_MAX], n[VVI_GRID_NDIM_MAX];
    uint64_t found = 0; /* rows from begin[0] on that are looked up */
    vvi_grid_part part;
    vvi_grid_walk walk;

    vvi_grid_walk_init(&walk, &self->grid, &self->region);
    while (vvi_grid_walk_next(&walk, &part)) {
        uint64_t i = 0;

        if (!found || part.index[0] - begin[0] >= found) {
            uint64_t end = (self->region.start[0] +
                            (self->region.count[0] - 1) * self->region.step[0]) /
                               self->grid.chunk[0] +
                           1;

            found = end - part.index[0] < rows ? end - part.index[0] : rows;
            VVI_TRY(look_up(self, part.index[0], found, begin, n, chunks, err));
        }
        for (uint32_t d = 0; d < self->grid.ndim; d++)
            i = i * n[d] + (part.index[d] - begin[d]);
        VVI_TRY(read_part(self, &part, &chunks[i], stored, elements, err));
    }
    return VV_OK;
}

static vv_status read_chunks(const reading *self, vv_error *err)
{
    uint64_t row = chunks_in_row(self);
    uint64_t rows = row < LOOKUP_MAX ? LOOKUP_MAX / row : 1;
    uint8_t *elements = NULL;
    vvi_h5_chunk *chunks = NULL;
    vv_buf stored = VV_BUF_INIT;
    vv_status status;

    if (row > VVI_H5_BLOCK_MAX)
        return vvi_fail(err, VV_ELIMIT, "%" PRIu64 " chunks side by side", row);
    elements = vvi_alloc((size_t)self->dataset->chunking.chunk_bytes);
    chunks = vvi_alloc_array((size_t)(row * rows), sizeof(*chunks));
    if (elements && chunks)
        status = read_looked_up(self, chunks, rows, &stored, elements, err);
    else
        status = vvi_fail_nomem(err, (size_t)self->dataset->chunking.chunk_bytes);
    vvi_free(elements);
    vvi_free(chunks);
    vv_buf_clear(&stored);
    return status;
}

/* ---- all ----------------------------------------------------------------------------------- */

#define TURN(bits_)                             \
    for (size_t i = 0; i < len; i += bits_ / 8) \
        vvi_put_le##bits_(data + i, vvi_get_be##bits_(data + i));

/* Big-endian words, and where the machine is big-endian little-endian ones. */
static void turn(uint8_t *data, size_t len, size_t word)
{
    switch (word) {
    case 2:
        TURN(16)
        break;
    case 4:
        TURN(32)
        break;
    case 8:
        TURN(64)
        break;
    default:
        break;
    }
}

static bool is_native(const vvi_h5_type *type)
{
    return type->big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

vv_status vvi_h5_read(const vvi_h5_dataset *dataset, const uint64_t *start,
                      const uint64_t *count, const uint64_t *step, void *out,
                      size_t out_bytes, vv_error *err)
{
    const vvi_h5_dataset_info *info = &dataset->info;
    reading self = { .dataset = dataset, .out = out, .item = info->type.item };
    bool chunked = info->layout == VVI_H5_CHUNKED;
    uint64_t ones[VVI_GRID_NDIM_MAX];
    uint64_t bytes;

    for (uint32_t d = 0; d < info->space.rank; d++)
        ones[d] = 1;
    if (info->space.is_null)
        return vvi_fail(err, VV_ERANGE, "a data set without elements");
    VVI_TRY(vvi_grid_init(&self.grid, info->space.rank, info->space.dims,
                          chunked ? info->chunk : ones, err));
    VVI_TRY(vvi_region_init(&self.region, &self.grid, start, count, step, err));
    if (__builtin_mul_overflow(self.region.elements, self.item, &bytes) ||
        bytes != out_bytes)
        return vvi_fail(err, VV_EINVAL, "room for %zu bytes where %" PRIu64 " are read",
                        out_bytes, self.region.elements * self.item);
    if (self.region.elements == 0)
        return VV_OK;
    vvi_strides(self.grid.ndim, self.region.count, self.item, self.strides);
    VVI_TRY(chunked ? read_chunks(&self, err) : read_runs(&self, err));
    if (info->type.kind == VVI_H5_NUMBER && !is_native(&info->type))
        turn(out, out_bytes, info->type.dtype.word);
    return VV_OK;
}
