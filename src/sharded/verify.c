/*
 * Verification of a sharded root: each shard, and each block that a shard or the root names.
 *
 * Shards are read one after the other and what they name is gathered; a window of names is then checked on
 * several threads. Memory: a shard, the window, and the blocks in hand, one a thread.
 */
#include "sharded/shard.h"
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"

#include <varvite/blockstore_backend.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WINDOW      1024       /* names checked in one go */
#define PROGRESS_NS 100000000u /* at least so long between two calls of progress */

/* A value to be checked: a chunk, or what the root keeps by name. */
typedef struct value_name {
    vv_cid cid;
    const vvi_index_entry *array; /* NULL: by name */
    uint64_t number;              /* of the chunk, in the order of the slots */
    const char *key;              /* array NULL */
} value_name;

typedef struct verifier {
    vv_blockstore *blocks;
    vvi_sharded *store;
    vv_verify_options opts;
    uint64_t deadline_ns; /* 0: none */
    uint64_t share;       /* values whose mixed digest is below are hashed */
    pthread_t caller;
    uint64_t next_progress_ns; /* the calling thread only, as all above */
    value_name *window;
    size_t count;

    vvi_mutex reporting; /* one finding at a time; taken with nothing else held */
    vvi_mutex lock;
    bool stopped; /* guarded by lock, as the result is */
    vv_verify_result result;
} verifier;

static bool must_stop(verifier *self)
{
    bool stopped;

    vvi_mutex_lock(&self->lock);
    if (self->deadline_ns && vvi_now_ns() >= self->deadline_ns)
        self->stopped = true;
    stopped = self->stopped;
    vvi_mutex_unlock(&self->lock);
    return stopped;
}

/* ---- findings ------------------------------------------------------------------------------- */

static vv_status found(verifier *self, vv_status status, bool is_node, const char *key,
                       const vv_cid *cid, const char *message, vv_error *err)
{
    vv_verify_finding finding = {
        .status = status, .is_node = is_node, .key = key, .cid = cid, .message = message
    };
    vv_status answer;

    vvi_mutex_lock(&self->lock);
    if (status == VV_ENOTFOUND)
        self->result.missing++;
    else if (status == VV_ECORRUPT || status == VV_EUNSUPPORTED)
        self->result.bad++;
    else
        self->result.unread++;
    vvi_mutex_unlock(&self->lock);
    if (!self->opts.report)
        return VV_OK;
    vvi_mutex_lock(&self->reporting);
    answer = self->opts.report(self->opts.ctx, &finding);
    vvi_mutex_unlock(&self->reporting);
    return answer ? vvi_fail(err, answer, "stopped by the one who is told of findings")
                  : VV_OK;
}

/* The key of a value; of a slot behind the grid, where it stands. */
static vv_status key_of(verifier *self, const value_name *name, vv_buf *out,
                        vv_error *err)
{
    const vvi_index_entry *array = name->array;
    const vvi_geometry *geometry;
    uint64_t coords[VVI_GRID_NDIM_MAX];
    uint64_t number = name->number;

    if (!array) {
        VVI_TRY(vvi_buf_append_text(out, name->key, err));
        return vvi_buf_terminate(out, err);
    }
    geometry = vvi_chunk_index_geometry(array->index);
    if (number >= geometry->chunk_count)
        return vvi_buf_printf(out, err, "%s shard %" PRIu64 " slot %" PRIu64, array->path,
                              number / geometry->chunks_per_shard,
                              number % geometry->chunks_per_shard);
    for (uint32_t d = geometry->grid.ndim; d-- > 0;) {
        coords[d] = number % geometry->grid.count[d];
        number /= geometry->grid.count[d];
    }
    return vvi_chunk_key_append(self->store, array, coords, out, err);
}

static vv_status found_value(verifier *self, const value_name *name, vv_status status,
                             const char *message, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status told = key_of(self, name, &key, err);

    if (!told)
        told = found(self, status, false, (const char *)key.data, &name->cid, message,
                     err);
    vv_buf_clear(&key);
    return told;
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* Read a block and make sure that it was hashed. */
static vv_status read_block(verifier *self, const vv_cid *cid, vv_buf *out, vv_error *err)
{
    vv_status status;

    if (cid->codec == VV_CODEC_DAG_PB)
        return vvi_fail(err, VV_EUNSUPPORTED, "cut into parts by UnixFS");
    status = vv_blockstore_get(self->blocks, cid, out, err);
    /* A store that is not trusted has hashed it already. */
    if (!status && self->blocks->trusted)
        status = vv_cid_verify(cid, vvi_buf_bytes(out), err);
    return status;
}

static void count_block(verifier *self, size_t bytes, bool is_node)
{
    vvi_mutex_lock(&self->lock);
    self->result.nodes += is_node;
    self->result.values += !is_node;
    self->result.bytes += bytes;
    vvi_mutex_unlock(&self->lock);
}

static vv_status tell_progress(verifier *self, vv_error *err)
{
    vv_progress progress = { .what = "verify" };
    uint64_t now;
    vv_status answer;

    if (!self->opts.progress || !pthread_equal(pthread_self(), self->caller))
        return VV_OK;
    now = vvi_now_ns();
    if (now < self->next_progress_ns)
        return VV_OK;
    self->next_progress_ns = now + PROGRESS_NS;
    vvi_mutex_lock(&self->lock);
    progress.items_done = self->result.nodes + self->result.values;
    progress.bytes_done = self->result.bytes;
    vvi_mutex_unlock(&self->lock);
    answer = self->opts.progress(self->opts.ctx, &progress);
    return answer ? vvi_fail(err, answer, "verification was stopped") : VV_OK;
}

/* ---- values --------------------------------------------------------------------------------- */

/* Is this value in the sample? The same ones for the same seed. */
static bool is_sampled(const verifier *self, const vv_cid *cid)
{
    uint64_t mixed = self->opts.seed;

    if (self->share == UINT64_MAX)
        return true;
    for (size_t i = 0; i < 8 && i < cid->digest_len; i++)
        mixed = (mixed ^ cid->digest[i]) * 0x100000001b3u;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return (mixed ^ mixed >> 31) < self->share;
}

static vv_status check_value(void *ctx, size_t i, vv_error *err)
{
    verifier *self = ctx;
    const value_name *name = &self->window[i];
    vv_error why = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_status status;

    VVI_TRY(tell_progress(self, err));
    if (must_stop(self) || !is_sampled(self, &name->cid))
        return VV_OK;
    status = read_block(self, &name->cid, &block, &why);
    if (!status)
        count_block(self, block.len, false);
    else if (status == VV_ENOMEM)
        status = vvi_fail(err, status, "%s", why.message);
    else
        status = found_value(self, name, status, why.message, err);
    vv_buf_clear(&block);
    return status;
}

static vv_status check_window(verifier *self, vv_error *err)
{
    vv_status status = vvi_parallel(self->opts.threads, self->count, check_value, self,
                                    err);

    self->count = 0;
    return status;
}

static vv_status add_value(verifier *self, const value_name *name, vv_error *err)
{
    vvi_mutex_lock(&self->lock);
    self->result.keys++;
    vvi_mutex_unlock(&self->lock);
    self->window[self->count++] = *name;
    return self->count == WINDOW ? check_window(self, err) : VV_OK;
}

/* ---- shards --------------------------------------------------------------------------------- */

static vv_status add_chunks(verifier *self, const vvi_index_entry *array, uint64_t shard,
                            const vvi_shard *slots, vv_error *err)
{
    value_name name = { .array = array };

    for (uint64_t slot = 0; vvi_shard_next(slots, &slot); slot++) {
        vvi_shard_get(slots, slot, &name.cid);
        name.number = shard * slots->slot_count + slot;
        VVI_TRY(add_value(self, &name, err));
        if (must_stop(self))
            return VV_OK;
    }
    return VV_OK;
}

static vv_status check_shard(verifier *self, const vvi_index_entry *array, uint64_t shard,
                             const vv_cid *cid, vv_error *err)
{
    char where[256];
    vv_error why = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vvi_shard slots;
    vv_status status;

    vvi_shard_init(&slots, array->chunks_per_shard);
    status = read_block(self, cid, &block, &why);
    if (!status)
        status = vvi_shard_decode(&slots, vvi_buf_bytes(&block), &why);
    if (!status) {
        count_block(self, block.len, true);
        status = add_chunks(self, array, shard, &slots, err);
    } else if (status == VV_ENOMEM) {
        status = vvi_fail(err, status, "%s", why.message);
    } else {
        snprintf(where, sizeof(where), "%.200s%sshard %" PRIu64, array->path,
                 *array->path ? " " : "", shard);
        status = found(self, status, true, where, cid, why.message, err);
    }
    vvi_shard_clear(&slots);
    vv_buf_clear(&block);
    return status;
}

/* ---- documents ------------------------------------------------------------------------------ */

static vv_status append_lengths(vv_buf *out, uint32_t n, const uint64_t *lengths,
                                vv_error *err)
{
    for (uint32_t d = 0; d < n; d++)
        VVI_TRY(vvi_buf_printf(out, err, "%s%" PRIu64, d ? ", " : "[", lengths[d]));
    return vvi_buf_append_text(out, n ? "]" : "[]", err);
}

/* Append what is unlike, if anything is: two lists of lengths, of the document and of the index. */
static vv_status compare_lengths(vv_buf *out, const char *what, uint32_t n,
                                 const uint64_t *said, const vvi_grid *grid,
                                 const uint64_t *lengths, vv_error *err)
{
    if (n == grid->ndim && memcmp(said, lengths, n * sizeof(*said)) == 0)
        return VV_OK;
    VVI_TRY(vvi_buf_printf(out, err, "%s%s ", out->len ? "; " : "", what));
    VVI_TRY(append_lengths(out, n, said, err));
    VVI_TRY(vvi_buf_append_text(out, ", in its index ", err));
    return append_lengths(out, grid->ndim, lengths, err);
}

/* What a document says that the array's index does not; empty: nothing. In v1 a resize of the variable leaves
 * the index as it is, and so shapes may be unlike. */
static vv_status compare_document(verifier *self, const vvi_index_entry *array,
                                  vv_bytes text, vv_buf *out, vv_error *err)
{
    const vvi_grid *grid = &vvi_chunk_index_geometry(array->index)->grid;
    vv_error why = VV_ERROR_INIT;
    vvi_document document;
    vv_status status = vvi_document_read(text, &document, &why);

    if (status == VV_ENOMEM)
        return vvi_fail(err, status, "%s", why.message);
    if (status)
        return vvi_buf_append_text(out, why.message, err);
    if (document.has_shape && self->store->version == VV_SHARDED_V2)
        VVI_TRY(compare_lengths(out, "shape", document.ndim, document.shape, grid,
                                grid->shape, err));
    if (document.has_chunk)
        VVI_TRY(compare_lengths(out, "chunk shape", document.chunk_ndim, document.chunk,
                                grid, grid->chunk, err));
    return VV_OK;
}

/* Does the document of an array say what its index says? One that cannot be read was told by its name. */
static vv_status check_document(verifier *self, const vvi_index_entry *array,
                                const char *key, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_buf unlike = VV_BUF_INIT;
    vv_status status;
    vv_cid cid;

    if (!vvi_named_get(&self->store->names, key, strlen(key), &cid))
        return VV_OK;
    status = read_block(self, &cid, &block, &why);
    if (status) {
        vv_buf_clear(&block);
        return status == VV_ENOMEM ? vvi_fail(err, status, "%s", why.message) : VV_OK;
    }
    status = compare_document(self, array, vvi_buf_bytes(&block), &unlike, err);
    if (!status && unlike.len) {
        status = vvi_buf_terminate(&unlike, err);
        if (!status)
            status = found(self, VV_ECORRUPT, false, key, &cid, (const char *)unlike.data,
                           err);
    }
    vv_buf_clear(&block);
    vv_buf_clear(&unlike);
    return status;
}

static vv_status check_documents(verifier *self, const vvi_index_entry *array,
                                 vv_error *err)
{
    static const char *const names[] = { "zarr.json", ".zarray" };
    const char *path = self->store->version == VV_SHARDED_V1 ? self->store->primary
                                                             : array->path;
    vv_buf key = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; path && i < 2 && !status && !must_stop(self); i++) {
        key.len = 0;
        status = vvi_buf_printf(&key, err, "%s%s%s", path, *path ? "/" : "", names[i]);
        if (!status)
            status = vvi_buf_terminate(&key, err);
        if (!status)
            status = check_document(self, array, (const char *)key.data, err);
    }
    vv_buf_clear(&key);
    return status;
}

/* ---- arrays --------------------------------------------------------------------------------- */

static vv_status check_array(verifier *self, const vvi_index_entry *array, vv_error *err)
{
    uint64_t count = vvi_chunk_index_geometry(array->index)->shard_count;

    VVI_TRY(check_documents(self, array, err));
    for (uint64_t shard = 0; shard < count && !must_stop(self); shard++) {
        vv_cid cid;

        VVI_TRY(tell_progress(self, err));
        if (vvi_chunk_index_shard(array->index, shard, &cid))
            VVI_TRY(check_shard(self, array, shard, &cid, err));
    }
    return VV_OK;
}

static vv_status check_arrays(verifier *self, vv_error *err)
{
    vvi_index_entry **entries;
    size_t n;
    vv_status status = vvi_sharded_entries(self->store, &entries, &n, err);

    if (status)
        return status;
    for (size_t i = 0; i < n && !status; i++)
        status = check_array(self, entries[i], err);
    if (!status)
        status = check_window(self, err);
    self->count = 0;
    vvi_index_entries_free(entries, n);
    return status;
}

/* Documents and other keys by name. The store is this call's own, and changes no more. */
static vv_status check_names(verifier *self, vv_error *err)
{
    const vvi_key_entry **names;
    vv_status status = vvi_named_sorted(&self->store->names, &names, err);

    if (status)
        return status;
    for (size_t i = 0; i < self->store->names.count && !status && !must_stop(self); i++) {
        value_name name = { .key = names[i]->key };

        vvi_named_cid(names[i], &name.cid);
        status = add_value(self, &name, err);
    }
    if (!status)
        status = check_window(self, err);
    self->count = 0;
    vvi_free(names);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static vv_status read_options(verifier *self, const vv_verify_options *given,
                              vv_error *err)
{
    vv_verify_options *opts = &self->opts;

    VVI_TRY(vvi_read_options(opts, sizeof(*opts), given, err));
    if (!(opts->sample >= 0 && opts->sample <= 1) || !(opts->max_seconds >= 0))
        return vvi_fail(err, VV_EINVAL,
                        "verify: sample lies in 0 … 1, max_seconds from 0 on");
    self->share = UINT64_MAX;
    if (opts->sample > 0 && opts->sample < 1)
        self->share = (uint64_t)(opts->sample * 18446744073709549568.0);
    if (opts->max_seconds > 0 && opts->max_seconds < 1e9)
        self->deadline_ns = vvi_now_ns() + (uint64_t)(opts->max_seconds * 1e9);
    return VV_OK;
}

/* Open the root; *store is NULL where it was found to be wrong, and that was told. */
static vv_status open_root(verifier *self, const vv_cid *root, vv_store **store,
                           vv_error *err)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error why = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_status status = read_block(self, root, &block, &why);

    options.read_only = true;
    if (!status)
        status = vv_sharded_store_open(self->blocks, root, &options, store, &why);
    if (!status) {
        count_block(self, block.len, true);
        status = vvi_sharded_of(*store, &self->store, err);
    } else if (status == VV_ENOMEM) {
        status = vvi_fail(err, status, "%s", why.message);
    } else {
        status = found(self, status, true, "root", root, why.message, err);
    }
    vv_buf_clear(&block);
    return status;
}

/* What the whole amounts to. */
static vv_status judge(verifier *self, vv_error *err)
{
    vv_verify_result *result = &self->result;

    result->complete = !self->stopped && self->share == UINT64_MAX && !result->unread;
    if (result->bad || result->missing)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " bad and %" PRIu64 " missing blocks", result->bad,
                        result->missing);
    if (result->unread)
        return vvi_fail(err, VV_EIO, "%" PRIu64 " blocks could not be read",
                        result->unread);
    return VV_OK;
}

static vv_status run(verifier *self, const vv_cid *root, vv_error *err)
{
    vv_store *store = NULL;
    vv_status status;

    self->window = vvi_alloc_array(WINDOW, sizeof(*self->window));
    if (!self->window)
        return vvi_fail_nomem(err, WINDOW * sizeof(*self->window));
    status = tell_progress(self, err);
    if (!status)
        status = open_root(self, root, &store, err);
    if (!status && store)
        status = check_names(self, err);
    if (!status && store)
        status = check_arrays(self, err);
    if (!status)
        status = judge(self, err);
    vv_store_free(store);
    vvi_free(self->window);
    return status;
}

vv_status vv_sharded_verify(vv_blockstore *blocks, const vv_cid *root,
                            const vv_verify_options *options, vv_verify_result *result,
                            vv_error *err)
{
    verifier self;
    vv_status status;

    memset(&self, 0, sizeof(self));
    if (result)
        *result = self.result;
    self.blocks = blocks;
    self.caller = pthread_self();
    VVI_TRY(read_options(&self, options, err));
    VVI_TRY(vvi_mutex_init(&self.lock, err));
    status = vvi_mutex_init(&self.reporting, err);
    if (!status) {
        status = run(&self, root, err);
        vvi_mutex_clear(&self.reporting);
    }
    vvi_mutex_clear(&self.lock);
    if (result)
        *result = self.result;
    return status;
}
