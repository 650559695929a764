/* Letting the chunks of another root's array lie in an array of a store. */
#include "sharded/store.h"

#include "util/options.h"

#include <string.h>

/* The array that chunks are taken from; *out NULL: the source has none, and nobody named one. */
static vv_status choose_source(const vvi_sharded *source, const char *path,
                               vvi_index_entry **out, vv_error *err)
{
    *out = NULL;
    if (!path && source->version == VV_SHARDED_V2 && source->array_count == 0)
        return VV_OK;
    return vvi_sharded_choose(source, path, out, err);
}

/* Where they go: by default to the array of the same path. */
static vv_status choose_target(const vvi_sharded *self, const vvi_sharded *source,
                               const vvi_index_entry *from, const char *path,
                               vvi_index_entry **out, vv_error *err)
{
    if (!path && source->version == VV_SHARDED_V1)
        path = source->primary ? source->primary : "";
    return vvi_sharded_choose(self, path ? path : from->path, out, err);
}

static vv_status graft(vvi_sharded *self, vvi_sharded *source, uint32_t ndim,
                       const uint64_t *chunk_offset, const vv_graft_options *options,
                       uint64_t *grafted, vv_error *err)
{
    vvi_index_entry *from;
    vvi_index_entry *to;

    *grafted = 0;
    VVI_TRY(choose_source(source, options->source_array_path, &from, err));
    if (!from)
        return VV_OK;
    VVI_TRY(choose_target(self, source, from, options->target_array_path, &to, err));
    if (ndim != from->ndim || ndim != to->ndim)
        return vvi_fail(err, VV_EINVAL,
                        "an offset of %" PRIu32 " dimensions; array '%s' has %" PRIu32
                        " and '%s' of the other root %" PRIu32,
                        ndim, to->path, to->ndim, from->path, from->ndim);
    return vvi_chunk_index_graft(to->index, from->index, chunk_offset, options->progress,
                                 options->ctx, grafted, err);
}

vv_status vv_sharded_store_graft(vv_store *store, const vv_cid *source_root,
                                 uint32_t ndim, const uint64_t *chunk_offset,
                                 const vv_graft_options *given, uint64_t *grafted,
                                 vv_error *err)
{
    vv_sharded_options reading = VV_SHARDED_OPTIONS_INIT;
    vv_graft_options options;
    vv_store *other = NULL;
    vvi_sharded *source;
    vvi_sharded *self;
    vv_status status;
    uint64_t n;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    VVI_TRY(vvi_sharded_begin(store, &self, err));
    vvi_sharded_end(self);
    reading.read_only = true;
    status = vv_sharded_store_open(self->blocks, source_root, &reading, &other, err);
    if (!status)
        status = vvi_sharded_of(other, &source, err);
    if (!status)
        status = vvi_sharded_begin(store, &self, err);
    if (!status) {
        status = graft(self, source, ndim, chunk_offset, &options, &n, err);
        vvi_sharded_end(self);
    }
    if (!status && grafted)
        *grafted = n;
    vv_store_free(other);
    return status;
}
