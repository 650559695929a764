/*
 * JSON values: a tree that keeps what the text said.
 *
 * A number keeps its text, so 64-bit integers of either sign, 1.0 against 1, and every digit come
 * back as they were; members keep their order. NaN, Infinity and -Infinity, which Python writes,
 * are read and written as numbers. Nothing here recurses.
 *
 * Source: RFC 8259. Threads: reading one tree from many at once is fine.
 */
#ifndef VVI_JSON_JSON_H
#define VVI_JSON_JSON_H

#include "util/error.h"

#define VVI_JSON_DEPTH_MAX 128
#define VVI_JSON_BYTES_MAX ((size_t)32 << 20)

typedef enum vvi_json_kind {
    VVI_JSON_NULL,
    VVI_JSON_BOOL,
    VVI_JSON_NUMBER,
    VVI_JSON_STRING,
    VVI_JSON_ARRAY,
    VVI_JSON_OBJECT
} vvi_json_kind;

/* A value. Who made or parsed the outermost one frees it, and with it all below. */
typedef struct vvi_json vvi_json;

/*
 * Parse one value; white space may stand around it. Memory: at most some 60 bytes a byte of text.
 * Returns VV_ECORRUPT (with the line), VV_ELIMIT (nested deeper than VVI_JSON_DEPTH_MAX, longer
 * than VVI_JSON_BYTES_MAX) or VV_ENOMEM.
 */
vv_status vvi_json_parse(vv_bytes text, vvi_json **out, vv_error *err);
vv_status vvi_json_copy(const vvi_json *value, vvi_json **out, vv_error *err);
void vvi_json_free(vvi_json *value);

/* Append the value's text. indent 0: one line, ", " and ": " between; else blanks a level. */
vv_status vvi_json_write(const vvi_json *value, unsigned indent, vv_buf *out,
                         vv_error *err);
/* Append text as a JSON string with its quotes. */
vv_status vvi_json_write_string(vv_bytes text, vv_buf *out, vv_error *err);

/* ---- reading; a NULL value is none of anything -------------------------------------------- */

bool vvi_json_is(const vvi_json *value, vvi_json_kind kind);
vvi_json_kind vvi_json_kind_of(const vvi_json *value);
/* "a string", "null": for messages; "nothing" for NULL. */
const char *vvi_json_kind_name(const vvi_json *value);

/* Members of an object, items of an array; 0 for others. */
size_t vvi_json_count(const vvi_json *value);
/* The member of that name, the last where it is repeated; NULL if there is none. */
vvi_json *vvi_json_get(const vvi_json *object, const char *name);
/* Go through members or items: first, then next until NULL. */
vvi_json *vvi_json_first(const vvi_json *container);
vvi_json *vvi_json_next(const vvi_json *value);
/* The name under which a member stands; NULL for others. */
const char *vvi_json_name(const vvi_json *member);

/* The text of a string, terminated; len may be NULL. NULL when it is no string. */
const char *vvi_json_text(const vvi_json *value, size_t *len);
/* Is it exactly this string? */
bool vvi_json_is_text(const vvi_json *value, const char *text);
bool vvi_json_bool(const vvi_json *value, bool *out);
/* The text of a number as it was written; NULL when it is none. */
const char *vvi_json_digits(const vvi_json *value);
/* A number without fraction and exponent. */
bool vvi_json_is_integer(const vvi_json *value);
/* False unless it is an integer that fits. */
bool vvi_json_int64(const vvi_json *value, int64_t *out);
bool vvi_json_uint64(const vvi_json *value, uint64_t *out);
/* Any number, rounded to the nearest double. */
bool vvi_json_double(const vvi_json *value, double *out);

/* ---- making; NULL: out of memory ----------------------------------------------------------- */

vvi_json *vvi_json_new(vvi_json_kind kind); /* NULL, ARRAY, OBJECT */
vvi_json *vvi_json_new_bool(bool boolean);
vvi_json *vvi_json_new_int64(int64_t number);
vvi_json *vvi_json_new_uint64(uint64_t number);
/* The shortest text that reads back equal, always with a point, an exponent or a name. */
vvi_json *vvi_json_new_double(double number);
vvi_json *vvi_json_new_string(vv_bytes text); /* must be UTF-8 */
vvi_json *vvi_json_new_text(const char *text);

/*
 * Put value into a container, which owns it from then on; it is freed when the call fails. A NULL
 * value is VV_ENOMEM, so that a maker can be written in place. set replaces a member in its place.
 */
vv_status vvi_json_set(vvi_json *object, const char *name, vvi_json *value,
                       vv_error *err);
vv_status vvi_json_append(vvi_json *array, vvi_json *value, vv_error *err);
/* Take a member out; nothing happens where there is none. */
void vvi_json_remove(vvi_json *object, const char *name);

/* ---- numbers and text, whatever the locale -------------------------------------------------- */

#define VVI_DOUBLE_TEXT 32
/* The shortest text that reads back equal: "0.1", "1e+300", "NaN", "-Infinity"; "1.0" keeps its
 * point. Returns its length. */
size_t vvi_double_format(double number, char out[VVI_DOUBLE_TEXT]);
size_t vvi_float_format(float number, char out[VVI_DOUBLE_TEXT]);
/* The fewest significant digits that read back equal to a finite number ≥ 0, without zeros at the end
 * ("0" for 0), terminated; returns the power of ten of the first. */
#define VVI_DOUBLE_DIGITS 24
int vvi_double_digits(double number, char out[VVI_DOUBLE_DIGITS]);
/* A finite number as Python prints it, the fewest digits that read back equal: "1e-05", "0.0001",
 * "1000000.0", "1e+16". Returns its length. */
size_t vvi_double_repr(double number, char out[VVI_DOUBLE_TEXT]);
/* All of text must be one number; false otherwise. */
bool vvi_double_parse(const char *text, double *out);

/* Is it UTF-8: shortest forms only, no surrogates, nothing past U+10FFFF? */
bool vvi_is_utf8(vv_bytes text);
/* The character at *text, which is UTF-8, and step over it. */
uint32_t vvi_utf8_next(const char **text);
/* A character as UTF-8; its length, 0 for what is none. */
size_t vvi_utf8_put(uint32_t point, char out[4]);

#endif
