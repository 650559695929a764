/* Messages that say what elements are and how many: data types and data spaces. */
#include "h5/inner.h"

#include "grid/grid.h"
#include "util/buf.h"

#include <string.h>

#define TYPE_DEPTH_MAX 8

/* ---- types --------------------------------------------------------------------------------- */

typedef struct type_head {
    uint8_t class, version;
    uint32_t bits; /* 24 of them */
    uint32_t size;
} type_head;

static void other(vvi_h5_type *out, size_t size)
{
    *out = (vvi_h5_type){ .kind = VVI_H5_OTHER, .item = size };
}

static void number(vvi_h5_type *out, vv_dtype code)
{
    out->kind = VVI_H5_NUMBER;
    (void)vvi_dtype_init(code, &out->dtype);
}

static void read_integer(vvi_h5_cursor *in, const type_head *head, vvi_h5_type *out)
{
    static const vv_dtype types[2][9] = {
        { [1] = VV_UINT8, [2] = VV_UINT16, [4] = VV_UINT32, [8] = VV_UINT64 },
        { [1] = VV_INT8, [2] = VV_INT16, [4] = VV_INT32, [8] = VV_INT64 },
    };
    uint64_t offset = vvi_h5_number(in, 2);
    uint64_t precision = vvi_h5_number(in, 2);
    bool is_signed = head->bits & 8;

    if (offset || precision != 8 * (uint64_t)head->size || head->size > 8 ||
        !types[is_signed][head->size])
        return;
    number(out, types[is_signed][head->size]);
    out->big_endian = head->bits & 1;
    out->is_signed = is_signed;
}

static void read_float(vvi_h5_cursor *in, const type_head *head, vvi_h5_type *out)
{
    /* Where the exponent and the fraction stand, how long they are, and the bias. */
    static const struct {
        vv_dtype dtype;
        uint8_t size, exponent_at, exponent_bits, fraction_bits;
        uint32_t bias;
    } forms[] = { { VV_FLOAT16, 2, 10, 5, 10, 15 },
                  { VV_BFLOAT16, 2, 7, 8, 7, 127 },
                  { VV_FLOAT32, 4, 23, 8, 23, 127 },
                  { VV_FLOAT64, 8, 52, 11, 52, 1023 } };
    uint64_t offset = vvi_h5_number(in, 2);
    uint64_t precision = vvi_h5_number(in, 2);
    uint64_t exponent_at = vvi_h5_number(in, 1);
    uint64_t exponent_bits = vvi_h5_number(in, 1);
    uint64_t fraction_at = vvi_h5_number(in, 1);
    uint64_t fraction_bits = vvi_h5_number(in, 1);
    uint64_t bias = vvi_h5_number(in, 4);

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (head->size == forms[i].size && offset == 0 &&
            precision == 8 * (uint64_t)head->size &&
            exponent_at == forms[i].exponent_at &&
            exponent_bits == forms[i].exponent_bits && fraction_at == 0 &&
            fraction_bits == forms[i].fraction_bits && bias == forms[i].bias &&
            !(head->bits & 0x40)) {
            number(out, forms[i].dtype);
            out->big_endian = head->bits & 1;
        }
}

/* A name, terminated; up to version 2 filled to a multiple of eight bytes. */
static vv_bytes read_name(vvi_h5_cursor *in, uint8_t version)
{
    const uint8_t *from = in->at;
    const uint8_t *end = memchr(from, '\0', (size_t)(in->end - in->at));
    size_t len = end ? (size_t)(end - from) : 0;

    if (!end)
        in->short_of = true;
    else
        vvi_h5_take(in, version < 3 ? (len + 8) / 8 * 8 : len + 1);
    return vvi_bytes(from, len);
}

static vv_status read_type(vvi_h5_cursor *in, unsigned depth, vvi_h5_type *out,
                           vv_error *err);

/* Complex numbers are compounds of a real part "r" and an imaginary one "i". */
static vv_status read_compound(vvi_h5_cursor *in, const type_head *head, unsigned depth,
                               vvi_h5_type *out, vv_error *err)
{
    uint32_t members = head->bits & 0xFFFF;
    bool complex = members == 2;
    vvi_h5_type part = { .kind = VVI_H5_OTHER };

    for (uint32_t i = 0; i < members && !in->short_of; i++) {
        vv_bytes name = read_name(in, head->version);
        uint64_t offset = vvi_h5_number(in,
                                        head->version < 3 ? 4 : vvi_h5_width(head->size));
        vvi_h5_type member;

        if (head->version == 1)
            vvi_h5_take(in, 28);
        VVI_TRY(read_type(in, depth + 1, &member, err));
        complex = complex && name.len == 1 && name.data[0] == "ri"[i] &&
                  member.kind == VVI_H5_NUMBER && member.dtype.kind == VVI_KIND_FLOAT &&
                  member.item >= 4 && offset == i * member.item &&
                  head->size == 2 * member.item &&
                  (i == 0 ||
                   (member.item == part.item && member.big_endian == part.big_endian));
        part = member;
    }
    if (complex) {
        number(out, part.item == 4 ? VV_COMPLEX64 : VV_COMPLEX128);
        out->big_endian = part.big_endian;
    }
    return VV_OK;
}

/* A bool is an enumeration of one byte, FALSE and TRUE. */
static vv_status read_enum(vvi_h5_cursor *in, const type_head *head, unsigned depth,
                           vvi_h5_type *out, vv_error *err)
{
    uint32_t members = head->bits & 0xFFFF;
    bool boolean = members == 2;
    vvi_h5_type base;

    VVI_TRY(read_type(in, depth + 1, &base, err));
    for (uint32_t i = 0; i < members && !in->short_of; i++) {
        vv_bytes name = read_name(in, head->version);

        boolean = boolean && vvi_bytes_equal(name, vv_bytes_of(i ? "TRUE" : "FALSE"));
    }
    for (uint32_t i = 0; i < members && !in->short_of; i++) {
        const uint8_t *value = vvi_h5_take(in, base.item);

        boolean = boolean && value && base.item == 1 && *value == i;
    }
    *out = base;
    if (boolean)
        number(out, VV_BOOL);
    return VV_OK;
}

static vv_status read_variable(vvi_h5_cursor *in, const type_head *head, unsigned depth,
                               vvi_h5_type *out, vv_error *err)
{
    vvi_h5_type base;

    VVI_TRY(read_type(in, depth + 1, &base, err));
    if ((head->bits & 0xF) == 1 && head->size == 16)
        out->kind = VVI_H5_VARIABLE_TEXT;
    return VV_OK;
}

static vv_status read_class(vvi_h5_cursor *in, const type_head *head, unsigned depth,
                            vvi_h5_type *out, vv_error *err)
{
    switch (head->class) {
    case 0:
        read_integer(in, head, out);
        return VV_OK;
    case 1:
        read_float(in, head, out);
        return VV_OK;
    case 3:
        out->kind = VVI_H5_FIXED_TEXT;
        return VV_OK;
    case 5:
        vvi_h5_take(in, head->bits & 0xFF);
        out->kind = VVI_H5_OPAQUE;
        out->dtype = (vvi_dtype){
            .code = VV_RAW, .kind = VVI_KIND_RAW, .item = head->size, .word = 1
        };
        return VV_OK;
    case 6:
        return read_compound(in, head, depth, out, err);
    case 8:
        return read_enum(in, head, depth, out, err);
    case 9:
        return read_variable(in, head, depth, out, err);
    default:
        return VV_OK;
    }
}

static vv_status read_type(vvi_h5_cursor *in, unsigned depth, vvi_h5_type *out,
                           vv_error *err)
{
    type_head head;
    uint64_t first = vvi_h5_number(in, 1);

    head.class = first & 0xF;
    head.version = (uint8_t)(first >> 4);
    head.bits = (uint32_t)vvi_h5_number(in, 3);
    head.size = (uint32_t)vvi_h5_number(in, 4);
    other(out, head.size);
    if (in->short_of || head.size == 0)
        return vvi_fail(err, VV_ECORRUPT,
                        "a data type that is cut short, or of no length");
    if (depth > TYPE_DEPTH_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "data types nested deeper than %d",
                        TYPE_DEPTH_MAX);
    VVI_TRY(read_class(in, &head, depth, out, err));
    if (in->short_of)
        return vvi_fail(err, VV_ECORRUPT, "a data type that is cut short");
    return VV_OK;
}

vv_status vvi_h5_type_read(vvi_h5_cursor *cursor, vvi_h5_type *out, vv_error *err)
{
    return read_type(cursor, 0, out, err);
}

/* ---- spaces -------------------------------------------------------------------------------- */

vv_status vvi_h5_space_read(vvi_h5_cursor *in, vvi_h5_space *out, vv_error *err)
{
    uint64_t version = vvi_h5_number(in, 1);
    uint64_t rank = vvi_h5_number(in, 1);
    uint64_t flags = vvi_h5_number(in, 1);
    uint64_t kind = rank ? 1 : 0;

    memset(out, 0, sizeof(*out));
    if (version == 1)
        vvi_h5_take(in, 5);
    else if (version == 2)
        kind = vvi_h5_number(in, 1);
    else
        return vvi_fail(err, VV_EUNSUPPORTED, "a data space of version %" PRIu64,
                        version);
    if (rank > VVI_H5_RANK_MAX)
        return vvi_fail(err, VV_ECORRUPT, "a data space of %" PRIu64 " dimensions", rank);
    out->rank = (uint32_t)rank;
    out->is_null = kind == 2;
    for (uint64_t i = 0; i < rank; i++)
        out->dims[i] = out->max[i] = vvi_h5_number(in, 8);
    for (uint64_t i = 0; flags & 1 && i < rank; i++)
        out->max[i] = vvi_h5_number(in, 8);
    if (in->short_of)
        return vvi_fail(err, VV_ECORRUPT, "a data space that is cut short");
    return VV_OK;
}

vv_status vvi_h5_space_count(const vvi_h5_space *space, uint64_t *out, vv_error *err)
{
    *out = 0;
    return space->is_null ? VV_OK : vvi_product(space->rank, space->dims, out, err);
}
