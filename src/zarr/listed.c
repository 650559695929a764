#include "zarr/listed.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/node.h"

#include <varvite/store_backend.h>
#include <varvite/zarr.h>

#include <string.h>

static const vvi_key_form listed_form = { '/', false };

bool vvi_listed_chunk(const vv_store *store, vvi_key_form own, uint32_t ndim,
                      const char *name, uint64_t *index)
{
    return vvi_chunk_key_parse(own, ndim, name, index) ||
           (store->indexes_chunks && vvi_chunk_key_parse(listed_form, ndim, name, index));
}

void vvi_own_keys_clear(vvi_own_keys *self)
{
    vvi_free(self->path);
    self->path = NULL;
}

/* Bytes of the array's path in front of a chunk's name, "c/…" or "c" alone; false: there is no such name. */
static bool split_key(const char *key, size_t *path_len, const char **name)
{
    size_t len = strlen(key);
    const char *at = key + len;

    /* The last part that is a "c". */
    while (at > key) {
        const char *start = at - 1;

        while (start > key && start[-1] != '/')
            start--;
        if (at - start == 1 && *start == 'c') {
            *path_len = start > key ? (size_t)(start - key) - 1 : 0;
            *name = start;
            return true;
        }
        if (start == key)
            return false;
        at = start - 1;
    }
    return false;
}

/* Look at the document of the array, if it is another than that of the last key. */
static vv_status look_at_array(vvi_own_keys *self, const char *path, size_t len,
                               vv_error *err)
{
    vv_array *array = NULL;
    vv_status status;

    if (self->path && strncmp(self->path, path, len) == 0 && self->path[len] == '\0')
        return VV_OK;
    vvi_own_keys_clear(self);
    self->known = false;
    self->path = vvi_strndup(path, len);
    if (!self->path)
        return vvi_fail_nomem(err, len + 1);
    status = vv_array_open(self->store, self->path, &array, err);
    if (!status) {
        const vv_array_meta *meta = vv_array_get_meta(array);

        self->form = (vvi_key_form){ meta->separator, meta->v2_keys };
        self->ndim = meta->ndim;
        self->known = true;
    }
    vv_array_free(array);
    /* What cannot be read as an array has no form to speak of. */
    return status == VV_ENOMEM || status == VV_EIO ? status : VV_OK;
}

vv_status vvi_own_key(vvi_own_keys *self, const char *key, vv_buf *out, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX];
    const char *name;
    size_t len;

    out->len = 0;
    if (self->store->indexes_chunks && split_key(key, &len, &name)) {
        VVI_TRY(look_at_array(self, key, len, err));
        if (self->known && vvi_chunk_key_parse(listed_form, self->ndim, name, index)) {
            VVI_TRY(vvi_buf_append(out, vvi_bytes(key, (size_t)(name - key)), err));
            VVI_TRY(vvi_chunk_key(self->form, self->ndim, index, out, err));
            return vvi_buf_terminate(out, err);
        }
    }
    VVI_TRY(vvi_buf_append_text(out, key, err));
    return vvi_buf_terminate(out, err);
}
