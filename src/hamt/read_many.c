/* Reading many keys at once: one round trip a level for the nodes, one for the values. */
#include "hamt/tree.h"

#include "util/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Keys resolved together; bounds the memory of a call, not what it can be asked. */
#define BATCH_KEYS ((size_t)16384)
/* Keys that go down the tree side by side: a step asks for the memory that the next one needs, for
 * all of them, so that they wait together. */
#define WALKERS 128u

/* A key on its way down. */
typedef struct walker {
    vvi_node *node; /* where it is */
    const uint8_t *hash;
    const uint8_t *bucket; /* where it ends */
    uint32_t key;          /* its place in the batch */
    unsigned depth;        /* of the node */
    unsigned rank;         /* of its slot in the node */
} walker;

/* A key that stopped for want of a node. */
typedef struct stop {
    uint32_t key;
    unsigned depth; /* of the node */
    vvi_link link;  /* its name */
} stop;

typedef struct stop_list {
    stop *items;
    size_t count, cap;
} stop_list;

typedef struct resolver {
    vv_hamt *hamt;
    const vv_bytes *keys;
    size_t n;
    uint8_t *hashes;
    vv_cid *cids;        /* a place a key: the names of the values found */
    vv_status *statuses; /* of each key */
    bool for_values;     /* the names are needed to read the values */
    vv_error *err;       /* of the first key that failed but by not being there */
    stop_list now, next;
} resolver;

static void resolver_clear(resolver *self)
{
    vvi_free(self->now.items);
    vvi_free(self->next.items);
    vvi_free(self->hashes);
    vvi_free(self->cids);
}

static vv_status resolver_init(resolver *self, vv_hamt *hamt, size_t batch, vv_error *err)
{
    memset(self, 0, sizeof(*self));
    self->hamt = hamt;
    self->hashes = vvi_alloc_array(batch, hamt->opts.hash_len);
    self->cids = vvi_alloc_array(batch, sizeof(*self->cids));
    if (self->hashes && self->cids)
        return VV_OK;
    resolver_clear(self);
    return vvi_fail_nomem(err, batch * sizeof(*self->cids));
}

/* Inlined whatever the compiler thinks: gcc drops a call of a function that only asks for memory, as
 * one without an effect. */
__attribute__((always_inline)) static inline void ask_for(const void *from, size_t len)
{
    for (size_t at = 0; at < len; at += 64)
        __builtin_prefetch((const char *)from + at);
    __builtin_prefetch((const char *)from + len - 1);
}

/* What a bucket holds is asked for up to here; few are longer. */
#define ASK_BUCKET_BYTES 256u
/* What finds a slot in a node. */
#define ASK_NODE_BYTES 128u

/* Look into the nodes, and ask for the places of their slots. Returns how many walkers go on. */
static size_t find_slots(resolver *self, walker *walkers, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        walker *one = &walkers[i];
        unsigned slot = one->hash[one->depth];

        if (one->node->link_len)
            vvi_node_mark_recent(one->node);
        if (!vvi_slot_has(&one->node->used, slot)) {
            self->statuses[one->key] = VV_ENOTFOUND;
            continue;
        }
        one->rank = vvi_node_rank(one->node, slot);
        __builtin_prefetch(vvi_slot_has(&one->node->links, slot) && one->node->below
                               ? (const void *)(one->node->below + one->rank)
                               : (const void *)(one->node->slots + one->rank));
        walkers[left++] = *one;
    }
    return left;
}

static vv_status add_stop(stop_list *list, const walker *one, vv_bytes link,
                          vv_error *err)
{
    stop *added;

    VVI_TRY(vvi_grow((void **)&list->items, &list->cap, list->count + 1, sizeof(*added),
                     err));
    added = &list->items[list->count++];
    added->key = one->key;
    added->depth = one->depth;
    added->link.len = link.len;
    memcpy(added->link.bytes, link.data, link.len);
    return VV_OK;
}

/* Go to the child in a slot that is a link; *went is false when it is not in memory. */
static vv_status go_down(resolver *self, walker *one, unsigned slot, bool *went,
                         vv_error *err)
{
    vvi_node *node = one->node;

    one->depth++;
    *went = true;
    if (vvi_slot_has(&node->kids, slot))
        one->node = node->slots[one->rank].kid;
    else
        one->node = vvi_node_cache_child(&self->hamt->clean, node, slot, one->rank);
    if (one->node) {
        ask_for(one->node, ASK_NODE_BYTES);
        return VV_OK;
    }
    *went = false;
    return add_stop(&self->next, one, vvi_node_link(node, slot), err);
}

/* One level down: walkers that go on stay in front, *n of them; the buckets of those that have come
 * to one are asked for, and they are moved to ended. */
static vv_status step_down(resolver *self, walker *walkers, size_t *n, walker *ended,
                           size_t *ended_count, vv_error *err)
{
    size_t count = *n;

    *n = 0;
    *ended_count = 0;
    for (size_t i = 0; i < count; i++) {
        walker one = walkers[i];
        unsigned slot = one.hash[one.depth];
        const vvi_slot *where = one.node->slots + one.rank;
        bool went;

        if (!vvi_slot_has(&one.node->links, slot)) {
            size_t len = where->element.len;

            one.bucket = one.node->data + where->element.at;
            ask_for(one.bucket, len < ASK_BUCKET_BYTES ? len : ASK_BUCKET_BYTES);
            ended[(*ended_count)++] = one;
        } else if (one.depth + 1 >= self->hamt->opts.hash_len) {
            self->statuses[one.key] = VV_ENOTFOUND;
        } else {
            VVI_TRY(go_down(self, &one, slot, &went, err));
            walkers[*n] = one;
            *n += went;
        }
    }
    return VV_OK;
}

static void look_in_buckets(resolver *self, const walker *ended, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t key = ended[i].key;
        vv_cid *cid = &self->cids[key];
        vvi_entry entry;

        self->statuses[key] = VV_ENOTFOUND;
        if (vvi_bucket_find(ended[i].bucket, self->keys[key], &entry))
            self->statuses[key] = self->for_values
                                      ? vvi_hamt_value_cid(entry.link, cid, NULL)
                                      : vvi_link_to_cid(entry.link, cid, NULL);
    }
}

/* Let up to WALKERS walkers go down as far as nodes are in memory. */
static vv_status walk(resolver *self, walker *walkers, size_t n, vv_error *err)
{
    vv_status status = VV_OK;
    walker ended[WALKERS];
    size_t ended_count;
    uint64_t hits = 0;

    vvi_node_cache_walk_begin(&self->hamt->clean);
    while (n && !status) {
        n = find_slots(self, walkers, n);
        status = step_down(self, walkers, &n, ended, &ended_count, err);
        look_in_buckets(self, ended, ended_count);
        hits += n;
    }
    vvi_node_cache_walk_end(&self->hamt->clean, hits);
    return status;
}

static walker begin_at(const resolver *self, uint32_t key, unsigned depth, vvi_node *node)
{
    return (walker){ .node = node,
                     .hash = self->hashes + (size_t)key * self->hamt->opts.hash_len,
                     .key = key,
                     .depth = depth };
}

/* ---- nodes that are not in memory ------------------------------------------------------- */

/* The nodes that the keys of self->now wait for, each once. */
typedef struct arrivals {
    size_t count;
    uint32_t *order;     /* the keys, those that wait for one node side by side */
    uint32_t *which;     /* a place a key, in that order: the node it waits for */
    vvi_link *links;     /* of the nodes, as all below */
    vvi_node **nodes;    /* held; NULL: it could not be loaded */
    vv_status *statuses; /* why not */
} arrivals;

static void arrivals_clear(arrivals *self)
{
    for (size_t i = 0; self->nodes && i < self->count; i++)
        vvi_node_release(self->nodes[i]);
    vvi_free(self->order);
    vvi_free(self->which);
    vvi_free(self->links);
    vvi_free(self->nodes);
    vvi_free(self->statuses);
}

static const uint8_t *hash_of_stop(const resolver *self, uint32_t i)
{
    return self->hashes + (size_t)self->now.items[i].key * self->hamt->opts.hash_len;
}

static int compare_hashes(const void *a, const void *b, void *ctx)
{
    const resolver *self = ctx;

    return memcmp(hash_of_stop(self, *(const uint32_t *)a),
                  hash_of_stop(self, *(const uint32_t *)b), self->hamt->opts.hash_len);
}

/* Keys whose hashes begin alike down to a node wait for one node. */
static bool wait_for_one(const resolver *self, uint32_t a, uint32_t b)
{
    unsigned depth = self->now.items[a].depth;

    return self->now.items[b].depth == depth &&
           memcmp(hash_of_stop(self, a), hash_of_stop(self, b), depth) == 0;
}

static vv_status arrivals_init(arrivals *self, resolver *keys, vv_error *err)
{
    size_t n = keys->now.count;
    const stop *stops = keys->now.items;

    memset(self, 0, sizeof(*self));
    self->order = vvi_alloc_array(n, sizeof(*self->order));
    self->which = vvi_alloc_array(n, sizeof(*self->which));
    if (!self->order || !self->which)
        return vvi_fail_nomem(err, n * sizeof(*self->order));
    for (size_t i = 0; i < n; i++)
        self->order[i] = (uint32_t)i;
    qsort_r(self->order, n, sizeof(*self->order), compare_hashes, keys);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !wait_for_one(keys, self->order[i - 1], self->order[i]))
            self->count++;
        self->which[i] = (uint32_t)(self->count - 1);
    }
    self->links = vvi_alloc_array(self->count, sizeof(*self->links));
    self->nodes = vvi_alloc_array_zero(self->count, sizeof(vvi_node *));
    self->statuses = vvi_alloc_array(self->count, sizeof(*self->statuses));
    if (!self->links || !self->nodes || !self->statuses)
        return vvi_fail_nomem(err, self->count * sizeof(*self->links));
    for (size_t i = 0; i < n; i++)
        self->links[self->which[i]] = stops[self->order[i]].link;
    return VV_OK;
}

/* Load the nodes that keys wait for in one call, and let these go on. */
static vv_status go_on(resolver *self, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    walker walkers[WALKERS];
    size_t n = 0;
    arrivals here;
    vv_status status = arrivals_init(&here, self, err);

    if (!status)
        status = vvi_hamt_load_many(self->hamt, here.links, here.count, here.nodes,
                                    here.statuses, &why);
    if (why.status && self->err && !self->err->status)
        *self->err = why;
    for (size_t i = 0; i < self->now.count && !status; i++) {
        const stop *from = &self->now.items[here.order[i]];
        vvi_node *node = here.nodes[here.which[i]];

        if (node)
            walkers[n++] = begin_at(self, from->key, from->depth, node);
        else
            self->statuses[from->key] = here.statuses[here.which[i]];
        if (n < WALKERS && i + 1 < self->now.count)
            continue;
        status = walk(self, walkers, n, err);
        n = 0;
    }
    arrivals_clear(&here);
    return status;
}

/* Find the names of the values of the keys; their statuses are in self->statuses. */
static vv_status resolve(resolver *self, vvi_node *root, vv_error *err)
{
    vv_status status = VV_OK;
    walker walkers[WALKERS];

    vvi_hamt_hash(self->hamt, self->keys, self->n, self->hashes);
    self->next.count = 0;
    for (size_t i = 0; i < self->n && !status; i += WALKERS) {
        size_t some = self->n - i < WALKERS ? self->n - i : WALKERS;

        for (size_t k = 0; k < some; k++)
            walkers[k] = begin_at(self, (uint32_t)(i + k), 0, root);
        status = walk(self, walkers, some, err);
    }
    while (!status && self->next.count) {
        stop_list done = self->now;

        self->now = self->next;
        self->next = done;
        self->next.count = 0;
        status = go_on(self, err);
    }
    return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* What get_many and get_pointers share. */
typedef struct reading {
    vv_buf *outs;        /* values wanted */
    bool outs_are_ours;  /* and empty: what a failed call leaves in them is not seen */
    vv_cid *cids;        /* names wanted */
    vv_status *statuses; /* of all keys; the caller's or our own */
} reading;

/* Why a value was not read, naming its key. */
static vv_status value_failed(resolver *self, size_t key, const vv_cid *cid,
                              vv_status status)
{
    vv_error why = VV_ERROR_INIT;

    vvi_fail(&why, status, "not read");
    status = vvi_hamt_value_failed(status, self->keys[key], cid, &why);
    if (self->err && !self->err->status)
        *self->err = why;
    return status;
}

/* Values of a batch each of whose names was found, into buffers that are ours. */
static vv_status read_all(resolver *self, vv_buf *outs, vv_error *err)
{
    VVI_TRY(vv_blockstore_get_many(self->hamt->store, self->cids, self->n, outs,
                                   self->statuses, err));
    for (size_t i = 0; i < self->n; i++)
        if (self->statuses[i])
            self->statuses[i] = value_failed(self, i, &self->cids[i], self->statuses[i]);
    return VV_OK;
}

/* Values of those keys of a batch whose names were found. */
static vv_status read_some(resolver *self, vv_buf *outs, vv_error *err)
{
    size_t n = 0;
    uint32_t *which = vvi_alloc_array(self->n, sizeof(*which));
    vv_buf *values = vvi_alloc_array_zero(self->n, sizeof(*values));
    vv_status *got = vvi_alloc_array(self->n, sizeof(*got));
    vv_status status = VV_OK;

    if (!which || !values || !got)
        status = vvi_fail_nomem(err, self->n * sizeof(*values));
    for (size_t i = 0; i < self->n && !status; i++)
        if (!self->statuses[i]) {
            if (n != i)
                self->cids[n] = self->cids[i];
            which[n++] = (uint32_t)i;
        }
    if (!status && n)
        status = vv_blockstore_get_many(self->hamt->store, self->cids, n, values, got,
                                        err);
    for (size_t i = 0; i < n && !status; i++) {
        size_t key = which[i];

        if (got[i])
            self->statuses[key] = value_failed(self, key, &self->cids[i], got[i]);
        else
            vvi_buf_move(&outs[key], &values[i]);
    }
    for (size_t i = 0; values && i < n; i++)
        vv_buf_clear(&values[i]);
    vvi_free(which);
    vvi_free(values);
    vvi_free(got);
    return status;
}

static vv_status read_batch(resolver *self, vvi_node *root, const reading *to,
                            size_t from, vv_error *err)
{
    bool all = to->outs_are_ours;

    VVI_TRY(resolve(self, root, err));
    if (!to->outs) {
        for (size_t i = 0; i < self->n; i++)
            if (!self->statuses[i])
                to->cids[from + i] = self->cids[i];
        return VV_OK;
    }
    for (size_t i = 0; i < self->n && all; i++)
        all = !self->statuses[i];
    return all ? read_all(self, to->outs + from, err)
               : read_some(self, to->outs + from, err);
}

/* The root, held. A failure to load it is the failure of every key. */
static vv_status take_root(vv_hamt *hamt, vvi_node **out, vv_error *err)
{
    vvi_snapshot snapshot;

    vvi_hamt_snapshot(hamt, &snapshot);
    *out = snapshot.root;
    return snapshot.root
               ? VV_OK
               : vvi_hamt_load(hamt, vvi_bytes(snapshot.link.bytes, snapshot.link.len),
                               out, err);
}

static vv_status read_batches(resolver *self, vvi_node *root, const vv_bytes *keys,
                              size_t n, const reading *to, vv_error *err)
{
    vv_status status = VV_OK;

    for (size_t from = 0; from < n && !status; from += self->n) {
        self->keys = keys + from;
        self->n = n - from < BATCH_KEYS ? n - from : BATCH_KEYS;
        self->statuses = to->statuses + from;
        status = read_batch(self, root, to, from, err);
        for (size_t i = from; i < n && status; i++)
            to->statuses[i] = status;
    }
    return status;
}

static vv_status read_many(vv_hamt *hamt, const vv_bytes *keys, size_t n,
                           const reading *to, vv_error *first, vv_error *err)
{
    vvi_node *root = NULL;
    resolver self;
    vv_status status = resolver_init(&self, hamt, n < BATCH_KEYS ? n : BATCH_KEYS, err);

    for (size_t i = 0; i < n; i++)
        to->statuses[i] = status;
    VVI_TRY(status);
    self.err = first;
    self.for_values = to->outs != NULL;
    status = n ? take_root(hamt, &root, first) : VV_OK;
    for (size_t i = 0; i < n && status; i++)
        to->statuses[i] = status;
    status = root ? read_batches(&self, root, keys, n, to, err) : VV_OK;
    vvi_node_release(root);
    resolver_clear(&self);
    return status;
}

/* The first key that was not read ends the call. */
static vv_status first_failure(const vv_bytes *keys, const vv_status *statuses, size_t n,
                               const vv_error *first, vv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!statuses[i])
            continue;
        if (statuses[i] == first->status) {
            if (err)
                *err = *first;
            return statuses[i];
        }
        return vvi_fail(err, statuses[i],
                        statuses[i] == VV_ENOTFOUND ? "no key \"%.*s\""
                                                    : "key \"%.*s\" was not read",
                        VVI_KEY_ARG(keys[i]));
    }
    return VV_OK;
}

vv_status vv_hamt_get_many(vv_hamt *hamt, const vv_bytes *keys, size_t n, vv_buf *outs,
                           vv_status *statuses, vv_error *err)
{
    vv_error first = VV_ERROR_INIT;
    vv_status *own = NULL;
    vv_buf *values = NULL;
    vv_status status;

    if (statuses)
        return read_many(hamt, keys, n, &(reading){ .outs = outs, .statuses = statuses },
                         &first, err);
    /* No buffer changes unless every key can be read. */
    own = vvi_alloc_array(n, sizeof(*own));
    values = vvi_alloc_array_zero(n, sizeof(*values));
    status = own && values
                 ? read_many(hamt, keys, n,
                             &(reading){
                                 .outs = values, .outs_are_ours = true, .statuses = own },
                             &first, err)
                 : vvi_fail_nomem(err, n * sizeof(*values));
    if (!status)
        status = first_failure(keys, own, n, &first, err);
    for (size_t i = 0; values && i < n; i++) {
        if (!status)
            vvi_buf_move(&outs[i], &values[i]);
        vv_buf_clear(&values[i]);
    }
    vvi_free(own);
    vvi_free(values);
    return status;
}

vv_status vv_hamt_get_pointers(vv_hamt *hamt, const vv_bytes *keys, size_t n,
                               vv_cid *outs, vv_status *statuses, vv_error *err)
{
    vv_error first = VV_ERROR_INIT;
    vv_status *own = statuses ? statuses : vvi_alloc_array(n, sizeof(*own));
    vv_status status;

    if (!own)
        return vvi_fail_nomem(err, n * sizeof(*own));
    status = read_many(hamt, keys, n, &(reading){ .cids = outs, .statuses = own }, &first,
                       err);
    if (!status && !statuses)
        status = first_failure(keys, own, n, &first, err);
    if (!statuses)
        vvi_free(own);
    return status;
}
