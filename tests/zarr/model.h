/*
 * An array beside a plain block of memory: random regions are written into both, and what is read from
 * the array is compared with the block.
 */
#ifndef VV_TESTS_MODEL_H
#define VV_TESTS_MODEL_H

#include "support/support.h"

#define NDIM_MAX     6
#define ELEMENTS_MAX 4096

typedef struct model {
    uint32_t ndim;
    uint64_t shape[NDIM_MAX];
    uint64_t chunk[NDIM_MAX]; /* of a stored value */
    uint64_t inner[NDIM_MAX]; /* of a chunk in a shard, where there are shards */
    size_t item;
    uint64_t elements;
    uint8_t values[ELEMENTS_MAX * 16];
} model;

/* Where an element of a region lies in the values. */
static inline uint64_t offset_of(const model *m, const uint64_t *start,
                                 const uint64_t *step, const uint64_t *at)
{
    uint64_t offset = 0;

    for (uint32_t d = 0; d < m->ndim; d++)
        offset = offset * m->shape[d] + start[d] + at[d] * step[d];
    return offset * m->item;
}

/* The next place in a region in C order; false behind the last. */
static inline bool next_at(const model *m, const uint64_t *count, uint64_t *at)
{
    for (uint32_t d = m->ndim; d > 0; d--) {
        if (++at[d - 1] < count[d - 1])
            return true;
        at[d - 1] = 0;
    }
    return false;
}

/* How many elements it has. */
static inline uint64_t random_region(const model *m, uint64_t *random, bool strided,
                                     uint64_t *start, uint64_t *count, uint64_t *step)
{
    uint64_t elements = 1;

    for (uint32_t d = 0; d < m->ndim; d++) {
        uint64_t most;

        start[d] = next_random(random) % m->shape[d];
        step[d] = strided ? 1 + next_random(random) % 4 : 1;
        most = (m->shape[d] - start[d] + step[d] - 1) / step[d];
        count[d] = 1 + next_random(random) % most;
        elements *= count[d];
    }
    return elements;
}

static inline void compare_region(vv_array *array, const model *m, uint64_t *random)
{
    uint64_t start[NDIM_MAX], count[NDIM_MAX], step[NDIM_MAX], at[NDIM_MAX] = { 0 };
    uint64_t elements = random_region(m, random, true, start, count, step);
    uint8_t *out = malloc(elements * m->item);
    vv_error err = VV_ERROR_INIT;
    size_t n = 0;

    assert_vv_ok(vv_array_read(array, start, count, step, out, elements * m->item, &err));
    do {
        assert_memory_equal(out + n, m->values + offset_of(m, start, step, at), m->item);
        n += m->item;
    } while (next_at(m, count, at));
    free(out);
}

static inline void write_region(vv_array *array, model *m, uint64_t *random)
{
    uint64_t start[NDIM_MAX], count[NDIM_MAX], step[NDIM_MAX], at[NDIM_MAX] = { 0 };
    uint64_t elements = random_region(m, random, false, start, count, step);
    uint8_t *in = malloc(elements * m->item);
    vv_error err = VV_ERROR_INIT;
    bool zeros = next_random(random) % 3 == 0;
    size_t n = 0;

    for (size_t i = 0; i < elements * m->item; i++)
        in[i] = zeros ? 0 : (uint8_t)next_random(random);
    assert_vv_ok(vv_array_write(array, start, count, in, elements * m->item, &err));
    do {
        memcpy(m->values + offset_of(m, start, step, at), in + n, m->item);
        n += m->item;
    } while (next_at(m, count, at));
    free(in);
}

#endif
