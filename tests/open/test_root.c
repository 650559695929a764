/* What a root is, and the store below it, whatever its layout. */
#include "support/support.h"

static vv_error err;
static vv_blockstore *blocks;

static int make_blocks(void **state)
{
    (void)state;
    return vv_memory_blockstore_new(&blocks, &err) != VV_OK;
}

static int free_blocks(void **state)
{
    (void)state;
    vv_blockstore_free(blocks);
    return 0;
}

static const vv_cid_prefix dag_cbor = {
    .version = 1, .codec = VV_CODEC_DAG_CBOR, .hash = VV_HASH_BLAKE3, .digest_len = 32
};

static vv_cid put_hex(const vv_cid_prefix *prefix, const char *hex)
{
    vv_buf block = from_hex(hex);
    vv_cid cid;

    assert_vv_ok(vv_blockstore_put(blocks, prefix, (vv_bytes){ block.data, block.len },
                                   &cid, &err));
    vv_buf_clear(&block);
    return cid;
}

/* The examples of docs/format/sharded.md: v2 without arrays, and v1 of 4 × 6 in chunks of 2 × 2. */
#define V2_EMPTY                                                                       \
    "a666617272617973a0686d65746164617461a06a73746f72655f747970657470795f68616d742e"   \
    "736861726465645f7a6172726b7a6172725f666f726d6174036f7368617264696e675f636f6e6669" \
    "67a2656f7264657261437063"                                                         \
    "68756e6b735f7065725f7368617264"                                                   \
    "03706d616e69666573745f76657273696f6e6f736861726465645f7a6172725f7632"
#define V1_EMPTY                                                                   \
    "a3666368756e6b73a46a73686172645f6369647382f6f66b61727261795f736861706582"     \
    "04066b6368756e6b5f73686170658202026f7368617264696e675f636f6e666967a1"         \
    "706368756e6b735f7065725f736861726404686d65746164617461a0706d616e69666573745f" \
    "76657273696f6e6f736861726465645f7a6172725f7631"

static void assert_layout(const vv_cid *root, vv_layout expected, const char *name)
{
    vv_layout layout = (vv_layout)-1;

    assert_vv_ok(vv_root_layout(blocks, root, &layout, &err));
    assert_int_equal(layout, expected);
    assert_string_equal(vv_layout_name(layout), name);
}

static void the_block_of_a_root_tells_its_layout(void **state)
{
    vv_cid root = put_hex(&dag_cbor, V2_EMPTY);
    char text[VV_CID_TEXT_MAX];
    vv_store *store;

    (void)state;
    vv_cid_format(&root, text);
    assert_string_equal(text,
                        "bafyr4ib6sm5wmt5uv55hneiymxamt34a22f4okh5piyju3svdqeyeyeupi");
    assert_layout(&root, VV_LAYOUT_SHARDED_V2, "sharded v2");
    root = put_hex(&dag_cbor, V1_EMPTY);
    vv_cid_format(&root, text);
    assert_string_equal(text,
                        "bafyr4ifam7zqzquxufv7oaglflyogmcyubd6sl2ku4tbfikwspaq3olasq");
    assert_layout(&root, VV_LAYOUT_SHARDED_V1, "sharded v1");
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_store_free(store);
    assert_layout(&root, VV_LAYOUT_HAMT, "HAMT");
}

static void assert_no_root(const vv_cid *root, vv_status status, const char *why)
{
    char text[VV_CID_TEXT_MAX];
    vv_layout layout;
    vv_store *store = NULL;

    vv_cid_format(root, text);
    assert_int_equal(vv_root_layout(blocks, root, &layout, &err), status);
    assert_non_null(strstr(err.message, text));
    assert_non_null(strstr(err.message, why));
    assert_int_equal(vv_root_open(blocks, root, NULL, &store, &err), status);
    assert_null(store);
}

static void what_is_no_root_is_said_to_be_what_it_is(void **state)
{
    const vv_cid_prefix raw = VV_PREFIX_RAW_BLAKE3;
    vv_cid_prefix unixfs = raw;
    vv_cid root = put_hex(&raw, "80");

    (void)state;
    assert_no_root(&root, VV_ECORRUPT, "raw bytes");
    unixfs.codec = VV_CODEC_DAG_PB;
    root = put_hex(&unixfs, "0a020801");
    assert_no_root(&root, VV_ECORRUPT, "UnixFS");
    root = put_hex(&dag_cbor, "6161");
    assert_no_root(&root, VV_ECORRUPT, "single value");
    root = put_hex(&dag_cbor, "a2616181f6616202");
    assert_no_root(&root, VV_ECORRUPT, "a map of 2 members: 'a', 'b'");
    root = put_hex(&dag_cbor, "ff");
    assert_no_root(&root, VV_ECORRUPT, "no root of a store");
    /* {"manifest_version": "x"}, and 3 in its place */
    root = put_hex(&dag_cbor, "a1706d616e69666573745f76657273696f6e6178");
    assert_no_root(&root, VV_EUNSUPPORTED, "manifest version 'x'");
    root = put_hex(&dag_cbor, "a1706d616e69666573745f76657273696f6e03");
    assert_no_root(&root, VV_EUNSUPPORTED, "no text");
    root.digest[0] ^= 1;
    assert_no_root(&root, VV_ENOTFOUND, "");
}

static void many_or_long_members_are_cut_in_the_message(void **state)
{
    vv_buf map = VV_BUF_INIT;
    char name[3] = "a0";
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_cbor_put_map(&map, 60, &err));
    for (int i = 0; i < 60; i++) {
        name[0] = (char)('a' + i / 10);
        name[1] = (char)('0' + i % 10);
        assert_vv_ok(vv_cbor_put_text(&map, vv_bytes_of(name), &err));
        assert_vv_ok(vv_cbor_put_null(&map, &err));
    }
    assert_vv_ok(vv_blockstore_put(blocks, &dag_cbor, (vv_bytes){ map.data, map.len },
                                   &root, &err));
    assert_no_root(&root, VV_ECORRUPT, "60 members: 'a0', 'a1'");
    assert_non_null(strstr(err.message, "…"));
    vv_buf_clear(&map);
}

static void a_list_that_is_no_node_is_refused_when_opened(void **state)
{
    vv_cid root = put_hex(&dag_cbor, "80");
    vv_store *store = NULL;

    (void)state;
    assert_int_equal(vv_root_open(blocks, &root, NULL, &store, &err), VV_ECORRUPT);
    assert_null(store);
}

static void a_new_store_has_the_layout_that_was_asked_for(void **state)
{
    static const vv_layout layouts[] = { VV_LAYOUT_HAMT, VV_LAYOUT_SHARDED_V2,
                                         VV_LAYOUT_SHARDED_V1 };
    const uint64_t shape[] = { 4, 6 };
    const uint64_t chunk[] = { 2, 2 };

    (void)state;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
        vv_root_options options = VV_ROOT_OPTIONS_INIT;
        vv_buf value = VV_BUF_INIT;
        vv_store *store = NULL;
        vv_cid root;

        options.layout = layouts[i];
        if (layouts[i] == VV_LAYOUT_SHARDED_V1) {
            options.sharded.struct_size = sizeof(options.sharded);
            options.sharded.chunks_per_shard = 4;
            options.sharded.ndim = 2;
            options.sharded.array_shape = shape;
            options.sharded.chunk_shape = chunk;
        }
        assert_vv_ok(vv_root_open(blocks, NULL, &options, &store, &err));
        assert_vv_ok(vv_store_set(store, "note", vv_bytes_of("text"), &err));
        assert_vv_ok(vv_store_commit(store, &root, &err));
        vv_store_free(store);
        assert_layout(&root, layouts[i], vv_layout_name(layouts[i]));

        options.read_only = true;
        options.layout = VV_LAYOUT_HAMT; /* passed by */
        assert_vv_ok(vv_root_open(blocks, &root, &options, &store, &err));
        assert_true(vv_store_is_read_only(store));
        assert_vv_ok(vv_store_get(store, "note", VV_RANGE_ALL, &value, &err));
        assert_memory_equal(value.data, "text", 4);
        assert_int_equal(vv_store_set(store, "note", vv_bytes_of("x"), &err),
                         VV_EREADONLY);
        vv_store_free(store);
        vv_buf_clear(&value);
        assert_int_equal(vv_root_open(blocks, NULL, &options, &store, &err), VV_EINVAL);
    }
}

static void a_layout_that_is_not_known_is_invalid(void **state)
{
    vv_root_options options = VV_ROOT_OPTIONS_INIT;
    vv_store *store = NULL;

    (void)state;
    options.layout = (vv_layout)77;
    assert_int_equal(vv_root_open(blocks, NULL, &options, &store, &err), VV_EINVAL);
    assert_string_equal(vv_layout_name((vv_layout)77), "unknown");
}

static vv_status note_finding(void *ctx, const vv_verify_finding *finding)
{
    assert_string_equal(finding->key, "root");
    assert_true(finding->is_node);
    *(vv_status *)ctx = finding->status;
    return VV_OK;
}

static void roots_of_every_layout_are_verified(void **state)
{
    static const char *const good[] = { V2_EMPTY, V1_EMPTY };
    static const struct {
        const char *hex;
        vv_status status;
    } bad[] = { { "a1706d616e69666573745f76657273696f6e6178", VV_EUNSUPPORTED },
                { "a1616101", VV_ECORRUPT },
                /* {"manifest_version": "sharded_zarr_v2"}, and nothing else */
                { "a1706d616e69666573745f76657273696f6e6f736861726465645f7a6172725f7632",
                  VV_ECORRUPT } };
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;
    vv_verify_result result;
    vv_status found = VV_OK;
    vv_store *store;
    vv_cid root;

    (void)state;
    options.report = note_finding;
    options.ctx = &found;
    for (size_t i = 0; i < 2; i++) {
        root = put_hex(&dag_cbor, good[i]);
        assert_vv_ok(vv_root_verify(blocks, &root, &options, &result, &err));
        assert_true(result.complete);
        assert_int_equal(result.nodes, 1);
    }
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    assert_vv_ok(vv_store_set(store, "a", vv_bytes_of("1"), &err));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_store_free(store);
    assert_vv_ok(vv_root_verify(blocks, &root, &options, &result, &err));
    assert_int_equal(result.nodes, 1);
    assert_int_equal(result.values, 1);
    assert_int_equal(found, VV_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        root = put_hex(&dag_cbor, bad[i].hex);
        found = VV_OK;
        assert_int_equal(vv_root_verify(blocks, &root, &options, &result, &err),
                         VV_ECORRUPT);
        assert_int_equal(found, bad[i].status);
        assert_int_equal(result.bad, 1);
    }
    root.digest[0] ^= 1;
    assert_int_equal(vv_root_verify(blocks, &root, &options, &result, &err), VV_ECORRUPT);
    assert_int_equal(found, VV_ENOTFOUND);
    assert_int_equal(result.missing, 1);
    assert_int_equal(vv_root_verify(blocks, &root, NULL, NULL, NULL), VV_ECORRUPT);
}

static vv_status look_and_open(void *ctx)
{
    vv_store *store;
    vv_layout layout;
    vv_status status = vv_root_layout(blocks, ctx, &layout, &err);

    if (!status)
        status = vv_root_open(blocks, ctx, NULL, &store, &err);
    if (!status)
        vv_store_free(store);
    return status;
}

static void opening_survives_failing_allocations(void **state)
{
    vv_cid root = put_hex(&dag_cbor, V2_EMPTY);

    (void)state;
    survives_failing_allocations(look_and_open, &root);
    root = put_hex(&dag_cbor, V1_EMPTY);
    survives_failing_allocations(look_and_open, &root);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, make_blocks, free_blocks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_block_of_a_root_tells_its_layout),
        CASE(what_is_no_root_is_said_to_be_what_it_is),
        CASE(many_or_long_members_are_cut_in_the_message),
        CASE(a_list_that_is_no_node_is_refused_when_opened),
        CASE(a_new_store_has_the_layout_that_was_asked_for),
        CASE(a_layout_that_is_not_known_is_invalid),
        CASE(roots_of_every_layout_are_verified),
        CASE(opening_survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
