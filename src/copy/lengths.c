#include "copy/lengths.h"

#include <string.h>

static vv_status bad_part(vv_error *err, const char *what, const char *text, size_t len)
{
    return vvi_fail(err, VV_EINVAL,
                    "%s '%.*s': write name=length or name=all, or a length for each "
                    "dimension, with commas between",
                    what, (int)(len < 80 ? len : 80), text);
}

/* "12" or "all". */
static bool parse_length(const char *text, size_t len, uint64_t *out)
{
    uint64_t length = 0;

    *out = UINT64_MAX;
    if (len == 3 && memcmp(text, "all", 3) == 0)
        return true;
    if (len == 0 || len > 18)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(text[i] - '0');
    }
    *out = length;
    return length > 0;
}

vv_status vvi_lengths_parse(const char *text, const char *what, vvi_lengths *out,
                            vv_error *err)
{
    memset(out, 0, sizeof(*out));
    while (text && *text) {
        size_t len = strcspn(text, ",");
        const char *equals = memchr(text, '=', len);
        const char *digits = equals ? equals + 1 : text;

        if (out->count == VVI_LENGTHS_MAX)
            return vvi_fail(err, VV_EINVAL, "%s for more than %d dimensions", what,
                            VVI_LENGTHS_MAX);
        if (equals == text || (out->count && out->by_place != !equals) ||
            !parse_length(digits, len - (size_t)(digits - text),
                          &out->items[out->count].length))
            return bad_part(err, what, text, len);
        out->by_place = !equals;
        out->items[out->count].name = equals ? text : NULL;
        out->items[out->count++].len = equals ? (size_t)(equals - text) : 0;
        text += len;
        text += *text == ',';
    }
    return VV_OK;
}

bool vvi_lengths_find(vvi_lengths *lengths, const char *name, uint32_t d, uint32_t ndim,
                      uint64_t *out)
{
    bool found = false;

    if (lengths->by_place) {
        if (lengths->count != ndim)
            return false;
        lengths->items[d].used = true;
        *out = lengths->items[d].length;
        return true;
    }
    for (size_t i = 0; i < lengths->count && name; i++)
        if (strlen(name) == lengths->items[i].len &&
            memcmp(name, lengths->items[i].name, lengths->items[i].len) == 0) {
            lengths->items[i].used = true;
            *out = lengths->items[i].length;
            found = true;
        }
    return found;
}

vv_status vvi_lengths_check_used(const vvi_lengths *lengths, const char *what,
                                 vv_error *err)
{
    for (size_t i = 0; i < lengths->count; i++) {
        if (lengths->items[i].used)
            continue;
        if (lengths->by_place)
            return vvi_fail(err, VV_EINVAL, "%s: no array has %zu dimensions", what,
                            lengths->count);
        return vvi_fail(err, VV_EINVAL, "%s: no array has a dimension '%.*s'", what,
                        (int)lengths->items[i].len, lengths->items[i].name);
    }
    return VV_OK;
}
