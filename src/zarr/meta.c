/* Reading array and group metadata. */
#include "zarr/meta.h"

#include "codec/sharding.h"
#include "util/alloc.h"

#include <string.h>

/* ---- what every document has ----------------------------------------------------------------- */

/*
 * A member that we do not know may be passed by only when it says so itself.
 */
static vv_status check_members(const vvi_json *document, const char *const *known,
                               vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(document); m; m = vvi_json_next(m)) {
        const char *const *name = known;
        bool needed = true;

        while (*name && strcmp(*name, vvi_json_name(m)) != 0)
            name++;
        if (*name)
            continue;
        if (!vvi_json_bool(vvi_json_get(m, "must_understand"), &needed) || needed)
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "member '%s' is not known to this build", vvi_json_name(m));
    }
    return VV_OK;
}

vv_status vvi_meta_wrong(const char *member, const vvi_json *value, const char *wanted,
                         vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "member '%s' is %s, not %s", member,
                    vvi_json_kind_name(value), wanted);
}

vv_status vvi_check_format(const vvi_json *document, int64_t wanted, vv_error *err)
{
    const vvi_json *format = vvi_json_get(document, "zarr_format");
    int64_t number;

    if (!vvi_json_is(document, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_ECORRUPT, "the document is %s, not an object",
                        vvi_json_kind_name(document));
    if (!vvi_json_int64(format, &number))
        return vvi_meta_wrong("zarr_format", format, wanted == 2 ? "2" : "3", err);
    if (number != wanted)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "zarr_format %" PRId64 "; under this key it is %" PRId64, number,
                        wanted);
    return VV_OK;
}

static vv_status check_attributes(const vvi_json *document, vv_error *err)
{
    const vvi_json *attributes = vvi_json_get(document, "attributes");

    if (attributes && !vvi_json_is(attributes, VVI_JSON_OBJECT))
        return vvi_meta_wrong("attributes", attributes, "an object", err);
    return VV_OK;
}

vv_status vvi_document_kind(const vvi_json *document, vv_node_kind *out, vv_error *err)
{
    static const char *const known[] = { "zarr_format", "node_type", "attributes",
                                         "consolidated_metadata", NULL };
    const vvi_json *type = vvi_json_get(document, "node_type");

    VVI_TRY(vvi_check_format(document, 3, err));
    VVI_TRY(check_attributes(document, err));
    if (vvi_json_is_text(type, "array")) {
        *out = VV_NODE_ARRAY;
        return VV_OK;
    }
    if (!vvi_json_is_text(type, "group"))
        return vvi_meta_wrong("node_type", type, "\"array\" or \"group\"", err);
    VVI_TRY(check_members(document, known, err));
    *out = VV_NODE_GROUP;
    return VV_OK;
}

/* ---- arrays -------------------------------------------------------------------------------- */

/*
 * The members of an extension, or of its configuration, are those that we know, or say themselves that they
 * may be passed by.
 */
static vv_status check_known(const char *member, const vvi_json *object,
                             const char *const *known, vv_error *err)
{
    vv_status status = check_members(object, known, err);

    return status ? vvi_wrap(err, status, "member '%s'", member) : VV_OK;
}

/* An extension is named by a string, or by an object with a name and perhaps a configuration. What it
 * says of must_understand changes nothing: without these three there is no reading at all. */
static vv_status read_extension(const vvi_json *document, const char *member,
                                const char **name, const vvi_json **settings,
                                vv_error *err)
{
    /* Earlier writers put the separator beside the name. */
    static const char *const known[] = { "name", "configuration", "must_understand",
                                         "separator", NULL };
    const vvi_json *value = vvi_json_get(document, member);

    *settings = vvi_json_get(value, "configuration");
    *name = vvi_json_text(value, NULL);
    if (!*name)
        *name = vvi_json_text(vvi_json_get(value, "name"), NULL);
    if (!*name)
        return vvi_meta_wrong(member, value, "a name or an object with one", err);
    if (*settings && !vvi_json_is(*settings, VVI_JSON_OBJECT) &&
        !vvi_json_is(*settings, VVI_JSON_NULL))
        return vvi_fail(err, VV_ECORRUPT,
                        "member '%s': its configuration is %s, not an object", member,
                        vvi_json_kind_name(*settings));
    return check_known(member, value, known, err);
}

static vv_status read_lengths(const vvi_json *list, const char *member, uint64_t *out,
                              uint32_t *count, vv_error *err)
{
    if (!vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_meta_wrong(member, list, "a list of lengths", err);
    if (vvi_json_count(list) > VV_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "member '%s': %zu dimensions; at most %d are handled", member,
                        vvi_json_count(list), VV_NDIM_MAX);
    *count = 0;
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item))
        if (!vvi_json_uint64(item, &out[(*count)++]))
            return vvi_fail(err, VV_ECORRUPT,
                            "member '%s': a length that is no whole number", member);
    return VV_OK;
}

static vv_status read_grid(vvi_meta *meta, vv_error *err)
{
    static const char *const known[] = { "chunk_shape", NULL };
    uint64_t shape[VV_NDIM_MAX];
    uint64_t chunk[VV_NDIM_MAX];
    const vvi_json *settings;
    const char *name;
    uint32_t ndim;
    uint32_t chunk_ndim;

    VVI_TRY(
        read_lengths(vvi_json_get(meta->document, "shape"), "shape", shape, &ndim, err));
    VVI_TRY(read_extension(meta->document, "chunk_grid", &name, &settings, err));
    if (strcmp(name, "rectilinear") == 0)
        return vvi_rectilinear_read(settings, ndim, shape, &meta->grid, &meta->edges,
                                    err);
    if (strcmp(name, "regular") != 0)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "chunk_grid '%s' is not known to this build", name);
    VVI_TRY(check_known("chunk_grid", settings, known, err));
    VVI_TRY(read_lengths(vvi_json_get(settings, "chunk_shape"), "chunk_shape", chunk,
                         &chunk_ndim, err));
    if (ndim != chunk_ndim)
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'chunk_grid': %" PRIu32
                        " dimensions; the shape has %" PRIu32,
                        chunk_ndim, ndim);
    for (uint32_t i = 0; i < ndim; i++)
        /* Some writers let the chunk be as long as a dimension of no length. */
        if (chunk[i] == 0 && shape[i] == 0)
            chunk[i] = 1;
    if (vvi_grid_init(&meta->grid, ndim, shape, chunk, err))
        return vvi_wrap(err, VV_ECORRUPT, "member 'chunk_grid'");
    return VV_OK;
}

static vv_status read_keys(vvi_meta *meta, vv_error *err)
{
    static const char *const known[] = { "separator", NULL };
    const vvi_json *value = vvi_json_get(meta->document, "chunk_key_encoding");
    const vvi_json *separator;
    const vvi_json *settings;
    const char *name;

    VVI_TRY(read_extension(meta->document, "chunk_key_encoding", &name, &settings, err));
    meta->keys.v2 = strcmp(name, "v2") == 0;
    if (!meta->keys.v2 && strcmp(name, "default") != 0)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "chunk_key_encoding '%s' is not known to this build", name);
    VVI_TRY(check_known("chunk_key_encoding", settings, known, err));
    separator = vvi_json_get(settings, "separator");
    if (!separator)
        separator = vvi_json_get(value, "separator");
    meta->keys.separator = meta->keys.v2 ? '.' : '/';
    if (vvi_json_is_text(separator, "/") || vvi_json_is_text(separator, "."))
        meta->keys.separator = *vvi_json_text(separator, NULL);
    else if (separator)
        return vvi_meta_wrong("separator", separator, "\"/\" or \".\"", err);
    return VV_OK;
}

vv_status vvi_meta_chain_new(const vvi_meta *meta, const uint64_t *chunk_shape,
                             vvi_codec_chain **out, vv_error *err)
{
    vvi_codec_array array = { .dtype = meta->dtype,
                              .fill = meta->fill.data,
                              .ndim = meta->grid.ndim,
                              .shape = chunk_shape };
    vv_status status;

    VVI_TRY(vvi_product(array.ndim, chunk_shape, &array.elements, err));
    status = vvi_codec_chain_new(vvi_json_get(meta->document, "codecs"), &array, out,
                                 err);
    return status ? vvi_wrap(err, status, "member 'codecs'") : VV_OK;
}

static vv_status read_dimension_names(vvi_meta *meta, vv_error *err)
{
    const vvi_json *names = vvi_json_get(meta->document, "dimension_names");
    uint32_t i = 0;

    if (!names || vvi_json_is(names, VVI_JSON_NULL))
        return VV_OK;
    if (!vvi_json_is(names, VVI_JSON_ARRAY) || vvi_json_count(names) != meta->grid.ndim)
        return vvi_fail(
            err, VV_ECORRUPT,
            "member 'dimension_names' is no list of as many names as the shape has "
            "dimensions (%" PRIu32 ")",
            meta->grid.ndim);
    meta->dimension_names = vvi_alloc_array(meta->grid.ndim,
                                            sizeof(*meta->dimension_names));
    if (!meta->dimension_names)
        return vvi_fail_nomem(err, 0);
    for (const vvi_json *item = vvi_json_first(names); item; item = vvi_json_next(item)) {
        if (!vvi_json_is(item, VVI_JSON_STRING) && !vvi_json_is(item, VVI_JSON_NULL))
            return vvi_meta_wrong("dimension_names", item, "a string or null", err);
        meta->dimension_names[i++] = vvi_json_text(item, NULL);
    }
    return VV_OK;
}

/* Those that may be passed by say so. */
static vv_status check_transformers(const vvi_json *document, vv_error *err)
{
    const vvi_json *list = vvi_json_get(document, "storage_transformers");

    if (list && !vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_meta_wrong("storage_transformers", list,
                              "a list of named transformers", err);
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        const char *name = vvi_json_text(item, NULL);
        bool needed = true;

        if (!name)
            name = vvi_json_text(vvi_json_get(item, "name"), NULL);
        if (!name)
            return vvi_meta_wrong("storage_transformers", item,
                                  "a name or an object with one", err);
        if (!vvi_json_bool(vvi_json_get(item, "must_understand"), &needed) || needed)
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "storage transformer '%s' is not known to this build", name);
    }
    return VV_OK;
}

/* Its member is an extension as the others are. */
static vv_status read_dtype(vvi_meta *meta, vv_error *err)
{
    const vvi_json *settings;
    const char *name;

    VVI_TRY(vvi_dtype_read(vvi_json_get(meta->document, "data_type"), &meta->dtype, err));
    return read_extension(meta->document, "data_type", &name, &settings, err);
}

/* The codecs are made for the longest chunk; inner chunks have to divide the others too. */
static vv_status check_shards(const vvi_meta *meta, vv_error *err)
{
    const vvi_sharding *sharding = vvi_codec_chain_sharding(meta->chain);

    for (uint32_t d = 0; sharding && d < meta->grid.ndim; d++)
        for (uint64_t i = 0; i < meta->edges.counts[d]; i++)
            if (meta->edges.lengths[d][i] % sharding->grid.chunk[d])
                return vvi_fail(err, VV_ECORRUPT,
                                "member 'chunk_shapes': inner chunks of %" PRIu64
                                " do not divide the %" PRIu64
                                " elements of chunk %" PRIu64 " in dimension %" PRIu32,
                                sharding->grid.chunk[d], meta->edges.lengths[d][i], i, d);
    return VV_OK;
}

vv_status vvi_meta_read(vvi_meta *meta, vvi_json *document, vv_error *err)
{
    static const char *const known[] = { "zarr_format",
                                         "node_type",
                                         "shape",
                                         "data_type",
                                         "chunk_grid",
                                         "chunk_key_encoding",
                                         "fill_value",
                                         "codecs",
                                         "attributes",
                                         "storage_transformers",
                                         "dimension_names",
                                         "consolidated_metadata",
                                         NULL };

    meta->document = document;
    VVI_TRY(vvi_check_format(document, 3, err));
    VVI_TRY(check_attributes(document, err));
    VVI_TRY(check_members(document, known, err));
    VVI_TRY(read_dtype(meta, err));
    VVI_TRY(read_grid(meta, err));
    VVI_TRY(read_keys(meta, err));
    VVI_TRY(vvi_fill_read(&meta->dtype, vvi_json_get(document, "fill_value"), &meta->fill,
                          err));
    VVI_TRY(vvi_meta_chain_new(meta, meta->grid.chunk, &meta->chain, err));
    VVI_TRY(check_shards(meta, err));
    VVI_TRY(check_transformers(document, err));
    return read_dimension_names(meta, err);
}

void vvi_meta_clear(vvi_meta *meta)
{
    vvi_json_free(meta->document);
    vvi_codec_chain_free(meta->chain);
    vv_buf_clear(&meta->fill);
    vvi_edges_clear(&meta->edges);
    vvi_free(meta->dimension_names);
    memset(meta, 0, sizeof(*meta));
}
