/*
 * Verification: a pool of workers takes nodes and portions of values off one stack.
 *
 * Last in, first out, and the values of a node lie above its children: so few nodes are held at
 * a time, and the stack is no longer than the tree is deep times 256 for each worker.
 */
#include "hamt/tree.h"

#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/options.h"

#include <varvite/blockstore_backend.h>
#include <varvite/cbor.h>

#include <stdio.h>
#include <string.h>

#define PORTION     16         /* slots whose values one worker checks in a row */
#define PROGRESS_NS 100000000u /* at least so long between two calls of progress */

typedef struct task {
    vvi_node
        *node; /* held: check the values of slots from … to − 1; NULL: check a node */
    unsigned from, to;
    unsigned depth;
    vv_cid cid; /* of the node */
    uint8_t prefix[VVI_HASH_MAX];
} task;

typedef struct verifier {
    vv_blockstore *blocks;
    vv_verify_options opts;
    vv_hamt hasher;       /* only what vvi_hamt_hash() looks at */
    uint64_t deadline_ns; /* 0: none */
    uint64_t share;       /* values whose mixed digest is below are hashed */
    pthread_t caller;
    uint64_t next_progress_ns; /* the calling thread only */

    vvi_mutex reporting; /* one finding at a time; taken with nothing else held */
    vvi_mutex lock;
    vvi_cond changed;
    task *stack; /* guarded by lock, as all below */
    size_t count, cap;
    unsigned busy; /* workers that may still add tasks */
    vvi_cid_map seen;
    bool stop;
    vv_status
        status; /* the first failure of the work itself, or what a callback returned */
    vv_error error;
    vv_verify_result result;
} verifier;

static void fail(verifier *self, vv_status status, const vv_error *err)
{
    vvi_mutex_lock(&self->lock);
    if (!self->status) {
        self->status = status;
        self->error = *err;
        self->error.status = status;
    }
    self->stop = true;
    vvi_cond_broadcast(&self->changed);
    vvi_mutex_unlock(&self->lock);
}

static bool must_stop(verifier *self)
{
    bool stop;

    vvi_mutex_lock(&self->lock);
    if (self->deadline_ns && vvi_now_ns() >= self->deadline_ns && !self->stop) {
        self->stop = true;
        vvi_cond_broadcast(&self->changed);
    }
    stop = self->stop;
    vvi_mutex_unlock(&self->lock);
    return stop;
}

/* ---- findings --------------------------------------------------------------------------- */

static void found(verifier *self, vv_status status, bool is_node, const char *key,
                  const vv_cid *cid, const char *message)
{
    vv_verify_finding finding = {
        .status = status, .is_node = is_node, .key = key, .cid = cid, .message = message
    };
    vv_error err = VV_ERROR_INIT;
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
        return;
    vvi_mutex_lock(&self->reporting);
    answer = self->opts.report(self->opts.ctx, &finding);
    vvi_mutex_unlock(&self->reporting);
    if (answer)
        fail(self, vvi_fail(&err, answer, "stopped by the one who is told of findings"),
             &err);
}

static void found_node(verifier *self, const task *at, vv_status status,
                       const char *message)
{
    char prefix[2 * VVI_HASH_MAX + 1] = "";

    for (unsigned i = 0; i < at->depth; i++)
        snprintf(prefix + 2 * i, 3, "%02x", at->prefix[i]);
    found(self, status, true, prefix, &at->cid, message);
}

static void found_value(verifier *self, const vvi_entry *entry, const vv_cid *cid,
                        vv_status status, const char *message)
{
    char *key = vvi_strndup((const char *)entry->key.data, entry->key.len);

    found(self, status, false, key ? key : "(a key too long to show)", cid, message);
    vvi_free(key);
}

/* ---- blocks ----------------------------------------------------------------------------- */

/* Read a block and make sure that it was hashed. VV_ENOMEM is no finding but a failure. */
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

/* Read and hash a block of a value. */
static void check_block(verifier *self, const vvi_entry *entry, const vv_cid *cid)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_status status;

    if (!is_sampled(self, cid))
        return;
    status = read_block(self, cid, &block, &err);
    if (status == VV_ENOMEM)
        fail(self, status, &err);
    else if (status)
        found_value(self, entry, cid, status, err.message);
    else
        count_block(self, block.len, false);
    vv_buf_clear(&block);
}

typedef struct linked {
    verifier *self;
    const vvi_entry *entry;
} linked;

static vv_status check_linked(void *ctx, const vv_cid *link, vv_error *err)
{
    linked *at = ctx;

    (void)err;
    check_block(at->self, at->entry, link);
    return VV_OK;
}

/* A name that holds DAG-CBOR, as encrypted stores name their values, stands for the blocks it links to. */
static void check_links(verifier *self, const vvi_entry *entry, const vv_cid *name)
{
    linked at = { self, entry };
    vv_error err = VV_ERROR_INIT;
    vv_status status = vv_cbor_links(vvi_bytes(name->digest, name->digest_len),
                                     check_linked, &at, &err);

    if (status == VV_ENOMEM)
        fail(self, status, &err);
    else if (status)
        found_value(self, entry, name, VV_ECORRUPT, err.message);
}

static void check_value(verifier *self, const vvi_entry *entry)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid cid;
    vv_status status = vvi_link_to_cid(entry->link, &cid, &err);

    if (status == VV_ENOMEM)
        fail(self, status, &err);
    else if (status)
        found_value(self, entry, &cid, status, err.message);
    else if (cid.hash == VV_HASH_IDENTITY && cid.codec == VV_CODEC_DAG_CBOR)
        check_links(self, entry, &cid);
    else
        check_block(self, entry, &cid);
}

/* ---- nodes ------------------------------------------------------------------------------ */

/* Does a key's hash lead to this slot? */
static void check_place(verifier *self, const task *at, unsigned slot,
                        const vvi_entry *entry)
{
    uint8_t hash[VVI_HASH_MAX];
    vv_cid cid;

    vvi_hamt_hash(&self->hasher, &entry->key, 1, hash);
    if (memcmp(hash, at->prefix, at->depth) == 0 && hash[at->depth] == slot)
        return;
    if (!vvi_link_to_cid(entry->link, &cid, NULL))
        found_value(self, entry, &cid, VV_ECORRUPT,
                    "the key lies where its hash does not lead, so it cannot be found");
}

static void check_bucket(verifier *self, const task *at, const vvi_node *node,
                         unsigned slot)
{
    vvi_bucket_cursor cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
    vvi_entry entry;

    vvi_mutex_lock(&self->lock);
    self->result.keys += cursor.left;
    vvi_mutex_unlock(&self->lock);
    while (vvi_bucket_next(&cursor, &entry)) {
        if (must_stop(self))
            return;
        check_place(self, at, slot, &entry);
        check_value(self, &entry);
    }
}

/* With lock held. */
static vv_status push(verifier *self, const task *what, vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&self->stack, &self->cap, self->count + 1,
                     sizeof(*self->stack), err));
    self->stack[self->count++] = *what;
    if (what->node)
        vvi_node_retain(what->node);
    vvi_cond_signal(&self->changed);
    return VV_OK;
}

static vv_status push_children(verifier *self, const task *at, const vvi_node *node,
                               vv_error *err)
{
    task child = *at;
    vv_status status = VV_OK;

    if (at->depth + 1 >= self->hasher.opts.hash_len &&
        vvi_slot_next(&node->links, 0) < VVI_SLOT_COUNT) {
        found_node(self, at, VV_ECORRUPT, "links below the last byte of a hash");
        return VV_OK;
    }
    child.node = NULL;
    child.depth++;
    VVI_EACH_SLOT(slot, &node->links)
    {
        if (status)
            break;
        child.prefix[at->depth] = (uint8_t)slot;
        status = vvi_link_to_cid(vvi_node_link(node, slot), &child.cid, err);
        vvi_mutex_lock(&self->lock);
        if (!status)
            status = push(self, &child, err);
        vvi_mutex_unlock(&self->lock);
    }
    return status;
}

static vv_status push_values(verifier *self, const task *at, vvi_node *node,
                             vv_error *err)
{
    task values = *at;
    vv_status status = VV_OK;

    values.node = node;
    vvi_mutex_lock(&self->lock);
    for (unsigned from = 0; from < VVI_SLOT_COUNT && !status; from += PORTION) {
        values.from = from;
        values.to = from + PORTION;
        if (vvi_slot_next(&node->used, from) < values.to)
            status = push(self, &values, err);
    }
    vvi_mutex_unlock(&self->lock);
    return status;
}

/* Is it the first time that a link leads to this node? */
static vv_status is_new(verifier *self, const vv_cid *cid, bool *added, vv_error *err)
{
    vvi_cid_value *value;
    vv_status status;

    vvi_mutex_lock(&self->lock);
    status = vvi_cid_map_put(&self->seen, cid, &value, added, err);
    vvi_mutex_unlock(&self->lock);
    return status;
}

static vv_status check_node(verifier *self, const task *at, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_error why = VV_ERROR_INIT;
    vvi_node *node = NULL;
    bool added = true;
    size_t size = 0;
    vv_status status;

    VVI_TRY(is_new(self, &at->cid, &added, err));
    if (!added) {
        found_node(self, at, VV_ECORRUPT, "two links lead to this node");
        return VV_OK;
    }
    if (at->cid.version == 1 && at->cid.codec == VV_CODEC_RAW)
        found_node(self, at, VV_ECORRUPT, "a link to a node names another codec");
    status = read_block(self, &at->cid, &block, &why);
    size = block.len;
    if (!status)
        status = vvi_node_decode(vvi_buf_bytes(&block), vvi_bytes(NULL, 0), &node, &why);
    vv_buf_clear(&block);
    if (status == VV_ENOMEM) {
        if (err)
            *err = why;
        return status;
    }
    if (status) {
        found_node(self, at, status, why.message);
        return VV_OK;
    }
    count_block(self, size, true);
    status = push_children(self, at, node, err);
    if (!status)
        status = push_values(self, at, node, err);
    vvi_node_release(node);
    return status;
}

static void run_task(verifier *self, const task *at)
{
    vv_error err = VV_ERROR_INIT;
    vv_status status;

    if (!at->node) {
        status = check_node(self, at, &err);
        if (status)
            fail(self, status, &err);
        return;
    }
    for (unsigned slot = vvi_slot_next(&at->node->used, at->from); slot < at->to;
         slot = vvi_slot_next(&at->node->used, slot + 1))
        if (!vvi_slot_has(&at->node->links, slot))
            check_bucket(self, at, at->node, slot);
    vvi_node_release(at->node);
}

/* ---- workers ---------------------------------------------------------------------------- */

static void tell_progress(verifier *self)
{
    uint64_t now;
    vv_progress progress = { .what = "verify" };
    vv_error err = VV_ERROR_INIT;
    vv_status answer;

    if (!self->opts.progress || !pthread_equal(pthread_self(), self->caller))
        return;
    now = vvi_now_ns();
    if (now < self->next_progress_ns)
        return;
    self->next_progress_ns = now + PROGRESS_NS;
    vvi_mutex_lock(&self->lock);
    progress.items_done = self->result.nodes + self->result.values;
    progress.bytes_done = self->result.bytes;
    vvi_mutex_unlock(&self->lock);
    answer = self->opts.progress(self->opts.ctx, &progress);
    if (answer)
        fail(self, vvi_fail(&err, answer, "verification was stopped"), &err);
}

/* Take the next task; false when there is nothing left to do. */
static bool take_task(verifier *self, task *out)
{
    bool taken = false;

    vvi_mutex_lock(&self->lock);
    while (!self->stop && !self->count && self->busy)
        if (!vvi_cond_wait_until(&self->changed, &self->lock, vvi_now_ns() + PROGRESS_NS))
            break;
    if (!self->stop && self->count) {
        *out = self->stack[--self->count];
        self->busy++;
        taken = true;
    }
    vvi_mutex_unlock(&self->lock);
    return taken;
}

static bool is_done(verifier *self)
{
    bool done;

    vvi_mutex_lock(&self->lock);
    done = self->stop || (!self->count && !self->busy);
    vvi_mutex_unlock(&self->lock);
    return done;
}

static vv_status work(void *ctx, size_t i, vv_error *err)
{
    verifier *self = ctx;

    (void)i;
    (void)err;
    while (!is_done(self)) {
        task at;

        tell_progress(self);
        if (must_stop(self) || !take_task(self, &at))
            continue;
        run_task(self, &at);
        vvi_mutex_lock(&self->lock);
        self->busy--;
        if (!self->busy)
            vvi_cond_broadcast(&self->changed);
        vvi_mutex_unlock(&self->lock);
    }
    return VV_OK;
}

static vv_status read_options(verifier *self, const vv_verify_options *given,
                              vv_error *err)
{
    vv_verify_options *opts = &self->opts;
    vv_hamt_options *hamt = &self->hasher.opts;

    VVI_TRY(vvi_read_options(opts, sizeof(*opts), given, err));
    /* Written so that a NaN is refused too. */
    if (!(opts->sample >= 0 && opts->sample <= 1) || !(opts->max_seconds >= 0))
        return vvi_fail(err, VV_EINVAL,
                        "verify: sample lies in 0 … 1, max_seconds from 0 on");
    *hamt = opts->hamt;
    if (!hamt->hash_len)
        hamt->hash_len = VV_BLAKE3_SIZE;
    if (hamt->hash_len > (hamt->hash_fn ? VVI_HASH_MAX : VV_BLAKE3_SIZE))
        return vvi_fail(err, VV_EINVAL, "verify: a hash of %" PRIu32 " bytes",
                        hamt->hash_len);
    self->share = UINT64_MAX;
    if (opts->sample > 0 && opts->sample < 1)
        self->share = (uint64_t)(opts->sample * 18446744073709549568.0);
    if (opts->max_seconds > 0 && opts->max_seconds < 1e9)
        self->deadline_ns = vvi_now_ns() + (uint64_t)(opts->max_seconds * 1e9);
    if (!opts->threads)
        opts->threads = vvi_cpu_count();
    return VV_OK;
}

static vv_status start(verifier *self, const vv_cid *root, vv_error *err)
{
    task first = { .node = NULL, .cid = *root };
    vv_status status;

    VVI_TRY(vvi_mutex_init(&self->lock, err));
    status = vvi_mutex_init(&self->reporting, err);
    if (status)
        goto no_reporting;
    status = vvi_cond_init(&self->changed, err);
    if (status)
        goto no_cond;
    self->caller = pthread_self();
    status = push(self, &first, err);
    if (!status)
        return VV_OK;
    vvi_cond_clear(&self->changed);
no_cond:
    vvi_mutex_clear(&self->reporting);
no_reporting:
    vvi_mutex_clear(&self->lock);
    return status;
}

static void finish(verifier *self)
{
    for (size_t i = 0; i < self->count; i++)
        vvi_node_release(self->stack[i].node);
    vvi_free(self->stack);
    vvi_cid_map_clear(&self->seen);
    vvi_cond_clear(&self->changed);
    vvi_mutex_clear(&self->reporting);
    vvi_mutex_clear(&self->lock);
}

/* What the whole amounts to. */
static vv_status judge(verifier *self, vv_error *err)
{
    const vv_verify_result *result = &self->result;

    self->result.complete = !self->stop && self->share == UINT64_MAX && !result->unread;
    if (self->status) {
        if (err)
            *err = self->error;
        return self->status;
    }
    if (result->bad || result->missing)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " bad and %" PRIu64 " missing blocks", result->bad,
                        result->missing);
    if (result->unread)
        return vvi_fail(err, VV_EIO, "%" PRIu64 " blocks could not be read",
                        result->unread);
    return VV_OK;
}

vv_status vv_hamt_verify(vv_blockstore *blocks, const vv_cid *root,
                         const vv_verify_options *options, vv_verify_result *result,
                         vv_error *err)
{
    verifier self;
    vv_status status;

    memset(&self, 0, sizeof(self));
    if (result)
        *result = self.result;
    self.blocks = blocks;
    VVI_TRY(read_options(&self, options, err));
    VVI_TRY(start(&self, root, err));
    tell_progress(&self); /* once at least, however the work falls to the threads */
    status = vvi_parallel(self.opts.threads, self.opts.threads, work, &self, err);
    if (!status)
        status = judge(&self, err);
    if (result)
        *result = self.result;
    finish(&self);
    return status;
}
