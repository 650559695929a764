#include "sharded_program.h"

#include "counting_blocks.h"

#include <stdlib.h>
#include <string.h>

const char *sharded_step_name(const json_t *op)
{
    return json_string_value(json_array_get(op, 0));
}

const json_t *sharded_step_arg(const json_t *op, size_t i)
{
    return json_array_get(op, i + 1);
}

static const char *text_arg(const json_t *op, size_t i)
{
    const char *text = json_string_value(sharded_step_arg(op, i));

    return text ? text : "";
}

/* ---- results ---------------------------------------------------------------------------------- */

static json_t *ok(json_t *value)
{
    return json_pack("{s:o}", "ok", value);
}

static json_t *unasked(void)
{
    return json_pack("{s:b}", "unasked", 1);
}

/* A fault of the program, or of what came before; it is what no file expects. */
static json_t *broken(const char *why)
{
    return json_pack("{s:{s:s,s:s}}", "error", "status", "?", "message", why);
}

static json_t *result_of(vv_status status, const vv_error *err)
{
    return status ? json_pack("{s:{s:s,s:s}}", "error", "status", vv_status_name(status),
                              "message", err->message)
                  : ok(json_null());
}

static json_t *cid_result(vv_status status, const vv_cid *cid, const vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    if (status)
        return result_of(status, err);
    vv_cid_format(cid, text);
    return ok(json_string(text));
}

/* ---- arguments -------------------------------------------------------------------------------- */

typedef struct shape {
    uint32_t ndim;
    uint64_t at[VV_NDIM_MAX];
    bool is_null, is_negative;
} shape;

static shape shape_of(const json_t *list)
{
    shape out = { .is_null = !json_is_array(list) };

    for (size_t i = 0; i < json_array_size(list) && i < VV_NDIM_MAX; i++) {
        json_int_t n = json_integer_value(json_array_get(list, i));

        out.is_negative = out.is_negative || n < 0;
        out.at[out.ndim++] = n < 0 ? 0 : (uint64_t)n;
    }
    return out;
}

/* "$name" or, in the old form, "name" stands for a remembered CID. */
static bool cid_of(const sharded_program *self, const char *text, vv_cid *out)
{
    const char *name = text[0] == '$' ? text + 1 : text;
    const char *known = json_string_value(json_object_get(self->names, name));

    if (known && (text[0] == '$' || self->old_form))
        text = known;
    return !vv_cid_parse(text, out, NULL);
}

/* false: start > end, which vv_range cannot say. */
static bool range_of(const json_t *list, vv_range *out)
{
    const char *kind = json_string_value(json_array_get(list, 0));
    const json_int_t a = json_integer_value(json_array_get(list, 1));
    const json_int_t b = json_integer_value(json_array_get(list, 2));

    *out = VV_RANGE_ALL;
    if (!kind)
        return true;
    if (strcmp(kind, "offset") == 0)
        *out = VV_RANGE_AT((uint64_t)a);
    else if (strcmp(kind, "suffix") == 0)
        *out = VV_RANGE_SUFFIX((uint64_t)a);
    else if (a > b)
        return false;
    else
        *out = VV_RANGE_OF((uint64_t)a, (uint64_t)(b - a));
    return true;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static json_t *take_store(sharded_program *self, vv_status status, vv_store *store,
                          const vv_error *err)
{
    vv_store_free(self->store);
    self->store = store;
    free(self->opened);
    self->opened = NULL;
    return result_of(status, err);
}

static json_t *new_store(sharded_program *self, const json_t *op)
{
    const bool is_v2 = strcmp(sharded_step_name(op), "new_v2") == 0;
    const json_t *first = is_v2 ? sharded_step_arg(op, 1) : NULL;
    const json_t *n = sharded_step_arg(op, is_v2 ? 0 : 2);
    shape array = shape_of(is_v2 ? json_object_get(first, "array_shape")
                                 : sharded_step_arg(op, 0));
    shape chunk = shape_of(is_v2 ? json_object_get(first, "chunk_shape")
                                 : sharded_step_arg(op, 1));
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_status status;

    /* 0 is the default of the call, not a number that it refuses. */
    if (array.is_negative || chunk.is_negative || array.ndim != chunk.ndim ||
        array.is_null != chunk.is_null || json_integer_value(n) <= 0)
        return unasked();
    options.version = is_v2 ? VV_SHARDED_V2 : VV_SHARDED_V1;
    options.without_primary = self->old_form;
    options.ids = self->ids;
    options.chunks_per_shard = (uint64_t)json_integer_value(n);
    if (!array.is_null) {
        options.ndim = array.ndim;
        options.array_shape = array.at;
        options.chunk_shape = chunk.at;
        options.primary_array_path = text_of(first, "primary_array_path");
    }
    status = vv_sharded_store_open(self->blocks, NULL, &options, &store, &err);
    return take_store(self, status, store, &err);
}

static json_t *open_root(sharded_program *self, const vv_cid *root, bool read_only,
                         const char *mode)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    char text[VV_CID_TEXT_MAX];
    vv_store *store = NULL;
    vv_status status;
    json_t *result;

    options.read_only = read_only;
    options.without_primary = self->old_form;
    options.read = mode && strcmp(mode, "full") == 0     ? VV_SHARD_FULL
                   : mode && strcmp(mode, "sparse") == 0 ? VV_SHARD_SPARSE
                                                         : VV_SHARD_AUTO;
    status = vv_sharded_store_open(self->blocks, root, &options, &store, &err);
    result = take_store(self, status, store, &err);
    vv_cid_format(root, text);
    self->opened = status ? NULL : strdup(text);
    return result;
}

static json_t *step_open(sharded_program *self, const json_t *op)
{
    vv_cid root;

    if (self->old_form)
        return new_store(self, op);
    if (!cid_of(self, text_arg(op, 0), &root))
        abort();
    return open_root(self, &root, json_is_true(sharded_step_arg(op, 1)),
                     json_string_value(sharded_step_arg(op, 2)));
}

static json_t *step_reopen(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    vv_status status = vv_store_commit(self->store, &root, &err);
    json_t *result = cid_result(status, &root, &err);
    json_t *opened;

    if (status)
        return result;
    opened = open_root(self, &root, json_is_true(sharded_step_arg(op, 0)),
                       json_string_value(sharded_step_arg(op, 1)));
    if (json_object_get(opened, "ok")) {
        json_decref(opened);
        return result;
    }
    json_decref(result);
    return opened;
}

static json_t *step_read_only(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_status status = vv_sharded_store_with_read_only(
        self->store, json_is_true(sharded_step_arg(op, 0)), &store, &err);
    char *opened = self->opened;
    json_t *result;

    self->opened = NULL;
    result = take_store(self, status, store, &err);
    self->opened = opened;
    return result;
}

/* ---- reading and writing ---------------------------------------------------------------------- */

static json_t *step_get(sharded_program *self, const json_t *op)
{
    vv_buf value = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_range range;
    vv_status status;
    json_t *result;
    char *hex;

    if (!range_of(sharded_step_arg(op, 1), &range))
        return unasked();
    status = vv_store_get(self->store, text_arg(op, 0), range, &value, &err);
    if (status)
        return status == VV_ENOTFOUND ? ok(json_null()) : result_of(status, &err);
    hex = hex_of((vv_bytes){ value.data, value.len });
    result = ok(json_string(hex));
    free(hex);
    vv_buf_clear(&value);
    return result;
}

static json_t *step_set(sharded_program *self, const json_t *op)
{
    vv_buf value = bytes_of_hex(text_arg(op, 1));
    vv_error err = VV_ERROR_INIT;
    vv_status status = vv_store_set(self->store, text_arg(op, 0),
                                    (vv_bytes){ value.data, value.len }, &err);

    vv_buf_clear(&value);
    return result_of(status, &err);
}

static json_t *step_set_pointer(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid pointer;

    if (!cid_of(self, text_arg(op, 1), &pointer))
        return unasked();
    return result_of(vv_store_set_pointer(self->store, text_arg(op, 0), &pointer, &err),
                     &err);
}

static json_t *step_exists(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;
    bool there = false;
    vv_status status = vv_store_exists(self->store, text_arg(op, 0), &there, &err);

    return status ? result_of(status, &err) : ok(json_boolean(there));
}

static json_t *step_delete(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;

    return result_of(vv_store_delete(self->store, text_arg(op, 0), &err), &err);
}

/* delete_dir(prefix) of py-hamt: slashes at the ends do not count, and "" is everything, as clear. */
static json_t *step_delete_dir(sharded_program *self, const json_t *op)
{
    const char *from = text_arg(op, 0);
    size_t len;
    vv_error err = VV_ERROR_INIT;
    char prefix[256];

    from += strspn(from, "/");
    len = strlen(from);
    while (len && from[len - 1] == '/')
        len--;
    snprintf(prefix, sizeof(prefix), "%.*s%s", (int)len, from, len ? "/" : "");
    return result_of(vv_store_delete_prefix(self->store, prefix, NULL, &err), &err);
}

static json_t *step_put_block(sharded_program *self, const json_t *op)
{
    vv_cid_prefix prefix = strcmp(text_arg(op, 1), "raw") == 0 ? VV_PREFIX_RAW_BLAKE3
                                                               : VV_PREFIX_CBOR_BLAKE3;
    vv_buf block = bytes_of_hex(text_arg(op, 2));
    vv_error err = VV_ERROR_INIT;
    vv_cid cid;
    vv_status status = vv_blockstore_put(self->blocks, &prefix,
                                         (vv_bytes){ block.data, block.len }, &cid, &err);
    json_t *result = cid_result(status, &cid, &err);

    vv_buf_clear(&block);
    json_object_set(self->names, text_arg(op, 0), json_object_get(result, "ok"));
    return result;
}

/* ---- listing ---------------------------------------------------------------------------------- */

static vv_status append_name(void *ctx, const char *name, vv_error *err)
{
    size_t len = strlen(name);

    (void)err;
    json_array_append_new(ctx, json_stringn(name, len));
    return VV_OK;
}

/* Directories are told with a slash at their end, which py-hamt does not write. */
static vv_status append_entry(void *ctx, const char *name, vv_error *err)
{
    size_t len = strlen(name);

    (void)err;
    if (len && name[len - 1] == '/')
        len--;
    json_array_append_new(ctx, json_stringn(name, len));
    return VV_OK;
}

static json_t *step_list(sharded_program *self, const json_t *op)
{
    const bool is_dir = strcmp(sharded_step_name(op), "list_dir") == 0;
    json_t *names = json_array();
    vv_error err = VV_ERROR_INIT;
    vv_status status = is_dir ? vv_store_list_dir(self->store, text_arg(op, 0),
                                                  append_entry, names, &err)
                              : vv_store_list(self->store, text_arg(op, 0), append_name,
                                              names, &err);

    if (!status)
        return ok(names);
    json_decref(names);
    return result_of(status, &err);
}

/* ---- the store as a whole --------------------------------------------------------------------- */

static json_t *commit(sharded_program *self)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    vv_status status = vv_store_commit(self->store, &root, &err);

    return cid_result(status, &root, &err);
}

static json_t *step_flush(sharded_program *self, const json_t *op)
{
    (void)op;
    return commit(self);
}

static json_t *step_remember(sharded_program *self, const json_t *op)
{
    json_t *result = commit(self);

    json_object_set(self->names, text_arg(op, 0), json_object_get(result, "ok"));
    return result;
}

static json_t *step_graft(sharded_program *self, const json_t *op)
{
    vv_graft_options options = VV_GRAFT_OPTIONS_INIT;
    const json_t *paths = sharded_step_arg(op, 2);
    shape offset = shape_of(sharded_step_arg(op, 1));
    vv_error err = VV_ERROR_INIT;
    vv_cid source;

    if (offset.is_negative || !cid_of(self, text_arg(op, 0), &source))
        return unasked();
    options.source_array_path = text_of(paths, "source_array_path");
    options.target_array_path = text_of(paths, "target_array_path");
    return result_of(vv_sharded_store_graft(self->store, &source, offset.ndim, offset.at,
                                            &options, NULL, &err),
                     &err);
}

static json_t *step_resize_store(sharded_program *self, const json_t *op)
{
    shape to = shape_of(sharded_step_arg(op, 0));
    vv_error err = VV_ERROR_INIT;

    if (to.is_negative)
        return unasked();
    return result_of(vv_sharded_store_resize(self->store,
                                             json_string_value(sharded_step_arg(op, 1)),
                                             to.ndim, to.at, &err),
                     &err);
}

static json_t *step_resize_variable(sharded_program *self, const json_t *op)
{
    shape to = shape_of(sharded_step_arg(op, 1));
    vv_error err = VV_ERROR_INIT;

    if (to.is_negative)
        return unasked();
    return result_of(vv_sharded_store_resize_variable(self->store, text_arg(op, 0),
                                                      to.ndim, to.at, &err),
                     &err);
}

static json_t *step_migrate(sharded_program *self, const json_t *op)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    vv_status status = vv_sharded_store_migrate(self->store, text_arg(op, 0), &root,
                                                &err);

    return cid_result(status, &root, &err);
}

static json_t *step_stash(sharded_program *self, const json_t *op)
{
    for (size_t i = 0; i < sizeof(self->stash) / sizeof(self->stash[0]); i++)
        if (!self->stash[i].store || strcmp(self->stash[i].name, text_arg(op, 0)) == 0) {
            vv_store_free(self->stash[i].store);
            self->stash[i].store = vv_store_retain(self->store);
            snprintf(self->stash[i].name, sizeof(self->stash[i].name), "%s",
                     text_arg(op, 0));
            return ok(json_null());
        }
    abort();
}

static json_t *step_use(sharded_program *self, const json_t *op)
{
    for (size_t i = 0; i < sizeof(self->stash) / sizeof(self->stash[0]); i++)
        if (self->stash[i].store && strcmp(self->stash[i].name, text_arg(op, 0)) == 0) {
            vv_store_free(self->store);
            self->store = vv_store_retain(self->stash[i].store);
            return ok(json_null());
        }
    abort();
}

static json_t *numbers(const uint64_t *from, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)from[i]));
    return list;
}

static vv_status append_array(void *ctx, const vv_sharded_array *array, vv_error *err)
{
    (void)err;
    json_object_set_new(ctx, array->path,
                        json_pack("{s:o,s:o,s:I,s:I}", "array_shape",
                                  numbers(array->shape, array->ndim), "chunk_shape",
                                  numbers(array->chunk_shape, array->ndim),
                                  "chunks_per_shard", (json_int_t)array->chunks_per_shard,
                                  "num_shards", (json_int_t)array->shard_count));
    return VV_OK;
}

static vv_status take_old_state(void *ctx, const vv_sharded_array *array, vv_error *err)
{
    json_int_t total = 1;

    (void)err;
    for (uint32_t i = 0; i < array->ndim; i++)
        total *= (json_int_t)array->grid[i];
    json_object_set_new(ctx, "array_shape", numbers(array->shape, array->ndim));
    json_object_set_new(ctx, "chunks_per_dim", numbers(array->grid, array->ndim));
    json_object_set_new(ctx, "total_chunks", json_integer(total));
    json_object_set_new(ctx, "num_shards", json_integer((json_int_t)array->shard_count));
    return VV_OK;
}

static json_t *step_state(sharded_program *self, const json_t *op)
{
    json_t *arrays = json_object();
    vv_error err = VV_ERROR_INIT;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    vv_status status = vv_sharded_store_info(self->store, &info, &err);
    const bool is_v1 = info.version == VV_SHARDED_V1;
    json_t *primary;

    (void)op;
    if (!status)
        status = vv_sharded_store_arrays(
            self->store, self->old_form ? take_old_state : append_array, arrays, &err);
    if (status) {
        json_decref(arrays);
        return result_of(status, &err);
    }
    if (self->old_form)
        return ok(arrays);
    /* The vectors write "" where a v1 root has none. */
    primary = info.primary_array_path ? json_string(info.primary_array_path)
              : is_v1                 ? json_string("")
                                      : json_null();
    return ok(json_pack("{s:s,s:o,s:o}", "manifest_version",
                        is_v1 ? "sharded_zarr_v1" : "sharded_zarr_v2", "primary", primary,
                        "arrays", arrays));
}

static json_t *step_loads(sharded_program *self, const json_t *op)
{
    (void)op;
    return ok(counting_blocks_take_loads(self->blocks));
}

static json_t *step_fail(sharded_program *self, const json_t *op)
{
    const uint64_t n = (uint64_t)json_integer_value(sharded_step_arg(op, 1));

    if (strcmp(text_arg(op, 0), "save") == 0)
        counting_blocks_fail_save(self->blocks, n);
    else
        counting_blocks_fail_load(self->blocks, n);
    return ok(json_null());
}

json_t *sharded_program_step(sharded_program *self, const json_t *op)
{
    static const struct {
        const char *name;
        json_t *(*step)(sharded_program *, const json_t *);
        bool needs_store;
    } steps[] = {
        { "clear", step_delete_dir, true },
        { "delete", step_delete, true },
        { "delete_dir", step_delete_dir, true },
        { "exists", step_exists, true },
        { "fail", step_fail, false },
        { "flush", step_flush, true },
        { "get", step_get, true },
        { "graft", step_graft, true },
        { "list", step_list, true },
        { "list_dir", step_list, true },
        { "list_prefix", step_list, true },
        { "loads", step_loads, false },
        { "migrate", step_migrate, true },
        { "new_v1", new_store, false },
        { "new_v2", new_store, false },
        { "open", step_open, false },
        { "put_block", step_put_block, false },
        { "read_only", step_read_only, true },
        { "remember", step_remember, true },
        { "reopen", step_reopen, true },
        { "resize_store", step_resize_store, true },
        { "resize_variable", step_resize_variable, true },
        { "set", step_set, true },
        { "set_pointer", step_set_pointer, true },
        { "stash", step_stash, true },
        { "state", step_state, true },
        { "use", step_use, false },
    };
    const char *name = sharded_step_name(op);

    if (!self->blocks) {
        self->blocks = counting_blocks_new();
        self->names = json_object();
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(steps[i].name, name) == 0)
            return steps[i].needs_store && !self->store ? broken("no store is open")
                                                        : steps[i].step(self, op);
    return broken("a step that the runner does not know");
}

void sharded_program_clear(sharded_program *self)
{
    for (size_t i = 0; i < sizeof(self->stash) / sizeof(self->stash[0]); i++)
        vv_store_free(self->stash[i].store);
    vv_store_free(self->store);
    vv_blockstore_free(self->blocks);
    json_decref(self->names);
    free(self->opened);
    *self = (sharded_program){ 0 };
}
