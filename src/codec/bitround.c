/* Codec "bitround": the low bits of numbers rounded away. Decoding changes nothing. */
#include "codec/number.h"

#include <string.h>

/* Bits of a word's fraction; 0: it is an integer. */
static uint32_t fraction_bits(const vvi_dtype *dtype)
{
    if (dtype->kind != VVI_KIND_FLOAT && dtype->kind != VVI_KIND_COMPLEX)
        return 0;
    return dtype->code == VV_BFLOAT16 ? 7
           : dtype->word == 2         ? 10
           : dtype->word == 4         ? 23
                                      : 52;
}

static vv_status bitround_configure(vvi_codec *self, const vvi_json *settings,
                                    vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "keepbits", NULL };
    const vvi_dtype *dtype = &stage->array.dtype;
    uint32_t most = fraction_bits(dtype);
    int64_t keep;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (!vvi_is_real(dtype) && dtype->kind != VVI_KIND_COMPLEX)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: elements of type '%s'",
                        self->name, vv_dtype_name(dtype->code));
    if (!vvi_json_get(settings, "keepbits"))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'keepbits' is missing", self->name);
    VVI_TRY(vvi_codec_integer(self, settings, "keepbits", most ? 0 : 1,
                              most ? most : 8 * (int64_t)dtype->item, 0, &keep, err));
    self->u.bitround.keep = (uint32_t)keep;
    self->u.bitround.fraction = most;
    return VV_OK;
}

static bool bitround_is_identity(const vvi_codec *self)
{
    return self->u.bitround.keep == self->u.bitround.fraction;
}

/*
 * To nearest, ties to even, by adding a little less than half of the last bit kept. A carry goes on
 * into the exponent, as it should; what is infinite or no number stays as it is.
 */
#define ROUND_FLOATS(bits_)                                                             \
    for (size_t i = 0; i < n; i++) {                                                    \
        const uint##bits_##_t low = (uint##bits_##_t)(((uint64_t)1 << drop) - 1);       \
        const uint##bits_##_t special = (uint##bits_##_t)exponent;                      \
        uint##bits_##_t v;                                                              \
                                                                                        \
        memcpy(&v, from + i * sizeof(v), sizeof(v));                                    \
        if ((v & special) != special)                                                   \
            v = (uint##bits_##_t)((uint##bits_##_t)(v + (v >> drop & 1) + (low >> 1)) & \
                                  (uint##bits_##_t) ~low);                              \
        memcpy(to + i * sizeof(v), &v, sizeof(v));                                      \
    }

static void round_floats(const vvi_codec *self, const uint8_t *from, uint8_t *to)
{
    uint32_t drop = self->u.bitround.fraction - self->u.bitround.keep;
    size_t n = (size_t)self->bytes / self->dtype.word;
    /* Of all bits but the sign, those above the fraction. */
    uint64_t exponent = (UINT64_MAX >> (65 - 8 * self->dtype.word)) &
                        (UINT64_MAX << self->u.bitround.fraction);

    switch (self->dtype.word) {
    case 2:
        ROUND_FLOATS(16)
        break;
    case 4:
        ROUND_FLOATS(32)
        break;
    default:
        ROUND_FLOATS(64)
    }
}

/* Of integers, as many bits as asked for from the first that is set; what would be rounded up past
 * the end is cut off. */
static void round_integers(const vvi_codec *self, const uint8_t *from, uint8_t *to)
{
    uint64_t most = UINT64_MAX >> (64 - 8 * self->dtype.item);
    vvi_dtype as_unsigned = self->dtype;
    uint64_t block[VVI_BLOCK];
    size_t n = (size_t)self->elements;

    as_unsigned.kind = VVI_KIND_UINT;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        vvi_load_integers(&as_unsigned, from, part, block);
        for (size_t i = 0; i < part; i++) {
            uint32_t bits = block[i] ? 64 - (uint32_t)__builtin_clzll(block[i]) : 0;

            if (bits > self->u.bitround.keep) {
                uint32_t drop = bits - self->u.bitround.keep;
                uint64_t low = ((uint64_t)1 << drop) - 1;
                uint64_t up = (block[i] >> drop & 1) + (low >> 1);

                block[i] = block[i] > most - up ? most : block[i] + up;
                block[i] &= ~low;
            }
        }
        vvi_store_integers(&as_unsigned, block, part, to);
        from += part * self->dtype.item;
        to += part * self->dtype.item;
        n -= part;
    }
}

static vv_status bitround_encode(const vvi_codec *self, const void *in, void *out,
                                 vv_error *err)
{
    (void)err;
    if (self->u.bitround.fraction)
        round_floats(self, in, out);
    else
        round_integers(self, in, out);
    return VV_OK;
}

static vv_status bitround_decode(const vvi_codec *self, const void *in, void *out,
                                 vv_error *err)
{
    (void)err;
    if (self->bytes)
        memcpy(out, in, (size_t)self->bytes);
    return VV_OK;
}

const vvi_codec_ops vvi_bitround_ops = {
    .name = "bitround",
    .old_names = { "numcodecs.bitround" },
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = bitround_configure,
    .is_identity = bitround_is_identity,
    .encode_array = bitround_encode,
    .decode_array = bitround_decode,
};
