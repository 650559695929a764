/*
 * The difference of two trees whose keys are hashed alike: both are walked together, depth first,
 * and a subtree that has one name in both is passed by.
 *
 * Where one tree has a bucket and the other a subtree, which happens when a bucket was cut up and
 * in trees that were left uneven, the bucket's keys go down beside the subtree, level by level,
 * each to the slot that its hash means.
 */
#include "hamt/diff.h"
#include "hamt/seen.h"

#include "util/alloc.h"
#include "util/options.h"

#include <varvite/cbor.h>

#include <string.h>

/* Pairs fetched ahead at once: many while nodes are small, about READ_AHEAD_BYTES of them. */
#define READ_AHEAD_PAIRS 256u
#define READ_AHEAD_BYTES ((size_t)4 << 20)
#define PROGRESS_NS      100000000u
/* Unchanged nodes kept by each map: this walk reads each but once. */
#define CACHE_BYTES ((size_t)1 << 20)

typedef struct loose_key {
    vvi_entry entry;
    uint8_t hash[VVI_HASH_MAX];
} loose_key;

/* Keys of a bucket that goes down beside the other tree's subtree; in the order of the bucket, or
 * sorted by one byte of their hashes and then in that order. */
typedef struct loose {
    vvi_node *owner; /* held: the entries lie in its block */
    size_t count;
    loose_key keys[];
} loose;

/* What one tree has at a place: nothing, when all members are empty. */
typedef struct side {
    vvi_node *node; /* held; NULL: not loaded yet, and then its name is */
    vvi_link link;
    loose *keys;
} side;

/* The same place in both trees, still to be compared. */
typedef struct pair {
    side sides[2];
    unsigned depth;
    uint8_t prefix[VVI_HASH_MAX]; /* depth bytes */
} pair;

typedef struct walk {
    vvi_diff *diff;
    pair *stack;
    size_t count, cap;
    size_t ahead; /* pairs to fetch at once next time */
    vvi_seen seen[2];
} walk;

static const vv_hamt *any_map(const walk *self)
{
    return self->diff->maps[0] ? self->diff->maps[0] : self->diff->maps[1];
}

/* ---- loose keys --------------------------------------------------------------------------- */

static void loose_free(loose *keys)
{
    if (keys)
        vvi_node_release(keys->owner);
    vvi_free(keys);
}

static vv_status loose_new(vvi_node *owner, size_t count, loose **out, vv_error *err)
{
    loose *keys = NULL;

    if (count <= (SIZE_MAX - sizeof(*keys)) / sizeof(keys->keys[0]))
        keys = vvi_alloc(sizeof(*keys) + count * sizeof(keys->keys[0]));
    if (!keys)
        return vvi_fail_nomem(err, count * sizeof(keys->keys[0]));
    keys->owner = vvi_node_retain(owner);
    keys->count = count;
    *out = keys;
    return VV_OK;
}

static vv_status loose_of_bucket(const walk *self, vvi_node *node, unsigned slot,
                                 loose **out, vv_error *err)
{
    vvi_bucket_cursor cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
    loose *keys = NULL;

    VVI_TRY(loose_new(node, (size_t)cursor.left, &keys, err));
    for (size_t i = 0; vvi_bucket_next(&cursor, &keys->keys[i].entry); i++)
        vvi_hamt_hash(any_map(self), &keys->keys[i].entry.key, 1, keys->keys[i].hash);
    *out = keys;
    return VV_OK;
}

/* Sort by byte depth of the hashes; keys that share it keep their order. */
static vv_status loose_sort(loose **keys, unsigned depth, vv_error *err)
{
    size_t starts[VVI_SLOT_COUNT + 1] = { 0 };
    loose *from = *keys;
    loose *sorted = NULL;

    VVI_TRY(loose_new(from->owner, from->count, &sorted, err));
    for (size_t i = 0; i < from->count; i++)
        starts[from->keys[i].hash[depth] + 1]++;
    for (size_t slot = 0; slot < VVI_SLOT_COUNT; slot++)
        starts[slot + 1] += starts[slot];
    for (size_t i = 0; i < from->count; i++)
        sorted->keys[starts[from->keys[i].hash[depth]]++] = from->keys[i];
    loose_free(from);
    *keys = sorted;
    return VV_OK;
}

/* ---- the stack ---------------------------------------------------------------------------- */

static void side_clear(side *at)
{
    vvi_node_release(at->node);
    loose_free(at->keys);
}

static void walk_clear(walk *self)
{
    for (size_t i = 0; i < self->count; i++) {
        side_clear(&self->stack[i].sides[0]);
        side_clear(&self->stack[i].sides[1]);
    }
    vvi_free(self->stack);
    vvi_seen_clear(&self->seen[0]);
    vvi_seen_clear(&self->seen[1]);
}

/* A new pair on top, with nothing on either side. */
static vv_status push(walk *self, unsigned depth, const uint8_t *prefix, pair **out,
                      vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&self->stack, &self->cap, self->count + 1,
                     sizeof(*self->stack), err));
    *out = &self->stack[self->count++];
    memset(*out, 0, sizeof(**out));
    (*out)->depth = depth;
    memcpy((*out)->prefix, prefix, depth);
    return VV_OK;
}

static bool must_load(const side *at)
{
    return at->link.len && !at->node;
}

/* Load one side of the pairs from `from` on, those that are not loaded, in one call. */
static vv_status fetch_side(walk *self, unsigned which, size_t from, size_t *bytes,
                            size_t *loaded, vv_error *err)
{
    size_t room = self->count - from;
    size_t n = 0;
    size_t *places = vvi_alloc_array(room, sizeof(*places));
    vvi_link *links = vvi_alloc_array(room, sizeof(*links));
    vvi_node **nodes = vvi_alloc_array(room, sizeof(vvi_node *));
    vv_status status = VV_OK;

    if (!places || !links || !nodes)
        status = vvi_fail_nomem(err, room * sizeof(*links));
    for (size_t i = from; i < self->count && !status; i++)
        if (must_load(&self->stack[i].sides[which])) {
            places[n] = i;
            links[n++] = self->stack[i].sides[which].link;
        }
    if (!status && n) {
        status = vvi_hamt_load_many(self->diff->maps[which], links, n, nodes, NULL, err);
        if (status)
            status = vvi_diff_failed(which, status, err);
    }
    for (size_t i = 0; i < n && !status; i++) {
        self->stack[places[i]].sides[which].node = nodes[i];
        *bytes += nodes[i]->size;
    }
    *loaded += n;
    vvi_free(places);
    vvi_free(links);
    vvi_free(nodes);
    return status;
}

/* Load the pair on top, and in the same calls those which come next. */
static vv_status fetch_ahead(walk *self, vv_error *err)
{
    size_t from = self->count > self->ahead ? self->count - self->ahead : 0;
    size_t bytes = 0;
    size_t loaded = 0;

    VVI_TRY(fetch_side(self, 0, from, &bytes, &loaded, err));
    VVI_TRY(fetch_side(self, 1, from, &bytes, &loaded, err));
    self->diff->result.nodes += loaded;
    self->ahead = READ_AHEAD_BYTES / (bytes / loaded + 1);
    if (self->ahead > READ_AHEAD_PAIRS)
        self->ahead = READ_AHEAD_PAIRS;
    self->ahead += self->ahead == 0;
    return vvi_diff_progress(self->diff, err);
}

/* ---- one slot ------------------------------------------------------------------------------ */

/* What a side has in a slot: a link, or the entries of a bucket, or loose keys from … to − 1. */
typedef struct slot_view {
    vv_bytes link; /* empty: none */
    vvi_bucket_cursor cursor;
    const loose *keys;
    size_t from, to;
} slot_view;

static bool view_is_empty(const slot_view *view)
{
    return !view->link.len && !view->cursor.left && view->from == view->to;
}

/* Loose keys are sorted, and slots looked at in order: *next is the first key not looked at. */
static slot_view view_of(const side *at, unsigned slot, unsigned depth, size_t *next)
{
    slot_view view;

    memset(&view, 0, sizeof(view));
    if (at->keys) {
        view.keys = at->keys;
        view.from = *next;
        while (*next < at->keys->count && at->keys->keys[*next].hash[depth] == slot)
            ++*next;
        view.to = *next;
    } else if (at->node && vvi_slot_has(&at->node->links, slot))
        view.link = vvi_node_link(at->node, slot);
    else if (at->node && vvi_slot_has(&at->node->used, slot))
        view.cursor = vvi_bucket_begin(vvi_node_element(at->node, slot).data);
    return view;
}

static bool view_next(slot_view *view, vvi_entry *out)
{
    if (!view->keys)
        return vvi_bucket_next(&view->cursor, out);
    if (view->from == view->to)
        return false;
    *out = view->keys->keys[view->from++].entry;
    return true;
}

/* The same bytes, whatever the codec and the version in their names? */
static vv_status same_block(vv_bytes a, vv_bytes b, bool *out, vv_error *err)
{
    vv_cid x;
    vv_cid y;

    *out = vvi_bytes_equal(a, b);
    if (*out)
        return VV_OK;
    VVI_TRY(vvi_link_to_cid(a, &x, err));
    VVI_TRY(vvi_link_to_cid(b, &y, err));
    *out = vv_cid_same_block(&x, &y);
    return VV_OK;
}

/* Does the key's hash lead to where it was found? If not, one of the trees is damaged, or made
 * with another hash, and no answer would be right. */
static vv_status check_place(const walk *self, const pair *at, unsigned slot,
                             vv_bytes key, vv_error *err)
{
    uint8_t hash[VVI_HASH_MAX];

    vvi_hamt_hash(any_map(self), &key, 1, hash);
    if (memcmp(hash, at->prefix, at->depth) == 0 && hash[at->depth] == slot)
        return VV_OK;
    return vvi_fail(
        err, VV_ECORRUPT,
        "key \"%.*s\" lies where its hash does not lead: a damaged map, or one "
        "made with another hash function",
        VVI_KEY_ARG(key));
}

static vv_status tell(walk *self, const pair *at, unsigned slot, const vvi_entry *before,
                      const vvi_entry *after, vv_error *err)
{
    vv_bytes key = before ? before->key : after->key;
    vv_cid cids[2];

    VVI_TRY(check_place(self, at, slot, key, err));
    if (before)
        VVI_TRY(vvi_link_to_cid(before->link, &cids[0], err));
    if (after)
        VVI_TRY(vvi_link_to_cid(after->link, &cids[1], err));
    return vvi_diff_tell(self->diff, key, before ? &cids[0] : NULL,
                         after ? &cids[1] : NULL, err);
}

/* Two buckets, either of which may be empty: both have their keys in one order. */
static vv_status compare_buckets(walk *self, const pair *at, unsigned slot,
                                 slot_view *views, vv_error *err)
{
    vvi_entry entries[2];
    bool left[2];

    left[0] = view_next(&views[0], &entries[0]);
    left[1] = view_next(&views[1], &entries[1]);
    while (left[0] || left[1]) {
        int order = !left[1]   ? -1
                    : !left[0] ? 1
                               : vv_cbor_key_cmp(entries[0].key, entries[1].key);
        bool same = false;

        if (order == 0)
            VVI_TRY(same_block(entries[0].link, entries[1].link, &same, err));
        if (!same)
            VVI_TRY(tell(self, at, slot, order <= 0 ? &entries[0] : NULL,
                         order >= 0 ? &entries[1] : NULL, err));
        if (order <= 0)
            left[0] = view_next(&views[0], &entries[0]);
        if (order >= 0)
            left[1] = view_next(&views[1], &entries[1]);
    }
    return VV_OK;
}

/* Hand a part of a side's loose keys down. */
static vv_status take_loose(const slot_view *view, loose **out, vv_error *err)
{
    VVI_TRY(loose_new(view->keys->owner, view->to - view->from, out, err));
    memcpy((*out)->keys, view->keys->keys + view->from,
           (view->to - view->from) * sizeof(view->keys->keys[0]));
    return VV_OK;
}

/* At least one side has a subtree here: put it on the stack beside what the other has. */
static vv_status push_below(walk *self, const pair *at, unsigned slot,
                            const slot_view *views, vv_error *err)
{
    pair *below = NULL;

    if (at->depth + 1 >= any_map(self)->opts.hash_len)
        return vvi_fail(err, VV_ECORRUPT,
                        "the HAMT is deeper than the %" PRIu32 " bytes of a hash",
                        any_map(self)->opts.hash_len);
    VVI_TRY(push(self, at->depth + 1, at->prefix, &below, err));
    below->prefix[at->depth] = (uint8_t)slot;
    for (unsigned i = 0; i < 2; i++) {
        const slot_view *view = &views[i];
        side *to = &below->sides[i];

        if (view->link.len) {
            memcpy(to->link.bytes, view->link.data, view->link.len);
            to->link.len = view->link.len;
        } else if (view->keys && view->from < view->to)
            VVI_TRY(take_loose(view, &to->keys, err));
        else if (view->cursor.left)
            VVI_TRY(loose_of_bucket(self, at->sides[i].node, slot, &to->keys, err));
    }
    return VV_OK;
}

static vv_status compare_slot(walk *self, const pair *at, unsigned slot, slot_view *views,
                              vv_error *err)
{
    bool same = false;

    if (view_is_empty(&views[0]) && view_is_empty(&views[1]))
        return VV_OK;
    if (!views[0].link.len && !views[1].link.len)
        return compare_buckets(self, at, slot, views, err);
    if (views[0].link.len && views[1].link.len)
        VVI_TRY(same_block(views[0].link, views[1].link, &same, err));
    return same ? VV_OK : push_below(self, at, slot, views, err);
}

/* ---- the walk ------------------------------------------------------------------------------ */

static vv_status compare_pair(walk *self, pair *at, vv_error *err)
{
    size_t next[2] = { 0, 0 };

    for (unsigned i = 0; i < 2; i++) {
        if (at->sides[i].link.len)
            VVI_TRY(vvi_seen_check(&self->seen[i], &at->sides[i].link, err));
        if (at->sides[i].keys)
            VVI_TRY(loose_sort(&at->sides[i].keys, at->depth, err));
    }
    for (unsigned slot = 0; slot < VVI_SLOT_COUNT; slot++) {
        slot_view views[2];

        views[0] = view_of(&at->sides[0], slot, at->depth, &next[0]);
        views[1] = view_of(&at->sides[1], slot, at->depth, &next[1]);
        VVI_TRY(compare_slot(self, at, slot, views, err));
    }
    return VV_OK;
}

static vv_status walk_step(walk *self, vv_error *err)
{
    pair *top = &self->stack[self->count - 1];
    vv_status status;
    pair at;

    if (must_load(&top->sides[0]) || must_load(&top->sides[1]))
        VVI_TRY(fetch_ahead(self, err));
    at = self->stack[--self->count];
    status = compare_pair(self, &at, err);
    side_clear(&at.sides[0]);
    side_clear(&at.sides[1]);
    return status;
}

static vv_status walk_trees(vvi_diff *diff, vv_error *err)
{
    walk self = { .diff = diff, .ahead = 8 };
    pair *top = NULL;
    vv_status status = vvi_seen_init(&self.seen[0], err);

    if (!status)
        status = vvi_seen_init(&self.seen[1], err);
    if (!status)
        status = push(&self, 0, (const uint8_t *)"", &top, err);
    for (unsigned i = 0; i < 2 && !status; i++)
        if (diff->maps[i])
            top->sides[i].link = diff->maps[i]->root_link;
    while (self.count && !status)
        status = walk_step(&self, err);
    walk_clear(&self);
    return status;
}

/* ---- the call ------------------------------------------------------------------------------ */

vv_status vvi_diff_failed(unsigned which, vv_status status, vv_error *err)
{
    return vvi_wrap(err, status, "the %s map", which ? "second" : "first");
}

vv_status vvi_diff_tell(vvi_diff *diff, vv_bytes key, const vv_cid *before,
                        const vv_cid *after, vv_error *err)
{
    vv_hamt_change change = { .key = key, .before = before, .after = after };

    if (!before)
        diff->result.added++;
    else if (!after)
        diff->result.removed++;
    else
        diff->result.changed++;
    return diff->visit ? diff->visit(diff->ctx, &change, err) : VV_OK;
}

vv_status vvi_diff_progress(vvi_diff *diff, vv_error *err)
{
    vv_progress progress = { .what = "diff", .items_done = diff->result.nodes };
    uint64_t now;
    vv_status status;

    if (!diff->progress)
        return VV_OK;
    now = vvi_now_ns();
    if (now < diff->next_progress_ns)
        return VV_OK;
    diff->next_progress_ns = now + PROGRESS_NS;
    status = diff->progress(diff->progress_ctx, &progress);
    return status ? vvi_fail(err, status, "the comparison of two maps was stopped")
                  : VV_OK;
}

static vv_status open_map(vv_blockstore *blocks, const vv_cid *root,
                          const vv_hamt_options *given, size_t cache_bytes, vv_hamt **out,
                          vv_error *err)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;

    options.values = VV_HAMT_BYTES;
    options.read_only = true;
    options.hash_fn = given->hash_fn;
    options.hash_ctx = given->hash_ctx;
    options.hash_len = given->hash_len;
    options.clean_cache_bytes = cache_bytes ? cache_bytes : given->clean_cache_bytes;
    return root ? vv_hamt_open(blocks, root, &options, out, err) : VV_OK;
}

/* Do both hash a key alike? What each of the defaults means is up to vv_hamt_open(). */
static bool same_hash(const vv_hamt_options *a, const vv_hamt_options *b)
{
    uint32_t a_len = a->hash_len ? a->hash_len : VV_BLAKE3_SIZE;
    uint32_t b_len = b->hash_len ? b->hash_len : VV_BLAKE3_SIZE;

    return a->hash_fn == b->hash_fn && a_len == b_len &&
           (!a->hash_fn || a->hash_ctx == b->hash_ctx);
}

static vv_status run(vvi_diff *diff, vv_blockstore *const *blocks,
                     const vv_cid *const *roots, const vv_hamt_diff_options *options,
                     vv_error *err)
{
    const vv_hamt_options *given[2] = { &options->before, &options->after };
    bool merge = roots[0] && roots[1] && !same_hash(given[0], given[1]);
    vv_status status = VV_OK;

    diff->result.merged = merge;
    for (unsigned i = 0; i < 2 && !status; i++) {
        status = open_map(blocks[i], roots[i], given[i], merge ? 0 : CACHE_BYTES,
                          &diff->maps[i], err);
        if (status)
            status = vvi_diff_failed(i, status, err);
    }
    if (!status)
        status = merge ? vvi_diff_by_keys(diff, err) : walk_trees(diff, err);
    vv_hamt_free(diff->maps[0]);
    vv_hamt_free(diff->maps[1]);
    return status;
}

vv_status vv_hamt_diff(vv_blockstore *before_blocks, const vv_cid *before,
                       vv_blockstore *after_blocks, const vv_cid *after,
                       const vv_hamt_diff_options *options, vv_hamt_change_fn visit,
                       void *ctx, vv_hamt_diff_result *result, vv_error *err)
{
    vv_blockstore *blocks[2] = { before_blocks, after_blocks };
    const vv_cid *roots[2] = { before, after };
    vvi_diff diff = { .visit = visit, .ctx = ctx };
    vv_hamt_diff_options opts;
    vv_status status;

    if (result)
        memset(result, 0, sizeof(*result));
    VVI_TRY(vvi_read_options(&opts, sizeof(opts), options, err));
    diff.progress = opts.progress;
    diff.progress_ctx = opts.progress_ctx;
    if ((!before && !after) || (before && after && vv_cid_same_block(before, after) &&
                                same_hash(&opts.before, &opts.after)))
        return VV_OK;
    status = run(&diff, blocks, roots, &opts, err);
    if (result)
        *result = diff.result;
    return status;
}
