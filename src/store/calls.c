#include "store/calls.h"

#include "metrics/metrics.h"
#include "util/thread.h"

/* When the call began, 0 when nobody wants to know. */
static uint64_t begin(void)
{
    return vvi_metrics_on() ? vvi_now_ns() : 0;
}

static void end(uint64_t begun_ns, const vv_store *store, vvi_work work, uint64_t items,
                uint64_t bytes, vv_status status)
{
    vvi_count_work(work, store->ops->name, items, bytes, begun_ns, status);
}

vv_status vvi_call_get(vv_store *store, const char *key, vv_range range, vv_buf *out,
                       vv_error *err)
{
    uint64_t begun_ns = begin();
    vv_status status = store->ops->get(store, key, range, out, err);

    if (begun_ns)
        end(begun_ns, store, VVI_STORE_GET, 1, status ? 0 : out->len, status);
    return status;
}

static vv_status get_each(vv_store *store, const char *const *keys,
                          const vv_range *ranges, size_t n, vv_buf *outs,
                          vv_status *statuses, vv_error *err)
{
    vv_status first = VV_OK;

    for (size_t i = 0; i < n; i++) {
        statuses[i] = store->ops->get(store, keys[i], ranges ? ranges[i] : VV_RANGE_ALL,
                                      &outs[i], first ? NULL : err);
        if (!first)
            first = statuses[i];
    }
    return first;
}

vv_status vvi_call_get_many(vv_store *store, const char *const *keys,
                            const vv_range *ranges, size_t n, vv_buf *outs,
                            vv_status *statuses, vv_error *err)
{
    uint64_t begun_ns = begin();
    uint64_t bytes = 0;
    vv_status status = (store->ops->get_many ? store->ops->get_many : get_each)(
        store, keys, ranges, n, outs, statuses, err);

    for (size_t i = 0; i < n && begun_ns; i++)
        bytes += statuses[i] ? 0 : outs[i].len;
    if (begun_ns)
        end(begun_ns, store, VVI_STORE_GET, n, bytes, status);
    return status;
}

vv_status vvi_call_set(vv_store *store, const char *key, vv_bytes value,
                       bool only_if_absent, vv_error *err)
{
    uint64_t begun_ns = begin();
    vv_status status = store->ops->set(store, key, value, only_if_absent, err);

    if (begun_ns)
        end(begun_ns, store, VVI_STORE_SET, 1, status ? 0 : value.len, status);
    return status;
}

static vv_status set_each(vv_store *store, const char *const *keys,
                          const vv_bytes *values, size_t n, vv_error *err)
{
    for (size_t i = 0; i < n; i++)
        VVI_TRY(store->ops->set(store, keys[i], values[i], false, err));
    return VV_OK;
}

vv_status vvi_call_set_many(vv_store *store, const char *const *keys,
                            const vv_bytes *values, size_t n, vv_error *err)
{
    uint64_t begun_ns = begin();
    uint64_t bytes = 0;
    vv_status status = (store->ops->set_many ? store->ops->set_many
                                             : set_each)(store, keys, values, n, err);

    for (size_t i = 0; i < n && begun_ns && !status; i++)
        bytes += values[i].len;
    if (begun_ns)
        end(begun_ns, store, VVI_STORE_SET, n, bytes, status);
    return status;
}

vv_status vvi_call_remove(vv_store *store, const char *key, vv_error *err)
{
    uint64_t begun_ns = begin();
    vv_status status = store->ops->remove(store, key, err);

    if (begun_ns)
        end(begun_ns, store, VVI_STORE_DELETE, 1, 0, status);
    return status;
}

vv_status vvi_call_list(vv_store *store, const char *prefix, vv_key_fn visit, void *ctx,
                        vv_error *err)
{
    uint64_t begun_ns = begin();
    vv_status status = store->ops->list(store, prefix, visit, ctx, err);

    if (begun_ns)
        end(begun_ns, store, VVI_STORE_LIST, 1, 0, status);
    return status;
}

vv_status vvi_call_open_value(vv_store *store, const char *key, vv_store_value *out,
                              vv_error *err)
{
    uint64_t begun_ns = begin();
    vv_status status = store->ops->open_value(store, key, out, err);

    if (begun_ns)
        end(begun_ns, store, VVI_STORE_GET, 1, status ? 0 : out->size, status);
    return status;
}
