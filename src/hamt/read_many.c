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
/* Buffers ahead whose owners are asked for. */
#define AHEAD 12u

/* Keys on their way down, all at one depth. A list for each member: what was just written is read
 * again in the size that it was written in. */
typedef struct party {
    size_t n;
    unsigned depth;
    uint32_t keys[WALKERS];   /* their places in the batch */
    vvi_node *nodes[WALKERS]; /* where they are */
    uint8_t slots[WALKERS];   /* that their hashes mean there */
    uint8_t ranks[WALKERS];   /* of the slots, which are in use */
} party;

/* Keys that came to a bucket. */
typedef struct ended {
    size_t n;
    uint32_t keys[WALKERS];
    const uint8_t *buckets[WALKERS];
} ended;

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
    /* When it is counted, else NULL; a place a key. */
    uint8_t *depths;     /* of the last node that it came to */
    uint8_t *misses;     /* nodes that were loaded for it */
    vvi_lookup *lookups; /* NULL also for want of memory */
    uint64_t visits;     /* of all keys to nodes */
    bool root_is_new;    /* the root was taken for the batch that comes now; */
    bool root_missed;    /* and it was not in the cache */
} resolver;

static void resolver_clear(resolver *self)
{
    vvi_free(self->now.items);
    vvi_free(self->next.items);
    vvi_free(self->hashes);
    vvi_free(self->cids);
    vvi_free(self->depths);
    vvi_free(self->misses);
    vvi_free(self->lookups);
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

/* Most buckets hold one key or two. */
VVI_ASKING void ask_for_bucket(const uint8_t *bucket, size_t len)
{
    __builtin_prefetch(bucket);
    __builtin_prefetch(bucket + 64);
    if (len > 128) {
        __builtin_prefetch(bucket + 128);
        __builtin_prefetch(bucket + 192);
    }
}

/* Look into the nodes, and ask for the places of their slots. Keys that are not there leave. */
static void find_slots(resolver *self, party *keys)
{
    const uint8_t *hashes = self->hashes + keys->depth;
    size_t left = 0;

    for (size_t i = 0; i < keys->n; i++) {
        uint32_t key = keys->keys[i];
        vvi_node *node = keys->nodes[i];
        unsigned slot = hashes[(size_t)key * self->hamt->opts.hash_len];
        unsigned rank = vvi_node_rank(node, slot);

        if (node->link_len)
            vvi_node_mark_recent(node);
        if (!vvi_slot_has(&node->used, slot)) {
            self->statuses[key] = VV_ENOTFOUND;
            continue;
        }
        /* Where most nodes are, none links to a child and `below` is not at hand. */
        __builtin_prefetch(vvi_slot_has(&node->links, slot) && node->below
                               ? (const void *)(node->below + rank)
                               : (const void *)(node->slots + rank));
        keys->keys[left] = key;
        keys->nodes[left] = node;
        keys->slots[left] = (uint8_t)slot;
        keys->ranks[left] = (uint8_t)rank;
        left++;
    }
    keys->n = left;
}

static vv_status add_stop(stop_list *list, uint32_t key, unsigned depth, vv_bytes link,
                          vv_error *err)
{
    stop *added;

    VVI_TRY(vvi_grow((void **)&list->items, &list->cap, list->count + 1, sizeof(*added),
                     err));
    added = &list->items[list->count++];
    added->key = key;
    added->depth = depth;
    added->link.len = link.len;
    memcpy(added->link.bytes, link.data, link.len);
    return VV_OK;
}

/* One level down. Keys that come to a bucket leave for there; those whose next node is not in memory
 * stop. */
static vv_status step_down(resolver *self, party *keys, ended *at, vv_error *err)
{
    bool last = keys->depth + 1 >= self->hamt->opts.hash_len;
    size_t left = 0;

    at->n = 0;
    keys->depth++;
    for (size_t i = 0; i < keys->n; i++) {
        uint32_t key = keys->keys[i];
        vvi_node *node = keys->nodes[i];
        unsigned slot = keys->slots[i];
        const vvi_slot *where = node->slots + keys->ranks[i];
        bool changed = vvi_slot_has(&node->kids, slot);
        vvi_node *child;

        if (!vvi_slot_has(&node->links, slot)) {
            at->keys[at->n] = key;
            at->buckets[at->n++] = node->data + where->element.at;
            ask_for_bucket(node->data + where->element.at, where->element.len);
            continue;
        }
        if (last) {
            self->statuses[key] = VV_ENOTFOUND;
            continue;
        }
        child = changed ? where->kid
                        : vvi_node_cache_child(&self->hamt->clean, node, slot,
                                               keys->ranks[i]);
        if (!child) {
            VVI_TRY(
                add_stop(&self->next, key, keys->depth, vvi_node_link(node, slot), err));
            continue;
        }
        vvi_node_ask(child, !changed, self->hamt->link_len);
        keys->keys[left] = key;
        keys->nodes[left++] = child;
    }
    keys->n = left;
    return VV_OK;
}

static void look_in_buckets(resolver *self, const ended *at)
{
    for (size_t i = 0; i < at->n; i++) {
        uint32_t key = at->keys[i];
        vv_cid *cid = &self->cids[key];
        vv_bytes link;

        if (!vvi_bucket_find(at->buckets[i], self->keys[key], &link))
            self->statuses[key] = VV_ENOTFOUND;
        else
            self->statuses[key] = self->for_values ? vvi_hamt_value_cid(link, cid, NULL)
                                                   : vvi_link_to_cid(link, cid, NULL);
    }
}

VVI_COUNTING static void note_visits(resolver *self, const party *keys)
{
    for (size_t i = 0; i < keys->n; i++)
        self->depths[keys->keys[i]] = (uint8_t)keys->depth;
    self->visits += keys->n;
}

/* Let keys go down as far as nodes are in memory. */
static vv_status walk(resolver *self, party *keys, vv_error *err)
{
    vv_status status = VV_OK;
    uint64_t hits = 0;
    ended at;

    vvi_node_cache_walk_begin(&self->hamt->clean);
    while (keys->n && !status) {
        if (self->depths)
            note_visits(self, keys);
        find_slots(self, keys);
        status = step_down(self, keys, &at, err);
        look_in_buckets(self, &at);
        hits += keys->n;
    }
    vvi_node_cache_walk_end(&self->hamt->clean, hits);
    return status;
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
    party keys = { .n = 0 };
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

        if (!node) {
            self->statuses[from->key] = here.statuses[here.which[i]];
            continue;
        }
        if (self->misses && (i == 0 || here.which[i] != here.which[i - 1]))
            self->misses[from->key]++;
        if (keys.n == WALKERS || (keys.n && keys.depth != from->depth))
            status = walk(self, &keys, err);
        keys.depth = from->depth;
        keys.keys[keys.n] = from->key;
        keys.nodes[keys.n++] = node;
    }
    if (!status)
        status = walk(self, &keys, err);
    arrivals_clear(&here);
    return status;
}

/* Find the names of the values of the keys; their statuses are in self->statuses. */
static vv_status resolve(resolver *self, vvi_node *root, vv_error *err)
{
    vv_status status = VV_OK;
    party keys;

    vvi_hamt_hash(self->hamt, self->keys, self->n, self->hashes);
    self->next.count = 0;
    for (size_t i = 0; i < self->n && !status; i += WALKERS) {
        keys.n = self->n - i < WALKERS ? self->n - i : WALKERS;
        keys.depth = 0;
        for (size_t k = 0; k < keys.n; k++) {
            keys.keys[k] = (uint32_t)(i + k);
            keys.nodes[k] = root;
        }
        status = walk(self, &keys, err);
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

/* ---- counting --------------------------------------------------------------------------- */

static void lookups_begin(resolver *self)
{
    self->visits = 0;
    memset(self->depths, 0, self->n);
    memset(self->misses, 0, self->n);
    if (self->n)
        self->misses[0] = self->root_is_new && self->root_missed;
    for (size_t i = 0; i < self->n && self->lookups; i++)
        vvi_lookup_begin(&self->lookups[i], self->keys[i], false);
}

/* Each key has come to all nodes down to its depth: those that were not loaded for it it found. */
static void lookups_end(resolver *self, uint64_t begun_ns, vv_status status)
{
    bool nodes_too = vvi_hamt_is_counted(self->hamt);

    for (size_t i = 0; i < self->n; i++) {
        vvi_lookup unseen = { .begun_ns = begun_ns };
        vvi_lookup *lookup = self->lookups ? &self->lookups[i] : &unseen;

        if (nodes_too) {
            lookup->node_loads = self->depths[i] + 1u;
            lookup->node_hits = lookup->node_loads - self->misses[i];
            lookup->last_hit = self->misses[i] == 0;
        }
        vvi_lookup_end(lookup, self->keys[i], self->depths[i],
                       status ? status : self->statuses[i]);
    }
}

/* The same as resolve(), counted. Loads count themselves; what is left of the visits are nodes found. */
VVI_COUNTING static vv_status resolve_counted(resolver *self, vvi_node *root,
                                              vv_error *err)
{
    uint64_t begun_ns = vvi_now_ns();
    uint64_t loads = vvi_node_loads_counted();
    vv_status status;

    lookups_begin(self);
    status = resolve(self, root, err);
    loads = vvi_node_loads_counted() - loads + self->root_is_new;
    if (vvi_hamt_is_counted(self->hamt) && self->visits > loads)
        vvi_count_node_loads(true, self->visits - loads, 0, vvi_now_ns() - begun_ns);
    self->root_is_new = false;
    lookups_end(self, begun_ns, status);
    return status;
}

/* Without memory for it nothing is counted. */
VVI_COUNTING static void resolver_count(resolver *self, size_t batch)
{
    self->depths = vvi_alloc_array(batch, sizeof(*self->depths));
    self->misses = vvi_alloc_array(batch, sizeof(*self->misses));
    self->lookups = vvi_alloc_array(batch, sizeof(*self->lookups));
    if (self->depths && self->misses)
        return;
    vvi_free(self->depths);
    vvi_free(self->misses);
    self->depths = self->misses = NULL;
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

    VVI_TRY((self->depths ? resolve_counted : resolve)(self, root, err));
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
static vv_status take_root(resolver *self, vvi_node **out, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    uint64_t loads = atomic_load(&hamt->loads);
    vvi_snapshot snapshot;

    vvi_hamt_snapshot(hamt, &snapshot);
    *out = snapshot.root;
    if (snapshot.root)
        return VV_OK;
    VVI_TRY(
        vvi_hamt_load(hamt, vvi_bytes(snapshot.link.bytes, snapshot.link.len), out, err));
    self->root_is_new = true;
    self->root_missed = atomic_load(&hamt->loads) != loads;
    return VV_OK;
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
    if (vvi_metrics_on())
        resolver_count(&self, n < BATCH_KEYS ? n : BATCH_KEYS);
    status = n ? take_root(&self, &root, first) : VV_OK;
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
        if (i + AHEAD < n && outs[i + AHEAD].release) /* it will be let go of */
            __builtin_prefetch(outs[i + AHEAD].owner, 1);
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
