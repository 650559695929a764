/* Codec "zstd": RFC 8878 frames. */
#include "codec/ops.h"

#include "util/buf.h"

#include <zstd.h>
#include <zstd_errors.h>

static vv_status zstd_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "level", "checksum", NULL };
    const vvi_json *checksum = vvi_json_get(settings, "checksum");
    int64_t level;

    (void)stage;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(vvi_codec_integer(self, settings, "level", ZSTD_minCLevel(), ZSTD_maxCLevel(),
                              0, &level, err));
    if (checksum && !vvi_json_bool(checksum, &self->u.zstd.checksum))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'checksum' is %s, not a boolean",
                        self->name, vvi_json_kind_name(checksum));
    self->u.zstd.level = (int)level;
    return VV_OK;
}

static vv_status zstd_failure(const vvi_codec *self, size_t result, vv_error *err)
{
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
        return vvi_fail_nomem(err, 0);
    return vvi_fail(err, VV_ECORRUPT, "codec %s: %s", self->name,
                    ZSTD_getErrorName(result));
}

static vv_status zstd_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                             vv_error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    ZSTD_CCtx *ctx;
    size_t result;

    VVI_TRY(vvi_buf_reserve(out, bound, err));
    ctx = ZSTD_createCCtx();
    if (!ctx) {
        vv_buf_clear(out);
        return vvi_fail_nomem(err, 0);
    }
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, self->u.zstd.level);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, self->u.zstd.checksum);
    result = ZSTD_compress2(ctx, out->data, out->cap, in.data, in.len);
    ZSTD_freeCCtx(ctx);
    if (ZSTD_isError(result)) {
        vv_buf_clear(out);
        return zstd_failure(self, result, err);
    }
    out->len = result;
    return VV_OK;
}

static vv_status zstd_decode(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                             size_t *len, vv_error *err)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    size_t result;

    if (!ctx)
        return vvi_fail_nomem(err, 0);
    result = ZSTD_decompressDCtx(ctx, out, cap, in.data, in.len);
    ZSTD_freeDCtx(ctx);
    if (ZSTD_isError(result))
        return ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall
                   ? vvi_codec_too_long(self, cap, len, err)
                   : zstd_failure(self, result, err);
    *len = result;
    return VV_OK;
}

static uint64_t zstd_stated_size(const vvi_codec *self, vv_bytes in)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.data, in.len);

    (void)self;
    return size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ? 0 : size;
}

const vvi_codec_ops vvi_zstd_ops = {
    .name = "zstd",
    .old_names = { "numcodecs.zstd" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = zstd_configure,
    .encode = zstd_encode,
    .decode = zstd_decode,
    .stated_size = zstd_stated_size,
};
