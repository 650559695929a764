/* Key → value stores: a value is the old one or the new one, and listings name real keys only. */
#include "faults.h"

static const char *const kept[] = { "a/zarr.json", "a/c/0/0", "b/zarr.json" };
#define KEPT (sizeof(kept) / sizeof(kept[0]))

static void fill_store(world *w)
{
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < KEPT; i++)
        assert_vv_ok(vv_store_set(w->store, kept[i], block_of((unsigned)i), &err));
    assert_vv_ok(vv_store_flush(w->store, &err));
}

static void prepare_memory(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_store_new(&w->store, &err));
    fill_store(w);
}

static void prepare_directory(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_directory_store_open(path_in(w, "zarr"), false, &w->store, &err));
    fill_store(w);
}

static void prepare_hamt(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_blockstore_new(&w->blocks, &err));
    assert_vv_ok(vv_hamt_store_open(w->blocks, NULL, NULL, &w->store, &err));
    fill_store(w);
}

static vv_status see_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(unsigned *)ctx;
    return VV_OK;
}

static vv_status write_keys(vv_store *store, vv_error *err)
{
    const char *keys[2] = { "new/1", "new/2" };
    vv_bytes values[2] = { { (const uint8_t *)"one", 3 }, { (const uint8_t *)"two", 3 } };
    vv_status status = vv_store_set(store, "a/c/0/1", block_of(7), err);

    if (status == VV_OK)
        status = vv_store_set(store, "a/c/0/0", block_of(8), err);
    if (status == VV_OK)
        status = vv_store_set_many(store, keys, values, 2, err);
    if (status == VV_OK)
        status = vv_store_set_if_absent(store, "new/3", block_of(9), err);
    return status;
}

static vv_status read_keys(vv_store *store, vv_error *err)
{
    const char *keys[2] = { "new/1", "b/zarr.json" };
    vv_buf outs[2] = { VV_BUF_INIT, VV_BUF_INIT };
    unsigned seen = 0;
    uint64_t size = 0;
    vv_status status = vv_store_get_many(store, keys, NULL, 2, outs, NULL, err);

    if (status == VV_OK)
        status = vv_store_get(store, "a/c/0/0", VV_RANGE_OF(1, 2), &outs[0], err);
    if (status == VV_OK)
        status = vv_store_size(store, "new/2", &size, err);
    if (status == VV_OK)
        status = vv_store_list(store, "", see_key, &seen, err);
    if (status == VV_OK)
        status = vv_store_list_dir(store, "a", see_key, &seen, err);
    vv_buf_clear(&outs[0]);
    vv_buf_clear(&outs[1]);
    return status;
}

static vv_status use_store(world *w, vv_error *err)
{
    vv_status status = write_keys(w->store, err);

    if (status == VV_OK)
        status = read_keys(w->store, err);
    if (status == VV_OK)
        status = vv_store_delete(w->store, "a/c/0/1", err);
    if (status == VV_OK)
        status = vv_store_delete_prefix(w->store, "new/", NULL, err);
    if (status == VV_OK)
        status = vv_store_flush(w->store, err);
    return status;
}

static void assert_value(world *w, const char *key, unsigned old, unsigned new)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_get(w->store, key, VV_RANGE_ALL, &out, &err));
    vv_bytes want = block_of(out.len == block_of(old).len ? old : new);
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.data, want.data, want.len);
    vv_buf_clear(&out);
}

static vv_status only_known_keys(void *ctx, const char *key, vv_error *err)
{
    vv_buf out = VV_BUF_INIT;
    bool known = strncmp(key, "new/", 4) == 0 || strcmp(key, "a/c/0/1") == 0;

    for (size_t i = 0; i < KEPT; i++)
        known |= strcmp(key, kept[i]) == 0;
    if (!known)
        fail_msg("a key that nobody set: %s", key);
    assert_int_equal(vv_store_get(ctx, key, VV_RANGE_ALL, &out, err), VV_OK);
    vv_buf_clear(&out);
    return VV_OK;
}

static void check_store(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_value(w, kept[0], 0, 0);
    assert_value(w, kept[1], 1, 8);
    assert_value(w, kept[2], 2, 2);
    assert_vv_ok(vv_store_list(w->store, "", only_known_keys, w->store, &err));
}

const scenario scenarios_store[] = {
    { "store: memory", false, prepare_memory, use_store, check_store },
    { "store: directory", true, prepare_directory, use_store, check_store },
    { "store: HAMT", false, prepare_hamt, use_store, check_store },
    { NULL, false, NULL, NULL, NULL },
};
