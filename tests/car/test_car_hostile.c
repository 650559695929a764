/* CAR files that are cut, foreign or made to do harm. */
#include "support/support.h"

#include "util/buf.h"

#include <stdio.h>

static vv_error err;
static char *directory;
static char path[4096];

static int set_up(void **state)
{
    (void)state;
    directory = make_directory();
    snprintf(path, sizeof(path), "%s/x.car", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_directory(directory);
    return 0;
}

/* What import and open make of bytes. */
static void try_bytes(const void *data, size_t len, vv_status *imported,
                      vv_status *opened)
{
    vv_blockstore *memory = NULL;
    vv_blockstore *car = NULL;

    write_file(path, data, len);
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    *imported = vv_car_import(path, memory, NULL, NULL, NULL, NULL, &err);
    if (*imported)
        assert_non_null(strstr(err.message, path));
    *opened = vv_car_open(path, &car, &err);
    if (*opened)
        assert_non_null(strstr(err.message, path));
    vv_blockstore_free(car);
    vv_blockstore_free(memory);
}

static uint8_t *vector(const char *name, size_t *len)
{
    char from[4096];

    snprintf(from, sizeof(from), "%s/vectors/ipfs/cars/%s", VV_TEST_DATA, name);
    return read_file(from, len);
}

/* Where sections begin, see cars.json. */
static const size_t starts[] = { 59, 279, 564, 1626, 2688, 3750, 4812, 5754, 5806, 5869 };

/* Does the codec of a CID lie at byte at? Lengths take one byte or two, a version one. */
static bool is_codec(size_t at)
{
    for (size_t i = 0; i < 9; i++)
        if (at == starts[i] + (starts[i + 1] - starts[i] > 128 ? 3 : 2))
            return true;
    return false;
}

static void a_file_cut_anywhere_but_between_sections_is_refused(void **state)
{
    size_t len;
    uint8_t *data = vector("small-v1.car", &len);

    (void)state;
    for (size_t cut = 0; cut <= len; cut += cut < 300 || cut > 5700 ? 1 : 13) {
        vv_status imported;
        vv_status opened;
        bool whole = false;

        for (size_t i = 0; i < 10; i++)
            whole = whole || cut == starts[i];
        try_bytes(data, cut, &imported, &opened);
        assert_int_equal(imported, whole ? VV_OK : VV_ECORRUPT);
        assert_int_equal(opened, whole ? VV_OK : VV_ECORRUPT);
    }
    free(data);
}

static void a_cut_version_2_is_refused(void **state)
{
    size_t len;
    uint8_t *data = vector("small-v2-index-0401.car", &len);

    (void)state;
    for (size_t cut = 1; cut < len; cut += 17) {
        vv_status imported;
        vv_status opened;

        try_bytes(data, cut, &imported, &opened);
        /* The import does not need the index, which comes last. */
        assert_int_equal(imported, cut < 5920 ? VV_ECORRUPT : VV_OK);
        assert_int_equal(opened, VV_ECORRUPT);
    }
    free(data);
}

static void one_flipped_bit_never_gives_a_wrong_block(void **state)
{
    size_t len;
    uint8_t *data = vector("small-v2-index-0401.car", &len);

    (void)state;
    for (size_t at = 0; at < len; at += at < 400 || at > 5900 ? 1 : 37)
        for (int bit = 0; bit < 8; bit += 3) {
            vv_status imported;
            vv_status opened;

            data[at] ^= (uint8_t)(1 << bit);
            try_bytes(data, len, &imported, &opened);
            data[at] ^= (uint8_t)(1 << bit);
            /* Every bit of a section counts, but for those that say how to read its block. */
            if (at >= 51 + 59 && at < 5920 && !is_codec(at - 51))
                assert_int_not_equal(imported, VV_OK);
        }
    free(data);
}

static void headers_that_are_none_are_refused_with_their_byte(void **state)
{
    static const struct {
        const char *hex;
        vv_status status;
        const char *says;
    } cases[] = {
        { "00", VV_ECORRUPT, "0 bytes" },
        { "ffffffffffffffffff01", VV_ECORRUPT, "byte 0" },
        { "ffffffff0f", VV_ECORRUPT, "header of" },
        { "8080", VV_ECORRUPT, "byte 0" },
        { "01a0", VV_ECORRUPT, "no version" },
        { "0180", VV_ECORRUPT, "not a map" },
        { "0aa16776657273696f6e03", VV_EUNSUPPORTED, "version 3" },
        { "0aa16776657273696f6e02", VV_ECORRUPT, "" },
        { "0aa16776657273696f6eff", VV_ECORRUPT, "version is not a number" },
        { "0ba16776657273696f6e01ff", VV_ECORRUPT, "bytes follow" },
        { "0ba16876657273696f6e7301", VV_ECORRUPT, "unknown" },
        { "13a26776657273696f6e016776657273696f6e01", VV_ECORRUPT,
          "unknown or repeated" },
        { "11a265726f6f7473016776657273696f6e01", VV_ECORRUPT, "not a list" },
        { "19a265726f6f74739bffffffffffffffff6776657273696f6e01", VV_ECORRUPT,
          "more roots" },
        { "12a265726f6f747381016776657273696f6e01", VV_ECORRUPT, "" },
        { "14a265726f6f747381d82a406776657273696f6e01", VV_ECORRUPT, "not a link" },
        { "15a265726f6f747381d82a41006776657273696f6e01", VV_ECORRUPT,
          "root of the CAR" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vv_buf bytes = from_hex(cases[i].hex);
        vv_status imported;
        vv_status opened;

        try_bytes(bytes.data, bytes.len, &imported, &opened);
        if (imported != cases[i].status || opened != cases[i].status ||
            !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s, %s, %s", i, vv_status_name(imported),
                     vv_status_name(opened), err.message);
        vv_buf_clear(&bytes);
    }
}

static void old_orders_and_lacks_of_the_header_are_read(void **state)
{
    static const char *const headers[] = {
        "11a265726f6f7473806776657273696f6e01", /* no roots in the list */
        "0aa16776657273696f6e01",               /* no list */
        "11a26776657273696f6e0165726f6f747380", /* version first */
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vv_buf bytes = from_hex(headers[i]);
        vv_status imported;
        vv_status opened;

        try_bytes(bytes.data, bytes.len, &imported, &opened);
        assert_int_equal(imported, VV_OK);
        assert_int_equal(opened, VV_OK);
        vv_buf_clear(&bytes);
    }
}

static void sections_that_are_none_are_refused(void **state)
{
#define HEADER "0aa16776657273696f6e01"
    static const struct {
        const char *hex;
        vv_status imported, opened;
    } cases[] = {
        { HEADER "00", VV_ECORRUPT, VV_ECORRUPT },
        { HEADER "05", VV_ECORRUPT, VV_ECORRUPT },
        { HEADER "ffffffffffffffff7f", VV_ELIMIT, VV_ELIMIT },
        { HEADER "8100", VV_ECORRUPT, VV_ECORRUPT },   /* a long form of 1 */
        { HEADER "020155", VV_ECORRUPT, VV_ECORRUPT }, /* a CID cut */
        { HEADER "0401550000", VV_OK, VV_OK }, /* a CID that holds a block of no bytes */
        { HEADER "0501550000ff", VV_ECORRUPT,
          VV_OK }, /* … and a byte that does not belong */
        { HEADER
          "221e20000000000000000000000000000000000000000000000000000000000000000000",
          VV_ECORRUPT, VV_ECORRUPT },                        /* a bare multihash */
        { HEADER "06015511010000", VV_EUNSUPPORTED, VV_OK }, /* sha1, cut to a byte */
        { HEADER "050155d50101", VV_ECORRUPT, VV_ECORRUPT }, /* murmur: a digest cut */
        { HEADER "070155d501010000", VV_EUNSUPPORTED,
          VV_OK }, /* a function that we have not */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vv_buf bytes = from_hex(cases[i].hex);
        vv_status imported;
        vv_status opened;

        try_bytes(bytes.data, bytes.len, &imported, &opened);
        if (imported != cases[i].imported || opened != cases[i].opened)
            fail_msg("case %zu: %s, %s, %s", i, vv_status_name(imported),
                     vv_status_name(opened), err.message);
        vv_buf_clear(&bytes);
    }
}

static void indexes_that_lie_never_give_a_wrong_block(void **state)
{
    size_t len;
    uint8_t *data = vector("small-v2-index-0401.car", &len);
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_cid_parse(
        "bafyr4ihqslq5ifmegtvmruk7n4xkqj5ak346iedeuoh3ydf3smiag56gda", &root, &err));
    for (size_t at = 5920; at < len; at++) {
        vv_blockstore *car = NULL;
        vv_buf out = VV_BUF_INIT;
        vv_blockstore_stats stats;

        data[at] ^= 0x81;
        write_file(path, data, len);
        data[at] ^= 0x81;
        if (vv_car_open(path, &car, &err) == VV_OK) {
            if (vv_blockstore_get(car, &root, &out, &err) == VV_OK)
                assert_int_equal(out.len, 182);
            vv_blockstore_stat(car, &stats, &err);
        }
        vv_buf_clear(&out);
        vv_blockstore_free(car);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_file_cut_anywhere_but_between_sections_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_version_2_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_flipped_bit_never_gives_a_wrong_block, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(headers_that_are_none_are_refused_with_their_byte,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_orders_and_lacks_of_the_header_are_read,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(sections_that_are_none_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(indexes_that_lie_never_give_a_wrong_block, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
