/* The map: the former root stays readable, and a step that failed can be made again. */
#include "faults.h"

#define OLD_KEYS 60
#define NEW_KEYS 30

static vv_bytes key_of(unsigned i)
{
    static char key[32];

    snprintf(key, sizeof(key), "temp/c/%u/%u", i / 7, i);
    return vv_bytes_of(key);
}

static vv_hamt_options options_of_test(void)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;

    options.values = VV_HAMT_BYTES;
    return options;
}

static vv_status open_map(world *w, const vv_cid *root, vv_hamt **out, vv_error *err)
{
    vv_hamt_options options = options_of_test();

    return vv_hamt_open(w->blocks, root, &options, out, err);
}

static void fill_and_flush(world *w)
{
    vv_error err = VV_ERROR_INIT;
    vv_hamt *map = NULL;

    assert_vv_ok(open_map(w, NULL, &map, &err));
    for (unsigned i = 0; i < OLD_KEYS; i++)
        assert_vv_ok(vv_hamt_set(map, key_of(i), block_of(i), &err));
    assert_vv_ok(vv_hamt_flush(map, &w->before, &err));
    assert_vv_ok(vv_blockstore_flush(w->blocks, &err));
    vv_hamt_free(map);
}

static void prepare_in_memory(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_blockstore_new(&w->blocks, &err));
    fill_and_flush(w);
}

/* Step number i of the change: keys are set, then a few old ones deleted. */
#define STEPS (NEW_KEYS + 5)
static vv_status make_step(vv_hamt *map, unsigned i, vv_error *err)
{
    if (i < NEW_KEYS)
        return vv_hamt_set(map, key_of(OLD_KEYS + i), block_of(OLD_KEYS + i), err);
    return vv_hamt_delete(map, key_of(3 * (i - NEW_KEYS)), err);
}

static vv_status change_and_flush(world *w, vv_error *err)
{
    vv_hamt *map = NULL;
    vv_status status = open_map(w, &w->before, &map, err);

    for (unsigned i = 0; i < STEPS && status == VV_OK; i++)
        status = make_step(map, i, err);
    if (status == VV_OK)
        status = vv_hamt_flush(map, &w->after, err);
    if (status == VV_OK)
        status = vv_blockstore_flush(w->blocks, err);
    if (status == VV_OK)
        w->acked = 1;
    vv_hamt_free(map);
    return status;
}

/* The same, but what failed is tried a second time; the map must be as it was before it. */
static vv_status change_with_second_tries(world *w, vv_error *err)
{
    vv_hamt *map = NULL;

    if (open_map(w, &w->before, &map, err))
        assert_int_equal(open_map(w, &w->before, &map, err), VV_OK);
    for (unsigned i = 0; i < STEPS; i++)
        if (make_step(map, i, err))
            assert_int_equal(make_step(map, i, err), VV_OK);
    if (vv_hamt_flush(map, &w->after, err))
        assert_int_equal(vv_hamt_flush(map, &w->after, err), VV_OK);
    vv_hamt_free(map);
    w->acked = 1;
    return VV_OK;
}

static void assert_key(vv_hamt *map, unsigned i, bool there)
{
    vv_buf out = VV_BUF_INIT;
    vv_bytes want = block_of(i);
    vv_status status = vv_hamt_get(map, key_of(i), VV_RANGE_ALL, &out, NULL);

    assert_int_equal(status, there ? VV_OK : VV_ENOTFOUND);
    if (there) {
        assert_int_equal(out.len, want.len);
        assert_memory_equal(out.data, want.data, want.len);
    }
    vv_buf_clear(&out);
}

static void check_roots(world *w)
{
    static vv_cid first_after; /* one content, one root: the same in every run */
    vv_error err = VV_ERROR_INIT;
    vv_hamt *map = NULL;

    assert_vv_ok(open_map(w, &w->before, &map, &err));
    for (unsigned i = 0; i < OLD_KEYS + NEW_KEYS; i++)
        assert_key(map, i, i < OLD_KEYS);
    vv_hamt_free(map);
    if (!w->acked)
        return;
    if (!first_after.digest_len)
        first_after = w->after;
    assert_true(vv_cid_equal(&w->after, &first_after));
    assert_vv_ok(open_map(w, &w->after, &map, &err));
    for (unsigned i = 0; i < OLD_KEYS + NEW_KEYS; i++)
        assert_key(map, i, i % 3 != 0 || i >= 15);
    vv_hamt_free(map);
}

static vv_status see_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    (void)key;
    (void)pointer;
    (void)err;
    ++*(unsigned *)ctx;
    return VV_OK;
}

static vv_status read_map(world *w, vv_error *err)
{
    vv_buf outs[2] = { VV_BUF_INIT, VV_BUF_INIT };
    vv_hamt *map = NULL;
    unsigned seen = 0;
    uint64_t len = 0;
    vv_status status = open_map(w, &w->before, &map, err);

    if (status == VV_OK) {
        char first[32];
        vv_bytes keys[2] = { { (const uint8_t *)first, key_of(1).len }, { NULL, 0 } };

        memcpy(first, key_of(1).data, key_of(1).len);
        keys[1] = key_of(2);
        status = vv_hamt_get_many(map, keys, 2, outs, NULL, err);
    }
    if (status == VV_OK)
        status = vv_hamt_iterate(map, vv_bytes_of(""), see_key, &seen, err);
    if (status == VV_OK)
        status = vv_hamt_len(map, &len, err);
    if (status == VV_OK) {
        assert_int_equal(seen, OLD_KEYS);
        assert_int_equal(len, OLD_KEYS);
    }
    vv_buf_clear(&outs[0]);
    vv_buf_clear(&outs[1]);
    vv_hamt_free(map);
    return status;
}

#ifdef WITH_LOCAL
static void prepare_on_disk(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(open_local(w, &w->blocks, &err));
    fill_and_flush(w);
    vv_blockstore_free(w->blocks);
    w->blocks = NULL;
}

static vv_status change_on_disk(world *w, vv_error *err)
{
    vv_status status = open_local(w, &w->blocks, err);

    if (status == VV_OK)
        status = change_and_flush(w, err);
    vv_blockstore_free(w->blocks);
    w->blocks = NULL;
    return status;
}

static void check_on_disk(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(open_local(w, &w->blocks, &err));
    check_roots(w);
}
#endif

const scenario scenarios_hamt[] = {
    { "hamt: change and flush", false, prepare_in_memory, change_and_flush, check_roots },
    { "hamt: a failed step made again", false, prepare_in_memory,
      change_with_second_tries, check_roots },
    { "hamt: read", false, prepare_in_memory, read_map, check_roots },
#ifdef WITH_LOCAL
    { "hamt: change on the local store", true, prepare_on_disk, change_on_disk,
      check_on_disk },
#endif
    { NULL, false, NULL, NULL, NULL },
};
