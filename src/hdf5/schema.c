/* The schema of a recording as JSON, in its file. */
#include "hdf5/layout.h"

#include "util/buf.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BEGINNING "{\"varvite_recording\": 1, \"id\": \""

size_t vvi_hdf5_schema_id(void)
{
    return sizeof(BEGINNING) - 1;
}

const char *vvi_hdf5_codec_name(vv_compression_codec codec)
{
    static const char *const names[] = { NULL, "none", "zstd", "gzip", "lzf", "blosc" };

    return (size_t)codec < sizeof(names) / sizeof(names[0]) ? names[codec] : NULL;
}

/* ---- pieces -------------------------------------------------------------------------------- */

static vv_status parse_tree(const vv_tree *tree, vvi_json **out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vv_tree_to_json(tree, &text, err);

    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), out, err);
    vv_buf_clear(&text);
    return status;
}

static vvi_json *dimensions(uint32_t ndim, const uint64_t *shape)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    for (uint32_t d = 0; list && d < ndim; d++)
        if (vvi_json_append(list, vvi_json_new_uint64(shape[d]), NULL)) {
            vvi_json_free(list);
            return NULL;
        }
    return list;
}

static vvi_json *type_name(const vvi_dtype *dtype)
{
    char raw[32];

    if (dtype->code != VV_RAW)
        return vvi_json_new_text(vv_dtype_name(dtype->code));
    snprintf(raw, sizeof(raw), "r%zu", 8 * dtype->item);
    return vvi_json_new_text(raw);
}

static vv_status write_leaf(const vvi_plan_leaf *leaf, uint64_t number, vvi_json *out,
                            vv_error *err)
{
    VVI_TRY(vvi_json_set(out, "name", vvi_json_new_text(leaf->name), err));
    VVI_TRY(vvi_json_set(out, "dtype", type_name(&leaf->dtype), err));
    VVI_TRY(vvi_json_set(out, "shape", dimensions(leaf->ndim, leaf->shape), err));
    return vvi_json_set(out, "number", vvi_json_new_uint64(number), err);
}

static vv_status write_frequency(const vvi_plan_group *group, vvi_json *out,
                                 vv_error *err)
{
    switch (group->kind) {
    case VVI_GROUP_ONCE:
        return vvi_json_set(out, "once", vvi_json_new_bool(true), err);
    case VVI_GROUP_ROWS:
        return vvi_json_set(out, "every", vvi_json_new_uint64(group->frequency.every),
                            err);
    default:
        return vvi_json_set(out, "placed", dimensions(group->extent_ndim, group->extent),
                            err);
    }
}

static vv_status write_compression(const vv_compression *compression, vvi_json *out,
                                   vv_error *err)
{
    VVI_TRY(vvi_json_set(
        out, "codec", vvi_json_new_text(vvi_hdf5_codec_name(compression->codec)), err));
    VVI_TRY(vvi_json_set(out, "level", vvi_json_new_int64(compression->level), err));
    return vvi_json_set(out, "shuffle", vvi_json_new_bool(!compression->no_shuffle), err);
}

/* A new container in its place. It belongs to what holds it, which the caller frees. */
static vv_status nest(vvi_json *in, const char *name, vvi_json_kind kind, vvi_json **out,
                      vv_error *err)
{
    *out = vvi_json_new(kind);
    return name ? vvi_json_set(in, name, *out, err) : vvi_json_append(in, *out, err);
}

static vv_status write_group(const vvi_plan_group *group, vvi_json *out, vv_error *err)
{
    size_t leaf_count = group->leaf_count - (group->kind == VVI_GROUP_ROWS);
    vvi_json *inner, *list, *tree = NULL;

    VVI_TRY(vvi_json_set(out, "name", vvi_json_new_text(group->name), err));
    VVI_TRY(nest(out, "frequency", VVI_JSON_OBJECT, &inner, err));
    VVI_TRY(write_frequency(group, inner, err));
    VVI_TRY(parse_tree(group->tree, &tree, err));
    VVI_TRY(vvi_json_set(out, "tree", tree, err));
    VVI_TRY(nest(out, "leaves", VVI_JSON_ARRAY, &list, err));
    for (size_t i = 0; i < leaf_count; i++) {
        VVI_TRY(nest(list, NULL, VVI_JSON_OBJECT, &inner, err));
        VVI_TRY(write_leaf(&group->leaves[i], group->given ? group->given[i] : i, inner,
                           err));
    }
    VVI_TRY(nest(out, "compression", VVI_JSON_OBJECT, &inner, err));
    return write_compression(&group->compression, inner, err);
}

static vvi_json *now_text(void)
{
    time_t now = time(NULL);
    struct tm utc;
    char text[32];

    if (!gmtime_r(&now, &utc))
        return vvi_json_new(VVI_JSON_NULL);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return vvi_json_new_text(text);
}

static vv_status write_schema(const vvi_plan *plan, const char *recording, vvi_json *out,
                              vv_error *err)
{
    vvi_json *list, *inner, *tree = NULL;

    VVI_TRY(vvi_json_set(out, "varvite_recording", vvi_json_new_int64(1), err));
    VVI_TRY(vvi_json_set(out, "id", vvi_json_new_text(recording), err));
    VVI_TRY(parse_tree(plan->config, &tree, err));
    VVI_TRY(vvi_json_set(out, "config", tree, err));
    VVI_TRY(nest(out, "groups", VVI_JSON_ARRAY, &list, err));
    for (size_t g = 0; g < plan->group_count; g++) {
        VVI_TRY(nest(list, NULL, VVI_JSON_OBJECT, &inner, err));
        VVI_TRY(write_group(&plan->groups[g], inner, err));
    }
    VVI_TRY(
        vvi_json_set(out, "checksum", vvi_json_new_bool(plan->options.checksum), err));
    return vvi_json_set(out, "created", now_text(), err);
}

vv_status vvi_hdf5_schema_text(const vvi_plan *plan, const char *recording, vv_buf *out,
                               vv_error *err)
{
    vvi_json *schema = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status;

    if (!schema)
        return vvi_fail_nomem(err, 0);
    status = write_schema(plan, recording, schema, err);
    if (!status)
        status = vvi_json_write(schema, 0, out, err);
    if (!status)
        status = vvi_buf_terminate(out, err);
    vvi_json_free(schema);
    /* The journal is told where the id stands. */
    if (!status && (out->len < sizeof(BEGINNING) ||
                    memcmp(out->data, BEGINNING, sizeof(BEGINNING) - 1) != 0))
        status = vvi_fail(err, VV_EINVAL, "the schema's text begins otherwise");
    return status;
}
