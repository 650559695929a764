/* Codecs "bytes": elements in a stated byte order; and "crc32c": a checksum behind the data. */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <varvite/hash.h>

#include <string.h>

/* ---- bytes --------------------------------------------------------------------------------- */

static bool is_native(bool little)
{
    return little == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}

static vv_status bytes_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "endian", NULL };
    const vvi_json *endian = vvi_json_get(settings, "endian");
    bool little = vvi_json_is_text(endian, "little");

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (stage->array.dtype.kind == VVI_KIND_VARIABLE)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: elements of '%s' have no fixed length", self->name,
                        vv_dtype_name(stage->array.dtype.code));
    self->u.bytes.word = 1;
    if (!little && !vvi_json_is_text(endian, "big")) {
        /* Single bytes have no order, and need not state one. */
        if (stage->array.dtype.word == 1 &&
            (!endian || vvi_json_is(endian, VVI_JSON_NULL)))
            return VV_OK;
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'endian' must be \"little\" or \"big\"", self->name);
    }
    if (!is_native(little))
        self->u.bytes.word = stage->array.dtype.word;
    return VV_OK;
}

static bool bytes_is_identity(const vvi_codec *self)
{
    return self->u.bytes.word == 1;
}

#define TURN_ALL(bits_)                                        \
    for (size_t i = 0; i + bits_ / 8 <= len; i += bits_ / 8) { \
        uint##bits_##_t word;                                  \
        memcpy(&word, data + i, sizeof(word));                 \
        word = __builtin_bswap##bits_(word);                   \
        memcpy(data + i, &word, sizeof(word));                 \
    }

static void bytes_turn(const vvi_codec *self, uint8_t *data, size_t len)
{
    switch (self->u.bytes.word) {
    case 2:
        TURN_ALL(16)
        break;
    case 4:
        TURN_ALL(32)
        break;
    case 8:
        TURN_ALL(64)
        break;
    default:
        break;
    }
}

const vvi_codec_ops vvi_bytes_ops = {
    .name = "bytes",
    .old_names = { "endian" },
    .kind = VVI_CODEC_ARRAY_TO_BYTES,
    .configure = bytes_configure,
    .turn = bytes_turn,
    .is_identity = bytes_is_identity,
};

/* ---- crc32c: the data, then its CRC-32C, little endian -------------------------------------- */

#define CRC_BYTES 4

static vv_status crc32c_configure(vvi_codec *self, const vvi_json *settings,
                                  vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "location", NULL };
    const vvi_json *location = vvi_json_get(settings, "location");

    (void)stage;
    if (location && !vvi_json_is_text(location, "end"))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "codec %s: a checksum that is not at the end", self->name);
    return vvi_codec_known(self, settings, known, err);
}

static vv_status crc32c_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                               vv_error *err)
{
    uint8_t crc[CRC_BYTES];

    (void)self;
    vvi_put_le32(crc, vv_crc32c(0, in));
    VVI_TRY(vvi_buf_reserve(out, in.len + CRC_BYTES, err));
    VVI_TRY(vvi_buf_append(out, in, err));
    return vvi_buf_append(out, vvi_bytes(crc, sizeof(crc)), err);
}

static vv_status crc32c_view(const vvi_codec *self, vv_bytes in, vv_bytes *out,
                             vv_error *err)
{
    vv_bytes data = in;
    uint32_t crc;

    if (in.len < CRC_BYTES)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes hold no checksum",
                        self->name, in.len);
    data.len -= CRC_BYTES;
    crc = vv_crc32c(0, data);
    if (crc != vvi_get_le32(data.data + data.len))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: the checksum is %08" PRIx32
                        ", the data has %08" PRIx32,
                        self->name, vvi_get_le32(data.data + data.len), crc);
    *out = data;
    return VV_OK;
}

static size_t crc32c_encoded_size(const vvi_codec *self, size_t in)
{
    (void)self;
    return in + CRC_BYTES;
}

const vvi_codec_ops vvi_crc32c_ops = {
    .name = "crc32c",
    .old_names = { "numcodecs.crc32c" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = crc32c_configure,
    .encode = crc32c_encode,
    .encoded_size = crc32c_encoded_size,
    .view = crc32c_view,
};
