/*
 * Bases in which the bytes are one big number, written without leading zeros; each leading zero
 * byte is one zero digit in front. Time grows with the square of the length, so callers bound it.
 */
#include "multiformats/multibase.h"

#include <string.h>

static size_t count_leading(const uint8_t *data, size_t len, uint8_t value)
{
    size_t n = 0;

    while (n < len && data[n] == value)
        n++;
    return n;
}

/* digits (lowest first, *count of them) = digits × 256^bytes + carry */
static void push_bytes(uint8_t *digits, size_t *count, unsigned radix, unsigned bytes,
                       uint64_t carry)
{
    for (size_t i = 0; i < *count || carry; i++) {
        if (i == *count) {
            digits[i] = 0;
            ++*count;
        }
        carry += (uint64_t)digits[i] << (8 * bytes);
        digits[i] = (uint8_t)(carry % radix);
        carry /= radix;
    }
}

size_t vvi_number_encode(const vvi_base *base, vv_bytes data, char *out)
{
    unsigned radix = (unsigned)strlen(base->alphabet);
    size_t zeros = count_leading(data.data, data.len, 0);
    uint8_t *digits = (uint8_t *)out + zeros;
    size_t count = 0;

    /* Seven bytes at a time: a digit below 64, seven bytes up, stays below 2^62. */
    for (size_t i = zeros; i < data.len;) {
        unsigned n = data.len - i < 7 ? (unsigned)(data.len - i) : 7;
        uint64_t chunk = 0;

        for (unsigned k = 0; k < n; k++)
            chunk = chunk << 8 | data.data[i + k];
        push_bytes(digits, &count, radix, n, chunk);
        i += n;
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint8_t low = digits[i];

        digits[i] = digits[count - 1 - i];
        digits[count - 1 - i] = low;
    }
    memset(out, base->alphabet[0], zeros);
    for (size_t i = 0; i < count; i++)
        out[zeros + i] = base->alphabet[digits[i]];
    return zeros + count;
}

/* bytes (lowest first, *count of them) = bytes × by + carry */
static void push_digits(uint8_t *bytes, size_t *count, uint64_t by, uint64_t carry)
{
    for (size_t i = 0; i < *count || carry; i++) {
        if (i == *count) {
            bytes[i] = 0;
            ++*count;
        }
        carry += bytes[i] * by;
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

vv_status vvi_number_decode(const vvi_base *base, vv_bytes text, uint8_t *out,
                            size_t *len, vv_error *err)
{
    unsigned radix = (unsigned)strlen(base->alphabet);
    size_t zeros = count_leading(text.data, text.len, (uint8_t)base->alphabet[0]);
    uint8_t *bytes = out + zeros;
    size_t count = 0;

    for (size_t i = zeros; i < text.len;) {
        uint64_t chunk = 0;
        uint64_t by = 1;

        /* Eight digits at a time: 58^8 × 255 and what is carried stay below 2^63. */
        for (unsigned k = 0; k < 8 && i < text.len; k++, i++) {
            int digit = vvi_base_digit(base, text.data[i]);

            if (digit < 0)
                return vvi_fail_digit(err, base, text, i);
            chunk = chunk * radix + (unsigned)digit;
            by *= radix;
        }
        push_digits(bytes, &count, by, chunk);
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint8_t low = bytes[i];

        bytes[i] = bytes[count - 1 - i];
        bytes[count - 1 - i] = low;
    }
    memset(out, 0, zeros);
    *len = zeros + count;
    return VV_OK;
}
