/*
 * Element types of arrays.
 *
 * Source: the Zarr v3 core specification, "Data types", and the registered extensions. Threads: any.
 */
#ifndef VARVITE_DTYPE_H
#define VARVITE_DTYPE_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Element types. The names are Zarr's: "bool", "int8", … "complex128". */
typedef enum vv_dtype {
    VV_DTYPE_NONE = 0,
    VV_BOOL,
    VV_INT8,
    VV_INT16,
    VV_INT32,
    VV_INT64,
    VV_UINT8,
    VV_UINT16,
    VV_UINT32,
    VV_UINT64,
    VV_FLOAT16,
    VV_FLOAT32,
    VV_FLOAT64,
    VV_COMPLEX64,
    VV_COMPLEX128,
    VV_BFLOAT16,
    /* With parameters: how many bytes an element has is said beside the type. */
    VV_RAW,                   /* r8, r16, …: bits without a meaning */
    VV_FIXED_UTF32,           /* text of a fixed number of code points, 4 bytes each, zeros behind */
    VV_NULL_TERMINATED_BYTES, /* bytes of a fixed length, zeros behind */
    VV_DATETIME64,            /* int64 counts of a time unit since 1970-01-01; its least is NaT */
    VV_TIMEDELTA64,           /* int64 counts of a time unit */
    /* Of any length each: an element is a vv_bytes. */
    VV_STRING, /* UTF-8 */
    VV_BYTES
} vv_dtype;

/** Bytes that an element has in memory; 0 for none, and for those whose length is a parameter. */
VV_API size_t vv_dtype_size(vv_dtype dtype);
VV_API const char *vv_dtype_name(vv_dtype dtype); /* NULL for none */
VV_API vv_dtype vv_dtype_by_name(const char *name);
/** Is an element a vv_bytes, of any length? */
VV_API bool vv_dtype_is_variable(vv_dtype dtype);

/** One element of a type without parameters (for all of them: vv_array_element_format()) as text ("1.5", "2.0", "NaN", "true", "1.0-2.5j"), with
 *  as few digits as read back equal; a floating-point number always shows that it is one. @return
 *  bytes needed without the end, as snprintf */
VV_API size_t vv_element_format(vv_dtype dtype, const void *element, char *out,
                                size_t cap);

#ifdef __cplusplus
}
#endif
#endif
