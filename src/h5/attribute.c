/* Attributes that stand in object headers. */
#include "h5/inner.h"

#include "util/buf.h"

#include <string.h>

/* An attribute message, taken apart. */
typedef struct parts {
    vv_bytes name, type, space, data;
} parts;

/* Up to version 1 each part is filled to a multiple of eight bytes. */
static vv_bytes take_part(vvi_h5_cursor *in, uint64_t len, bool filled)
{
    const uint8_t *from = vvi_h5_take(in, (size_t)(filled ? (len + 7) / 8 * 8 : len));

    return vvi_bytes(from, from ? (size_t)len : 0);
}

static vv_status take_apart(vv_bytes message, parts *out, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t version = vvi_h5_number(&in, 1);
    uint64_t flags = vvi_h5_number(&in, 1);
    uint64_t name = vvi_h5_number(&in, 2);
    uint64_t type = vvi_h5_number(&in, 2);
    uint64_t space = vvi_h5_number(&in, 2);

    if (version < 1 || version > 3)
        return vvi_fail(err, VV_EUNSUPPORTED, "an attribute of version %" PRIu64,
                        version);
    if (version > 1 && flags & 3)
        return vvi_fail(err, VV_EUNSUPPORTED, "an attribute of a shared type");
    vvi_h5_take(&in, version == 3 ? 1 : 0);
    out->name = take_part(&in, name, version == 1);
    out->type = take_part(&in, type, version == 1);
    out->space = take_part(&in, space, version == 1);
    if (in.short_of || !out->name.len || out->name.data[out->name.len - 1])
        return vvi_fail(err, VV_ECORRUPT, "an attribute that is cut short");
    out->name.len = strlen((const char *)out->name.data);
    out->data = vvi_bytes(in.at, (size_t)(in.end - in.at));
    return VV_OK;
}

/* A scalar text: its bytes, from where they lie. */
static vv_status read_text(const vvi_h5 *file, const vvi_h5_type *type, vv_bytes data,
                           vv_buf *out, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(data);
    uint64_t len, collection, index;

    if (type->kind == VVI_H5_FIXED_TEXT) {
        VVI_TRY(vvi_buf_set(
            out, vvi_bytes(data.data, strnlen((const char *)data.data, type->item)),
            err));
        return vvi_buf_terminate(out, err);
    }
    len = vvi_h5_number(&in, 4);
    collection = vvi_h5_number(&in, 8);
    index = vvi_h5_number(&in, 4);
    if (len)
        VVI_TRY(vvi_h5_global_object(file, collection, (uint32_t)index, (size_t)len, out,
                                     err));
    return vvi_buf_terminate(out, err);
}

static vv_status read_value(const vvi_h5 *file, const parts *from, vvi_h5_attribute *out,
                            vv_error *err)
{
    vvi_h5_cursor type = vvi_h5_cursor_of(from->type);
    vvi_h5_cursor space = vvi_h5_cursor_of(from->space);
    uint64_t count, bytes;

    VVI_TRY(vvi_h5_type_read(&type, &out->type, err));
    VVI_TRY(vvi_h5_space_read(&space, &out->space, err));
    VVI_TRY(vvi_h5_space_count(&out->space, &count, err));
    if (__builtin_mul_overflow(count, out->type.item, &bytes) || bytes > from->data.len)
        return vvi_fail(err, VV_ECORRUPT, "more elements than its message holds");
    if (count == 1 &&
        (out->type.kind == VVI_H5_FIXED_TEXT || out->type.kind == VVI_H5_VARIABLE_TEXT))
        return read_text(file, &out->type, from->data, &out->value, err);
    return vvi_buf_set(&out->value, vvi_bytes(from->data.data, (size_t)bytes), err);
}

vv_status vvi_h5_attribute_read(const vvi_h5 *file, const vvi_h5_object *object,
                                const char *name, vvi_h5_attribute *out, vv_error *err)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < object->count; i++) {
        const vvi_h5_message *message = &object->messages[i];
        vv_status status;
        parts all;

        if (message->type != VVI_H5_MSG_ATTRIBUTE)
            continue;
        status = take_apart(message->data, &all, err);
        if (!status && !vvi_bytes_equal(all.name, vv_bytes_of(name)))
            continue;
        if (!status)
            status = read_value(file, &all, out, err);
        if (status) {
            vv_buf_clear(&out->value);
            return vvi_wrap(err, status, "attribute '%s'", name);
        }
        return VV_OK;
    }
    return vvi_fail(err, VV_ENOTFOUND, "no attribute '%s'", name);
}
