/* Regions as decoded numbers: all of them, or one of each block. */
#include "stats/cuts.h"
#include "stats/decode.h"
#include "util/alloc.h"

#include <math.h>
#include <string.h>

#define ROW 1024 /* elements decoded at once */

static vv_status decoding_of(vv_array *array, vvi_decoding *out, vv_error *err)
{
    vv_status status = vvi_decoding_init(out, vv_array_get_meta(array), err);

    if (!status && out->kind == VVI_NUMBER_COMPLEX)
        status = vvi_fail(err, VV_EUNSUPPORTED, "complex numbers are no real ones");
    return status ? vvi_wrap(err, status, "array '%s'", vv_array_path(array)) : VV_OK;
}

/* The product of n lengths is room. */
static vv_status check_room(uint32_t n, const uint64_t *lengths, size_t room,
                            vv_error *err)
{
    uint64_t product = 1;

    for (uint32_t i = 0; i < n; i++) {
        if (lengths[i] && product > UINT64_MAX / lengths[i])
            return vvi_fail(err, VV_ERANGE, "more than 2^64 numbers");
        product *= lengths[i];
    }
    if (product != room)
        return vvi_fail(err, VV_EINVAL, "room for %zu numbers where %" PRIu64 " come",
                        room, product);
    return VV_OK;
}

typedef struct numbers_ctx {
    const vvi_decoding *decoding;
    double *next;
} numbers_ctx;

static vv_status keep_numbers(void *ctx, const vvi_cut *piece, const void *elements,
                              vv_error *err)
{
    numbers_ctx *self = ctx;

    (void)err;
    vvi_decode_doubles(self->decoding, elements, (size_t)piece->elements, self->next);
    self->next += piece->elements;
    return VV_OK;
}

vv_status vv_array_read_numbers(vv_array *array, const uint64_t *start,
                                const uint64_t *count, const uint64_t *step, double *out,
                                size_t n, vv_error *err)
{
    vvi_decoding decoding;
    numbers_ctx self = { &decoding, out };

    VVI_TRY(decoding_of(array, &decoding, err));
    VVI_TRY(check_room(vv_array_get_meta(array)->ndim, count, n, err));
    return vvi_cuts_visit(array, start, count, step, keep_numbers, &self, err);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

typedef struct blocks_ctx {
    const vvi_decoding *decoding;
    uint32_t ndim;
    const uint64_t *count, *blocks;
    vv_block_rule rule;
    double *out;      /* sums, or the least or greatest so far */
    uint64_t *counts; /* of what is not missing, for means */
    vv_progress_fn progress;
    void *progress_ctx;
    vv_progress done;
} blocks_ctx;

__extension__ typedef unsigned __int128 wide;

/* The block that holds a place. */
static uint64_t block_of(uint64_t at, uint64_t count, uint64_t blocks)
{
    return (uint64_t)((((wide)at + 1) * blocks - 1) / count);
}

/* The first place of a block. */
static uint64_t begin_of(uint64_t block, uint64_t count, uint64_t blocks)
{
    return (uint64_t)((wide)block * count / blocks);
}

static void put(blocks_ctx *self, uint64_t block, double number)
{
    double *out = &self->out[block];

    if (isnan(number))
        return;
    if (self->rule == VV_BLOCK_MEAN) {
        *out = self->counts[block]++ ? *out + number : number;
    } else if (isnan(*out) ||
               (self->rule == VV_BLOCK_MIN ? number < *out : number > *out)) {
        *out = number;
    }
}

/* n elements along the last dimension; at: the place of the first in the region. */
static void put_row(blocks_ctx *self, const uint64_t *at, const uint8_t *elements,
                    uint64_t n)
{
    uint32_t last = self->ndim - 1;
    uint64_t count = self->count[last], blocks = self->blocks[last];
    size_t size = vv_dtype_size(self->decoding->dtype);
    uint64_t base = 0, block = block_of(at[last], count, blocks);
    uint64_t end = begin_of(block + 1, count, blocks);
    double row[ROW];

    for (uint32_t i = 0; i < last; i++)
        base = base * self->blocks[i] + block_of(at[i], self->count[i], self->blocks[i]);
    base *= blocks;
    for (uint64_t i = 0; i < n; i++) {
        if (i % ROW == 0)
            vvi_decode_doubles(self->decoding, elements + i * size,
                               (size_t)(n - i < ROW ? n - i : ROW), row);
        if (at[last] + i == end)
            end = begin_of(++block + 1, count, blocks);
        put(self, base + block, row[i % ROW]);
    }
}

static vv_status put_piece(void *ctx, const vvi_cut *piece, const void *elements,
                           vv_error *err)
{
    blocks_ctx *self = ctx;
    size_t size = vv_dtype_size(self->decoding->dtype);
    const uint8_t *next = elements;
    uint64_t at[VV_NDIM_MAX];

    if (self->ndim == 0) {
        double number;
        vvi_decode_doubles(self->decoding, elements, 1, &number);
        put(self, 0, number);
        return VV_OK;
    }
    uint64_t n = piece->count[self->ndim - 1];
    memcpy(at, piece->at, sizeof(at));
    for (uint64_t left = piece->elements; left; left -= n, next += n * size) {
        put_row(self, at, next, n);
        for (uint32_t i = self->ndim - 1; i-- > 0;) {
            if (++at[i] < piece->at[i] + piece->count[i])
                break;
            at[i] = piece->at[i];
        }
    }
    self->done.items_done += piece->elements;
    self->done.bytes_done += piece->elements * size;
    vv_status status = self->progress ? self->progress(self->progress_ctx, &self->done)
                                      : VV_OK;
    return status ? vvi_fail(err, status, "stopped") : VV_OK;
}

static vv_status check_blocks(const vv_array *array, const uint64_t *count,
                              const uint64_t *blocks, vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(array);

    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (blocks[i] > count[i] || (blocks[i] == 0) != (count[i] == 0))
            return vvi_fail(err, VV_EINVAL,
                            "array '%s': %" PRIu64 " blocks of %" PRIu64
                            " places along dimension %u",
                            vv_array_path(array), blocks[i], count[i], i);
    }
    return VV_OK;
}

vv_status vv_array_read_blocks(vv_array *array, const uint64_t *start,
                               const uint64_t *count, const uint64_t *step,
                               const uint64_t *blocks, vv_block_rule rule, double *out,
                               size_t n, vv_progress_fn progress, void *ctx,
                               vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    vvi_decoding decoding;
    blocks_ctx self = { .decoding = &decoding,
                        .ndim = meta->ndim,
                        .count = count,
                        .blocks = blocks,
                        .rule = rule,
                        .out = out,
                        .progress = progress,
                        .progress_ctx = ctx,
                        .done = { .what = "read" } };
    vv_status status;

    VVI_TRY(decoding_of(array, &decoding, err));
    VVI_TRY(check_blocks(array, count, blocks, err));
    VVI_TRY(check_room(meta->ndim, blocks, n, err));
    self.done.bytes_total = vv_dtype_size(meta->dtype);
    for (uint32_t i = 0; i < meta->ndim; i++)
        self.done.bytes_total *= count[i];
    for (size_t i = 0; i < n; i++)
        out[i] = (double)NAN;
    self.counts = vvi_alloc_array_zero(n, sizeof(*self.counts));
    status = self.counts ? VV_OK : vvi_fail_nomem(err, n * sizeof(*self.counts));
    if (!status)
        status = vvi_cuts_visit(array, start, count, step, put_piece, &self, err);
    for (size_t i = 0; i < n && !status && rule == VV_BLOCK_MEAN; i++)
        out[i] = self.counts[i] ? out[i] / (double)self.counts[i] : (double)NAN;
    vvi_free(self.counts);
    return status;
}
