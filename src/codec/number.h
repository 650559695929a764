/*
 * Elements of numeric types, a block at a time, as double or as 64-bit integers: what codecs that
 * calculate work with. Elements may lie at any alignment.
 */
#ifndef VVI_CODEC_NUMBER_H
#define VVI_CODEC_NUMBER_H

#include "codec/ops.h"

/* Elements that are turned at once, in buffers on the stack. */
#define VVI_BLOCK 512

/* An integer of 1 to 8 bytes, or a time, which is one. */
bool vvi_is_integer(const vvi_dtype *dtype);
/* An integer or a floating-point number. */
bool vvi_is_real(const vvi_dtype *dtype);

/* Every real number but those of 64-bit integers is a double exactly. */
void vvi_load_doubles(const vvi_dtype *dtype, const uint8_t *in, size_t n, double *out);
/* As NumPy casts: towards zero and round the end of the range; what is no number becomes the least
 * int64, of which the low bits are stored. */
void vvi_store_doubles(const vvi_dtype *dtype, const double *in, size_t n, uint8_t *out);
/* The bits of integers, extended by their sign; storing keeps the low ones. Of bool: 0 and 1. */
void vvi_load_integers(const vvi_dtype *dtype, const uint8_t *in, size_t n,
                       uint64_t *out);
void vvi_store_integers(const vvi_dtype *dtype, const uint64_t *in, size_t n,
                        uint8_t *out);
/* n elements of one type as another, as NumPy casts. */
void vvi_cast_elements(const vvi_dtype *from, const vvi_dtype *to, const uint8_t *in,
                       size_t n, uint8_t *out);

/* What arithmetic in a type makes of an exact result; of integers: what double makes of it. */
double vvi_round_to(const vvi_dtype *dtype, double number);

/*
 * A setting that names a type as NumPy does: "<f4", "|u1", "float32"; otherwise where it is missing
 * or null. The byte order is passed by: elements in memory have the machine's.
 */
vv_status vvi_codec_numpy_type(const vvi_codec *self, const vvi_json *settings,
                               const char *name, const vvi_dtype *otherwise,
                               vvi_dtype *out, vv_error *err);
/* A type as NumPy writes it, little-endian: "<f4"; NULL for types without one. */
const char *vvi_numpy_name(const vvi_dtype *dtype);

/* Let the stage go on with elements of another type, and its fill value cast. */
void vvi_stage_cast(vvi_codec_stage *stage, const vvi_dtype *dtype);

#endif
