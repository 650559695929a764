/* Reading elements. */
#include "h5/reading.h"

#include <string.h>

/* ---- one run of bytes ------------------------------------------------------------------------- */

/* Elements first to first + count of all, as they follow in the file. */
static vv_status read_run(const vvi_h5_reading *self, uint64_t first, uint64_t count,
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
static uint32_t first_whole(const vvi_h5_reading *self)
{
    uint32_t d = self->grid.ndim;

    while (d > 0 && self->region.start[d - 1] == 0 && self->region.step[d - 1] == 1 &&
           self->region.count[d - 1] == self->grid.shape[d - 1])
        d--;
    return d;
}

static vv_status read_runs(const vvi_h5_reading *self, vv_error *err)
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
    vvi_h5_reading self = { .dataset = dataset, .out = out, .item = info->type.item };
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
    VVI_TRY(chunked ? vvi_h5_read_chunks(&self, err) : read_runs(&self, err));
    if (info->type.kind == VVI_H5_NUMBER && !is_native(&info->type))
        turn(out, out_bytes, info->type.dtype.word);
    return VV_OK;
}
