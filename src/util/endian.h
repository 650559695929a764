/* Integers in bytes of a stated order, at any alignment. */
#ifndef VVI_UTIL_ENDIAN_H
#define VVI_UTIL_ENDIAN_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VVI_LE(bits_, x_) (x_)
#define VVI_BE(bits_, x_) __builtin_bswap##bits_(x_)
#else
#define VVI_LE(bits_, x_) __builtin_bswap##bits_(x_)
#define VVI_BE(bits_, x_) (x_)
#endif

#define VVI_ENDIAN_PAIR(bits_)                                       \
    static inline uint##bits_##_t vvi_get_le##bits_(const void *p)   \
    {                                                                \
        uint##bits_##_t x;                                           \
        memcpy(&x, p, sizeof(x));                                    \
        return VVI_LE(bits_, x);                                     \
    }                                                                \
    static inline uint##bits_##_t vvi_get_be##bits_(const void *p)   \
    {                                                                \
        uint##bits_##_t x;                                           \
        memcpy(&x, p, sizeof(x));                                    \
        return VVI_BE(bits_, x);                                     \
    }                                                                \
    static inline void vvi_put_le##bits_(void *p, uint##bits_##_t x) \
    {                                                                \
        x = VVI_LE(bits_, x);                                        \
        memcpy(p, &x, sizeof(x));                                    \
    }                                                                \
    static inline void vvi_put_be##bits_(void *p, uint##bits_##_t x) \
    {                                                                \
        x = VVI_BE(bits_, x);                                        \
        memcpy(p, &x, sizeof(x));                                    \
    }

VVI_ENDIAN_PAIR(16)
VVI_ENDIAN_PAIR(32)
VVI_ENDIAN_PAIR(64)

#endif
