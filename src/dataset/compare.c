#include <varvite/dataset.h>

#include "dataset/slab.h"
#include "dataset/source.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"

#include <stdio.h>
#include <string.h>

#define MEMORY_DEFAULT ((uint64_t)32 << 20)
#define TELL_EVERY_NS  100000000u

typedef struct compare {
    vvi_source *a, *b; /* the source, the store */
    vv_difference_fn visit;
    void *ctx;
    uint64_t differences, values;
    vv_compare_options options;
    uint64_t bytes_done, bytes_total;
    uint64_t told_ns;
} compare;

/* Tell one difference. name "" for a group. */
static vv_status tell(compare *self, const vvi_group *group, const char *name,
                      vv_error *err, const char *format, ...) VVI_PRINTF(5, 6);
static vv_status tell(compare *self, const vvi_group *group, const char *name,
                      vv_error *err, const char *format, ...)
{
    char message[400];
    char path[600];
    vv_difference difference = { .path = path, .message = message };
    va_list args;
    vv_status status;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s%s%s", group->path,
             group->path[0] && name[0] ? "/" : "", name);
    self->differences++;
    if (!self->visit)
        return VV_OK;
    status = self->visit(self->ctx, &difference);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

static vv_status tell_progress(compare *self, vv_error *err)
{
    vv_progress now = { .what = "compare",
                        .items_done = self->values,
                        .bytes_done = self->bytes_done,
                        .bytes_total = self->bytes_total };
    vv_status status;

    if (!self->options.progress || vvi_now_ns() - self->told_ns < TELL_EVERY_NS)
        return VV_OK;
    self->told_ns = vvi_now_ns();
    status = self->options.progress(self->options.progress_ctx, &now);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

/* ---- attributes and dimensions ---------------------------------------------------------------- */

static vv_status compare_attrs(compare *self, const vvi_group *group, const char *name,
                               const vvi_attrs *a, const vvi_attrs *b, bool exact,
                               vv_error *err)
{
    for (size_t i = 0; i < a->count; i++) {
        const vvi_attr *x = &a->items[i];
        const vvi_attr *y = vvi_attrs_find(b, x->name);
        char text_x[160];
        char text_y[160];

        if (y && (exact ? vvi_attr_equal(x, y) : vvi_attr_alike(x, y)))
            continue;
        vvi_attr_describe(x, text_x, sizeof(text_x));
        if (y)
            vvi_attr_describe(y, text_y, sizeof(text_y));
        else
            snprintf(text_y, sizeof(text_y), "nothing");
        VVI_TRY(tell(self, group, name, err, "attribute %s: %s and %s", x->name, text_x,
                     text_y));
    }
    for (size_t i = 0; i < b->count; i++)
        if (!vvi_attrs_find(a, b->items[i].name))
            VVI_TRY(tell(self, group, name, err, "attribute %s: nothing and something",
                         b->items[i].name));
    return VV_OK;
}

static vv_status compare_dims(compare *self, const vvi_group *a, const vvi_group *b,
                              bool exact, vv_error *err)
{
    for (size_t i = 0; i < a->dim_count; i++) {
        const vvi_dim *x = &a->dims[i];
        const vvi_dim *y = vvi_group_find_dim(b, x->name);

        if (y && y->length != x->length)
            VVI_TRY(tell(self, a, "", err,
                         "dimension %s: length %" PRIu64 " and %" PRIu64, x->name,
                         x->length, y->length));
        else if (y && exact && y->unlimited != x->unlimited)
            VVI_TRY(
                tell(self, a, "", err, "dimension %s: unlimited in one only", x->name));
        else if (!y && exact)
            VVI_TRY(tell(self, a, "", err, "dimension %s: only in the source", x->name));
    }
    for (size_t i = 0; i < b->dim_count && exact; i++)
        if (!vvi_group_find_dim(a, b->dims[i].name))
            VVI_TRY(tell(self, a, "", err, "dimension %s: only in the store",
                         b->dims[i].name));
    return VV_OK;
}

/* ---- values ------------------------------------------------------------------------------------ */

typedef struct found {
    uint64_t count;
    uint64_t index[VV_NDIM_MAX]; /* of the first */
    char a[64], b[64];
} found;

static void format_element(const vvi_var *var, const uint8_t *element, char *out,
                           size_t cap)
{
    if (var->dtype == VV_STRING) {
        vv_bytes text;

        memcpy(&text, element, sizeof(text));
        snprintf(out, cap, "'%.*s'", (int)(text.len < cap ? text.len : cap),
                 (const char *)text.data);
    } else if (var->array && !var->text)
        vv_array_element_format(var->array, element, out, cap);
    else
        vv_element_format(var->dtype, element, out, cap);
}

static bool same_element(const vvi_var *var, const uint8_t *a, const uint8_t *b)
{
    vv_bytes x;
    vv_bytes y;

    if (!vv_dtype_is_variable(var->dtype))
        return memcmp(a, b, var->item) == 0;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return vvi_bytes_equal(x, y);
}

static void compare_slab(found *out, const vvi_var *var, const vvi_slab *slab,
                         const uint8_t *a, const uint8_t *b)
{
    size_t item = var->item;

    if (memcmp(a, b, (size_t)slab->elements * item) == 0)
        return;
    for (uint64_t i = 0; i < slab->elements; i++) {
        uint64_t rest = i;

        if (same_element(var, a + i * item, b + i * item) || out->count++)
            continue;
        for (uint32_t d = var->ndim; d-- > 0;) {
            out->index[d] = slab->start[d] + rest % slab->count[d];
            rest /= slab->count[d];
        }
        format_element(var, a + i * item, out->a, sizeof(out->a));
        format_element(var, b + i * item, out->b, sizeof(out->b));
    }
}

static vv_status compare_slabs(compare *self, const vvi_var *a, const vvi_var *b,
                               vvi_slabs *slabs, uint8_t *data, size_t half, found *out,
                               vv_error *err)
{
    vvi_slab slab;

    while (vvi_slabs_next(slabs, &slab)) {
        size_t bytes = (size_t)slab.elements * slabs->item;

        VVI_TRY(vvi_source_read(self->a, a, slab.start, slab.count, data, bytes, err));
        VVI_TRY(
            vvi_source_read(self->b, b, slab.start, slab.count, data + half, bytes, err));
        compare_slab(out, a, &slab, data, data + half);
        self->values += slab.elements;
        self->bytes_done += bytes;
        VVI_TRY(tell_progress(self, err));
    }
    return VV_OK;
}

static vv_status compare_values(compare *self, const vvi_var *a, const vvi_var *b,
                                found *out, vv_error *err)
{
    uint64_t lengths[VV_NDIM_MAX];
    vvi_slabs slabs;
    uint8_t *data;
    size_t half;
    vv_status status;

    VVI_TRY(vvi_slabs_init(&slabs, a->ndim, a->shape, b->chunks,
                           a->chunks[0] ? a->chunks : NULL, a->item,
                           self->options.memory_bytes / 2, err));
    half = (size_t)vvi_slabs_most(&slabs, lengths);
    data = vvi_alloc_array(2, half ? half : 1);
    if (!data)
        return vvi_fail_nomem(err, 2 * half);
    vvi_source_reading(self->a, a, lengths, self->options.memory_bytes / 2);
    status = compare_slabs(self, a, b, &slabs, data, half, out, err);
    vvi_source_reading(self->a, a, NULL, 0);
    vvi_free(data);
    return status;
}

static void format_index(const found *at, uint32_t ndim, char *out, size_t cap)
{
    size_t used = (size_t)snprintf(out, cap, "[");

    for (uint32_t i = 0; i < ndim && used < cap; i++)
        used += (size_t)snprintf(out + used, cap - used, "%s%" PRIu64, i ? "," : "",
                                 at->index[i]);
    if (used < cap)
        snprintf(out + used, cap - used, "]");
}

static vv_status compare_var(compare *self, const vvi_group *group, const vvi_var *a,
                             const vvi_var *b, bool exact, vv_error *err)
{
    found out = { 0 };
    uint64_t elements = 0;
    char index[160];
    bool same_shape = a->ndim == b->ndim;

    if (a->unsupported)
        return tell(self, group, a->name, err, "the source has %s", a->unsupported);
    VVI_TRY(compare_attrs(self, group, a->name, &a->attrs, &b->attrs, exact, err));
    if (a->dtype != b->dtype || a->text != b->text)
        return tell(self, group, a->name, err, "type %s and %s",
                    a->text ? "char" : vv_dtype_name(a->dtype),
                    b->text ? "char" : vv_dtype_name(b->dtype));
    for (uint32_t i = 0; i < a->ndim && same_shape; i++) {
        same_shape = a->shape[i] == b->shape[i];
        if (same_shape &&
            strcmp(a->dims[i] ? a->dims[i] : "", b->dims[i] ? b->dims[i] : ""))
            VVI_TRY(tell(self, group, a->name, err, "dimension number %u: '%s' and '%s'",
                         i, a->dims[i] ? a->dims[i] : "", b->dims[i] ? b->dims[i] : ""));
    }
    if (!same_shape)
        return tell(self, group, a->name, err, "shapes differ");
    VVI_TRY(compare_values(self, a, b, &out, err));
    if (!out.count)
        return VV_OK;
    vvi_var_bytes(a, &elements, NULL);
    format_index(&out, a->ndim, index, sizeof(index));
    return tell(self, group, a->name, err,
                "%" PRIu64 " of %" PRIu64 " values, the first at %s: %s and %s",
                out.count, elements, index, out.a, out.b);
}

/* ---- trees -------------------------------------------------------------------------------------- */

static vv_status compare_group(compare *self, const vvi_group *a, const vvi_group *b,
                               vv_error *err)
{
    bool exact = a->exact && b->exact;

    VVI_TRY(compare_attrs(self, a, "", &a->attrs, &b->attrs, exact, err));
    VVI_TRY(compare_dims(self, a, b, exact, err));
    for (size_t i = 0; i < a->var_count; i++) {
        const vvi_var *other = vvi_group_find_var(b, a->vars[i].name);

        if (other)
            VVI_TRY(compare_var(self, a, &a->vars[i], other, exact, err));
        else
            VVI_TRY(tell(self, a, a->vars[i].name, err, "only in the source"));
    }
    for (size_t i = 0; i < b->var_count; i++)
        if (!vvi_group_find_var(a, b->vars[i].name))
            VVI_TRY(tell(self, b, b->vars[i].name, err, "only in the store"));
    return VV_OK;
}

static vv_status compare_trees(compare *self, vv_error *err)
{
    const vvi_tree *a = &self->a->tree;
    const vvi_tree *b = &self->b->tree;

    for (size_t g = 0; g < a->count; g++) {
        const vvi_group *other = vvi_tree_find(b, a->groups[g].path);

        if (other)
            VVI_TRY(compare_group(self, &a->groups[g], other, err));
        else
            VVI_TRY(
                tell(self, &a->groups[g], "", err, "the group is only in the source"));
    }
    for (size_t g = 0; g < b->count; g++)
        if (!vvi_tree_find(a, b->groups[g].path))
            VVI_TRY(tell(self, &b->groups[g], "", err, "the group is only in the store"));
    return VV_OK;
}

static uint64_t bytes_of_tree(const vvi_tree *tree)
{
    uint64_t sum = 0;

    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            uint64_t bytes = 0;

            if (!tree->groups[g].vars[v].unsupported)
                vvi_var_bytes(&tree->groups[g].vars[v], NULL, &bytes);
            sum += bytes;
        }
    return sum;
}

vv_status vv_dataset_compare(const char *source, vv_store *store, const char *path,
                             const vv_compare_options *options, vv_difference_fn visit,
                             void *ctx, uint64_t *differences, uint64_t *values_compared,
                             vv_error *err)
{
    compare self = { .visit = visit, .ctx = ctx };
    vv_status status = vvi_read_options(&self.options, sizeof(self.options), options,
                                        err);

    if (!self.options.memory_bytes)
        self.options.memory_bytes = MEMORY_DEFAULT;
    if (!status)
        status = vvi_source_open(source, &self.a, err);
    if (!status)
        self.bytes_total = bytes_of_tree(&self.a->tree);
    if (!status)
        status = vvi_zarr_source_open(store, path, "store", &self.b, err);
    if (!status)
        status = compare_trees(&self, err);
    vvi_source_free(self.b);
    vvi_source_free(self.a);
    if (differences)
        *differences = self.differences;
    if (values_compared)
        *values_compared = self.values;
    return status;
}
