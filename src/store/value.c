#include "store/value.h"

#include "store/calls.h"
#include "store/internal.h"

#include <string.h>

bool vvi_store_is_near(const vv_store *store)
{
    return store->is_near && store->ops->open_value;
}

vv_status vvi_value_open(vv_store *store, const char *key, vv_store_value *out,
                         vv_error *err)
{
    vv_status status;

    *out = (vv_store_value){ .fd = -1 };
    VVI_TRY(vvi_store_check_key(store, key, err));
    status = vvi_call_open_value(store, key, out, err);
    if (!status && out->size > VV_BLOCK_BYTES_MAX) {
        status = vvi_fail(err, VV_ELIMIT,
                          "key '%s': %" PRIu64 " bytes; at most %" PRIu64 " are handled",
                          key, out->size, VV_BLOCK_BYTES_MAX);
        store->ops->close_value(store, out);
    }
    if (status)
        *out = (vv_store_value){ .fd = -1 };
    return status;
}

vv_status vvi_value_read(vv_store *store, const vv_store_value *value, uint64_t offset,
                         void *out, size_t len, vv_error *err)
{
    if (len == 0)
        return VV_OK;
    if (!value->view)
        return store->ops->read_value(store, value, offset, out, len, err);
    memcpy(out, value->view + offset, len);
    return VV_OK;
}

void vvi_value_close(vv_store *store, vv_store_value *value)
{
    if (value->handle || value->fd >= 0)
        store->ops->close_value(store, value);
    *value = (vv_store_value){ .fd = -1 };
}
