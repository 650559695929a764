#include "out.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JSON_DEPTH_MAX 48

static struct {
    struct {
        char close;
        bool row;
        uint64_t count;
    } levels[JSON_DEPTH_MAX];
    unsigned depth;
} writer;

static void indent(void)
{
    out_text("\n");
    for (unsigned i = 0; i < writer.depth; i++)
        out_text("  ");
}

/* How many bytes the UTF-8 sequence at text has; 0 when it is none. */
static size_t utf8_len(const unsigned char *text)
{
    size_t n = text[0] < 0x80                       ? 1
               : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
               : text[0] >= 0xe0 && text[0] <= 0xef ? 3
               : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                    : 0;

    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

static void quoted(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    out_text("\"");
    while (*at) {
        size_t n = utf8_len(at);
        if (*at == '"' || *at == '\\')
            out_format("\\%c", *at);
        else if (*at == '\n')
            out_text("\\n");
        else if (*at < 0x20 || *at == 0x7f)
            out_format("\\u%04x", *at);
        else if (n)
            out_bytes((vv_bytes){ at, n });
        else
            out_text("\\ufffd");
        at += n ? n : 1;
    }
    out_text("\"");
}

/* Comma, line end and key in front of the next value. */
static void lead(const char *key)
{
    if (writer.depth > 0) {
        bool row = writer.levels[writer.depth - 1].row;
        if (writer.levels[writer.depth - 1].count++)
            out_text(row ? ", " : ",");
        if (!row)
            indent();
    }
    if (key) {
        quoted(key);
        out_text(": ");
    }
}

static void begin(const char *key, char open, char close, bool row)
{
    char text[2] = { open, '\0' };

    lead(key);
    out_text(text);
    if (writer.depth > 0 && writer.levels[writer.depth - 1].row)
        row = true;
    assert(writer.depth < JSON_DEPTH_MAX); /* 32 dimensions are the most that nests */
    writer.levels[writer.depth].close = close;
    writer.levels[writer.depth].row = row;
    writer.levels[writer.depth].count = 0;
    writer.depth++;
}

void json_object(const char *key)
{
    begin(key, '{', '}', false);
}

void json_list(const char *key)
{
    begin(key, '[', ']', false);
}

void json_row(const char *key)
{
    begin(key, '[', ']', true);
}

void json_end(void)
{
    writer.depth--;
    char text[2] = { writer.levels[writer.depth].close, '\0' };
    if (writer.levels[writer.depth].count && !writer.levels[writer.depth].row)
        indent();
    out_text(text);
    if (writer.depth == 0)
        out_text("\n");
}

void json_text(const char *key, const char *text)
{
    lead(key);
    if (text)
        quoted(text);
    else
        out_text("null");
}

void json_uint(const char *key, uint64_t value)
{
    lead(key);
    out_format("%" PRIu64, value);
}

void json_real(const char *key, double value)
{
    lead(key);
    out_format("%.3f", value);
}

void json_bool(const char *key, bool value)
{
    lead(key);
    out_text(value ? "true" : "false");
}

void json_cid(const char *key, const vv_cid *cid)
{
    char text[VV_CID_TEXT_MAX];

    vv_cid_format(cid, text);
    json_text(key, text);
}

void json_uints(const char *key, const uint64_t *values, size_t n)
{
    json_row(key);
    for (size_t i = 0; i < n; i++)
        json_uint(NULL, values[i]);
    json_end();
}

void json_raw(const char *key, const char *json, size_t len)
{
    lead(key);
    out_bytes((vv_bytes){ (const uint8_t *)json, len });
}
