/* Attributes with the types that netCDF gives them, and their JSON. */
#ifndef VVI_DATASET_ATTR_H
#define VVI_DATASET_ATTR_H

#include "dtype/dtype.h"
#include "util/error.h"
#include "json/json.h"

#include <varvite/zarr.h>

typedef enum vvi_attr_kind {
    VVI_ATTR_NUMBERS, /* dtype: one of netCDF's ten */
    VVI_ATTR_TEXT,    /* netCDF char */
    VVI_ATTR_STRINGS, /* netCDF string */
    VVI_ATTR_OTHER    /* a type of its own; strings[0] names it */
} vvi_attr_kind;

typedef struct vvi_attr {
    char *name;
    vvi_attr_kind kind;
    vv_dtype dtype;
    size_t count;   /* numbers, bytes of text, strings */
    uint8_t *data;  /* numbers (native), text */
    char **strings; /* count of them, terminated */
} vvi_attr;

typedef struct vvi_attrs {
    vvi_attr *items;
    size_t count, cap;
} vvi_attrs;

void vvi_attrs_clear(vvi_attrs *attrs);
/* Add an empty one; *out is valid until the next is added. */
vv_status vvi_attrs_add(vvi_attrs *attrs, const char *name, vvi_attr **out,
                        vv_error *err);
const vvi_attr *vvi_attrs_find(const vvi_attrs *attrs, const char *name);
void vvi_attr_clear(vvi_attr *attr);
/* Set what an empty attribute holds; the data is copied. */
vv_status vvi_attr_set_numbers(vvi_attr *attr, vv_dtype dtype, const void *data,
                               size_t count, vv_error *err);
vv_status vvi_attr_set_text(vvi_attr *attr, const void *text, size_t len, vv_error *err);
vv_status vvi_attr_set_strings(vvi_attr *attr, const char *const *strings, size_t count,
                               vv_error *err);

/* Types, counts and every bit. */
bool vvi_attr_equal(const vvi_attr *a, const vvi_attr *b);
/* Equal as xarray sees them: numbers by value, text whether char or one string. */
bool vvi_attr_alike(const vvi_attr *a, const vvi_attr *b);
/* A short rendering, "short 1, 2, 3" or "'degC'", for messages. */
void vvi_attr_describe(const vvi_attr *attr, char *out, size_t cap);

/* "byte", "char", "string", … as CDL names the type; NULL for VVI_ATTR_OTHER. */
const char *vvi_attr_type_name(const vvi_attr *attr);
bool vvi_type_by_name(const char *name, vvi_attr_kind *kind, vv_dtype *dtype);

/*
 * The value as xarray writes it into Zarr v3. owner is the dtype of the variable it belongs to,
 * VV_DTYPE_NONE for a group: _FillValue of a float variable is base64 of a little-endian double.
 */
vv_status vvi_attr_to_json(const vvi_attr *attr, vv_dtype owner, vvi_json **out,
                           vv_error *err);
/*
 * Back again. type: the CDL name of its type, NULL to infer it (integer: int or int64; other
 * number: double; text: char). What a type cannot hold falls back to inference.
 */
vv_status vvi_attr_from_json(vvi_attr *attr, const vvi_json *value, vv_dtype owner,
                             const char *type, vv_error *err);
/* The bytes that raw hints hold: numbers little-endian, text, strings each with its end. */
vv_status vvi_attr_raw(const vvi_attr *attr, vv_buf *out, vv_error *err);
vv_status vvi_attr_set_raw(vvi_attr *attr, const char *type, vv_bytes raw, vv_error *err);

/* Text as UTF-8 without zero bytes, each wrong sequence replaced by U+FFFD. */
vv_status vvi_text_clean(vv_bytes text, vv_buf *out, vv_error *err);

#endif
