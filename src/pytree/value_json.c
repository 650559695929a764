/* Python values ↔ JSON; docs/format/tree.md, "Values". */
#include "pytree/value.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* Names of the members that stand for what JSON has no form of. */
static const struct {
    const char *name;
    vvi_py_kind kind;
} forms[] = {
    { "bytes", VVI_PY_BYTES }, { "tuple", VVI_PY_TUPLE },
    { "list", VVI_PY_LIST },   { "dict", VVI_PY_DICT },
    { "set", VVI_PY_SET },     { "frozenset", VVI_PY_FROZENSET },
    { "class", VVI_PY_CLASS }, { "new", VVI_PY_INSTANCE },
    { "float", VVI_PY_FLOAT },
};
#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))

/* ---- writing ------------------------------------------------------------------------------- */

static const char *form_of(vvi_py_kind kind)
{
    for (size_t i = 0; i < FORM_COUNT; i++)
        if (forms[i].kind == kind)
            return forms[i].name;
    return NULL;
}

static vv_status write_class(const vvi_py *type, vv_buf *out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_buf_append(&text, vvi_py_bytes(type->u.list.items[0]), err);

    if (!status)
        status = vvi_buf_append_byte(&text, ':', err);
    if (!status)
        status = vvi_buf_append(&text, vvi_py_bytes(type->u.list.items[1]), err);
    if (!status)
        status = vvi_json_write_string(vvi_buf_bytes(&text), out, err);
    vv_buf_clear(&text);
    return status;
}

static vv_status write_list(const vvi_py *value, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append_byte(out, '[', err));
    for (size_t i = 0; i < value->u.list.count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_text(out, ", ", err));
        VVI_TRY(vvi_py_write_json(value->u.list.items[i], out, err));
    }
    return vvi_buf_append_byte(out, ']', err);
}

static vv_status write_form(const vvi_py *value, vv_buf *out, vv_error *err)
{
    vvi_py_kind kind = (vvi_py_kind)value->kind;
    vv_bytes bytes;

    VVI_TRY(vvi_buf_printf(out, err, "{\"%s\": ", form_of(kind)));
    switch (kind) {
    case VVI_PY_BYTES:
        bytes = vvi_py_bytes(value);
        VVI_TRY(vvi_buf_append_byte(out, '"', err));
        for (size_t i = 0; i < bytes.len; i++)
            VVI_TRY(vvi_buf_printf(out, err, "%02x", bytes.data[i]));
        VVI_TRY(vvi_buf_append_byte(out, '"', err));
        break;
    case VVI_PY_FLOAT:
        VVI_TRY(vvi_buf_append_byte(out, '"', err));
        VVI_TRY(vvi_py_repr(value, out, err));
        VVI_TRY(vvi_buf_append_byte(out, '"', err));
        break;
    case VVI_PY_CLASS:
        VVI_TRY(write_class(value, out, err));
        break;
    case VVI_PY_INSTANCE:
        VVI_TRY(write_class(value->u.list.items[0], out, err));
        VVI_TRY(vvi_buf_append_text(out, ", \"args\": ", err));
        VVI_TRY(write_list(value->u.list.items[1], out, err));
        break;
    default:
        VVI_TRY(write_list(value, out, err));
        break;
    }
    return vvi_buf_append_byte(out, '}', err);
}

vv_status vvi_py_write_json(const vvi_py *value, vv_buf *out, vv_error *err)
{
    switch ((vvi_py_kind)value->kind) {
    case VVI_PY_NONE:
        return vvi_buf_append_text(out, "null", err);
    case VVI_PY_BOOL:
        return vvi_buf_append_text(out, value->boolean ? "true" : "false", err);
    case VVI_PY_INT:
        return vvi_py_repr(value, out, err);
    case VVI_PY_FLOAT:
        return isfinite(value->u.number) ? vvi_py_repr(value, out, err)
                                         : write_form(value, out, err);
    case VVI_PY_TEXT:
        return vvi_json_write_string(vvi_py_bytes(value), out, err);
    default:
        return write_form(value, out, err);
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Decimal digits of any length to two's complement. */
static vvi_py *read_long(const char *digits)
{
    bool negative = *digits == '-';
    size_t len = strlen(digits += negative);
    size_t cap = len / 2 + 2; /* 10 < 16, so half a byte a digit, and a sign */
    uint8_t *bytes = vvi_alloc_zero(cap);
    vvi_py *value;
    unsigned carry;

    if (!bytes)
        return NULL;
    for (size_t d = 0; d < len; d++) {
        carry = (unsigned)(digits[d] - '0');
        for (size_t i = 0; i < cap; i++) {
            carry += bytes[i] * 10u;
            bytes[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    carry = 1;
    for (size_t i = 0; negative && i < cap; i++) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    value = vvi_py_int_bytes(vvi_bytes(bytes, cap));
    vvi_free(bytes);
    return value;
}

static vv_status read_number(const vvi_json *json, vvi_py **out, vv_error *err)
{
    double number;

    if (vvi_json_is_integer(json)) {
        if (strlen(vvi_json_digits(json)) > 2000)
            return vvi_fail(err, VV_ELIMIT, "an integer of more than 2000 digits");
        *out = read_long(vvi_json_digits(json));
    } else {
        *out = vvi_py_new(VVI_PY_FLOAT);
        if (*out && vvi_json_double(json, &number))
            (*out)->u.number = number;
    }
    return *out ? VV_OK : vvi_fail_nomem(err, sizeof(**out));
}

static vv_status read_hex(const char *text, vvi_py **out, vv_error *err)
{
    size_t len = text ? strlen(text) : 1;
    uint8_t *bytes;

    if (len % 2 || strspn(text, "0123456789abcdef") != len)
        return vvi_fail(err, VV_EINVAL, "'bytes' takes hexadecimal digits in pairs");
    bytes = vvi_alloc(len / 2);
    if (!bytes)
        return vvi_fail_nomem(err, len / 2);
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(isdigit((unsigned char)text[i]) ? text[i] - '0'
                                                                    : text[i] - 'a' + 10);

        bytes[i / 2] = (uint8_t)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    *out = vvi_py_data(VVI_PY_BYTES, vvi_bytes(bytes, len / 2));
    vvi_free(bytes);
    return *out ? VV_OK : vvi_fail_nomem(err, len / 2);
}

static vv_status read_class(const vvi_json *json, vvi_py **out, vv_error *err)
{
    const char *text = vvi_json_text(json, NULL);
    const char *colon = text ? strchr(text, ':') : NULL;
    vvi_py *type;
    vv_status status;

    if (!colon || colon == text || !colon[1])
        return vvi_fail(err, VV_EINVAL, "a class is named \"module:Name\"");
    type = vvi_py_new(VVI_PY_CLASS);
    if (!type)
        return vvi_fail_nomem(err, sizeof(*type));
    status = vvi_py_append(
        type, vvi_py_data(VVI_PY_TEXT, vvi_bytes(text, (size_t)(colon - text))), err);
    if (!status)
        status = vvi_py_append(type, vvi_py_data(VVI_PY_TEXT, vv_bytes_of(colon + 1)),
                               err);
    if (status)
        vvi_py_free(type);
    else
        *out = type;
    return status;
}

static vv_status read_items(vvi_py_kind kind, const vvi_json *list, vvi_py **out,
                            vv_error *err)
{
    vvi_py *value;
    vv_status status = VV_OK;

    if (!vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_EINVAL, "%s where a list of values belongs",
                        vvi_json_kind_name(list));
    if (kind == VVI_PY_DICT && vvi_json_count(list) % 2)
        return vvi_fail(err, VV_EINVAL, "'dict' takes keys and values in turn");
    value = vvi_py_new(kind);
    if (!value)
        return vvi_fail_nomem(err, sizeof(*value));
    for (const vvi_json *item = vvi_json_first(list); item && !status;
         item = vvi_json_next(item)) {
        vvi_py *held = NULL;

        status = vvi_py_from_json(item, &held, err);
        if (!status)
            status = vvi_py_append(value, held, err);
    }
    if (status)
        vvi_py_free(value);
    else
        *out = value;
    return status;
}

static vv_status read_instance(const vvi_json *json, vvi_py **out, vv_error *err)
{
    vvi_py *value = vvi_py_new(VVI_PY_INSTANCE);
    vvi_py *part = NULL;
    vv_status status = value ? read_class(vvi_json_get(json, "new"), &part, err)
                             : vvi_fail_nomem(err, sizeof(*value));

    if (!status)
        status = vvi_py_append(value, part, err);
    if (!status)
        status = read_items(VVI_PY_TUPLE, vvi_json_get(json, "args"), &part, err);
    if (!status)
        status = vvi_py_append(value, part, err);
    if (status)
        vvi_py_free(value);
    else
        *out = value;
    return status;
}

static vv_status read_special_float(const vvi_json *json, vvi_py **out, vv_error *err)
{
    static const struct {
        const char *name;
        double number;
    } specials[] = { { "nan", (double)NAN },
                     { "inf", (double)INFINITY },
                     { "-inf", -(double)INFINITY } };

    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (vvi_json_is_text(json, specials[i].name)) {
            *out = vvi_py_new(VVI_PY_FLOAT);
            if (!*out)
                return vvi_fail_nomem(err, sizeof(**out));
            (*out)->u.number = specials[i].number;
            return VV_OK;
        }
    return vvi_fail(err, VV_EINVAL, "'float' takes \"nan\", \"inf\" or \"-inf\"");
}

static vv_status read_object(const vvi_json *json, vvi_py **out, vv_error *err)
{
    const vvi_json *first = vvi_json_first(json);
    const char *name = first ? vvi_json_name(first) : "";
    size_t i = 0;

    while (i < FORM_COUNT && strcmp(forms[i].name, name) != 0)
        i++;
    if (i == FORM_COUNT ||
        vvi_json_count(json) != (forms[i].kind == VVI_PY_INSTANCE ? 2 : 1))
        return vvi_fail(err, VV_EINVAL, "an object with '%s' is no value", name);
    switch (forms[i].kind) {
    case VVI_PY_BYTES:
        return read_hex(vvi_json_text(first, NULL), out, err);
    case VVI_PY_CLASS:
        return read_class(first, out, err);
    case VVI_PY_INSTANCE:
        return read_instance(json, out, err);
    case VVI_PY_FLOAT:
        return read_special_float(first, out, err);
    default:
        return read_items(forms[i].kind, first, out, err);
    }
}

/* JSON nests at most VVI_JSON_DEPTH_MAX deep, and so does this. */
vv_status vvi_py_from_json(const vvi_json *json, vvi_py **out, vv_error *err)
{
    size_t len;
    const char *text = vvi_json_text(json, &len);
    bool boolean;

    *out = NULL;
    if (vvi_json_is(json, VVI_JSON_NUMBER))
        return read_number(json, out, err);
    if (vvi_json_is(json, VVI_JSON_OBJECT))
        return read_object(json, out, err);
    if (text)
        *out = vvi_py_data(VVI_PY_TEXT, vvi_bytes(text, len));
    else if (vvi_json_bool(json, &boolean)) {
        *out = vvi_py_new(VVI_PY_BOOL);
        if (*out)
            (*out)->boolean = boolean;
    } else if (vvi_json_is(json, VVI_JSON_NULL))
        *out = vvi_py_new(VVI_PY_NONE);
    else
        return vvi_fail(err, VV_EINVAL, "%s where a value belongs",
                        vvi_json_kind_name(json));
    return *out ? VV_OK : vvi_fail_nomem(err, sizeof(**out));
}
