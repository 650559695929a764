#include "dataset/attr.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

void vvi_attr_clear(vvi_attr *attr)
{
    if (attr->strings)
        for (size_t i = 0; i < attr->count; i++)
            vvi_free(attr->strings[i]);
    vvi_free(attr->strings);
    vvi_free(attr->data);
    vvi_free(attr->name);
    memset(attr, 0, sizeof(*attr));
}

void vvi_attrs_clear(vvi_attrs *attrs)
{
    for (size_t i = 0; i < attrs->count; i++)
        vvi_attr_clear(&attrs->items[i]);
    vvi_free(attrs->items);
    *attrs = (vvi_attrs){ NULL, 0, 0 };
}

vv_status vvi_attrs_add(vvi_attrs *attrs, const char *name, vvi_attr **out, vv_error *err)
{
    vvi_attr *attr;

    VVI_TRY(vvi_grow((void **)&attrs->items, &attrs->cap, attrs->count + 1,
                     sizeof(*attrs->items), err));
    attr = &attrs->items[attrs->count];
    memset(attr, 0, sizeof(*attr));
    attr->name = vvi_strdup(name);
    if (!attr->name)
        return vvi_fail_nomem(err, strlen(name) + 1);
    attrs->count++;
    *out = attr;
    return VV_OK;
}

const vvi_attr *vvi_attrs_find(const vvi_attrs *attrs, const char *name)
{
    for (size_t i = 0; i < attrs->count; i++)
        if (strcmp(attrs->items[i].name, name) == 0)
            return &attrs->items[i];
    return NULL;
}

/* Drop the value, keep the name. */
static void drop_value(vvi_attr *attr)
{
    char *name = attr->name;

    attr->name = NULL;
    vvi_attr_clear(attr);
    attr->name = name;
}

static vv_status set_data(vvi_attr *attr, const void *data, size_t count, size_t size,
                          vv_error *err)
{
    uint8_t *copy = vvi_alloc_array(count ? count : 1, size);

    if (!copy)
        return vvi_fail_nomem(err, count * size);
    if (count)
        memcpy(copy, data, count * size);
    drop_value(attr);
    attr->data = copy;
    attr->count = count;
    return VV_OK;
}

vv_status vvi_attr_set_numbers(vvi_attr *attr, vv_dtype dtype, const void *data,
                               size_t count, vv_error *err)
{
    VVI_TRY(set_data(attr, data, count, vv_dtype_size(dtype), err));
    attr->kind = VVI_ATTR_NUMBERS;
    attr->dtype = dtype;
    return VV_OK;
}

vv_status vvi_attr_set_text(vvi_attr *attr, const void *text, size_t len, vv_error *err)
{
    VVI_TRY(set_data(attr, text, len, 1, err));
    attr->kind = VVI_ATTR_TEXT;
    return VV_OK;
}

vv_status vvi_attr_set_strings(vvi_attr *attr, const char *const *strings, size_t count,
                               vv_error *err)
{
    drop_value(attr);
    attr->kind = VVI_ATTR_STRINGS;
    attr->strings = vvi_alloc_array_zero(count ? count : 1, sizeof(*attr->strings));
    if (!attr->strings)
        return vvi_fail_nomem(err, count * sizeof(*attr->strings));
    attr->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *text = strings[i] ? strings[i] : "";

        attr->strings[i] = vvi_strdup(text);
        if (!attr->strings[i])
            return vvi_fail_nomem(err, strlen(text) + 1);
    }
    return VV_OK;
}

bool vvi_attr_equal(const vvi_attr *a, const vvi_attr *b)
{
    if (a->kind != b->kind || a->dtype != b->dtype || a->count != b->count)
        return false;
    if (a->kind == VVI_ATTR_STRINGS || a->kind == VVI_ATTR_OTHER) {
        for (size_t i = 0; i < a->count; i++)
            if (strcmp(a->strings[i], b->strings[i]) != 0)
                return false;
        return true;
    }
    return memcmp(a->data, b->data,
                  a->count * (a->kind == VVI_ATTR_TEXT ? 1 : vv_dtype_size(a->dtype))) ==
           0;
}

/* The i-th number as a double, or as text where a double would round it. */
static double number_at(const vvi_attr *attr, size_t i)
{
    const uint8_t *at = attr->data + i * vv_dtype_size(attr->dtype);
    union {
        int8_t i1;
        int16_t i2;
        int32_t i4;
        int64_t i8;
        uint8_t u1;
        uint16_t u2;
        uint32_t u4;
        uint64_t u8;
        float f4;
        double f8;
    } v;

    memcpy(&v, at, vv_dtype_size(attr->dtype));
    switch (attr->dtype) {
    case VV_INT8:
        return v.i1;
    case VV_INT16:
        return v.i2;
    case VV_INT32:
        return v.i4;
    case VV_INT64:
        return (double)v.i8;
    case VV_UINT8:
        return v.u1;
    case VV_UINT16:
        return v.u2;
    case VV_UINT32:
        return v.u4;
    case VV_UINT64:
        return (double)v.u8;
    case VV_FLOAT32:
        return (double)v.f4;
    default:
        return v.f8;
    }
}

static bool one_text(const vvi_attr *attr, vv_bytes *out)
{
    if (attr->kind == VVI_ATTR_TEXT)
        *out = vvi_bytes(attr->data, attr->count);
    else if (attr->kind == VVI_ATTR_STRINGS && attr->count == 1)
        *out = vv_bytes_of(attr->strings[0]);
    else
        return false;
    return true;
}

bool vvi_attr_alike(const vvi_attr *a, const vvi_attr *b)
{
    vv_bytes text_a;
    vv_bytes text_b;

    if (vvi_attr_equal(a, b))
        return true;
    if (one_text(a, &text_a) && one_text(b, &text_b))
        return vvi_bytes_equal(text_a, text_b);
    if (a->kind != VVI_ATTR_NUMBERS || b->kind != VVI_ATTR_NUMBERS ||
        a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        double x = number_at(a, i);
        double y = number_at(b, i);

        if (!(x <= y && x >= y) && !(x != x && y != y))
            return false;
    }
    return true;
}

void vvi_attr_describe(const vvi_attr *attr, char *out, size_t cap)
{
    const char *type = vvi_attr_type_name(attr);
    vv_bytes text;
    size_t used;

    if (one_text(attr, &text)) {
        snprintf(out, cap, "%s '%.*s'", type, (int)(text.len < 60 ? text.len : 60),
                 text.len ? (const char *)text.data : "");
        return;
    }
    used = (size_t)snprintf(out, cap, "%s", type ? type : "other");
    for (size_t i = 0; i < attr->count && i < 6 && used < cap; i++) {
        char item[64] = "…";

        if (i < 5 && attr->kind == VVI_ATTR_NUMBERS)
            vv_element_format(attr->dtype, attr->data + i * vv_dtype_size(attr->dtype),
                              item, sizeof(item));
        else if (i < 5)
            snprintf(item, sizeof(item), "'%.40s'", attr->strings[i]);
        used += (size_t)snprintf(out + used, cap - used, "%s%s", i ? ", " : " ", item);
    }
    if (attr->count == 0 && used < cap)
        snprintf(out + used, cap - used, " (empty)");
}

static const struct {
    const char *name;
    vvi_attr_kind kind;
    vv_dtype dtype;
} types[] = {
    { "byte", VVI_ATTR_NUMBERS, VV_INT8 },
    { "ubyte", VVI_ATTR_NUMBERS, VV_UINT8 },
    { "short", VVI_ATTR_NUMBERS, VV_INT16 },
    { "ushort", VVI_ATTR_NUMBERS, VV_UINT16 },
    { "int", VVI_ATTR_NUMBERS, VV_INT32 },
    { "uint", VVI_ATTR_NUMBERS, VV_UINT32 },
    { "int64", VVI_ATTR_NUMBERS, VV_INT64 },
    { "uint64", VVI_ATTR_NUMBERS, VV_UINT64 },
    { "float", VVI_ATTR_NUMBERS, VV_FLOAT32 },
    { "double", VVI_ATTR_NUMBERS, VV_FLOAT64 },
    { "char", VVI_ATTR_TEXT, VV_DTYPE_NONE },
    { "string", VVI_ATTR_STRINGS, VV_DTYPE_NONE },
};

const char *vvi_attr_type_name(const vvi_attr *attr)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].kind == attr->kind && types[i].dtype == attr->dtype)
            return types[i].name;
    return NULL;
}

bool vvi_type_by_name(const char *name, vvi_attr_kind *kind, vv_dtype *dtype)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].name, name) == 0) {
            *kind = types[i].kind;
            *dtype = types[i].dtype;
            return true;
        }
    return false;
}
