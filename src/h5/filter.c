/* Filters of chunks, undone. Every one is held to the bytes that a chunk has. */
#include "h5/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#include <blosc.h>
#include <zlib.h>
#include <zstd.h>

enum {
    FILTER_DEFLATE = 1,
    FILTER_SHUFFLE = 2,
    FILTER_FLETCHER32 = 3,
    FILTER_LZF = 32000,
    FILTER_BLOSC = 32001,
    FILTER_ZSTD = 32015
};

/* Undo one filter: in to out, at most cap bytes; *len says how many. */
typedef vv_status (*undo_fn)(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                             uint8_t *out, size_t cap, size_t *len, vv_error *err);

static vv_status damaged(const char *what, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "%s: the data is damaged, or unfolds into too much",
                    what);
}

static vv_status undo_deflate(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                              uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    uLongf got = (uLongf)cap;

    (void)filter;
    (void)item;
    if (uncompress(out, &got, in.data, (uLong)in.len) != Z_OK)
        return damaged("deflate", err);
    *len = (size_t)got;
    return VV_OK;
}

/* First all lowest bytes of the elements, then all next ones; what is left over stands behind. */
static vv_status undo_shuffle(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                              uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    size_t width = filter->value_count ? filter->values[0] : item;
    size_t count = width ? in.len / width : 0;

    if (in.len > cap || !width)
        return damaged("shuffle", err);
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < count; i++)
            out[i * width + b] = in.data[b * count + i];
    if (in.len % width)
        memcpy(out + count * width, in.data + count * width, in.len % width);
    *len = in.len;
    return VV_OK;
}

/* Sums of the data as big-endian 16-bit words, each taken modulo 65535. */
uint32_t vvi_h5_fletcher32(vv_bytes data)
{
    const uint8_t *at = data.data;
    uint32_t first = 0, second = 0;
    size_t words = data.len / 2;

    while (words) {
        /* So many words fit the sums before they must be folded. */
        size_t run = words < 360 ? words : 360;

        words -= run;
        for (; run; run--, at += 2) {
            first += vvi_get_be16(at);
            second += first;
        }
        first = (first & 0xFFFF) + (first >> 16);
        second = (second & 0xFFFF) + (second >> 16);
    }
    if (data.len % 2) {
        first += (uint32_t)*at << 8;
        second += first;
        first = (first & 0xFFFF) + (first >> 16);
        second = (second & 0xFFFF) + (second >> 16);
    }
    first = (first & 0xFFFF) + (first >> 16);
    second = (second & 0xFFFF) + (second >> 16);
    return second << 16 | first;
}

static vv_status undo_fletcher32(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                                 uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    size_t data = in.len - 4;

    (void)filter;
    (void)item;
    if (in.len < 4 || data > cap)
        return damaged("fletcher32", err);
    if (vvi_h5_fletcher32(vvi_bytes(in.data, data)) != vvi_get_le32(in.data + data))
        return vvi_fail(err, VV_ECORRUPT, "fletcher32: the checksum is wrong");
    memcpy(out, in.data, data);
    *len = data;
    return VV_OK;
}

/* Runs of literal bytes, and references to what came before. Source: the format of LibLZF. */
static vv_status undo_lzf(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                          uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    vvi_h5_cursor from = vvi_h5_cursor_of(in);
    size_t at = 0;

    (void)filter;
    (void)item;
    while (from.at < from.end) {
        size_t control = (size_t)vvi_h5_number(&from, 1);
        size_t run = control >> 5;

        if (run == 0) {
            const uint8_t *literal = vvi_h5_take(&from, control + 1);

            if (!literal || control + 1 > cap - at)
                return damaged("lzf", err);
            memcpy(out + at, literal, control + 1);
            at += control + 1;
            continue;
        }
        if (run == 7)
            run += (size_t)vvi_h5_number(&from, 1);
        size_t back = ((control & 0x1F) << 8) + (size_t)vvi_h5_number(&from, 1) + 1;

        if (from.short_of || back > at || run + 2 > cap - at)
            return damaged("lzf", err);
        for (size_t end = at + run + 2; at < end; at++)
            out[at] = out[at - back];
    }
    *len = at;
    return VV_OK;
}

static vv_status undo_zstd(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                           uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    size_t got = ZSTD_decompress(out, cap, in.data, in.len);

    (void)filter;
    (void)item;
    if (ZSTD_isError(got))
        return damaged("zstd", err);
    *len = got;
    return VV_OK;
}

static vv_status undo_blosc(const vvi_h5_filter *filter, size_t item, vv_bytes in,
                            uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    size_t size;
    int got;

    (void)filter;
    (void)item;
    if (blosc_cbuffer_validate(in.data, in.len, &size) < 0 || size > cap)
        return damaged("blosc", err);
    got = blosc_decompress_ctx(in.data, out, cap, 1);
    if (got < 0)
        return damaged("blosc", err);
    *len = (size_t)got;
    return VV_OK;
}

static const struct {
    uint16_t id;
    undo_fn undo;
} filters[] = {
    { FILTER_DEFLATE, undo_deflate },       { FILTER_SHUFFLE, undo_shuffle },
    { FILTER_FLETCHER32, undo_fletcher32 }, { FILTER_LZF, undo_lzf },
    { FILTER_BLOSC, undo_blosc },           { FILTER_ZSTD, undo_zstd },
};

static undo_fn undo_of(uint16_t id)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (filters[i].id == id)
            return filters[i].undo;
    return NULL;
}

bool vvi_h5_filter_known(uint16_t id)
{
    return undo_of(id) != NULL;
}

vv_status vvi_h5_unfilter(const vvi_h5_filter *all, uint32_t count, uint32_t mask,
                          size_t item, vv_bytes stored, uint8_t *out, size_t chunk_bytes,
                          vv_error *err)
{
    /* Between two filters there may be a checksum more than the chunk has, and a little that a codec
     * could not shrink. */
    size_t cap = chunk_bytes + chunk_bytes / 16 + 1024;
    uint8_t *spare[2] = { NULL, NULL };
    vv_bytes bytes = stored;
    vv_status status = VV_OK;
    uint32_t left = 0;

    for (uint32_t i = 0; i < count; i++)
        left += !(mask >> i & 1);
    for (uint32_t i = count; i-- > 0 && !status;) {
        uint8_t *to = out;
        size_t len = 0;

        if (mask >> i & 1)
            continue;
        if (--left) { /* not the last: into memory of our own */
            if (!spare[left % 2] && !(spare[left % 2] = vvi_alloc(cap))) {
                status = vvi_fail_nomem(err, cap);
                break;
            }
            to = spare[left % 2];
        }
        status = undo_of(all[i].id)(&all[i], item, bytes, to, left ? cap : chunk_bytes,
                                    &len, err);
        bytes = vvi_bytes(to, len);
    }
    if (!status && bytes.len != chunk_bytes)
        status = vvi_fail(err, VV_ECORRUPT, "%zu bytes where the chunk has %zu",
                          bytes.len, chunk_bytes);
    if (!status && bytes.data != out)
        memcpy(out, bytes.data, chunk_bytes);
    vvi_free(spare[0]);
    vvi_free(spare[1]);
    return status;
}
