/* The contract of hamt.h, call by call. */
#include "hamt_support.h"

#include <stdio.h>

static vv_bytes text(const char *bytes)
{
    return vv_bytes_of(bytes);
}

static uint64_t block_count(vv_blockstore *store)
{
    vv_blockstore_stats stats;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_blockstore_stat(store, &stats, &err));
    return stats.block_count;
}

static void a_missing_key_is_not_found_and_named(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    (void)state;
    assert_int_equal(vv_hamt_get(hamt, text("temp/c/0"), VV_RANGE_ALL, &out, &err),
                     VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "temp/c/0"));
    assert_int_equal(vv_hamt_get_pointer(hamt, text("x"), &cid, &err), VV_ENOTFOUND);
    assert_int_equal(vv_hamt_delete(hamt, text("x"), &err), VV_ENOTFOUND);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_range_is_cut_to_the_value(void **state)
{
    static const struct {
        vv_range range;
        const char *want;
    } cases[] = { { { VV_RANGE_WHOLE, 0, 0 }, "0123456789" },
                  { { VV_RANGE_FROM, 7, 0 }, "789" },
                  { { VV_RANGE_FROM, 70, 0 }, "" },
                  { { VV_RANGE_SPAN, 2, 3 }, "234" },
                  { { VV_RANGE_SPAN, 2, 0 }, "" },
                  { { VV_RANGE_LAST, 0, 2 }, "89" },
                  { { VV_RANGE_LAST, 0, 20 }, "0123456789" },
                  { { VV_RANGE_LAST, 0, 0 }, "" } };
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_hamt_set(hamt, text("v"), text("0123456789"), &err));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_vv_ok(vv_hamt_get(hamt, text("v"), cases[i].range, &out, &err));
        assert_int_equal(out.len, strlen(cases[i].want));
        assert_memory_equal(out.data ? out.data : (const uint8_t *)"", cases[i].want,
                            out.len);
    }
    vv_buf_clear(&out);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void what_is_refused_leaves_nothing_behind(void **state)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, &options);
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(vv_hamt_set(hamt, text("k"), text("\xff"), &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "\"k\""));
    assert_int_equal(vv_hamt_set(hamt, text("\xed\xa0\x80"), text("\x01"), &err),
                     VV_EINVAL);
    assert_int_equal(vv_hamt_set(hamt, text("\xff"), text("\x01"), &err), VV_EINVAL);
    assert_int_equal(block_count(store), 0);
    assert_vv_ok(vv_hamt_set(hamt, text("k"), text("\x01"), &err));
    assert_vv_ok(vv_hamt_set(hamt, text(""), text("\xf6"), &err));
    assert_int_equal(count_keys(hamt), 2);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void modes_are_kept_and_can_be_asked_twice(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    vv_cid again;

    (void)state;
    set_key(hamt, 1, 1);
    assert_vv_ok(vv_hamt_enable_write(hamt, &err));
    assert_key(hamt, 1, 1);
    assert_vv_ok(vv_hamt_make_read_only(hamt, &root, &err));
    assert_vv_ok(vv_hamt_make_read_only(hamt, &again, &err));
    assert_same_cid(&root, &again);
    assert_true(vv_hamt_is_read_only(hamt));
    assert_int_equal(vv_hamt_set(hamt, text("x"), text("y"), &err), VV_EREADONLY);
    assert_int_equal(vv_hamt_set_many(hamt, NULL, NULL, 0, NULL, &err), VV_EREADONLY);
    assert_int_equal(vv_hamt_set_pointer(hamt, text("x"), &root, &err), VV_EREADONLY);
    assert_int_equal(vv_hamt_delete(hamt, key_number(1), &err), VV_EREADONLY);
    assert_key(hamt, 1, 1);
    assert_vv_ok(vv_hamt_enable_write(hamt, &err));
    set_key(hamt, 2, 2);
    assert_int_equal(count_keys(hamt), 2);
    vv_hamt_free(hamt);
    hamt = open_hamt(
        store, &root,
        &(vv_hamt_options){ .struct_size = sizeof(vv_hamt_options), .read_only = true });
    assert_true(vv_hamt_is_read_only(hamt));
    assert_int_equal(vv_hamt_delete(hamt, key_number(1), &err), VV_EREADONLY);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_map_is_opened_from_a_root_or_says_why_not(void **state)
{
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_hamt *hamt = NULL;
    vv_cid cid;

    (void)state;
    options.read_only = true;
    assert_int_equal(vv_hamt_open(store, NULL, &options, &hamt, &err), VV_EINVAL);
    assert_vv_ok(vv_cid_of(&VV_PREFIX_CBOR_BLAKE3, text("nowhere"), &cid, &err));
    assert_int_equal(vv_hamt_open(store, &cid, &options, &hamt, &err), VV_ENOTFOUND);
    assert_vv_ok(
        vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, text("\x01"), &cid, &err));
    assert_int_equal(vv_hamt_open(store, &cid, &options, &hamt, &err), VV_ECORRUPT);
    options = byte_options();
    options.hash_len = 33;
    assert_int_equal(vv_hamt_open(store, NULL, &options, &hamt, &err), VV_EINVAL);
    options = byte_options();
    options.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_IDENTITY, 1, 0 };
    assert_int_not_equal(vv_hamt_open(store, NULL, &options, &hamt, &err), VV_OK);
    assert_null(hamt);
    vv_blockstore_free(store);
}

static void a_pointer_is_the_name_of_the_value(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_cid name;
    vv_cid got;

    (void)state;
    assert_vv_ok(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, value_number(5), &name, &err));
    assert_vv_ok(vv_hamt_set_pointer(hamt, key_number(1), &name, &err));
    assert_key(hamt, 1, 5);
    set_key(hamt, 2, 5);
    assert_vv_ok(vv_hamt_get_pointer(hamt, key_number(2), &got, &err));
    assert_true(vv_cid_equal(&name, &got));
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_lost_block_is_damage_and_not_a_missing_key(void **state)
{
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_bytes key = text("k3");
    vv_status status;
    vv_hamt *hamt;
    vv_cid value;
    vv_cid root;

    (void)state;
    options.max_bucket_size = 1;
    hamt = open_hamt(store, NULL, &options);
    for (uint64_t i = 0; i < 2000; i++)
        set_key(hamt, i, i);
    assert_vv_ok(vv_hamt_get_pointer(hamt, key, &value, &err));
    assert_vv_ok(vv_hamt_vacate(hamt, &root, &err));
    assert_vv_ok(vv_blockstore_delete(store, &value, &err));
    assert_int_equal(vv_hamt_get(hamt, key, VV_RANGE_ALL, &out, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "k3"));
    assert_non_null(strstr(err.message, "bafkr"));
    assert_int_equal(vv_hamt_get_many(hamt, &key, 1, &out, NULL, &err), VV_ECORRUPT);
    assert_int_equal(vv_hamt_get_many(hamt, &key, 1, &out, &status, &err), VV_OK);
    assert_int_equal(status, VV_ECORRUPT);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    assert_vv_ok(vv_blockstore_delete(store, &root, &err));
    assert_int_equal(vv_hamt_get(hamt, key, VV_RANGE_ALL, &out, &err), VV_ECORRUPT);
    assert_int_equal(vv_hamt_set(hamt, text("new"), text(""), &err), VV_ECORRUPT);
    assert_int_equal(vv_hamt_delete(hamt, key, &err), VV_ECORRUPT);
    assert_int_equal(vv_hamt_get_many(hamt, &key, 1, &out, &status, &err), VV_OK);
    assert_int_equal(status, VV_ECORRUPT);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_value_in_parts_is_not_handed_out_as_if_it_were_whole(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_bytes key = text("big");
    vv_status status;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, text("links"), &cid, &err));
    cid.codec = VV_CODEC_DAG_PB;
    assert_vv_ok(vv_hamt_set_pointer(hamt, key, &cid, &err));
    assert_int_equal(vv_hamt_get(hamt, key, VV_RANGE_ALL, &out, &err), VV_EUNSUPPORTED);
    assert_int_equal(vv_hamt_get_many(hamt, &key, 1, &out, &status, &err), VV_OK);
    assert_int_equal(status, VV_EUNSUPPORTED);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

/* ---- many at once ------------------------------------------------------------------------- */

static void set_many_stops_at_the_first_key_it_refuses(void **state)
{
    vv_bytes keys[] = { text("a"), text("b"), text("\xff"), text("d") };
    vv_bytes values[] = { text("1"), text("2"), text("3"), text("4") };
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    size_t done = 77;

    (void)state;
    assert_int_equal(vv_hamt_set_many(hamt, keys, values, 4, &done, &err), VV_EINVAL);
    assert_int_equal(done, 2);
    assert_int_equal(count_keys(hamt), 2);
    assert_int_equal(block_count(store), 2);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void get_many_answers_each_key_or_fails_whole(void **state)
{
    vv_bytes keys[] = { text("k1"), text("k900"), text("k2"), text("k1") };
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[4];
    vv_cid cids[4];

    (void)state;
    for (uint64_t i = 0; i < 600; i++)
        set_key(hamt, i, i);
    for (int vacated = 0; vacated < 2; vacated++) {
        assert_vv_ok(vv_hamt_get_many(hamt, keys, 4, outs, statuses, &err));
        assert_int_equal(statuses[0], VV_OK);
        assert_int_equal(statuses[1], VV_ENOTFOUND);
        assert_int_equal(statuses[2], VV_OK);
        assert_int_equal(statuses[3], VV_OK);
        assert_int_equal(outs[1].len, 0);
        assert_memory_equal(outs[2].data, "value 2", 7);
        assert_memory_equal(outs[3].data, "value 1", 7);
        for (size_t i = 0; i < 4; i++)
            vv_buf_clear(&outs[i]);
        assert_int_equal(vv_hamt_get_many(hamt, keys, 4, outs, NULL, &err), VV_ENOTFOUND);
        assert_non_null(strstr(err.message, "k900"));
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(outs[i].len, 0);
        assert_vv_ok(vv_hamt_get_pointers(hamt, keys, 4, cids, statuses, &err));
        assert_true(vv_cid_equal(&cids[0], &cids[3]));
        assert_int_equal(vv_hamt_get_pointers(hamt, keys, 4, cids, NULL, &err),
                         VV_ENOTFOUND);
        assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    }
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

/* A store that counts round trips: calls of get_many and get alike. */
typedef struct counting_store {
    vv_blockstore base;
    vv_blockstore *inner;
    size_t trips;
} counting_store;

static vv_status counting_get(vv_blockstore *self, const vv_cid *cid, vv_buf *out,
                              vv_error *err)
{
    ((counting_store *)self)->trips++;
    return vv_blockstore_get(((counting_store *)self)->inner, cid, out, err);
}

static vv_status counting_get_many(vv_blockstore *self, const vv_cid *cids, size_t n,
                                   vv_buf *outs, vv_status *statuses, vv_error *err)
{
    ((counting_store *)self)->trips++;
    return vv_blockstore_get_many(((counting_store *)self)->inner, cids, n, outs,
                                  statuses, err);
}

static void counting_free(vv_blockstore *self)
{
    vv_blockstore_free(((counting_store *)self)->inner);
    free(self);
}

static const vv_blockstore_ops counting_ops = { .name = "counting",
                                                .get = counting_get,
                                                .get_many = counting_get_many,
                                                .free = counting_free };

static counting_store *count_trips(vv_blockstore *inner)
{
    counting_store *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    vv_blockstore_base_init(&self->base, &counting_ops, true);
    self->inner = vv_blockstore_retain(inner);
    return self;
}

static void many_keys_take_as_many_round_trips_as_the_tree_is_deep(void **state)
{
    enum {
        COUNT = 3000
    };
    static char texts[COUNT][16];
    static vv_bytes keys[COUNT];
    static vv_buf outs[COUNT];
    static vv_status statuses[COUNT];
    vv_hamt_options options = byte_options();
    vv_blockstore *memory = new_memory();
    vv_hamt *hamt = open_hamt(memory, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    counting_store *counting;
    vv_cid root;

    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "k%d", (int)i);
        keys[i] = vv_bytes_of(texts[i]);
        set_key(hamt, i, i);
    }
    root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    counting = count_trips(memory);
    options.read_only = true;
    hamt = open_hamt(&counting->base, &root, &options);
    counting->trips = 0;
    assert_vv_ok(vv_hamt_get_many(hamt, keys, COUNT, outs, statuses, &err));
    /* The root was read by open; then one level of nodes, then the values. */
    assert_int_equal(counting->trips, 2);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(statuses[i], VV_OK);
        vv_buf_clear(&outs[i]);
    }
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    counting->trips = 0;
    assert_int_equal(count_keys(hamt), COUNT);
    /* 257 nodes, many at a time. */
    assert_in_range(counting->trips, 2, 12);
    vv_hamt_free(hamt);
    vv_blockstore_free(&counting->base);
    vv_blockstore_free(memory);
}

/* ---- iteration ---------------------------------------------------------------------------- */

typedef struct listing {
    vv_hamt *hamt;
    uint64_t seen, stop_after;
    bool change;
} listing;

static vv_status list_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    listing *self = ctx;
    vv_cid name;

    self->seen++;
    assert_true(key.len > 0 && key.data[0] == 'k');
    assert_int_equal(pointer->codec, VV_CODEC_RAW);
    if (self->change) {
        /* Neither what is added nor what goes changes what is listed. */
        set_key(self->hamt, 100000 + self->seen, 1);
        assert_int_equal(vv_hamt_delete(self->hamt, key, err), VV_OK);
        assert_int_equal(vv_hamt_get_pointer(self->hamt, key, &name, err), VV_ENOTFOUND);
    }
    return self->seen == self->stop_after ? VV_ECANCELED : VV_OK;
}

static void an_iteration_shows_the_map_as_it_was_at_the_start(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        listing list = { .hamt = hamt, .change = true };

        for (uint64_t i = 0; i < 1500; i++)
            set_key(hamt, i, i);
        if (flushed)
            assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
        assert_int_equal(count_keys(hamt), 1500);
        assert_vv_ok(vv_hamt_iterate(hamt, text(""), list_key, &list, &err));
        assert_int_equal(list.seen, 1500);
        assert_int_equal(count_keys(hamt), 1500);
        for (uint64_t i = 0; i < 1500; i++)
            assert_int_equal(vv_hamt_delete(hamt, key_number(100001 + i), &err), VV_OK);
        assert_int_equal(count_keys(hamt), 0);
    }
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void an_iteration_lists_a_prefix_and_stops_when_told(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    listing list = { .hamt = hamt };

    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        set_key(hamt, i, i);
    assert_vv_ok(vv_hamt_set(hamt, text("other"), text("x"), &err));
    assert_vv_ok(vv_hamt_iterate(hamt, text("k12"), list_key, &list, &err));
    assert_int_equal(list.seen, 11);
    list = (listing){ .hamt = hamt, .stop_after = 5 };
    assert_int_equal(vv_hamt_iterate(hamt, text("k"), list_key, &list, &err),
                     VV_ECANCELED);
    assert_int_equal(list.seen, 5);
    list = (listing){ .hamt = hamt };
    assert_vv_ok(vv_hamt_iterate(hamt, text("nothing"), list_key, &list, &err));
    assert_int_equal(list.seen, 0);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_pointer_that_is_no_cid_is_refused(void **state)
{
    static const vv_cid wrong[] = {
        { .codec = VV_CODEC_DAG_PB, .hash = VV_HASH_BLAKE3, .digest_len = 32 },
        { .version = 7, .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .digest_len = 32 },
        { .version = 1, .codec = 0x99999, .hash = VV_HASH_BLAKE3, .digest_len = 32 },
        { .version = 1, .codec = VV_CODEC_RAW, .hash = 0x7fffff, .digest_len = 32 },
        { .version = 1,
          .codec = VV_CODEC_RAW,
          .hash = VV_HASH_BLAKE3,
          .digest_len = 255 },
    };
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, &options);
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    (void)state;
    set_key(hamt, 1, 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vv_hamt_set_pointer(hamt, key_number(2), &wrong[i], &err),
                         VV_EINVAL);
    /* All of the node would have been lost with it. */
    root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    hamt = open_hamt(store, &root, &options);
    assert_key(hamt, 1, 1);
    assert_key(hamt, 2, -1);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

typedef struct many_reader {
    vv_hamt *hamt;
} many_reader;

static vv_status read_two(void *ctx)
{
    vv_hamt *hamt = ((many_reader *)ctx)->hamt;
    vv_status statuses[2] = { VV_ERANGE, VV_ERANGE };
    vv_buf outs[2] = { VV_BUF_INIT, VV_BUF_INIT };
    vv_bytes keys[2];
    vv_status status;

    keys[0] = key_number(1);
    keys[1] = key_number(2);
    status = vv_hamt_get_many(hamt, keys, 2, outs, statuses, NULL);
    for (size_t i = 0; i < 2; i++) {
        assert_int_not_equal(statuses[i], VV_ERANGE);
        if (status)
            assert_int_not_equal(statuses[i], VV_OK);
        if (statuses[i])
            assert_int_equal(outs[i].len, 0);
        if (!status && statuses[i] == VV_ENOMEM)
            status = VV_ENOMEM;
        vv_buf_clear(&outs[i]);
    }
    return status;
}

static void get_many_fills_every_status_when_memory_is_short(void **state)
{
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    many_reader reader = { open_hamt(store, NULL, &options) };

    (void)state;
    set_key(reader.hamt, 1, 1);
    set_key(reader.hamt, 2, 2);
    survives_failing_allocations(read_two, &reader);
    vv_hamt_free(reader.hamt);
    vv_blockstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_key_is_not_found_and_named),
        cmocka_unit_test(a_range_is_cut_to_the_value),
        cmocka_unit_test(what_is_refused_leaves_nothing_behind),
        cmocka_unit_test(modes_are_kept_and_can_be_asked_twice),
        cmocka_unit_test(a_map_is_opened_from_a_root_or_says_why_not),
        cmocka_unit_test(a_pointer_is_the_name_of_the_value),
        cmocka_unit_test(a_lost_block_is_damage_and_not_a_missing_key),
        cmocka_unit_test(a_value_in_parts_is_not_handed_out_as_if_it_were_whole),
        cmocka_unit_test(set_many_stops_at_the_first_key_it_refuses),
        cmocka_unit_test(get_many_answers_each_key_or_fails_whole),
        cmocka_unit_test(many_keys_take_as_many_round_trips_as_the_tree_is_deep),
        cmocka_unit_test(an_iteration_shows_the_map_as_it_was_at_the_start),
        cmocka_unit_test(an_iteration_lists_a_prefix_and_stops_when_told),
        cmocka_unit_test(a_pointer_that_is_no_cid_is_refused),
        cmocka_unit_test(get_many_fills_every_status_when_memory_is_short),
    };

    return cmocka_run_group_tests_name("hamt", tests, NULL, NULL);
}
