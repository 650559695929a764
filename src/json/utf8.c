/* UTF-8, a character at a time. */
#include "json/json.h"

uint32_t vvi_utf8_next(const char **text)
{
    const uint8_t *at = (const uint8_t *)*text;
    int more = *at < 0x80 ? 0 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
    uint32_t point = more ? *at & (0x3Fu >> more) : *at;

    for (int i = 1; i <= more; i++)
        point = point << 6 | (at[i] & 0x3F);
    *text += 1 + more;
    return point;
}

size_t vvi_utf8_put(uint32_t point, char out[4])
{
    int more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;

    if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
        return 0;
    for (int i = more; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)(more ? (0xFF00u >> (more + 1) & 0xFF) | point : point);
    return (size_t)more + 1;
}
