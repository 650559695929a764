/* Bases of a power of two: each character stands for so many bits, the first for the highest. */
#include "multiformats/multibase.h"

size_t vvi_bits_encode(const vvi_base *base, vv_bytes data, char *out)
{
    uint32_t mask = (1u << base->bits) - 1;
    uint32_t held = 0; /* bits not written yet, the lowest `count` of them */
    unsigned count = 0;
    size_t n = 0;

    for (size_t i = 0; i < data.len; i++) {
        held = held << 8 | data.data[i];
        for (count += 8; count >= base->bits; n++) {
            count -= base->bits;
            out[n] = base->alphabet[held >> count & mask];
        }
        held &= (1u << count) - 1;
    }
    if (count)
        out[n++] = base->alphabet[held << (base->bits - count) & mask];
    while (base->group && n % base->group)
        out[n++] = '=';
    return n;
}

/* Characters of text in front of its filling; SIZE_MAX when a filling base has a wrong one. */
static size_t without_filling(const vvi_base *base, vv_bytes text)
{
    size_t n = text.len;

    while (n && text.data[n - 1] == '=')
        n--;
    if (base->group && (text.len % base->group || text.len - n >= base->group))
        return SIZE_MAX;
    return n;
}

vv_status vvi_bits_decode(const vvi_base *base, vv_bytes text, uint8_t *out, size_t *len,
                          vv_error *err)
{
    size_t end = without_filling(base, text);
    uint32_t held = 0;
    unsigned count = 0;
    size_t n = 0;

    if (end == SIZE_MAX)
        return vvi_fail(err, VV_EINVAL, "multibase %s: wrong filling at the end",
                        base->name);
    for (size_t i = 0; i < end; i++) {
        int digit = vvi_base_digit(base, text.data[i]);

        if (digit < 0)
            return vvi_fail_digit(err, base, text, i);
        held = held << base->bits | (uint32_t)digit;
        count += base->bits;
        if (count >= 8) {
            count -= 8;
            out[n++] = (uint8_t)(held >> count);
        }
        held &= (1u << count) - 1;
    }
    if (count >= base->bits || held)
        return vvi_fail(err, VV_EINVAL,
                        "multibase %s: %zu characters are no whole number of bytes",
                        base->name, end);
    *len = n;
    return VV_OK;
}
