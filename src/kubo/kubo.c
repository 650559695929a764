/* The block store: its life, and the operations that read. */
#include "kubo/kubo.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

static vv_status read_one(vvi_kubo *self, const vv_cid *cid, vv_range range, bool check,
                          bool as_file, vv_buf *out, vv_error *err)
{
    vv_buf got = VV_BUF_INIT;
    vv_status each;
    vv_status status = VV_OK;

    if (!vvi_kubo_range_is_empty(range))
        status = vvi_kubo_load_many(self, cid, 1, range, check, as_file, &got, &each,
                                    err);
    if (!status)
        vvi_buf_move(out, &got);
    vv_buf_clear(&got);
    return status;
}

static vv_status kubo_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                          vv_error *err)
{
    return read_one((vvi_kubo *)store, cid, VV_RANGE_ALL, !store->trusted, false, out,
                    err);
}

/* Asked for where nobody checks the part, or the caller does in another way. */
static vv_status kubo_get_range(vv_blockstore *store, const vv_cid *cid, vv_range range,
                                vv_buf *out, vv_error *err)
{
    return read_one((vvi_kubo *)store, cid, range, false, false, out, err);
}

static vv_status kubo_get_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                               vv_buf *outs, vv_status *statuses, vv_error *err)
{
    return vvi_kubo_load_many((vvi_kubo *)store, cids, n, VV_RANGE_ALL, !store->trusted,
                              false, outs, statuses, err);
}

/* ---- making and freeing --------------------------------------------------------------------- */

static void kubo_free(vv_blockstore *store)
{
    vvi_kubo *self = (vvi_kubo *)store;

    vvi_http_free(self->http);
    for (size_t i = 0; i < self->gateway_count; i++)
        vvi_free(self->gateways[i].url);
    vvi_free(self->gateways);
    vvi_free(self->rpc);
    vvi_free(self->hasher);
    vvi_free(self->chunker);
    vvi_mutex_clear(&self->lock);
    vvi_free(self);
}

static const vv_blockstore_ops writable_ops = {
    .name = "kubo",
    .get = kubo_get,
    .get_many = kubo_get_many,
    .get_range = kubo_get_range,
    .put_many = vvi_kubo_put_many,
    .has_many = vvi_kubo_has_many,
    .size = vvi_kubo_size,
    .remove = vvi_kubo_remove,
    .iterate = vvi_kubo_iterate,
    .stat = vvi_kubo_stat,
    .free = kubo_free,
};
static const vv_blockstore_ops read_only_ops = {
    .name = "kubo",
    .get = kubo_get,
    .get_many = kubo_get_many,
    .get_range = kubo_get_range,
    .has_many = vvi_kubo_has_many,
    .size = vvi_kubo_size,
    .iterate = vvi_kubo_iterate,
    .stat = vvi_kubo_stat,
    .free = kubo_free,
};
static const vv_blockstore_ops gateway_ops = {
    .name = "gateway",
    .get = kubo_get,
    .get_many = kubo_get_many,
    .get_range = kubo_get_range,
    .has_many = vvi_kubo_has_many,
    .size = vvi_kubo_size,
    .free = kubo_free,
};

vv_status vvi_kubo_of(vv_blockstore *store, vvi_kubo **out, vv_error *err)
{
    if (store->ops != &writable_ops && store->ops != &read_only_ops &&
        store->ops != &gateway_ops)
        return vvi_fail(err, VV_EINVAL, "the %s store is no Kubo store",
                        store->ops->name);
    *out = (vvi_kubo *)store;
    return VV_OK;
}

static const vv_blockstore_ops *ops_of(const vvi_kubo *self)
{
    if (!self->rpc)
        return &gateway_ops;
    return self->opts.read_only ? &read_only_ops : &writable_ops;
}

static vv_status open_store(const vv_kubo_options *options, const vvi_kubo_hooks *hooks,
                            bool user_is_rpcs, vv_blockstore **out, vv_error *err)
{
    vvi_kubo *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_mutex_init(&self->lock, err);
    if (status) {
        vvi_free(self);
        return status;
    }
    if (hooks)
        self->hooks = *hooks;
    self->user_is_rpcs = user_is_rpcs;
    status = vvi_kubo_configure(self, options, err);
    vv_blockstore_base_init(&self->base, ops_of(self), self->opts.trusted);
    self->base.checks_itself = true;
    if (status)
        kubo_free(&self->base);
    else
        *out = &self->base;
    return status;
}

vv_status vvi_kubo_open_with(const vv_kubo_options *options, const vvi_kubo_hooks *hooks,
                             vv_blockstore **out, vv_error *err)
{
    return open_store(options, hooks, false, out, err);
}

vv_status vv_kubo_open(const vv_kubo_options *options, vv_blockstore **out, vv_error *err)
{
    return vvi_kubo_open_with(options, NULL, out, err);
}

vv_status vv_kubo_open_url(const char *url, const vv_kubo_options *options,
                           vv_blockstore **out, vv_error *err)
{
    vv_kubo_options opts = options ? *options : VV_KUBO_OPTIONS_INIT;
    vvi_kubo_url parsed;
    vv_status status;

    /* A caller with an older header handed over fewer bytes. */
    if (options && options->struct_size < sizeof(opts))
        memset((char *)&opts + options->struct_size, 0,
               sizeof(opts) - options->struct_size);
    opts.struct_size = sizeof(opts);
    if (opts.rpc_url || opts.gateway_urls)
        return vvi_fail(
            err, VV_EINVAL,
            "a URL and the options rpc_url or gateway_urls exclude each other");
    VVI_TRY(vvi_kubo_url_parse(url, &parsed, err));
    opts.rpc_url = parsed.rpc;
    opts.gateway_urls = parsed.gateway_count ? (const char *const *)parsed.gateways
                                             : NULL;
    opts.gateway_count = parsed.gateway_count;
    if (parsed.user) {
        opts.user = parsed.user;
        opts.password = parsed.password;
    }
    opts.pin_on_add = opts.pin_on_add || parsed.pin;
    status = open_store(&opts, NULL, parsed.user && parsed.rpc, out, err);
    vvi_kubo_url_clear(&parsed);
    return status;
}

/* ---- what else a Kubo store can do ---------------------------------------------------------- */

vv_status vv_kubo_cancel(vv_blockstore *store, vv_error *err)
{
    vvi_kubo *self;

    VVI_TRY(vvi_kubo_of(store, &self, err));
    vvi_http_cancel(self->http);
    return VV_OK;
}

vv_status vv_kubo_load_range(vv_blockstore *store, const vv_cid *cid, vv_range range,
                             vv_buf *out, vv_error *err)
{
    vvi_kubo *self;

    VVI_TRY(vvi_kubo_of(store, &self, err));
    if (cid->codec != VV_CODEC_DAG_PB)
        return vv_blockstore_get_range(store, cid, range, out, err);
    if (!self->opts.trusted)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "a file of several blocks cannot be checked against its CID");
    return read_one(self, cid, range, false, true, out, err);
}

vv_status vv_kubo_gateway_at(vv_blockstore *store, size_t index, vv_kubo_gateway *out,
                             vv_error *err)
{
    const vvi_kubo_gateway *gateway;
    vvi_kubo *self;

    VVI_TRY(vvi_kubo_of(store, &self, err));
    if (index >= self->gateway_count)
        return vvi_fail(err, VV_ERANGE, "gateway %zu of %zu", index, self->gateway_count);
    gateway = &self->gateways[index];
    out->url = gateway->url;
    out->is_tripped = vvi_kubo_is_tripped(self, gateway);
    vvi_mutex_lock(&self->lock);
    out->loads = gateway->loads;
    out->failures = gateway->failures;
    out->lies = gateway->lies;
    vvi_mutex_unlock(&self->lock);
    return VV_OK;
}

void vvi_kubo_cid_text(const vv_cid *cid, char out[VV_CID_TEXT_MAX])
{
    vv_cid named = *cid;

    if (named.version == VV_CID_BARE) {
        named.version = 1;
        named.codec = VV_CODEC_RAW;
    }
    vv_cid_format(&named, out);
}
