/* Boxes of elements: copy and fill between blocks of different strides. */
#include "grid/grid.h"

#include <string.h>

void vvi_strides(uint32_t ndim, const uint64_t *shape, size_t item, uint64_t *out)
{
    uint64_t stride = item;

    for (uint32_t d = ndim; d > 0; d--) {
        out[d - 1] = stride;
        stride *= shape[d - 1];
    }
}

/* A box with as few dimensions as describe it. */
typedef struct box {
    uint32_t ndim;
    uint64_t count[VVI_GRID_NDIM_MAX];
    uint64_t to[VVI_GRID_NDIM_MAX];   /* strides */
    uint64_t from[VVI_GRID_NDIM_MAX]; /* strides; all 0 when there is no source */
} box;

/* Leave out dimensions of one element, and join those that follow each other without a gap. */
static void make_box(box *out, uint32_t ndim, const uint64_t *count, const uint64_t *to,
                     const uint64_t *from)
{
    out->ndim = 0;
    for (uint32_t d = 0; d < ndim; d++) {
        uint32_t last = out->ndim - 1;
        uint64_t from_stride = from ? from[d] : 0;

        if (count[d] == 1)
            continue;
        if (out->ndim && out->to[last] == count[d] * to[d] &&
            out->from[last] == count[d] * from_stride) {
            out->count[last] *= count[d];
        } else {
            last = out->ndim++;
            out->count[last] = count[d];
        }
        out->to[last] = to[d];
        out->from[last] = from_stride;
    }
    if (out->ndim == 0) {
        out->ndim = 1;
        out->count[0] = 1;
        out->to[0] = 0;
        out->from[0] = 0;
    }
}

/* Step to the next row; false after the last. position: of each dimension but the innermost. */
static bool next_row(const box *self, uint64_t *position, uint8_t **to,
                     const uint8_t **from)
{
    for (uint32_t d = self->ndim - 1; d > 0; d--) {
        *to += self->to[d - 1];
        *from += self->from[d - 1];
        if (++position[d - 1] < self->count[d - 1])
            return true;
        *to -= self->count[d - 1] * self->to[d - 1];
        *from -= self->count[d - 1] * self->from[d - 1];
        position[d - 1] = 0;
    }
    return false;
}

/* A fixed size lets the compiler make one load and store of each memcpy. */
#define COPY_ROW(size_)                                                        \
    case size_:                                                                \
        for (uint64_t i = 0; i < n; i++, to += to_stride, from += from_stride) \
            memcpy(to, from, size_);                                           \
        return

static void copy_row(uint64_t n, size_t item, uint8_t *to, uint64_t to_stride,
                     const uint8_t *from, uint64_t from_stride)
{
    if (n == 1 || (to_stride == item && from_stride == item)) {
        memcpy(to, from, (size_t)(n * item));
        return;
    }
    switch (item) {
        COPY_ROW(1);
        COPY_ROW(2);
        COPY_ROW(4);
        COPY_ROW(8);
        COPY_ROW(16);
    default:
        for (uint64_t i = 0; i < n; i++, to += to_stride, from += from_stride)
            memcpy(to, from, item);
    }
}

static bool is_empty(uint32_t ndim, const uint64_t *count)
{
    for (uint32_t d = 0; d < ndim; d++)
        if (count[d] == 0)
            return true;
    return false;
}

void vvi_copy_box(uint32_t ndim, const uint64_t *count, size_t item, uint8_t *to,
                  const uint64_t *to_strides, const uint8_t *from,
                  const uint64_t *from_strides)
{
    uint64_t position[VVI_GRID_NDIM_MAX] = { 0 };
    box self;
    uint32_t inner;

    if (is_empty(ndim, count))
        return;
    make_box(&self, ndim, count, to_strides, from_strides);
    inner = self.ndim - 1;
    do {
        copy_row(self.count[inner], item, to, self.to[inner], from, self.from[inner]);
    } while (next_row(&self, position, &to, &from));
}

void vvi_fill(uint8_t *to, size_t n, size_t item, const uint8_t *value)
{
    size_t bytes = n * item;
    size_t done = item;

    if (n == 0)
        return;
    if (item == 1 || memcmp(value, value + 1, item - 1) == 0) {
        memset(to, value[0], bytes);
        return;
    }
    memcpy(to, value, item);
    while (done < bytes) {
        size_t more = done < bytes - done ? done : bytes - done;

        memcpy(to + done, to, more);
        done += more;
    }
}

void vvi_fill_box(uint32_t ndim, const uint64_t *count, size_t item, uint8_t *to,
                  const uint64_t *to_strides, const uint8_t *value)
{
    uint64_t position[VVI_GRID_NDIM_MAX] = { 0 };
    const uint8_t *none = value; /* the walk adds 0 to it */
    box self;
    uint32_t inner;

    if (is_empty(ndim, count))
        return;
    make_box(&self, ndim, count, to_strides, NULL);
    inner = self.ndim - 1;
    do {
        if (self.to[inner] == item || self.count[inner] == 1) {
            vvi_fill(to, (size_t)self.count[inner], item, value);
        } else {
            copy_row(self.count[inner], item, to, self.to[inner], value, 0);
        }
    } while (next_row(&self, position, &to, &none));
}

bool vvi_all_equal(const uint8_t *data, size_t n, size_t item, const uint8_t *value)
{
    if (n == 0)
        return true;
    /* Equal to value at the front, and each element to the one before it. */
    return memcmp(data, value, item) == 0 &&
           memcmp(data, data + item, (n - 1) * item) == 0;
}
