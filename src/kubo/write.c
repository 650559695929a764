/* Writing: blocks as files of one leaf, or whole by block/put; files as KuboCAS saves them. */
#include "kubo/kubo.h"

#include "util/buf.h"

#include <stdio.h>
#include <string.h>

#define IPFS_BLOCK_MAX ((uint64_t)2 << 20) /* what other nodes fetch; Kubo since 0.40 */

static const char *bool_text(bool value)
{
    return value ? "true" : "false";
}

vv_status vvi_kubo_init_add(const vvi_kubo *self, vvi_kubo_call *call, const char *hasher,
                            vv_error *err)
{
    return vvi_kubo_call_init(self, call, err,
                              "add?hash=%s&chunker=%s&pin=%s&cid-version=1", hasher,
                              self->chunker, bool_text(self->opts.pin_on_add));
}

static vv_status init_block_put(const vvi_kubo *self, vvi_kubo_call *call,
                                const vv_cid *cid, size_t len, vv_error *err)
{
    const char *codec = vv_codec_name(cid->version == VV_CID_BARE ? VV_CODEC_RAW
                                                                  : cid->codec);
    const char *hash = vv_hash_name(cid->hash);

    if (!codec || !hash)
        return vvi_fail(err, VV_EUNSUPPORTED, "a codec or hash function without a name");
    if (len > IPFS_BLOCK_MAX && !self->opts.allow_big_blocks)
        return vvi_fail(
            err, VV_ELIMIT,
            "a block of %zu bytes: no other IPFS node fetches more than 2 MiB "
            "(the option allow_big_blocks writes it all the same)",
            len);
    return vvi_kubo_call_init(self, call, err,
                              "block/put?cid-codec=%s&mhtype=%s&mhlen=%d&pin=%s%s", codec,
                              hash, cid->digest_len, bool_text(self->opts.pin_on_add),
                              len > IPFS_BLOCK_MAX ? "&allow-big-block=true" : "");
}

/* The daemon's name for the bytes is ours, but for codec and version. */
static vv_status check_name(const vvi_kubo *self, const vvi_kubo_call *call, bool is_add,
                            const vv_cid *cid, vv_error *err)
{
    char ours[VV_CID_TEXT_MAX];
    char theirs[VV_CID_TEXT_MAX];
    char what[320];
    vv_cid named;
    vv_status status = vvi_kubo_read_name(vvi_buf_bytes(&call->request.answer),
                                          is_add ? "Hash" : "Key", &named, err);

    if (!status && (self->opts.trusted || vv_cid_same_block(&named, cid)))
        return VV_OK;
    vvi_http_describe(&call->request, what, sizeof(what));
    if (status)
        return vvi_wrap(err, status, "%s", what);
    vv_cid_format(cid, ours);
    vv_cid_format(&named, theirs);
    return vvi_fail(err, VV_ECORRUPT, "%s: the daemon named block %s %s", what, ours,
                    theirs);
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* Is a file of these bytes one raw leaf, with the name that the block has? */
static bool is_added(const vvi_kubo *self, const vv_block *block)
{
    return self->opts.write == VV_KUBO_ADD && block->data.len <= self->chunk_bytes &&
           vv_hash_name(block->cid.hash) &&
           block->cid.digest_len == vv_hash_size(block->cid.hash) &&
           (block->cid.version == VV_CID_BARE || block->cid.codec != VV_CODEC_DAG_PB);
}

typedef struct putting {
    vvi_kubo *self;
    const vv_block *blocks;
} putting;

static vv_status make_put(void *ctx, size_t i, vvi_kubo_call *call, vv_error *err)
{
    putting *all = ctx;
    const vv_block *block = &all->blocks[i];

    if (is_added(all->self, block))
        VVI_TRY(vvi_kubo_init_add(all->self, call, vv_hash_name(block->cid.hash), err));
    else
        VVI_TRY(init_block_put(all->self, call, &block->cid, block->data.len, err));
    vvi_kubo_call_attach(call, block->data);
    return VV_OK;
}

static vv_status put_done(void *ctx, size_t i, const vvi_kubo_call *call,
                          vv_status status, vv_error *err)
{
    putting *all = ctx;
    const vv_block *block = &all->blocks[i];

    return status ? status
                  : check_name(all->self, call, is_added(all->self, block), &block->cid,
                               err);
}

vv_status vvi_kubo_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                            vv_error *err)
{
    putting all = { (vvi_kubo *)store, blocks };
    const vvi_kubo_calls calls = { n, make_put, put_done, &all };

    return vvi_kubo_call_many(all.self, &calls, err);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* What the daemon must have named the bytes, where they are one leaf and we know the function. */
static vv_status check_leaf(const vvi_kubo *self, vv_bytes data, const vv_cid *named,
                            vv_error *err)
{
    vv_cid_prefix prefix = { .codec = VV_CODEC_RAW, .version = 1 };
    vv_status status;
    vv_cid ours;

    if (data.len > self->chunk_bytes)
        return VV_OK;
    if (!vv_hash_by_name(self->hasher, &prefix.hash))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "hash function '%s': what it gives cannot be checked",
                        self->hasher);
    status = vv_cid_of(&prefix, data, &ours, err);
    if (!status && !vv_cid_same_block(&ours, named))
        status = vvi_fail(err, VV_ECORRUPT,
                          "the daemon named the bytes otherwise than %s does",
                          self->hasher);
    return status;
}

static vv_status add_file(vvi_kubo *self, vv_bytes data, uint32_t codec, vv_cid *cid,
                          vv_error *err)
{
    vvi_kubo_call call;
    vv_cid named = { 0 };
    vv_status status = vvi_kubo_init_add(self, &call, self->hasher, err);

    if (status)
        return status;
    vvi_kubo_call_attach(&call, data);
    status = vvi_kubo_call_do(self, &call, err);
    if (!status)
        status = vvi_kubo_read_name(vvi_buf_bytes(&call.request.answer), "Hash", &named,
                                    err);
    if (!status && !self->opts.trusted)
        status = check_leaf(self, data, &named, err);
    if (!status) {
        if (named.version == 1 && named.codec != VV_CODEC_DAG_PB)
            named.codec = codec;
        *cid = named;
    }
    vvi_kubo_call_clear(&call);
    return status;
}

vv_status vv_kubo_add(vv_blockstore *store, vv_bytes data, uint32_t codec, vv_cid *cid,
                      vv_error *err)
{
    vv_cid_prefix prefix = { .codec = codec, .version = 1 };
    vvi_kubo *self;

    VVI_TRY(vvi_kubo_of(store, &self, err));
    if (self->opts.read_only)
        return vvi_fail(err, VV_EREADONLY, "the store was opened read-only");
    /* Links in a node that became a file would be seen by nobody. */
    if (codec != VV_CODEC_RAW && data.len > self->chunk_bytes && self->rpc) {
        if (!vv_hash_by_name(self->hasher, &prefix.hash))
            return vvi_fail(err, VV_EUNSUPPORTED, "hash function '%s'", self->hasher);
        return vv_blockstore_put(store, &prefix, data, cid, err);
    }
    return add_file(self, data, codec, cid, err);
}
