/* Schemas: groups and leaves as they are added, their names. */
#include "recorder/schema.h"

#include "pytree/tree.h"
#include "pytree/value.h"
#include "recorder/sink.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------- */

/* The next part of a path: *at goes behind it. NULL: there is none. */
static const char *next_part(const char **at, size_t *len)
{
    const char *part;

    do {
        while (**at == '/')
            (*at)++;
        part = *at;
        *len = strcspn(part, "/");
        *at += *len;
    } while (*len == 1 && *part == '.');
    return *len ? part : NULL;
}

/* As memcmp; *inside: one is a folder of the other. */
static int compare_paths(const char *a, const char *b, bool *inside)
{
    *inside = false;
    for (;;) {
        size_t n, m;
        const char *p = next_part(&a, &n);
        const char *q = next_part(&b, &m);
        int order;

        if (!p || !q) {
            *inside = p || q;
            return (p != NULL) - (q != NULL);
        }
        order = memcmp(p, q, n < m ? n : m);
        if (order || n != m)
            return order ? order : (n > m) - (n < m);
    }
}

int vvi_name_compare(const char *a, const char *b)
{
    bool inside;

    return compare_paths(a, b, &inside);
}

int vvi_name_clash(const char *a, const char *b)
{
    bool inside;
    int order = compare_paths(a, b, &inside);

    if (order == 0)
        return 1;
    return !inside ? 0 : order < 0 ? 2 : 3;
}

/* "array['positions']"; an empty key is the prefix alone. */
static vv_status make_name(const char *prefix, const char *key, char **out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_py *value = NULL;
    vv_status status = vvi_buf_append_text(&text, prefix, err);

    if (!status && *key) {
        value = vvi_py_data(VVI_PY_TEXT, vv_bytes_of(key));
        status = value ? vvi_buf_append_byte(&text, '[', err)
                       : vvi_fail_nomem(err, sizeof(*value));
        if (!status)
            status = vvi_py_repr(value, &text, err);
        if (!status)
            status = vvi_buf_append_byte(&text, ']', err);
        vvi_py_free(value);
    }
    if (!status && !(*out = vvi_strndup((const char *)text.data, text.len)))
        status = vvi_fail_nomem(err, text.len);
    vv_buf_clear(&text);
    return status;
}

static vv_status join_name(const char *prefix, const char *name, char **out,
                           vv_error *err)
{
    size_t n = strlen(prefix), m = strlen(name);

    *out = vvi_alloc(n + m + 1);
    if (!*out)
        return vvi_fail_nomem(err, n + m);
    memcpy(*out, prefix, n);
    memcpy(*out + n, name, m + 1);
    return VV_OK;
}

/* ---- types --------------------------------------------------------------------------------- */

void vvi_type_name(vv_dtype dtype, size_t item, char out[32])
{
    if (dtype == VV_RAW && item)
        snprintf(out, 32, "r%zu", item * 8);
    else
        snprintf(out, 32, "%s", vv_dtype_name(dtype) ? vv_dtype_name(dtype) : "no type");
}

void vvi_type_text(const char *name, uint32_t ndim, const uint64_t *shape,
                   char out[VVI_TYPE_TEXT])
{
    size_t len = (size_t)snprintf(out, VVI_TYPE_TEXT, "%s", name);

    for (uint32_t i = 0; i < ndim && len < VVI_TYPE_TEXT; i++)
        len += (size_t)snprintf(out + len, VVI_TYPE_TEXT - len, "%s%" PRIu64,
                                i ? "," : "[", shape[i]);
    if (ndim && len < VVI_TYPE_TEXT)
        snprintf(out + len, VVI_TYPE_TEXT - len, "]");
}

static vv_status make_dtype(const vv_leaf_type *type, vvi_dtype *out, vv_error *err)
{
    if (!vv_dtype_name(type->dtype))
        return vvi_fail(err, VV_EINVAL, "type %d is none", (int)type->dtype);
    if (type->dtype == VV_RAW && type->item_size == 0)
        return vvi_fail(err, VV_EINVAL, "raw bits need their size");
    if (type->dtype == VV_RAW)
        return vvi_dtype_make(VV_RAW, type->item_size, NULL, 0, out, err);
    if (vv_dtype_is_variable(type->dtype) || !vvi_dtype_init(type->dtype, out))
        return vvi_fail(err, VV_EUNSUPPORTED, "%s cannot be recorded",
                        vv_dtype_name(type->dtype));
    return VV_OK;
}

static void clear_leaf(vvi_schema_leaf *leaf)
{
    vvi_free(leaf->key);
    vvi_free(leaf->name);
    vvi_free(leaf->shape);
    vvi_free(leaf->units);
}

static vv_status set_units(vvi_schema_leaf *leaf, const char *units, vv_error *err)
{
    char *copy = NULL;

    if (units && *units) {
        if (!vvi_is_utf8(vv_bytes_of(units)) || strlen(units) > VV_UNITS_MAX)
            return vvi_fail(err, VV_EINVAL, "units are UTF-8 of at most %d bytes",
                            VV_UNITS_MAX);
        copy = vvi_strdup(units);
        if (!copy)
            return vvi_fail_nomem(err, strlen(units));
    }
    vvi_free(leaf->units);
    leaf->units = copy;
    return VV_OK;
}

/* Type and shape of a leaf; it is zero before, and cleared by the caller. */
static vv_status set_type(vvi_schema_leaf *leaf, const vv_leaf_type *type, vv_error *err)
{
    size_t bytes;

    VVI_TRY(make_dtype(type, &leaf->dtype, err));
    if (type->ndim > VV_RECORDER_NDIM_MAX)
        return vvi_fail(err, VV_EINVAL, "%u dimensions; at most %d are recorded",
                        type->ndim, VV_RECORDER_NDIM_MAX);
    if (type->ndim && !type->shape)
        return vvi_fail(err, VV_EINVAL, "no shape is given");
    bytes = leaf->dtype.item;
    for (uint32_t i = 0; i < type->ndim; i++)
        if (type->shape[i] > SIZE_MAX / 4 ||
            __builtin_mul_overflow(bytes, (size_t)type->shape[i], &bytes) ||
            bytes > SIZE_MAX / 4)
            return vvi_fail(err, VV_EINVAL, "a value larger than memory can be");
    leaf->shape = vvi_alloc_array(type->ndim, sizeof(*leaf->shape));
    if (!leaf->shape)
        return vvi_fail_nomem(err, type->ndim * sizeof(*leaf->shape));
    if (type->ndim)
        memcpy(leaf->shape, type->shape, type->ndim * sizeof(*leaf->shape));
    leaf->ndim = type->ndim;
    leaf->row_bytes = bytes;
    return set_units(leaf, type->units, err);
}

/* ---- schemas ------------------------------------------------------------------------------- */

vv_status vv_schema_new(vv_schema **out, vv_error *err)
{
    vv_schema *schema = vvi_alloc_zero(sizeof(*schema));

    if (!schema)
        return vvi_fail_nomem(err, sizeof(*schema));
    *out = schema;
    return VV_OK;
}

static void clear_leaves(vvi_schema_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        clear_leaf(&group->leaves[i]);
    vvi_free(group->leaves);
    group->leaves = NULL;
    group->count = group->cap = 0;
}

static void clear_group(vvi_schema_group *group)
{
    clear_leaves(group);
    vv_tree_free(group->tree);
    vvi_free(group->given);
    vvi_free(group->key);
    vvi_free(group->name);
}

void vv_schema_free(vv_schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->count; i++)
        clear_group(&schema->groups[i]);
    vvi_free(schema->groups);
    vv_tree_free(schema->config);
    vvi_free(schema);
}

/* ---- groups -------------------------------------------------------------------------------- */

vv_status vvi_compression_check(const vv_compression *compression, vv_error *err)
{
    static const struct {
        int32_t least, most;
    } levels[] = { [VV_COMPRESS_DEFAULT] = { -131072, 22 },
                   [VV_COMPRESS_NONE] = { 0, 0 },
                   [VV_COMPRESS_ZSTD] = { -131072, 22 },
                   [VV_COMPRESS_GZIP] = { 0, 9 },
                   [VV_COMPRESS_LZF] = { 0, 0 },
                   [VV_COMPRESS_BLOSC] = { 0, 9 } };
    unsigned codec = (unsigned)compression->codec;

    if (codec >= sizeof(levels) / sizeof(levels[0]))
        return vvi_fail(err, VV_EINVAL, "compression %u is none", codec);
    if (compression->level < levels[codec].least ||
        compression->level > levels[codec].most)
        return vvi_fail(err, VV_EINVAL, "level %d is none of that compression",
                        (int)compression->level);
    return VV_OK;
}

static vv_status check_frequency(const vv_frequency *frequency, vv_error *err)
{
    bool any = frequency->due || frequency->shape || frequency->index;
    bool all = frequency->due && frequency->shape && frequency->index;

    if (any && (!all || frequency->every))
        return vvi_fail(
            err, VV_EINVAL,
            "a frequency of one's own has due, shape and index, and no 'every'");
    if (frequency->every > INT64_MAX)
        return vvi_fail(err, VV_EINVAL, "every %" PRIu64 " steps", frequency->every);
    return VV_OK;
}

static vv_status check_key(const char *what, const char *key, bool first, bool lone,
                           vv_error *err)
{
    if (!vvi_is_utf8(vv_bytes_of(key)))
        return vvi_fail(err, VV_EINVAL, "a name of a %s is not UTF-8", what);
    if (lone || (!*key && !first))
        return vvi_fail(err, VV_EINVAL, "a %s without a name is the only one", what);
    return VV_OK;
}

/* Two names that mean the same in a file, or one that would lie inside a leaf. */
static vv_status fail_clash(const char *a, const char *b, vv_error *err)
{
    return strcmp(a, b) == 0
               ? vvi_fail(err, VV_EINVAL, "%s is there already", a)
               : vvi_fail(err, VV_EINVAL, "%s and %s clash as paths in a file", a, b);
}

static vv_status fill_group(vv_schema *schema, vvi_schema_group *group, const char *name,
                            vv_error *err)
{
    if (!(group->key = vvi_strdup(name)))
        return vvi_fail_nomem(err, strlen(name));
    VVI_TRY(make_name("group", name, &group->name, err));
    for (size_t i = 0; i < schema->count; i++)
        if (vvi_name_clash(schema->groups[i].name, group->name))
            return fail_clash(schema->groups[i].name, group->name, err);
    return vvi_grow((void **)&schema->groups, &schema->cap, schema->count + 1,
                    sizeof(*schema->groups), err);
}

vv_status vv_schema_add_group(vv_schema *schema, const char *name, vv_frequency frequency,
                              const vv_compression *compression, size_t *group,
                              vv_error *err)
{
    vvi_schema_group made = { .frequency = frequency, .custom = frequency.due != NULL };
    vv_status status = check_key("group", name, schema->count == 0,
                                 schema->count == 1 && !*schema->groups[0].key, err);

    if (!status && schema->config_is_given)
        status = vvi_fail(err, VV_EINVAL, "the configuration's tree is given already");
    if (!status)
        status = check_frequency(&frequency, err);
    if (!status && compression) {
        made.compression = *compression;
        status = vvi_compression_check(compression, err);
    }
    if (!status)
        status = fill_group(schema, &made, name, err);
    if (status) {
        clear_group(&made);
        return vvi_wrap(err, status, "group '%.60s'", name);
    }
    if (group)
        *group = schema->count;
    schema->groups[schema->count++] = made;
    return VV_OK;
}

static vv_status find_group(const vv_schema *schema, size_t group, vvi_schema_group **out,
                            vv_error *err)
{
    if (group >= schema->count)
        return vvi_fail(err, VV_EINVAL, "group %zu of %zu", group, schema->count);
    *out = &schema->groups[group];
    return VV_OK;
}

vv_status vv_schema_set_frequency(vv_schema *schema, size_t group, vv_frequency frequency,
                                  vv_error *err)
{
    vvi_schema_group *to;

    VVI_TRY(find_group(schema, group, &to, err));
    VVI_TRY(check_frequency(&frequency, err));
    to->frequency = frequency;
    to->custom = frequency.due != NULL;
    return VV_OK;
}

/* ---- leaves -------------------------------------------------------------------------------- */

static vv_status fill_leaf(vvi_schema_group *group, vvi_schema_leaf *leaf,
                           const char *name, const vv_leaf_type *type, vv_error *err)
{
    VVI_TRY(check_key("leaf", name, group->count == 0,
                      group->count == 1 && !*group->leaves[0].key, err));
    VVI_TRY(set_type(leaf, type, err));
    if (!(leaf->key = vvi_strdup(name)))
        return vvi_fail_nomem(err, strlen(name));
    VVI_TRY(make_name("array", name, &leaf->name, err));
    for (size_t i = 0; i < group->count; i++)
        if (vvi_name_clash(group->leaves[i].name, leaf->name))
            return fail_clash(group->leaves[i].name, leaf->name, err);
    return vvi_grow((void **)&group->leaves, &group->cap, group->count + 1,
                    sizeof(*group->leaves), err);
}

vv_status vv_schema_add_leaf(vv_schema *schema, size_t group, const char *name,
                             vv_dtype dtype, uint32_t ndim, const uint64_t *shape,
                             size_t *leaf, vv_error *err)
{
    vv_leaf_type type = { .dtype = dtype, .ndim = ndim, .shape = shape };
    vvi_schema_leaf made = { 0 };
    vvi_schema_group *to = NULL;
    vv_status status = find_group(schema, group, &to, err);

    if (status)
        return status;
    if (to->tree)
        status = vvi_fail(err, VV_EINVAL, "the group's tree is given already");
    if (!status)
        status = fill_leaf(to, &made, name, &type, err);
    if (status) {
        clear_leaf(&made);
        return vvi_wrap(err, status, "%s, leaf '%.60s'", to->name, name);
    }
    if (leaf)
        *leaf = to->count;
    to->leaves[to->count++] = made;
    return VV_OK;
}

vv_status vvi_schema_take_tree(vv_schema *schema, size_t group, vv_tree *tree,
                               size_t *given, const vv_leaf_type *types, size_t count,
                               vv_error *err)
{
    vvi_schema_group made = { .tree = tree, .given = given };
    vvi_schema_group *to = &schema->groups[group];
    vv_status status = VV_OK;

    if (vv_tree_leaf_count(tree) != count)
        status = vvi_fail(err, VV_EINVAL, "a tree of %zu leaves and %zu types",
                          vv_tree_leaf_count(tree), count);
    if (!status && !(made.leaves = vvi_alloc_array_zero(count, sizeof(*made.leaves))))
        status = vvi_fail_nomem(err, count * sizeof(*made.leaves));
    if (!status)
        made.count = count;
    if (!status && !given) {
        made.given = vvi_alloc_array(count, sizeof(*made.given));
        if (!made.given)
            status = vvi_fail_nomem(err, count * sizeof(*made.given));
        for (size_t i = 0; i < count && !status; i++)
            made.given[i] = i;
    }
    for (size_t i = 0; i < count && !status; i++) {
        vvi_schema_leaf *leaf = &made.leaves[made.given[i]];

        status = join_name("array", vv_tree_leaf_name(tree, i), &leaf->name, err);
        if (status)
            break;
        status = set_type(leaf, &types[made.given[i]], err);
        if (status)
            vvi_wrap(err, status, "%s", leaf->name);
    }
    if (status) {
        clear_group(&made);
        return vvi_wrap(err, status, "%s", to->name);
    }
    to->tree = made.tree;
    to->given = made.given;
    to->leaves = made.leaves;
    to->count = to->cap = count;
    return VV_OK;
}

vv_status vv_schema_set_units(vv_schema *schema, size_t group, size_t leaf,
                              const char *units, vv_error *err)
{
    vvi_schema_group *in = NULL;
    vv_status status;

    VVI_TRY(find_group(schema, group, &in, err));
    if (leaf >= in->count)
        return vvi_fail(err, VV_EINVAL, "%s: leaf %zu of %zu", in->name, leaf, in->count);
    status = set_units(&in->leaves[leaf], units, err);
    return status ? vvi_wrap(err, status, "%s, %s", in->name, in->leaves[leaf].name)
                  : VV_OK;
}

static vv_status copy_tree(const vv_tree *tree, vv_tree **out, vv_error *err)
{
    vv_buf json = VV_BUF_INIT;
    vv_status status = vv_tree_to_json(tree, &json, err);

    if (!status)
        status = vv_tree_from_json((const char *)json.data, out, err);
    vv_buf_clear(&json);
    return status;
}

vv_status vv_schema_set_tree(vv_schema *schema, size_t group, const vv_tree *tree,
                             const vv_leaf_type *types, size_t count, vv_error *err)
{
    vvi_schema_group *to = NULL;
    vv_tree *copy = NULL;

    VVI_TRY(find_group(schema, group, &to, err));
    if (to->tree || to->count)
        return vvi_fail(err, VV_EINVAL, "%s has its leaves already", to->name);
    VVI_TRY(copy_tree(tree, &copy, err));
    return vvi_schema_take_tree(schema, group, copy, NULL, types, count, err);
}

vv_status vv_schema_set_config(vv_schema *schema, const vv_tree *config, vv_error *err)
{
    char **names = vvi_alloc_array_zero(schema->count, sizeof(*names));
    vv_tree *copy = NULL;
    vv_status status = VV_OK;

    if (!names)
        return vvi_fail_nomem(err, schema->count * sizeof(*names));
    if (vv_tree_leaf_count(config) != schema->count)
        status = vvi_fail(err, VV_EINVAL, "a configuration of %zu groups for %zu",
                          vv_tree_leaf_count(config), schema->count);
    if (!status)
        status = copy_tree(config, &copy, err);
    for (size_t i = 0; i < schema->count && !status; i++)
        status = join_name("group", vv_tree_leaf_name(copy, i), &names[i], err);
    if (!status) {
        vv_tree_free(schema->config);
        schema->config = copy;
        schema->config_is_given = true;
    }
    for (size_t i = 0; i < schema->count; i++) {
        if (!status) {
            char *old = schema->groups[i].name;

            schema->groups[i].name = names[i];
            names[i] = old;
        }
        vvi_free(names[i]);
    }
    if (status)
        vv_tree_free(copy);
    vvi_free(names);
    return status;
}

/* ---- trees and copies ------------------------------------------------------------------------ */

/* {"kind": "dict", "keys": […], "children": […]}, or a leaf where the only key is empty. */
static vv_status dict_json(const char *const *keys, size_t count, vv_buf *out,
                           vv_error *err)
{
    if (count == 1 && !*keys[0])
        return vvi_buf_append_text(out, "{\"kind\": \"leaf\", \"leaf\": 0}", err);
    VVI_TRY(vvi_buf_append_text(out, "{\"kind\": \"dict\", \"keys\": [", err));
    for (size_t i = 0; i < count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_byte(out, ',', err));
        VVI_TRY(vvi_json_write_string(vv_bytes_of(keys[i]), out, err));
    }
    VVI_TRY(vvi_buf_append_text(out, "], \"children\": [", err));
    for (size_t i = 0; i < count; i++)
        VVI_TRY(vvi_buf_printf(out, err, "%s{\"kind\": \"leaf\", \"leaf\": %zu}",
                               i ? "," : "", i));
    return vvi_buf_append_text(out, "]}", err);
}

/* The tree of a dict of these keys; given as in a group. */
static vv_status dict_tree(const char *const *keys, size_t count, vv_tree **out,
                           size_t **given, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_json *json = NULL;
    vv_status status = dict_json(keys, count, &text, err);

    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &json, err);
    if (!status)
        status = vvi_tree_from_json(json, out, given, err);
    vvi_json_free(json);
    vv_buf_clear(&text);
    return status;
}

static vv_status make_group_tree(vvi_schema_group *group, vv_error *err)
{
    const char **keys = vvi_alloc_array(group->count, sizeof(*keys));
    vv_status status;

    if (!keys)
        return vvi_fail_nomem(err, group->count * sizeof(*keys));
    if (!group->count) {
        vvi_free(keys);
        return vvi_fail(err, VV_EINVAL, "%s has no leaf", group->name);
    }
    for (size_t i = 0; i < group->count; i++)
        keys[i] = group->leaves[i].key;
    status = dict_tree(keys, group->count, &group->tree, &group->given, err);
    vvi_free(keys);
    return status;
}

static vv_status make_config(vv_schema *schema, vv_error *err)
{
    const char **keys = vvi_alloc_array(schema->count, sizeof(*keys));
    vv_status status;

    if (!keys)
        return vvi_fail_nomem(err, schema->count * sizeof(*keys));
    for (size_t i = 0; i < schema->count; i++)
        keys[i] = schema->groups[i].key;
    status = dict_tree(keys, schema->count, &schema->config, NULL, err);
    vvi_free(keys);
    return status;
}

static vv_status copy_leaf(const vvi_schema_leaf *from, vvi_schema_leaf *to,
                           vv_error *err)
{
    *to = *from;
    to->key = from->key ? vvi_strdup(from->key) : NULL;
    to->name = vvi_strdup(from->name);
    to->shape = vvi_alloc_array(from->ndim, sizeof(*to->shape));
    to->units = from->units ? vvi_strdup(from->units) : NULL;
    if (!to->name || !to->shape || (from->key && !to->key) || (from->units && !to->units))
        return vvi_fail_nomem(err, strlen(from->name));
    if (from->ndim)
        memcpy(to->shape, from->shape, from->ndim * sizeof(*to->shape));
    return VV_OK;
}

static vv_status copy_group(const vvi_schema_group *from, vvi_schema_group *to,
                            vv_error *err)
{
    *to = (vvi_schema_group){ .frequency = from->frequency,
                              .custom = from->custom,
                              .compression = from->compression };
    to->key = vvi_strdup(from->key);
    to->name = vvi_strdup(from->name);
    to->leaves = vvi_alloc_array_zero(from->count, sizeof(*to->leaves));
    if (!to->key || !to->name || !to->leaves)
        return vvi_fail_nomem(err, from->count * sizeof(*to->leaves));
    to->cap = from->count;
    for (; to->count < from->count;) {
        to->count++; /* what is half made is cleared too */
        VVI_TRY(copy_leaf(&from->leaves[to->count - 1], &to->leaves[to->count - 1], err));
    }
    if (!from->tree)
        return make_group_tree(to, err);
    VVI_TRY(copy_tree(from->tree, &to->tree, err));
    to->given = vvi_alloc_array(from->count, sizeof(*to->given));
    if (!to->given)
        return vvi_fail_nomem(err, from->count * sizeof(*to->given));
    if (from->count)
        memcpy(to->given, from->given, from->count * sizeof(*to->given));
    return VV_OK;
}

vv_status vvi_schema_copy(const vv_schema *schema, vv_schema **out, vv_error *err)
{
    vv_schema *copy = NULL;
    vv_status status;

    VVI_TRY(vv_schema_new(&copy, err));
    copy->groups = vvi_alloc_array_zero(schema->count, sizeof(*copy->groups));
    copy->cap = schema->count;
    status = copy->groups ? VV_OK
                          : vvi_fail_nomem(err, schema->count * sizeof(*copy->groups));
    while (!status && copy->count < schema->count) {
        copy->count++;
        status = copy_group(&schema->groups[copy->count - 1],
                            &copy->groups[copy->count - 1], err);
    }
    copy->config_is_given = schema->config_is_given;
    if (!status)
        status = schema->config ? copy_tree(schema->config, &copy->config, err)
                                : make_config(copy, err);
    if (status)
        vv_schema_free(copy);
    else
        *out = copy;
    return status;
}

/* ---- looking up ------------------------------------------------------------------------------ */

size_t vv_schema_group_count(const vv_schema *schema)
{
    return schema->count;
}

/* Is name this one, as it was added, as it stands in the file, or as the key of a dict? */
static bool is_called(const char *name, const char *prefix, const char *key,
                      const char *in_file)
{
    char *quoted = NULL;
    bool same;

    if ((key && strcmp(name, key) == 0) || strcmp(name, in_file) == 0)
        return true;
    if (!vvi_is_utf8(vv_bytes_of(name)) || make_name(prefix, name, &quoted, NULL))
        return false;
    same = *name && strcmp(quoted, in_file) == 0;
    vvi_free(quoted);
    return same;
}

bool vv_schema_group_by_name(const vv_schema *schema, const char *name, size_t *group)
{
    for (size_t i = 0; i < schema->count; i++)
        if (is_called(name, "group", schema->groups[i].key, schema->groups[i].name)) {
            *group = i;
            return true;
        }
    return false;
}

const char *vv_schema_group_name(const vv_schema *schema, size_t group)
{
    return group < schema->count ? schema->groups[group].name : NULL;
}

size_t vv_schema_leaf_count(const vv_schema *schema, size_t group)
{
    return group < schema->count ? schema->groups[group].count : 0;
}

static const vvi_schema_leaf *leaf_of(const vv_schema *schema, size_t group, size_t leaf)
{
    return leaf < vv_schema_leaf_count(schema, group)
               ? &schema->groups[group].leaves[leaf]
               : NULL;
}

bool vv_schema_leaf_by_name(const vv_schema *schema, size_t group, const char *name,
                            size_t *leaf)
{
    for (size_t i = 0; i < vv_schema_leaf_count(schema, group); i++) {
        const vvi_schema_leaf *at = leaf_of(schema, group, i);

        if (is_called(name, "array", at->key, at->name)) {
            *leaf = i;
            return true;
        }
    }
    return false;
}

const char *vv_schema_leaf_name(const vv_schema *schema, size_t group, size_t leaf)
{
    const vvi_schema_leaf *at = leaf_of(schema, group, leaf);

    return at ? at->name : NULL;
}

bool vv_schema_leaf_type(const vv_schema *schema, size_t group, size_t leaf,
                         vv_leaf_type *out)
{
    const vvi_schema_leaf *at = leaf_of(schema, group, leaf);

    if (!at)
        return false;
    *out = (vv_leaf_type){ .dtype = at->dtype.code,
                           .item_size = at->dtype.code == VV_RAW ? at->dtype.item : 0,
                           .ndim = at->ndim,
                           .shape = at->shape,
                           .units = at->units };
    return true;
}

uint64_t vv_schema_row_bytes(const vv_schema *schema, size_t group)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < vv_schema_leaf_count(schema, group); i++)
        if (__builtin_add_overflow(bytes, schema->groups[group].leaves[i].row_bytes,
                                   &bytes))
            return UINT64_MAX;
    return bytes;
}
