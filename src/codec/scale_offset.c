/*
 * Codec "scale_offset": (x − offset) · scale, in the arithmetic of the elements' type, and back. What
 * that type does not hold is an error. Source: zarr-extensions, "scale_offset".
 */
#include "codec/number.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

typedef struct scale_state {
    double offset, scale;           /* of floating-point types */
    uint64_t int_offset, int_scale; /* bits of integers, extended by their sign */
} scale_state;

/* ---- integers ------------------------------------------------------------------------------ */

/* Does a 64-bit result fit the type? */
static bool fits(const vvi_dtype *dtype, uint64_t bits)
{
    uint32_t unused = 64 - 8 * (uint32_t)dtype->item;

    if (dtype->kind == VVI_KIND_UINT)
        return bits <= UINT64_MAX >> unused;
    return (uint64_t)((int64_t)(bits << unused) >> unused) == bits;
}

#define STEP(kind_, name_, a_, b_)                                           \
    (kind_ == VVI_KIND_UINT ? !__builtin_##name_##_overflow((a_), (b_), out) \
                            : !__builtin_##name_##_overflow(                 \
                                  (int64_t)(a_), (int64_t)(b_), (int64_t *)(void *)out))

static bool subtract(const vvi_dtype *dtype, uint64_t a, uint64_t b, uint64_t *out)
{
    return STEP(dtype->kind, sub, a, b) && fits(dtype, *out);
}

static bool add(const vvi_dtype *dtype, uint64_t a, uint64_t b, uint64_t *out)
{
    return STEP(dtype->kind, add, a, b) && fits(dtype, *out);
}

static bool multiply(const vvi_dtype *dtype, uint64_t a, uint64_t b, uint64_t *out)
{
    return STEP(dtype->kind, mul, a, b) && fits(dtype, *out);
}

/* Exact, or not at all. b is not 0. */
static bool divide(const vvi_dtype *dtype, uint64_t a, uint64_t b, uint64_t *out)
{
    if (dtype->kind == VVI_KIND_UINT) {
        *out = a / b;
        return a % b == 0;
    }
    if ((int64_t)b == -1)
        return subtract(dtype, 0, a, out);
    *out = (uint64_t)((int64_t)a / (int64_t)b);
    return (int64_t)a % (int64_t)b == 0;
}

static vv_status turn_integers(const vvi_codec *self, const uint8_t *in, uint8_t *out,
                               bool decode, vv_error *err)
{
    const scale_state *state = self->state;
    const vvi_dtype *dtype = &self->dtype;
    size_t n = (size_t)self->elements;
    uint64_t block[VVI_BLOCK];

    for (size_t done = 0; done < n; done += VVI_BLOCK) {
        size_t part = n - done < VVI_BLOCK ? n - done : VVI_BLOCK;

        vvi_load_integers(dtype, in + done * dtype->item, part, block);
        for (size_t i = 0; i < part; i++) {
            uint64_t step;
            bool good = decode ? divide(dtype, block[i], state->int_scale, &step) &&
                                     add(dtype, step, state->int_offset, &block[i])
                               : subtract(dtype, block[i], state->int_offset, &step) &&
                                     multiply(dtype, step, state->int_scale, &block[i]);

            if (!good)
                return vvi_fail(err, decode ? VV_ECORRUPT : VV_EINVAL,
                                "codec %s: element %zu becomes what %s does not hold",
                                self->name, done + i, vv_dtype_name(dtype->code));
        }
        vvi_store_integers(dtype, block, part, out + done * dtype->item);
    }
    return VV_OK;
}

/* ---- floating-point numbers ------------------------------------------------------------------ */

static void turn_floats(const vvi_codec *self, const uint8_t *in, uint8_t *out,
                        bool decode)
{
    const scale_state *state = self->state;
    const vvi_dtype *dtype = &self->dtype;
    size_t n = (size_t)self->elements;
    double block[VVI_BLOCK];

    for (size_t done = 0; done < n; done += VVI_BLOCK) {
        size_t part = n - done < VVI_BLOCK ? n - done : VVI_BLOCK;

        vvi_load_doubles(dtype, in + done * dtype->item, part, block);
        if (decode)
            for (size_t i = 0; i < part; i++)
                block[i] = vvi_round_to(dtype, block[i] / state->scale) + state->offset;
        else
            for (size_t i = 0; i < part; i++)
                block[i] = vvi_round_to(dtype, block[i] - state->offset) * state->scale;
        vvi_store_doubles(dtype, block, part, out + done * dtype->item);
    }
}

/* ---- the codec ------------------------------------------------------------------------------ */

static vv_status scale_encode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    if (self->dtype.kind != VVI_KIND_FLOAT)
        return turn_integers(self, in, out, false, err);
    turn_floats(self, in, out, false);
    return VV_OK;
}

static vv_status scale_decode(const vvi_codec *self, const void *in, void *out,
                              vv_error *err)
{
    if (self->dtype.kind != VVI_KIND_FLOAT)
        return turn_integers(self, in, out, true, err);
    turn_floats(self, in, out, true);
    return VV_OK;
}

/* A setting in the form of a fill value of the elements' type. */
static vv_status read_scalar(const vvi_codec *self, const vvi_json *settings,
                             const char *name, double *real, uint64_t *integer,
                             vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, name);
    vv_buf element = VV_BUF_INIT;
    vv_status status;

    if (!value)
        return VV_OK;
    status = vvi_fill_read(&self->dtype, value, &element, err);
    if (status)
        return vvi_wrap(err, status, "codec %s: '%s'", self->name, name);
    if (self->dtype.kind == VVI_KIND_FLOAT)
        vvi_load_doubles(&self->dtype, element.data, 1, real);
    else
        vvi_load_integers(&self->dtype, element.data, 1, integer);
    vv_buf_clear(&element);
    return VV_OK;
}

static vv_status scale_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "offset", "scale", NULL };
    scale_state *state = vvi_alloc_zero(sizeof(*state));
    vvi_codec one;
    uint8_t fill[16];

    self->state = state;
    if (!state)
        return vvi_fail_nomem(err, sizeof(*state));
    state->scale = 1;
    state->int_scale = 1;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (!vvi_is_real(&self->dtype) || self->dtype.kind == VVI_KIND_TIME)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: elements of type '%s'",
                        self->name, vv_dtype_name(self->dtype.code));
    VVI_TRY(
        read_scalar(self, settings, "offset", &state->offset, &state->int_offset, err));
    VVI_TRY(read_scalar(self, settings, "scale", &state->scale, &state->int_scale, err));
    if (state->int_scale == 0)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'scale' is 0", self->name);
    if (!stage->array.fill)
        return VV_OK;
    one = *self;
    one.elements = 1;
    memcpy(fill, stage->array.fill, self->dtype.item);
    if (scale_encode(&one, fill, stage->fill, err))
        return vvi_wrap(err, VV_ECORRUPT, "the fill value");
    stage->array.fill = stage->fill;
    return VV_OK;
}

static void scale_clear(vvi_codec *self)
{
    vvi_free(self->state);
}

static bool scale_is_identity(const vvi_codec *self)
{
    const scale_state *state = self->state;

    return state->offset == 0 && state->scale == 1 && state->int_offset == 0 &&
           state->int_scale == 1;
}

const vvi_codec_ops vvi_scale_offset_ops = {
    .name = "scale_offset",
    .kind = VVI_CODEC_ARRAY_TO_ARRAY,
    .configure = scale_configure,
    .clear = scale_clear,
    .is_identity = scale_is_identity,
    .encode_array = scale_encode,
    .decode_array = scale_decode,
};
