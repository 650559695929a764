/* Floating-point numbers of 16 bits. */
#include "dtype/dtype.h"

#include <math.h>
#include <string.h>

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

/* ---- bfloat16: the upper half of a float32 ----------------------------------------------------- */

double vvi_bfloat_to_double(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float number;

    memcpy(&number, &wide, sizeof(number));
    return (double)number;
}

uint16_t vvi_bfloat_from_double(double number)
{
    uint32_t wide;
    int exponent;
    float single;

    if (isnan(number))
        return (uint16_t)(signbit(number) ? 0xFFC0 : 0x7FC0);
    if (isfinite(number) && number != 0) {
        /* Keep 8 bits of it, fewer where float32 is subnormal; then a float32 holds it exactly. */
        (void)frexp(number, &exponent);
        if (exponent < -125)
            exponent = -125;
        number = ldexp(rint(ldexp(number, 8 - exponent)), exponent - 8);
    }
    single = fabs(number) < ldexp(1, 128) ? (float)number
             : signbit(number)            ? -INFINITY
                                          : INFINITY;
    memcpy(&wide, &single, sizeof(wide));
    return (uint16_t)(wide >> 16);
}
