/* The map keyed by block names, against an array of everything that may be in it. */
#include "support/support.h"

#include "multiformats/cid_map.h"
#include "util/buf.h"

#define NAMES 3000

static vv_cid names[NAMES];

/* Names of every shape: usual ones, short and long digests, ones that differ in little. */
static int make_names(void **state)
{
    static const uint8_t lengths[] = { 32, 32, 32, 32, 0, 1, 20, 33, 64, 128 };
    uint64_t seed = 77;

    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        vv_cid *cid = &names[i];

        memset(cid, 0, sizeof(*cid));
        cid->version = 1;
        cid->codec = VV_CODEC_RAW;
        cid->hash = i % 10 < 4 ? VV_HASH_BLAKE3 : VV_HASH_IDENTITY;
        cid->digest_len = lengths[i % 10];
        for (size_t b = 0; b < cid->digest_len; b++)
            cid->digest[b] = i % 10 == 3 ? 0 : (uint8_t)next_random(&seed);
        if (cid->digest_len >= 4)
            memcpy(cid->digest + cid->digest_len - 4, &(uint32_t){ (uint32_t)i }, 4);
        else
            cid->hash = (uint32_t)i * 16 + cid->digest_len;
    }
    return 0;
}

static void the_map_answers_as_the_model_does(void **state)
{
    static uint64_t model[NAMES]; /* 0: not in the map */
    vvi_cid_map map = VVI_CID_MAP_INIT;
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 3;
    size_t count = 0;

    (void)state;
    for (int step = 0; step < 60000; step++) {
        size_t i = next_random(&seed) % (step < 20000 ? NAMES : NAMES / 10);
        vvi_cid_value *value = NULL;
        vvi_cid_value taken;
        bool added;

        switch (next_random(&seed) % 4) {
        case 0:
        case 1:
            assert_vv_ok(vvi_cid_map_put(&map, &names[i], &value, &added, &err));
            assert_int_equal(added, model[i] == 0);
            assert_int_equal(value->number, model[i]);
            count += added;
            value->number = model[i] = (uint64_t)step + 1;
            break;
        case 2:
            assert_int_equal(vvi_cid_map_remove(&map, &names[i], &taken), model[i] != 0);
            if (model[i])
                assert_int_equal(taken.number, model[i]);
            count -= model[i] != 0;
            model[i] = 0;
            break;
        default:
            value = vvi_cid_map_find(&map, &names[i]);
            assert_int_equal(value ? value->number : 0, model[i]);
        }
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < NAMES; i++) {
        vvi_cid_value *value = vvi_cid_map_find(&map, &names[i]);

        assert_int_equal(value ? value->number : 0, model[i]);
    }
    vvi_cid_map_clear(&map);
}

static void going_through_the_map_meets_each_name_once(void **state)
{
    vvi_cid_map map = VVI_CID_MAP_INIT;
    static uint8_t met[NAMES];
    vv_error err = VV_ERROR_INIT;
    vvi_cid_value *value;
    size_t cursor = 0;
    size_t n = 0;
    vv_cid name;

    (void)state;
    assert_false(vvi_cid_map_next(&map, &cursor, &name, &value));
    for (size_t i = 0; i < NAMES; i++) {
        assert_vv_ok(vvi_cid_map_put(&map, &names[i], &value, NULL, &err));
        value->number = i;
    }
    while (vvi_cid_map_next(&map, &cursor, &name, &value)) {
        assert_true(vv_cid_equal(&name, &names[value->number]));
        assert_int_equal(met[value->number]++, 0);
        n++;
    }
    assert_int_equal(n, NAMES);
    assert_true(vvi_cid_map_bytes(&map) >= NAMES * 48);
    vvi_cid_map_clear(&map);
}

static void codec_and_version_do_not_count(void **state)
{
    vvi_cid_map map = VVI_CID_MAP_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_cid other = names[0];
    vvi_cid_value *value;

    (void)state;
    assert_vv_ok(vvi_cid_map_put(&map, &names[0], &value, NULL, &err));
    other.codec = VV_CODEC_DAG_CBOR;
    other.version = VV_CID_BARE;
    assert_ptr_equal(vvi_cid_map_find(&map, &other), value);
    vvi_cid_map_clear(&map);
    assert_null(vvi_cid_map_find(&map, &other));
    assert_false(vvi_cid_map_remove(&map, &other, NULL));
}

static void room_that_was_reserved_is_not_allocated_again(void **state)
{
    vvi_cid_map map = VVI_CID_MAP_INIT;
    vv_error err = VV_ERROR_INIT;
    vvi_cid_value *value;

    (void)state;
    assert_vv_ok(vvi_cid_map_reserve(&map, 1000, &err));
    fail_allocation_after(0, true);
    for (size_t i = 0; i < 1000; i++)
        assert_vv_ok(
            vvi_cid_map_put(&map, &names[i / 4 * 10 + i % 4], &value, NULL, &err));
    assert_false(stop_failing_allocations());
    assert_int_equal(vvi_cid_map_reserve(&map, SIZE_MAX / 2, &err), VV_ENOMEM);
    vvi_cid_map_clear(&map);
}

static vv_status fill_a_map(void *ctx)
{
    vvi_cid_map map = VVI_CID_MAP_INIT;
    vv_status status = VV_OK;
    vvi_cid_value *value;

    (void)ctx;
    for (size_t i = 0; i < 100 && !status; i++) {
        size_t before = map.count;

        status = vvi_cid_map_put(&map, &names[i], &value, NULL, NULL);
        if (status)
            assert_int_equal(map.count, before);
    }
    vvi_cid_map_clear(&map);
    return status;
}

static void a_map_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(fill_a_map, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_answers_as_the_model_does),
        cmocka_unit_test(going_through_the_map_meets_each_name_once),
        cmocka_unit_test(codec_and_version_do_not_count),
        cmocka_unit_test(room_that_was_reserved_is_not_allocated_again),
        cmocka_unit_test(a_map_survives_any_failing_allocation),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, make_names, NULL);
}
