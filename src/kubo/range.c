/* Ranges of blocks: what is asked for, and whether that is what came. RFC 9110, section 14. */
#include "kubo/kubo.h"

#include "util/buf.h"

#include <stdio.h>
#include <string.h>

bool vvi_kubo_range_header(vv_range range, char out[64])
{
    switch (range.kind) {
    case VV_RANGE_FROM:
        snprintf(out, 64, "bytes=%" PRIu64 "-", range.offset);
        return true;
    case VV_RANGE_SPAN:
        if (range.length > UINT64_MAX - range.offset) /* past any end */
            snprintf(out, 64, "bytes=%" PRIu64 "-", range.offset);
        else
            snprintf(out, 64, "bytes=%" PRIu64 "-%" PRIu64, range.offset,
                     range.offset + range.length - 1);
        return true;
    case VV_RANGE_LAST:
        snprintf(out, 64, "bytes=-%" PRIu64, range.length);
        return true;
    case VV_RANGE_WHOLE:
        break;
    }
    return false;
}

bool vvi_kubo_range_is_empty(vv_range range)
{
    return (range.kind == VV_RANGE_SPAN || range.kind == VV_RANGE_LAST) &&
           range.length == 0;
}

static bool read_number(const char **at, uint64_t *out)
{
    const char *digit = *at;

    if (*digit < '0' || *digit > '9')
        return false;
    *out = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (uint64_t)(*digit - '0'), out))
            return false;
    *at = digit;
    return true;
}

static bool skip(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

/* "bytes a-b/N", in lower case, and nothing else. */
static bool read_content_range(const char *text, uint64_t *first, uint64_t *last,
                               uint64_t *size)
{
    if (strncmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return read_number(&text, first) && skip(&text, '-') && read_number(&text, last) &&
           skip(&text, '/') && read_number(&text, size) && !*text;
}

/* "bytes * / N" of an answer 416, without the blanks. */
static bool read_size(const char *text, uint64_t *size)
{
    if (strncmp(text, "bytes */", 8) != 0)
        return false;
    text += 8;
    return read_number(&text, size) && !*text;
}

static bool is_what_was_asked(vv_range range, const char *content_range,
                              uint64_t body_len)
{
    uint64_t first;
    uint64_t last;
    uint64_t size;
    uint64_t offset;
    uint64_t count;

    if (!content_range || !read_content_range(content_range, &first, &last, &size) ||
        last < first || last - first + 1 != body_len)
        return false;
    vvi_range_resolve(range, size, &offset, &count);
    return first == offset && body_len == count;
}

/* Did the server say that the part lies behind the end? */
static bool is_past_the_end(vv_range range, const char *content_range)
{
    uint64_t size;

    if (!content_range || !read_size(content_range, &size))
        return false;
    return range.kind == VV_RANGE_LAST ? size == 0 : range.offset >= size;
}

vv_status vvi_kubo_check_range(vv_range range, uint32_t http_status,
                               const char *content_range, vv_buf *body, vv_error *err)
{
    bool is_part = range.kind != VV_RANGE_WHOLE;

    if (is_part && http_status == 200)
        return vvi_buf_cut(body, range, err);
    if (is_part && http_status == 206) {
        if (is_what_was_asked(range, content_range, body->len))
            return VV_OK;
        return vvi_fail(err, VV_EIO,
                        "another range came than was asked for (Content-Range: %s)",
                        content_range ? content_range : "none");
    }
    if (is_part && http_status == 416 && is_past_the_end(range, content_range)) {
        vv_buf_clear(body);
        return VV_OK;
    }
    if (!is_part && http_status == 206)
        return vvi_fail(err, VV_EIO, "a part came where the whole was asked for");
    if (!is_part && http_status >= 200 && http_status < 300)
        return VV_OK;
    return vvi_fail(err, VV_EIO, "status %u", http_status);
}
