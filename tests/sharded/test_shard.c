/* Shards in memory and their blocks. */
#include "index_support.h"

#include "sharded/shard.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#define SLOTS 300

/* Names of three kinds; 0: none. */
static vv_cid any_cid(uint64_t value)
{
    vv_cid cid = cid_number(value);

    if (value % 11 == 3) {
        cid = (vv_cid){ .codec = VV_CODEC_DAG_PB,
                        .hash = VV_HASH_SHA2_256,
                        .digest_len = 32 };
        cid.digest[0] = (uint8_t)value;
    }
    return cid;
}

static void assert_shard(const vvi_shard *shard, const uint64_t *values)
{
    uint64_t links = 0;
    uint64_t next = 0;

    for (uint64_t i = 0; i < SLOTS; i++) {
        vv_cid right = any_cid(values[i]);
        vv_cid cid;

        assert_int_equal(vvi_shard_get(shard, i, &cid), values[i] != 0);
        assert_true(vvi_shard_holds(shard, i, values[i] ? &right : NULL));
        assert_false(vvi_shard_holds(shard, i, values[i] ? NULL : &right));
        if (!values[i])
            continue;
        assert_true(vv_cid_equal(&cid, &right));
        assert_true(vvi_shard_next(shard, &next));
        assert_int_equal(next, i);
        next++;
        links++;
    }
    assert_false(vvi_shard_next(shard, &next));
    assert_int_equal(shard->link_count, links);
}

/* The block as the room of CBOR writes it. */
static vv_buf right_block(const uint64_t *values)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err;

    assert_vv_ok(vv_cbor_put_list(&out, SLOTS, &err));
    for (uint64_t i = 0; i < SLOTS; i++) {
        vv_cid cid = any_cid(values[i]);

        if (values[i])
            assert_vv_ok(vv_cbor_put_link(&out, &cid, &err));
        else
            assert_vv_ok(vv_cbor_put_null(&out, &err));
    }
    return out;
}

static void set_value(vvi_shard *shard, uint64_t *values, uint64_t slot, uint64_t value)
{
    vv_cid cid = any_cid(value);
    vv_error err;

    assert_vv_ok(vvi_shard_set(shard, slot, value ? &cid : NULL, &err));
    values[slot] = value;
}

static void assert_found_in(vv_bytes block, const uint64_t *values, uint64_t *seed)
{
    uint64_t slots[8];
    vv_cid cids[8];
    bool has[8];
    vv_error err;
    size_t n = 0;

    for (uint64_t slot = 0; slot < SLOTS && n < 8; slot += next_random(seed) % 90)
        slots[n++] = slot;
    assert_vv_ok(vvi_shard_find(block, SLOTS, slots, n, cids, has, &err));
    for (size_t i = 0; i < n; i++) {
        vv_cid right = any_cid(values[slots[i]]);

        assert_int_equal(has[i], values[slots[i]] != 0);
        if (has[i])
            assert_true(vv_cid_equal(&cids[i], &right));
    }
}

static void slots_and_blocks_agree_with_a_plain_list(void **state)
{
    uint64_t values[SLOTS] = { 0 };
    uint64_t seed = 1;
    vvi_shard shard;

    (void)state;
    vvi_shard_init(&shard, SLOTS);
    for (int round = 0; round < 60; round++) {
        vv_buf block = VV_BUF_INIT;
        vv_buf right;
        vvi_shard again;
        vv_error err;

        for (int i = 0; i < 40; i++)
            set_value(&shard, values, next_random(&seed) % SLOTS,
                      round % 8 < 6 ? next_random(&seed) % 1000 : 0);
        if (round % 16 == 15)
            for (uint64_t i = 0; i < SLOTS; i++)
                set_value(&shard, values, i, round % 32 == 15 ? 7 * i + 1 : 0);
        assert_shard(&shard, values);
        right = right_block(values);
        assert_vv_ok(vvi_shard_encode(&shard, &block, &err));
        assert_int_equal(block.len, right.len);
        assert_memory_equal(block.data, right.data, right.len);
        vvi_shard_init(&again, SLOTS);
        assert_vv_ok(vvi_shard_decode(&again, vvi_buf_bytes(&block), &err));
        assert_shard(&again, values);
        for (int i = 0; i < 20; i++)
            assert_found_in(vvi_buf_bytes(&block), values, &seed);
        vvi_shard_clear(&again);
        assert_vv_ok(vvi_shard_copy(&shard, &again, &err));
        assert_shard(&again, values);
        vvi_shard_clear(&again);
        vv_buf_clear(&block);
        vv_buf_clear(&right);
    }
    vvi_shard_clear(&shard);
}

static void names_behind_a_slot_are_cut_off(void **state)
{
    uint64_t values[SLOTS] = { 0 };
    vvi_shard shard;

    (void)state;
    vvi_shard_init(&shard, SLOTS);
    for (uint64_t i = 0; i < SLOTS; i++)
        set_value(&shard, values, i, i % 5 ? i : 0);
    assert_int_equal(vvi_shard_cut(&shard, SLOTS), 0);
    assert_int_equal(vvi_shard_cut(&shard, 100), 160);
    memset(values + 100, 0, (SLOTS - 100) * sizeof(*values));
    assert_shard(&shard, values);
    vvi_shard_clear(&shard);
}

static void usual_names_take_little_memory(void **state)
{
    vvi_shard shard;
    vv_error err;

    (void)state;
    vvi_shard_init(&shard, 6250);
    for (uint64_t i = 0; i < 6250; i++) {
        vv_cid cid = cid_number(7 * i + 1);

        assert_vv_ok(vvi_shard_set(&shard, i, &cid, &err));
    }
    assert_true(shard.bytes < 6250 * 34);
    vvi_shard_clear(&shard);
    /* One in a great shard does not pay for all. */
    vvi_shard_init(&shard, (uint64_t)1 << 30);
    assert_vv_ok(
        vvi_shard_set(&shard, 5, &(vv_cid){ .version = 1, .digest_len = 32 }, &err));
    assert_true(shard.bytes < 4096);
    vvi_shard_clear(&shard);
}

#define LINK \
    "d82a58250001551e20d63bd9a826af91c1fea371965a64e11ee20f13e46b8f5a7c2c0a5e8a2e0c5f6e"

static const struct {
    const char *hex;
    uint64_t slots;
    const char *why;
} damaged[] = {
    { "", 1, "empty" },
    { "a0", 1, "no list" },
    { "f6", 1, "no list" },
    { "9ff6ff", 1, "head" },
    { "9801f6", 1, "shortest" },
    { "98", 30, "cut off" },
    { "82f6f6", 1, "2 entries; 1 are right" },
    { "81f6", 2, "1 entries; 2 are right" },
    { "81", 1, "entry 0 is missing" },
    { "82f6", 2, "entry 1 is missing" },
    { "8101", 1, "neither" },
    { "81f7", 1, "neither" },
    { "81f5", 1, "neither" },
    { "816178", 1, "neither" },
    { "81c101", 1, "neither" },
    { "81d82b4100", 1, "neither" },
    { "81d82a", 1, "entry 0 is cut off" },
    { "81d92a00", 1, "neither" },
    { "81d9002a4100", 1, "shortest" },
    { "81d82a01", 1, "something else than bytes" },
    { "81d82a40", 1, "zero byte" },
    { "81d82a4101", 1, "zero byte" },
    { "81d82a4100", 1, "entry 0" },
    { "81d82a42000a", 1, "entry 0" },
    { "81d82a5825", 1, "cut off" },
    { "81d82a5bffffffffffffffff00", 1, "cut off" },
    { "81f6f6", 1, "1 bytes behind the list" },
    { "81" LINK "00", 1, "behind the list" },
};

static void damaged_blocks_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
        vv_buf block = from_hex(damaged[i].hex);
        vvi_shard shard;
        vv_error err = VV_ERROR_INIT;

        vvi_shard_init(&shard, damaged[i].slots);
        if (vvi_shard_decode(&shard, vvi_buf_bytes(&block), &err) != VV_ECORRUPT)
            fail_msg("accepted: %s", damaged[i].hex);
        if (!strstr(err.message, damaged[i].why))
            fail_msg("%s: %s", damaged[i].hex, err.message);
        assert_null(shard.pages);
        vv_buf_clear(&block);
    }
}

/* Each byte of a good block changed, and each length cut: refused, or another good block. */
static void changed_blocks_are_refused_or_come_back(void **state)
{
    static const char hex[] = "85f6" LINK LINK
                              "f6d82a58230012200000000000000000000000000000000000000000"
                              "000000000000000000000000";
    vv_buf block = from_hex(hex);
    vvi_shard shard;
    vv_error err;

    (void)state;
    vvi_shard_init(&shard, 5);
    assert_vv_ok(vvi_shard_decode(&shard, vvi_buf_bytes(&block), &err));
    assert_int_equal(shard.link_count, 3);
    for (size_t i = 0; i < block.len * 256; i++) {
        uint8_t *at = &block.data[i / 256];
        uint8_t before = *at;
        vv_buf again = VV_BUF_INIT;

        *at = (uint8_t)i;
        vvi_shard_clear(&shard);
        if (vvi_shard_decode(&shard, vvi_buf_bytes(&block), &err) == VV_OK) {
            assert_vv_ok(vvi_shard_encode(&shard, &again, &err));
            assert_int_equal(again.len, block.len);
            assert_memory_equal(again.data, block.data, block.len);
            vv_buf_clear(&again);
        }
        *at = before;
    }
    for (size_t len = 0; len < block.len; len++) {
        vvi_shard_clear(&shard);
        assert_int_equal(vvi_shard_decode(&shard, vvi_bytes(block.data, len), NULL),
                         VV_ECORRUPT);
    }
    vvi_shard_clear(&shard);
    vv_buf_clear(&block);
}

static void what_no_link_can_hold_is_refused(void **state)
{
    vv_cid bare = { .codec = VV_CODEC_RAW,
                    .hash = VV_HASH_BLAKE3,
                    .version = VV_CID_BARE,
                    .digest_len = 32 };
    vvi_shard shard;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    vvi_shard_init(&shard, 3);
    assert_int_equal(vvi_shard_set(&shard, 1, &bare, NULL), VV_EINVAL);
    vvi_shard_clear(&shard);
    vvi_shard_init(&shard, (uint64_t)1 << 32);
    assert_int_equal(vvi_shard_encode(&shard, &out, NULL), VV_ELIMIT);
    vvi_shard_init(&shard, ((uint64_t)1 << 31) - 4);
    assert_int_equal(vvi_shard_encode(&shard, &out, NULL), VV_ELIMIT);
    vv_buf_clear(&out);
}

static vv_status use(void *ctx)
{
    vv_buf block = VV_BUF_INIT;
    vvi_shard again;
    vvi_shard shard;
    vv_status status = VV_OK;

    (void)ctx;
    vvi_shard_init(&shard, 200);
    vvi_shard_init(&again, 200);
    for (uint64_t i = 0; i < 200 && !status; i += 7) {
        vv_cid cid = any_cid(i + 1);

        status = vvi_shard_set(&shard, i, &cid, NULL);
    }
    if (!status)
        status = vvi_shard_encode(&shard, &block, NULL);
    if (!status)
        status = vvi_shard_decode(&again, vvi_buf_bytes(&block), NULL);
    vvi_shard_clear(&again);
    if (!status) {
        status = vvi_shard_copy(&shard, &again, NULL);
        vvi_shard_clear(&again);
    }
    vvi_shard_clear(&shard);
    vv_buf_clear(&block);
    return status;
}

static void it_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_and_blocks_agree_with_a_plain_list),
        cmocka_unit_test(names_behind_a_slot_are_cut_off),
        cmocka_unit_test(usual_names_take_little_memory),
        cmocka_unit_test(damaged_blocks_are_refused),
        cmocka_unit_test(changed_blocks_are_refused_or_come_back),
        cmocka_unit_test(what_no_link_can_hold_is_refused),
        cmocka_unit_test(it_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
