#include <varvite/dataset.h>

#include "dataset/counting.h"
#include "dataset/import.h"
#include "dataset/layout.h"
#include "dataset/plan.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"

#include <math.h>
#include <string.h>

#define MEMORY_DEFAULT ((uint64_t)128 << 20)

/* ---- groups --------------------------------------------------------------------------------- */

/* The attributes that a group gets: those of the source, with the layout at their end. */
static vv_status group_attributes(const vvi_import *self, const vvi_group *group,
                                  vv_buf *out, vv_error *err)
{
    vvi_json *object = NULL;
    vvi_json *layout = NULL;
    vv_store *store;
    const char *root;
    vv_buf path = VV_BUF_INIT;
    vv_status status;

    if (vvi_zarr_source_place(self->source, &store, &root)) {
        status = vvi_join(root, group->path, &path, err);
        if (!status)
            status = vv_node_attributes(store, (const char *)path.data, out, err);
        vv_buf_clear(&path);
        return status;
    }
    status = vvi_attrs_to_json(&group->attrs, VV_DTYPE_NONE, &object, err);
    if (!status)
        status = vvi_layout_make(&self->source->tree, group, &layout, err);
    if (!status)
        status = vvi_json_set(object, VVI_LAYOUT_NAME, layout, err);
    if (!status)
        status = vvi_json_write(object, 0, out, err);
    if (!status)
        status = vvi_buf_terminate(out, err);
    vvi_json_free(object);
    return status;
}

static vv_status same_value(const vvi_json *a, const vvi_json *b, bool *out,
                            vv_error *err)
{
    vv_buf x = VV_BUF_INIT;
    vv_buf y = VV_BUF_INIT;
    vv_status status = vvi_json_write(a, 0, &x, err);

    if (!status)
        status = vvi_json_write(b, 0, &y, err);
    *out = !status && vvi_bytes_equal(vvi_buf_bytes(&x), vvi_buf_bytes(&y));
    vv_buf_clear(&x);
    vv_buf_clear(&y);
    return status;
}

/* Put the members of wanted into there. *changed: some were not there, or others. */
static vv_status merge_members(const vvi_import *self, vvi_json *there,
                               const vvi_json *wanted, bool *changed, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(wanted); m; m = vvi_json_next(m)) {
        const vvi_json *old = vvi_json_get(there, vvi_json_name(m));
        vvi_json *copy = NULL;
        bool same = false;

        if (old)
            VVI_TRY(same_value(old, m, &same, err));
        if (same)
            continue;
        if (old && !self->may_replace)
            return vvi_fail(
                err, VV_EEXISTS,
                "its attribute '%s' is another in the source: import into a group "
                "of its own, or replace it",
                vvi_json_name(m));
        VVI_TRY(vvi_json_copy(m, &copy, err));
        VVI_TRY(vvi_json_set(there, vvi_json_name(m), copy, err));
        *changed = true;
    }
    return VV_OK;
}

/* Make of a group's new attributes those that it is to have beside its old ones. */
static vv_status merge_attributes(const vvi_import *self, const char *at,
                                  vv_buf *attributes, bool *changed, vv_error *err)
{
    vvi_json *there = NULL;
    vvi_json *wanted = NULL;
    vv_buf old = VV_BUF_INIT;
    vv_buf merged = VV_BUF_INIT;
    vv_status status = vv_node_attributes(self->store, at, &old, err);

    *changed = false;
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&old), &there, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(attributes), &wanted, err);
    if (!status)
        status = merge_members(self, there, wanted, changed, err);
    if (!status)
        status = vvi_json_write(there, 0, &merged, err);
    if (!status)
        status = vvi_buf_terminate(&merged, err);
    if (!status)
        vvi_buf_move(attributes, &merged);
    vvi_json_free(there);
    vvi_json_free(wanted);
    vv_buf_clear(&old);
    vv_buf_clear(&merged);
    return status;
}

/* write false: only say whether it could be made. */
static vv_status put_group(vvi_import *self, const vvi_group *group, bool write,
                           vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_buf attributes = VV_BUF_INIT;
    vv_node_kind kind = VV_NODE_NONE;
    bool changed = true;
    const char *at;
    vv_status status = vvi_join(self->path, group->path, &path, err);

    at = (const char *)path.data;
    if (!status)
        status = group_attributes(self, group, &attributes, err);
    if (!status)
        status = vv_node_kind_of(self->store, at, &kind, err);
    if (!status && kind == VV_NODE_ARRAY)
        status = vvi_fail(err, VV_EEXISTS,
                          "an array lies at '/%s', where a group is to be", at);
    else if (!status && kind == VV_NODE_GROUP)
        status = merge_attributes(self, at, &attributes, &changed, err);
    if (!status && write && kind == VV_NODE_NONE)
        status = vv_group_create(self->store, at, (const char *)attributes.data, false,
                                 err);
    else if (!status && write && changed)
        status = vv_node_set_attributes(self->store, at, (const char *)attributes.data,
                                        err);
    if (status)
        vvi_wrap(err, status, "group '/%s'", at ? at : "");
    vv_buf_clear(&attributes);
    vv_buf_clear(&path);
    return status;
}

vv_status vvi_import_group(vvi_import *self, const vvi_group *group, vv_error *err)
{
    return put_group(self, group, true, err);
}

/* Is there nothing where a variable's array is to be, or what may be replaced? */
static vv_status check_array(vvi_import *self, const vvi_group *group, const vvi_var *var,
                             vv_error *err)
{
    vv_buf inside = VV_BUF_INIT;
    vv_buf path = VV_BUF_INIT;
    vv_node_kind kind = VV_NODE_NONE;
    vv_status status = vvi_join(group->path, var->name, &inside, err);
    const char *at;

    if (!status)
        status = vvi_join(self->path, (const char *)inside.data, &path, err);
    at = (const char *)path.data;
    if (!status)
        status = vv_node_kind_of(self->store, at, &kind, err);
    if (!status && kind == VV_NODE_GROUP)
        status = vvi_fail(err, VV_EEXISTS,
                          "a group lies at '/%s', where an array is to be", at);
    else if (!status && kind == VV_NODE_ARRAY && !self->may_replace)
        status = vvi_fail(
            err, VV_EEXISTS,
            "array '/%s' is there already: import into a group of its own, or "
            "replace it",
            at);
    vv_buf_clear(&path);
    vv_buf_clear(&inside);
    return status;
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* What a chunk that is not stored reads as: the _FillValue, else NaN for floats, as xarray has it,
 * else 0. NULL: 0. */
static const void *fill_of(const vvi_var *var, const void *strings)
{
    static const float nan4 = NAN;
    static const double nan8 = (double)NAN;
    const vvi_attr *fill = vvi_attrs_find(&var->attrs, "_FillValue");

    if (var->array)
        return vv_array_get_meta(var->array)->fill_value;
    if (fill && fill->kind == VVI_ATTR_NUMBERS && fill->count == 1 &&
        fill->dtype == var->dtype)
        return fill->data;
    if (var->fixed)
        return strings;
    if (fill && var->text && fill->kind == VVI_ATTR_TEXT && fill->count == 1)
        return fill->data;
    if (var->dtype == VV_FLOAT32)
        return &nan4;
    return var->dtype == VV_FLOAT64 ? &nan8 : NULL;
}

static vv_status attributes_of(const vvi_var *var, vv_buf *out, vv_error *err)
{
    vvi_json *object = NULL;
    const char *text;
    vv_status status;

    if (var->array) {
        text = vv_array_get_meta(var->array)->attributes;
        status = vvi_buf_append_text(out, text ? text : "{}", err);
    } else {
        status = vvi_attrs_to_json(&var->attrs, var->dtype, &object, err);
        if (!status && var->fixed) /* it is in the layout */
            vvi_json_remove(object, "_FillValue");
        if (!status)
            status = vvi_json_write(object, 0, out, err);
        vvi_json_free(object);
    }
    return status ? status : vvi_buf_terminate(out, err);
}

/* Does the store hold this very array already? */
static vv_status same_array(vv_store *store, const char *path, const vv_array_meta *meta,
                            vv_array **out, vv_error *err)
{
    vv_store *scratch = NULL;
    vv_array *there = NULL;
    vv_array *made = NULL;
    vv_buf a = VV_BUF_INIT;
    vv_buf b = VV_BUF_INIT;
    vv_status status = vv_memory_store_new(&scratch, err);

    *out = NULL;
    if (!status)
        status = vv_array_create(scratch, path, meta, true, &made, err);
    if (!status && vv_array_open(store, path, &there, NULL) == VV_OK) {
        status = vv_array_metadata_json(made, &a, err);
        if (!status)
            status = vv_array_metadata_json(there, &b, err);
        if (!status && vvi_bytes_equal(vvi_buf_bytes(&a), vvi_buf_bytes(&b))) {
            *out = there;
            there = NULL;
        }
    }
    vv_buf_clear(&b);
    vv_buf_clear(&a);
    vv_array_free(there);
    vv_array_free(made);
    vv_store_free(scratch);
    return status;
}

static vv_status create_array(vvi_import *self, const char *path,
                              const vv_array_meta *meta, vv_array **out, vv_error *err)
{
    vv_node_kind kind;

    VVI_TRY(vv_node_kind_of(self->store, path, &kind, err));
    if (kind == VV_NODE_ARRAY && self->options.skip_existing) {
        VVI_TRY(same_array(self->store, path, meta, out, err));
        if (*out)
            return VV_OK;
    }
    return vv_array_create(self->store, path, meta, true, out, err);
}

/* What a string that is not stored reads as: so many fill characters. *out is NULL without one. */
static vv_status string_fill(const vvi_var *var, uint8_t **out, vv_error *err)
{
    const vvi_attr *fill = vvi_attrs_find(&var->attrs, "_FillValue");
    size_t item = vvi_var_array_item(var);

    *out = NULL;
    if (!var->fixed || !fill || fill->kind != VVI_ATTR_TEXT || fill->count != 1)
        return VV_OK;
    *out = vvi_alloc(item);
    if (!*out)
        return vvi_fail_nomem(err, item);
    memset(*out, fill->data[0], item);
    return VV_OK;
}

/* The type of a variable's array, with its parameters. */
static void set_type(const vvi_var *var, vv_array_meta *meta)
{
    const vv_array_meta *from = var->array ? vv_array_get_meta(var->array) : NULL;

    meta->dtype = var->fixed ? VV_NULL_TERMINATED_BYTES : var->dtype;
    if (var->fixed)
        meta->item_size = vvi_var_array_item(var);
    else if (from && !vv_dtype_is_variable(from->dtype)) {
        meta->item_size = from->item_size;
        meta->time_unit = from->time_unit;
        meta->time_scale = from->time_scale;
    }
}

/* Create the array of a variable, or find it there when an import is taken up again. */
static vv_status open_array(vvi_import *self, const vvi_group *group, const vvi_var *var,
                            vv_array **out, vv_error *err)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_buf attributes = VV_BUF_INIT;
    vv_buf inside = VV_BUF_INIT;
    vv_buf path = VV_BUF_INIT;
    uint8_t *strings = NULL;
    vv_status status = attributes_of(var, &attributes, err);

    if (!status)
        status = string_fill(var, &strings, err);
    set_type(var, &meta);
    meta.ndim = vvi_var_array_ndim(var);
    meta.shape = var->shape;
    meta.chunk_shape = var->sharded ? var->shards : var->plan;
    meta.inner_chunk_shape = var->sharded ? var->plan : NULL;
    meta.fill_value = fill_of(var, strings);
    meta.codecs = self->options.codecs;
    meta.dimension_names = meta.ndim ? (const char *const *)var->dims : NULL;
    meta.attributes = (const char *)attributes.data;
    if (!meta.codecs && var->array)
        meta.codecs = vv_array_get_meta(var->array)->codecs;
    if (!status)
        status = vvi_join(group->path, var->name, &inside, err);
    if (!status)
        status = vvi_join(self->path, (const char *)inside.data, &path, err);
    if (!status)
        status = create_array(self, (const char *)path.data, &meta, out, err);
    if (!status && self->options.planned)
        self->options.planned(self->options.ctx, vv_array_path(*out),
                              vv_array_get_meta(*out));
    vv_buf_clear(&path);
    vv_buf_clear(&inside);
    vv_buf_clear(&attributes);
    vvi_free(strings);
    return status ? vvi_wrap(err, status, "variable '%s'", var->name) : VV_OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static vv_status each_group(vvi_import *self, bool write, vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;

    for (size_t g = 0; g < tree->count; g++)
        if (tree->groups[g].wanted)
            VVI_TRY(put_group(self, &tree->groups[g], write, err));
    return VV_OK;
}

static vv_status each_var(vvi_import *self,
                          vv_status (*visit)(vvi_import *self, const vvi_group *group,
                                             const vvi_var *var, vv_error *err),
                          vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;

    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++)
            if (tree->groups[g].vars[v].wanted)
                VVI_TRY(visit(self, &tree->groups[g], &tree->groups[g].vars[v], err));
    return VV_OK;
}

static vv_status make_array(vvi_import *self, const vvi_group *group, const vvi_var *var,
                            vv_error *err)
{
    vv_array *array = NULL;

    VVI_TRY(open_array(self, group, var, &array, err));
    self->arrays[self->array_count++] = array;
    return VV_OK;
}

static vv_status try_array(vvi_import *self, const vvi_group *group, const vvi_var *var,
                           vv_error *err)
{
    vv_array *array = NULL;

    VVI_TRY(open_array(self, group, var, &array, err));
    vv_array_free(array);
    return VV_OK;
}

static vv_status import_values(vvi_import *self, const vvi_group *group,
                               const vvi_var *var, vv_error *err)
{
    (void)group;
    return vvi_import_values(self, var, self->arrays[self->array_next++], err);
}

/* Make all metadata in memory, so that what would be refused is refused before anything is
 * written. */
static vv_status rehearse(const vvi_import *real, vv_error *err)
{
    vvi_import self = *real;
    vv_status status;

    self.options.planned = NULL;
    VVI_TRY(vv_memory_store_new(&self.store, err));
    status = each_group(&self, true, err);
    if (!status)
        status = each_var(&self, try_array, err);
    vv_store_free(self.store);
    return status;
}

static void count_up(vvi_import *self)
{
    const vvi_tree *tree = &self->source->tree;

    for (size_t g = 0; g < tree->count; g++) {
        self->result.groups += tree->groups[g].wanted;
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            uint64_t bytes = 0;

            if (!tree->groups[g].vars[v].wanted)
                continue;
            vvi_var_bytes(&tree->groups[g].vars[v], NULL, &bytes);
            self->result.arrays++;
            self->bytes_total += bytes;
        }
    }
}

static vv_status import_tree(vvi_import *self, vv_error *err)
{
    vv_store *place;
    const char *path;

    count_up(self);
    /* Before anything is written. */
    VVI_TRY(each_group(self, false, err));
    VVI_TRY(each_var(self, check_array, err));
    /* Chunks of a Zarr source stay as they are when nothing asks for others. */
    if (vvi_zarr_source_place(self->source, &place, &path) && !self->options.chunks &&
        !self->options.codecs && !self->options.shards && !self->options.variable_count)
        return vvi_import_zarr(self, err);
    self->arrays = vvi_alloc_array_zero(self->result.arrays + 1, sizeof(*self->arrays));
    if (!self->arrays)
        return vvi_fail_nomem(err, self->result.arrays * sizeof(*self->arrays));
    VVI_TRY(rehearse(self, err));
    if (!self->options.skip_existing)
        VVI_TRY(vvi_import_note_put(self, false, err));
    VVI_TRY(each_group(self, true, err));
    VVI_TRY(each_var(self, make_array, err));
    VVI_TRY(vvi_import_note_put(self, true, err));
    VVI_TRY(each_var(self, import_values, err));
    return vvi_import_tell(self, true, err);
}

/* An array has its name from the group that it lies in. */
static vv_status check_source(const vvi_source *source, vv_error *err)
{
    const vvi_group *root = &source->tree.groups[0];

    if (root->var_count && root->vars[0].name[0] == '\0')
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s is one Zarr array; import the group around it", source->name);
    return VV_OK;
}

static vv_status start(vvi_import *self, const char *source,
                       const vv_import_options *options, vv_error *err)
{
    VVI_TRY(vvi_read_options(&self->options, sizeof(self->options), options, err));
    if (!self->options.memory_bytes)
        self->options.memory_bytes = MEMORY_DEFAULT;
    if (vv_store_is_read_only(self->target))
        return vvi_fail(err, VV_EREADONLY,
                        "import into a store that was opened for reading");
    VVI_TRY(vvi_source_open(source, &self->source, err));
    VVI_TRY(check_source(self->source, err));
    VVI_TRY(vvi_import_note_look(self, source, err));
    VVI_TRY(vvi_plan_select(self->source, self->options.variables,
                            self->options.variable_count, self->options.text_as_bytes,
                            err));
    VVI_TRY(vvi_plan_chunks(self->source, self->options.chunks, self->options.shards,
                            self->options.memory_bytes, err));
    return vvi_counting_store_new(self->target, &self->store, err);
}

vv_status vv_dataset_import(const char *source, vv_store *store, const char *path,
                            const vv_import_options *options, vv_import_result *result,
                            vv_error *err)
{
    vvi_import self = { .target = store };
    char *trimmed = vvi_path_trim(path);
    uint64_t values;
    vv_status status;

    self.path = trimmed;
    status = trimmed ? start(&self, source, options, err)
                     : vvi_fail_nomem(err, strlen(path));
    if (!status)
        status = import_tree(&self, err);
    if (!status)
        status = vvi_import_note_end(&self, err);
    if (self.store)
        vvi_counting_store_get(self.store, &values, &self.result.stored_bytes);
    for (size_t i = 0; i < self.array_count; i++)
        vv_array_free(self.arrays[i]);
    vvi_free(self.arrays);
    vv_buf_clear(&self.note);
    vv_store_free(self.store);
    vvi_source_free(self.source);
    vvi_free(trimmed);
    if (result)
        *result = self.result;
    return status;
}
