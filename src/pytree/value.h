/*
 * Python values as data: what keys of dicts and static fields of classes are.
 *
 * Counted, so that a value that a pickle refers to many times is held once. Values do not change
 * once they are shared, and hold no cycles.
 */
#ifndef VVI_PYTREE_VALUE_H
#define VVI_PYTREE_VALUE_H

#include <varvite/pytree.h>

#include "json/json.h"

typedef enum vvi_py_kind {
    VVI_PY_NONE,
    VVI_PY_BOOL,
    VVI_PY_INT,
    VVI_PY_FLOAT,
    VVI_PY_TEXT,
    VVI_PY_BYTES,
    VVI_PY_TUPLE,
    VVI_PY_LIST,
    VVI_PY_DICT, /* items: key, value, key, value, … */
    VVI_PY_SET,
    VVI_PY_FROZENSET,
    VVI_PY_CLASS, /* a global by its name, class or function: items module, qualified name */
    VVI_PY_INSTANCE /* of a subclass of a plain type: items class, arguments as a tuple */
} vvi_py_kind;

typedef struct vvi_py vvi_py;
struct vvi_py {
    uint32_t refs;
    uint8_t kind;
    uint8_t depth; /* of what it holds; a plain value has 0 */
    bool inside;   /* another value holds it */
    bool boolean;
    union {
        double number;
        struct {
            uint8_t *data; /* terminated */
            size_t len;
        } bytes; /* TEXT: UTF-8; BYTES; INT: two's complement, little-endian, as short as it can be,
                    empty for 0 */
        struct {
            vvi_py **items; /* held */
            size_t count, cap;
        } list; /* all kinds that hold others */
    } u;
};

/* NULL: out of memory. */
vvi_py *vvi_py_new(vvi_py_kind kind);
vvi_py *vvi_py_int(int64_t number);
vvi_py *vvi_py_data(vvi_py_kind kind, vv_bytes bytes); /* TEXT, BYTES */
vvi_py *vvi_py_int_bytes(vv_bytes twos_complement);    /* little-endian, of any length */
vvi_py *vvi_py_retain(vvi_py *value);
void vvi_py_free(vvi_py *value); /* NULL is fine */
/* Put item at the end of a container that nothing holds yet, and take the caller's hold of it, also on
 * failure. NULL is VV_ENOMEM. Returns VV_ELIMIT past VV_TREE_DEPTH_MAX, VV_ECORRUPT for a container
 * that is inside another (which could close a circle). */
vv_status vvi_py_append(vvi_py *container, vvi_py *item, vv_error *err);

vv_bytes vvi_py_bytes(const vvi_py *value);
bool vvi_py_holds(const vvi_py *value); /* is it of a kind that holds others? */
bool vvi_py_fits_int64(const vvi_py *value, int64_t *out);
bool vvi_py_equal(const vvi_py *a, const vvi_py *b);
/* Python's order of keys; *out as memcmp. Returns VV_EINVAL when it knows none between them. */
vv_status vvi_py_compare(const vvi_py *a, const vvi_py *b, int *out, vv_error *err);
/* Append what Python's repr() gives. */
vv_status vvi_py_repr(const vvi_py *value, vv_buf *out, vv_error *err);

/* JSON ↔ value; docs/format/tree.md. */
vv_status vvi_py_from_json(const vvi_json *json, vvi_py **out, vv_error *err);
/* Append its JSON text, on one line. */
vv_status vvi_py_write_json(const vvi_py *value, vv_buf *out, vv_error *err);

/* Does Python's repr() print it as it is? */
bool vvi_is_printable(uint32_t character);
/* Append text as json.dumps() does: everything but ASCII as \uXXXX. */
vv_status vvi_write_ascii_json(vv_bytes text, vv_buf *out, vv_error *err);

#endif
