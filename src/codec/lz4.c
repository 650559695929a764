/* Codec "lz4": an LZ4 block behind its decoded length, four bytes, little-endian. */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <lz4.h>

#define LENGTH_BYTES 4

static vv_status lz4_configure(vvi_codec *self, const vvi_json *settings,
                               vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "acceleration", NULL };
    int64_t acceleration;

    (void)stage;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(vvi_codec_integer(self, settings, "acceleration", INT32_MIN, INT32_MAX, 1,
                              &acceleration, err));
    self->u.lz4.acceleration = (int)acceleration;
    return VV_OK;
}

static vv_status lz4_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                            vv_error *err)
{
    int bound;
    int len;

    if (in.len > LZ4_MAX_INPUT_SIZE)
        return vvi_fail(err, VV_ELIMIT, "codec %s: %zu bytes; it takes at most %d",
                        self->name, in.len, LZ4_MAX_INPUT_SIZE);
    bound = LZ4_compressBound((int)in.len);
    VVI_TRY(vvi_buf_reserve(out, (size_t)bound + LENGTH_BYTES, err));
    vvi_put_le32(out->data, (uint32_t)in.len);
    len = LZ4_compress_fast((const char *)in.data, (char *)out->data + LENGTH_BYTES,
                            (int)in.len, bound, self->u.lz4.acceleration);
    if (len <= 0) {
        vv_buf_clear(out);
        return vvi_fail_nomem(err, 0); /* the one way it fails with room enough */
    }
    out->len = (size_t)len + LENGTH_BYTES;
    return VV_OK;
}

static vv_status lz4_decode(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                            size_t *len, vv_error *err)
{
    uint32_t stated;
    uint8_t none;
    int result;

    if (in.len <= LENGTH_BYTES || in.len - LENGTH_BYTES > INT32_MAX)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes", self->name, in.len);
    stated = vvi_get_le32(in.data);
    if (stated > cap || stated > INT32_MAX)
        return vvi_codec_too_long(self, cap, len, err);
    result = LZ4_decompress_safe((const char *)in.data + LENGTH_BYTES,
                                 stated ? (char *)out : (char *)&none,
                                 (int)(in.len - LENGTH_BYTES), (int)stated);
    if (result < 0 || (uint32_t)result != stated)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: damaged data (%d)", self->name,
                        result);
    *len = stated;
    return VV_OK;
}

static uint64_t lz4_stated_size(const vvi_codec *self, vv_bytes in)
{
    (void)self;
    return in.len < LENGTH_BYTES ? 0 : vvi_get_le32(in.data);
}

const vvi_codec_ops vvi_lz4_ops = {
    .name = "lz4",
    .old_names = { "numcodecs.lz4" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = lz4_configure,
    .encode = lz4_encode,
    .decode = lz4_decode,
    .stated_size = lz4_stated_size,
};
