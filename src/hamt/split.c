#include "hamt/tree.h"

#include "util/alloc.h"

#include <varvite/cbor.h>

#include <string.h>

/* An entry on its way to a new place. */
typedef struct item {
    vv_bytes entry;
    const uint8_t *hash;
} item;

/* Order items by slot at a depth; those of one slot stay in the order of their keys.
 * starts has 257 places: slot s begins at starts[s]. */
static void sort_by_slot(const item *items, size_t n, unsigned depth, item *sorted,
                         size_t *starts)
{
    memset(starts, 0, (VVI_SLOT_COUNT + 1) * sizeof(*starts));
    for (size_t i = 0; i < n; i++)
        starts[items[i].hash[depth] + 1u]++;
    for (size_t s = 0; s < VVI_SLOT_COUNT; s++)
        starts[s + 1] += starts[s];
    /* Each placing moves a start on; in the end start s is where s + 1 began. */
    for (size_t i = 0; i < n; i++)
        sorted[starts[items[i].hash[depth]]++] = items[i];
    memmove(starts + 1, starts, VVI_SLOT_COUNT * sizeof(*starts));
    starts[0] = 0;
}

static vv_status build(const vv_hamt *hamt, const item *items, size_t n, unsigned depth,
                       vvi_node **out, vv_error *err);

static vv_status fill_bucket(vvi_node *node, unsigned slot, const item *items, size_t n,
                             vv_error *err)
{
    vv_bytes few[16];
    vv_bytes *entries = few;
    vv_status status;

    if (n > sizeof(few) / sizeof(few[0]))
        entries = vvi_alloc_array(n, sizeof(*entries));
    if (!entries)
        return vvi_fail_nomem(err, n * sizeof(*entries));
    for (size_t i = 0; i < n; i++)
        entries[i] = items[i].entry;
    status = vvi_node_set_bucket(node, slot, entries, n, err);
    if (entries != few)
        vvi_free(entries);
    return status;
}

static vv_status fill_slot(const vv_hamt *hamt, vvi_node *node, unsigned slot,
                           const item *items, size_t n, unsigned depth, vv_error *err)
{
    vvi_node *kid;
    vv_status status;

    if (n <= atomic_load(&hamt->bucket))
        return fill_bucket(node, slot, items, n, err);
    VVI_TRY(build(hamt, items, n, depth + 1, &kid, err));
    status = vvi_node_set_kid(node, slot, kid, err);
    if (status)
        vvi_node_release(kid);
    return status;
}

/* A subtree whose top lies at that depth. Goes as deep as a hash has bytes, at most 64. */
static vv_status build(const vv_hamt *hamt, const item *items, size_t n, unsigned depth,
                       vvi_node **out, vv_error *err)
{
    size_t size = n * sizeof(*items) + (VVI_SLOT_COUNT + 1) * sizeof(size_t);
    vvi_node *node = NULL;
    size_t *starts = NULL;
    item *sorted;
    vv_status status;

    if (depth >= hamt->opts.hash_len)
        return vvi_fail(err, VV_ELIMIT,
                        "%zu keys have one hash of %" PRIu32
                        " bytes, and a bucket takes %u",
                        n, hamt->opts.hash_len, atomic_load(&hamt->bucket));
    starts = vvi_alloc(size);
    if (!starts)
        return vvi_fail_nomem(err, size);
    status = vvi_node_new(&node, err);
    if (status)
        goto done;
    node->stamp = hamt->changes;
    sorted = (item *)(starts + VVI_SLOT_COUNT + 1);
    sort_by_slot(items, n, depth, sorted, starts);
    for (unsigned s = 0; s < VVI_SLOT_COUNT && !status; s++)
        if (starts[s + 1] > starts[s])
            status = fill_slot(hamt, node, s, sorted + starts[s],
                               starts[s + 1] - starts[s], depth, err);

done:
    vvi_free(starts);
    if (status)
        vvi_node_release(node);
    else
        *out = node;
    return status;
}

/* The entry of a key as it stands in a bucket. */
static vv_status make_entry(vv_bytes key, vv_bytes link, vv_buf *out, vv_error *err)
{
    uint8_t head[VVI_CBOR_HEAD_MAX];

    VVI_TRY(vvi_buf_append(
        out, vvi_bytes(head, vvi_cbor_put_head(head, VVI_CBOR_TEXT, key.len)), err));
    VVI_TRY(vvi_buf_append(out, key, err));
    return vvi_buf_append(out, link, err);
}

/* List the entries of a bucket and the new one, in order, and their keys. */
static void list_entries(vv_bytes bucket, vv_bytes key, vv_bytes entry, item *items,
                         vv_bytes *keys)
{
    vvi_bucket_cursor cursor = vvi_bucket_begin(bucket.data);
    vvi_entry old;
    size_t n = 0;
    bool placed = false;

    while (vvi_bucket_next(&cursor, &old)) {
        if (!placed && vv_cbor_key_cmp(old.key, key) > 0) {
            keys[n] = key;
            items[n++].entry = entry;
            placed = true;
        }
        keys[n] = old.key;
        items[n++].entry = old.whole;
    }
    if (!placed) {
        keys[n] = key;
        items[n].entry = entry;
    }
}

vv_status vvi_hamt_split(const vv_hamt *hamt, vv_bytes bucket, vv_bytes key,
                         vv_bytes link, unsigned depth, vvi_node **out, vv_error *err)
{
    size_t n = (size_t)vvi_bucket_begin(bucket.data).left + 1;
    size_t one = sizeof(item) + sizeof(vv_bytes) + hamt->opts.hash_len;
    item *items = vvi_alloc_array(n, one);
    vv_bytes *keys = (vv_bytes *)(items + n);
    uint8_t *hashes = (uint8_t *)(keys + n);
    vv_buf entry = VV_BUF_INIT;
    vv_status status;

    if (!items)
        return vvi_fail_nomem(err, n * one);
    status = make_entry(key, link, &entry, err);
    if (status)
        goto done;
    list_entries(bucket, key, vvi_buf_bytes(&entry), items, keys);
    vvi_hamt_hash(hamt, keys, n, hashes);
    for (size_t i = 0; i < n; i++)
        items[i].hash = hashes + i * hamt->opts.hash_len;
    status = build(hamt, items, n, depth + 1, out, err);

done:
    vv_buf_clear(&entry);
    vvi_free(items);
    return status;
}
