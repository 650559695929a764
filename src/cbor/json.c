/*
 * DAG-CBOR to DAG-JSON. The map keys of the one are sorted by length first, those of the other
 * bytewise: when a map closes, its members, already written, are put into the other order.
 */
#include "cbor/json.h"

#include "cbor/reader.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* Levels deeper than this are not indented further, or the text could be a thousand times the
 * size of the input. */
#define INDENT_MAX 16

/* A member of an open map: where its text lies in the output, without commas and indents. */
typedef struct member {
    vv_bytes key;
    size_t start;
    size_t end;
} member;

/* An open list or map. */
typedef struct level {
    uint64_t left;       /* values still to come */
    size_t first_member; /* of a map: index of its first member */
    bool is_map;
    bool empty;
} level;

typedef struct json_writer {
    vv_cbor_reader reader;
    vv_buf *out;
    bool pretty;
    level *levels; /* depth of level_cap in use */
    size_t depth;
    size_t level_cap;
    member *members; /* of all open maps, the innermost last */
    size_t member_count;
    size_t member_cap;
} json_writer;

static vv_status new_line(json_writer *self, vv_error *err)
{
    if (!self->pretty)
        return VV_OK;
    VVI_TRY(vvi_buf_append_byte(self->out, '\n', err));
    for (size_t i = 0; i < self->depth && i < INDENT_MAX; i++)
        VVI_TRY(vvi_buf_append_text(self->out, "  ", err));
    return VV_OK;
}

static int compare_members(const void *a, const void *b)
{
    return vvi_bytes_cmp(((const member *)a)->key, ((const member *)b)->key);
}

/* Put count members, written one behind the other with the same separator, into order. */
static vv_status sort_members(json_writer *self, member *members, size_t count,
                              vv_error *err)
{
    size_t start = members[0].start;
    size_t gap = members[1].start - members[0].end;
    vv_buf copy = VV_BUF_INIT;
    uint8_t *to;

    VVI_TRY(vvi_buf_append(
        &copy, vvi_bytes(self->out->data + start, self->out->len - start), err));
    to = self->out->data + start;
    const uint8_t *separator = copy.data + (members[0].end - start);
    qsort(members, count, sizeof(*members), compare_members);
    for (size_t i = 0; i < count; i++) {
        size_t len = members[i].end - members[i].start;

        if (i) {
            memcpy(to, separator, gap);
            to += gap;
        }
        memcpy(to, copy.data + (members[i].start - start), len);
        to += len;
    }
    vv_buf_clear(&copy);
    return VV_OK;
}

static bool is_sorted(const member *members, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (vvi_bytes_cmp(members[i - 1].key, members[i].key) > 0)
            return false;
    return true;
}

static vv_status close_level(json_writer *self, vv_error *err)
{
    level *top = &self->levels[--self->depth];

    if (top->is_map && !top->empty) {
        member *members = self->members + top->first_member;
        size_t count = self->member_count - top->first_member;

        if (!is_sorted(members, count))
            VVI_TRY(sort_members(self, members, count, err));
        self->member_count = top->first_member;
    }
    if (!top->empty)
        VVI_TRY(new_line(self, err));
    return vvi_buf_append_byte(self->out, top->is_map ? '}' : ']', err);
}

/* A value has been written: count it, and close what is complete by it. */
static vv_status end_value(json_writer *self, vv_error *err)
{
    while (self->depth) {
        level *top = &self->levels[self->depth - 1];

        if (top->is_map)
            self->members[self->member_count - 1].end = self->out->len;
        if (--top->left)
            return VV_OK;
        VVI_TRY(close_level(self, err));
    }
    return VV_OK;
}

/* What stands in front of a value or key: a comma if it is not the first, and a new line. */
static vv_status begin_entry(json_writer *self, vv_error *err)
{
    level *top = &self->levels[self->depth - 1];

    if (!top->empty)
        VVI_TRY(vvi_buf_append_byte(self->out, ',', err));
    top->empty = false;
    return new_line(self, err);
}

/* {"/": …} alone is how DAG-JSON writes links and bytes, so no map can look like that. */
static vv_status check_reserved(const json_writer *self, const vv_cbor_item *key,
                                vv_error *err)
{
    const level *top = &self->levels[self->depth - 1];

    if (key->bytes.len != 1 || key->bytes.data[0] != '/' || top->left != 1 ||
        self->member_count != top->first_member)
        return VV_OK;
    return vvi_fail(err, VV_EUNSUPPORTED,
                    "dag-json: at byte %zu: a map with the one key \"/\" has no form",
                    key->offset);
}

static vv_status put_key(json_writer *self, const vv_cbor_item *key, vv_error *err)
{
    VVI_TRY(check_reserved(self, key, err));
    VVI_TRY(vvi_grow((void **)&self->members, &self->member_cap, self->member_count + 1,
                     sizeof(member), err));
    VVI_TRY(begin_entry(self, err));
    self->members[self->member_count++] = (member){ key->bytes, self->out->len,
                                                    self->out->len };
    VVI_TRY(vvi_json_put_text(self->out, key->bytes, err));
    return vvi_buf_append_text(self->out, self->pretty ? ": " : ":", err);
}

static vv_status open_level(json_writer *self, const vv_cbor_item *item, vv_error *err)
{
    bool is_map = item->kind == VV_CBOR_MAP;

    VVI_TRY(vvi_grow((void **)&self->levels, &self->level_cap, self->depth + 1,
                     sizeof(level), err));
    VVI_TRY(vvi_buf_append_byte(self->out, is_map ? '{' : '[', err));
    self->levels[self->depth++] = (level){ item->u.count, self->member_count, is_map,
                                           true };
    if (item->u.count)
        return VV_OK;
    VVI_TRY(close_level(self, err));
    return end_value(self, err);
}

static vv_status put_value(json_writer *self, const vv_cbor_item *item, vv_error *err)
{
    if (self->depth && !self->levels[self->depth - 1].is_map)
        VVI_TRY(begin_entry(self, err));
    if (item->kind == VV_CBOR_LIST || item->kind == VV_CBOR_MAP)
        return open_level(self, item, err);
    VVI_TRY(vvi_json_put_scalar(self->out, item, err));
    return end_value(self, err);
}

static vv_status convert(json_writer *self, vv_error *err)
{
    while (!vvi_cbor_at_end(&self->reader)) {
        vv_cbor_item item;

        VVI_TRY(vv_cbor_next(&self->reader, &item, err));
        if (self->depth && self->levels[self->depth - 1].is_map) {
            VVI_TRY(put_key(self, &item, err));
            VVI_TRY(vv_cbor_next(&self->reader, &item, err));
        }
        VVI_TRY(put_value(self, &item, err));
    }
    return vvi_buf_terminate(self->out, err);
}

vv_status vv_cbor_to_json(vv_bytes input, bool pretty, vv_buf *out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    json_writer self = { .out = &text, .pretty = pretty };
    vv_status status;

    vvi_cbor_reader_init(&self.reader, input);
    status = convert(&self, err);
    vvi_cbor_reader_clear(&self.reader);
    vvi_free(self.levels);
    vvi_free(self.members);
    if (status)
        vv_buf_clear(&text);
    else
        vvi_buf_move(out, &text);
    return status;
}
