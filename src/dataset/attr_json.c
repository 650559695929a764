/* Attributes as xarray writes them into Zarr v3, and back. */
#include "dataset/attr.h"

#include "dtype/dtype.h"
#include "util/alloc.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/endian.h"

#include <math.h>
#include <string.h>

static bool is_float(vv_dtype dtype)
{
    return dtype == VV_FLOAT16 || dtype == VV_FLOAT32 || dtype == VV_FLOAT64;
}

static bool is_signed(vv_dtype dtype)
{
    return dtype >= VV_INT8 && dtype <= VV_INT64;
}

static bool is_integer(vv_dtype dtype)
{
    return dtype >= VV_INT8 && dtype <= VV_UINT64;
}

/* ---- numbers ---------------------------------------------------------------------------- */

static double load_float(vv_dtype dtype, const uint8_t *at)
{
    float f4;
    double f8;

    if (dtype == VV_FLOAT32) {
        memcpy(&f4, at, sizeof(f4));
        return (double)f4;
    }
    memcpy(&f8, at, sizeof(f8));
    return f8;
}

static void store_integer(vv_dtype dtype, uint64_t bits, uint8_t *at)
{
    size_t size = vv_dtype_size(dtype);

    for (size_t i = 0; i < size; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        at[i] = (uint8_t)(bits >> (8 * i));
#else
        at[size - 1 - i] = (uint8_t)(bits >> (8 * i));
#endif
    }
}

/* JSON has no NaN and no infinity: those go by the names that Zarr's fill values use. */
static vvi_json *number_to_json(vv_dtype dtype, const uint8_t *at)
{
    double number;

    if (is_signed(dtype))
        return vvi_json_new_int64((int64_t)vvi_integer_load(dtype, at));
    if (is_integer(dtype))
        return vvi_json_new_uint64(vvi_integer_load(dtype, at));
    number = load_float(dtype, at);
    if (isnan(number))
        return vvi_json_new_text("NaN");
    if (isinf(number))
        return vvi_json_new_text(number > 0 ? "Infinity" : "-Infinity");
    return vvi_json_new_double(number);
}

static bool text_number(const vvi_json *value, double *out)
{
    if (vvi_json_double(value, out))
        return true;
    if (vvi_json_is_text(value, "NaN"))
        *out = (double)NAN;
    else if (vvi_json_is_text(value, "Infinity"))
        *out = (double)INFINITY;
    else if (vvi_json_is_text(value, "-Infinity"))
        *out = -(double)INFINITY;
    else
        return false;
    return true;
}

static bool store_double(vv_dtype dtype, double number, uint8_t *at)
{
    float f4 = (float)number;

    if (dtype == VV_FLOAT64) {
        memcpy(at, &number, sizeof(number));
        return true;
    }
    memcpy(at, &f4, sizeof(f4));
    return isnan(number) || ((double)f4 <= number && (double)f4 >= number);
}

/* One number of JSON as an element; false when the type cannot hold it exactly. */
static bool number_from_json(const vvi_json *value, vv_dtype dtype, uint8_t *at)
{
    int64_t i;
    uint64_t u;
    double d;

    if (is_float(dtype))
        return text_number(value, &d) && store_double(dtype, d, at);
    if (is_signed(dtype)) {
        int64_t low = INT64_MIN >> (64 - 8 * vv_dtype_size(dtype));

        if (!vvi_json_int64(value, &i) || i < low || i > ~low)
            return false;
        u = (uint64_t)i;
    } else {
        unsigned spare = (unsigned)(64 - 8 * vv_dtype_size(dtype));

        if (!vvi_json_uint64(value, &u) || u > UINT64_MAX >> spare)
            return false;
    }
    store_integer(dtype, u, at);
    return true;
}

/* ---- writing ---------------------------------------------------------------------------- */

static vv_status clean_string(vv_bytes text, vvi_json **out, vv_error *err)
{
    vv_buf clean = VV_BUF_INIT;
    vv_status status = vvi_text_clean(text, &clean, err);

    if (!status) {
        *out = vvi_json_new_string(vvi_buf_bytes(&clean));
        status = *out ? VV_OK : vvi_fail_nomem(err, clean.len);
    }
    vv_buf_clear(&clean);
    return status;
}

/* Float fill values: base64 of a little-endian double, whatever the width. */
static vv_status fill_to_json(const vvi_attr *attr, vvi_json **out, vv_error *err)
{
    double number = is_float(attr->dtype) ? load_float(attr->dtype, attr->data)
                    : is_signed(attr->dtype)
                        ? (double)(int64_t)vvi_integer_load(attr->dtype, attr->data)
                        : (double)vvi_integer_load(attr->dtype, attr->data);
    uint64_t bits;
    uint8_t le[8];
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    memcpy(&bits, &number, sizeof(bits));
    vvi_put_le64(le, bits);
    status = vvi_base64_encode(vvi_bytes(le, sizeof(le)), &text, err);
    if (!status) {
        *out = vvi_json_new_string(vvi_buf_bytes(&text));
        status = *out ? VV_OK : vvi_fail_nomem(err, text.len);
    }
    vv_buf_clear(&text);
    return status;
}

static vv_status item_to_json(const vvi_attr *attr, size_t i, vvi_json **out,
                              vv_error *err)
{
    if (attr->kind == VVI_ATTR_STRINGS)
        return clean_string(vv_bytes_of(attr->strings[i]), out, err);
    *out = number_to_json(attr->dtype, attr->data + i * vv_dtype_size(attr->dtype));
    return *out ? VV_OK : vvi_fail_nomem(err, 1);
}

vv_status vvi_attr_to_json(const vvi_attr *attr, vv_dtype owner, vvi_json **out,
                           vv_error *err)
{
    vvi_json *list;
    vv_status status = VV_OK;

    if (attr->kind == VVI_ATTR_OTHER)
        return vvi_fail(err, VV_EUNSUPPORTED, "attribute '%s' has type %s", attr->name,
                        attr->strings[0]);
    if (attr->kind == VVI_ATTR_TEXT && is_integer(owner) && attr->count == 1 &&
        strcmp(attr->name, "_FillValue") == 0) {
        /* The fill value of a char variable: a number to those who see an array of bytes. */
        *out = vvi_json_new_int64(attr->data[0]);
        return *out ? VV_OK : vvi_fail_nomem(err, 1);
    }
    if (attr->kind == VVI_ATTR_TEXT)
        return clean_string(vvi_bytes(attr->data, attr->count), out, err);
    if (is_float(owner) && attr->kind == VVI_ATTR_NUMBERS && attr->count == 1 &&
        strcmp(attr->name, "_FillValue") == 0)
        return fill_to_json(attr, out, err);
    if (attr->count == 1)
        return item_to_json(attr, 0, out, err);
    list = vvi_json_new(VVI_JSON_ARRAY);
    if (!list)
        return vvi_fail_nomem(err, 1);
    for (size_t i = 0; i < attr->count && !status; i++) {
        vvi_json *item = NULL;

        status = item_to_json(attr, i, &item, err);
        if (!status)
            status = vvi_json_append(list, item, err);
    }
    if (status)
        vvi_json_free(list);
    else
        *out = list;
    return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* The first of the items of value, or value itself where it is no list. */
static const vvi_json *first_item(const vvi_json *value)
{
    return vvi_json_is(value, VVI_JSON_ARRAY) ? vvi_json_first(value) : value;
}

static const vvi_json *next_item(const vvi_json *value, const vvi_json *item)
{
    return vvi_json_is(value, VVI_JSON_ARRAY) ? vvi_json_next(item) : NULL;
}

static size_t item_count(const vvi_json *value)
{
    return vvi_json_is(value, VVI_JSON_ARRAY) ? vvi_json_count(value) : 1;
}

/* Set numbers of that type; *fits is false, and nothing set, when the type cannot hold them. */
static vv_status take_numbers(vvi_attr *attr, const vvi_json *value, vv_dtype dtype,
                              bool *fits, vv_error *err)
{
    size_t size = vv_dtype_size(dtype);
    size_t n = item_count(value);
    uint8_t *data = vvi_alloc_array(n ? n : 1, size);
    uint8_t *at = data;
    vv_status status = VV_OK;

    if (!data)
        return vvi_fail_nomem(err, n * size);
    *fits = true;
    for (const vvi_json *item = first_item(value); item && *fits;
         item = next_item(value, item)) {
        *fits = number_from_json(item, dtype, at);
        at += size;
    }
    if (*fits)
        status = vvi_attr_set_numbers(attr, dtype, data, n, err);
    vvi_free(data);
    return status;
}

static bool all_text(const vvi_json *value)
{
    for (const vvi_json *item = first_item(value); item; item = next_item(value, item))
        if (!vvi_json_is(item, VVI_JSON_STRING))
            return false;
    return true;
}

static vv_status take_strings(vvi_attr *attr, const vvi_json *value, vv_error *err)
{
    size_t n = item_count(value);
    const char **strings = vvi_alloc_array(n ? n : 1, sizeof(*strings));
    size_t i = 0;
    vv_status status;

    if (!strings)
        return vvi_fail_nomem(err, n * sizeof(*strings));
    for (const vvi_json *item = first_item(value); item; item = next_item(value, item))
        strings[i++] = vvi_json_text(item, NULL);
    status = vvi_attr_set_strings(attr, strings, n, err);
    vvi_free(strings);
    return status;
}

/* What netCDF has no type for (null, objects, mixed lists) becomes the text of its JSON. */
static vv_status take_json_text(vvi_attr *attr, const vvi_json *value, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_json_write(value, 0, &text, err);

    if (!status)
        status = vvi_attr_set_text(attr, text.data, text.len, err);
    vv_buf_clear(&text);
    return status;
}

static vv_status infer(vvi_attr *attr, const vvi_json *value, vv_error *err)
{
    static const vv_dtype numbers[] = { VV_INT32, VV_INT64, VV_UINT64, VV_FLOAT64 };
    size_t len;
    const char *text = vvi_json_text(value, &len);
    bool fits = false;
    bool boolean;

    if (text)
        return vvi_attr_set_text(attr, text, len, err);
    if (vvi_json_bool(value, &boolean))
        return vvi_attr_set_numbers(attr, VV_INT8, &(int8_t){ boolean }, 1, err);
    if (vvi_json_is(value, VVI_JSON_ARRAY) && vvi_json_count(value) && all_text(value))
        return take_strings(attr, value, err);
    if (vvi_json_is(value, VVI_JSON_ARRAY) && vvi_json_count(value) == 0)
        return vvi_attr_set_text(attr, "", 0, err);
    for (const vvi_json *item = first_item(value); item; item = next_item(value, item))
        if (!vvi_json_is(item, VVI_JSON_NUMBER))
            return take_json_text(attr, value, err);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) && !fits; i++)
        VVI_TRY(take_numbers(attr, value, numbers[i], &fits, err));
    return fits ? VV_OK : take_json_text(attr, value, err);
}

/* _FillValue of a float variable; *done is false when value is not what xarray writes. */
static vv_status take_fill(vvi_attr *attr, const vvi_json *value, vv_dtype dtype,
                           bool *done, vv_error *err)
{
    size_t len;
    const char *text = vvi_json_text(value, &len);
    vv_buf bytes = VV_BUF_INIT;
    uint64_t bits;
    double number;
    uint8_t element[8];
    vv_status status;

    *done = false;
    if (!text)
        return VV_OK;
    status = vvi_base64_decode(text, len, &bytes, err);
    if (status || bytes.len != 8)
        goto done;
    bits = vvi_get_le64(bytes.data);
    memcpy(&number, &bits, sizeof(number));
    if (is_float(dtype))
        store_double(dtype, number, element);
    else if (number >= -9.2e18 && number <= 1.8e19)
        store_integer(dtype, number < 0 ? (uint64_t)(int64_t)number : (uint64_t)number,
                      element);
    else
        goto done;
    status = vvi_attr_set_numbers(attr, dtype, element, 1, err);
    *done = !status;
done:
    vv_buf_clear(&bytes);
    return status == VV_ECORRUPT ? VV_OK : status; /* other text: as any attribute */
}

vv_status vvi_attr_from_json(vvi_attr *attr, const vvi_json *value, vv_dtype owner,
                             const char *type, vv_error *err)
{
    bool is_fill = owner != VV_DTYPE_NONE && strcmp(attr->name, "_FillValue") == 0;
    vvi_attr_kind kind = VVI_ATTR_OTHER;
    vv_dtype dtype = VV_DTYPE_NONE;
    bool known = type && vvi_type_by_name(type, &kind, &dtype);
    bool done = false;

    if (!known && is_fill && owner >= VV_INT8 && owner <= VV_FLOAT64 &&
        owner != VV_FLOAT16) {
        kind = VVI_ATTR_NUMBERS;
        dtype = owner;
    }
    if (kind == VVI_ATTR_NUMBERS && is_fill && is_float(owner))
        VVI_TRY(take_fill(attr, value, dtype, &done, err));
    if (kind == VVI_ATTR_NUMBERS && !done)
        VVI_TRY(take_numbers(attr, value, dtype, &done, err));
    if (kind == VVI_ATTR_TEXT && is_fill) {
        uint64_t byte;

        done = vvi_json_uint64(value, &byte) && byte < 256;
        if (done)
            VVI_TRY(vvi_attr_set_text(attr, &(uint8_t){ (uint8_t)byte }, 1, err));
    }
    if (kind == VVI_ATTR_STRINGS && all_text(value)) {
        VVI_TRY(take_strings(attr, value, err));
        done = true;
    }
    return done ? VV_OK : infer(attr, value, err);
}

/* ---- raw bytes ---------------------------------------------------------------------------- */

vv_status vvi_attr_raw(const vvi_attr *attr, vv_buf *out, vv_error *err)
{
    size_t size = vv_dtype_size(attr->dtype);

    if (attr->kind == VVI_ATTR_TEXT)
        return vvi_buf_append(out, vvi_bytes(attr->data, attr->count), err);
    for (size_t i = 0; i < attr->count && attr->kind == VVI_ATTR_STRINGS; i++)
        VVI_TRY(vvi_buf_append(
            out, vvi_bytes(attr->strings[i], strlen(attr->strings[i]) + 1), err));
    for (size_t i = 0; i < attr->count && attr->kind == VVI_ATTR_NUMBERS; i++) {
        uint64_t bits = vvi_integer_load(size == 8   ? VV_UINT64
                                         : size == 4 ? VV_UINT32
                                         : size == 2 ? VV_UINT16
                                                     : VV_UINT8,
                                         attr->data + i * size);
        uint8_t le[8];

        vvi_put_le64(le, bits);
        VVI_TRY(vvi_buf_append(out, vvi_bytes(le, size), err));
    }
    return VV_OK;
}

static vv_status set_raw_numbers(vvi_attr *attr, vv_dtype dtype, vv_bytes raw,
                                 vv_error *err)
{
    size_t size = vv_dtype_size(dtype);
    uint8_t *data = vvi_alloc(raw.len);
    vv_status status;

    if (!data)
        return vvi_fail_nomem(err, raw.len);
    for (size_t i = 0; i < raw.len; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        data[i] = raw.data[i];
#else
        data[i / size * size + size - 1 - i % size] = raw.data[i];
#endif
    }
    status = vvi_attr_set_numbers(attr, dtype, data, raw.len / size, err);
    vvi_free(data);
    return status;
}

vv_status vvi_attr_set_raw(vvi_attr *attr, const char *type, vv_bytes raw, vv_error *err)
{
    vvi_attr_kind kind;
    vv_dtype dtype;
    size_t n = 0;
    const char **strings;
    vv_status status;

    if (!vvi_type_by_name(type, &kind, &dtype) ||
        (kind == VVI_ATTR_NUMBERS && raw.len % vv_dtype_size(dtype)) ||
        (kind == VVI_ATTR_STRINGS && raw.len && raw.data[raw.len - 1]))
        return vvi_fail(err, VV_ECORRUPT,
                        "attribute '%s': its raw bytes do not fit type '%s'", attr->name,
                        type);
    if (kind == VVI_ATTR_TEXT)
        return vvi_attr_set_text(attr, raw.data, raw.len, err);
    if (kind == VVI_ATTR_NUMBERS)
        return set_raw_numbers(attr, dtype, raw, err);
    strings = vvi_alloc_array(raw.len ? raw.len : 1, sizeof(*strings));
    if (!strings)
        return vvi_fail_nomem(err, raw.len * sizeof(*strings));
    for (size_t at = 0; at < raw.len; at += strlen((const char *)raw.data + at) + 1)
        strings[n++] = (const char *)raw.data + at;
    status = vvi_attr_set_strings(attr, strings, n, err);
    vvi_free(strings);
    return status;
}
