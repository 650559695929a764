/*
 * Codec "packbits": elements of some bits each without gaps, the first in the low bits of the first
 * byte. Codec "numcodecs.packbits": an array of bool as bytes, the first in the high bit, behind a
 * byte that counts the unused bits of the last.
 */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <string.h>

/* ---- settings ------------------------------------------------------------------------------ */

static vv_status read_bits(vvi_codec *self, const vvi_json *settings, uint32_t all,
                           vv_error *err)
{
    const vvi_json *last_value = vvi_json_get(settings, "last_bit");
    const vvi_json *first_value = vvi_json_get(settings, "first_bit");
    int64_t first = 0;
    int64_t last = (int64_t)all - 1;

    if (!vvi_json_is(first_value, VVI_JSON_NULL))
        VVI_TRY(vvi_codec_integer(self, settings, "first_bit", 0, last, 0, &first, err));
    if (!vvi_json_is(last_value, VVI_JSON_NULL))
        VVI_TRY(
            vvi_codec_integer(self, settings, "last_bit", first, last, last, &last, err));
    self->u.packbits.first = (uint32_t)first;
    self->u.packbits.bits = (uint32_t)(last - first + 1);
    return VV_OK;
}

static vv_status read_padding(vvi_codec *self, const vvi_json *settings, vv_error *err)
{
    const vvi_json *padding = vvi_json_get(settings, "padding_encoding");

    self->u.packbits.padding = vvi_json_is_text(padding, "first_byte")  ? PACKBITS_FIRST
                               : vvi_json_is_text(padding, "last_byte") ? PACKBITS_LAST
                                                                        : PACKBITS_NONE;
    if (padding && !vvi_json_is_text(padding, "none") &&
        self->u.packbits.padding == PACKBITS_NONE)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'padding_encoding' must be none, first_byte or "
                        "last_byte",
                        self->name);
    return VV_OK;
}

static vv_status packbits_configure(vvi_codec *self, const vvi_json *settings,
                                    vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "padding_encoding", "first_bit", "last_bit",
                                         NULL };
    const vvi_dtype *dtype = &stage->array.dtype;
    bool boolean = dtype->kind == VVI_KIND_BOOL;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    switch (dtype->kind) {
    case VVI_KIND_BOOL:
    case VVI_KIND_INT:
    case VVI_KIND_UINT:
    case VVI_KIND_FLOAT:
    case VVI_KIND_COMPLEX:
    case VVI_KIND_TIME:
        break;
    default:
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: elements of type '%s'",
                        self->name, vv_dtype_name(dtype->code));
    }
    VVI_TRY(read_bits(self, settings, boolean ? 1 : 8 * (uint32_t)dtype->word, err));
    return read_padding(self, settings, err);
}

/* ---- bits ---------------------------------------------------------------------------------- */

static uint64_t load_word(const uint8_t *in, size_t size)
{
    switch (size) {
    case 1:
        return *in;
    case 2: {
        uint16_t v;
        memcpy(&v, in, sizeof(v));
        return v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, in, sizeof(v));
        return v;
    }
    default: {
        uint64_t v;
        memcpy(&v, in, sizeof(v));
        return v;
    }
    }
}

static void store_word(uint8_t *out, size_t size, uint64_t value)
{
    uint8_t one = (uint8_t)value;
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;

    memcpy(out,
           size == 1   ? (void *)&one
           : size == 2 ? (void *)&two
           : size == 4 ? (void *)&four
                       : (void *)&value,
           size);
}

/* Words of a chunk, two for a complex element, and the bytes and unused bits that they make. */
static uint64_t count_words(const vvi_codec *self)
{
    return self->bytes / self->dtype.word;
}

static size_t packed_bytes(const vvi_codec *self, uint8_t *unused)
{
    uint64_t bits = count_words(self) * self->u.packbits.bits;

    *unused = (uint8_t)((8 - bits % 8) % 8);
    return (size_t)((bits + 7) / 8);
}

static size_t packbits_encoded_size(const vvi_codec *self, size_t in)
{
    uint8_t unused;

    (void)in;
    return packed_bytes(self, &unused) + (self->u.packbits.padding != PACKBITS_NONE);
}

static uint64_t packbits_encoded_max(const vvi_codec *self)
{
    return self->bytes > VVI_CHUNK_BYTES_MAX ? UINT64_MAX
                                             : packbits_encoded_size(self, 0);
}

static void pack(const vvi_codec *self, const uint8_t *in, uint8_t *out)
{
    uint32_t bits = self->u.packbits.bits;
    uint64_t mask = UINT64_MAX >> (64 - bits);
    uint64_t words = count_words(self);
    uint64_t at = 0;

    for (uint64_t i = 0; i < words; i++, in += self->dtype.word) {
        uint64_t value = load_word(in, self->dtype.word);
        uint32_t left = bits;

        if (self->dtype.kind == VVI_KIND_BOOL)
            value = value != 0;
        value = value >> self->u.packbits.first & mask;
        while (left) {
            uint32_t shift = (uint32_t)(at % 8);
            uint32_t part = left < 8 - shift ? left : 8 - shift;

            out[at / 8] = (uint8_t)(out[at / 8] | (uint8_t)(value << shift));
            value = part == 64 ? 0 : value >> part;
            at += part;
            left -= part;
        }
    }
}

static void unpack(const vvi_codec *self, const uint8_t *in, uint8_t *out)
{
    uint32_t bits = self->u.packbits.bits;
    uint32_t above = 64 - bits - self->u.packbits.first;
    uint64_t words = count_words(self);
    uint64_t at = 0;
    bool is_signed = self->dtype.kind == VVI_KIND_INT;

    for (uint64_t i = 0; i < words; i++, out += self->dtype.word) {
        uint64_t value = 0;

        for (uint32_t have = 0; have < bits;) {
            uint32_t shift = (uint32_t)(at % 8);
            uint32_t part = bits - have < 8 - shift ? bits - have : 8 - shift;
            uint64_t piece = (uint64_t)(in[at / 8] >> shift) & ((1u << part) - 1);

            value |= piece << have;
            at += part;
            have += part;
        }
        value <<= self->u.packbits.first;
        if (is_signed)
            value = (uint64_t)((int64_t)(value << above) >> above);
        store_word(out, self->dtype.word, value);
    }
}

/* ---- packbits ------------------------------------------------------------------------------ */

static vv_status packbits_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                                 vv_error *err)
{
    uint8_t unused;
    size_t packed = packed_bytes(self, &unused);
    size_t in_front = self->u.packbits.padding == PACKBITS_FIRST;

    VVI_TRY(vvi_buf_reserve(out, packed + 1, err));
    memset(out->data, 0, packed + 1);
    pack(self, in.data, out->data + in_front);
    out->len = packbits_encoded_size(self, 0);
    if (self->u.packbits.padding != PACKBITS_NONE)
        out->data[in_front ? 0 : packed] = unused;
    return VV_OK;
}

static vv_status packbits_decode(const vvi_codec *self, vv_bytes in, vv_buf *owner,
                                 void *elements, vvi_heap *heap, vv_error *err)
{
    uint8_t unused;
    size_t packed = packed_bytes(self, &unused);
    size_t in_front = self->u.packbits.padding == PACKBITS_FIRST;

    (void)owner;
    (void)heap;
    if (in.len != packbits_encoded_size(self, 0))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes; a chunk has %zu",
                        self->name, in.len, packbits_encoded_size(self, 0));
    if (self->u.packbits.padding != PACKBITS_NONE &&
        in.data[in_front ? 0 : packed] != unused)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: the data says that %d bits are unused, not %d",
                        self->name, in.data[in_front ? 0 : packed], unused);
    unpack(self, in.data + in_front, elements);
    return VV_OK;
}

/* ---- numcodecs.packbits --------------------------------------------------------------------- */

static vv_status bools_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { NULL };

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (stage->array.dtype.kind != VVI_KIND_BOOL)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: elements of type '%s'", self->name,
                        vv_dtype_name(stage->array.dtype.code));
    vvi_dtype_init(VV_UINT8, &stage->array.dtype);
    stage->array.elements = self->elements / 8 + (self->elements % 8 != 0) + 1;
    stage->shape[0] = stage->array.elements;
    stage->array.ndim = 1;
    stage->array.shape = stage->shape;
    return VV_OK;
}

static vv_status bools_encode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    size_t n = (size_t)self->elements;

    (void)err;
    *to++ = (uint8_t)((8 - n % 8) % 8);
    for (size_t i = 0; i < n; i += 8) {
        size_t part = n - i < 8 ? n - i : 8;
        unsigned byte = 0;

        for (size_t k = 0; k < part; k++)
            byte |= (from[i + k] != 0) * (0x80u >> k);
        *to++ = (uint8_t)byte;
    }
    return VV_OK;
}

static vv_status bools_decode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    size_t n = (size_t)self->elements;

    if (*from != (8 - n % 8) % 8)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: the data says that %d bits are unused, not %d",
                        self->name, *from, (int)((8 - n % 8) % 8));
    from++;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i / 8] >> (7 - i % 8) & 1;
    return VV_OK;
}

const vvi_codec_ops vvi_packbits_ops = {
    .name = "packbits",
    .kind = VVI_CODEC_ARRAY_TO_BYTES,
    .configure = packbits_configure,
    .encode = packbits_encode,
    .encoded_size = packbits_encoded_size,
    .encoded_max = packbits_encoded_max,
    .decode_elements = packbits_decode,
};

const vvi_codec_ops vvi_packed_bools_ops = {
    .name = "numcodecs.packbits",
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = bools_configure,
    .encode_array = bools_encode,
    .decode_array = bools_decode,
};
