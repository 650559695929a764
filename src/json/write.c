/* JSON text from a tree. */
#include "json/tree.h"

#include "util/buf.h"

static vv_status write_escape(uint8_t c, vv_buf *out, vv_error *err)
{
    switch (c) {
    case '"':
        return vvi_buf_append_text(out, "\\\"", err);
    case '\\':
        return vvi_buf_append_text(out, "\\\\", err);
    case '\n':
        return vvi_buf_append_text(out, "\\n", err);
    case '\r':
        return vvi_buf_append_text(out, "\\r", err);
    case '\t':
        return vvi_buf_append_text(out, "\\t", err);
    default:
        return vvi_buf_printf(out, err, "\\u%04x", c);
    }
}

/* DEL is escaped too: documents are shown on terminals. */
vv_status vvi_json_write_string(vv_bytes text, vv_buf *out, vv_error *err)
{
    size_t start = 0;

    VVI_TRY(vvi_buf_append_byte(out, '"', err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        VVI_TRY(vvi_buf_append(out, vvi_bytes(text.data + start, i - start), err));
        VVI_TRY(write_escape(c, out, err));
        start = i + 1;
    }
    if (start < text.len)
        VVI_TRY(vvi_buf_append(out, vvi_bytes(text.data + start, text.len - start), err));
    return vvi_buf_append_byte(out, '"', err);
}

static vv_status new_line(unsigned indent, size_t depth, vv_buf *out, vv_error *err)
{
    if (!indent)
        return VV_OK;
    VVI_TRY(vvi_buf_append_byte(out, '\n', err));
    for (size_t i = 0; i < depth * indent; i++)
        VVI_TRY(vvi_buf_append_byte(out, ' ', err));
    return VV_OK;
}

/* A scalar, or the opening of a container. */
static vv_status write_node(const vvi_json *node, vv_buf *out, vv_error *err)
{
    switch (node->kind) {
    case VVI_JSON_NULL:
        return vvi_buf_append_text(out, "null", err);
    case VVI_JSON_BOOL:
        return vvi_buf_append_text(out, node->boolean ? "true" : "false", err);
    case VVI_JSON_NUMBER:
        return vvi_buf_append(out, vvi_bytes(node->text, node->len), err);
    case VVI_JSON_STRING:
        return vvi_json_write_string(vvi_bytes(node->text, node->len), out, err);
    case VVI_JSON_ARRAY:
        return vvi_buf_append_text(out, node->first ? "[" : "[]", err);
    default:
        return vvi_buf_append_text(out, node->first ? "{" : "{}", err);
    }
}

vv_status vvi_json_write(const vvi_json *value, unsigned indent, vv_buf *out,
                         vv_error *err)
{
    const vvi_json *node = value;
    size_t depth = 0;

    while (node) {
        if (node != value && node->name) {
            VVI_TRY(vvi_json_write_string(vv_bytes_of(node->name), out, err));
            VVI_TRY(vvi_buf_append_text(out, ": ", err));
        }
        VVI_TRY(write_node(node, out, err));
        if (node->first) {
            VVI_TRY(new_line(indent, ++depth, out, err));
            node = node->first;
            continue;
        }
        while (node != value && !node->next) {
            node = node->parent;
            VVI_TRY(new_line(indent, --depth, out, err));
            VVI_TRY(
                vvi_buf_append_byte(out, node->kind == VVI_JSON_ARRAY ? ']' : '}', err));
        }
        if (node == value)
            break;
        VVI_TRY(vvi_buf_append_text(out, indent ? "," : ", ", err));
        VVI_TRY(new_line(indent, depth, out, err));
        node = node->next;
    }
    return VV_OK;
}
