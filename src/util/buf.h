/* Buffers: vv_bytes and vv_buf, from inside. */
#ifndef VVI_UTIL_BUF_H
#define VVI_UTIL_BUF_H

#include "util/error.h"

static inline vv_bytes vvi_bytes(const void *data, size_t len)
{
    return (vv_bytes){ (const uint8_t *)data, len };
}

static inline vv_bytes vvi_buf_bytes(const vv_buf *buf)
{
    return (vv_bytes){ buf->data, buf->len };
}

bool vvi_bytes_equal(vv_bytes a, vv_bytes b);
/* memcmp order, the shorter first where one begins the other. */
int vvi_bytes_cmp(vv_bytes a, vv_bytes b);
bool vvi_bytes_start_with(vv_bytes bytes, vv_bytes prefix);

/* The part of len bytes that a range means; always within them. */
void vvi_range_resolve(vv_range range, uint64_t len, uint64_t *offset, uint64_t *count);

/* Room for more bytes behind len; a buffer with a release callback is copied first. */
vv_status vvi_buf_reserve(vv_buf *buf, size_t more, vv_error *err);
vv_status vvi_buf_append(vv_buf *buf, vv_bytes bytes, vv_error *err);
vv_status vvi_buf_append_text(vv_buf *buf, const char *text, vv_error *err);
vv_status vvi_buf_append_byte(vv_buf *buf, uint8_t byte, vv_error *err);
vv_status vvi_buf_printf(vv_buf *buf, vv_error *err, const char *format, ...)
    VVI_PRINTF(3, 4);
/* Put a zero byte behind len without counting it. */
vv_status vvi_buf_terminate(vv_buf *buf, vv_error *err);

/* Replace what buf holds with a copy of bytes; unchanged on failure. */
vv_status vvi_buf_set(vv_buf *buf, vv_bytes bytes, vv_error *err);
/* Replace what buf holds with other, which becomes empty. */
void vvi_buf_move(vv_buf *buf, vv_buf *other);
/* Replace what buf holds with borrowed data and the callback that ends the loan. */
void vvi_buf_lend(vv_buf *buf, const uint8_t *data, size_t len, void (*release)(void *),
                  void *owner);
/* Cut buf to a part of itself. Borrowed data is not copied. */
vv_status vvi_buf_cut(vv_buf *buf, vv_range range, vv_error *err);

#endif
