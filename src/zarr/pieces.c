/* Parts of a stored value, fetched from a store with latency. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>

/* Bytes between two parts that are fetched needlessly rather than by a request of their own, and
 * the longest request that is put together so. */
#define GAP_BYTES     ((uint64_t)32 << 10)
#define REQUEST_BYTES ((uint64_t)16 << 20)

vv_status vvi_pieces_add(vvi_stored *source, size_t *cap, uint64_t offset,
                         uint64_t length, vv_error *err)
{
    if (length > VVI_CHUNK_BYTES_MAX || offset > UINT64_MAX - length)
        return vvi_fail(err, VV_ECORRUPT,
                        "an inner chunk of %" PRIu64 " bytes at %" PRIu64, length,
                        offset);
    VVI_TRY(vvi_grow((void **)&source->pieces, cap, source->piece_count + 1,
                     sizeof(*source->pieces), err));
    source->pieces[source->piece_count++] = (vvi_piece){ offset, length, VV_BUF_INIT };
    return VV_OK;
}

static int by_offset(const void *a, const void *b)
{
    const vvi_piece *x = a;
    const vvi_piece *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

bool vvi_pieces_join(vvi_stored *source, bool may_overlap)
{
    size_t n = 0;

    if (source->piece_count)
        qsort(source->pieces, source->piece_count, sizeof(*source->pieces), by_offset);
    for (size_t i = 0; i < source->piece_count; i++) {
        const vvi_piece *piece = &source->pieces[i];
        vvi_piece *last = n ? &source->pieces[n - 1] : NULL;
        uint64_t end = piece->offset + piece->length;
        bool overlaps = last && piece->offset < last->offset + last->length;

        if (overlaps && !may_overlap) {
            source->piece_count = 0;
            return false;
        }
        if (overlaps ||
            (last && piece->offset <= last->offset + last->length + GAP_BYTES &&
             end - last->offset <= REQUEST_BYTES))
            last->length = end > last->offset + last->length ? end - last->offset
                                                             : last->length;
        else
            source->pieces[n++] = *piece;
    }
    source->piece_count = n;
    return true;
}

uint64_t vvi_pieces_bytes(const vvi_stored *source)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < source->piece_count; i++)
        if (__builtin_add_overflow(bytes, source->pieces[i].length, &bytes))
            return UINT64_MAX;
    return bytes;
}

vv_status vvi_pieces_fetch(vvi_stored *source, const char *key, vv_error *err)
{
    size_t n = source->piece_count;
    const char **keys = vvi_alloc_array(n, sizeof(*keys));
    vv_range *ranges = vvi_alloc_array(n, sizeof(*ranges));
    vv_buf *values = vvi_alloc_array_zero(n, sizeof(*values));
    vv_status *statuses = vvi_alloc_array_zero(n, sizeof(*statuses));
    vv_status status = keys && ranges && values && statuses
                           ? VV_OK
                           : vvi_fail_nomem(err, n * sizeof(*values));

    for (size_t i = 0; i < n && !status; i++) {
        keys[i] = key;
        ranges[i] = VV_RANGE_OF(source->pieces[i].offset, source->pieces[i].length);
    }
    if (!status)
        status = vv_store_get_many(source->array->store, keys, ranges, n, values,
                                   statuses, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (statuses[i])
            status = vvi_fail(err, statuses[i], "%s", vv_status_name(statuses[i]));
        vvi_buf_move(&source->pieces[i].bytes, &values[i]);
    }
    for (size_t i = 0; values && i < n; i++)
        vv_buf_clear(&values[i]);
    vvi_free(keys);
    vvi_free(ranges);
    vvi_free(values);
    vvi_free(statuses);
    return status;
}
