/* Places of recordings in Zarr: in memory, in a directory, in a map of blocks. */
#include "recorder/zarr_place.h"

#include "recorder/sink.h"
#include "recorder/zarr_names.h"
#include "util/alloc.h"

#include <stdio.h>

/* ---- places -------------------------------------------------------------------------------------- */

static void *make_memory(void)
{
    place *self = calloc(1, sizeof(*self));

    assert_int_equal(vv_memory_store_new(&self->memory, NULL), VV_OK);
    return self;
}

static void *make_files(void)
{
    place *self = calloc(1, sizeof(*self));

    self->directory = make_directory();
    return self;
}

static void *make_blocks(void)
{
    place *self = calloc(1, sizeof(*self));

    assert_int_equal(vv_memory_blockstore_new(&self->blocks, NULL), VV_OK);
    return self;
}

static void unmake(void *ctx)
{
    place *self = ctx;

    vv_store_free(self->memory);
    vv_blockstore_free(self->blocks);
    if (self->directory)
        remove_directory(self->directory);
    free(self);
}

void keep_root(void *ctx, const vv_cid *root)
{
    place *self = ctx;

    self->root = *root;
    self->has_root = true;
}

vv_store *open_place(place *self)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    if (self->memory)
        return vv_store_retain(self->memory);
    if (self->directory)
        assert_vv_ok(vv_directory_store_open(self->directory, false, &store, &err));
    else
        assert_vv_ok(vv_hamt_store_open(self->blocks, self->has_root ? &self->root : NULL,
                                        NULL, &store, &err));
    return store;
}

static vv_status create(void *ctx, const vv_schema *schema,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    vv_store *store = open_place(ctx);
    vv_status status = vv_recorder_create_zarr(store, "run/1", schema, options, keep_root,
                                               ctx, out, err);

    vv_store_free(store); /* the recorder holds it */
    return status;
}

static vv_status append(void *ctx, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    vv_store *store = open_place(ctx);
    vv_status status = vv_recorder_append_zarr(store, "run/1", schema, next_step, options,
                                               keep_root, ctx, out, err);

    vv_store_free(store);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* The path of a leaf below the recording, and what its group is. */
static vvi_group_kind find_leaf(const vv_schema *schema, size_t group, size_t leaf,
                                char path[256])
{
    vv_error err = VV_ERROR_INIT;
    vv_schema *copy = NULL;
    vvi_zarr_names names;
    vvi_group_kind kind;
    vvi_plan plan;
    size_t i;

    assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
    assert_vv_ok(vvi_recorder_plan(copy, NULL, &plan, &err));
    i = plan.groups[group].leaf_count - 1;
    if (leaf != CONTRACT_STEPS)
        for (i = 0; plan.groups[group].given[i] != leaf; i++)
            ;
    assert_vv_ok(vvi_zarr_names_make(&plan, &names, &err));
    snprintf(path, 256, "run/1/%s", names.leaves[group][i]);
    kind = plan.groups[group].kind;
    vvi_zarr_names_clear(&names);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    return kind;
}

/* What the recording's document says of a group, 0 or 1. */
static uint64_t once_logged(vv_store *store, const vv_schema *schema, size_t group)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf attributes = VV_BUF_INIT;
    char wanted[300];
    const char *rows, *at;
    uint64_t logged;

    assert_vv_ok(vv_node_attributes(store, "run/1", &attributes, &err));
    rows = strstr((const char *)attributes.data, "\"rows\"");
    snprintf(wanted, sizeof(wanted), "\"%s\": ", vv_schema_group_name(schema, group));
    at = rows ? strstr(rows, wanted) : NULL;
    assert_non_null(at);
    logged = strtoull(at + strlen(wanted), NULL, 10);
    vv_buf_clear(&attributes);
    return logged;
}

static vv_status read_leaf(void *ctx, const vv_schema *schema, size_t group, size_t leaf,
                           uint64_t *rows, vv_buf *out, vv_error *why)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_error err = VV_ERROR_INIT;
    vv_store *store = open_place(ctx);
    vv_array *array = NULL;
    const vv_array_meta *meta;
    char path[256];
    vvi_group_kind kind = find_leaf(schema, group, leaf, path);
    uint64_t elements = 0;
    size_t item;

    (void)why;
    assert_vv_ok(vv_array_open(store, path, &array, &err));
    meta = vv_array_get_meta(array);
    assert_vv_ok(vv_array_count(array, &elements, &err));
    item = meta->item_size ? meta->item_size : vv_dtype_size(meta->dtype);
    vv_buf_clear(out);
    out->data = vvi_alloc((size_t)elements * item);
    out->len = out->cap = (size_t)elements * item;
    assert_vv_ok(
        vv_array_read(array, start, meta->shape, NULL, out->data, out->len, &err));
    *rows = kind == VVI_GROUP_ROWS     ? meta->shape[0]
            : kind == VVI_GROUP_PLACED ? meta->shape[0] * meta->shape[1]
                                       : once_logged(store, schema, group);
    vv_array_free(array);
    vv_store_free(store);
    return VV_OK;
}

#define KIND(name_, make_)                                                \
    {                                                                     \
        .name = name_, .make = make_, .unmake = unmake, .create = create, \
        .append = append, .read = read_leaf                               \
    }

const sink_kind zarr_in_memory = KIND("Zarr in memory", make_memory);
const sink_kind zarr_in_directory = KIND("Zarr in a directory", make_files);
const sink_kind zarr_in_blocks = KIND("Zarr in a map of blocks", make_blocks);
