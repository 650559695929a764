#include "cbor/utf8.h"

#include "util/endian.h"

/* Bytes of the character at p, of which left bytes are there; 0 when it is not well-formed. */
static size_t character(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80; /* what the second byte may be */
    uint8_t high = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t vvi_utf8_span(vv_bytes bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        size_t n;

        /* Most text is ASCII: eight bytes at a time. */
        if (bytes.len - at >= 8 &&
            (vvi_get_le64(bytes.data + at) & UINT64_C(0x8080808080808080)) == 0) {
            at += 8;
            continue;
        }
        n = character(bytes.data + at, bytes.len - at);
        if (n == 0)
            return at;
        at += n;
    }
    return at;
}
