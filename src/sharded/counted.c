/* Reading calls of the store, counted as py-hamt counts them. */
#include "sharded/store.h"

#include "metrics/metrics.h"
#include "util/alloc.h"

/* What is kept by name counts as metadata, as in py-hamt. */
static bool is_metadata(vv_store *base, const char *key)
{
    vvi_sharded *self = ((vvi_sharded_store *)base)->shared;
    vvi_chunk_place place;

    vvi_rwlock_read(&self->lock);
    vvi_key_place(self, key, &place);
    vvi_rwlock_unlock(&self->lock);
    return place.kind != VVI_KEY_CHUNK && place.kind != VVI_KEY_BAD;
}

vv_status vvi_sharded_counted_get(vv_store *base, const char *key, vv_range range,
                                  vv_buf *out, vv_error *err)
{
    vv_status status;
    vvi_get get;

    if (!vvi_metrics_on())
        return vvi_sharded_get(base, key, range, out, err);
    vvi_get_begin(&get, VVI_GET_SHARDED, key, range.kind != VV_RANGE_WHOLE, true);
    status = vvi_sharded_get(base, key, range, out, err);
    vvi_get_end(&get, key, is_metadata(base, key), status);
    return status;
}

vv_status vvi_sharded_counted_open_value(vv_store *base, const char *key,
                                         vv_store_value *out, vv_error *err)
{
    vv_status status;
    vvi_get get;

    if (!vvi_metrics_on())
        return vvi_sharded_open_value(base, key, out, err);
    vvi_get_begin(&get, VVI_GET_SHARDED, key, false, true);
    status = vvi_sharded_open_value(base, key, out, err);
    vvi_get_end(&get, key, is_metadata(base, key), status);
    return status;
}

static vv_status get_many(vv_store *base, const char *const *keys, const vv_range *ranges,
                          size_t n, vv_buf *outs, vv_status *statuses, vv_error *err)
{
    vvi_get *gets = vvi_alloc_array(n, sizeof(*gets));
    uint64_t begun_ns = vvi_now_ns();
    vv_status status;

    for (size_t i = 0; i < n && gets; i++)
        vvi_get_begin(&gets[i], VVI_GET_SHARDED, keys[i],
                      ranges && ranges[i].kind != VV_RANGE_WHOLE, false);
    status = vvi_sharded_get_many(base, keys, ranges, n, outs, statuses, err);
    for (size_t i = 0; i < n; i++) {
        vvi_get unseen = { .begun_ns = begun_ns,
                           .store = VVI_GET_SHARDED,
                           .has_range = ranges && ranges[i].kind != VV_RANGE_WHOLE };

        vvi_get_end(gets ? &gets[i] : &unseen, keys[i], is_metadata(base, keys[i]),
                    statuses[i]);
    }
    vvi_free(gets);
    return status;
}

vv_status vvi_sharded_counted_get_many(vv_store *base, const char *const *keys,
                                       const vv_range *ranges, size_t n, vv_buf *outs,
                                       vv_status *statuses, vv_error *err)
{
    return (vvi_metrics_on() ? get_many : vvi_sharded_get_many)(base, keys, ranges, n,
                                                                outs, statuses, err);
}
