/* zarr_hamt.json: a data set that xarray wrote through py-hamt. Replaying what the store was given
 * makes its roots; our own reader gives its numbers. And the bugs of that store in known_bugs. */
#include "hamt.h"

#include "util/buf.h"
#include "util/endian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool replay(const json_t *ops, vv_store *store)
{
    vv_error err = VV_ERROR_INIT;
    bool right = true;

    for (size_t i = 0; i < json_array_size(ops) && right; i++) {
        const json_t *op = json_array_get(ops, i);
        const char *what = json_string_value(json_array_get(op, 0));
        const char *key = json_string_value(json_array_get(op, 1));

        if (strcmp(what, "delete") == 0) {
            right = vv_store_delete(store, key, &err) == VV_OK;
        } else {
            vv_buf value = bytes_of_hex(json_string_value(json_array_get(op, 2)));

            right = strcmp(what, "set") == 0 &&
                    vv_store_set(store, key, vvi_buf_bytes(&value), &err) == VV_OK;
            vv_buf_clear(&value);
        }
    }
    return right;
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(size_t *)ctx;
    return VV_OK;
}

/* Exactly the keys and values that were left in the end. */
static bool holds_final(const json_t *final, vv_store *store)
{
    const char *key;
    json_t *hex;
    size_t count = 0;
    bool right = true;

    json_object_foreach((json_t *)(uintptr_t) final, key, hex)
    {
        vv_buf want = bytes_of_hex(json_string_value(hex));
        vv_buf got = VV_BUF_INIT;

        right = right && !vv_store_get(store, key, VV_RANGE_ALL, &got, NULL) &&
                vvi_bytes_equal(vvi_buf_bytes(&want), vvi_buf_bytes(&got));
        vv_buf_clear(&want);
        vv_buf_clear(&got);
    }
    return right && !vv_store_list(store, "", count_key, &count, NULL) &&
           count == json_object_size(final);
}

/* The array "temp", all of it, is the numbers that the file gives. */
static bool reads_values(const json_t *entry, vv_store *store, vv_error *err)
{
    vv_buf want = bytes_of_hex(text_of(entry, "values_little_endian_float32"));
    uint64_t start[VV_NDIM_MAX] = { 0 };
    vv_array *array = NULL;
    float *values = malloc(want.len);
    bool right = values && !vv_array_open(store, "temp", &array, err) &&
                 !vv_array_read(array, start, vv_array_get_meta(array)->shape, NULL,
                                values, want.len, err);

    for (size_t i = 0; i < want.len / 4 && right; i++) {
        uint32_t bits = vvi_get_le32(want.data + 4 * i);

        right = memcmp(&bits, &values[i], sizeof(bits)) == 0;
    }
    vv_array_free(array);
    vv_buf_clear(&want);
    free(values);
    return right;
}

static void run_tree(vector_run *run, const json_t *entry, const hamt_backend *backend,
                     uint32_t bucket)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    const char *root_text = NULL;
    char name[64];
    char title[200];
    vv_cid root;

    snprintf(name, sizeof(name), "%s_bucket%u", backend->name, bucket);
    snprintf(title, sizeof(title), "%s %s", text_of(entry, "name"), name);
    options.max_bucket_size = bucket;
    options.ids = backend->ids;
    if (vv_memory_blockstore_new(&blocks, NULL) ||
        vv_hamt_store_open(blocks, NULL, &options, &store, &err) ||
        !replay(json_object_get(entry, "ops"), store) ||
        vv_store_commit(store, &root, &err)) {
        vector_fail(run, title, "cannot be replayed: %s", err.message);
        goto done;
    }
    root_text = text_of(json_object_get(entry, "roots"), name);
    if (!root_text || strcmp(hamt_id_text(&root), root_text) != 0) {
        vector_fail(run, title, "root %s, not %s", hamt_id_text(&root), root_text);
        goto done;
    }
    /* Read what is behind the root, not what is still in memory. */
    vv_store_free(store);
    store = NULL;
    options.read_only = true;
    if (vv_hamt_store_open(blocks, &root, &options, &store, &err) ||
        !holds_final(json_object_get(entry, "final"), store))
        vector_fail(run, title, "other keys or values: %s", err.message);
    else if (!reads_values(entry, store, &err))
        vector_fail(run, title, "other numbers: %s", err.message);
    else
        vector_pass(run);

done:
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

void run_zarr_hamt(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        for (size_t b = 0; b < HAMT_BACKEND_COUNT; b++) {
            run_tree(run, json_array_get(cases, i), &hamt_backends[b], 1);
            run_tree(run, json_array_get(cases, i), &hamt_backends[b], 4);
        }
}

/* ---- known bugs ------------------------------------------------------------------------------ */

static bool put(vv_store *store, const char *key)
{
    return vv_store_set(store, key, vv_bytes_of("1"), NULL) == VV_OK;
}

static bool deleted_metadata_is_gone(vv_store *store)
{
    vv_buf out = VV_BUF_INIT;
    bool there = true;
    bool right = put(store, "g/zarr.json") &&
                 !vv_store_get(store, "g/zarr.json", VV_RANGE_ALL, &out, NULL) &&
                 !vv_store_delete(store, "g/zarr.json", NULL);

    vv_buf_clear(&out);
    return right &&
           vv_store_get(store, "g/zarr.json", VV_RANGE_ALL, &out, NULL) == VV_ENOTFOUND &&
           !vv_store_exists(store, "g/zarr.json", &there, NULL) && !there;
}

static vv_status delete_key(void *ctx, const char *key, vv_error *err)
{
    return vv_store_delete(ctx, key, err);
}

static bool deleting_while_listing_ends(vv_store *store)
{
    uint64_t deleted = 0;
    size_t left = 0;

    return put(store, "a/x") && put(store, "a/y") &&
           !vv_store_delete_prefix(store, "a/", &deleted, NULL) && deleted == 2 &&
           put(store, "a/x") && !vv_store_list(store, "a/", delete_key, store, NULL) &&
           !vv_store_list(store, "", count_key, &left, NULL) && left == 0;
}

static vv_status take_entry(void *ctx, const char *name, vv_error *err)
{
    char *seen = ctx;

    (void)err;
    strncat(seen, name, 60 - strlen(seen));
    strncat(seen, " ", 60 - strlen(seen));
    return VV_OK;
}

static bool a_directory_needs_no_slash(vv_store *store)
{
    char seen[64] = "";

    return put(store, "a/b/c") && put(store, "a/d") &&
           !vv_store_list_dir(store, "a", take_entry, seen, NULL) &&
           (strcmp(seen, "b/ d ") == 0 || strcmp(seen, "d b/ ") == 0);
}

bool run_zarr_bug(vector_run *run, const char *id)
{
    static const struct {
        const char *id;
        bool (*check)(vv_store *);
    } checks[] = { { "zarr-hamt-stale-metadata", deleted_metadata_is_gone },
                   { "zarr-hamt-delete-while-listing-deadlocks",
                     deleting_while_listing_ends },
                   { "zarr-hamt-list-dir-without-slash", a_directory_needs_no_slash } };

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        vv_blockstore *blocks = NULL;
        vv_store *store = NULL;

        if (strcmp(checks[i].id, id) != 0)
            continue;
        if (!vv_memory_blockstore_new(&blocks, NULL) &&
            !vv_hamt_store_open(blocks, NULL, NULL, &store, NULL) &&
            checks[i].check(store))
            vector_pass(run);
        else
            vector_fail(run, id, "not the right result");
        vv_store_free(store);
        vv_blockstore_free(blocks);
        return true;
    }
    return false;
}
