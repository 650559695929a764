/*
 * Codec "cast_value": numbers as another type, with a stated rounding and a stated answer to what is
 * out of range. Source: zarr-extensions, "cast_value".
 */
#include "codec/number.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <math.h>
#include <string.h>

typedef enum rounding {
    NEAREST_EVEN,
    TOWARDS_ZERO,
    TOWARDS_POSITIVE,
    TOWARDS_NEGATIVE,
    NEAREST_AWAY
} rounding;

typedef enum out_of_range {
    FAIL,
    CLAMP,
    WRAP
} out_of_range;

/* What one element stands for, whatever the rules say. */
typedef struct mapping {
    uint8_t from[8], to[8];
} mapping;

typedef struct map {
    mapping *list;
    size_t count;
} map;

typedef struct cast_state {
    vvi_dtype out;
    rounding rounding;
    out_of_range beyond;
    map encode, decode;
} cast_state;

/* From one type to another, in one of the two directions. */
typedef struct cast {
    const vvi_codec *codec;
    const vvi_dtype *from, *to;
    rounding rounding;
    out_of_range beyond;
    const map *map;
} cast;

/* ---- one number, exactly -------------------------------------------------------------------- */

/* ±digits · 2^exponent, or none of these. */
typedef struct number {
    enum {
        FINITE,
        INFINITE,
        NOT_A_NUMBER
    } kind;
    bool negative;
    uint64_t digits;
    int exponent;
} number;

static number load_number(const vvi_dtype *dtype, const uint8_t *in)
{
    number out = { FINITE, false, 0, 0 };
    double real;

    if (dtype->kind != VVI_KIND_FLOAT) {
        vvi_load_integers(dtype, in, 1, &out.digits);
        out.negative = dtype->kind == VVI_KIND_INT && (int64_t)out.digits < 0;
        if (out.negative)
            out.digits = 0 - out.digits;
        return out;
    }
    vvi_load_doubles(dtype, in, 1, &real);
    out.negative = signbit(real);
    if (isnan(real) || isinf(real)) {
        out.kind = isnan(real) ? NOT_A_NUMBER : INFINITE;
        return out;
    }
    out.digits = (uint64_t)ldexp(frexp(fabs(real), &out.exponent), 53);
    out.exponent -= 53;
    return out;
}

/* digits / 2^shift, rounded. */
static uint64_t shift_down(uint64_t digits, int shift, bool negative, rounding rule)
{
    uint64_t whole = shift > 63 ? 0 : digits >> shift;
    uint64_t rest = shift > 63 ? digits : digits & (((uint64_t)1 << shift) - 1);
    uint64_t half = shift > 64 ? UINT64_MAX : (uint64_t)1 << (shift - 1);
    /* Past 64 places whatever is left is less than half. */
    bool tie = rest == half && shift <= 64;
    bool more = rest > half && shift <= 64;

    if (rest == 0)
        return whole;
    switch (rule) {
    case NEAREST_EVEN:
        return whole + (more || (tie && whole % 2));
    case NEAREST_AWAY:
        return whole + (more || tie);
    case TOWARDS_POSITIVE:
        return whole + !negative;
    case TOWARDS_NEGATIVE:
        return whole + negative;
    default:
        return whole;
    }
}

/* False: refused. */
static bool store_integer(const cast *self, number in, uint8_t *out)
{
    bool is_signed = self->to->kind == VVI_KIND_INT;
    uint32_t bits = 8 * (uint32_t)self->to->item;
    uint64_t most = UINT64_MAX >> (64 - bits + is_signed);
    uint64_t least = is_signed ? most + 1 : 0; /* how far below 0 */
    bool far = false;
    uint64_t value;

    if (in.kind != FINITE)
        return false;
    if (in.exponent < 0) {
        in.digits = shift_down(in.digits, -in.exponent, in.negative, self->rounding);
    } else if (in.digits && in.exponent) {
        far = in.exponent > 63 || in.digits >> (64 - in.exponent);
        in.digits = in.exponent > 63 ? 0 : in.digits << in.exponent;
    }
    if (far || in.digits > (in.negative ? least : most)) {
        if (self->beyond == FAIL)
            return false;
        if (self->beyond == CLAMP)
            in.digits = in.negative ? least : most;
    }
    value = in.negative ? 0 - in.digits : in.digits;
    vvi_store_integers(self->to, &value, 1, out);
    return true;
}

static void store_bits(const vvi_dtype *dtype, uint64_t bits, uint8_t *out)
{
    vvi_dtype as_integer = *dtype;

    as_integer.kind = VVI_KIND_UINT;
    vvi_store_integers(&as_integer, &bits, 1, out);
}

/* A type of `precision` bits of fraction, its hidden one among them, and exponents up to `top`. */
static bool store_float(const cast *self, number in, uint8_t *out)
{
    size_t item = self->to->item;
    bool brain = self->to->code == VV_BFLOAT16;
    int precision = brain ? 8 : item == 2 ? 11 : item == 4 ? 24 : 53;
    int top = brain || item == 4 ? 127 : item == 2 ? 15 : 1023;
    uint64_t sign = (uint64_t)in.negative << (8 * item - 1);
    uint64_t infinity = (uint64_t)(2 * top + 1) << (precision - 1);
    int unit; /* exponent of the last bit of fraction */

    if (in.kind == NOT_A_NUMBER) {
        store_bits(self->to, infinity | (uint64_t)1 << (precision - 2), out);
        return true;
    }
    if (in.kind == INFINITE) {
        store_bits(self->to, sign | infinity, out);
        return true;
    }
    if (in.digits == 0) {
        store_bits(self->to, sign, out);
        return true;
    }
    unit = in.exponent + 64 - __builtin_clzll(in.digits) - precision;
    if (unit < 2 - top - precision)
        unit = 2 - top - precision;
    if (unit > in.exponent)
        in.digits = shift_down(in.digits, unit - in.exponent, in.negative,
                               self->rounding);
    else
        in.digits <<= in.exponent - unit;
    if (in.digits >> precision) {
        in.digits >>= 1;
        unit++;
    }
    if (in.digits >> (precision - 1) && unit + precision - 1 > top) {
        if (self->beyond == FAIL)
            return false;
        store_bits(self->to, sign | infinity, out);
        return true;
    }
    /* With the hidden bit the exponent is one more than that of the smallest numbers, 0. */
    in.digits += (uint64_t)(unit + precision - 2 + top) << (precision - 1);
    store_bits(self->to, sign | in.digits, out);
    return true;
}

/* ---- all elements ---------------------------------------------------------------------------- */

/* Numerically the same, or both not numbers. */
static bool matches(const vvi_dtype *dtype, const uint8_t *a, const uint8_t *b)
{
    double x;
    double y;

    if (dtype->kind != VVI_KIND_FLOAT)
        return memcmp(a, b, dtype->item) == 0;
    vvi_load_doubles(dtype, a, 1, &x);
    vvi_load_doubles(dtype, b, 1, &y);
    return x == y || (isnan(x) && isnan(y));
}

static bool cast_one(const cast *self, const uint8_t *in, uint8_t *out)
{
    number value;

    for (size_t i = 0; i < self->map->count; i++)
        if (matches(self->from, self->map->list[i].from, in)) {
            memcpy(out, self->map->list[i].to, self->to->item);
            return true;
        }
    value = load_number(self->from, in);
    return self->to->kind == VVI_KIND_FLOAT ? store_float(self, value, out)
                                            : store_integer(self, value, out);
}

static double round_by(rounding rule, double value)
{
    switch (rule) {
    case NEAREST_EVEN:
        return rint(value);
    case TOWARDS_ZERO:
        return trunc(value);
    case TOWARDS_POSITIVE:
        return ceil(value);
    case TOWARDS_NEGATIVE:
        return floor(value);
    default:
        return round(value);
    }
}

/* The largest number of a floating-point type. */
static double largest(const vvi_dtype *dtype)
{
    if (dtype->item == 8)
        return (double)INFINITY;
    if (dtype->item == 4)
        return 0x1.fffffep127;
    return dtype->code == VV_BFLOAT16 ? 0x1.fep127 : 65504;
}

/*
 * A block by way of double, where every number of it is one exactly and none needs the rules for what
 * is out of range; false where that is not so, or is not known.
 */
static bool cast_block(const cast *self, const uint8_t *in, size_t n, uint8_t *out)
{
    double block[VVI_BLOCK];
    bool good = true;

    if (self->map->count || (self->from->kind != VVI_KIND_FLOAT && self->from->item > 4))
        return false;
    if (self->to->kind == VVI_KIND_FLOAT) {
        double end = largest(self->to);

        if (self->rounding != NEAREST_EVEN)
            return false;
        vvi_load_doubles(self->from, in, n, block);
        for (size_t i = 0; i < n; i++)
            good &= !(fabs(block[i]) > end);
    } else {
        int bits = 8 * (int)self->to->item;
        bool is_signed = self->to->kind == VVI_KIND_INT;
        double end = ldexp(1, bits - is_signed);
        double begin = is_signed ? -end : 0;

        vvi_load_doubles(self->from, in, n, block);
        if (self->from->kind == VVI_KIND_FLOAT)
            for (size_t i = 0; i < n; i++)
                block[i] = round_by(self->rounding, block[i]);
        for (size_t i = 0; i < n; i++)
            good &= block[i] >= begin && block[i] < end;
    }
    if (good)
        vvi_store_doubles(self->to, block, n, out);
    return good;
}

static vv_status cast_all(const cast *self, size_t n, const uint8_t *in, uint8_t *out,
                          vv_status failure, vv_error *err)
{
    size_t from = self->from->item;
    size_t to = self->to->item;

    for (size_t done = 0; done < n; done += VVI_BLOCK) {
        size_t part = n - done < VVI_BLOCK ? n - done : VVI_BLOCK;

        if (cast_block(self, in + done * from, part, out + done * to))
            continue;
        for (size_t i = done; i < done + part; i++)
            if (!cast_one(self, in + i * from, out + i * to))
                return vvi_fail(err, failure,
                                "codec %s: element %zu is nothing that %s holds",
                                self->codec->name, i, vv_dtype_name(self->to->code));
    }
    return VV_OK;
}

/* "wrap" is for integers alone; where the other type is none, what does not fit it is refused. */
static out_of_range rule_for(const cast_state *state, const vvi_dtype *to)
{
    return state->beyond == WRAP && to->kind == VVI_KIND_FLOAT ? FAIL : state->beyond;
}

static vv_status cast_encode(const vvi_codec *self, const void *in, void *out,
                             vv_error *err)
{
    const cast_state *state = self->state;
    cast there = { self,
                   &self->dtype,
                   &state->out,
                   state->rounding,
                   rule_for(state, &state->out),
                   &state->encode };

    return cast_all(&there, (size_t)self->elements, in, out, VV_EINVAL, err);
}

static vv_status cast_decode(const vvi_codec *self, const void *in, void *out,
                             vv_error *err)
{
    const cast_state *state = self->state;
    cast back = { self,
                  &state->out,
                  &self->dtype,
                  state->rounding,
                  rule_for(state, &self->dtype),
                  &state->decode };

    return cast_all(&back, (size_t)self->elements, in, out, VV_ECORRUPT, err);
}

/* ---- settings ------------------------------------------------------------------------------ */

/* The number of the name that a setting has; where it is missing, 0. */
static vv_status read_choice(const vvi_codec *self, const vvi_json *settings,
                             const char *setting, const char *const *names, int *out,
                             vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, setting);
    int i = 0;

    *out = 0;
    if (!value)
        return VV_OK;
    while (names[i] && !vvi_json_is_text(value, names[i]))
        i++;
    if (!names[i])
        return vvi_fail(err, VV_ECORRUPT, "codec %s: '%s' is none of those there are",
                        self->name, setting);
    *out = i;
    return VV_OK;
}

/* One number in the form of a fill value; a plus before Infinity is let pass. */
static vv_status read_scalar(const vvi_dtype *dtype, const vvi_json *value, uint8_t *out,
                             vv_error *err)
{
    vvi_json *plain = NULL;
    vv_buf element = VV_BUF_INIT;
    vv_status status;

    if (vvi_json_is_text(value, "+Infinity")) {
        plain = vvi_json_new_text("Infinity");
        if (!plain)
            return vvi_fail_nomem(err, 0);
    }
    status = vvi_fill_read(dtype, plain ? plain : value, &element, err);
    if (!status)
        memcpy(out, element.data, dtype->item);
    vv_buf_clear(&element);
    vvi_json_free(plain);
    return status;
}

static vv_status read_pair(const vvi_json *pair, const vvi_dtype *from,
                           const vvi_dtype *to, mapping *out, vv_error *err)
{
    const vvi_json *first = vvi_json_first(pair);

    if (!vvi_json_is(pair, VVI_JSON_ARRAY) || vvi_json_count(pair) != 2)
        return vvi_fail(err, VV_ECORRUPT, "an entry that is no pair");
    VVI_TRY(read_scalar(from, first, out->from, err));
    return read_scalar(to, vvi_json_next(first), out->to, err);
}

static vv_status read_map(const vvi_codec *self, const vvi_json *maps, const char *name,
                          const vvi_dtype *from, const vvi_dtype *to, map *out,
                          vv_error *err)
{
    const vvi_json *list = vvi_json_get(maps, name);
    size_t count = vvi_json_count(list);

    if (!list)
        return VV_OK;
    if (!vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: scalar_map's '%s' is no list",
                        self->name, name);
    if (count == 0)
        return VV_OK;
    out->list = vvi_alloc_array(count, sizeof(*out->list));
    if (!out->list)
        return vvi_fail_nomem(err, count * sizeof(*out->list));
    for (const vvi_json *pair = vvi_json_first(list); pair; pair = vvi_json_next(pair)) {
        vv_status status = read_pair(pair, from, to, &out->list[out->count++], err);

        if (status)
            return vvi_wrap(err, status, "codec %s: scalar_map's '%s'", self->name, name);
    }
    return VV_OK;
}

static vv_status read_maps(const vvi_codec *self, const vvi_json *settings,
                           cast_state *state, vv_error *err)
{
    static const char *const known[] = { "encode", "decode", NULL };
    const vvi_json *maps = vvi_json_get(settings, "scalar_map");

    if (!maps || vvi_json_is(maps, VVI_JSON_NULL))
        return VV_OK;
    if (!vvi_json_is(maps, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'scalar_map' is no object",
                        self->name);
    VVI_TRY(vvi_codec_known(self, maps, known, err));
    VVI_TRY(
        read_map(self, maps, "encode", &self->dtype, &state->out, &state->encode, err));
    return read_map(self, maps, "decode", &state->out, &self->dtype, &state->decode, err);
}

/* The fill value goes along, and must come back as it was. */
static vv_status cast_fill(const vvi_codec *self, vvi_codec_stage *stage, vv_error *err)
{
    vvi_codec one = *self;
    uint8_t fill[16];
    uint8_t back[16];

    if (!stage->array.fill)
        return VV_OK;
    one.elements = 1;
    memcpy(fill, stage->array.fill, self->dtype.item);
    if (cast_encode(&one, fill, stage->fill, err) ||
        cast_decode(&one, stage->fill, back, err))
        return vvi_wrap(err, VV_ECORRUPT, "the fill value");
    if (!matches(&self->dtype, fill, back))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: the fill value does not come back as it was",
                        self->name);
    stage->array.fill = stage->fill;
    return VV_OK;
}

static vv_status cast_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "data_type", "rounding", "out_of_range",
                                         "scalar_map", NULL };
    static const char *const roundings[] = { "nearest-even",     "towards-zero",
                                             "towards-positive", "towards-negative",
                                             "nearest-away",     NULL };
    static const char *const ranges[] = { "", "clamp", "wrap", NULL };
    cast_state *state = vvi_alloc_zero(sizeof(*state));
    vv_status status;
    int choice;

    self->state = state;
    if (!state)
        return vvi_fail_nomem(err, sizeof(*state));
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    status = vvi_dtype_read(vvi_json_get(settings, "data_type"), &state->out, err);
    if (status)
        return vvi_wrap(err, status, "codec %s", self->name);
    if (!vvi_is_real(&self->dtype) || self->dtype.kind == VVI_KIND_TIME ||
        !vvi_is_real(&state->out) || state->out.kind == VVI_KIND_TIME)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: from '%s' to '%s'", self->name,
                        vv_dtype_name(self->dtype.code), vv_dtype_name(state->out.code));
    VVI_TRY(read_choice(self, settings, "rounding", roundings, &choice, err));
    state->rounding = (rounding)choice;
    VVI_TRY(read_choice(self, settings, "out_of_range", ranges, &choice, err));
    state->beyond = (out_of_range)choice;
    if (state->beyond == WRAP && state->out.kind == VVI_KIND_FLOAT)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'out_of_range' is \"wrap\" for a type of no integers",
                        self->name);
    VVI_TRY(read_maps(self, settings, state, err));
    VVI_TRY(cast_fill(self, stage, err));
    stage->array.dtype = state->out;
    return VV_OK;
}

static void cast_clear(vvi_codec *self)
{
    cast_state *state = self->state;

    if (!state)
        return;
    vvi_free(state->encode.list);
    vvi_free(state->decode.list);
    vvi_free(state);
}

const vvi_codec_ops vvi_cast_value_ops = {
    .name = "cast_value",
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = cast_configure,
    .clear = cast_clear,
    .encode_array = cast_encode,
    .decode_array = cast_decode,
};
