/* JSON text to a tree: RFC 8259, and the three names that Python writes for special floats. */
#include "json/tree.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

typedef struct parser {
    vv_bytes text;
    size_t at;
    vvi_json *root;
    vvi_json *container; /* that the next value goes into; NULL: none is open */
    size_t depth;
    vv_buf scratch; /* a string without its escapes */
    vv_error *err;
} parser;

static vv_status refuse(const parser *self, const char *what)
{
    size_t line = 1;

    for (size_t i = 0; i < self->at && i < self->text.len; i++)
        line += self->text.data[i] == '\n';
    return vvi_fail(self->err, VV_ECORRUPT, "JSON line %zu (byte %zu): %s", line,
                    self->at, what);
}

static int peek(const parser *self)
{
    return self->at < self->text.len ? self->text.data[self->at] : -1;
}

static void skip_space(parser *self)
{
    int c = peek(self);

    while (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        self->at++;
        c = peek(self);
    }
}

static bool take_word(parser *self, const char *word)
{
    size_t len = strlen(word);

    if (self->text.len - self->at < len ||
        memcmp(self->text.data + self->at, word, len) != 0)
        return false;
    self->at += len;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------- */

static vv_status take_hex4(parser *self, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(self);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return refuse(self, "\\u needs four hexadecimal digits");
        *out = *out * 16 + (uint32_t)digit;
        self->at++;
    }
    return VV_OK;
}

static vv_status append_code_point(parser *self, uint32_t c)
{
    uint8_t out[4];
    size_t n = 0;

    if (c < 0x80) {
        out[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        out[n++] = (uint8_t)(0xC0 | c >> 6);
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out[n++] = (uint8_t)(0xE0 | c >> 12);
        out[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        out[n++] = (uint8_t)(0xF0 | c >> 18);
        out[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    }
    return vvi_buf_append(&self->scratch, vvi_bytes(out, n), self->err);
}

static vv_status take_unicode_escape(parser *self)
{
    uint32_t c;
    uint32_t low;

    VVI_TRY(take_hex4(self, &c));
    if (c >= 0xDC00 && c <= 0xDFFF)
        return refuse(self, "half a surrogate pair");
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (!take_word(self, "\\u"))
            return refuse(self, "half a surrogate pair");
        VVI_TRY(take_hex4(self, &low));
        if (low < 0xDC00 || low > 0xDFFF)
            return refuse(self, "half a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    return append_code_point(self, c);
}

static vv_status take_escape(parser *self)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    int c = peek(self);
    const char *found;

    self->at++;
    if (c == 'u')
        return take_unicode_escape(self);
    found = c > 0 ? strchr(from, c) : NULL;
    if (!found)
        return refuse(self, "an escape that JSON does not have");
    return vvi_buf_append_byte(&self->scratch, (uint8_t)to[found - from], self->err);
}

/* Read a string behind its opening quote into scratch. */
static vv_status take_string(parser *self)
{
    self->scratch.len = 0;
    for (;;) {
        size_t start = self->at;
        int c = peek(self);

        while (c >= 0x20 && c != '"' && c != '\\') {
            self->at++;
            c = peek(self);
        }
        VVI_TRY(vvi_buf_append(&self->scratch,
                               vvi_bytes(self->text.data + start, self->at - start),
                               self->err));
        if (c < 0)
            return refuse(self, "the text ends inside a string");
        if (c < 0x20)
            return refuse(self, "a control character inside a string");
        self->at++;
        if (c == '"')
            break;
        VVI_TRY(take_escape(self));
    }
    if (!vvi_is_utf8(vvi_buf_bytes(&self->scratch)))
        return refuse(self, "a string that is not UTF-8");
    return VV_OK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static size_t skip_digits(parser *self)
{
    size_t start = self->at;

    while (peek(self) >= '0' && peek(self) <= '9')
        self->at++;
    return self->at - start;
}

static vv_status take_digits(parser *self)
{
    size_t start;

    if (peek(self) == '-')
        self->at++;
    start = self->at;
    if (!skip_digits(self))
        return refuse(self, "a value was expected");
    if (self->text.data[start] == '0' && self->at - start > 1)
        return refuse(self, "a number with a leading zero");
    if (peek(self) == '.') {
        self->at++;
        if (!skip_digits(self))
            return refuse(self, "a number without digits behind its point");
    }
    if (peek(self) == 'e' || peek(self) == 'E') {
        self->at++;
        if (peek(self) == '+' || peek(self) == '-')
            self->at++;
        if (!skip_digits(self))
            return refuse(self, "a number without digits in its exponent");
    }
    return VV_OK;
}

static vv_status take_number(parser *self, vvi_json **out)
{
    size_t start = self->at;

    if (!take_word(self, "NaN") && !take_word(self, "Infinity") &&
        !take_word(self, "-Infinity"))
        VVI_TRY(take_digits(self));
    *out = vvi_json_node(VVI_JSON_NUMBER, (const char *)self->text.data + start,
                         self->at - start);
    return *out ? VV_OK : vvi_fail_nomem(self->err, sizeof(**out));
}

/* ---- values -------------------------------------------------------------------------------- */

static vv_status take_value(parser *self, vvi_json **out)
{
    int c = peek(self);

    if (c == '"') {
        self->at++;
        VVI_TRY(take_string(self));
        *out = vvi_json_node(VVI_JSON_STRING, (const char *)self->scratch.data,
                             self->scratch.len);
    } else if (c == '[' || c == '{') {
        self->at++;
        if (self->depth == VVI_JSON_DEPTH_MAX)
            return vvi_fail(self->err, VV_ELIMIT, "JSON byte %zu: nested deeper than %d",
                            self->at, VVI_JSON_DEPTH_MAX);
        *out = vvi_json_node(c == '[' ? VVI_JSON_ARRAY : VVI_JSON_OBJECT, NULL, 0);
    } else if (take_word(self, "null")) {
        *out = vvi_json_node(VVI_JSON_NULL, NULL, 0);
    } else if (take_word(self, "true")) {
        *out = vvi_json_new_bool(true);
    } else if (take_word(self, "false")) {
        *out = vvi_json_new_bool(false);
    } else {
        return take_number(self, out);
    }
    return *out ? VV_OK : vvi_fail_nomem(self->err, sizeof(**out));
}

/* The name of a member and its colon; the caller frees *out. */
static vv_status take_name(parser *self, char **out)
{
    if (peek(self) != '"')
        return refuse(self, "a member's name was expected");
    self->at++;
    VVI_TRY(take_string(self));
    if (self->scratch.len && memchr(self->scratch.data, 0, self->scratch.len))
        return refuse(self, "a zero character in a member's name");
    skip_space(self);
    if (peek(self) != ':')
        return refuse(self, "':' was expected");
    self->at++;
    skip_space(self);
    *out = vvi_strndup(self->scratch.len ? (const char *)self->scratch.data : "",
                       self->scratch.len);
    return *out ? VV_OK : vvi_fail_nomem(self->err, self->scratch.len + 1);
}

/* One value, put where it belongs; a container that it opens becomes the current one. */
static vv_status take_item(parser *self, bool *opened)
{
    vvi_json *node = NULL;
    char *name = NULL;
    vv_status status;

    if (vvi_json_is(self->container, VVI_JSON_OBJECT))
        VVI_TRY(take_name(self, &name));
    status = take_value(self, &node);
    if (status) {
        vvi_free(name);
        return status;
    }
    node->name = name;
    if (self->container)
        vvi_json_link(self->container, node);
    else
        self->root = node;
    *opened = node->kind == VVI_JSON_ARRAY || node->kind == VVI_JSON_OBJECT;
    if (*opened) {
        self->container = node;
        self->depth++;
    }
    return VV_OK;
}

static bool take_close(parser *self)
{
    int close = self->container->kind == VVI_JSON_ARRAY ? ']' : '}';

    skip_space(self);
    if (peek(self) != close)
        return false;
    self->at++;
    self->container = self->container->parent;
    self->depth--;
    return true;
}

static vv_status parse(parser *self)
{
    bool opened;

    for (;;) {
        skip_space(self);
        VVI_TRY(take_item(self, &opened));
        if (opened && !take_close(self))
            continue;
        while (self->container && take_close(self))
            ;
        if (!self->container)
            break;
        if (peek(self) != ',')
            return refuse(self, "',' or the end of a list or object was expected");
        self->at++;
    }
    skip_space(self);
    return self->at == self->text.len ? VV_OK
                                      : refuse(self, "something follows the value");
}

vv_status vvi_json_parse(vv_bytes text, vvi_json **out, vv_error *err)
{
    parser self = { .text = text, .err = err };
    vv_status status;

    if (text.len > VVI_JSON_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "JSON text of %zu bytes; at most %zu are read",
                        text.len, VVI_JSON_BYTES_MAX);
    status = parse(&self);
    vv_buf_clear(&self.scratch);
    if (status)
        vvi_json_free(self.root);
    else
        *out = self.root;
    return status;
}
