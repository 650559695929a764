/* dagcbor.json: typed values to bytes, bytes to typed values, what is refused. */
#include "vectors.h"

#include "util/buf.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(vector_run *run, const char *name, bool right, const char *what)
{
    if (right)
        vector_pass(run);
    else
        vector_fail(run, name, "%s", what);
}

/* ---- typed values to bytes ---------------------------------------------------------- */

static vv_status encode_int(const char *decimal, vv_buf *out)
{
    bool negative = decimal[0] == '-';
    uint64_t magnitude;

    /* -2^64 is the one number whose magnitude has no 64-bit form but that can be written. */
    if (strcmp(decimal, "-18446744073709551616") == 0)
        return vv_cbor_put_nint(out, UINT64_MAX, NULL);
    errno = 0;
    magnitude = strtoull(decimal + negative, NULL, 10);
    if (errno)
        return VV_EINVAL;
    return negative ? vv_cbor_put_nint(out, magnitude - 1, NULL)
                    : vv_cbor_put_uint(out, magnitude, NULL);
}

static vv_status encode_float(const char *hex, vv_buf *out)
{
    uint64_t bits = strtoull(hex, NULL, 16);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return vv_cbor_put_float(out, value, NULL);
}

static vv_status encode_link(const char *text, vv_buf *out)
{
    vv_cid cid;

    VVI_TRY(vv_cid_parse(text, &cid, NULL));
    return vv_cbor_put_link(out, &cid, NULL);
}

static vv_bytes text_bytes(const json_t *text)
{
    return vvi_bytes(json_string_value(text), json_string_length(text));
}

static int compare_pairs(const void *a, const void *b)
{
    return vv_cbor_key_cmp(text_bytes(json_array_get(*(json_t *const *)a, 0)),
                           text_bytes(json_array_get(*(json_t *const *)b, 0)));
}

static vv_status encode_map(const json_t *pairs, vv_buf *out)
{
    size_t n = json_array_size(pairs);
    json_t **sorted = calloc(n + 1, sizeof(*sorted));
    vv_status status = vv_cbor_put_map(out, n, NULL);

    if (!sorted)
        abort();
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(pairs, i);
    qsort(sorted, n, sizeof(*sorted), compare_pairs);
    for (size_t i = 0; i < n && !status; i++) {
        status = vv_cbor_put_text(out, text_bytes(json_array_get(sorted[i], 0)), NULL);
        if (!status)
            status = vector_encode(json_array_get(sorted[i], 1), out);
    }
    free(sorted);
    return status;
}

static vv_status encode_list(const json_t *list, vv_buf *out)
{
    size_t index;
    json_t *member;

    VVI_TRY(vv_cbor_put_list(out, json_array_size(list), NULL));
    json_array_foreach(list, index, member) VVI_TRY(vector_encode(member, out));
    return VV_OK;
}

static vv_status encode_bytes(const char *hex, vv_buf *out)
{
    vv_buf bytes = bytes_of_hex(hex);
    vv_status status = vv_cbor_put_bytes(out, vvi_buf_bytes(&bytes), NULL);

    vv_buf_clear(&bytes);
    return status;
}

vv_status vector_encode(const json_t *typed, vv_buf *out)
{
    const char *type = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)typed));
    const json_t *value = json_object_get(typed, type);

    if (strcmp(type, "null") == 0)
        return vv_cbor_put_null(out, NULL);
    if (strcmp(type, "bool") == 0)
        return vv_cbor_put_bool(out, json_is_true(value), NULL);
    if (strcmp(type, "int") == 0)
        return encode_int(json_string_value(value), out);
    if (strcmp(type, "float") == 0)
        return encode_float(json_string_value(value), out);
    if (strcmp(type, "str") == 0)
        return vv_cbor_put_text(out, text_bytes(value), NULL);
    if (strcmp(type, "bytes") == 0)
        return encode_bytes(json_string_value(value), out);
    if (strcmp(type, "list") == 0)
        return encode_list(value, out);
    if (strcmp(type, "map") == 0)
        return encode_map(value, out);
    if (strcmp(type, "link") == 0)
        return encode_link(json_string_value(value), out);
    abort();
}

/* ---- bytes to typed values ---------------------------------------------------------- */

static json_t *decode(vv_cbor_reader *reader);

static json_t *decode_members(vv_cbor_reader *reader, const vv_cbor_item *item)
{
    json_t *members = json_array();

    for (uint64_t i = 0; i < item->u.count; i++) {
        json_t *value;
        vv_cbor_item key;
        json_t *name;

        if (item->kind == VV_CBOR_LIST) {
            value = decode(reader);
        } else if (vv_cbor_next(reader, &key, NULL)) {
            value = NULL;
        } else {
            name = json_stringn((const char *)key.bytes.data, key.bytes.len);
            value = decode(reader);
            if (value)
                value = json_pack("[oo]", name, value);
            else
                json_decref(name);
        }
        if (!value) {
            json_decref(members);
            return NULL;
        }
        json_array_append_new(members, value);
    }
    return members;
}

static json_t *decode_int(const vv_cbor_item *item)
{
    char text[32];

    if (item->kind == VV_CBOR_UINT)
        snprintf(text, sizeof(text), "%" PRIu64, item->u.uint);
    else if (item->u.uint == UINT64_MAX)
        snprintf(text, sizeof(text), "-18446744073709551616");
    else
        snprintf(text, sizeof(text), "-%" PRIu64, item->u.uint + 1);
    return json_string(text);
}

static json_t *decode_float(double value)
{
    char text[32];
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    snprintf(text, sizeof(text), "%016" PRIx64, bits);
    return json_string(text);
}

static json_t *decode_link(vv_bytes bytes)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;

    if (vv_cid_from_bytes(bytes, &cid, NULL) || vv_cid_format_base(&cid, 'z', text, NULL))
        return NULL;
    return json_string(text);
}

static json_t *decode_bytes(vv_bytes bytes)
{
    char *hex = hex_of(bytes);
    json_t *text = json_string(hex);

    free(hex);
    return text;
}

/* One typed value, NULL when the input is refused. */
static json_t *decode(vv_cbor_reader *reader)
{
    static const char *const types[] = { "null", "bool",  "int",  "int", "float",
                                         "str",  "bytes", "list", "map", "link" };
    vv_cbor_item item;
    json_t *value;

    if (vv_cbor_next(reader, &item, NULL))
        return NULL;
    switch (item.kind) {
    case VV_CBOR_NULL:
        value = json_true();
        break;
    case VV_CBOR_BOOL:
        value = json_boolean(item.u.boolean);
        break;
    case VV_CBOR_UINT:
    case VV_CBOR_NINT:
        value = decode_int(&item);
        break;
    case VV_CBOR_FLOAT:
        value = decode_float(item.u.real);
        break;
    case VV_CBOR_TEXT:
        value = json_stringn((const char *)item.bytes.data, item.bytes.len);
        break;
    case VV_CBOR_BYTES:
        value = decode_bytes(item.bytes);
        break;
    case VV_CBOR_LINK:
        value = decode_link(item.bytes);
        break;
    default:
        value = decode_members(reader, &item);
    }
    return value ? json_pack("{so}", types[item.kind], value) : NULL;
}

/* The value of the whole input, NULL when it is refused. */
static json_t *decode_all(vv_bytes bytes)
{
    vv_cbor_reader *reader = NULL;
    vv_cbor_item item;
    json_t *value;

    if (vv_cbor_reader_new(bytes, &reader, NULL))
        abort();
    value = decode(reader);
    if (value && vv_cbor_next(reader, &item, NULL) != VV_ENOTFOUND) {
        json_decref(value);
        value = NULL;
    }
    vv_cbor_reader_free(reader);
    return value;
}

/* ---- the three lists ---------------------------------------------------------------- */

static void run_encode(vector_run *run, const json_t *entry)
{
    const char *hex = text_of(entry, "hex");
    vv_buf out = VV_BUF_INIT;
    char *written;

    if (vector_encode(json_object_get(entry, "value"), &out)) {
        vector_fail(run, hex, "was refused");
    } else {
        written = hex_of(vvi_buf_bytes(&out));
        expect(run, hex, strcmp(written, hex) == 0, written);
        free(written);
    }
    vv_buf_clear(&out);
}

static void run_encode_error(vector_run *run, const json_t *entry)
{
    const char *what = text_of(entry, "what");
    vv_buf out = VV_BUF_INIT;
    vv_status status;

    if (strcmp(what, "2^64") == 0)
        status = encode_int("18446744073709551616", &out);
    else if (strcmp(what, "-2^64-1") == 0)
        status = encode_int("-18446744073709551617", &out);
    else if (strstr(what, "Infinity"))
        status = vv_cbor_put_float(&out, what[0] == '-' ? -INFINITY : INFINITY, NULL);
    else
        status = vv_cbor_put_float(&out, NAN, NULL);
    expect(run, what, status == VV_EINVAL, "was encoded");
    vv_buf_clear(&out);
}

static void run_accept(vector_run *run, const char *hex, vv_bytes bytes,
                       const json_t *entry)
{
    json_t *value = decode_all(bytes);
    vv_buf again = VV_BUF_INIT;

    if (!value) {
        vector_fail(run, hex, "was refused");
        return;
    }
    expect(run, hex, json_equal(value, json_object_get(entry, "accept")) == 1,
           "another value");
    if (json_is_true(json_object_get(entry, "reencodes_same")))
        expect(run, hex,
               !vector_encode(value, &again) &&
                   vvi_bytes_equal(vvi_buf_bytes(&again), bytes),
               "is not encoded to the same bytes");
    vv_buf_clear(&again);
    json_decref(value);
}

static void run_decode(vector_run *run, const json_t *entry)
{
    const char *hex = text_of(entry, "hex");
    vv_buf bytes = bytes_of_hex(hex);

    if (json_object_get(entry, "reject"))
        expect(run, hex, vv_cbor_validate(vvi_buf_bytes(&bytes), NULL) != VV_OK,
               "was accepted");
    else
        run_accept(run, hex, vvi_buf_bytes(&bytes), entry);
    vv_buf_clear(&bytes);
}

void run_dagcbor(vector_run *run, const json_t *document)
{
    size_t index;
    json_t *entry;

    json_array_foreach(json_object_get(document, "encode"), index, entry)
        run_encode(run, entry);
    json_array_foreach(json_object_get(document, "encode_errors"), index, entry)
        run_encode_error(run, entry);
    json_array_foreach(json_object_get(document, "decode"), index, entry)
        run_decode(run, entry);
}
