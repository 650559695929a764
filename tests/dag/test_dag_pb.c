/* Links of dag-pb nodes: what is read, and what is refused where. */
#include "support/support.h"

#include "dag/links.h"

static vv_error err;

/* Two links with names and sizes, then data: as UnixFS files are written. */
#define CID_A "01551e20a96b0daa53c893b334e668b35b9f2b9be51dbce15461045e3dc20a47d4a1eb0f"
#define CID_B "01551e20f7d1ec6e31cec5b700980324caf793307059891ea5411110bddb23f1de25f992"

typedef struct found {
    vv_cid cids[8];
    size_t count;
} found;

static vv_status collect(void *ctx, const vv_cid *link, vv_error *error)
{
    found *self = ctx;

    (void)error;
    assert_true(self->count < 8);
    self->cids[self->count++] = *link;
    return VV_OK;
}

static vv_status links_of(const char *hex, found *out)
{
    vv_buf node = from_hex(hex);
    vv_status status;

    *out = (found){ .count = 0 };
    status = vvi_dag_pb_links((vv_bytes){ node.data, node.len }, collect, out, &err);
    vv_buf_clear(&node);
    return status;
}

static void links_come_in_order_with_the_data_before_or_after(void **state)
{
    static const char *const nodes[] = {
        "122c0a24" CID_A "120018808040122c0a24" CID_B "1200188080400a020801",
        "0a020801122c0a24" CID_A "120018808040122c0a24" CID_B "120018808040",
        "12260a24" CID_A "12260a24" CID_B,
    };
    found out;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_vv_ok(links_of(nodes[i], &out));
        assert_int_equal(out.count, 2);
        assert_int_equal(out.cids[0].digest[0], 0xa9);
        assert_int_equal(out.cids[1].digest[0], 0xf7);
        assert_int_equal(out.cids[1].codec, VV_CODEC_RAW);
    }
    assert_vv_ok(links_of("", &out));
    assert_int_equal(out.count, 0);
    assert_vv_ok(links_of("0a0408021800", &out));
    assert_int_equal(out.count, 0);
}

static void what_is_not_dag_pb_is_refused(void **state)
{
    static const char *const nodes[] = {
        "12",                        /* no length */
        "1205",                      /* shorter than said */
        "1200",                      /* a link without a CID */
        "12021200",                  /* a name alone */
        "12290a24" CID_A "1200",     /* cut within the link */
        "12280a24" CID_A "0a00",     /* the CID twice */
        "122a0a24" CID_A "18001200", /* name after size */
        "12280a24" CID_A "2000",     /* a field 4 */
        ("12250a23"                  /* a CID cut short */
         "01551e20a96b0daa53c893b334e668b35b9f2b9be51dbce15461045e3dc20a47d4a1eb"),
        "0a000a00",               /* data twice */
        "0a02080118",             /* a field 3 of the node */
        "ffffffffffffffffffff01", /* a varint of eleven bytes */
        "0affffffffffffffffff01", /* a length of 2^64 − 1 */
        "0800",                   /* data that is not bytes */
    };
    found out;

    (void)state;
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        vv_status status = links_of(nodes[i], &out);

        if (status != VV_ECORRUPT)
            fail_msg("node %zu: %s", i, vv_status_name(status));
        assert_non_null(strstr(err.message, "byte "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_come_in_order_with_the_data_before_or_after),
        cmocka_unit_test(what_is_not_dag_pb_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
