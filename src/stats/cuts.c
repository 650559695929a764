#include "stats/cuts.h"

#include "util/alloc.h"
#include "zarr/array.h"

/* A row of chunks may take so much; beyond, chunks are decoded more than once. */
#define ROW_BYTES ((uint64_t)256 << 20)

typedef struct cuts {
    uint32_t ndim;
    const uint64_t *count;
    uint32_t split;
    uint64_t run;   /* places of split in a piece */
    uint64_t align; /* a run begins at multiples of it, less offset */
    uint64_t offset;
    uint64_t at[VV_NDIM_MAX];
} cuts;

/* Elements of one place of dimension d; capped. */
static uint64_t below(const uint64_t *count, uint32_t ndim, uint32_t d)
{
    uint64_t elements = 1;

    while (++d < ndim) {
        if (elements > UINT64_MAX / 64 / count[d])
            return UINT64_MAX / 64;
        elements *= count[d];
    }
    return elements;
}

static cuts cut(const vv_array_meta *meta, const uint64_t *start, const uint64_t *count,
                const uint64_t *step, size_t item)
{
    cuts self = { .ndim = meta->ndim, .count = count, .run = 1, .align = 1 };

    if (meta->ndim == 0)
        return self;
    for (self.split = meta->ndim - 1; self.split > 0; self.split--) {
        if (below(count, meta->ndim, self.split - 1) * item > VVI_CUT_BYTES)
            break;
    }
    uint64_t place_bytes = below(count, meta->ndim, self.split) * item;
    self.run = VVI_CUT_BYTES / place_bytes ? VVI_CUT_BYTES / place_bytes : 1;
    const uint64_t *chunks = meta->inner_chunk_shape ? meta->inner_chunk_shape
                                                     : meta->chunk_shape;
    uint64_t chunk = chunks ? chunks[self.split] : 1;
    bool plain = !step || step[self.split] == 1;
    if (plain && self.run >= chunk)
        self.align = chunk;
    else if (plain && chunk <= ROW_BYTES / place_bytes)
        self.align = self.run = chunk;
    self.run = self.run / self.align * self.align;
    self.offset = start[self.split] % self.align;
    return self;
}

static void next(cuts *self, vvi_cut *piece)
{
    uint64_t run = self->run;

    piece->elements = 1;
    for (uint32_t i = 0; i < self->ndim; i++) {
        uint64_t left = self->count[i] - self->at[i];
        piece->at[i] = self->at[i];
        if (i == self->split) {
            run -= (self->at[i] + self->offset) % self->align;
            run = run < left ? run : left;
        }
        piece->count[i] = i < self->split ? 1 : i > self->split ? self->count[i] : run;
        piece->elements *= piece->count[i];
    }
}

/* Go on behind a piece; false behind the last. */
static bool step_on(cuts *self, const vvi_cut *piece)
{
    if (self->ndim == 0)
        return false;
    self->at[self->split] += piece->count[self->split];
    for (uint32_t i = self->split; self->at[i] >= self->count[i]; i--) {
        if (i == 0)
            return false;
        self->at[i] = 0;
        self->at[i - 1]++;
    }
    return true;
}

static vv_status read_piece(vv_array *array, const uint64_t *start, const uint64_t *step,
                            const vvi_cut *piece, void *out, size_t bytes, vv_error *err)
{
    uint64_t from[VV_NDIM_MAX];

    for (uint32_t i = 0; i < vv_array_get_meta(array)->ndim; i++)
        from[i] = start[i] + piece->at[i] * (step ? step[i] : 1);
    return vv_array_read(array, from, piece->count, step, out, bytes, err);
}

vv_status vvi_cuts_visit(vv_array *array, const uint64_t *start, const uint64_t *count,
                         const uint64_t *step, vvi_cut_fn visit, void *ctx, vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    size_t item = array->item, cap = 0;
    vvi_cut piece = { .elements = 0 };
    void *elements = NULL;
    vv_status status = VV_OK;

    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (count[i] == 0)
            return VV_OK;
        if (start[i] >= meta->shape[i] ||
            (count[i] - 1) >
                (meta->shape[i] - 1 - start[i]) / (step && step[i] ? step[i] : 1))
            return vvi_fail(err, VV_ERANGE,
                            "array '%s': the region reaches past dimension %u",
                            vv_array_path(array), i);
    }
    cuts self = cut(meta, start, count, step, item);
    do {
        next(&self, &piece);
        size_t bytes = (size_t)piece.elements * item;
        if (bytes > cap) {
            vvi_free(elements);
            elements = vvi_alloc(bytes);
            cap = bytes;
            if (!elements)
                return vvi_fail_nomem(err, bytes);
        }
        status = read_piece(array, start, step, &piece, elements, bytes, err);
        if (!status)
            status = visit(ctx, &piece, elements, err);
    } while (!status && step_on(&self, &piece));
    vvi_free(elements);
    return status;
}
