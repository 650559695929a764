/* Lengths that a caller chose for dimensions: "time=12,lat=90", "lev=all"; or "12,90" by place. */
#ifndef VVI_COPY_LENGTHS_H
#define VVI_COPY_LENGTHS_H

#include "util/error.h"

#define VVI_LENGTHS_MAX 64

typedef struct vvi_lengths {
    struct {
        const char *name; /* borrowed from the text; NULL: by place */
        size_t len;
        uint64_t length; /* UINT64_MAX: the whole dimension */
        bool used;       /* an array had such a dimension */
    } items[VVI_LENGTHS_MAX];
    size_t count;
    bool by_place;
} vvi_lengths;

/* text must outlive the lengths; NULL: none. what: "chunks", for messages. Returns VV_EINVAL. */
vv_status vvi_lengths_parse(const char *text, const char *what, vvi_lengths *out,
                            vv_error *err);
/* The length for dimension d of an array of ndim; false: none was chosen. By place they are for
 * arrays of as many dimensions. */
bool vvi_lengths_find(vvi_lengths *lengths, const char *name, uint32_t d, uint32_t ndim,
                      uint64_t *out);
/* VV_EINVAL when a length was for no array. */
vv_status vvi_lengths_check_used(const vvi_lengths *lengths, const char *what,
                                 vv_error *err);

#endif
