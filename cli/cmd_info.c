#include "describe.h"
#include "out.h"
#include "stores.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT "_nc_layout"

static void print_span(cli_span span)
{
    out_bytes((vv_bytes){ (const uint8_t *)span.at, span.len });
}

/* Attributes, a line each: "SST:units = "Deg C"". Values are the JSON of the metadata. */
static void print_attributes(const char *name, cli_span attributes)
{
    cli_scan scan;
    cli_span key, value;

    if (!scan_begin(attributes, &scan))
        return;
    while (scan_next(&scan, &key, &value)) {
        /* What import keeps for export, of no interest to people; --json has it. */
        cli_span plain = scan_unquoted(key);
        if (plain.len == strlen(LAYOUT) && memcmp(plain.at, LAYOUT, plain.len) == 0)
            continue;
        out_text("    ");
        out_name(name);
        out_text(":");
        print_span(scan_unquoted(key));
        out_text(" = ");
        if (*value.at == '[' && value.len >= 2) /* as ncdump shows lists */
            print_span((cli_span){ value.at + 1, value.len - 2 });
        else
            print_span(value);
        out_text("\n");
    }
}

/* One codec of the chain: "zstd (level 3, checksum false)". */
static void print_codec(cli_span codec)
{
    cli_span name, configuration, key, value;
    const char *between = " (";
    cli_scan scan;

    if (!scan_find(codec, "name", &name)) {
        print_span(scan_unquoted(codec)); /* a name alone is allowed */
        return;
    }
    print_span(scan_unquoted(name));
    if (!scan_find(codec, "configuration", &configuration) ||
        !scan_begin(configuration, &scan))
        return;
    while (scan_next(&scan, &key, &value)) {
        out_text(between);
        print_span(scan_unquoted(key));
        out_text(" ");
        print_span(scan_unquoted(value));
        between = ", ";
    }
    if (*between == ',')
        out_text(")");
}

static void print_codecs(const char *codecs)
{
    cli_span key, value;
    cli_scan scan;
    bool first = true;

    if (!scan_begin((cli_span){ codecs, strlen(codecs) }, &scan))
        return;
    while (scan_next(&scan, &key, &value)) {
        out_text(first ? "" : ", ");
        print_codec(value);
        first = false;
    }
}

static void print_fill(const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    char text[128];

    if (!meta->fill_value)
        return;
    vv_array_element_format(array, meta->fill_value, text, sizeof(text));
    out_text("    fill    ");
    out_name(text);
    out_text("\n");
}

static void print_array(cli_call *call, const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t grid[VV_NDIM_MAX], chunks = 1;
    char dtype[CLI_DTYPE_MAX];
    const char *path = vv_array_path(array);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    out_text(cli_color(call->color_out, "bold"));
    out_name(path);
    out_text(cli_color(call->color_out, "off"));
    out_text(" ");
    print_dimensions(meta);
    dtype_text(meta, dtype);
    out_format(" %s\n    shape   ", dtype);
    print_lengths(meta->shape, meta->ndim);
    out_text("\n    chunks  ");
    print_lengths(meta->chunk_shape, meta->ndim);
    vv_array_grid(array, grid);
    for (uint32_t i = 0; i < meta->ndim; i++)
        chunks *= grid[i];
    out_format(" (%s of %s)\n    codecs  ", cli_count_text(chunks, "chunk"),
               cli_bytes_text(chunk_bytes(meta)));
    print_codecs(meta->codecs ? meta->codecs : "[]");
    out_text("\n");
    print_fill(array);
    if (meta->attributes)
        print_attributes(name, (cli_span){ meta->attributes, strlen(meta->attributes) });
}

static vv_status array_json(cli_call *call, const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t grid[VV_NDIM_MAX];
    vv_buf document = VV_BUF_INIT;

    json_array_shape(meta);
    vv_array_grid(array, grid);
    json_uints("grid", grid, meta->ndim);
    json_uint("chunk_bytes", chunk_bytes(meta));
    vv_status status = vv_array_metadata_json(array, &document, &call->err);
    if (!status)
        json_raw("metadata", (const char *)document.data, document.len);
    vv_buf_clear(&document);
    return status;
}

static vv_status describe_array(cli_call *call, vv_store *store, const cli_node *node)
{
    vv_array *array = NULL;
    vv_status status = vv_array_open(store, node->path, &array, &call->err);

    if (status == VV_EUNSUPPORTED && call->json) {
        json_text("error", call->err.message);
        status = VV_OK;
    } else if (status == VV_EUNSUPPORTED) {
        out_name(node->path);
        out_text("\n    cannot be read: ");
        out_name(call->err.message);
        out_text("\n");
        status = VV_OK;
    } else if (!status && call->json) {
        status = array_json(call, array);
    } else if (!status) {
        print_array(call, array);
    }
    vv_array_free(array);
    return status;
}

static vv_status describe_group(cli_call *call, vv_store *store, const cli_node *node)
{
    vv_buf attributes = VV_BUF_INIT;
    vv_status status = vv_node_attributes(store, node->path, &attributes, &call->err);

    if (status)
        return status;
    if (call->json) {
        json_raw("attributes", (const char *)attributes.data, attributes.len);
    } else {
        out_text(cli_color(call->color_out, "bold"));
        out_name(node->path);
        out_text("/");
        out_text(cli_color(call->color_out, "off"));
        out_text("\n");
        print_attributes("", (cli_span){ (const char *)attributes.data, attributes.len });
    }
    vv_buf_clear(&attributes);
    return VV_OK;
}

static vv_status describe(cli_call *call, vv_store *store, const cli_nodes *nodes)
{
    vv_status status = VV_OK;

    if (call->json)
        json_list(NULL);
    for (size_t i = 0; i < nodes->count && !status; i++) {
        const cli_node *node = &nodes->items[i];
        bool is_array = node->kind == VV_NODE_ARRAY;
        if (call->json) {
            json_object(NULL);
            json_text("path", node->path);
            json_text("kind", is_array ? "array" : "group");
        } else if (i) {
            out_text("\n");
        }
        status = (is_array ? describe_array : describe_group)(call, store, node);
        if (call->json)
            json_end();
        if (!status && out_failed())
            status = VV_ECANCELED;
    }
    if (call->json)
        json_end();
    return status;
}

vv_status cmd_info(cli_call *call)
{
    char *copy = cli_strdup(call->arg_count > 1 ? call->args[1] : "");
    cli_nodes nodes = { NULL, 0, 0 };
    vv_store *store = NULL;

    vv_status status = cli_open_root(call, call->args[0], &store);
    if (!status)
        status = cli_nodes_read(call, store, cli_trim_slashes(copy), true, &nodes);
    if (!status)
        status = describe(call, store, &nodes);
    cli_nodes_clear(&nodes);
    vv_store_free(store);
    free(copy);
    return status;
}
