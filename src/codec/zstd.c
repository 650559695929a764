/* Codec "zstd": RFC 8878 frames. */
#include "codec/ops.h"
#include "codec/pool.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <zstd.h>
#include <zstd_errors.h>

/* A context whose memory was touched before saves more time than small chunks take; one for the
 * highest levels is too large to be kept. */
#define KEPT_BYTES_MAX ((size_t)8 << 20)

typedef struct zstd_state {
    vvi_pool encoders, decoders; /* ZSTD_CCtx, ZSTD_DCtx */
} zstd_state;

static vv_status zstd_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "level", "checksum", NULL };
    const vvi_json *checksum = vvi_json_get(settings, "checksum");
    int64_t level;

    (void)stage;
    self->state = vvi_alloc_zero(sizeof(zstd_state));
    if (!self->state)
        return vvi_fail_nomem(err, sizeof(zstd_state));
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(vvi_codec_integer(self, settings, "level", ZSTD_minCLevel(), ZSTD_maxCLevel(),
                              0, &level, err));
    if (checksum && !vvi_json_bool(checksum, &self->u.zstd.checksum))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'checksum' is %s, not a boolean",
                        self->name, vvi_json_kind_name(checksum));
    self->u.zstd.level = (int)level;
    return VV_OK;
}

static void zstd_clear(vvi_codec *self)
{
    zstd_state *state = self->state;
    void *ctx;

    if (!state)
        return;
    while ((ctx = vvi_pool_take(&state->encoders)))
        ZSTD_freeCCtx(ctx);
    while ((ctx = vvi_pool_take(&state->decoders)))
        ZSTD_freeDCtx(ctx);
    vvi_free(state);
}

static void give_back(zstd_state *state, ZSTD_CCtx *ctx)
{
    if (ZSTD_sizeof_CCtx(ctx) <= KEPT_BYTES_MAX)
        ctx = vvi_pool_put(&state->encoders, ctx);
    ZSTD_freeCCtx(ctx); /* NULL is fine */
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
    zstd_state *state = self->state;
    ZSTD_CCtx *ctx;
    size_t result;

    VVI_TRY(vvi_buf_reserve(out, bound, err));
    ctx = vvi_pool_take(&state->encoders);
    if (!ctx)
        ctx = ZSTD_createCCtx();
    if (!ctx) {
        vv_buf_clear(out);
        return vvi_fail_nomem(err, 0);
    }
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, self->u.zstd.level);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, self->u.zstd.checksum);
    result = ZSTD_compress2(ctx, out->data, out->cap, in.data, in.len);
    give_back(state, ctx);
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
    zstd_state *state = self->state;
    ZSTD_DCtx *ctx = vvi_pool_take(&state->decoders);
    size_t result;

    if (!ctx)
        ctx = ZSTD_createDCtx();
    if (!ctx)
        return vvi_fail_nomem(err, 0);
    result = ZSTD_decompressDCtx(ctx, out, cap, in.data, in.len);
    ZSTD_freeDCtx(vvi_pool_put(&state->decoders, ctx)); /* NULL is fine */
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
    .clear = zstd_clear,
    .encode = zstd_encode,
    .decode = zstd_decode,
    .stated_size = zstd_stated_size,
};
