/* Codec "blosc": c-blosc 1 containers. */
#include "codec/ops.h"

#include "util/buf.h"

#include <blosc.h>
#include <string.h>

/* Chunks are the unit of parallel work; blosc's own threads stay out. */
#define BLOSC_THREADS 1

/* Zarr v3 writes a name; numcodecs a number, −1 for a choice by the element size. */
static vv_status read_shuffle(vvi_codec *self, const vvi_json *settings,
                              const vvi_codec_array *array, vv_error *err)
{
    static const char *const names[] = { "noshuffle", "shuffle", "bitshuffle" };
    const vvi_json *value = vvi_json_get(settings, "shuffle");
    int64_t number = -1;

    for (int i = 0; i < 3; i++)
        if (vvi_json_is_text(value, names[i]))
            number = i;
    if (number < 0 && value &&
        (!vvi_json_int64(value, &number) || number < -1 || number > 2))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'shuffle' must be noshuffle, shuffle or bitshuffle",
                        self->name);
    if (number < 0)
        number = array->dtype.item == 1 ? BLOSC_BITSHUFFLE : BLOSC_SHUFFLE;
    self->u.blosc.shuffle = (int)number;
    return VV_OK;
}

static vv_status read_compressor(vvi_codec *self, const vvi_json *settings, vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, "cname");
    const char *name = value ? vvi_json_text(value, NULL) : "lz4";

    if (!name)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'cname' is %s, not a string",
                        self->name, vvi_json_kind_name(value));
    if (strlen(name) >= sizeof(self->u.blosc.compressor) ||
        blosc_compname_to_compcode(name) < 0)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "codec %s: compressor '%s' is not known to this build",
                        self->name, name);
    strcpy(self->u.blosc.compressor, name);
    return VV_OK;
}

static vv_status blosc_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "cname",    "clevel",    "shuffle",
                                         "typesize", "blocksize", NULL };
    int64_t level;
    int64_t typesize;
    int64_t blocksize;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(read_compressor(self, settings, err));
    VVI_TRY(read_shuffle(self, settings, &stage->array, err));
    VVI_TRY(vvi_codec_integer(self, settings, "clevel", 0, 9, 5, &level, err));
    VVI_TRY(vvi_codec_integer(self, settings, "typesize", 1, INT32_MAX,
                              (int64_t)stage->array.dtype.item, &typesize, err));
    VVI_TRY(vvi_codec_integer(self, settings, "blocksize", 0, BLOSC_MAX_BUFFERSIZE, 0,
                              &blocksize, err));
    self->u.blosc.level = (int)level;
    self->u.blosc.typesize = (size_t)typesize;
    self->u.blosc.blocksize = (size_t)blocksize;
    return VV_OK;
}

static vv_status blosc_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                              vv_error *err)
{
    int result;

    if (in.len > BLOSC_MAX_BUFFERSIZE)
        return vvi_fail(err, VV_ELIMIT, "codec %s: %zu bytes; it takes at most %d",
                        self->name, in.len, (int)BLOSC_MAX_BUFFERSIZE);
    VVI_TRY(vvi_buf_reserve(out, in.len + BLOSC_MAX_OVERHEAD, err));
    result = blosc_compress_ctx(self->u.blosc.level, self->u.blosc.shuffle,
                                self->u.blosc.typesize, in.len, in.data, out->data,
                                out->cap, self->u.blosc.compressor,
                                self->u.blosc.blocksize, BLOSC_THREADS);
    if (result <= 0) {
        vv_buf_clear(out);
        return vvi_fail(err, VV_EIO, "codec %s: blosc failed (%d)", self->name, result);
    }
    out->len = (size_t)result;
    return VV_OK;
}

static vv_status blosc_decode(const vvi_codec *self, vv_bytes in, uint8_t *out,
                              size_t cap, size_t *len, vv_error *err)
{
    size_t stated;
    int result;

    if (in.len < BLOSC_MIN_HEADER_LENGTH ||
        blosc_cbuffer_validate(in.data, in.len, &stated))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: not a blosc container of %zu bytes",
                        self->name, in.len);
    if (stated > cap)
        return vvi_codec_too_long(self, cap, len, err);
    result = blosc_decompress_ctx(in.data, out, cap, BLOSC_THREADS);
    if (result < 0 || (size_t)result != stated)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: damaged data (%d)", self->name,
                        result);
    *len = stated;
    return VV_OK;
}

static uint64_t blosc_stated_size(const vvi_codec *self, vv_bytes in)
{
    size_t stated = 0;

    (void)self;
    return in.len < BLOSC_MIN_HEADER_LENGTH ||
                   blosc_cbuffer_validate(in.data, in.len, &stated)
               ? 0
               : stated;
}

const vvi_codec_ops vvi_blosc_ops = {
    .name = "blosc",
    .old_names = { "numcodecs.blosc" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = blosc_configure,
    .encode = blosc_encode,
    .decode = blosc_decode,
    .stated_size = blosc_stated_size,
};
