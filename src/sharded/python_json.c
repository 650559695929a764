/*
 * Reading into nodes and writing them out. What a scalar or a name is written as is made while it is read, so
 * that writing only copies, and equal names are equal texts.
 */
#include "sharded/python_json.h"

#include "store/key_set.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "json/json.h"

#include <math.h>
#include <string.h>

#define NONE UINT32_MAX

typedef enum kind {
    SCALAR,
    LIST,
    OBJECT
} kind;

typedef struct node {
    kind kind;
    uint32_t id; /* of what the node holds; another value of the same name has another */
    uint32_t parent, next, first, last; /* NONE: there is none */
    uint32_t name, name_len;            /* in the arena; of a member */
    uint32_t text, text_len;            /* in the arena; of a scalar */
} node;

typedef struct document {
    vv_bytes text;
    size_t at;
    node *nodes;
    size_t count, cap;
    vv_buf arena;
    vv_buf key;        /* id of an object and a name in it */
    vvi_key_set names; /* key → the member's node, plus 1 */
    uint32_t next_id;
    uint32_t open; /* container that the next value goes into; NONE: none */
    size_t depth;
    vv_error *err;
} document;

static void document_clear(document *self)
{
    vvi_free(self->nodes);
    vv_buf_clear(&self->arena);
    vv_buf_clear(&self->key);
    vvi_key_set_clear(&self->names);
}

static vv_status refuse(const document *self, const char *what)
{
    return vvi_fail(self->err, VV_ECORRUPT, "JSON byte %zu: %s", self->at, what);
}

static int peek(const document *self)
{
    return self->at < self->text.len ? self->text.data[self->at] : -1;
}

static void skip_space(document *self)
{
    int c = peek(self);

    while (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        self->at++;
        c = peek(self);
    }
}

static bool take_word(document *self, const char *word)
{
    size_t len = strlen(word);

    if (self->text.len - self->at < len ||
        memcmp(self->text.data + self->at, word, len) != 0)
        return false;
    self->at += len;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------- */

static vv_status put_unit(document *self, uint32_t unit)
{
    return vvi_buf_printf(&self->arena, self->err, "\\u%04" PRIx32, unit);
}

/* A character as it is written. */
static vv_status put_point(document *self, uint32_t c)
{
    static const char from[] = "\"\\\n\r\t\f\b";
    static const char to[] = "\"\\nrtfb";
    const char *found = c && c < 0x80 ? strchr(from, (int)c) : NULL;

    if (found) {
        VVI_TRY(vvi_buf_append_byte(&self->arena, '\\', self->err));
        return vvi_buf_append_byte(&self->arena, (uint8_t)to[found - from], self->err);
    }
    if (c >= 0x20 && c <= 0x7E)
        return vvi_buf_append_byte(&self->arena, (uint8_t)c, self->err);
    if (c < 0x10000)
        return put_unit(self, c);
    VVI_TRY(put_unit(self, 0xD800 + ((c - 0x10000) >> 10)));
    return put_unit(self, 0xDC00 + (c & 0x3FF));
}

/* Four hexadecimal digits; a unit of a surrogate pair is written as it is, and joins its other half. */
static vv_status take_unit(document *self)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        int c = peek(self);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return refuse(self, "\\u needs four hexadecimal digits");
        unit = unit * 16 + (uint32_t)digit;
        self->at++;
    }
    return put_point(self, unit);
}

static vv_status take_escape(document *self)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    int c = peek(self);
    const char *found = c > 0 ? strchr(from, c) : NULL;

    if (!found && c != 'u')
        return refuse(self, "an escape that JSON does not have");
    self->at++;
    return found ? put_point(self, (uint32_t)to[found - from]) : take_unit(self);
}

/* Bytes of plain ASCII that are written as they stand. */
static size_t plain_span(const document *self)
{
    size_t at = self->at;

    while (at < self->text.len && self->text.data[at] >= 0x20 &&
           self->text.data[at] <= 0x7E && self->text.data[at] != '"' &&
           self->text.data[at] != '\\')
        at++;
    return at - self->at;
}

/* Half a surrogate pair as UTF-8 would have it, which Python lets pass. */
static bool is_surrogate(const uint8_t *at, size_t left)
{
    return left >= 3 && at[0] == 0xED && at[1] >= 0xA0 && at[1] <= 0xBF &&
           (at[2] & 0xC0) == 0x80;
}

/* A character past ASCII, or DEL. */
static vv_status take_wide(document *self)
{
    size_t left = self->text.len - self->at;
    uint8_t first = self->text.data[self->at];
    size_t len = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    const uint8_t *at = self->text.data + self->at;
    char character[5] = { 0 };
    const char *next = character;

    if (is_surrogate(at, left)) {
        self->at += 3;
        return put_unit(self, 0xD000 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu));
    }
    if (len > left || !vvi_is_utf8(vvi_bytes(at, len)))
        return refuse(self, "a string that is not UTF-8");
    memcpy(character, at, len);
    self->at += len;
    return put_point(self, vvi_utf8_next(&next));
}

/* A string behind its opening quote, with quotes into the arena. */
static vv_status take_string(document *self, uint32_t *start, uint32_t *len)
{
    *start = (uint32_t)self->arena.len;
    VVI_TRY(vvi_buf_append_byte(&self->arena, '"', self->err));
    for (;;) {
        size_t plain = plain_span(self);
        int c;

        VVI_TRY(vvi_buf_append(&self->arena, vvi_bytes(self->text.data + self->at, plain),
                               self->err));
        self->at += plain;
        c = peek(self);
        if (c < 0)
            return refuse(self, "the text ends inside a string");
        if (c < 0x20)
            return refuse(self, "a control character inside a string");
        if (c >= 0x7F) {
            VVI_TRY(take_wide(self));
            continue;
        }
        self->at++;
        if (c == '"')
            break;
        VVI_TRY(take_escape(self));
    }
    VVI_TRY(vvi_buf_append_byte(&self->arena, '"', self->err));
    *len = (uint32_t)(self->arena.len - *start);
    return VV_OK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static size_t skip_digits(document *self)
{
    size_t start = self->at;

    while (peek(self) >= '0' && peek(self) <= '9')
        self->at++;
    return self->at - start;
}

/* Step over a number; *is_float: it has a fraction or an exponent. */
static vv_status skip_number(document *self, bool *is_float)
{
    size_t digits;

    if (peek(self) == '-')
        self->at++;
    digits = skip_digits(self);
    if (!digits)
        return refuse(self, "a value was expected");
    if (digits > 1 && self->text.data[self->at - digits] == '0')
        return refuse(self, "a number with a leading zero");
    if (peek(self) == '.') {
        *is_float = true;
        self->at++;
        if (!skip_digits(self))
            return refuse(self, "a number without digits behind its point");
    }
    if (peek(self) == 'e' || peek(self) == 'E') {
        *is_float = true;
        self->at++;
        if (peek(self) == '+' || peek(self) == '-')
            self->at++;
        if (!skip_digits(self))
            return refuse(self, "a number without digits in its exponent");
    }
    return VV_OK;
}

static vv_status put_float(document *self, vv_bytes text)
{
    char *copy = vvi_strndup((const char *)text.data, text.len);
    char repr[VVI_DOUBLE_TEXT];
    double number = 0;

    if (!copy)
        return vvi_fail_nomem(self->err, text.len);
    vvi_double_parse(copy, &number);
    vvi_free(copy);
    if (isinf(number))
        return vvi_buf_append_text(&self->arena, number > 0 ? "Infinity" : "-Infinity",
                                   self->err);
    vvi_double_repr(number, repr);
    return vvi_buf_append_text(&self->arena, repr, self->err);
}

static vv_status take_number(document *self)
{
    const uint8_t *start = self->text.data + self->at;
    bool is_float = false;
    vv_bytes text;

    VVI_TRY(skip_number(self, &is_float));
    text = vvi_bytes(start, (size_t)(self->text.data + self->at - start));
    if (is_float)
        return put_float(self, text);
    if (text.len == 2 && memcmp(text.data, "-0", 2) == 0)
        text = vv_bytes_of("0");
    return vvi_buf_append(&self->arena, text, self->err);
}

/* ---- values -------------------------------------------------------------------------------- */

static vv_status take_scalar(document *self, node *out)
{
    static const char *const words[] = { "null",     "true",      "false", "NaN",
                                         "Infinity", "-Infinity", NULL };
    const char *const *word = words;

    if (peek(self) == '"') {
        self->at++;
        return take_string(self, &out->text, &out->text_len);
    }
    out->text = (uint32_t)self->arena.len;
    while (*word && !take_word(self, *word))
        word++;
    if (*word)
        VVI_TRY(vvi_buf_append_text(&self->arena, *word, self->err));
    else
        VVI_TRY(take_number(self));
    out->text_len = (uint32_t)(self->arena.len - out->text);
    return VV_OK;
}

static vv_status new_node(document *self, uint32_t parent, uint32_t *out)
{
    node *made;

    VVI_TRY(vvi_grow((void **)&self->nodes, &self->cap, self->count + 1,
                     sizeof(*self->nodes), self->err));
    *out = (uint32_t)self->count++;
    made = &self->nodes[*out];
    *made = (node){
        .id = self->next_id++, .parent = parent, .next = NONE, .first = NONE, .last = NONE
    };
    if (parent == NONE)
        return VV_OK;
    if (self->nodes[parent].last == NONE)
        self->nodes[parent].first = *out;
    else
        self->nodes[self->nodes[parent].last].next = *out;
    self->nodes[parent].last = *out;
    return VV_OK;
}

/* The member of an object with the name that stands in the arena; made where there is none, and emptied
 * where there is one. */
static vv_status member(document *self, uint32_t object, uint32_t name, uint32_t len,
                        uint32_t *out)
{
    vvi_key_entry *entry;
    bool is_new;
    node *found;

    self->key.len = 0;
    VVI_TRY(vvi_buf_printf(&self->key, self->err, "%" PRIu32, self->nodes[object].id));
    VVI_TRY(
        vvi_buf_append(&self->key, vvi_bytes(self->arena.data + name, len), self->err));
    VVI_TRY(vvi_key_set_add(&self->names, (const char *)self->key.data, self->key.len,
                            &entry, &is_new, self->err));
    if (!is_new) {
        *out = (uint32_t)((uintptr_t)entry->value - 1);
        found = &self->nodes[*out];
        found->kind = SCALAR;
        found->id = self->next_id++;
        found->first = found->last = NONE;
        return VV_OK;
    }
    VVI_TRY(new_node(self, object, out));
    entry->value = (void *)((uintptr_t)*out + 1);
    self->nodes[*out].name = name;
    self->nodes[*out].name_len = len;
    return VV_OK;
}

/* The name of a member and its colon. */
static vv_status take_name(document *self, uint32_t *out)
{
    uint32_t start;
    uint32_t len;

    if (peek(self) != '"')
        return refuse(self, "a member's name was expected");
    self->at++;
    VVI_TRY(take_string(self, &start, &len));
    skip_space(self);
    if (peek(self) != ':')
        return refuse(self, "':' was expected");
    self->at++;
    skip_space(self);
    return member(self, self->open, start, len, out);
}

/* One value, put where it belongs; a container that it opens becomes the current one. */
static vv_status take_item(document *self, bool *opened)
{
    uint32_t at;
    node item;
    int c;

    if (self->open != NONE && self->nodes[self->open].kind == OBJECT)
        VVI_TRY(take_name(self, &at));
    else
        VVI_TRY(new_node(self, self->open, &at));
    c = peek(self);
    *opened = c == '[' || c == '{';
    if (!*opened) {
        item = self->nodes[at];
        VVI_TRY(take_scalar(self, &item));
        self->nodes[at] = item;
        return VV_OK;
    }
    if (self->depth == VVI_PYTHON_JSON_DEPTH_MAX)
        return vvi_fail(self->err, VV_ELIMIT, "JSON byte %zu: nested deeper than %d",
                        self->at, VVI_PYTHON_JSON_DEPTH_MAX);
    self->at++;
    self->depth++;
    self->nodes[at].kind = c == '[' ? LIST : OBJECT;
    self->open = at;
    return VV_OK;
}

static bool take_close(document *self)
{
    skip_space(self);
    if (peek(self) != (self->nodes[self->open].kind == LIST ? ']' : '}'))
        return false;
    self->at++;
    self->open = self->nodes[self->open].parent;
    self->depth--;
    return true;
}

static vv_status read_all(document *self)
{
    bool opened;

    for (;;) {
        skip_space(self);
        VVI_TRY(take_item(self, &opened));
        if (opened && !take_close(self))
            continue;
        while (self->open != NONE && take_close(self))
            ;
        if (self->open == NONE)
            break;
        if (peek(self) != ',')
            return refuse(self, "',' or the end of a list or object was expected");
        self->at++;
    }
    skip_space(self);
    return self->at == self->text.len ? VV_OK
                                      : refuse(self, "something follows the value");
}

/* ---- changing ------------------------------------------------------------------------------ */

static vv_status put_name(document *self, const char *name, uint32_t *start,
                          uint32_t *len)
{
    *start = (uint32_t)self->arena.len;
    VVI_TRY(vvi_buf_printf(&self->arena, self->err, "\"%s\"", name));
    *len = (uint32_t)(self->arena.len - *start);
    return VV_OK;
}

static void remove_member(document *self, const char *name)
{
    uint32_t *link = &self->nodes[0].first;
    uint32_t before = NONE;

    for (; *link != NONE; before = *link, link = &self->nodes[*link].next) {
        const node *found = &self->nodes[*link];

        if (found->name_len != strlen(name) + 2 ||
            memcmp(self->arena.data + found->name + 1, name, strlen(name)) != 0)
            continue;
        *link = found->next;
        if (*link == NONE)
            self->nodes[0].last = before;
        return;
    }
}

static vv_status set_numbers(document *self, const vvi_python_edit *edit)
{
    uint32_t name;
    uint32_t len;
    uint32_t list;
    uint32_t item;

    VVI_TRY(put_name(self, edit->set, &name, &len));
    VVI_TRY(member(self, 0, name, len, &list));
    self->nodes[list].kind = LIST;
    for (size_t i = 0; i < edit->count; i++) {
        VVI_TRY(new_node(self, list, &item));
        self->nodes[item].text = (uint32_t)self->arena.len;
        VVI_TRY(vvi_buf_printf(&self->arena, self->err, "%" PRIu64, edit->numbers[i]));
        self->nodes[item].text_len = (uint32_t)(self->arena.len - self->nodes[item].text);
    }
    return VV_OK;
}

static vv_status change(document *self, const vvi_python_edit *edit)
{
    if (!edit)
        return VV_OK;
    if (self->nodes[0].kind != OBJECT)
        return vvi_fail(self->err, VV_ECORRUPT, "JSON that is no object");
    if (edit->set)
        VVI_TRY(set_numbers(self, edit));
    if (edit->remove)
        remove_member(self, edit->remove);
    return VV_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static vv_status put_arena(const document *self, uint32_t at, uint32_t len, vv_buf *out)
{
    return vvi_buf_append(out, vvi_bytes(self->arena.data + at, len), self->err);
}

static vv_status new_line(const document *self, unsigned indent, size_t depth,
                          vv_buf *out)
{
    if (!indent)
        return VV_OK;
    if (out->len > VVI_PYTHON_JSON_OUT_MAX)
        return vvi_fail(self->err, VV_ELIMIT,
                        "JSON of more than %zu bytes with its blanks",
                        VVI_PYTHON_JSON_OUT_MAX);
    VVI_TRY(vvi_buf_reserve(out, 1 + depth * indent, self->err));
    out->data[out->len] = '\n';
    memset(out->data + out->len + 1, ' ', depth * indent);
    out->len += 1 + depth * indent;
    return VV_OK;
}

/* A scalar with its name, or the opening of a container. */
static vv_status write_node(const document *self, const node *it, vv_buf *out)
{
    bool empty = it->first == NONE;

    if (it->name_len) {
        VVI_TRY(put_arena(self, it->name, it->name_len, out));
        VVI_TRY(vvi_buf_append_text(out, ": ", self->err));
    }
    if (it->kind == SCALAR)
        return put_arena(self, it->text, it->text_len, out);
    if (it->kind == LIST)
        return vvi_buf_append_text(out, empty ? "[]" : "[", self->err);
    return vvi_buf_append_text(out, empty ? "{}" : "{", self->err);
}

static vv_status write_all(const document *self, unsigned indent, vv_buf *out)
{
    const node *nodes = self->nodes;
    uint32_t at = 0;
    size_t depth = 0;

    for (;;) {
        VVI_TRY(write_node(self, &nodes[at], out));
        if (nodes[at].first != NONE) {
            VVI_TRY(new_line(self, indent, ++depth, out));
            at = nodes[at].first;
            continue;
        }
        while (at != 0 && nodes[at].next == NONE) {
            at = nodes[at].parent;
            VVI_TRY(new_line(self, indent, --depth, out));
            VVI_TRY(
                vvi_buf_append_byte(out, nodes[at].kind == LIST ? ']' : '}', self->err));
        }
        if (at == 0)
            return VV_OK;
        VVI_TRY(vvi_buf_append_text(out, indent ? "," : ", ", self->err));
        VVI_TRY(new_line(self, indent, depth, out));
        at = nodes[at].next;
    }
}

vv_status vvi_python_json(vv_bytes text, const vvi_python_edit *edit, unsigned indent,
                          vv_buf *out, vv_error *err)
{
    document self = { .text = text, .open = NONE, .err = err };
    size_t before = out->len;
    vv_status status;

    if (text.len > VVI_PYTHON_JSON_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "JSON text of %zu bytes; at most %zu are read",
                        text.len, VVI_PYTHON_JSON_BYTES_MAX);
    (void)take_word(&self, "\xEF\xBB\xBF"); /* the mark of UTF-8 */
    status = read_all(&self);
    if (!status)
        status = change(&self, edit);
    if (!status)
        status = write_all(&self, indent, out);
    if (status)
        out->len = before;
    document_clear(&self);
    return status;
}
