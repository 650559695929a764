/* The codecs that there are, and what they share in reading their settings. */
#include "codec/ops.h"

#include "util/buf.h"

#include <string.h>

/* Array → array, array → bytes, bytes → bytes. */
static const vvi_codec_ops *const table[] = {
    &vvi_transpose_ops,  &vvi_cast_value_ops, &vvi_scale_offset_ops,
    &vvi_bitround_ops,   &vvi_delta_ops,      &vvi_fixedscaleoffset_ops,
    &vvi_quantize_ops,   &vvi_astype_ops,     &vvi_packed_bools_ops,
    &vvi_bytes_ops,      &vvi_sharding_ops,   &vvi_vlen_utf8_ops,
    &vvi_vlen_bytes_ops, &vvi_packbits_ops,   &vvi_gzip_ops,
    &vvi_zstd_ops,       &vvi_blosc_ops,      &vvi_zlib_ops,
#ifdef VVI_CODEC_LZ4
    &vvi_lz4_ops,
#endif
#ifdef VVI_CODEC_BZ2
    &vvi_bz2_ops,
#endif
#ifdef VVI_CODEC_LZMA
    &vvi_lzma_ops,
#endif
    &vvi_shuffle_ops,    &vvi_crc32c_ops,     &vvi_crc32_ops,
    &vvi_adler32_ops,    &vvi_fletcher32_ops,
};

#define OLD_NAMES (sizeof(table[0]->old_names) / sizeof(table[0]->old_names[0]))

const vvi_codec_ops *vvi_codec_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        for (size_t j = 0; j < OLD_NAMES && table[i]->old_names[j]; j++)
            if (strcmp(table[i]->old_names[j], name) == 0)
                return table[i];
    }
    return NULL;
}

vv_status vvi_codec_unknown(const char *name, vv_error *err)
{
    vv_buf names = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && !status; i++)
        status = vvi_buf_printf(&names, err, "%s%s", i ? ", " : "", table[i]->name);
    if (!status)
        status = vvi_fail(err, VV_EUNSUPPORTED,
                          "codec '%s' is not known to this build; there are %.*s", name,
                          (int)names.len, (const char *)names.data);
    vv_buf_clear(&names);
    return status;
}

vv_status vvi_codec_known(const vvi_codec *self, const vvi_json *settings,
                          const char *const *names, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(settings); m; m = vvi_json_next(m)) {
        const char *const *name = names;

        while (*name && strcmp(*name, vvi_json_name(m)) != 0)
            name++;
        if (!*name)
            return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: unknown setting '%s'",
                            self->name, vvi_json_name(m));
    }
    return VV_OK;
}

vv_status vvi_codec_integer(const vvi_codec *self, const vvi_json *settings,
                            const char *name, int64_t min, int64_t max, int64_t otherwise,
                            int64_t *out, vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, name);

    *out = otherwise;
    if (!value)
        return VV_OK;
    if (!vvi_json_int64(value, out) || *out < min || *out > max)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: '%s' must be an integer from %" PRId64 " to %" PRId64,
                        self->name, name, min, max);
    return VV_OK;
}

vv_status vvi_codec_too_long(const vvi_codec *self, size_t cap, size_t *len,
                             vv_error *err)
{
    *len = SIZE_MAX;
    return vvi_fail(err, VV_ECORRUPT,
                    "codec %s: the data unfolds into more than %zu bytes", self->name,
                    cap);
}
