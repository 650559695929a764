/* Many keys at once: one round trip a level for reads, one for the values of a batch of sets. */
#include "hamt/tree.h"

#include "util/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Keys resolved together; bounds the memory of a call, not what it can be asked. */
#define BATCH_KEYS ((size_t)16384)
/* Keys set in one go, with their values in one put_many of at most about so many bytes. */
#define SET_KEYS  ((size_t)4096)
#define SET_BYTES ((size_t)32 << 20)

/* ---- resolving -------------------------------------------------------------------------- */

/* Keys of a batch that lie below one node. They are neighbours when sorted by hash. */
typedef struct group {
    size_t from, count;
    vvi_node *node; /* held when loaded by name; else the snapshot holds it */
    vvi_link link;  /* its name, when len */
} group;

typedef struct group_list {
    group *items;
    size_t count, cap;
} group_list;

typedef struct resolver {
    vv_hamt *hamt;
    const vv_bytes *keys;
    size_t n;
    uint8_t *hashes;
    size_t *order;       /* keys sorted by hash */
    vvi_link *links;     /* of the values found */
    vv_status *statuses; /* of each key */
    vv_error *err;       /* of the first key that failed but by not being there */
    group_list now, next;
} resolver;

static int compare_hashes(const void *a, const void *b, void *ctx)
{
    const resolver *self = ctx;
    size_t len = self->hamt->opts.hash_len;

    return memcmp(self->hashes + *(const size_t *)a * len,
                  self->hashes + *(const size_t *)b * len, len);
}

static void groups_clear(group_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].link.len)
            vvi_node_release(list->items[i].node);
    list->count = 0;
}

static void resolver_clear(resolver *self)
{
    groups_clear(&self->now);
    groups_clear(&self->next);
    vvi_free(self->now.items);
    vvi_free(self->next.items);
    vvi_free(self->hashes);
    vvi_free(self->order);
    vvi_free(self->links);
    vvi_free(self->statuses);
}

static vv_status resolver_init(resolver *self, vv_hamt *hamt, size_t batch, vv_error *err)
{
    memset(self, 0, sizeof(*self));
    self->hamt = hamt;
    self->hashes = vvi_alloc_array(batch, hamt->opts.hash_len);
    self->order = vvi_alloc_array(batch, sizeof(*self->order));
    self->links = vvi_alloc_array(batch, sizeof(*self->links));
    self->statuses = vvi_alloc_array(batch, sizeof(*self->statuses));
    if (self->hashes && self->order && self->links && self->statuses)
        return VV_OK;
    resolver_clear(self);
    return vvi_fail_nomem(err, batch * sizeof(*self->links));
}

static vv_status add_group(group_list *list, size_t from, size_t count, vvi_node *node,
                           vv_bytes link, vv_error *err)
{
    group *added;

    VVI_TRY(vvi_grow((void **)&list->items, &list->cap, list->count + 1, sizeof(*added),
                     err));
    added = &list->items[list->count++];
    added->from = from;
    added->count = count;
    added->node = node;
    added->link.len = link.len;
    if (link.len)
        memcpy(added->link.bytes, link.data, link.len);
    return VV_OK;
}

/* Keys from … from + count − 1 of the order share the slot of a node. */
static vv_status resolve_slot(resolver *self, const vvi_node *node, unsigned slot,
                              unsigned depth, size_t from, size_t count, vv_error *err)
{
    bool is_link = vvi_slot_has(&node->links, slot) &&
                   depth + 1 < self->hamt->opts.hash_len;
    vv_bytes none = { NULL, 0 };

    if (is_link && vvi_slot_has(&node->kids, slot))
        return add_group(&self->next, from, count, vvi_node_slot(node, slot)->kid, none,
                         err);
    if (is_link)
        return add_group(&self->next, from, count, NULL, vvi_node_link(node, slot), err);
    for (size_t i = from; i < from + count; i++) {
        size_t k = self->order[i];
        vvi_entry entry;

        if (!vvi_node_find(node, slot, self->keys[k], &entry)) {
            self->statuses[k] = VV_ENOTFOUND;
            continue;
        }
        self->statuses[k] = VV_OK;
        self->links[k].len = entry.link.len;
        memcpy(self->links[k].bytes, entry.link.data, entry.link.len);
    }
    return VV_OK;
}

static vv_status resolve_group(resolver *self, const group *below, unsigned depth,
                               vv_error *err)
{
    size_t len = self->hamt->opts.hash_len;
    size_t end = below->from + below->count;
    size_t from = below->from;

    while (from < end) {
        unsigned slot = self->hashes[self->order[from] * len + depth];
        size_t to = from + 1;

        while (to < end && self->hashes[self->order[to] * len + depth] == slot)
            to++;
        VVI_TRY(resolve_slot(self, below->node, slot, depth, from, to - from, err));
        from = to;
    }
    return VV_OK;
}

static void fail_group(resolver *self, const group *below, vv_status status)
{
    for (size_t i = below->from; i < below->from + below->count; i++)
        self->statuses[self->order[i]] = status;
}

/* Load the nodes of this level that are not in memory, all in one call. */
static vv_status load_level(resolver *self, vv_error *err)
{
    size_t n = self->now.count;
    size_t wanted = 0;
    vvi_link *links = vvi_alloc_array(n, sizeof(*links));
    vvi_node **nodes = vvi_alloc_array(n, sizeof(vvi_node *));
    vv_status *statuses = vvi_alloc_array(n, sizeof(*statuses));
    vv_error why = VV_ERROR_INIT;
    vv_status status = VV_OK;

    if (!links || !nodes || !statuses)
        status = vvi_fail_nomem(err, n * sizeof(*links));
    for (size_t i = 0; i < n && !status; i++)
        if (self->now.items[i].link.len)
            links[wanted++] = self->now.items[i].link;
    if (!status && wanted)
        status = vvi_hamt_load_many(self->hamt, links, wanted, nodes, statuses, &why);
    wanted = 0;
    for (size_t i = 0; i < n && !status; i++) {
        group *below = &self->now.items[i];

        if (!below->link.len)
            continue;
        below->node = nodes[wanted];
        if (statuses[wanted])
            fail_group(self, below, statuses[wanted]);
        wanted++;
    }
    if (why.status && self->err && !self->err->status)
        *self->err = why;
    vvi_free(links);
    vvi_free(nodes);
    vvi_free(statuses);
    return status;
}

/* Find the links of the keys; their statuses are in self->statuses. */
static vv_status resolve(resolver *self, const vvi_snapshot *snapshot,
                         const vv_bytes *keys, size_t n, vv_error *err)
{
    vv_status status;

    self->keys = keys;
    self->n = n;
    vvi_hamt_hash(self->hamt, keys, n, self->hashes);
    for (size_t i = 0; i < n; i++)
        self->order[i] = i;
    qsort_r(self->order, n, sizeof(*self->order), compare_hashes, self);
    groups_clear(&self->next);
    status = add_group(
        &self->next, 0, n, snapshot->root,
        vvi_bytes(snapshot->link.bytes, snapshot->root ? 0 : snapshot->link.len), err);
    for (unsigned depth = 0; !status && self->next.count; depth++) {
        group_list done = self->now;

        self->now = self->next;
        self->next = done;
        self->next.count = 0;
        status = load_level(self, err);
        for (size_t i = 0; i < self->now.count && !status; i++)
            if (self->now.items[i].node)
                status = resolve_group(self, &self->now.items[i], depth, err);
        groups_clear(&self->now);
    }
    return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* What get_many and get_pointers share: told of each batch of resolved keys. */
typedef struct reading {
    vv_buf *outs;        /* values wanted */
    vv_cid *cids;        /* names wanted */
    vv_status *statuses; /* of all keys; the caller's or our own */
} reading;

/* Values of one batch, whose names have been found. */
static vv_status read_values(resolver *self, vv_buf *outs, vv_status *statuses,
                             vv_error *err)
{
    size_t n = 0;
    size_t *which = vvi_alloc_array(self->n, sizeof(*which));
    vv_cid *cids = vvi_alloc_array(self->n, sizeof(*cids));
    vv_buf *values = vvi_alloc_array_zero(self->n, sizeof(*values));
    vv_status *got = vvi_alloc_array(self->n, sizeof(*got));
    vv_status status = VV_OK;

    if (!which || !cids || !values || !got)
        status = vvi_fail_nomem(err, self->n * sizeof(*cids));
    for (size_t i = 0; i < self->n && !status; i++) {
        if (statuses[i])
            continue;
        statuses[i] = vvi_hamt_value_cid(
            vvi_bytes(self->links[i].bytes, self->links[i].len), &cids[n], NULL);
        if (!statuses[i])
            which[n++] = i;
    }
    if (!status && n)
        status = vv_blockstore_get_many(self->hamt->store, cids, n, values, got, err);
    for (size_t i = 0; i < n && !status; i++) {
        vv_error why = VV_ERROR_INIT;

        statuses[which[i]] = got[i];
        if (!got[i]) {
            vvi_buf_move(&outs[which[i]], &values[i]);
            continue;
        }
        vvi_fail(&why, got[i], "not read");
        statuses[which[i]] = vvi_hamt_value_failed(got[i], self->keys[which[i]], &cids[i],
                                                   &why);
        if (self->err && !self->err->status)
            *self->err = why;
    }
    for (size_t i = 0; values && i < self->n; i++)
        vv_buf_clear(&values[i]);
    vvi_free(which);
    vvi_free(cids);
    vvi_free(values);
    vvi_free(got);
    return status;
}

static vv_status read_batch(resolver *self, const vvi_snapshot *snapshot,
                            const reading *to, const vv_bytes *keys, size_t from,
                            size_t n, vv_error *err)
{
    vv_status *statuses = to->statuses + from;

    VVI_TRY(resolve(self, snapshot, keys + from, n, err));
    memcpy(statuses, self->statuses, n * sizeof(*statuses));
    if (to->outs)
        return read_values(self, to->outs + from, statuses, err);
    for (size_t i = 0; i < n; i++)
        if (!statuses[i])
            statuses[i] = vvi_link_to_cid(
                vvi_bytes(self->links[i].bytes, self->links[i].len), &to->cids[from + i],
                NULL);
    return VV_OK;
}

static vv_status read_many(vv_hamt *hamt, const vv_bytes *keys, size_t n,
                           const reading *to, vv_error *first, vv_error *err)
{
    size_t batch = n < BATCH_KEYS ? n : BATCH_KEYS;
    vvi_snapshot snapshot;
    vv_status status = VV_OK;
    resolver self;

    status = resolver_init(&self, hamt, batch, err);
    for (size_t i = 0; i < n; i++)
        to->statuses[i] = status;
    VVI_TRY(status);
    self.err = first;
    vvi_hamt_snapshot(hamt, &snapshot);
    for (size_t from = 0; from < n && !status; from += batch) {
        status = read_batch(&self, &snapshot, to, keys, from,
                            n - from < batch ? n - from : batch, err);
        for (size_t i = from; i < n && status; i++)
            to->statuses[i] = status;
    }
    resolver_clear(&self);
    vvi_node_release(snapshot.root);
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
                 ? read_many(hamt, keys, n, &(reading){ .outs = values, .statuses = own },
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

/* ---- setting ---------------------------------------------------------------------------- */

typedef struct setting {
    vv_hamt *hamt;
    vv_cid *cids;
    uint8_t *hashes;
} setting;

/* How many of n keys go together, and whether each is one that the map takes. */
static size_t choose_batch(const vv_bytes *values, size_t n)
{
    size_t bytes = 0;
    size_t count = 0;

    while (count < n && count < SET_KEYS && (count == 0 || bytes < SET_BYTES))
        bytes += values[count++].len;
    return count;
}

/*
 * Ask for the memory that setting keys will touch, some keys ahead: a map that is larger than
 * the processor's caches spends most of its time waiting for it. First the node, then what it
 * points to, then the bucket. Only the writer changes nodes, so it may look at them without
 * holding `tree`.
 */
#define AHEAD_NODE   16u
#define AHEAD_SLOTS  8u
#define AHEAD_BUCKET 4u
#define AHEAD_DEPTH  2u

/* The node that a key goes to, as far down as is worth looking, and its slot there. */
static const vvi_node *target_of(const vv_hamt *hamt, const uint8_t *hash, unsigned *slot)
{
    const vvi_node *node = hamt->root;
    unsigned depth = 0;

    while (node && depth < AHEAD_DEPTH && vvi_slot_has(&node->kids, hash[depth]))
        node = vvi_node_slot(node, hash[depth++])->kid;
    *slot = hash[depth];
    return node;
}

static void ask_ahead(const setting *self, size_t i, size_t n)
{
    size_t len = self->hamt->opts.hash_len;
    const vvi_node *node;
    unsigned slot;

    if (len <= AHEAD_DEPTH || i + AHEAD_NODE >= n)
        return;
    node = target_of(self->hamt, self->hashes + (i + AHEAD_NODE) * len, &slot);
    if (node) {
        __builtin_prefetch(node);
        __builtin_prefetch((const char *)node + 64);
        __builtin_prefetch((const char *)node + 128);
    }
    node = target_of(self->hamt, self->hashes + (i + AHEAD_SLOTS) * len, &slot);
    if (node && node->own) {
        __builtin_prefetch(vvi_node_slot(node, slot));
        __builtin_prefetch(node->own + node->len, 1);
    }
    node = target_of(self->hamt, self->hashes + (i + AHEAD_BUCKET) * len, &slot);
    if (node && vvi_slot_has(&node->used, slot) && !vvi_slot_has(&node->kids, slot))
        __builtin_prefetch(node->data + vvi_node_slot(node, slot)->element.at);
}

static vv_status set_batch(setting *self, const vv_bytes *keys, const vv_bytes *values,
                           size_t n, size_t *done, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    size_t good = 0; /* keys in front of the first that is refused */
    vv_status refused = VV_OK;
    vv_status status = VV_OK;

    for (; good < n; good++) {
        refused = vvi_hamt_check_key(keys[good], err);
        if (!refused)
            refused = vvi_hamt_check_value(hamt, keys[good], values[good], err);
        if (refused)
            break;
    }
    if (good)
        VVI_TRY(vv_blockstore_put_many(hamt->store, &hamt->value_ids, values, good,
                                       self->cids, err));
    vvi_hamt_hash(hamt, keys, good, self->hashes);
    vvi_mutex_lock(&hamt->writer);
    status = vvi_hamt_check_writable(hamt, err);
    for (size_t i = 0; i < good && !status; i++) {
        vvi_link link;

        ask_ahead(self, i, good);
        vvi_link_of_cid(&self->cids[i], &link);
        status = vvi_hamt_put(hamt, keys[i], self->hashes + i * hamt->opts.hash_len,
                              vvi_bytes(link.bytes, link.len), err);
        if (status)
            vvi_wrap(err, status, "set key \"%.*s\"", VVI_KEY_ARG(keys[i]));
        else
            ++*done;
    }
    vvi_mutex_unlock(&hamt->writer);
    return status ? status : refused;
}

vv_status vv_hamt_set_many(vv_hamt *hamt, const vv_bytes *keys, const vv_bytes *values,
                           size_t n, size_t *done, vv_error *err)
{
    size_t batch = n < SET_KEYS ? n : SET_KEYS;
    setting self = { .hamt = hamt };
    vv_status status = vvi_hamt_check_writable(hamt, err);
    size_t set = 0;

    if (!status) {
        self.cids = vvi_alloc_array(batch, sizeof(*self.cids));
        self.hashes = vvi_alloc_array(batch, hamt->opts.hash_len);
        if (!self.cids || !self.hashes)
            status = vvi_fail_nomem(err, batch * sizeof(*self.cids));
    }
    for (size_t from = 0; from < n && !status;) {
        size_t count = choose_batch(values + from, n - from);

        status = set_batch(&self, keys + from, values + from, count, &set, err);
        from += count;
    }
    vvi_free(self.cids);
    vvi_free(self.hashes);
    if (done)
        *done = set;
    return status;
}
