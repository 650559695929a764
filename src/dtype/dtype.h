/*
 * Element types, from inside.
 *
 * Elements of variable length (VV_STRING, VV_BYTES) are vv_bytes in memory, which point into
 * memory that a vvi_heap keeps. They go through grids and copies of boxes as any element does.
 */
#ifndef VVI_DTYPE_DTYPE_H
#define VVI_DTYPE_DTYPE_H

#include <varvite/dtype.h>

#include "util/error.h"
#include "util/thread.h"
#include "json/json.h"

typedef enum vvi_dtype_kind {
    VVI_KIND_BOOL,
    VVI_KIND_INT,
    VVI_KIND_UINT,
    VVI_KIND_FLOAT,
    VVI_KIND_COMPLEX,
    VVI_KIND_RAW,
    VVI_KIND_TEXT, /* fixed: UTF-32 or bytes, zeros behind */
    VVI_KIND_TIME,
    VVI_KIND_VARIABLE
} vvi_dtype_kind;

/* Units of VV_DATETIME64 and VV_TIMEDELTA64, as NumPy names them. */
typedef enum vvi_time_unit {
    VVI_TIME_GENERIC,
    VVI_TIME_YEAR,
    VVI_TIME_MONTH,
    VVI_TIME_WEEK,
    VVI_TIME_DAY,
    VVI_TIME_HOUR,
    VVI_TIME_MINUTE,
    VVI_TIME_SECOND,
    VVI_TIME_MS,
    VVI_TIME_US,
    VVI_TIME_NS,
    VVI_TIME_PS,
    VVI_TIME_FS,
    VVI_TIME_AS
} vvi_time_unit;

/* A longer element of a fixed length is refused: metadata makes us hold one at once. */
#define VVI_ITEM_BYTES_MAX (16 << 20)
#define VVI_TIME_NAT       INT64_MIN

/* A type with its parameters; a plain value. */
typedef struct vvi_dtype {
    vv_dtype code;
    vvi_dtype_kind kind;
    size_t item; /* bytes of an element in memory */
    size_t
        word; /* bytes that a byte order turns round: half of a complex element; 1: none */
    vvi_time_unit unit;
    uint32_t scale; /* of the unit; 0 for types without one */
} vvi_dtype;

/* A type without parameters. False: it needs some. */
bool vvi_dtype_init(vv_dtype code, vvi_dtype *out);
/* With them: item is bytes of an element for those of a fixed length, unit NULL or a NumPy name.
 * Returns VV_EINVAL. */
vv_status vvi_dtype_make(vv_dtype code, size_t item, const char *unit, uint32_t scale,
                         vvi_dtype *out, vv_error *err);
const char *vvi_time_unit_name(vvi_time_unit unit);
/* NumPy's names; false for others and NULL. */
bool vvi_time_unit_by_name(const char *name, vvi_time_unit *out);

/* The member "data_type" of array metadata. Returns VV_EUNSUPPORTED (by name), VV_ECORRUPT. */
vv_status vvi_dtype_read(const vvi_json *value, vvi_dtype *out, vv_error *err);
vv_status vvi_dtype_write(const vvi_dtype *dtype, vvi_json **out, vv_error *err);

/* float16 ↔ double; to float16 rounds to nearest, ties to even, and past the end to infinity. */
double vvi_half_to_double(uint16_t bits);
uint16_t vvi_half_from_double(double number);
/* The same for bfloat16. */
double vvi_bfloat_to_double(uint16_t bits);
uint16_t vvi_bfloat_from_double(double number);

/* A floating-point element of any type, as a double. */
double vvi_float_load(vv_dtype type, const void *in);
/* An integer, a bool or a time as 64 bits, those with a sign with it: (int64_t) of it is its value. */
uint64_t vvi_integer_load(vv_dtype type, const void *in);

/* A count of VV_DATETIME64 or VV_TIMEDELTA64 as ISO 8601: "2020-02-29T12:00:00.125", "-P3D", "NaT";
 * units not named and counts that no calendar holds as numbers. Returns its length. */
#define VVI_TIME_TEXT 64
size_t vvi_time_format(const vvi_dtype *dtype, int64_t count, char out[VVI_TIME_TEXT]);

/* One element as text; see vv_array_element_format(). */
size_t vvi_element_format(const vvi_dtype *dtype, const void *element, char *out,
                          size_t cap);

/*
 * A fill value as metadata states it ↔ one element in native byte order, which stands at the
 * beginning of the buffer; what an element of variable length points at stands behind it. Reading:
 * VV_ECORRUPT when the value is none of that type. Writing keeps every bit: a NaN that is not the
 * usual one becomes its hexadecimal form. Source: Zarr v3 core, "Fill value".
 */
vv_status vvi_fill_read(const vvi_dtype *dtype, const vvi_json *value, vv_buf *out,
                        vv_error *err);
vv_status vvi_fill_write(const vvi_dtype *dtype, const void *element, vvi_json **out,
                         vv_error *err);
/* Are n elements all the same as *element, bit for bit (of variable length: byte for byte)? */
bool vvi_elements_equal(const vvi_dtype *dtype, const void *elements, size_t n,
                        const void *element);

/* Memory that elements of variable length point into. Threads: any. */
typedef struct vvi_heap {
    vvi_mutex lock;
    vv_buf *blocks; /* guarded by lock */
    size_t count, cap;
} vvi_heap;

vv_status vvi_heap_init(vvi_heap *heap, vv_error *err);
void vvi_heap_clear(vvi_heap *heap);
/* Take over what buf holds; what points into it stays good until the heap is cleared. On failure
 * buf keeps it. */
vv_status vvi_heap_keep(vvi_heap *heap, vv_buf *buf, vv_error *err);

#endif
