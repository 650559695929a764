#include "hamt_support.h"

#include <inttypes.h>
#include <stdio.h>

static vv_bytes numbered(const char *format, uint64_t i)
{
    static _Thread_local char texts[8][32];
    static _Thread_local unsigned turn;
    char *text = texts[turn++ % 8];

    snprintf(text, sizeof(texts[0]), format, i);
    return vv_bytes_of(text);
}

vv_bytes key_number(uint64_t i)
{
    return numbered("k%" PRIu64, i);
}

vv_bytes value_number(uint64_t v)
{
    return numbered("value %" PRIu64, v);
}

vv_hamt_options byte_options(void)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;

    options.values = VV_HAMT_BYTES;
    return options;
}

vv_blockstore *new_memory(void)
{
    vv_blockstore *store = NULL;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    return store;
}

vv_hamt *open_hamt(vv_blockstore *store, const vv_cid *root,
                   const vv_hamt_options *options)
{
    vv_hamt_options defaults = byte_options();
    vv_hamt *hamt = NULL;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_hamt_open(store, root, options ? options : &defaults, &hamt, &err));
    return hamt;
}

void set_key(vv_hamt *hamt, uint64_t i, uint64_t v)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_hamt_set(hamt, key_number(i), value_number(v), &err));
}

void assert_key(vv_hamt *hamt, uint64_t i, int64_t v)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_status status = vv_hamt_get(hamt, key_number(i), VV_RANGE_ALL, &out, &err);
    vv_bytes want = value_number(v < 0 ? 0 : (uint64_t)v);

    if (v < 0) {
        assert_int_equal(status, VV_ENOTFOUND);
        return;
    }
    assert_vv_ok(status);
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.data, want.data, want.len);
    vv_buf_clear(&out);
}

vv_cid flush_hamt(vv_hamt *hamt)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    assert_vv_ok(vv_hamt_flush(hamt, &root, &err));
    return root;
}

uint64_t count_keys(vv_hamt *hamt)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t count = 0;

    assert_vv_ok(vv_hamt_len(hamt, &count, &err));
    return count;
}

vv_cid fresh_root(const int64_t *values, size_t n, const vv_hamt_options *options)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, options);
    vv_cid root;

    for (size_t i = 0; i < n; i++)
        if (values[i] >= 0)
            set_key(hamt, i, (uint64_t)values[i]);
    root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
    return root;
}

void assert_same_cid(const vv_cid *a, const vv_cid *b)
{
    char x[VV_CID_TEXT_MAX];
    char y[VV_CID_TEXT_MAX];

    vv_cid_format(a, x);
    vv_cid_format(b, y);
    assert_string_equal(x, y);
}
