#include "metrics/text.h"

#include "util/buf.h"
#include "json/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(vvi_text *text, const void *data, size_t len)
{
    if (!text->status)
        text->status = vvi_buf_append(&text->out, vvi_bytes(data, len), text->err);
}

void vvi_text_put(vvi_text *text, const char *format, ...)
{
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    append(text, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

void vvi_text_number(vvi_text *text, double number)
{
    char digits[VVI_DOUBLE_TEXT];

    if (fabs(number) < 9007199254740992.0 && number == floor(number))
        vvi_text_put(text, "%lld", (long long)number);
    else
        append(text, digits, vvi_double_format(number, digits));
}

void vvi_text_item(vvi_text *text, const char *name)
{
    if (!text->is_first)
        append(text, ", ", 2);
    text->is_first = false;
    if (!name)
        return;
    vvi_text_string(text, vv_bytes_of(name));
    append(text, ": ", 2);
}

void vvi_text_open(vvi_text *text, char bracket)
{
    append(text, &bracket, 1);
    text->is_first = true;
}

void vvi_text_close(vvi_text *text, char bracket)
{
    append(text, &bracket, 1);
    text->is_first = false;
}

void vvi_text_string(vvi_text *text, vv_bytes bytes)
{
    vv_buf repaired = VV_BUF_INIT;

    for (size_t i = 0; !text->status && !vvi_is_utf8(bytes) && i < bytes.len; i++)
        text->status = bytes.data[i] < 0x80
                           ? vvi_buf_append_byte(&repaired, bytes.data[i], text->err)
                           : vvi_buf_append_text(&repaired, "\xef\xbf\xbd", text->err);
    if (!text->status)
        text->status = vvi_json_write_string(
            repaired.len ? vvi_buf_bytes(&repaired) : bytes, &text->out, text->err);
    vv_buf_clear(&repaired);
}

void vvi_text_member(vvi_text *text, const char *name, const char *value)
{
    vvi_text_item(text, name);
    vvi_text_string(text, vv_bytes_of(value));
}

vv_status vvi_text_end(vvi_text *text, vv_buf *out)
{
    vv_status status = text->status;

    if (!status)
        vvi_buf_move(out, &text->out);
    vv_buf_clear(&text->out);
    return status;
}
