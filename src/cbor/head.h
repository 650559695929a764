/*
 * Heads of CBOR items, for the room's own files and for codecs of one kind of block that cannot
 * wait for the general reader.
 *
 *   first byte   major type (3 bits, high) and information n (5 bits)
 *   n < 24       n is the argument
 *   n = 24 … 27  the argument follows in 1, 2, 4 or 8 bytes, big-endian
 *   n > 27       not DAG-CBOR
 *
 * The shortest form is the only one.
 */
#ifndef VVI_CBOR_HEAD_H
#define VVI_CBOR_HEAD_H

#include "util/endian.h"
#include "util/error.h"

#define VVI_CBOR_UINT  0u
#define VVI_CBOR_NINT  1u
#define VVI_CBOR_BYTES 2u
#define VVI_CBOR_TEXT  3u
#define VVI_CBOR_LIST  4u
#define VVI_CBOR_MAP   5u
#define VVI_CBOR_TAG   6u
#define VVI_CBOR_OTHER 7u

#define VVI_CBOR_FALSE 0xf4u
#define VVI_CBOR_TRUE  0xf5u
#define VVI_CBOR_NULL  0xf6u
#define VVI_CBOR_FLOAT 0xfbu /* 8 bytes, big-endian, follow */

#define VVI_CBOR_LINK_TAG 42u

#define VVI_CBOR_HEAD_MAX 9

/* Bytes that the head of an argument takes. */
static inline size_t vvi_cbor_head_len(uint64_t argument)
{
    if (argument < 24)
        return 1;
    if (argument <= UINT8_MAX)
        return 2;
    if (argument <= UINT16_MAX)
        return 3;
    return argument <= UINT32_MAX ? 5 : 9;
}

/* Write a head; out has room for VVI_CBOR_HEAD_MAX bytes. Returns the bytes written. */
static inline size_t vvi_cbor_put_head(uint8_t *out, unsigned major, uint64_t argument)
{
    uint8_t first = (uint8_t)(major << 5);

    if (argument < 24) {
        out[0] = (uint8_t)(first | argument);
        return 1;
    }
    if (argument <= UINT8_MAX) {
        out[0] = first | 24;
        out[1] = (uint8_t)argument;
        return 2;
    }
    if (argument <= UINT16_MAX) {
        out[0] = first | 25;
        vvi_put_be16(out + 1, (uint16_t)argument);
        return 3;
    }
    if (argument <= UINT32_MAX) {
        out[0] = first | 26;
        vvi_put_be32(out + 1, (uint32_t)argument);
        return 5;
    }
    out[0] = first | 27;
    vvi_put_be64(out + 1, argument);
    return 9;
}

/* Why vvi_cbor_get_head() returned 0. */
typedef enum vvi_cbor_fault {
    VVI_CBOR_CUT,     /* the input ends inside the head */
    VVI_CBOR_LONG,    /* not the shortest form */
    VVI_CBOR_RESERVED /* information 28 … 31, indefinite lengths among them */
} vvi_cbor_fault;

/*
 * Read the head of major types 0 to 6 at data, with len bytes there. Returns its length, or 0
 * with *fault set.
 */
static inline size_t vvi_cbor_get_head(const uint8_t *data, size_t len, unsigned *major,
                                       uint64_t *argument, vvi_cbor_fault *fault)
{
    uint64_t value;
    size_t used;

    *fault = VVI_CBOR_CUT;
    if (len == 0)
        return 0;
    *major = data[0] >> 5;
    value = data[0] & 31u;
    if (value < 24) {
        *argument = value;
        return 1;
    }
    if (value > 27) {
        *fault = VVI_CBOR_RESERVED;
        return 0;
    }
    used = 1 + ((size_t)1 << (value - 24));
    if (len < used)
        return 0;
    *fault = VVI_CBOR_LONG;
    switch (used) {
    case 2:
        *argument = data[1];
        return data[1] < 24 ? 0 : 2;
    case 3:
        *argument = vvi_get_be16(data + 1);
        return *argument <= UINT8_MAX ? 0 : 3;
    case 5:
        *argument = vvi_get_be32(data + 1);
        return *argument <= UINT16_MAX ? 0 : 5;
    default:
        *argument = vvi_get_be64(data + 1);
        return *argument <= UINT32_MAX ? 0 : 9;
    }
}

#endif
