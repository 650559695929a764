/* One number out of memory, in native byte order and at any address. */
#include "dtype/dtype.h"

#include <string.h>

double vvi_float_load(vv_dtype type, const void *in)
{
    double number;
    float single;
    uint16_t half;

    if (type == VV_FLOAT16 || type == VV_BFLOAT16) {
        memcpy(&half, in, sizeof(half));
        return type == VV_FLOAT16 ? vvi_half_to_double(half) : vvi_bfloat_to_double(half);
    }
    if (type == VV_FLOAT32) {
        memcpy(&single, in, sizeof(single));
        return (double)single;
    }
    memcpy(&number, in, sizeof(number));
    return number;
}

uint64_t vvi_integer_load(vv_dtype type, const void *in)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } u;

    memcpy(&u, in, vv_dtype_size(type));
    switch (type) {
    case VV_INT8:
        return (uint64_t)u.i8;
    case VV_INT16:
        return (uint64_t)u.i16;
    case VV_INT32:
        return (uint64_t)u.i32;
    case VV_BOOL:
    case VV_UINT8:
        return u.u8;
    case VV_UINT16:
        return u.u16;
    case VV_UINT32:
        return u.u32;
    default:
        return u.u64;
    }
}
