/* The public calls before an untrusted backend: nothing wrong gets through. */
#include "support/faulty_blockstore.h"

#include <stdio.h>

#define COUNT 200

static vv_error err;
static vv_blockstore *memory, *faulty;
static vv_cid cids[COUNT];

static int set_up(void **state)
{
    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    faulty = faulty_blockstore_new(memory);
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;

        /* Runs of names that are alike, and single ones. */
        if (i % 7 == 6)
            prefix.hash = VV_HASH_SHA2_256;
        if (i % 11 == 10)
            prefix.digest_len = 20;
        snprintf(text, sizeof(text), "block %d", i);
        assert_vv_ok(
            vv_blockstore_put(faulty, &prefix, vv_bytes_of(text), &cids[i], &err));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vv_blockstore_free(faulty);
    vv_blockstore_free(memory);
    return 0;
}

static void a_lie_about_any_block_is_found_and_named(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT; n++) {
        vv_buf outs[COUNT] = { 0 };
        vv_status statuses[COUNT];
        char text[VV_CID_TEXT_MAX];

        faulty_lie_after(faulty, n);
        assert_vv_ok(vv_blockstore_get_many(faulty, cids, COUNT, outs, statuses, &err));
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(statuses[i], i == n ? VV_ECORRUPT : VV_OK);
            assert_true(i == n ? outs[i].len == 0 : outs[i].len > 0);
            vv_buf_clear(&outs[i]);
        }
        faulty_lie_after(faulty, n);
        assert_int_equal(vv_blockstore_get_many(faulty, cids, COUNT, outs, NULL, &err),
                         VV_ECORRUPT);
        vv_cid_format(&cids[n], text);
        assert_non_null(strstr(err.message, text));
        assert_non_null(strstr(err.message, "faulty"));
        faulty_lie_after(faulty, 0);
        assert_int_equal(
            vv_blockstore_get_range(faulty, &cids[n], VV_RANGE_OF(0, 1), outs, &err),
            VV_ECORRUPT);
        assert_null(outs[0].data);
    }
}

static void digests_too_short_to_prove_anything_are_not_taken(void **state)
{
    vv_cid_prefix prefix = { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 4 };
    vv_block blocks[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        blocks[i].data = vv_bytes_of(i == 0 ? "one" : i == 1 ? "two" : "three");
        if (vv_cid_of(&prefix, blocks[i].data, &blocks[i].cid, &err))
            return; /* then such names cannot be made at all */
    }
    assert_int_equal(vv_blockstore_add_many(memory, blocks, 3, &err), VV_EUNSUPPORTED);
}

static void a_failing_backend_is_reported_with_its_own_words(void **state)
{
    vv_buf outs[3] = { 0 };
    vv_status statuses[3];

    (void)state;
    faulty_fail_after(faulty, 2, VV_EIO, false);
    assert_int_equal(vv_blockstore_get_many(faulty, cids, 3, outs, NULL, &err), VV_EIO);
    assert_string_equal(err.message, "the faulty store fails in get");
    assert_null(outs[0].data);
    faulty_fail_after(faulty, 2, VV_EIO, false);
    assert_int_equal(vv_blockstore_get_many(faulty, cids, 3, outs, statuses, &err),
                     VV_EIO);
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[2], VV_EIO);
    for (size_t i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    faulty_fail_after(faulty, 0, VV_EIO, false);
    assert_int_equal(
        vv_blockstore_put(faulty, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), NULL, &err),
        VV_EIO);
}

static vv_status use_everything(void *ctx)
{
    vv_buf outs[4] = { 0 };
    bool there[4];
    uint64_t size;
    vv_bytes texts[2] = { vv_bytes_of("one"), vv_bytes_of("two") };
    vv_cid names[2];
    vv_status status = vv_blockstore_get_many(faulty, cids, 4, outs, NULL, &err);

    (void)ctx;
    if (!status)
        status = vv_blockstore_has_many(faulty, cids, 4, there, &err);
    if (!status)
        status = vv_blockstore_size(faulty, &cids[5], &size, &err);
    if (!status)
        status = vv_blockstore_put_many(faulty, &VV_PREFIX_RAW_BLAKE3, texts, 2, names,
                                        &err);
    if (!status)
        status = vv_blockstore_delete(faulty, &names[0], &err);
    for (int i = 0; i < 2; i++)
        vv_blockstore_delete(memory, &names[i], NULL);
    if (!status)
        status = vv_blockstore_flush(faulty, &err);
    for (size_t i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
    return status;
}

static void any_failing_call_or_allocation_is_passed_on(void **state)
{
    (void)state;
    survives_failing_calls(faulty, VV_EIO, use_everything, NULL);
    survives_failing_calls(faulty, VV_ETIMEDOUT, use_everything, NULL);
}

static void the_name_of_a_store_is_its_backends(void **state)
{
    (void)state;
    assert_string_equal(vv_blockstore_name(memory), "memory");
    assert_string_equal(vv_blockstore_name(faulty), "faulty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lie_about_any_block_is_found_and_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(digests_too_short_to_prove_anything_are_not_taken,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_backend_is_reported_with_its_own_words,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_failing_call_or_allocation_is_passed_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_name_of_a_store_is_its_backends, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
