/* Element types: one table. */
#include "zarr/dtype.h"

#include <math.h>
#include <string.h>

typedef struct dtype_row {
    const char *name;
    uint8_t size;
    uint8_t word;
    uint8_t kind;
} dtype_row;

static const dtype_row rows[] = {
    [VV_BOOL] = { "bool", 1, 1, VVI_KIND_BOOL },
    [VV_INT8] = { "int8", 1, 1, VVI_KIND_INT },
    [VV_INT16] = { "int16", 2, 2, VVI_KIND_INT },
    [VV_INT32] = { "int32", 4, 4, VVI_KIND_INT },
    [VV_INT64] = { "int64", 8, 8, VVI_KIND_INT },
    [VV_UINT8] = { "uint8", 1, 1, VVI_KIND_UINT },
    [VV_UINT16] = { "uint16", 2, 2, VVI_KIND_UINT },
    [VV_UINT32] = { "uint32", 4, 4, VVI_KIND_UINT },
    [VV_UINT64] = { "uint64", 8, 8, VVI_KIND_UINT },
    [VV_FLOAT16] = { "float16", 2, 2, VVI_KIND_FLOAT },
    [VV_FLOAT32] = { "float32", 4, 4, VVI_KIND_FLOAT },
    [VV_FLOAT64] = { "float64", 8, 8, VVI_KIND_FLOAT },
    [VV_COMPLEX64] = { "complex64", 8, 4, VVI_KIND_COMPLEX },
    [VV_COMPLEX128] = { "complex128", 16, 8, VVI_KIND_COMPLEX },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const dtype_row *row_of(vv_dtype dtype)
{
    return (int)dtype > 0 && (size_t)dtype < ROW_COUNT ? &rows[dtype] : NULL;
}

size_t vv_dtype_size(vv_dtype dtype)
{
    const dtype_row *row = row_of(dtype);

    return row ? row->size : 0;
}

const char *vv_dtype_name(vv_dtype dtype)
{
    const dtype_row *row = row_of(dtype);

    return row ? row->name : NULL;
}

vv_dtype vv_dtype_by_name(const char *name)
{
    for (size_t i = 1; name && i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (vv_dtype)i;
    return VV_DTYPE_NONE;
}

vvi_dtype_kind vvi_dtype_kind_of(vv_dtype dtype)
{
    return (vvi_dtype_kind)rows[dtype].kind;
}

size_t vvi_dtype_word(vv_dtype dtype)
{
    return rows[dtype].word;
}

/* ---- float16: a sign, 5 bits of exponent (bias 15), 10 of fraction --------------------------- */

double vvi_half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    double number;

    if (exponent == 0x1F)
        number = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        number = ldexp(fraction, -24);
    else
        number = ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -number : number;
}

uint16_t vvi_half_from_double(double number)
{
    uint16_t sign = signbit(number) ? 0x8000 : 0;
    double size = fabs(number);
    int exponent;
    int fraction;

    if (isnan(number))
        return (uint16_t)(sign | 0x7E00);
    if (size >= 65520) /* halfway from the largest to the next */
        return (uint16_t)(sign | 0x7C00);
    if (size < ldexp(1, -14)) /* subnormal; 1024 of them make the smallest normal one */
        return (uint16_t)(sign | (int)rint(ldexp(size, 24)));
    (void)frexp(size, &exponent);
    exponent--;
    fraction = (int)rint(ldexp(size, 10 - exponent));
    /* A fraction that rounds up to 2048 carries into the exponent, as it should. */
    return (uint16_t)(sign | (((exponent + 15) << 10) + fraction - 1024));
}
