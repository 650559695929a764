#include "describe.h"

#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUGGESTED_MAX 8 /* names in a message */

/* ---- JSON text ------------------------------------------------------------------------- */

static const char *skip_blank(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The end of a string that begins at a quote. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return *at ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
    size_t depth = 0;

    do {
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (depth) {
            at += strcspn(at + 1, "\"{}[]") + 1;
        } else {
            at += strcspn(at, ",}] \t\r\n");
        }
    } while (depth && *at);
    return at;
}

bool scan_begin(cli_span text, cli_scan *out)
{
    if (!text.at)
        return false;
    text.at = skip_blank(text.at);
    *out = (cli_scan){ text.at + 1, *text.at == '{' };
    return *text.at == '{' || *text.at == '[';
}

bool scan_next(cli_scan *scan, cli_span *key, cli_span *value)
{
    const char *at = skip_blank(scan->at);

    if (*at == ',')
        at = skip_blank(at + 1);
    if (!*at || *at == '}' || *at == ']')
        return false;
    *key = (cli_span){ at, 0 };
    if (scan->object) {
        key->len = (size_t)(skip_string(at) - at);
        at = skip_blank(at + key->len);
        at = skip_blank(*at == ':' ? at + 1 : at);
    }
    scan->at = skip_value(at);
    *value = (cli_span){ at, (size_t)(scan->at - at) };
    return scan->at > at;
}

cli_span scan_unquoted(cli_span quoted)
{
    if (quoted.len >= 2 && *quoted.at == '"')
        return (cli_span){ quoted.at + 1, quoted.len - 2 };
    return quoted;
}

bool scan_find(cli_span object, const char *name, cli_span *value)
{
    cli_scan scan;
    cli_span key;

    if (!scan_begin(object, &scan) || !scan.object)
        return false;
    while (scan_next(&scan, &key, value)) {
        key = scan_unquoted(key);
        if (key.len == strlen(name) && memcmp(key.at, name, key.len) == 0)
            return true;
    }
    return false;
}

/* Four hexadecimal digits; false if there are not so many. */
static bool read_hex4(const char *at, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = at[i] ? strchr(digits, at[i] | 0x20) : NULL;
        if (!digit)
            return false;
        *out = *out << 4 | (unsigned)(digit - digits);
    }
    return true;
}

static size_t put_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* Never longer than the escapes were. Halves of characters past U+FFFF become blanks. */
static void resolve_escapes(cli_span text, char *out)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    unsigned code;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c != '\\' || i + 1 >= text.len) {
            *out++ = c;
            continue;
        }
        c = text.at[++i];
        const char *letter = strchr(letters, c);
        if (letter && *letter) {
            *out++ = meanings[letter - letters];
        } else if (c == 'u' && i + 4 < text.len && read_hex4(text.at + i + 1, &code)) {
            bool half = code >= 0xd800 && code < 0xe000;
            out += put_utf8(code == 0 || half ? ' ' : code, out);
            i += 4;
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
}

char *attribute_text(const char *attributes, const char *name)
{
    cli_span value;

    if (!attributes ||
        !scan_find((cli_span){ attributes, strlen(attributes) }, name, &value) ||
        *value.at != '"')
        return NULL;
    value = scan_unquoted(value);
    char *text = cli_alloc(value.len + 1);
    resolve_escapes(value, text);
    return text;
}

/* ---- nodes ----------------------------------------------------------------------------- */

static vv_status keep_node(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                           vv_error *err)
{
    cli_nodes *nodes = ctx;

    (void)err;
    nodes->items = cli_grow(nodes->items, &nodes->cap, nodes->count + 1,
                            sizeof(*nodes->items));
    nodes->items[nodes->count++] = (cli_node){ cli_strdup(path), kind, depth };
    return VV_OK;
}

/* Keep arrays, as many as a message names and one that says there are more. */
static vv_status keep_some(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                           vv_error *err)
{
    cli_nodes *nodes = ctx;

    if (nodes->count > SUGGESTED_MAX)
        return VV_ECANCELED;
    return kind == VV_NODE_ARRAY ? keep_node(ctx, path, kind, depth, err) : VV_OK;
}

void cli_suggest_arrays(cli_call *call, vv_store *store, const char *path)
{
    cli_nodes nodes = { NULL, 0, 0 };
    char *group = cli_strdup(path), *message = call->err.message;
    vv_node_kind kind = VV_NODE_NONE;

    /* Below the group itself, or the nearest one above. */
    while (vv_node_kind_of(store, group, &kind, NULL) || kind != VV_NODE_GROUP) {
        char *slash = strrchr(group, '/');
        if (!*group)
            break;
        *(slash ? slash : group) = '\0';
    }
    if (kind == VV_NODE_GROUP)
        (void)vv_node_walk(store, group, true, keep_some, &nodes, NULL);
    for (size_t i = 0; i < nodes.count; i++) {
        size_t len = strlen(message);
        if (len + 100 > sizeof(call->err.message))
            break;
        snprintf(message + len, sizeof(call->err.message) - len, "%s%.80s",
                 i ? ", " : "; there are ",
                 i == SUGGESTED_MAX ? "others" : nodes.items[i].path);
    }
    cli_nodes_clear(&nodes);
    free(group);
}

vv_status cli_nodes_read(cli_call *call, vv_store *store, const char *path,
                         bool recursive, cli_nodes *out)
{
    vv_node_kind kind;
    vv_status status = vv_node_kind_of(store, path, &kind, &call->err);

    if (!status && kind == VV_NODE_NONE) {
        status = cli_fail(call, VV_ENOTFOUND, "%.200s: no array and no group there%s",
                          *path ? path : "the top",
                          strchr(path, '[') ? "; this command takes no brackets" : "");
        cli_suggest_arrays(call, store, path);
        return status;
    }
    if (!status)
        status = vv_node_walk(store, path, recursive, keep_node, out, &call->err);
    return status;
}

void cli_nodes_clear(cli_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        free(nodes->items[i].path);
    free(nodes->items);
    *nodes = (cli_nodes){ NULL, 0, 0 };
}

/* ---- arrays ---------------------------------------------------------------------------- */

static const char *dimension_name(const vv_array_meta *meta, uint32_t i)
{
    return meta->dimension_names ? meta->dimension_names[i] : NULL;
}

void print_dimensions(const vv_array_meta *meta)
{
    out_text("(");
    for (uint32_t i = 0; i < meta->ndim; i++) {
        out_text(i ? ", " : "");
        if (dimension_name(meta, i)) {
            out_name(dimension_name(meta, i));
            out_text(": ");
        }
        out_format("%" PRIu64, meta->shape[i]);
    }
    out_text(")");
}

void format_dimensions(const vv_array_meta *meta, char *out, size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < meta->ndim && len < cap; i++) {
        const char *name = dimension_name(meta, i);
        len += (size_t)snprintf(out + len, cap - len, "%s%s%s%" PRIu64, i ? ", " : "",
                                name ? name : "", name ? ": " : "", meta->shape[i]);
    }
}

void format_lengths(const uint64_t *lengths, uint32_t ndim, char *out, size_t cap)
{
    size_t len = 0;

    snprintf(out, cap, "%s", ndim ? "" : "1");
    for (uint32_t i = 0; i < ndim && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%" PRIu64, i ? " x " : "",
                                lengths[i]);
}

void print_lengths(const uint64_t *lengths, uint32_t ndim)
{
    char text[VV_NDIM_MAX * 24];

    format_lengths(lengths, ndim, text, sizeof(text));
    out_text(text);
}

void dtype_text(const vv_array_meta *meta, char out[CLI_DTYPE_MAX])
{
    const char *name = vv_dtype_name(meta->dtype);

    if (meta->time_unit)
        snprintf(out, CLI_DTYPE_MAX, "%s[%" PRIu32 " %s]", name, meta->time_scale,
                 meta->time_unit);
    else if (vv_dtype_size(meta->dtype) == 0)
        snprintf(out, CLI_DTYPE_MAX, "%s[%zu B]",
                 meta->dtype == VV_RAW ? "raw_bytes" : name, meta->item_size);
    else
        snprintf(out, CLI_DTYPE_MAX, "%s", name);
}

uint64_t chunk_bytes(const vv_array_meta *meta)
{
    uint64_t bytes = meta->item_size;

    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (meta->chunk_shape[i] && bytes > UINT64_MAX / meta->chunk_shape[i])
            return UINT64_MAX;
        bytes *= meta->chunk_shape[i];
    }
    return bytes;
}

void json_array_shape(const vv_array_meta *meta)
{
    json_text("dtype", vv_dtype_name(meta->dtype));
    json_uints("shape", meta->shape, meta->ndim);
    json_uints("chunks", meta->chunk_shape, meta->ndim);
    if (!meta->dimension_names)
        return;
    json_row("dimensions");
    for (uint32_t i = 0; i < meta->ndim; i++)
        json_text(NULL, dimension_name(meta, i));
    json_end();
}
