#include "value.h"

#include "util/buf.h"

#include <math.h>

static void put_random_number(vv_buf *out, uint64_t *seed)
{
    uint64_t number = next_random(seed) >> next_random(seed) % 64;
    double real;

    switch (next_random(seed) % 3) {
    case 0:
        assert_int_equal(vv_cbor_put_uint(out, number, NULL), VV_OK);
        break;
    case 1:
        assert_int_equal(vv_cbor_put_nint(out, number, NULL), VV_OK);
        break;
    default:
        memcpy(&real, &(uint64_t){ next_random(seed) }, sizeof(real));
        assert_int_equal(vv_cbor_put_float(out, isfinite(real) ? real : -0.0, NULL),
                         VV_OK);
    }
}

static size_t random_text(uint64_t *seed, char text[64])
{
    static const char *const pieces[] = {
        "a", "B",  "/", "0", "\xc3\xa9", "\xe2\x9c\x93", "\xf0\x9f\x98\x80",
        " ", "\"", "\n"
    };
    size_t n = next_random(seed) % 12;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        strcat(text, pieces[next_random(seed) % 10]);
    return strlen(text);
}

static void put_random_scalar(vv_buf *out, uint64_t *seed)
{
    const vv_cid_prefix prefixes[] = { VV_PREFIX_RAW_BLAKE3,
                                       VV_PREFIX_CBOR_BLAKE3,
                                       { VV_CODEC_DAG_PB, VV_HASH_SHA2_256, 0, 32 },
                                       { VV_CODEC_RAW, VV_HASH_IDENTITY, 1, 0 } };
    uint64_t bytes[40];
    char text[64];
    vv_cid cid;

    for (size_t i = 0; i < 40; i++)
        bytes[i] = next_random(seed);
    switch (next_random(seed) % 6) {
    case 0:
        assert_int_equal(vv_cbor_put_null(out, NULL), VV_OK);
        break;
    case 1:
        assert_int_equal(vv_cbor_put_bool(out, bytes[0] & 1, NULL), VV_OK);
        break;
    case 2:
        random_text(seed, text);
        assert_int_equal(vv_cbor_put_text(out, vv_bytes_of(text), NULL), VV_OK);
        break;
    case 3:
        assert_int_equal(
            vv_cbor_put_bytes(out, vvi_bytes(bytes, bytes[0] % sizeof(bytes)), NULL),
            VV_OK);
        break;
    case 4:
        assert_int_equal(vv_cid_of(&prefixes[bytes[0] % 4],
                                   vvi_bytes(bytes, bytes[1] % 40), &cid, NULL),
                         VV_OK);
        assert_int_equal(vv_cbor_put_link(out, &cid, NULL), VV_OK);
        break;
    default:
        put_random_number(out, seed);
    }
}

static int compare_keys(const void *a, const void *b)
{
    return vv_cbor_key_cmp(vv_bytes_of(*(char *const *)a),
                           vv_bytes_of(*(char *const *)b));
}

static void put_random_map(vv_buf *out, uint64_t *seed, int levels)
{
    char texts[10][64];
    char *keys[10];
    size_t n = next_random(seed) % 10;
    size_t unique = 0;

    for (size_t i = 0; i < n; i++) {
        random_text(seed, texts[i]);
        keys[i] = texts[i];
    }
    if (n)
        qsort(keys, n, sizeof(keys[0]), compare_keys);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(keys[unique - 1], keys[i]) != 0)
            keys[unique++] = keys[i];
    assert_int_equal(vv_cbor_put_map(out, unique, NULL), VV_OK);
    for (size_t i = 0; i < unique; i++) {
        assert_int_equal(vv_cbor_put_text(out, vv_bytes_of(keys[i]), NULL), VV_OK);
        put_random_value(out, seed, levels - 1);
    }
}

void put_random_value(vv_buf *out, uint64_t *seed, int levels)
{
    uint64_t kind = next_random(seed) % 3;
    uint64_t n = next_random(seed) % 12;

    if (levels <= 0 || kind == 0) {
        put_random_scalar(out, seed);
    } else if (kind == 1) {
        put_random_map(out, seed, levels);
    } else {
        assert_int_equal(vv_cbor_put_list(out, n, NULL), VV_OK);
        for (uint64_t i = 0; i < n; i++)
            put_random_value(out, seed, levels - 1);
    }
}

static vv_status copy_item(const vv_cbor_item *item, vv_buf *out)
{
    vv_cid cid;

    switch (item->kind) {
    case VV_CBOR_NULL:
        return vv_cbor_put_null(out, NULL);
    case VV_CBOR_BOOL:
        return vv_cbor_put_bool(out, item->u.boolean, NULL);
    case VV_CBOR_UINT:
        return vv_cbor_put_uint(out, item->u.uint, NULL);
    case VV_CBOR_NINT:
        return vv_cbor_put_nint(out, item->u.uint, NULL);
    case VV_CBOR_FLOAT:
        return vv_cbor_put_float(out, item->u.real, NULL);
    case VV_CBOR_TEXT:
        return vv_cbor_put_text(out, item->bytes, NULL);
    case VV_CBOR_BYTES:
        return vv_cbor_put_bytes(out, item->bytes, NULL);
    case VV_CBOR_LIST:
        return vv_cbor_put_list(out, item->u.count, NULL);
    case VV_CBOR_MAP:
        return vv_cbor_put_map(out, item->u.count, NULL);
    case VV_CBOR_LINK:
        assert_int_equal(vv_cid_from_bytes(item->bytes, &cid, NULL), VV_OK);
        return vv_cbor_put_link(out, &cid, NULL);
    }
    return VV_EINVAL;
}

bool copy_value(vv_bytes input, vv_buf *out)
{
    vv_cbor_reader *reader = NULL;
    vv_cbor_item item;
    vv_status status;

    assert_int_equal(vv_cbor_reader_new(input, &reader, NULL), VV_OK);
    while ((status = vv_cbor_next(reader, &item, NULL)) == VV_OK)
        assert_int_equal(copy_item(&item, out), VV_OK);
    vv_cbor_reader_free(reader);
    return status == VV_ENOTFOUND;
}
