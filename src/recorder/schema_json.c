/* Schemas ↔ JSON; docs/recording.md, "A schema as JSON". */
#include "recorder/schema.h"

#include "pytree/tree.h"
#include "recorder/sink.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* A text is read up to a zero character, so it must not have one. */
static vv_status check_text(const vvi_json *json, vv_error *err)
{
    size_t len = 0;
    const char *text = vvi_json_text(json, &len);

    return text && strlen(text) != len
               ? vvi_fail(err, VV_EINVAL, "a zero character in '%.60s'", text)
               : VV_OK;
}

/* ---- members ----------------------------------------------------------------------------------- */

/* Is a member of an object there a second time? The names in front of it are known ones and differ, so they are few. */
static vv_status check_once(const vvi_json *object, const vvi_json *member, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(object); m != member; m = vvi_json_next(m))
        if (strcmp(vvi_json_name(m), vvi_json_name(member)) == 0)
            return vvi_fail(err, VV_EINVAL, "member '%.40s' is there twice",
                            vvi_json_name(m));
    return VV_OK;
}

/* ---- types and compression -------------------------------------------------------------------- */

/* "float32", "r24". */
static vv_status read_type_name(const char *text, size_t len, vv_leaf_type *out,
                                vv_error *err)
{
    char name[32];
    size_t bits = 0;

    if (len && len < sizeof(name)) {
        memcpy(name, text, len);
        name[len] = '\0';
        out->dtype = vv_dtype_by_name(name);
        if (name[0] == 'r' && len > 1 && len < 12 &&
            strspn(name + 1, "0123456789") == len - 1 && name[1] != '0') {
            for (const char *at = name + 1; *at; at++)
                bits = bits * 10 + (size_t)(*at - '0');
            out->dtype = bits % 8 == 0 ? VV_RAW : VV_DTYPE_NONE;
            out->item_size = bits / 8;
        } else if (out->dtype == VV_RAW) {
            out->dtype = VV_DTYPE_NONE; /* "r*" is no type */
        }
    }
    if (out->dtype == VV_DTYPE_NONE)
        return vvi_fail(err, VV_EINVAL, "'%.*s' is no type", len < 60 ? (int)len : 60,
                        text);
    return VV_OK;
}

/* "float32[1000,3]"; shape has room for VV_RECORDER_NDIM_MAX. */
static vv_status read_type(const char *text, vv_leaf_type *out, uint64_t *shape,
                           vv_error *err)
{
    size_t len = strcspn(text, "[");
    const char *at = text + len;

    *out = (vv_leaf_type){ .shape = shape };
    VVI_TRY(read_type_name(text, len, out, err));
    if (!*at)
        return VV_OK;
    do {
        uint64_t number = 0;
        const char *digits;

        for (at++; *at == ' '; at++)
            ;
        for (digits = at; *at >= '0' && *at <= '9' && at - digits < 19; at++)
            number = number * 10 + (uint64_t)(*at - '0');
        if (at == digits || (*at != ',' && *at != ']') ||
            out->ndim == VV_RECORDER_NDIM_MAX)
            return vvi_fail(err, VV_EINVAL,
                            "'%.60s' is no type and shape as \"float32[1000,3]\"", text);
        shape[out->ndim++] = number;
    } while (*at == ',');
    return at[1] ? vvi_fail(err, VV_EINVAL, "'%.60s': something follows the shape", text)
                 : VV_OK;
}

static const char *const codec_names[] = {
    [VV_COMPRESS_DEFAULT] = "default", [VV_COMPRESS_NONE] = "none",
    [VV_COMPRESS_ZSTD] = "zstd",       [VV_COMPRESS_GZIP] = "gzip",
    [VV_COMPRESS_LZF] = "lzf",         [VV_COMPRESS_BLOSC] = "blosc"
};
#define CODECS (sizeof(codec_names) / sizeof(codec_names[0]))

/* "zstd" or "zstd:3". */
static vv_status read_codec(const char *text, vv_compression *out, vv_error *err)
{
    size_t len = strcspn(text, ":");
    unsigned codec = 0;

    while (codec < CODECS && (strlen(codec_names[codec]) != len ||
                              memcmp(codec_names[codec], text, len) != 0))
        codec++;
    if (codec == CODECS)
        return vvi_fail(err, VV_EINVAL,
                        "compression '%.40s' is none of none, zstd, gzip, lzf, blosc",
                        text);
    out->codec = (vv_compression_codec)codec;
    if (text[len]) {
        const char *digits = text + len + 1;
        bool minus = *digits == '-';
        int32_t level = 0;

        digits += minus;
        if (!*digits || strlen(digits) > 6 ||
            strspn(digits, "0123456789") != strlen(digits))
            return vvi_fail(err, VV_EINVAL, "compression '%.40s' has no level", text);
        for (; *digits; digits++)
            level = level * 10 + (*digits - '0');
        if (!level)
            return vvi_fail(err, VV_EINVAL, "level 0 of compression; leave it out");
        out->level = minus ? -level : level;
    }
    return vvi_compression_check(out, err);
}

static vv_status read_level(const vvi_json *json, int32_t *out, vv_error *err)
{
    int64_t level;

    if (!vvi_json_int64(json, &level) || level < INT32_MIN || level > INT32_MAX || !level)
        return vvi_fail(err, VV_EINVAL, "'level' must be an integer and not 0");
    *out = (int32_t)level;
    return VV_OK;
}

/* A text, or {"codec", "level", "shuffle", "chunk_bytes"}. */
static vv_status read_compression(const vvi_json *json, vv_compression *out,
                                  vv_error *err)
{
    const char *text = vvi_json_text(json, NULL);

    *out = (vv_compression){ 0 };
    VVI_TRY(check_text(json, err));
    if (text)
        return read_codec(text, out, err);
    if (!vvi_json_is(json, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_EINVAL, "'compression' is %s, not a text or an object",
                        vvi_json_kind_name(json));
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        const char *name = vvi_json_name(m);
        bool shuffle;

        VVI_TRY(check_text(m, err));
        VVI_TRY(check_once(json, m, err));
        if (strcmp(name, "codec") == 0 && vvi_json_text(m, NULL) &&
            !strchr(vvi_json_text(m, NULL), ':')) {
            VVI_TRY(read_codec(vvi_json_text(m, NULL), out, err));
        } else if (strcmp(name, "level") == 0) {
            VVI_TRY(read_level(m, &out->level, err));
        } else if (strcmp(name, "shuffle") == 0 && vvi_json_bool(m, &shuffle)) {
            out->no_shuffle = !shuffle;
        } else if (strcmp(name, "chunk_bytes") != 0 ||
                   !vvi_json_uint64(m, &out->chunk_bytes) || !out->chunk_bytes) {
            return vvi_fail(err, VV_EINVAL,
                            "compression: member '%.40s' is none, or wrong", name);
        }
    }
    return vvi_compression_check(out, err);
}

/* ---- leaves: the short form to the full one ----------------------------------------------------- */

/* Leaves as they stand in the text. */
typedef struct leaf_list {
    vv_leaf_type *types;
    size_t count, cap;
    vv_buf path; /* of the node that is read */
} leaf_list;

static void clear_list(leaf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        vvi_free((void *)list->types[i].shape);
    vvi_free(list->types);
    vv_buf_clear(&list->path);
}

static vv_status add_type(leaf_list *list, const vv_leaf_type *type, vv_error *err)
{
    uint64_t *shape;

    VVI_TRY(vvi_grow((void **)&list->types, &list->cap, list->count + 1,
                     sizeof(*list->types), err));
    shape = vvi_alloc_array(type->ndim, sizeof(*shape));
    if (!shape)
        return vvi_fail_nomem(err, type->ndim * sizeof(*shape));
    if (type->ndim)
        memcpy(shape, type->shape, type->ndim * sizeof(*shape));
    list->types[list->count] = *type;
    list->types[list->count++].shape = shape;
    return VV_OK;
}

/* {"kind": "leaf", "leaf": n}, of the type that was added last. */
static vv_status put_leaf(const leaf_list *list, vvi_json *out, vv_error *err)
{
    VVI_TRY(vvi_json_set(out, "kind", vvi_json_new_text("leaf"), err));
    return vvi_json_set(out, "leaf", vvi_json_new_uint64(list->count - 1), err);
}

/* Is name one of the members that a node may have? */
static bool is_member(const char *name)
{
    static const char *const names[] = { "kind",   "children", "keys",  "class", "meta",
                                         "fields", "leaf",     "dtype", "shape" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A text that stays the document's. */
static vv_status read_units(const vvi_json *json, const char **out, vv_error *err)
{
    size_t len = 0;

    if (!json)
        return VV_OK;
    *out = vvi_json_text(json, &len);
    if (!len)
        return vvi_fail(err, VV_EINVAL, "'units' must be a text, and not empty");
    return check_text(json, err);
}

/* {"kind": "leaf", "dtype": "float32", "shape": [1000, 3], "units": "nm"} */
static vv_status read_full_leaf(const vvi_json *json, leaf_list *list, vvi_json *out,
                                vv_error *err)
{
    const char *name = vvi_json_text(vvi_json_get(json, "dtype"), NULL);
    const vvi_json *shape = vvi_json_get(json, "shape");
    uint64_t dims[VV_RECORDER_NDIM_MAX];
    vv_leaf_type type = { .shape = dims };

    if (!name)
        return vvi_fail(err, VV_EINVAL, "a leaf needs its 'dtype'");
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        if (!is_member(vvi_json_name(m)) && strcmp(vvi_json_name(m), "units") != 0)
            return vvi_fail(err, VV_EINVAL, "a leaf has no member '%.40s'",
                            vvi_json_name(m));
        VVI_TRY(check_once(json, m, err));
    }
    VVI_TRY(check_text(vvi_json_get(json, "dtype"), err));
    VVI_TRY(read_type_name(name, strlen(name), &type, err));
    if (shape && (!vvi_json_is(shape, VVI_JSON_ARRAY) ||
                  vvi_json_count(shape) > VV_RECORDER_NDIM_MAX))
        return vvi_fail(err, VV_EINVAL, "'shape' must be a list of at most %d lengths",
                        VV_RECORDER_NDIM_MAX);
    for (const vvi_json *d = vvi_json_first(shape); d; d = vvi_json_next(d))
        if (!vvi_json_uint64(d, &dims[type.ndim++]))
            return vvi_fail(err, VV_EINVAL, "'shape' must be a list of lengths");
    VVI_TRY(read_units(vvi_json_get(json, "units"), &type.units, err));
    VVI_TRY(add_type(list, &type, err));
    return put_leaf(list, out, err);
}

static vv_status expand(const vvi_json *json, leaf_list *list, vvi_json **out,
                        vv_error *err);

/* Add the children of an object or a list to "children"; names: and of the object to "keys". */
static vv_status expand_children(const vvi_json *from, leaf_list *list, bool names,
                                 vvi_json *out, vv_error *err)
{
    size_t len = list->path.len;
    size_t i = 0;

    VVI_TRY(vvi_json_set(out, "children", vvi_json_new(VVI_JSON_ARRAY), err));
    if (names)
        VVI_TRY(vvi_json_set(out, "keys", vvi_json_new(VVI_JSON_ARRAY), err));
    for (const vvi_json *m = vvi_json_first(from); m; m = vvi_json_next(m), i++) {
        vvi_json *child = NULL;

        if (names) {
            VVI_TRY(vvi_buf_printf(&list->path, err, "['%s']", vvi_json_name(m)));
            VVI_TRY(vvi_json_append(vvi_json_get(out, "keys"),
                                    vvi_json_new_text(vvi_json_name(m)), err));
        } else {
            VVI_TRY(vvi_buf_printf(&list->path, err, "[%zu]", i));
        }
        VVI_TRY(expand(m, list, &child, err));
        VVI_TRY(vvi_json_append(vvi_json_get(out, "children"), child, err));
        list->path.len = len;
    }
    return VV_OK;
}

/* A node of docs/format/tree.md, whose children may be short again. */
static vv_status expand_node(const vvi_json *json, leaf_list *list, vvi_json *out,
                             vv_error *err)
{
    if (vvi_json_is_text(vvi_json_get(json, "kind"), "leaf"))
        return read_full_leaf(json, list, out, err);
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        const char *name = vvi_json_name(m);
        vvi_json *copy = NULL;

        if (!is_member(name))
            return vvi_fail(err, VV_EINVAL, "a node has no member '%.40s'", name);
        VVI_TRY(check_once(json, m, err));
        if (strcmp(name, "children") == 0) {
            if (!vvi_json_is(m, VVI_JSON_ARRAY))
                return vvi_fail(err, VV_EINVAL, "'children' is %s, not a list",
                                vvi_json_kind_name(m));
            VVI_TRY(expand_children(m, list, false, out, err));
            continue;
        }
        VVI_TRY(vvi_json_copy(m, &copy, err));
        VVI_TRY(vvi_json_set(out, name, copy, err));
    }
    return VV_OK;
}

static vv_status expand_into(const vvi_json *json, leaf_list *list, vvi_json *out,
                             vv_error *err)
{
    uint64_t shape[VV_RECORDER_NDIM_MAX];
    vv_leaf_type type;

    switch (vvi_json_kind_of(json)) {
    case VVI_JSON_NULL:
        return vvi_json_set(out, "kind", vvi_json_new_text("none"), err);
    case VVI_JSON_STRING:
        VVI_TRY(check_text(json, err));
        VVI_TRY(read_type(vvi_json_text(json, NULL), &type, shape, err));
        VVI_TRY(add_type(list, &type, err));
        return put_leaf(list, out, err);
    case VVI_JSON_ARRAY:
        VVI_TRY(vvi_json_set(out, "kind", vvi_json_new_text("list"), err));
        return expand_children(json, list, false, out, err);
    case VVI_JSON_OBJECT:
        if (vvi_json_get(json, "kind"))
            return expand_node(json, list, out, err);
        VVI_TRY(vvi_json_set(out, "kind", vvi_json_new_text("dict"), err));
        return expand_children(json, list, true, out, err);
    default:
        return vvi_fail(err, VV_EINVAL, "%s stands where a leaf or a tree should",
                        vvi_json_kind_name(json));
    }
}

/* JSON nests at most VVI_JSON_DEPTH_MAX deep, and so does this. */
static vv_status expand(const vvi_json *json, leaf_list *list, vvi_json **out,
                        vv_error *err)
{
    vvi_json *node = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status = node ? expand_into(json, list, node, err)
                            : vvi_fail_nomem(err, sizeof(node));

    if (status)
        vvi_json_free(node);
    else
        *out = node;
    return status;
}

static vv_status read_leaves(vv_schema *schema, size_t group, const vvi_json *json,
                             vv_error *err)
{
    leaf_list list = { 0 };
    vvi_json *full = NULL;
    vv_tree *tree = NULL;
    size_t *given = NULL;
    vv_status status = expand(json, &list, &full, err);

    if (status && list.path.len && !vvi_buf_terminate(&list.path, NULL))
        vvi_wrap(err, status, "leaf %.100s", (const char *)list.path.data);
    if (!status)
        status = vvi_tree_from_json(full, &tree, &given, err);
    if (!status)
        status = vvi_schema_take_tree(schema, group, tree, given, list.types, list.count,
                                      err);
    vvi_json_free(full);
    clear_list(&list);
    return status;
}

/* ---- groups --------------------------------------------------------------------------------- */

static vv_status read_every(const vvi_json *json, vv_frequency *out, bool *custom,
                            vv_error *err)
{
    uint64_t every = 0;

    *out = VV_ONCE;
    *custom = vvi_json_is_text(json, "custom");
    if (*custom || vvi_json_is_text(json, "once"))
        return VV_OK;
    if (!vvi_json_uint64(json, &every) || every == 0 || every > INT64_MAX)
        return vvi_fail(err, VV_EINVAL,
                        "'every' must be a number of steps, \"once\" or \"custom\"");
    *out = VV_EVERY(every);
    return VV_OK;
}

static vv_status read_group(vv_schema *schema, const vvi_json *json, vv_error *err)
{
    vv_compression compression = { 0 };
    const vvi_json *leaves = vvi_json_get(json, "leaves");
    vv_frequency frequency;
    bool custom;
    size_t group;

    if (!vvi_json_is(json, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_EINVAL, "%s, not an object", vvi_json_kind_name(json));
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        const char *name = vvi_json_name(m);

        if (strcmp(name, "every") != 0 && strcmp(name, "leaves") != 0 &&
            strcmp(name, "compression") != 0)
            return vvi_fail(err, VV_EINVAL, "a group has no member '%.40s'", name);
        VVI_TRY(check_once(json, m, err));
    }
    VVI_TRY(read_every(vvi_json_get(json, "every"), &frequency, &custom, err));
    if (vvi_json_get(json, "compression"))
        VVI_TRY(read_compression(vvi_json_get(json, "compression"), &compression, err));
    if (!leaves)
        return vvi_fail(err, VV_EINVAL, "'leaves' are missing");
    VVI_TRY(vv_schema_add_group(schema, vvi_json_name(json), frequency, &compression,
                                &group, err));
    schema->groups[group].custom = custom;
    return read_leaves(schema, group, leaves, err);
}

static vv_status read_groups(vv_schema *schema, const vvi_json *json, vv_error *err)
{
    if (!vvi_json_is(json, VVI_JSON_OBJECT) || !vvi_json_count(json))
        return vvi_fail(err, VV_EINVAL, "'groups' must be an object of groups");
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        vv_status status = read_group(schema, m, err);

        if (status)
            return vvi_wrap(err, status, "group '%.60s'", vvi_json_name(m));
    }
    return VV_OK;
}

/* Its leaves are the groups, in their order: numbers that say otherwise are not passed over. */
static vv_status read_config(vv_schema *schema, const vvi_json *json, vv_error *err)
{
    vv_tree *tree = NULL;
    size_t *stated = NULL;
    vv_status status = vvi_tree_from_json(json, &tree, &stated, err);

    for (size_t i = 0; !status && i < vv_tree_leaf_count(tree); i++)
        if (stated[i] && stated[i] != i)
            status = vvi_fail(
                err, VV_EINVAL,
                "leaf %zu, %s, is said to be %zu; keys of a dict are sorted", i,
                vv_tree_leaf_name(tree, i), stated[i]);
    if (!status)
        status = vv_schema_set_config(schema, tree, err);
    vv_tree_free(tree);
    vvi_free(stated);
    return status ? vvi_wrap(err, status, "'config'") : VV_OK;
}

static vv_status read_schema(vv_schema *schema, const vvi_json *json, vv_error *err)
{
    const vvi_json *config = vvi_json_get(json, "config");

    if (!vvi_json_is(json, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_EINVAL, "%s, not an object", vvi_json_kind_name(json));
    for (const vvi_json *m = vvi_json_first(json); m; m = vvi_json_next(m)) {
        if (strcmp(vvi_json_name(m), "groups") != 0 &&
            strcmp(vvi_json_name(m), "config") != 0)
            return vvi_fail(err, VV_EINVAL, "no member '%.40s' is known",
                            vvi_json_name(m));
        VVI_TRY(check_once(json, m, err));
    }
    VVI_TRY(read_groups(schema, vvi_json_get(json, "groups"), err));
    return config ? read_config(schema, config, err) : VV_OK;
}

vv_status vv_schema_from_json(const char *text, vv_schema **out, vv_error *err)
{
    vv_schema *schema = NULL;
    vvi_json *json = NULL;
    vv_status status = vvi_json_parse(vv_bytes_of(text), &json, err);

    if (status == VV_ECORRUPT)
        status = vvi_wrap(err, VV_EINVAL, "JSON");
    if (!status)
        status = vv_schema_new(&schema, err);
    if (!status)
        status = read_schema(schema, json, err);
    vvi_json_free(json);
    if (status) {
        vv_schema_free(schema);
        return vvi_wrap(err, status, "schema");
    }
    *out = schema;
    return VV_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

static vv_status write_compression(const vv_compression *compression, vv_buf *out,
                                   vv_error *err)
{
    VVI_TRY(vvi_buf_printf(out, err, ", \"compression\": {\"codec\": \"%s\"",
                           codec_names[compression->codec]));
    if (compression->level)
        VVI_TRY(vvi_buf_printf(out, err, ", \"level\": %d", (int)compression->level));
    if (compression->no_shuffle)
        VVI_TRY(vvi_buf_append_text(out, ", \"shuffle\": false", err));
    if (compression->chunk_bytes)
        VVI_TRY(vvi_buf_printf(out, err, ", \"chunk_bytes\": %" PRIu64,
                               compression->chunk_bytes));
    return vvi_buf_append_byte(out, '}', err);
}

/* Only the full form has room for units. */
static vv_status write_full_leaf(const vvi_schema_leaf *leaf, const char *type,
                                 vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_printf(out, err, "{\"kind\": \"leaf\", \"dtype\": \"%s\"", type));
    for (uint32_t i = 0; i < leaf->ndim; i++)
        VVI_TRY(vvi_buf_printf(out, err, "%s%" PRIu64, i ? ", " : ", \"shape\": [",
                               leaf->shape[i]));
    VVI_TRY(vvi_buf_printf(out, err, "%s, \"units\": ", leaf->ndim ? "]" : ""));
    VVI_TRY(vvi_json_write_string(vv_bytes_of(leaf->units), out, err));
    return vvi_buf_append_byte(out, '}', err);
}

static vv_status write_leaf(const vvi_schema_leaf *leaf, vv_buf *out, vv_error *err)
{
    char name[32];

    vvi_type_name(leaf->dtype.code, leaf->dtype.item, name);
    if (leaf->units)
        return write_full_leaf(leaf, name, out, err);
    VVI_TRY(vvi_buf_printf(out, err, "\"%s", name));
    for (uint32_t i = 0; i < leaf->ndim; i++)
        VVI_TRY(vvi_buf_printf(out, err, "%s%" PRIu64, i ? "," : "[", leaf->shape[i]));
    return vvi_buf_append_text(out, leaf->ndim ? "]\"" : "\"", err);
}

/* A dict that the short form can say. */
static bool is_plain_dict(const vvi_tree_node *node)
{
    if (node->kind != VVI_TREE_DICT)
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const vvi_py *key = node->keys->u.list.items[i];

        if (key->kind != VVI_PY_TEXT ||
            vvi_bytes_equal(vvi_py_bytes(key), vv_bytes_of("kind")) ||
            memchr(vvi_py_bytes(key).data, 0, vvi_py_bytes(key).len))
            return false;
    }
    return true;
}

/* The least of the caller's numbers below a node; SIZE_MAX: it has no leaf. */
static size_t least_number(const vvi_tree_node *node, const size_t *given)
{
    size_t least = node->kind == VVI_TREE_LEAF ? given[node->leaf] : SIZE_MAX;

    for (size_t i = 0; i < node->count; i++) {
        size_t below = least_number(node->children[i], given);

        if (below < least)
            least = below;
    }
    return least;
}

typedef struct placed_child {
    size_t number, child;
} placed_child;

static int compare_placed(const void *a, const void *b)
{
    const placed_child *p = a, *q = b;

    if (p->number != q->number)
        return p->number < q->number ? -1 : 1;
    return (p->child > q->child) - (p->child < q->child);
}

/* The children of a dict in the caller's order; of others as they stand. vvi_free(); NULL: out of memory. */
static placed_child *order_children(const vvi_tree_node *node, const size_t *given)
{
    placed_child *order = vvi_alloc_array(node->count, sizeof(*order));

    for (size_t i = 0; order && i < node->count; i++)
        order[i] = (placed_child){ least_number(node->children[i], given), i };
    if (order && node->count && node->kind == VVI_TREE_DICT)
        qsort(order, node->count, sizeof(*order), compare_placed);
    return order;
}

static vv_status write_tree(const vvi_schema_group *group, const vvi_tree_node *node,
                            vv_buf *out, vv_error *err);

static vv_status write_children(const vvi_schema_group *group, const vvi_tree_node *node,
                                const placed_child *order, bool keys, vv_buf *out,
                                vv_error *err)
{
    for (size_t i = 0; i < node->count; i++) {
        size_t child = order[i].child;

        if (i)
            VVI_TRY(vvi_buf_append_text(out, ", ", err));
        if (keys) {
            VVI_TRY(vvi_json_write_string(vvi_py_bytes(node->keys->u.list.items[child]),
                                          out, err));
            VVI_TRY(vvi_buf_append_text(out, ": ", err));
        }
        VVI_TRY(write_tree(group, node->children[child], out, err));
    }
    return VV_OK;
}

/* The members of a full node but its children. */
static vv_status write_head(const vvi_tree_node *node, const placed_child *order,
                            vv_buf *out, vv_error *err)
{
    static const char *const kinds[VVI_TREE_KINDS] = {
        [VVI_TREE_TUPLE] = "tuple",   [VVI_TREE_NAMEDTUPLE] = "namedtuple",
        [VVI_TREE_LIST] = "list",     [VVI_TREE_DICT] = "dict",
        [VVI_TREE_CUSTOM] = "custom", [VVI_TREE_DATACLASS] = "dataclass",
    };
    bool fields = false;

    VVI_TRY(vvi_buf_printf(out, err, "{\"kind\": \"%s\"", kinds[node->kind]));
    for (size_t i = 0; node->keys && i < node->count; i++) {
        VVI_TRY(vvi_buf_append_text(out, i ? ", " : ", \"keys\": [", err));
        VVI_TRY(vvi_py_write_json(node->keys->u.list.items[order[i].child], out, err));
    }
    if (node->keys)
        VVI_TRY(vvi_buf_append_text(out, node->count ? "]" : ", \"keys\": []", err));
    if (node->type) {
        VVI_TRY(vvi_buf_append_text(out, ", \"class\": \"", err));
        VVI_TRY(vvi_class_text(node->type, out, err));
        VVI_TRY(vvi_buf_append_byte(out, '"', err));
    }
    if (node->meta) {
        VVI_TRY(vvi_buf_append_text(out, ", \"meta\": ", err));
        VVI_TRY(vvi_py_write_json(node->meta, out, err));
    }
    for (size_t i = 0; node->fields && i < node->count; i++)
        fields = fields || node->fields[i];
    for (size_t i = 0; fields && i < node->count; i++) {
        VVI_TRY(vvi_buf_append_text(out, i ? ", " : ", \"fields\": [", err));
        if (node->fields[i])
            VVI_TRY(vvi_json_write_string(vv_bytes_of(node->fields[i]), out, err));
        else
            VVI_TRY(vvi_buf_append_text(out, "null", err));
    }
    return fields ? vvi_buf_append_byte(out, ']', err) : VV_OK;
}

/* Trees are at most VV_TREE_DEPTH_MAX deep, and so does this go. */
static vv_status write_tree(const vvi_schema_group *group, const vvi_tree_node *node,
                            vv_buf *out, vv_error *err)
{
    bool dict = is_plain_dict(node);
    placed_child *order;
    vv_status status;

    if (node->kind == VVI_TREE_LEAF)
        return write_leaf(&group->leaves[group->given[node->leaf]], out, err);
    if (node->kind == VVI_TREE_NONE)
        return vvi_buf_append_text(out, "null", err);
    order = order_children(node, group->given);
    if (!order)
        return vvi_fail_nomem(err, node->count * sizeof(*order));
    if (dict || node->kind == VVI_TREE_LIST)
        status = vvi_buf_append_byte(out, dict ? '{' : '[', err);
    else
        status = write_head(node, order, out, err);
    if (!status && !dict && node->kind != VVI_TREE_LIST)
        status = vvi_buf_append_text(out, ", \"children\": [", err);
    if (!status)
        status = write_children(group, node, order, dict, out, err);
    if (!status)
        status = vvi_buf_append_text(out,
                                     dict                          ? "}"
                                     : node->kind == VVI_TREE_LIST ? "]"
                                                                   : "]}",
                                     err);
    vvi_free(order);
    return status;
}

static vv_status write_group(const vvi_schema_group *group, vv_buf *out, vv_error *err)
{
    static const vv_compression usual = { 0 };

    VVI_TRY(vvi_json_write_string(vv_bytes_of(group->key), out, err));
    VVI_TRY(vvi_buf_append_text(out, ": {\"every\": ", err));
    if (group->custom)
        VVI_TRY(vvi_buf_append_text(out, "\"custom\"", err));
    else if (group->frequency.every)
        VVI_TRY(vvi_buf_printf(out, err, "%" PRIu64, group->frequency.every));
    else
        VVI_TRY(vvi_buf_append_text(out, "\"once\"", err));
    if (group->compression.codec != usual.codec || group->compression.level ||
        group->compression.no_shuffle || group->compression.chunk_bytes)
        VVI_TRY(write_compression(&group->compression, out, err));
    VVI_TRY(vvi_buf_append_text(out, ", \"leaves\": ", err));
    VVI_TRY(write_tree(group, group->tree->root, out, err));
    return vvi_buf_append_byte(out, '}', err);
}

static vv_status write_schema(const vv_schema *schema, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append_text(out, "{\"groups\": {", err));
    for (size_t i = 0; i < schema->count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_text(out, ", ", err));
        VVI_TRY(write_group(&schema->groups[i], out, err));
    }
    VVI_TRY(vvi_buf_append_byte(out, '}', err));
    if (schema->config_is_given) {
        VVI_TRY(vvi_buf_append_text(out, ", \"config\": ", err));
        VVI_TRY(vv_tree_to_json(schema->config, out, err));
    }
    VVI_TRY(vvi_buf_append_byte(out, '}', err));
    return vvi_buf_terminate(out, err);
}

vv_status vv_schema_to_json(const vv_schema *schema, vv_buf *out, vv_error *err)
{
    vv_schema *copy = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_schema_copy(schema, &copy, err); /* which has all trees */

    if (!status)
        status = write_schema(copy, &text, err);
    if (!status)
        vvi_buf_move(out, &text);
    vv_buf_clear(&text);
    vv_schema_free(copy);
    return status;
}
