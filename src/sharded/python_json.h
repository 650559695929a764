/*
 * JSON documents written anew, byte for byte as Python's json.dumps(json.loads(text)) writes them: names of
 * blocks depend on it. py-hamt does so with documents it changes.
 *
 * Characters past ASCII become \uXXXX, floats the fewest digits that read back equal, integers stay as long
 * as they are; of repeated names the last value stands at the first one's place. NaN, Infinity, lone
 * surrogates (\ud800) and the mark of UTF-8 in front are read as Python reads them.
 */
#ifndef VVI_SHARDED_PYTHON_JSON_H
#define VVI_SHARDED_PYTHON_JSON_H

#include "util/error.h"

#define VVI_PYTHON_JSON_DEPTH_MAX 900
#define VVI_PYTHON_JSON_BYTES_MAX ((size_t)32 << 20)
/* Blanks make deep documents long. */
#define VVI_PYTHON_JSON_OUT_MAX ((size_t)256 << 20)

/* What to change in the outermost value, which must be an object. */
typedef struct vvi_python_edit {
    const char *remove; /* a member that is left out; NULL: none */
    const char *
        set; /* a member that becomes a list of numbers, at its place or last; NULL: none */
    const uint64_t *numbers;
    size_t count;
} vvi_python_edit;

/*
 * Append the document. edit may be NULL. indent 0: one line; else blanks a level, and an item a line.
 *
 * Returns VV_ECORRUPT (no JSON, with the byte; no object though there is an edit), VV_ELIMIT (longer than
 * VVI_PYTHON_JSON_BYTES_MAX, or than VVI_PYTHON_JSON_OUT_MAX when written, nested deeper than
 * VVI_PYTHON_JSON_DEPTH_MAX), VV_ENOMEM; out is as before then.
 */
vv_status vvi_python_json(vv_bytes text, const vvi_python_edit *edit, unsigned indent,
                          vv_buf *out, vv_error *err);

#endif
