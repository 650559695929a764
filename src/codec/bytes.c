/* Codec "bytes": elements in a stated byte order. */
#include "codec/ops.h"

#include <string.h>

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
