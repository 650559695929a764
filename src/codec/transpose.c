/* Codec "transpose": the dimensions in another order. */
#include "codec/ops.h"

#include "util/alloc.h"

#include <string.h>

typedef struct transpose_state {
    uint32_t ndim;
    uint32_t order[VVI_CODEC_NDIM_MAX]; /* coded dimension → dimension of the array */
    uint64_t shape[VVI_CODEC_NDIM_MAX]; /* of the array that is encoded */
} transpose_state;

/* ---- settings ------------------------------------------------------------------------------ */

/* Earlier writers named two orders. */
static bool read_named_order(const vvi_json *value, transpose_state *state)
{
    bool reverse = vvi_json_is_text(value, "F");

    if (!reverse && !vvi_json_is_text(value, "C"))
        return false;
    for (uint32_t d = 0; d < state->ndim; d++)
        state->order[d] = reverse ? state->ndim - 1 - d : d;
    return true;
}

static bool read_order(const vvi_json *value, transpose_state *state)
{
    bool seen[VVI_CODEC_NDIM_MAX] = { false };
    uint32_t d = 0;

    if (!vvi_json_is(value, VVI_JSON_ARRAY) || vvi_json_count(value) != state->ndim)
        return false;
    for (const vvi_json *item = vvi_json_first(value); item; item = vvi_json_next(item)) {
        uint64_t number;

        if (!vvi_json_uint64(item, &number) || number >= state->ndim || seen[number])
            return false;
        seen[number] = true;
        state->order[d++] = (uint32_t)number;
    }
    return true;
}

static vv_status transpose_configure(vvi_codec *self, const vvi_json *settings,
                                     vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "order", NULL };
    const vvi_json *order = vvi_json_get(settings, "order");
    transpose_state *state = vvi_alloc_zero(sizeof(*state));

    self->state = state;
    if (!state)
        return vvi_fail_nomem(err, sizeof(*state));
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (stage->array.ndim > VVI_CODEC_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: %" PRIu32 " dimensions",
                        self->name, stage->array.ndim);
    state->ndim = stage->array.ndim;
    if (state->ndim)
        memcpy(state->shape, stage->array.shape, state->ndim * sizeof(state->shape[0]));
    if (!read_named_order(order, state) && !read_order(order, state))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'order' must list the numbers of %" PRIu32
                        " dimensions, each once",
                        self->name, state->ndim);
    for (uint32_t d = 0; d < state->ndim; d++)
        stage->shape[d] = state->shape[state->order[d]];
    stage->array.shape = stage->shape;
    return VV_OK;
}

static void transpose_clear(vvi_codec *self)
{
    vvi_free(self->state);
}

static bool transpose_is_identity(const vvi_codec *self)
{
    const transpose_state *state = self->state;

    for (uint32_t d = 0; d < state->ndim; d++)
        if (state->order[d] != d)
            return false;
    return true;
}

/* ---- moving elements ------------------------------------------------------------------------ */

/* Elements of an array in C order, and for each of its dimensions how far apart they are taken. */
typedef struct gather {
    uint32_t ndim;
    uint64_t count[VVI_CODEC_NDIM_MAX];
    uint64_t to[VVI_CODEC_NDIM_MAX], from[VVI_CODEC_NDIM_MAX]; /* strides in bytes */
} gather;

/* Leave out dimensions of one element, and join those that lie as one on both sides. What is left
 * has at least two elements a dimension, so that a chunk has at most VVI_GRID_NDIM_MAX of them. */
static void simplify(gather *self)
{
    uint32_t n = 0;

    for (uint32_t d = 0; d < self->ndim; d++) {
        if (self->count[d] == 1)
            continue;
        if (n && self->from[n - 1] == self->count[d] * self->from[d] &&
            self->to[n - 1] == self->count[d] * self->to[d]) {
            self->count[n - 1] *= self->count[d];
        } else {
            n++;
            self->count[n - 1] = self->count[d];
        }
        self->to[n - 1] = self->to[d];
        self->from[n - 1] = self->from[d];
    }
    self->ndim = n;
}

/* The side of a square that both sides' cache lines fit into. */
#define TILE 16

/* A plane: rows × columns elements, whose columns lie next to each other where they go and whose
 * rows do where they come from. In tiles, so that each line is fetched once. */
#define MOVE_PLANE(size_)                                                    \
    case size_:                                                              \
        for (uint64_t r0 = 0; r0 < rows; r0 += TILE)                         \
            for (uint64_t c0 = 0; c0 < columns; c0 += TILE) {                \
                uint64_t r_end = r0 + TILE < rows ? r0 + TILE : rows;        \
                uint64_t c_end = c0 + TILE < columns ? c0 + TILE : columns;  \
                for (uint64_t r = r0; r < r_end; r++)                        \
                    for (uint64_t c = c0; c < c_end; c++)                    \
                        memcpy(to + r * to_row + c * (size_),                \
                               from + c * from_column + r * (size_), size_); \
            }                                                                \
        break

static void move_plane(size_t item, uint64_t rows, uint64_t columns, uint8_t *to,
                       uint64_t to_row, const uint8_t *from, uint64_t from_column)
{
    switch (item) {
        MOVE_PLANE(1);
        MOVE_PLANE(2);
        MOVE_PLANE(4);
        MOVE_PLANE(8);
        MOVE_PLANE(16);
    default:
        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t c = 0; c < columns; c++)
                memcpy(to + r * to_row + c * item, from + c * from_column + r * item,
                       item);
    }
}

/* Planes of the last dimension and of dimension row, in turn for all others. */
static void move_planes(const gather *self, uint32_t row, size_t item, uint8_t *to,
                        const uint8_t *from)
{
    uint64_t position[VVI_CODEC_NDIM_MAX] = { 0 };
    uint32_t column = self->ndim - 1;

    for (;;) {
        uint32_t d = column;

        move_plane(item, self->count[row], self->count[column], to, self->to[row], from,
                   self->from[column]);
        while (d-- > 0) {
            if (d == row)
                continue;
            to += self->to[d];
            from += self->from[d];
            if (++position[d] < self->count[d])
                break;
            to -= self->count[d] * self->to[d];
            from -= self->count[d] * self->from[d];
            position[d] = 0;
        }
        if (d == UINT32_MAX)
            return;
    }
}

static void move_all(gather *self, size_t item, uint8_t *to, const uint8_t *from)
{
    uint32_t row = 0;

    simplify(self);
    if (self->ndim == 0) {
        memcpy(to, from, item);
        return;
    }
    while (row < self->ndim && self->from[row] != item)
        row++;
    if (row + 1 >= self->ndim || self->to[self->ndim - 1] != item)
        vvi_copy_box(self->ndim, self->count, item, to, self->to, from, self->from);
    else
        move_planes(self, row, item, to, from);
}

static vv_status transpose_encode(const vvi_codec *self, const void *in, void *out,
                                  vv_error *err)
{
    const transpose_state *state = self->state;
    uint64_t strides[VVI_CODEC_NDIM_MAX];
    gather all = { .ndim = state->ndim };

    (void)err;
    if (self->elements == 0)
        return VV_OK;
    vvi_strides(state->ndim, state->shape, self->dtype.item, strides);
    for (uint32_t d = 0; d < state->ndim; d++) {
        all.count[d] = state->shape[state->order[d]];
        all.from[d] = strides[state->order[d]];
    }
    vvi_strides(state->ndim, all.count, self->dtype.item, all.to);
    move_all(&all, self->dtype.item, out, in);
    return VV_OK;
}

static vv_status transpose_decode(const vvi_codec *self, const void *in, void *out,
                                  vv_error *err)
{
    const transpose_state *state = self->state;
    uint64_t coded[VVI_CODEC_NDIM_MAX];
    uint64_t strides[VVI_CODEC_NDIM_MAX];
    gather all = { .ndim = state->ndim };

    (void)err;
    if (self->elements == 0)
        return VV_OK;
    for (uint32_t d = 0; d < state->ndim; d++)
        coded[d] = state->shape[state->order[d]];
    vvi_strides(state->ndim, coded, self->dtype.item, strides);
    for (uint32_t d = 0; d < state->ndim; d++) {
        all.count[d] = state->shape[d];
        all.from[state->order[d]] = strides[d];
    }
    vvi_strides(state->ndim, state->shape, self->dtype.item, all.to);
    move_all(&all, self->dtype.item, out, in);
    return VV_OK;
}

const vvi_codec_ops vvi_transpose_ops = {
    .name = "transpose",
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = transpose_configure,
    .clear = transpose_clear,
    .is_identity = transpose_is_identity,
    .encode_array = transpose_encode,
    .decode_array = transpose_decode,
};
