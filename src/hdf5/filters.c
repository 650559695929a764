#include "hdf5/filters.h"

#include "codec/codec.h"
#include "h5/h5.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <blosc.h>
#include <lzf.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

void vvi_hdf5_pipeline_make(const vv_compression *compression, bool checksum, size_t item,
                            size_t chunk_bytes, vvi_pool *scratch, vvi_hdf5_pipeline *out)
{
    bool compressed = compression->codec != VV_COMPRESS_NONE;

    *out = (vvi_hdf5_pipeline){
        .compression = *compression,
        .item = item,
        .chunk_bytes = chunk_bytes,
        /* Blosc shuffles itself. */
        .shuffle = compressed && !compression->no_shuffle && item > 1 &&
                   compression->codec != VV_COMPRESS_BLOSC,
        .checksum = checksum,
        .scratch = scratch,
    };
    out->count = (uint32_t)compressed + out->shuffle + checksum;
}

/* ---- encoding ---------------------------------------------------------------------------------- */

/* What an encoding thread needs, kept from one chunk to the next: memory that was touched before. */
typedef struct scratch {
    ZSTD_CCtx *zstd;
    vv_buf shuffled;
} scratch;

static void free_scratch(scratch *self)
{
    if (!self)
        return;
    ZSTD_freeCCtx(self->zstd);
    vv_buf_clear(&self->shuffled);
    vvi_free(self);
}

void vvi_hdf5_scratch_clear(vvi_pool *pool)
{
    scratch *self;

    while ((self = vvi_pool_take(pool)))
        free_scratch(self);
}

/* Compress in behind the end of out. *done: false where it did not shrink. */
static vv_status compress_chunk(const vvi_hdf5_pipeline *self, scratch *with, vv_bytes in,
                                vv_buf *out, bool *done, vv_error *err)
{
    int level = self->compression.level;
    size_t len = 0;
    uLongf deflated;

    switch (self->compression.codec) {
    case VV_COMPRESS_GZIP:
        deflated = (uLongf)in.len;
        if (compress2(out->data, &deflated, in.data, (uLong)in.len, level) == Z_OK)
            len = (size_t)deflated;
        break;
    case VV_COMPRESS_LZF: /* says 0 where it does not fit */
        len = in.len > 1 ? lzf_compress(in.data, (unsigned)in.len, out->data,
                                        (unsigned)in.len - 1)
                         : 0;
        break;
    case VV_COMPRESS_BLOSC: {
        int got = blosc_compress_ctx(
            level, self->compression.no_shuffle ? BLOSC_NOSHUFFLE : BLOSC_SHUFFLE,
            self->item, in.len, in.data, out->data, out->cap, "lz4", 0, 1);

        len = got > 0 ? (size_t)got : 0;
        break;
    }
    default:
        if (!with->zstd && !(with->zstd = ZSTD_createCCtx()))
            return vvi_fail_nomem(err, 0);
        len = ZSTD_compressCCtx(with->zstd, out->data, out->cap, in.data, in.len, level);
        if (ZSTD_isError(len))
            len = 0;
    }
    *done = len && len < in.len;
    out->len = len;
    return VV_OK;
}

static vv_status encode(const vvi_hdf5_pipeline *self, scratch *with, vv_bytes in,
                        vvi_encoded *out, vv_error *err)
{
    vv_bytes chunk = in;
    uint32_t compressor = self->shuffle ? 2u : 1u;
    bool done = false;

    if (self->shuffle) {
        with->shuffled.len = 0;
        VVI_TRY(vvi_buf_reserve(&with->shuffled, in.len, err));
        vvi_shuffle(self->item, in.len / self->item, in.data, with->shuffled.data);
        in = vvi_bytes(with->shuffled.data, in.len);
    }
    /* Room for the longest form of any of them, and a checksum. */
    VVI_TRY(vvi_buf_reserve(&out->bytes, ZSTD_compressBound(in.len) + 64, err));
    VVI_TRY(compress_chunk(self, with, in, &out->bytes, &done, err));
    out->left_out = 0;
    if (!done) { /* then there is no use in shuffling either */
        out->left_out = compressor | (compressor - 1);
        memcpy(out->bytes.data, chunk.data, chunk.len);
        out->bytes.len = chunk.len;
    }
    return VV_OK;
}

/* The end of a loan of rows, which their owner frees. */
static void nothing(void *rows)
{
    (void)rows;
}

vv_status vvi_hdf5_encode(const vvi_hdf5_pipeline *self, const void *chunk,
                          vvi_encoded *out, vv_error *err)
{
    vv_bytes in = vvi_bytes(chunk, self->chunk_bytes);
    scratch *with;
    vv_status status;

    out->left_out = 0;
    if (!self->count) {
        vvi_buf_lend(&out->bytes, in.data, in.len, nothing, NULL);
        return VV_OK;
    }
    if (out->bytes.release)
        vv_buf_clear(&out->bytes);
    out->bytes.len = 0;
    if (self->compression.codec == VV_COMPRESS_NONE) {
        VVI_TRY(vvi_buf_reserve(&out->bytes, in.len + 4, err));
        VVI_TRY(vvi_buf_append(&out->bytes, in, err));
    } else {
        with = vvi_pool_take(self->scratch);
        if (!with && !(with = vvi_alloc_zero(sizeof(*with))))
            return vvi_fail_nomem(err, sizeof(*with));
        status = encode(self, with, in, out, err);
        free_scratch(vvi_pool_put(self->scratch, with));
        if (status)
            return status;
    }
    if (self->checksum) {
        uint8_t sum[4];

        vvi_put_le32(sum, vvi_h5_fletcher32(vvi_buf_bytes(&out->bytes)));
        VVI_TRY(vvi_buf_append(&out->bytes, vvi_bytes(sum, 4), err));
    }
    return VV_OK;
}

/* ---- for libhdf5 ------------------------------------------------------------------------------- */

/* Chunks of the recorder do not come here; other users of libhdf5 in this process may. */
static size_t undo(unsigned id, size_t count, const unsigned *values, size_t bytes,
                   size_t *size, void **buffer)
{
    vvi_h5_filter filter = { .id = (uint16_t)id };
    vv_bytes in = vvi_bytes(*buffer, bytes);
    uint64_t len = 0;
    size_t stated = 0;
    void *out;

    for (; filter.value_count < count && filter.value_count < 8; filter.value_count++)
        filter.values[filter.value_count] = values[filter.value_count];
    if (id == VVI_HDF5_ZSTD)
        len = ZSTD_getFrameContentSize(in.data, in.len); /* its errors are huge */
    else if (id == VVI_HDF5_LZF)
        len = count > 2 ? values[2] : 0;
    else if (blosc_cbuffer_validate(in.data, in.len, &stated) == 0)
        len = stated;
    if (!len || len > VVI_CHUNK_BYTES_MAX || !(out = H5allocate_memory((size_t)len, 0)))
        return 0;
    if (vvi_h5_unfilter(&filter, 1, 0, 1, in, out, (size_t)len, NULL)) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = out;
    *size = (size_t)len;
    return (size_t)len;
}

static size_t redo(vv_compression_codec codec, size_t count, const unsigned *values,
                   size_t bytes, size_t *size, void **buffer)
{
    /* The level, and Blosc's element and shuffle, stand where set_compressor() puts them. */
    bool blosc = codec == VV_COMPRESS_BLOSC;
    vvi_hdf5_pipeline self = { .compression.codec = codec, .chunk_bytes = bytes };
    scratch with = { NULL, VV_BUF_INIT };
    vv_buf out = VV_BUF_INIT;
    bool done = false;
    void *copy = NULL;

    self.compression.level = blosc ? (count > 4 ? (int)values[4] : 5)
                                   : (count ? (int)values[0] : 3);
    self.compression.no_shuffle = blosc && count > 5 && !values[5];
    self.item = blosc && count > 2 && values[2] ? values[2] : 1;
    if (!vvi_buf_reserve(&out, ZSTD_compressBound(bytes) + 64, NULL) &&
        !compress_chunk(&self, &with, vvi_bytes(*buffer, bytes), &out, &done, NULL) &&
        done && (copy = H5allocate_memory(out.len, 0))) {
        memcpy(copy, out.data, out.len);
        H5free_memory(*buffer);
        *buffer = copy;
        *size = out.len;
    }
    ZSTD_freeCCtx(with.zstd);
    bytes = copy ? out.len : 0;
    vv_buf_clear(&out);
    return bytes;
}

#define FILTER(name_, id_, codec_)                                            \
    static size_t name_(unsigned flags, size_t count, const unsigned *values, \
                        size_t bytes, size_t *size, void **buffer)            \
    {                                                                         \
        return flags & H5Z_FLAG_REVERSE                                       \
                   ? undo(id_, count, values, bytes, size, buffer)            \
                   : redo(codec_, count, values, bytes, size, buffer);        \
    }
FILTER(filter_lzf, VVI_HDF5_LZF, VV_COMPRESS_LZF)
FILTER(filter_blosc, VVI_HDF5_BLOSC, VV_COMPRESS_BLOSC)
FILTER(filter_zstd, VVI_HDF5_ZSTD, VV_COMPRESS_ZSTD)

/* Files hold these names; of Zstandard as kUPS's files have it. */
static const H5Z_class2_t classes[] = {
    { H5Z_CLASS_T_VERS, VVI_HDF5_LZF, 1, 1, "lzf", NULL, NULL, filter_lzf },
    { H5Z_CLASS_T_VERS, VVI_HDF5_BLOSC, 1, 1, "blosc", NULL, NULL, filter_blosc },
    { H5Z_CLASS_T_VERS, VVI_HDF5_ZSTD, 1, 1,
      "HDF5 zstd filter; see https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/"
      "RegisteredFilterPlugins.md",
      NULL, NULL, filter_zstd },
};

herr_t vvi_hdf5_filters_register(void)
{
    unsigned loading = 0;
    herr_t result = 0;

    /* Asking for a filter makes libhdf5 look for shared objects to load. */
    if (H5PLget_loading_state(&loading) < 0 || H5PLset_loading_state(0) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]) && result >= 0; i++)
        if (H5Zfilter_avail(classes[i].id) <= 0)
            result = H5Zregister(&classes[i]);
    return H5PLset_loading_state(loading) < 0 ? -1 : result;
}

static herr_t set_compressor(hid_t properties, const vvi_hdf5_pipeline *self)
{
    unsigned chunk = (unsigned)self->chunk_bytes;
    unsigned level = (unsigned)self->compression.level;
    /* As h5py and hdf5plugin fill them in. */
    unsigned lzf[3] = { 4, LZF_VERSION, chunk };
    unsigned blosc[7] = { 2,
                          BLOSC_VERSION_FORMAT,
                          (unsigned)self->item,
                          chunk,
                          level,
                          !self->compression.no_shuffle,
                          BLOSC_LZ4 };

    switch (self->compression.codec) {
    case VV_COMPRESS_NONE:
        return 0;
    case VV_COMPRESS_GZIP:
        return H5Pset_filter(properties, VVI_HDF5_DEFLATE, H5Z_FLAG_OPTIONAL, 1, &level);
    case VV_COMPRESS_LZF:
        return H5Pset_filter(properties, VVI_HDF5_LZF, H5Z_FLAG_OPTIONAL, 3, lzf);
    case VV_COMPRESS_BLOSC:
        return H5Pset_filter(properties, VVI_HDF5_BLOSC, H5Z_FLAG_OPTIONAL, 7, blosc);
    default:
        return H5Pset_filter(properties, VVI_HDF5_ZSTD, H5Z_FLAG_OPTIONAL, 1, &level);
    }
}

herr_t vvi_hdf5_filters_set(hid_t properties, const vvi_hdf5_pipeline *self)
{
    if (self->shuffle && H5Pset_shuffle(properties) < 0)
        return -1;
    if (set_compressor(properties, self) < 0)
        return -1;
    return self->checksum ? H5Pset_fletcher32(properties) : 0;
}
