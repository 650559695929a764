/* The reader: one encoding a value, everything else refused with its place. */
#include "value.h"

#include "cbor/reader.h"
#include "util/buf.h"

#include <stdio.h>

#define CID_HEX "01711e20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void what_is_not_canonical_is_refused_with_its_offset(void **state)
{
    static const struct {
        const char *hex;
        size_t offset;
    } wrong[] = {
        { "", 0 },
        { "1817", 0 },         /* 23 in two bytes */
        { "8118ff1900ff", 3 }, /* bytes follow */
        { "821900ff00", 1 },   /* 255 in three bytes */
        { "1a0000ffff", 0 },
        { "1b00000000ffffffff", 0 },
        { "5800", 0 },
        { "9800", 0 },
        { "b800", 0 },
        { "d9002a4100", 0 }, /* the tag's number not in its shortest form */
        { "9fff", 0 },       /* indefinite lengths */
        { "5f4100ff", 0 },
        { "7f6161ff", 0 },
        { "bfff", 0 },
        { "81ff", 1 },
        { "1c", 0 },
        { "5d", 0 },
        { "fe", 0 },
        { "f7", 0 }, /* undefined */
        { "f800", 0 },
        { "f8ff", 0 },
        { "e0", 0 },
        { "f93c00", 0 }, /* short floats */
        { "fa3f800000", 0 },
        { "fb7ff0000000000000", 0 }, /* infinities and NaN */
        { "fbfff0000000000000", 0 },
        { "fb7ff8000000000000", 0 },
        { "fb3ff00000000000", 0 }, /* cut */
        { "8261616261", 4 },
        { "4200", 1 },
        { "5bffffffffffffffff", 9 },
        { "9bffffffffffffffff", 0 },
        { "bb8000000000000001", 0 }, /* twice the count overflows */
        { "8200", 0 },
        { "a1616100f6", 4 },
        { "a10000", 1 }, /* a key that is no text */
        { "a1410000", 1 },
        { "a26161006161f6", 4 }, /* twice */
        { "a2616200616100", 4 }, /* out of order */
        { "a262616100616200", 5 },
        { "61ff", 1 }, /* UTF-8 */
        { "6361c328", 2 },
        { "63eda080", 1 }, /* a surrogate */
        { "64f4908080", 1 },
        { "62c080", 1 },
        { "c0", 0 }, /* tags */
        { "d82a", 2 },
        { "d82a00", 2 },
        { "d82a6100", 2 },
        { "d82a40", 2 },
        { "d82a4100", 2 },
        { "d82a4101", 2 },
        { "d82ad82a4100", 2 },
        { "d82a5900250001711e20", 2 },
        { "d82a582600" CID_HEX "00", 2 },
        { "d82a5825000271"
          "1e20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
          2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        vv_buf input = from_hex(wrong[i].hex);
        vv_error err = VV_ERROR_INIT;
        char place[40];

        if (vv_cbor_validate(vvi_buf_bytes(&input), &err) != VV_ECORRUPT)
            fail_msg("%s was not refused", wrong[i].hex);
        snprintf(place, sizeof(place), "at byte %zu:", wrong[i].offset);
        if (!strstr(err.message, place))
            fail_msg("%s: not %s but: %s", wrong[i].hex, place, err.message);
        vv_buf_clear(&input);
    }
}

static void items_come_in_order_with_their_values(void **state)
{
    vv_buf input = from_hex("a4"
                            "6162"
                            "3bffffffffffffffff"
                            "626161"
                            "83f5f6fbbff8000000000000"
                            "626162"
                            "4201ff"
                            "626c6b"
                            "d82a582500" CID_HEX);
    vv_cbor_reader *reader = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_cbor_item items[12];

    (void)state;
    assert_vv_ok(vv_cbor_reader_new(vvi_buf_bytes(&input), &reader, &err));
    for (size_t i = 0; i < 12; i++)
        assert_vv_ok(vv_cbor_next(reader, &items[i], &err));
    assert_int_equal(vv_cbor_next(reader, &items[0], NULL), VV_ENOTFOUND);
    assert_int_equal(vv_cbor_next(reader, &items[0], NULL), VV_ENOTFOUND);
    vv_cbor_reader_free(reader);
    assert_int_equal(items[0].kind, VV_CBOR_MAP);
    assert_int_equal(items[0].u.count, 4);
    assert_int_equal(items[1].kind, VV_CBOR_TEXT);
    assert_int_equal(items[1].offset, 1);
    assert_int_equal(items[2].kind, VV_CBOR_NINT);
    assert_true(items[2].u.uint == UINT64_MAX);
    assert_int_equal(items[4].kind, VV_CBOR_LIST);
    assert_int_equal(items[4].u.count, 3);
    assert_int_equal(items[5].kind, VV_CBOR_BOOL);
    assert_true(items[5].u.boolean);
    assert_int_equal(items[6].kind, VV_CBOR_NULL);
    assert_int_equal(items[7].kind, VV_CBOR_FLOAT);
    assert_true(items[7].u.real == -1.5);
    assert_int_equal(items[9].kind, VV_CBOR_BYTES);
    assert_int_equal(items[9].bytes.len, 2);
    assert_true(items[9].bytes.data > input.data &&
                items[9].bytes.data < input.data + input.len);
    assert_int_equal(items[11].kind, VV_CBOR_LINK);
    assert_string_equal(to_hex(items[11].bytes.data, items[11].bytes.len), CID_HEX);
    vv_buf_clear(&input);
}

static void a_digest_too_long_for_us_is_unsupported_not_corrupt(void **state)
{
    uint8_t block[4 + 7 + VV_DIGEST_MAX] = { 0xd8, 0x2a, 0x58,
                                             7 + VV_DIGEST_MAX - 1 + 1 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    memcpy(block + 4, "\x00\x01\x55\x00\x81\x01", 6);
    assert_int_equal(vv_cbor_validate(vvi_bytes(block, sizeof(block)), &err),
                     VV_EUNSUPPORTED);
}

static void nesting_is_limited_and_costs_no_stack(void **state)
{
    static uint8_t lists[100001];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    memset(lists, 0x81, sizeof(lists));
    lists[VV_CBOR_DEPTH_MAX - 1] = 0x80;
    assert_vv_ok(vv_cbor_validate(vvi_bytes(lists, VV_CBOR_DEPTH_MAX), &err));
    lists[VV_CBOR_DEPTH_MAX - 1] = 0x81;
    lists[VV_CBOR_DEPTH_MAX] = 0x80;
    assert_int_equal(vv_cbor_validate(vvi_bytes(lists, VV_CBOR_DEPTH_MAX + 1), &err),
                     VV_ELIMIT);
    lists[VV_CBOR_DEPTH_MAX] = 0x00;
    assert_vv_ok(vv_cbor_validate(vvi_bytes(lists, VV_CBOR_DEPTH_MAX + 1), &err));
    lists[VV_CBOR_DEPTH_MAX] = 0x81;
    assert_int_equal(vv_cbor_validate(vvi_bytes(lists, sizeof(lists)), &err), VV_ELIMIT);
}

static void what_is_read_and_written_again_is_the_same(void **state)
{
    uint64_t seed = 42;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        vv_buf value = VV_BUF_INIT;
        vv_buf again = VV_BUF_INIT;

        put_random_value(&value, &seed, 6);
        assert_true(copy_value(vvi_buf_bytes(&value), &again));
        assert_int_equal(again.len, value.len);
        assert_memory_equal(again.data, value.data, value.len);
        vv_buf_clear(&value);
        vv_buf_clear(&again);
    }
}

static void damaged_input_is_refused_or_is_another_canonical_value(void **state)
{
    uint64_t seed = 4;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        vv_buf value = VV_BUF_INIT;
        vv_buf again = VV_BUF_INIT;
        size_t len;

        put_random_value(&value, &seed, 3);
        value.data[next_random(&seed) % value.len] ^= (uint8_t)(1u << next_random(&seed) %
                                                                          8);
        len = next_random(&seed) % 3 ? value.len : next_random(&seed) % value.len;
        if (copy_value(vvi_bytes(value.data, len), &again)) {
            assert_int_equal(again.len, len);
            assert_memory_equal(again.data, value.data, len);
        }
        vv_buf_clear(&value);
        vv_buf_clear(&again);
    }
}

static vv_status count_links(void *ctx, const vv_cid *link, vv_error *err)
{
    size_t *count = ctx;

    assert_int_equal(link->version, 1);
    if (*count == 2)
        return vvi_fail(err, VV_ENOTFOUND, "enough");
    ++*count;
    return VV_OK;
}

static void links_are_visited_in_order_until_the_visitor_stops(void **state)
{
#define LINK "d82a582500" CID_HEX
    vv_buf two = from_hex("a2"
                          "6161"
                          "82" LINK "01"
                          "6162" LINK);
    vv_buf three = from_hex("83" LINK LINK LINK);
    vv_buf bare = from_hex("81"
                           "58221e20"
                           "000102030405060708090a0b0c0d0e0f"
                           "101112131415161718191a1b1c1d1e1f");
    vv_error err = VV_ERROR_INIT;
    size_t count = 0;

    (void)state;
    assert_vv_ok(vv_cbor_links(vvi_buf_bytes(&two), count_links, &count, &err));
    assert_int_equal(count, 2);
    count = 0;
    assert_int_equal(vv_cbor_links(vvi_buf_bytes(&three), count_links, &count, &err),
                     VV_ENOTFOUND);
    assert_string_equal(err.message, "enough");
    count = 0;
    assert_vv_ok(vv_cbor_links(vvi_buf_bytes(&bare), count_links, &count, &err));
    assert_int_equal(count, 0);
    vv_buf_clear(&two);
    vv_buf_clear(&three);
    vv_buf_clear(&bare);
}

static void members_can_be_passed_over(void **state)
{
    uint64_t seed = 8;

    (void)state;
    for (int i = 0; i < 500; i++) {
        vv_buf value = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;
        vv_cbor_reader reader;
        vv_cbor_item item;

        assert_vv_ok(vv_cbor_put_list(&value, 2, &err));
        put_random_value(&value, &seed, 4);
        assert_vv_ok(vv_cbor_put_uint(&value, 7, &err));
        vvi_cbor_reader_init(&reader, vvi_buf_bytes(&value));
        assert_vv_ok(vv_cbor_next(&reader, &item, &err));
        assert_vv_ok(vv_cbor_next(&reader, &item, &err));
        assert_vv_ok(vvi_cbor_skip(&reader, &item, &err));
        assert_vv_ok(vv_cbor_next(&reader, &item, &err));
        assert_int_equal(item.kind, VV_CBOR_UINT);
        assert_int_equal(item.u.uint, 7);
        assert_true(vvi_cbor_at_end(&reader));
        vvi_cbor_reader_clear(&reader);
        vv_buf_clear(&value);
    }
}

static vv_status read_deep(void *ctx)
{
    vv_cbor_reader *reader = NULL;
    vv_cbor_item item;
    uint8_t lists[100];
    vv_status status;

    (void)ctx;
    memset(lists, 0x81, sizeof(lists));
    lists[99] = 0x80;
    VVI_TRY(vv_cbor_reader_new(vvi_bytes(lists, sizeof(lists)), &reader, NULL));
    while ((status = vv_cbor_next(reader, &item, NULL)) == VV_OK)
        ;
    vv_cbor_reader_free(reader);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static void the_reader_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(read_deep, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_canonical_is_refused_with_its_offset),
        cmocka_unit_test(items_come_in_order_with_their_values),
        cmocka_unit_test(a_digest_too_long_for_us_is_unsupported_not_corrupt),
        cmocka_unit_test(nesting_is_limited_and_costs_no_stack),
        cmocka_unit_test(what_is_read_and_written_again_is_the_same),
        cmocka_unit_test(damaged_input_is_refused_or_is_another_canonical_value),
        cmocka_unit_test(links_are_visited_in_order_until_the_visitor_stops),
        cmocka_unit_test(members_can_be_passed_over),
        cmocka_unit_test(the_reader_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
