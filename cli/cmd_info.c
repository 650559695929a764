#include "describe.h"
#include "out.h"
#include "stores.h"

#include "layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NC_LAYOUT "_nc_layout"

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
        if (plain.len == strlen(NC_LAYOUT) && memcmp(plain.at, NC_LAYOUT, plain.len) == 0)
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

/* JSON on one line: what breaks and indents lines is left out, but for a blank behind a comma. */
static void print_value(cli_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] != '\n') {
            out_bytes((vv_bytes){ (const uint8_t *)value.at + i, 1 });
            continue;
        }
        out_text(i && value.at[i - 1] == ',' ? " " : "");
        while (i + 1 < value.len && value.at[i + 1] == ' ')
            i++;
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
        print_value(scan_unquoted(value));
        between = ", ";
    }
    if (*between == ',')
        out_text(")");
}

/* The name of a codec, which may stand alone, is this one. */
static bool is_codec(cli_span codec, const char *name)
{
    cli_span found;

    if (!scan_find(codec, "name", &found))
        found = codec;
    found = scan_unquoted(found);
    return found.len == strlen(name) && memcmp(found.at, name, found.len) == 0;
}

/* "transpose (order [1, 0]), bytes (endian little)". Shards are named only: *shards is what they are made
 * of. Returns how many codecs there are. */
static size_t print_codecs(cli_span codecs, bool print, cli_span *shards)
{
    cli_span key, value;
    cli_scan scan;
    size_t n = 0;

    *shards = (cli_span){ NULL, 0 };
    if (!scan_begin(codecs, &scan))
        return 0;
    for (; scan_next(&scan, &key, &value); n++) {
        bool is_shard = is_codec(value, "sharding_indexed");
        if (is_shard && !scan_find(value, "configuration", shards))
            is_shard = false;
        if (!print)
            continue;
        out_text(n ? ", " : "");
        if (is_shard)
            out_text("sharding_indexed");
        else
            print_codec(value);
    }
    return n;
}

/* ---- the grid -------------------------------------------------------------------------------- */

static void print_size(const vv_array_meta *meta, uint64_t elements)
{
    if (vv_dtype_is_variable(meta->dtype))
        out_text(cli_count_text(elements, "element"));
    else
        out_text(cli_bytes_text(elements > UINT64_MAX / meta->item_size
                                    ? UINT64_MAX
                                    : elements * meta->item_size));
}

static uint64_t product_of(const uint64_t *lengths, uint32_t ndim)
{
    uint64_t n = 1;

    for (uint32_t i = 0; i < ndim; i++)
        n = lengths[i] && n > UINT64_MAX / lengths[i] ? UINT64_MAX : n * lengths[i];
    return n;
}

/* "(1, 2, 3) x 2": the lengths of a rectilinear grid, or those of all chunks. */
static void print_chunk_lengths(const vv_array_meta *meta)
{
    enum {
        SHOWN = 8
    };

    for (uint32_t i = 0; i < meta->ndim; i++) {
        uint64_t n = meta->chunk_edges && meta->chunk_edges[i]
                         ? meta->chunk_edge_counts[i]
                         : 0;
        out_text(i ? " x " : "");
        if (n == 0)
            out_format("%" PRIu64, meta->chunk_shape[i]);
        for (uint64_t k = 0; k < n && k < SHOWN; k++)
            out_format("%s%" PRIu64, k ? ", " : "(", meta->chunk_edges[i][k]);
        if (n)
            out_text(n > SHOWN ? ", …)" : ")");
    }
    out_text(meta->ndim ? "" : "1");
}

static uint64_t print_outer(const vv_array *array, const char *what, const char *thing)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t grid[VV_NDIM_MAX];
    uint64_t elements = product_of(meta->chunk_shape, meta->ndim);

    vv_array_grid(array, grid);
    out_format("    %-8s", what);
    print_chunk_lengths(meta);
    out_format(" (%s of %s", cli_count_text(product_of(grid, meta->ndim), thing),
               meta->chunk_edges ? "at most " : "");
    print_size(meta, elements);
    out_text(")\n");
    return elements;
}

/* The chunks of a shard of so many elements; returns how many one of them has. */
static uint64_t print_inner(const vv_array_meta *meta, const char *what, cli_span shape,
                            uint64_t outer)
{
    uint64_t lengths[VV_NDIM_MAX];
    uint32_t ndim = 0;
    cli_span key, value;
    cli_scan scan;

    if (scan_begin(shape, &scan)) {
        while (ndim < VV_NDIM_MAX && scan_next(&scan, &key, &value))
            lengths[ndim++] = strtoull(value.at, NULL, 10);
    }
    uint64_t elements = product_of(lengths, ndim);
    out_format("    %-8s", what);
    print_lengths(lengths, ndim);
    out_format(" (%" PRIu64 " in each shard, of ", elements ? outer / elements : 0);
    print_size(meta, elements);
    out_text(")\n");
    return elements;
}

static void print_index(cli_span shards)
{
    cli_span place, codecs, none;
    bool start = scan_find(shards, "index_location", &place) &&
                 memcmp(scan_unquoted(place).at, "start", 5) == 0;

    out_format("    index   at the %s of each shard", start ? "start" : "end");
    if (scan_find(shards, "index_codecs", &codecs)) {
        out_text(": ");
        print_codecs(codecs, true, &none);
    }
    out_text("\n");
}

/* Shards, the chunks in them, and how these are encoded; shards may hold shards. */
static void print_grid(const vv_array *array, cli_span codecs)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    cli_span shards, inner, shape;
    size_t n = print_codecs(codecs, false, &shards);
    uint64_t elements = print_outer(array, shards.at ? "shards" : "chunks",
                                    shards.at ? "shard" : "chunk");

    while (shards.at && scan_find(shards, "chunk_shape", &shape) &&
           scan_find(shards, "codecs", &inner)) {
        cli_span deeper;
        if (n > 1) {
            out_text("    codecs  ");
            print_codecs(codecs, true, &deeper);
            out_text("\n");
        }
        print_index(shards);
        n = print_codecs(inner, false, &deeper);
        elements = print_inner(meta, deeper.at ? "shards" : "chunks", shape, elements);
        codecs = inner;
        shards = deeper;
    }
    out_text("    codecs  ");
    print_codecs(codecs, true, &shards);
    out_text("\n");
}

static void print_fill(const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    char text[128];

    if (!meta->fill_value)
        return;
    vv_array_element_format(array, meta->fill_value, text, sizeof(text));
    bool quoted = meta->dtype == VV_STRING || meta->dtype == VV_FIXED_UTF32 ||
                  meta->dtype == VV_NULL_TERMINATED_BYTES;
    out_text(quoted ? "    fill    \"" : "    fill    ");
    out_name(text);
    out_text(quoted ? "\"\n" : "\n");
}

static vv_status print_array(cli_call *call, vv_store *store, const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    char dtype[CLI_DTYPE_MAX];
    const char *path = vv_array_path(array);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    vv_buf document = VV_BUF_INIT;
    cli_span codecs;

    vv_status status = vv_array_metadata_json(array, &document, &call->err);
    if (status)
        return status;
    /* The chain in hand is that of inner chunks; the document has all of it. Version 2 has no shards. */
    if (meta->zarr_format == 2 ||
        !scan_find((cli_span){ (const char *)document.data, document.len }, "codecs",
                   &codecs))
        codecs = (cli_span){ meta->codecs, strlen(meta->codecs) };
    out_text(cli_color(call->color_out, "bold"));
    out_name(path);
    out_text(cli_color(call->color_out, "off"));
    out_text(" ");
    print_dimensions(meta);
    dtype_text(meta, dtype);
    out_format(" %s\n", dtype);
    if (meta->zarr_format == 2)
        out_text("    format  Zarr version 2\n");
    out_text("    shape   ");
    print_lengths(meta->shape, meta->ndim);
    out_text("\n");
    print_grid(array, codecs);
    layout_print_index(store, path);
    print_fill(array);
    if (meta->attributes)
        print_attributes(name, (cli_span){ meta->attributes, strlen(meta->attributes) });
    vv_buf_clear(&document);
    return VV_OK;
}

static vv_status array_json(cli_call *call, vv_store *store, const vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t grid[VV_NDIM_MAX];
    vv_buf document = VV_BUF_INIT;

    json_array_shape(meta);
    vv_array_grid(array, grid);
    json_uints("grid", grid, meta->ndim);
    if (!vv_dtype_is_variable(meta->dtype))
        json_uint("chunk_bytes", chunk_bytes(meta));
    if (meta->inner_chunk_shape)
        json_uints("inner_chunks", meta->inner_chunk_shape, meta->ndim);
    json_uint("zarr_format", meta->zarr_format);
    layout_json_index(store, vv_array_path(array));
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
        status = array_json(call, store, array);
    } else if (!status) {
        status = print_array(call, store, array);
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

static vv_status describe(cli_call *call, vv_store *store, const cli_layout *layout,
                          const cli_nodes *nodes)
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
            if (i == 0)
                layout_json(layout);
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
    cli_layout layout;

    vv_status status = cli_open_root(call, call->args[0], &store);
    if (!status)
        status = layout_read(call, store, &layout);
    if (!status)
        status = cli_nodes_read(call, store, cli_trim_slashes(copy), true, &nodes);
    if (!status && !call->json && call->arg_count == 1)
        layout_print(&layout);
    if (!status)
        status = describe(call, store, &layout, &nodes);
    cli_nodes_clear(&nodes);
    vv_store_free(store);
    free(copy);
    return status;
}
