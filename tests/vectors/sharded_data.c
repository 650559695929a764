/* Sharded stores that zarr and xarray wrote: datasets, zarr_sharded. Single shards, and the three ways to
 * read them: shard_entries, read_modes. */
#include "sharded_program.h"

#include "counting_blocks.h"
#include "util/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- data sets -------------------------------------------------------------------------------- */

/* Blocks of the file, texts of CIDs → hex, are there. */
static bool has_blocks(vv_blockstore *blocks, const json_t *made)
{
    const char *text;
    json_t *hex;
    bool there = true;

    json_object_foreach((json_t *)(uintptr_t)made, text, hex)
    {
        vv_cid cid;

        there = there && !vv_cid_parse(text, &cid, NULL) &&
                !vv_blockstore_has(blocks, &cid, &there, NULL) && there;
    }
    return there;
}

static bool holds(vv_store *store, const char *key, const char *hex)
{
    vv_buf want = bytes_of_hex(hex);
    vv_buf got = VV_BUF_INIT;
    bool same = !vv_store_get(store, key, VV_RANGE_ALL, &got, NULL) &&
                vvi_bytes_equal(vvi_buf_bytes(&want), vvi_buf_bytes(&got));

    vv_buf_clear(&want);
    vv_buf_clear(&got);
    return same;
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(size_t *)ctx;
    return VV_OK;
}

static bool holds_final(vv_store *store, const json_t *final)
{
    const char *key;
    json_t *hex;
    size_t count = 0;
    bool right = true;

    json_object_foreach((json_t *)(uintptr_t) final, key, hex)
        right = right && holds(store, key, json_string_value(hex));
    return right && !vv_store_list(store, "", count_key, &count, NULL) &&
           count == json_object_size(final);
}

/* An array read by our own reader is these numbers. */
static bool reads_values(vv_store *store, const char *path, const json_t *values,
                         vv_error *err)
{
    uint64_t start[VV_NDIM_MAX] = { 0 };
    const size_t n = json_array_size(values);
    vv_array *array = NULL;
    uint8_t *bytes;
    size_t size;
    bool right;

    if (vv_array_open(store, path, &array, err))
        return false;
    size = vv_dtype_size(vv_array_get_meta(array)->dtype);
    bytes = calloc(n + 1, size);
    right = bytes && !vv_array_read(array, start, vv_array_get_meta(array)->shape, NULL,
                                    bytes, n * size, err);
    for (size_t i = 0; i < n && right; i++) {
        char text[64];

        vv_element_format(vv_array_get_meta(array)->dtype, bytes + i * size, text,
                          sizeof(text));
        right = strtod(text, NULL) == json_number_value(json_array_get(values, i));
    }
    vv_array_free(array);
    free(bytes);
    return right;
}

static bool reads_groups(vv_store *store, const json_t *groups, vv_error *err)
{
    const char *group;
    const char *name;
    json_t *variables;
    json_t *variable;
    bool right = true;

    json_object_foreach((json_t *)(uintptr_t)groups, group, variables)
    {
        json_object_foreach(variables, name, variable)
        {
            char path[256];

            snprintf(path, sizeof(path), "%s/%s", group, name);
            right = right &&
                    reads_values(store, path, json_object_get(variable, "values"), err);
        }
    }
    return right;
}

static void run_dataset(vector_run *run, const json_t *one)
{
    const json_t *ops = json_object_get(one, "ops");
    const char *name = text_of(one, "name");
    sharded_program program = { 0 };
    json_t *reopen = json_pack("[s,b]", "reopen", 1);
    vv_error err = VV_ERROR_INIT;
    json_t *root;

    for (size_t i = 0; i < json_array_size(ops); i++)
        json_decref(sharded_program_step(&program, json_array_get(ops, i)));
    root = sharded_program_step(&program, reopen);
    if (!json_equal(json_object_get(root, "ok"), json_object_get(one, "root")))
        vector_fail(run, name, "root %s, not %s", text_of(root, "ok"),
                    text_of(one, "root"));
    else if (!has_blocks(program.blocks, json_object_get(one, "dag_cbor_blocks")))
        vector_fail(run, name, "a block was not made");
    else if (!holds_final(program.store, json_object_get(one, "final")))
        vector_fail(run, name, "other keys or values");
    else if (!reads_groups(program.store, json_object_get(one, "values"), &err))
        vector_fail(run, name, "other numbers: %s", err.message);
    else
        vector_pass(run);
    json_decref(root);
    json_decref(reopen);
    sharded_program_clear(&program);
}

void run_datasets(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        run_dataset(run, json_array_get(cases, i));
}

/* ---- data sets of 3.3.2 ----------------------------------------------------------------------- */

static void run_old_dataset(vector_run *run, const json_t *one, bool is_sha2)
{
    const json_t *ops = json_object_get(one, "ops");
    const char *want = text_of(one, is_sha2 ? "root_sha2_256" : "root_blake3");
    const char *name = text_of(one, "name");
    sharded_program program = { .old_form = true };
    json_t *open = json_pack("[s,O,O,O]", "open", json_object_get(one, "array_shape"),
                             json_object_get(one, "chunk_shape"),
                             json_object_get(one, "chunks_per_shard"));
    json_t *reopen = json_pack("[s,b]", "reopen", 1);
    json_t *last = json_object(); /* key → the value it was set to last */
    json_t *root;

    if (is_sha2)
        program.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 32 };
    json_decref(sharded_program_step(&program, open));
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        json_decref(sharded_program_step(&program, op));
        json_object_set(last, json_string_value(sharded_step_arg(op, 0)),
                        (json_t *)(uintptr_t)sharded_step_arg(op, 1));
    }
    root = sharded_program_step(&program, reopen);
    if (!text_of(root, "ok") || strcmp(text_of(root, "ok"), want) != 0)
        vector_fail(run, name, "root %s, not %s", text_of(root, "ok"), want);
    else if (!is_sha2 &&
             !has_blocks(program.blocks, json_object_get(one, "dag_cbor_blocks")))
        vector_fail(run, name, "a block was not made");
    else if (!holds_final(program.store, last))
        vector_fail(run, name, "other keys or values");
    else
        vector_pass(run);
    json_decref(root);
    json_decref(last);
    json_decref(open);
    json_decref(reopen);
    sharded_program_clear(&program);
}

void run_zarr_sharded(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        for (int is_sha2 = 0; is_sha2 < 2; is_sha2++)
            run_old_dataset(run, json_array_get(cases, i), is_sha2);
}

/* ---- single shards ---------------------------------------------------------------------------- */

/* How many items the list says that it has; -1: it is no list. */
static int64_t list_length(vv_bytes block)
{
    size_t more = 0;
    int64_t n = 0;

    if (block.len == 0 || (block.data[0] & 0xe0) != 0x80 || block.data[0] > 0x9b)
        return -1;
    if (block.data[0] < 0x98)
        return block.data[0] & 0x1f;
    more = (size_t)1 << (block.data[0] - 0x98);
    for (size_t i = 0; i < more && i + 1 < block.len; i++)
        n = n << 8 | block.data[i + 1];
    return n;
}

/* A root with the array "g/a" of n chunks in the one shard that is this block. */
static bool put_shard(vv_blockstore *blocks, vv_bytes block, uint64_t n, vv_cid *root)
{
    static const char form[] =
        "{\"map\":[[\"arrays\",{\"map\":[[\"g/a\",{\"map\":["
        "[\"shard_cids\",{\"list\":[{\"link\":\"%s\"}]}],"
        "[\"array_shape\",{\"list\":[{\"int\":\"%llu\"}]}],"
        "[\"chunk_shape\",{\"list\":[{\"int\":\"1\"}]}],"
        "[\"sharding_config\",{\"map\":[[\"chunks_per_shard\",{\"int\":\"%llu\"}]]}]"
        "]}]]}],[\"metadata\",{\"map\":[]}],"
        "[\"manifest_version\",{\"str\":\"sharded_zarr_v2\"}]]}";
    const vv_cid_prefix *prefix = &VV_PREFIX_CBOR_BLAKE3;
    char cid[VV_CID_TEXT_MAX];
    char text[sizeof(form) + VV_CID_TEXT_MAX + 40];
    vv_buf out = VV_BUF_INIT;
    json_t *typed;
    vv_cid shard;
    bool right;

    if (vv_blockstore_put(blocks, prefix, block, &shard, NULL))
        return false;
    vv_cid_format(&shard, cid);
    snprintf(text, sizeof(text), form, cid, (unsigned long long)n, (unsigned long long)n);
    typed = json_loads(text, 0, NULL);
    right = typed && !vector_encode(typed, &out) &&
            !vv_blockstore_put(blocks, prefix, vvi_buf_bytes(&out), root, NULL);
    json_decref(typed);
    vv_buf_clear(&out);
    return right;
}

/* One slot, asked for by its chunk, without decoding the others. */
static bool entry_binds(vv_store *store, const json_t *entry, bool is_strict,
                        int64_t count)
{
    const int64_t index = json_integer_value(json_array_get(entry, 0));
    const json_t *want = json_array_get(entry, 1);
    const char *cid = text_of(want, "ok");
    const bool is_error = json_object_get(want, "error") != NULL;
    char text[VV_CID_TEXT_MAX] = "";
    char key[64];
    vv_cid got;
    vv_status status;

    if (index < 0) /* no chunk has such a name */
        return is_error;
    snprintf(key, sizeof(key), "g/a/c/%lld", (long long)index);
    status = vv_store_pointer(store, key, &got, NULL);
    if (!status)
        vv_cid_format(&got, text);
    if (index >= count && count >= 0) /* outside the grid: not found, in v2 */
        return status != VV_OK;
    if (is_error || (!is_strict && status == VV_ECORRUPT))
        return status == VV_ECORRUPT;
    return cid ? status == VV_OK && strcmp(cid, text) == 0 : status == VV_ENOTFOUND;
}

static void run_shard(vector_run *run, const json_t *one, size_t number)
{
    const bool is_strict = json_is_true(json_object_get(one, "strict_decoder_accepts"));
    const json_t *entries = json_object_get(one, "entries");
    vv_buf block = bytes_of_hex(text_of(one, "hex"));
    const int64_t count = list_length(vvi_buf_bytes(&block));
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_blockstore *blocks = counting_blocks_new();
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    char name[32];
    bool right = true;
    vv_cid root;

    snprintf(name, sizeof(name), "shard %zu", number);
    options.read_only = true;
    options.read = VV_SHARD_SPARSE;
    /* A list of no items belongs to no grid: it is the wrong length for every one. */
    right = put_shard(blocks, vvi_buf_bytes(&block), count > 0 ? (uint64_t)count : 3,
                      &root) &&
            !vv_sharded_store_open(blocks, &root, &options, &store, &err);
    for (size_t i = 0; i < json_array_size(entries) && right; i++)
        right = entry_binds(store, json_array_get(entries, i), is_strict,
                            count > 0 ? count : -1);
    if (right)
        vector_pass(run);
    else
        vector_fail(run, name, "%.60s: %s", text_of(one, "hex"), err.message);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    vv_buf_clear(&block);
}

void run_shard_entries(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        run_shard(run, json_array_get(cases, i), i);
}

/* ---- ways to read ----------------------------------------------------------------------------- */

/* The array's document, as the vectors write documents. */
static json_t *document_step(const json_t *one)
{
    char *shape = json_dumps(json_object_get(one, "array_shape"), 0);
    char *chunk = json_dumps(json_object_get(one, "chunk_shape"), 0);
    char text[400];
    char *hex;
    json_t *step;

    snprintf(text, sizeof(text),
             "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": %s, "
             "\"chunk_grid\": {\"name\": \"regular\", \"configuration\": "
             "{\"chunk_shape\": %s}}}",
             shape, chunk);
    hex = hex_of(vv_bytes_of(text));
    step = json_pack("[s,s,s]", "set", "g/a/zarr.json", hex);
    free(hex);
    free(shape);
    free(chunk);
    return step;
}

static void do_step(sharded_program *program, json_t *op)
{
    json_decref(sharded_program_step(program, op));
    json_decref(op);
}

/* How often a shard is loaded is free; what is read is not. */
static bool reads_are_right(sharded_program *program, const json_t *one)
{
    const json_int_t every = int_of(one, "set_every", 1);
    const json_t *reads = json_object_get(one, "reads");
    bool right = true;

    for (size_t i = 0; i < json_array_size(reads) && right; i++) {
        const json_t *read = json_array_get(reads, i);
        const json_t *range = json_array_get(read, 1);
        const char *key = json_string_value(json_array_get(read, 0));
        json_t *get = json_is_null(range) ? json_pack("[s,s]", "get", key)
                                          : json_pack("[s,s,O]", "get", key, range);
        const long chunk = strtol(strrchr(key, '/') + 1, NULL, 10);
        json_int_t times = json_integer_value(json_array_get(read, 2));
        char text[32];
        char *hex;

        snprintf(text, sizeof(text), "%ld", chunk);
        if (json_is_array(range))
            text[json_integer_value(json_array_get(range, 2))] = '\0';
        hex = hex_of(vv_bytes_of(text));
        while (times-- && right) {
            json_t *got = sharded_program_step(program, get);
            const json_t *value = json_object_get(got, "ok");

            right = chunk % every ? json_is_null(value)
                                  : json_is_string(value) &&
                                        strcmp(json_string_value(value), hex) == 0;
            json_decref(got);
        }
        free(hex);
        json_decref(get);
    }
    return right;
}

static void run_read_mode(vector_run *run, const json_t *one)
{
    const json_int_t count = json_integer_value(
        json_array_get(json_object_get(one, "array_shape"), 0));
    const json_int_t every = int_of(one, "set_every", 1);
    const char *name = text_of(one, "name");
    sharded_program program = { 0 };
    json_t *reopen = json_pack("[s,b,O?]", "reopen", 1, json_object_get(one, "mode"));
    json_t *root;

    do_step(&program,
            json_pack("[s,O]", "new_v2", json_object_get(one, "chunks_per_shard")));
    do_step(&program, document_step(one));
    for (json_int_t i = 0; i < count; i += every) {
        char key[40];
        char text[24];
        char *hex;

        snprintf(key, sizeof(key), "g/a/c/%lld", (long long)i);
        snprintf(text, sizeof(text), "%lld", (long long)i);
        hex = hex_of(vv_bytes_of(text));
        do_step(&program, json_pack("[s,s,s]", "set", key, hex));
        free(hex);
    }
    root = sharded_program_step(&program, reopen);
    if (!json_equal(json_object_get(root, "ok"), json_object_get(one, "root")))
        vector_fail(run, name, "root %s, not %s", text_of(root, "ok"),
                    text_of(one, "root"));
    else if (!reads_are_right(&program, one))
        vector_fail(run, name, "a read of another value");
    else
        vector_pass(run);
    json_decref(root);
    json_decref(reopen);
    sharded_program_clear(&program);
}

void run_read_modes(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        run_read_mode(run, json_array_get(cases, i));
}
