/* What the attributes of an array say of its elements: which are missing, how others are packed. */
#ifndef VVI_STATS_DECODE_H
#define VVI_STATS_DECODE_H

#include "util/error.h"

#include <varvite/stats.h>

#define VVI_MISSING_MAX 16

/* A number as the element type holds it. */
typedef union vvi_number {
    double real;  /* floating-point types, complex too */
    int64_t sint; /* bool, signed and times */
    uint64_t uint;
} vvi_number;

typedef enum vvi_number_kind {
    VVI_NUMBER_NONE, /* no type of numbers */
    VVI_NUMBER_SINT,
    VVI_NUMBER_UINT,
    VVI_NUMBER_REAL,
    VVI_NUMBER_COMPLEX /* as two reals */
} vvi_number_kind;

vvi_number_kind vvi_number_kind_of(vv_dtype dtype);

typedef struct vvi_decoding {
    vv_dtype dtype;
    vvi_number_kind kind;
    bool packed;
    double scale, offset;
    size_t missing_count; /* NaN is missing without being here */
    vvi_number missing[VVI_MISSING_MAX];
} vvi_decoding;

/* Read it from metadata. Returns VV_EUNSUPPORTED for a type that has no numbers, VV_ENOMEM;
 * attributes that say nothing sensible are passed by. */
vv_status vvi_decoding_init(vvi_decoding *decoding, const vv_array_meta *meta,
                            vv_error *err);

/* What a block of elements was found to hold besides the numbers handed out. */
typedef struct vvi_left_out {
    uint64_t missing, nan, infinite;
} vvi_left_out;

/*
 * The finite numbers among n elements, in order, as the union's member of the kind; how many.
 * Complex elements give two each, and are left out whole.
 */
size_t vvi_decode_finite(const vvi_decoding *decoding, const void *elements, size_t n,
                         vvi_number *out, vvi_left_out *left_out);

/* n elements as decoded doubles, NaN where missing. Not for complex. */
void vvi_decode_doubles(const vvi_decoding *decoding, const void *elements, size_t n,
                        double *out);

/* A number as an element of the type of the decoding. */
void vvi_number_element(const vvi_decoding *decoding, vvi_number number, void *out);
/* As a double, packed as it is. */
double vvi_number_double(const vvi_decoding *decoding, vvi_number number);

#endif
