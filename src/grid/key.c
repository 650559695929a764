/* Chunk keys: Zarr v3 core specification, "Chunk key encoding". */
#include "grid/grid.h"
#include "util/buf.h"

#include <string.h>

/* "c" and each coordinate behind a separator; v2: the coordinates joined, "0" for none. */
vv_status vvi_chunk_key(vvi_key_form form, uint32_t ndim, const uint64_t *index,
                        vv_buf *out, vv_error *err)
{
    if (!form.v2)
        VVI_TRY(vvi_buf_append_byte(out, 'c', err));
    else if (ndim == 0)
        return vvi_buf_append_byte(out, '0', err);
    for (uint32_t i = 0; i < ndim; i++) {
        if (!form.v2 || i > 0)
            VVI_TRY(vvi_buf_append_byte(out, (uint8_t)form.separator, err));
        VVI_TRY(vvi_buf_printf(out, err, "%" PRIu64, index[i]));
    }
    return VV_OK;
}

/* A decimal number without needless zeros; NULL when there is none here. */
static const char *take_number(const char *text, uint64_t *out)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9' ||
        (text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return NULL;
    *out = number;
    return text;
}

bool vvi_chunk_key_parse(vvi_key_form form, uint32_t ndim, const char *key,
                         uint64_t *index)
{
    if (!form.v2) {
        if (*key++ != 'c')
            return false;
    } else if (ndim == 0) {
        return strcmp(key, "0") == 0;
    }
    for (uint32_t i = 0; i < ndim; i++) {
        if ((!form.v2 || i > 0) && *key++ != form.separator)
            return false;
        key = take_number(key, &index[i]);
        if (!key)
            return false;
    }
    return *key == '\0';
}
