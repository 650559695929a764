/* Multibase on memory of a known size. */
#ifndef VVI_MULTIFORMATS_MULTIBASE_H
#define VVI_MULTIFORMATS_MULTIBASE_H

#include <varvite/cid.h>

#include "util/error.h"

typedef struct vvi_base {
    char prefix;
    uint8_t bits;  /* a character; 0: the bytes are one big number */
    uint8_t group; /* "=" fills up to a multiple of so many characters; 0: no filling */
    bool fold;     /* letters are read in either case */
    const char *name;
    const char *alphabet;
} vvi_base;

/* NULL when no such base is known. */
const vvi_base *vvi_base_find(char prefix);
/* The value of a character, or -1. */
int vvi_base_digit(const vvi_base *base, uint8_t character);

/* Upper bounds of what encoding and decoding give, without prefix and terminator. */
size_t vvi_base_text_max(const vvi_base *base, size_t data_len);
size_t vvi_base_data_max(const vvi_base *base, size_t text_len);

/* Characters written to out, which has room for vvi_base_text_max(). */
size_t vvi_base_encode(const vvi_base *base, vv_bytes data, char *out);
/* text without its prefix; out has room for vvi_base_data_max(). VV_EINVAL */
vv_status vvi_base_decode(const vvi_base *base, vv_bytes text, uint8_t *out, size_t *len,
                          vv_error *err);

/* The two families. */
size_t vvi_bits_encode(const vvi_base *base, vv_bytes data, char *out);
vv_status vvi_bits_decode(const vvi_base *base, vv_bytes text, uint8_t *out, size_t *len,
                          vv_error *err);
size_t vvi_number_encode(const vvi_base *base, vv_bytes data, char *out);
vv_status vvi_number_decode(const vvi_base *base, vv_bytes text, uint8_t *out,
                            size_t *len, vv_error *err);

/* "multibase base32: no character '!' (at 7)" */
vv_status vvi_fail_digit(vv_error *err, const vvi_base *base, vv_bytes text, size_t at);

#endif
