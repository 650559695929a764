/* Python values: making, comparing, counting. */
#include "pytree/value.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <math.h>
#include <string.h>

/* ---- making -------------------------------------------------------------------------------- */

vvi_py *vvi_py_new(vvi_py_kind kind)
{
    vvi_py *value = vvi_alloc_zero(sizeof(*value));

    if (value) {
        value->refs = 1;
        value->kind = (uint8_t)kind;
    }
    return value;
}

static vvi_py *new_bytes(vvi_py_kind kind, const uint8_t *data, size_t len)
{
    vvi_py *value = vvi_py_new(kind);
    uint8_t *copy = vvi_alloc(len + 1);

    if (!value || !copy) {
        vvi_free(value);
        vvi_free(copy);
        return NULL;
    }
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    value->u.bytes.data = copy;
    value->u.bytes.len = len;
    return value;
}

vvi_py *vvi_py_data(vvi_py_kind kind, vv_bytes bytes)
{
    return new_bytes(kind, bytes.data, bytes.len);
}

vvi_py *vvi_py_int_bytes(vv_bytes number)
{
    const uint8_t *data = number.data;
    size_t len = number.len;

    /* The last byte says nothing where it only repeats the sign that stands below it. */
    while (len > 1 && ((data[len - 1] == 0 && data[len - 2] < 0x80) ||
                       (data[len - 1] == 0xFF && data[len - 2] >= 0x80)))
        len--;
    if (len == 1 && data[0] == 0)
        len = 0;
    return new_bytes(VVI_PY_INT, data, len);
}

vvi_py *vvi_py_int(int64_t number)
{
    uint8_t data[8];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)((uint64_t)number >> (8 * i));
    return vvi_py_int_bytes(vvi_bytes(data, sizeof(data)));
}

vvi_py *vvi_py_retain(vvi_py *value)
{
    value->refs++;
    return value;
}

bool vvi_py_holds(const vvi_py *value)
{
    return value->kind >= VVI_PY_TUPLE;
}

/* Values nest at most VV_TREE_DEPTH_MAX deep, and so does this. */
void vvi_py_free(vvi_py *value)
{
    if (!value || --value->refs)
        return;
    if (vvi_py_holds(value)) {
        for (size_t i = 0; i < value->u.list.count; i++)
            vvi_py_free(value->u.list.items[i]);
        vvi_free(value->u.list.items);
    } else if (value->kind == VVI_PY_INT || value->kind == VVI_PY_TEXT ||
               value->kind == VVI_PY_BYTES) {
        vvi_free(value->u.bytes.data);
    }
    vvi_free(value);
}

static vv_status append(vvi_py *container, vvi_py *item, vv_error *err)
{
    if (!item)
        return vvi_fail_nomem(err, sizeof(*item));
    if (container->inside || container == item)
        return vvi_fail(err, VV_ECORRUPT, "a container that changes after it was used");
    if (item->depth >= VV_TREE_DEPTH_MAX)
        return vvi_fail(err, VV_ELIMIT, "values nested deeper than %d",
                        VV_TREE_DEPTH_MAX);
    return vvi_grow((void **)&container->u.list.items, &container->u.list.cap,
                    container->u.list.count + 1, sizeof(item), err);
}

vv_status vvi_py_append(vvi_py *container, vvi_py *item, vv_error *err)
{
    vv_status status = append(container, item, err);

    if (status) {
        vvi_py_free(item);
        return status;
    }
    item->inside = true;
    if (container->depth <= item->depth)
        container->depth = (uint8_t)(item->depth + 1);
    container->u.list.items[container->u.list.count++] = item;
    return VV_OK;
}

/* ---- asking -------------------------------------------------------------------------------- */

vv_bytes vvi_py_bytes(const vvi_py *value)
{
    return vvi_bytes(value->u.bytes.data, value->u.bytes.len);
}

bool vvi_py_fits_int64(const vvi_py *value, int64_t *out)
{
    vv_bytes bytes;
    uint64_t bits = 0;

    if (value->kind == VVI_PY_BOOL) {
        *out = value->boolean;
        return true;
    }
    if (value->kind != VVI_PY_INT || value->u.bytes.len > 8)
        return false;
    bytes = vvi_py_bytes(value);
    if (bytes.len && bytes.data[bytes.len - 1] >= 0x80)
        bits = UINT64_MAX;
    for (size_t i = bytes.len; i-- > 0;)
        bits = bits << 8 | bytes.data[i];
    *out = (int64_t)bits;
    return true;
}

bool vvi_py_equal(const vvi_py *a, const vvi_py *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind)
        return false;
    switch ((vvi_py_kind)a->kind) {
    case VVI_PY_NONE:
        return true;
    case VVI_PY_BOOL:
        return a->boolean == b->boolean;
    case VVI_PY_FLOAT:
        return memcmp(&a->u.number, &b->u.number, sizeof(double)) == 0;
    case VVI_PY_INT:
    case VVI_PY_TEXT:
    case VVI_PY_BYTES:
        return vvi_bytes_equal(vvi_py_bytes(a), vvi_py_bytes(b));
    default:
        break;
    }
    if (a->u.list.count != b->u.list.count)
        return false;
    for (size_t i = 0; i < a->u.list.count; i++)
        if (!vvi_py_equal(a->u.list.items[i], b->u.list.items[i]))
            return false;
    return true;
}

/* ---- Python's order ------------------------------------------------------------------------- */

/* An instance of a subclass of int or str compares as the number or the text in it. */
static const vvi_py *plain(const vvi_py *value)
{
    if (value->kind == VVI_PY_INSTANCE && value->u.list.count == 2 &&
        value->u.list.items[1]->kind == VVI_PY_TUPLE &&
        value->u.list.items[1]->u.list.count == 1)
        return value->u.list.items[1]->u.list.items[0];
    return value;
}

static bool is_number(const vvi_py *value)
{
    return value->kind == VVI_PY_INT || value->kind == VVI_PY_BOOL ||
           value->kind == VVI_PY_FLOAT;
}

static double to_double(const vvi_py *value)
{
    vv_bytes bytes = vvi_py_bytes(value);
    double sum = 0;

    if (value->kind == VVI_PY_FLOAT)
        return value->u.number;
    if (value->kind == VVI_PY_BOOL)
        return value->boolean;
    for (size_t i = 0; i < bytes.len; i++) {
        /* The last byte carries the sign. */
        int digit = i + 1 == bytes.len ? (int8_t)bytes.data[i] : bytes.data[i];

        sum += ldexp(digit, (int)(8 * (i < 1000 ? i : 1000)));
    }
    return sum;
}

static bool is_negative(const vvi_py *integer)
{
    vv_bytes bytes = vvi_py_bytes(integer);

    return bytes.len && bytes.data[bytes.len - 1] >= 0x80;
}

static int compare_numbers(const vvi_py *a, const vvi_py *b)
{
    int64_t x, y;

    if (vvi_py_fits_int64(a, &x) && vvi_py_fits_int64(b, &y))
        return (x > y) - (x < y);
    if (a->kind == VVI_PY_INT && b->kind == VVI_PY_INT) {
        vv_bytes p = vvi_py_bytes(a), q = vvi_py_bytes(b);

        if (is_negative(a) != is_negative(b))
            return is_negative(a) ? -1 : 1;
        /* Of the same sign the longer is further from zero; of the same length bytes decide. */
        if (p.len != q.len)
            return (p.len > q.len) != is_negative(a) ? 1 : -1;
        for (size_t i = p.len; i-- > 0;)
            if (p.data[i] != q.data[i])
                return p.data[i] > q.data[i] ? 1 : -1;
        return 0;
    }
    return (to_double(a) > to_double(b)) - (to_double(a) < to_double(b));
}

vv_status vvi_py_compare(const vvi_py *left, const vvi_py *right, int *out, vv_error *err)
{
    const vvi_py *a = plain(left);
    const vvi_py *b = plain(right);

    if (is_number(a) && is_number(b)) {
        *out = compare_numbers(a, b);
        return VV_OK;
    }
    if (a->kind != b->kind)
        return vvi_fail(err, VV_EINVAL, "keys of different types have no order");
    switch ((vvi_py_kind)a->kind) {
    case VVI_PY_TEXT: /* UTF-8 compares as its code points do */
    case VVI_PY_BYTES:
        *out = vvi_bytes_cmp(vvi_py_bytes(a), vvi_py_bytes(b));
        return VV_OK;
    case VVI_PY_TUPLE:
    case VVI_PY_LIST:
        break;
    default:
        return vvi_fail(err, VV_EINVAL, "keys of this type have no order");
    }
    for (size_t i = 0; i < a->u.list.count && i < b->u.list.count; i++) {
        if (vvi_py_equal(a->u.list.items[i], b->u.list.items[i]))
            continue;
        VVI_TRY(vvi_py_compare(a->u.list.items[i], b->u.list.items[i], out, err));
        if (*out)
            return VV_OK;
    }
    *out = (a->u.list.count > b->u.list.count) - (a->u.list.count < b->u.list.count);
    return VV_OK;
}
