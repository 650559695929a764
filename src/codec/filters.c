/*
 * Codecs of numcodecs that turn numbers into others: "numcodecs.delta", "numcodecs.fixedscaleoffset",
 * "numcodecs.quantize", "numcodecs.astype". They calculate as NumPy does: each step in the type of the
 * numbers, and casts that keep the low bits.
 */
#include "codec/number.h"

#include <math.h>
#include <string.h>

/* ---- settings that they share --------------------------------------------------------------- */

/* "dtype", which must be what comes in, and "astype", which goes out. */
static vv_status read_types(vvi_codec *self, const vvi_json *settings,
                            vvi_codec_stage *stage, const char *from, const char *to,
                            vv_error *err)
{
    const vvi_dtype *in = &stage->array.dtype;
    vvi_dtype named;

    if (!vvi_is_real(in) && in->kind != VVI_KIND_BOOL)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: elements of type '%s'",
                        self->name, vv_dtype_name(in->code));
    VVI_TRY(vvi_codec_numpy_type(self, settings, from, in, &named, err));
    if (named.code != in->code && !(in->kind == VVI_KIND_TIME && named.code == VV_INT64))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: '%s' is '%s', the elements are '%s'",
                        self->name, from, vv_dtype_name(named.code),
                        vv_dtype_name(in->code));
    VVI_TRY(vvi_codec_numpy_type(self, settings, to, in, &self->u.filter.out, err));
    if (in->kind == VVI_KIND_TIME && self->u.filter.out.code == VV_INT64)
        self->u.filter.out = *in;
    vvi_stage_cast(stage, &self->u.filter.out);
    return VV_OK;
}

static vv_status read_number(const vvi_codec *self, const vvi_json *settings,
                             const char *name, double *out, vv_error *err)
{
    if (!vvi_json_double(vvi_json_get(settings, name), out) || !isfinite(*out))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: '%s' must be a number", self->name,
                        name);
    return VV_OK;
}

static vv_status refuse_bool(const vvi_codec *self, vv_error *err)
{
    if (self->dtype.kind != VVI_KIND_BOOL && self->u.filter.out.kind != VVI_KIND_BOOL)
        return VV_OK;
    return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: elements of type 'bool'",
                    self->name);
}

/* ---- delta: each element less the one before it ---------------------------------------------- */

static vv_status delta_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "dtype", "astype", NULL };

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(read_types(self, settings, stage, "dtype", "astype", err));
    return refuse_bool(self, err);
}

static vv_status delta_encode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const vvi_dtype *from = &self->dtype;
    const vvi_dtype *to = &self->u.filter.out;
    size_t n = (size_t)self->elements;
    const uint8_t *at = in;
    uint8_t *put = out;
    uint8_t differences[VVI_BLOCK * 8];
    union {
        double real[VVI_BLOCK];
        uint64_t bits[VVI_BLOCK];
    } u;
    double last_real = 0;
    uint64_t last = 0;

    (void)err;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        if (from->kind == VVI_KIND_FLOAT) {
            vvi_load_doubles(from, at, part, u.real);
            double next = u.real[part - 1];
            for (size_t i = part; i-- > 1;)
                u.real[i] -= u.real[i - 1];
            u.real[0] -= last_real;
            last_real = next;
            vvi_store_doubles(from, u.real, part, differences);
        } else {
            vvi_load_integers(from, at, part, u.bits);
            uint64_t next = u.bits[part - 1];
            for (size_t i = part; i-- > 1;)
                u.bits[i] -= u.bits[i - 1];
            u.bits[0] -= last;
            last = next;
            vvi_store_integers(from, u.bits, part, differences);
        }
        vvi_cast_elements(from, to, differences, part, put);
        at += part * from->item;
        put += part * to->item;
        n -= part;
    }
    return VV_OK;
}

static vv_status delta_decode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const vvi_dtype *from = &self->u.filter.out;
    const vvi_dtype *to = &self->dtype;
    size_t n = (size_t)self->elements;
    const uint8_t *at = in;
    uint8_t *put = out;
    union {
        double real[VVI_BLOCK];
        uint64_t bits[VVI_BLOCK];
    } u;
    double sum_real = -0.0; /* which added to changes no sign */
    uint64_t sum = 0;

    (void)err;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        vvi_cast_elements(from, to, at, part, put);
        if (to->kind == VVI_KIND_FLOAT) {
            vvi_load_doubles(to, put, part, u.real);
            for (size_t i = 0; i < part; i++)
                u.real[i] = sum_real = vvi_round_to(to, sum_real + u.real[i]);
            vvi_store_doubles(to, u.real, part, put);
        } else {
            vvi_load_integers(to, put, part, u.bits);
            for (size_t i = 0; i < part; i++)
                u.bits[i] = sum += u.bits[i];
            vvi_store_integers(to, u.bits, part, put);
        }
        at += part * from->item;
        put += part * to->item;
        n -= part;
    }
    return VV_OK;
}

/* ---- fixedscaleoffset: (x − offset) · scale, rounded ------------------------------------------ */

static vv_status fixed_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "offset", "scale", "dtype", "astype", NULL };

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(read_number(self, settings, "offset", &self->u.filter.offset, err));
    VVI_TRY(read_number(self, settings, "scale", &self->u.filter.scale, err));
    if (self->u.filter.scale == 0)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'scale' is 0", self->name);
    VVI_TRY(read_types(self, settings, stage, "dtype", "astype", err));
    return refuse_bool(self, err);
}

static vv_status fixed_encode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const vvi_dtype *from = &self->dtype;
    const vvi_dtype *to = &self->u.filter.out;
    double offset = vvi_round_to(from, self->u.filter.offset);
    double scale = vvi_round_to(from, self->u.filter.scale);
    size_t n = (size_t)self->elements;
    const uint8_t *at = in;
    uint8_t *put = out;
    double block[VVI_BLOCK];

    (void)err;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        vvi_load_doubles(from, at, part, block);
        if (from->item == 8 || from->kind != VVI_KIND_FLOAT)
            for (size_t i = 0; i < part; i++)
                block[i] = rint((block[i] - offset) * scale);
        else
            for (size_t i = 0; i < part; i++)
                block[i] = rint(
                    vvi_round_to(from, vvi_round_to(from, block[i] - offset) * scale));
        vvi_store_doubles(to, block, part, put);
        at += part * from->item;
        put += part * to->item;
        n -= part;
    }
    return VV_OK;
}

static vv_status fixed_decode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    const vvi_dtype *from = &self->u.filter.out;
    const vvi_dtype *to = &self->dtype;
    double offset = vvi_round_to(from, self->u.filter.offset);
    double scale = vvi_round_to(from, self->u.filter.scale);
    size_t n = (size_t)self->elements;
    const uint8_t *at = in;
    uint8_t *put = out;
    double block[VVI_BLOCK];

    (void)err;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        vvi_load_doubles(from, at, part, block);
        if (from->item == 8 || from->kind != VVI_KIND_FLOAT)
            for (size_t i = 0; i < part; i++)
                block[i] = block[i] / scale + offset;
        else
            for (size_t i = 0; i < part; i++)
                block[i] = vvi_round_to(from,
                                        vvi_round_to(from, block[i] / scale) + offset);
        vvi_store_doubles(to, block, part, put);
        at += part * from->item;
        put += part * to->item;
        n -= part;
    }
    return VV_OK;
}

/* ---- quantize: rounded to so many decimal digits, in binary ----------------------------------- */

static vv_status quantize_configure(vvi_codec *self, const vvi_json *settings,
                                    vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "digits", "dtype", "astype", NULL };
    int64_t digits;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (!vvi_json_get(settings, "digits"))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'digits' is missing", self->name);
    VVI_TRY(vvi_codec_integer(self, settings, "digits", -300, 300, 0, &digits, err));
    VVI_TRY(read_types(self, settings, stage, "dtype", "astype", err));
    if (self->dtype.kind != VVI_KIND_FLOAT || self->u.filter.out.kind != VVI_KIND_FLOAT)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "codec %s: elements that are no floating-point numbers",
                        self->name);
    /* The least power of two that is no coarser than the digits ask for. */
    self->u.filter.scale = ldexp(1, (int)ceil(log2(pow(10, (double)digits))));
    return VV_OK;
}

static vv_status quantize_encode(const vvi_codec *self, const void *in, void *out,
                                 vv_error *err)
{
    const vvi_dtype *from = &self->dtype;
    const vvi_dtype *to = &self->u.filter.out;
    double scale = vvi_round_to(from, self->u.filter.scale);
    size_t n = (size_t)self->elements;
    const uint8_t *at = in;
    uint8_t *put = out;
    double block[VVI_BLOCK];

    (void)err;
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        vvi_load_doubles(from, at, part, block);
        for (size_t i = 0; i < part; i++)
            block[i] = vvi_round_to(from,
                                    rint(vvi_round_to(from, scale * block[i])) / scale);
        vvi_store_doubles(to, block, part, put);
        at += part * from->item;
        put += part * to->item;
        n -= part;
    }
    return VV_OK;
}

/* ---- astype: another type, no more ---------------------------------------------------------- */

static vv_status astype_configure(vvi_codec *self, const vvi_json *settings,
                                  vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "encode_dtype", "decode_dtype", NULL };

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (!vvi_json_get(settings, "encode_dtype"))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'encode_dtype' is missing",
                        self->name);
    return read_types(self, settings, stage, "decode_dtype", "encode_dtype", err);
}

static vv_status cast_out(const vvi_codec *self, const void *in, void *out, vv_error *err)
{
    (void)err;
    vvi_cast_elements(&self->dtype, &self->u.filter.out, in, (size_t)self->elements, out);
    return VV_OK;
}

static vv_status cast_back(const vvi_codec *self, const void *in, void *out,
                           vv_error *err)
{
    (void)err;
    vvi_cast_elements(&self->u.filter.out, &self->dtype, in, (size_t)self->elements, out);
    return VV_OK;
}

const vvi_codec_ops vvi_delta_ops = {
    .name = "numcodecs.delta",
    .old_names = { "delta" },
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = delta_configure,
    .encode_array = delta_encode,
    .decode_array = delta_decode,
};

const vvi_codec_ops vvi_fixedscaleoffset_ops = {
    .name = "numcodecs.fixedscaleoffset",
    .old_names = { "fixedscaleoffset" },
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = fixed_configure,
    .encode_array = fixed_encode,
    .decode_array = fixed_decode,
};

const vvi_codec_ops vvi_quantize_ops = {
    .name = "numcodecs.quantize",
    .old_names = { "quantize" },
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = quantize_configure,
    .encode_array = quantize_encode,
    .decode_array = cast_back,
};

const vvi_codec_ops vvi_astype_ops = {
    .name = "numcodecs.astype",
    .old_names = { "astype" },
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = astype_configure,
    .encode_array = cast_out,
    .decode_array = cast_back,
};
