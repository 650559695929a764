/* CIDs: naming, checking, both forms, what is refused. */
#include "support/support.h"

#include "multiformats/codes.h"
#include "util/buf.h"

#include <stdio.h>

static const vv_cid_prefix v0 = { VV_CODEC_DAG_PB, VV_HASH_SHA2_256, 0, 32 };
static const vv_cid_prefix bare = { VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 32 };

static vv_cid named(vv_cid_prefix prefix, const char *block)
{
    vv_cid cid;

    assert_int_equal(vv_cid_of(&prefix, vv_bytes_of(block), &cid, NULL), VV_OK);
    return cid;
}

static void blocks_get_the_names_that_others_give_them(void **state)
{
    vv_cid_prefix identity = { VV_CODEC_RAW, VV_HASH_IDENTITY, 1, 0 };
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;

    (void)state;
    cid = named(VV_PREFIX_RAW_BLAKE3, "");
    vv_cid_format(&cid, text);
    assert_string_equal(text,
                        "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi");
    cid = named(bare, "");
    vv_cid_format(&cid, text);
    assert_string_equal(
        text, "f1e20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    cid = named(identity, "abc");
    vv_cid_format(&cid, text);
    assert_string_equal(text, "bafkqaa3bmjrq");
    cid = named(v0, "");
    vv_cid_format(&cid, text);
    assert_string_equal(text, "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
}

static void a_block_is_its_name_and_no_other_block_is(void **state)
{
    const vv_cid_prefix prefixes[] = {
        VV_PREFIX_RAW_BLAKE3,
        VV_PREFIX_CBOR_BLAKE3,
        v0,
        bare,
        { VV_CODEC_RAW, VV_HASH_IDENTITY, 1, 0 },
        { VV_CODEC_RAW, VV_HASH_SHA1, 1, 0 },
        { VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 20 },
        { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 64 },
        { VV_CODEC_RAW, VV_HASH_BLAKE2B_256, 1, 0 },
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        vv_cid cid = named(prefixes[i], "hello");
        char text[VV_CID_TEXT_MAX];

        vv_cid_format(&cid, text);
        assert_vv_ok(vv_cid_verify(&cid, vv_bytes_of("hello"), &err));
        assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("hellp"), &err), VV_ECORRUPT);
        assert_non_null(strstr(err.message, text));
        cid.digest[cid.digest_len - 1] ^= 1;
        assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("hello"), NULL), VV_ECORRUPT);
    }
}

static void a_name_that_proves_nothing_verifies_nothing(void **state)
{
    vv_cid cid = named(VV_PREFIX_RAW_BLAKE3, "x");
    vv_error err = VV_ERROR_INIT;

    (void)state;
    cid.digest_len = 0;
    assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("x"), &err), VV_EUNSUPPORTED);
    cid.digest_len = 19;
    assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("x"), &err), VV_EUNSUPPORTED);
    cid.digest_len = 32;
    cid.hash = 0x1052; /* ripemd-128 */
    assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("x"), &err), VV_EUNSUPPORTED);
    cid.hash = VV_HASH_SHA1;
    assert_int_equal(vv_cid_verify(&cid, vv_bytes_of("x"), &err), VV_ECORRUPT);
}

static void prefixes_that_make_no_cid_are_refused(void **state)
{
    static const struct {
        vv_cid_prefix prefix;
        vv_status status;
    } cases[] = {
        { { VV_CODEC_RAW, VV_HASH_SHA2_256, 0, 32 }, VV_EINVAL },
        { { VV_CODEC_DAG_PB, VV_HASH_BLAKE3, 0, 32 }, VV_EINVAL },
        { { VV_CODEC_DAG_CBOR, VV_HASH_BLAKE3, VV_CID_BARE, 32 }, VV_EINVAL },
        { { VV_CODEC_RAW, VV_HASH_BLAKE3, 2, 32 }, VV_EINVAL },
        { { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 4 }, VV_EINVAL },
        { { VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 33 }, VV_EINVAL },
        { { 0x7f7f7f7f, VV_HASH_BLAKE3, 1, 32 }, VV_EINVAL },
        { { VV_CODEC_RAW, 0x1052, 1, 0 }, VV_EUNSUPPORTED },
        { { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 200 }, VV_EUNSUPPORTED },
    };
    vv_bytes blocks[2] = { vv_bytes_of("a"), vv_bytes_of("b") };
    vv_cid cids[2];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(vv_cid_of(&cases[i].prefix, blocks[0], cids, NULL),
                         cases[i].status);
        assert_int_equal(vv_cid_of_many(&cases[i].prefix, blocks, 2, cids, NULL),
                         cases[i].status);
    }
}

static void many_blocks_get_the_names_of_one_by_one(void **state)
{
    const vv_cid_prefix prefixes[] = { VV_PREFIX_RAW_BLAKE3, bare, v0 };
    vv_bytes blocks[300];
    vv_cid cids[300];
    char words[300][8];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < 300; i++) {
        snprintf(words[i], sizeof(words[i]), "w%zu", i);
        blocks[i] = vv_bytes_of(words[i]);
    }
    for (size_t p = 0; p < 3; p++) {
        assert_vv_ok(vv_cid_of_many(&prefixes[p], blocks, 300, cids, &err));
        for (size_t i = 0; i < 300; i++) {
            vv_cid one = named(prefixes[p], words[i]);

            assert_memory_equal(&cids[i], &one, sizeof(one));
        }
    }
}

static void both_forms_are_read_back(void **state)
{
    const vv_cid_prefix prefixes[] = { VV_PREFIX_RAW_BLAKE3, VV_PREFIX_CBOR_BLAKE3, v0,
                                       bare };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t p = 0; p < 4; p++) {
        vv_cid cid = named(prefixes[p], "block");
        uint8_t bytes[VV_CID_BYTES_MAX + 1];
        char text[VV_CID_TEXT_MAX];
        vv_cid back;
        size_t used;
        size_t len;

        vv_cid_to_bytes(&cid, bytes, &len);
        bytes[len] = 0x77;
        assert_vv_ok(vv_cid_read(vvi_bytes(bytes, len + 1), &back, &used, &err));
        assert_int_equal(used, len);
        assert_memory_equal(&back, &cid, sizeof(cid));
        assert_int_equal(vv_cid_from_bytes(vvi_bytes(bytes, len), &back, &err),
                         p == 3 ? VV_EINVAL : VV_OK);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(vv_cid_from_bytes(vvi_bytes(bytes, cut), &back, &err),
                             VV_EINVAL);
        assert_int_equal(vv_cid_from_bytes(vvi_bytes(bytes, len + 1), &back, &err),
                         VV_EINVAL);
        vv_cid_format(&cid, text);
        assert_vv_ok(vv_cid_parse(text, &back, &err));
        assert_memory_equal(&back, &cid, sizeof(cid));
    }
}

static void the_text_base_is_not_part_of_a_cid(void **state)
{
    static const char bases[] = "bzkfumBKFZ079cCvVtThMU";
    vv_cid cid = named(VV_PREFIX_CBOR_BLAKE3, "block");
    vv_cid zero = named(v0, "block");
    vv_error err = VV_ERROR_INIT;
    char text[VV_CID_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(bases); i++) {
        vv_cid back;

        assert_vv_ok(vv_cid_format_base(&cid, bases[i], text, &err));
        assert_vv_ok(vv_cid_parse(text, &back, &err));
        assert_true(vv_cid_equal(&back, &cid));
    }
    assert_int_equal(vv_cid_format_base(&cid, '?', text, &err), VV_EINVAL);
    assert_int_equal(vv_cid_format_base(&zero, 'b', text, &err), VV_EINVAL);
    assert_vv_ok(vv_cid_format_base(&zero, 'z', text, &err));
    assert_memory_equal(text, "Qm", 2);
}

static void the_longest_digest_fits_and_a_longer_one_is_unsupported(void **state)
{
    uint8_t bytes[5 + VV_DIGEST_MAX + 1] = { 1, 0x55, 0, 0x80, 1 };
    vv_error err = VV_ERROR_INIT;
    char text[VV_CID_TEXT_MAX];
    char longer[VV_CID_TEXT_MAX + 2];
    vv_cid cid;
    vv_cid back;

    (void)state;
    memset(bytes + 5, 0xff, VV_DIGEST_MAX + 1);
    assert_vv_ok(vv_cid_from_bytes(vvi_bytes(bytes, 5 + VV_DIGEST_MAX), &cid, &err));
    assert_vv_ok(vv_cid_format_base(&cid, '0', text, &err));
    assert_int_equal(strlen(text), 1 + 8 * (5 + VV_DIGEST_MAX));
    assert_vv_ok(vv_cid_parse(text, &back, &err));
    assert_true(vv_cid_equal(&cid, &back));
    bytes[3] = 0x81;
    assert_int_equal(vv_cid_from_bytes(vvi_bytes(bytes, sizeof(bytes)), &cid, &err),
                     VV_EUNSUPPORTED);
    memset(longer, 'b', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(vv_cid_parse(longer, &cid, &err), VV_EUNSUPPORTED);
}

static void codec_and_version_do_not_make_another_block(void **state)
{
    vv_cid raw = named(VV_PREFIX_RAW_BLAKE3, "x");
    vv_cid cbor = named(VV_PREFIX_CBOR_BLAKE3, "x");
    vv_cid multihash = named(bare, "x");
    vv_cid other = named(bare, "y");

    (void)state;
    assert_true(vv_cid_same_block(&raw, &cbor));
    assert_true(vv_cid_same_block(&raw, &multihash));
    assert_false(vv_cid_same_block(&raw, &other));
    assert_false(vv_cid_equal(&raw, &cbor));
    assert_false(vv_cid_equal(&raw, &multihash));
    assert_true(vv_cid_equal(&raw, &raw));
}

static void registered_codes_are_sorted_and_named_once(void **state)
{
    uint32_t last = 0;
    uint32_t code;
    size_t found = 0;

    (void)state;
    for (uint64_t c = 1; c < 0x1a0000; c++) {
        const vvi_code *entry = vvi_code_find(c);

        if (!entry)
            continue;
        found++;
        assert_true(entry->code > last);
        last = entry->code;
        assert_true(vv_codec_by_name(entry->name, &code));
        assert_int_equal(code, c);
        assert_int_equal(vv_hash_by_name(entry->name, &code), entry->is_hash);
    }
    assert_true(found > 500);
    assert_string_equal(vv_codec_name(VV_CODEC_DAG_CBOR), "dag-cbor");
    assert_string_equal(vv_hash_name(VV_HASH_IDENTITY), "identity");
    assert_null(vv_hash_name(VV_CODEC_RAW));
    assert_null(vv_codec_name(0x7f7f7f7f));
    assert_false(vv_hash_by_name("blake4", &code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_get_the_names_that_others_give_them),
        cmocka_unit_test(a_block_is_its_name_and_no_other_block_is),
        cmocka_unit_test(a_name_that_proves_nothing_verifies_nothing),
        cmocka_unit_test(prefixes_that_make_no_cid_are_refused),
        cmocka_unit_test(many_blocks_get_the_names_of_one_by_one),
        cmocka_unit_test(both_forms_are_read_back),
        cmocka_unit_test(the_text_base_is_not_part_of_a_cid),
        cmocka_unit_test(the_longest_digest_fits_and_a_longer_one_is_unsupported),
        cmocka_unit_test(codec_and_version_do_not_make_another_block),
        cmocka_unit_test(registered_codes_are_sorted_and_named_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
