/* Element types, from inside. */
#ifndef VVI_ZARR_DTYPE_H
#define VVI_ZARR_DTYPE_H

#include <varvite/zarr.h>

#include "json/json.h"

#define VVI_ITEM_MAX 16

typedef enum vvi_dtype_kind {
    VVI_KIND_BOOL,
    VVI_KIND_INT,
    VVI_KIND_UINT,
    VVI_KIND_FLOAT,
    VVI_KIND_COMPLEX
} vvi_dtype_kind;

/* The dtype must be one. */
vvi_dtype_kind vvi_dtype_kind_of(vv_dtype dtype);
/* Bytes that a byte order turns round: half of a complex element. */
size_t vvi_dtype_word(vv_dtype dtype);

/* float16 ↔ double; to float16 rounds to nearest, ties to even, and past the end to infinity. */
double vvi_half_to_double(uint16_t bits);
uint16_t vvi_half_from_double(double number);

/*
 * A fill value as metadata states it ↔ one element in native byte order. Reading: VV_ECORRUPT when
 * the value is none of that type. Writing keeps every bit: a NaN that is not the usual one becomes
 * its hexadecimal form. Source: Zarr v3 core, "Fill value".
 */
vv_status vvi_fill_read(vv_dtype dtype, const vvi_json *value, void *out, vv_error *err);
vv_status vvi_fill_write(vv_dtype dtype, const void *element, vvi_json **out,
                         vv_error *err);

#endif
