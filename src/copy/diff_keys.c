/* Which keys differ, and which arrays they belong to. */
#include "copy/diff.h"

#include "grid/grid.h"
#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/listed.h"
#include "zarr/node.h"

#include <varvite/hamt.h>

#include <string.h>

#define BATCH 64

/* ---- one key ------------------------------------------------------------------------------------- */

/* Metadata; what a group says of the nodes below it is no difference of its own. */
static bool is_document(const char *name, bool *passed_by)
{
    static const char *const names[] = { "zarr.json", ".zarray", ".zattrs", ".zgroup" };

    *passed_by = strcmp(name, ".zmetadata") == 0 || strcmp(name, ".varvite-copy") == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The chunk that a key names in one of the arrays; false: it is none. */
static bool chunk_of_key(const vv_array *array, const char *name, uint64_t *index)
{
    const vv_array_meta *meta;

    if (!array)
        return false;
    meta = vv_array_get_meta(array);
    return vvi_chunk_key_parse((vvi_key_form){ meta->separator, meta->v2_keys },
                               meta->ndim, name, index);
}

/* The array that a key lies below; NULL: none. From the top down, so that only groups and arrays are
 * looked at: nothing lies below an array. */
static vv_status array_of_key(vvi_tree_diff *diff, const char *key, vvi_diff_node **out,
                              vv_error *err)
{
    size_t len = 0;

    *out = diff->last;
    if (*out && strncmp(key, (*out)->path, strlen((*out)->path)) == 0 &&
        key[strlen((*out)->path)] == '/')
        return VV_OK;
    for (;;) {
        VVI_TRY(vvi_diff_node_at(diff, key, len, out, err));
        VVI_TRY(vvi_diff_open(diff, *out, err));
        if ((*out)->arrays[0] || (*out)->arrays[1])
            break;
        len += key[len] == '/';
        len += strcspn(key + len, "/");
        if (!key[len]) {
            *out = NULL;
            return VV_OK;
        }
    }
    if (*(*out)->path)
        diff->last = *out;
    return VV_OK;
}

/* Elements that a chunk covers, within the larger of both shapes. */
static bool box_of(const vvi_diff_node *node, const vv_array_meta *meta,
                   const uint64_t *index, uint64_t *start, uint64_t *stop)
{
    for (uint32_t d = 0; d < meta->ndim; d++) {
        uint64_t shape = 0;

        for (int i = 0; i < 2; i++)
            if (node->arrays[i] &&
                vv_array_get_meta(node->arrays[i])->ndim == meta->ndim &&
                vv_array_get_meta(node->arrays[i])->shape[d] > shape)
                shape = vv_array_get_meta(node->arrays[i])->shape[d];
        if (__builtin_mul_overflow(index[d], meta->chunk_shape[d], &start[d]) ||
            start[d] >= shape)
            return false;
        stop[d] = shape - start[d] < meta->chunk_shape[d]
                      ? shape
                      : start[d] + meta->chunk_shape[d];
    }
    return true;
}

static void widen_box(vvi_diff_node *node, uint32_t ndim, const uint64_t *start,
                      const uint64_t *stop)
{
    for (uint32_t d = 0; d < ndim; d++) {
        if (!node->boxed || start[d] < node->start[d])
            node->start[d] = start[d];
        if (!node->boxed || stop[d] > node->stop[d])
            node->stop[d] = stop[d];
    }
    node->boxed = true;
}

/* Its values are to be compared, where both arrays have any there. */
static vv_status add_job(vvi_tree_diff *diff, vvi_diff_node *node, const uint64_t *start,
                         const uint64_t *stop, vv_error *err)
{
    const vv_array_meta *a = vv_array_get_meta(node->arrays[0]);
    const vv_array_meta *b = vv_array_get_meta(node->arrays[1]);
    vvi_diff_job *job;

    if (diff->job_count == VVI_DIFF_JOBS)
        VVI_TRY(vvi_diff_run_jobs(diff, err));
    job = &diff->jobs[diff->job_count];
    job->node = node;
    for (uint32_t d = 0; d < a->ndim; d++) {
        uint64_t end = stop[d];

        end = end < a->shape[d] ? end : a->shape[d];
        end = end < b->shape[d] ? end : b->shape[d];
        if (start[d] >= end)
            return VV_OK;
        job->start[d] = start[d];
        job->count[d] = end - start[d];
    }
    diff->job_count++;
    return VV_OK;
}

static vv_status stray_key(vvi_tree_diff *diff, const char *key, vvi_key_change change,
                           vv_error *err)
{
    vv_diff_finding finding = { .kind = VV_DIFF_KEY, .path = key };

    finding.chunks_added = change == VVI_KEY_ADDED;
    finding.chunks_removed = change == VVI_KEY_REMOVED;
    finding.chunks_changed = change == VVI_KEY_CHANGED;
    return vvi_diff_report(diff, &finding, err);
}

/* A key, below the start, that differs. */
static vv_status see_key(vvi_tree_diff *diff, const char *key, vvi_key_change change,
                         vv_error *err)
{
    const char *slash = strrchr(key, '/');
    uint64_t start[VV_NDIM_MAX];
    uint64_t stop[VV_NDIM_MAX];
    uint64_t index[VV_NDIM_MAX];
    vvi_diff_node *node = NULL;
    bool passed_by;
    const char *name;
    const vv_array *array;

    if (is_document(slash ? slash + 1 : key, &passed_by)) {
        diff->result.keys++;
        VVI_TRY(
            vvi_diff_node_at(diff, key, slash ? (size_t)(slash - key) : 0, &node, err));
        node->document = true;
        return VV_OK;
    }
    if (passed_by)
        return VV_OK;
    diff->result.keys++;
    VVI_TRY(array_of_key(diff, key, &node, err));
    if (!node)
        return stray_key(diff, key, change, err);
    name = key + strlen(node->path);
    name += *name == '/';
    array = node->arrays[0];
    if (!chunk_of_key(array, name, index)) {
        array = node->arrays[1];
        if (!chunk_of_key(array, name, index))
            return stray_key(diff, key, change, err);
    }
    node->counts[change]++;
    if (node->recoded || !box_of(node, vv_array_get_meta(array), index, start, stop))
        return VV_OK;
    widen_box(node, vv_array_get_meta(array)->ndim, start, stop);
    if (diff->options.values && node->arrays[0] && node->arrays[1])
        return add_job(diff, node, start, stop, err);
    return VV_OK;
}

/* ---- two HAMTs ------------------------------------------------------------------------------------ */

/* What of a key is behind a path and the slash; NULL: the key does not lie below it. */
static const char *below(const char *path, const char *key)
{
    size_t len = strlen(path);

    if (len == 0)
        return key;
    return strncmp(key, path, len) == 0 && key[len] == '/' ? key + len + 1 : NULL;
}

static vv_status on_hamt_change(void *ctx, const vv_hamt_change *change, vv_error *err)
{
    vvi_tree_diff *diff = ctx;
    vvi_key_change kind = !change->before  ? VVI_KEY_ADDED
                          : !change->after ? VVI_KEY_REMOVED
                                           : VVI_KEY_CHANGED;
    const char *name;
    vv_status status = VV_OK;
    char *key;

    if (change->key.len && memchr(change->key.data, 0, change->key.len))
        return VV_OK; /* no store key */
    key = vvi_strndup((const char *)change->key.data, change->key.len);
    if (!key)
        return vvi_fail_nomem(err, change->key.len + 1);
    name = below(diff->paths[0], key);
    if (name && *name)
        status = see_key(diff, name, kind, err);
    vvi_free(key);
    if (!status)
        status = vvi_diff_tell_keys(diff, 1, err);
    return status;
}

static vv_status diff_hamts(vvi_tree_diff *diff, vv_blockstore **blocks,
                            const vv_cid *roots, vv_error *err)
{
    vv_hamt_diff_result result;
    vv_hamt_diff_options options = VV_HAMT_DIFF_OPTIONS_INIT;
    vv_status status;

    options.progress = diff->options.progress;
    options.progress_ctx = diff->options.progress_ctx;
    status = vv_hamt_diff(blocks[0], &roots[0], blocks[1], &roots[1], &options,
                          on_hamt_change, diff, &result, err);
    diff->result.hamt_nodes = result.nodes;
    return status;
}

/* ---- listings -------------------------------------------------------------------------------------- */

typedef struct listing {
    vvi_tree_diff *diff;
    int from; /* whose keys are listed */
    char *names[BATCH];
    size_t count;
    vvi_own_keys own;
    vv_buf key;
} listing;

static void drop_names(listing *self)
{
    for (size_t i = 0; i < self->count; i++)
        vvi_free(self->names[i]);
    self->count = 0;
}

/* The keys of all names in one of the stores, which point into texts; to be dropped with drop_keys(). */
static vv_status make_keys(const listing *self, int which, const char **keys,
                           vv_buf *texts, vv_error *err)
{
    vv_status status = VV_OK;

    memset(texts, 0, self->count * sizeof(*texts));
    for (size_t i = 0; i < self->count && !status; i++) {
        status = vvi_path_key(self->diff->paths[which], self->names[i], &texts[i], err);
        keys[i] = (const char *)texts[i].data;
    }
    return status;
}

static void drop_keys(const listing *self, vv_buf *texts)
{
    for (size_t i = 0; i < self->count; i++)
        vv_buf_clear(&texts[i]);
}

/* Get the values of all names from one of the stores. */
static vv_status get_values(const listing *self, int which, vv_buf *outs,
                            vv_status *statuses, vv_error *err)
{
    vv_store *store = self->diff->stores[which];
    const char *keys[BATCH];
    vv_buf texts[BATCH];
    vv_status status = make_keys(self, which, keys, texts, err);

    if (!status)
        status = vv_store_get_many(store, keys, NULL, self->count, outs, statuses, err);
    for (size_t i = 0; i < self->count && !status; i++)
        if (statuses[i] && statuses[i] != VV_ENOTFOUND) /* say why */
            status = vv_store_get(store, keys[i], VV_RANGE_ALL, &outs[i], err);
    drop_keys(self, texts);
    return status;
}

/* Of the first listing: which names are changed or gone, by their values. */
static vv_status compare_values(listing *self, vv_error *err)
{
    vv_buf a[BATCH];
    vv_buf b[BATCH];
    vv_status a_status[BATCH];
    vv_status b_status[BATCH];
    vv_status status;

    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    status = get_values(self, 0, a, a_status, err);
    if (!status)
        status = get_values(self, 1, b, b_status, err);
    for (size_t i = 0; i < self->count && !status; i++) {
        if (a_status[i])
            continue; /* deleted since the listing */
        if (b_status[i])
            status = see_key(self->diff, self->names[i], VVI_KEY_REMOVED, err);
        else if (!vvi_bytes_equal(vvi_buf_bytes(&a[i]), vvi_buf_bytes(&b[i])))
            status = see_key(self->diff, self->names[i], VVI_KEY_CHANGED, err);
    }
    for (size_t i = 0; i < self->count; i++) {
        vv_buf_clear(&a[i]);
        vv_buf_clear(&b[i]);
    }
    return status;
}

static vv_status get_pointers(const listing *self, int which, vv_cid *outs,
                              vv_status *statuses, vv_error *err)
{
    const char *keys[BATCH];
    vv_buf texts[BATCH];
    vv_status status = make_keys(self, which, keys, texts, err);

    if (!status)
        status = vv_store_pointers(self->diff->stores[which], keys, self->count, outs,
                                   statuses, err);
    drop_keys(self, texts);
    return status;
}

/* The same, by the names of the blocks they lie in, of which equal ones hold equal values. What such names
 * cannot tell is left in the listing. */
static vv_status compare_pointers(listing *self, vv_error *err)
{
    vv_cid a[BATCH];
    vv_cid b[BATCH];
    vv_status a_status[BATCH];
    vv_status b_status[BATCH];
    size_t left = 0;
    vv_status status = get_pointers(self, 0, a, a_status, err);

    if (!status)
        status = get_pointers(self, 1, b, b_status, err);
    if (status)
        return status;
    for (size_t i = 0; i < self->count; i++) {
        bool told = true;

        if (!status && !a_status[i] && b_status[i])
            status = see_key(self->diff, self->names[i], VVI_KEY_REMOVED, err);
        else if (!status && !a_status[i])
            told = vv_cid_equal(&a[i], &b[i]);
        if (told)
            vvi_free(self->names[i]);
        else
            self->names[left++] = self->names[i];
    }
    self->count = left;
    return status;
}

static vv_status compare_batch(listing *self, vv_error *err)
{
    if (vvi_store_blocks(self->diff->stores[0]) &&
        vvi_store_blocks(self->diff->stores[1]))
        VVI_TRY(compare_pointers(self, err));
    return self->count ? compare_values(self, err) : VV_OK;
}

/* Of the second: which are new. */
static vv_status find_added(listing *self, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < self->count && !status; i++) {
        bool there = false;

        key.len = 0;
        status = vvi_path_key(self->diff->paths[0], self->names[i], &key, err);
        if (!status)
            status = vv_store_exists(self->diff->stores[0], (const char *)key.data,
                                     &there, err);
        if (!status && !there)
            status = see_key(self->diff, self->names[i], VVI_KEY_ADDED, err);
    }
    vv_buf_clear(&key);
    return status;
}

static vv_status run_batch(listing *self, vv_error *err)
{
    uint64_t seen = self->count;
    vv_status status = self->from ? find_added(self, err) : compare_batch(self, err);

    drop_names(self);
    return status ? status : vvi_diff_tell_keys(self->diff, seen, err);
}

static vv_status on_key(void *ctx, const char *key, vv_error *err)
{
    listing *self = ctx;
    const char *name;

    VVI_TRY(vvi_own_key(&self->own, key, &self->key, err));
    name = below(self->diff->paths[self->from], (const char *)self->key.data);
    if (!name || !*name)
        return VV_OK;
    self->names[self->count] = vvi_strdup(name);
    if (!self->names[self->count])
        return vvi_fail_nomem(err, strlen(name) + 1);
    self->count++;
    return self->count == BATCH ? run_batch(self, err) : VV_OK;
}

/* Below one path two stores may pass by what they both have, such as equal shards. */
static vv_status list_keys(listing *self, const char *prefix, vv_error *err)
{
    const vvi_tree_diff *diff = self->diff;
    vv_store *store = diff->stores[self->from];

    return strcmp(diff->paths[0], diff->paths[1]) == 0
               ? vvi_store_list_unlike(store, diff->stores[!self->from], prefix, on_key,
                                       self, err)
               : vv_store_list(store, prefix, on_key, self, err);
}

static vv_status diff_listings(vvi_tree_diff *diff, vv_error *err)
{
    vv_status status = VV_OK;

    for (int from = 0; from < 2 && !status; from++) {
        listing self = { .diff = diff,
                         .from = from,
                         .own = { .store = diff->stores[from] } };
        vv_buf prefix = VV_BUF_INIT;

        status = vvi_path_key(diff->paths[from], "", &prefix, err);
        if (!status)
            status = list_keys(&self, (const char *)prefix.data, err);
        if (!status && self.count)
            status = run_batch(&self, err);
        drop_names(&self);
        vvi_own_keys_clear(&self.own);
        vv_buf_clear(&self.key);
        vv_buf_clear(&prefix);
    }
    return status;
}

vv_status vvi_diff_all_keys(vvi_tree_diff *diff, vv_error *err)
{
    vv_blockstore *blocks[2];
    vv_cid roots[2];
    bool hamts = strcmp(diff->paths[0], diff->paths[1]) == 0;

    for (int i = 0; i < 2 && hamts; i++) {
        vv_status status = vvi_hamt_store_parts(diff->stores[i], &blocks[i], &roots[i],
                                                err);

        if (status && status != VV_EINVAL)
            return status;
        hamts = !status;
    }
    return hamts ? diff_hamts(diff, blocks, roots, err) : diff_listings(diff, err);
}
