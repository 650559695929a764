#include "hamt/tree.h"

#include "util/alloc.h"

static vv_bytes bytes_of(const vvi_link *link)
{
    return vvi_bytes(link->bytes, link->len);
}

/* Say which node failed. A block that is not there is damage: a link leads to it. */
static vv_status node_failed(vv_status status, const vv_cid *cid, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    vv_cid_format(cid, text);
    if (status == VV_ENOTFOUND)
        return vvi_fail(err, VV_ECORRUPT, "HAMT node %s is missing from the store", text);
    return vvi_wrap(err, status, "HAMT node %s", text);
}

/* Make a node of a block; the cache's load in flight ends here, either way. */
static vv_status take_block(vv_hamt *hamt, vv_bytes link, vv_status got, vv_bytes block,
                            vvi_node **out, vv_error *err)
{
    vvi_node *node = NULL;
    vv_status status = got;

    if (!status)
        status = vvi_node_decode(block, link, &node, err);
    if (!status)
        atomic_fetch_add_explicit(&hamt->loads, 1, memory_order_relaxed);
    vvi_node_cache_loaded(&hamt->clean, link, node);
    *out = node;
    return status;
}

static vv_status fetch(vv_hamt *hamt, vv_bytes link, vvi_node **out, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;
    vv_status status = vvi_link_to_cid(link, &cid, err);

    if (status) {
        vvi_node_cache_loaded(&hamt->clean, link, NULL);
        return status;
    }
    if (cid.codec == VV_CODEC_DAG_PB)
        status = vvi_fail(err, VV_EUNSUPPORTED, "cut into parts by UnixFS");
    else
        status = vv_blockstore_get(hamt->store, &cid, &block, err);
    status = take_block(hamt, link, status, vvi_buf_bytes(&block), out, err);
    vv_buf_clear(&block);
    return status ? node_failed(status, &cid, err) : VV_OK;
}

static vv_status load(vv_hamt *hamt, vv_bytes link, vvi_cache_answer *answer,
                      vvi_node **out, vv_error *err)
{
    VVI_TRY(vvi_node_cache_get(&hamt->clean, link, true, answer, out, err));
    return *answer == VVI_CACHE_FOUND ? VV_OK : fetch(hamt, link, out, err);
}

VVI_COUNTING static vv_status load_counted(vv_hamt *hamt, vv_bytes link, vvi_node **out,
                                           vv_error *err)
{
    uint64_t begun_ns = vvi_now_ns();
    vvi_cache_answer answer;

    VVI_TRY(load(hamt, link, &answer, out, err));
    vvi_count_node_loads(answer == VVI_CACHE_FOUND, 1,
                         answer == VVI_CACHE_FOUND ? 0 : (*out)->size,
                         vvi_now_ns() - begun_ns);
    return VV_OK;
}

vv_status vvi_hamt_load(vv_hamt *hamt, vv_bytes link, vvi_node **out, vv_error *err)
{
    vvi_cache_answer answer;

    if (vvi_hamt_is_counted(hamt))
        return load_counted(hamt, link, out, err);
    return load(hamt, link, &answer, out, err);
}

/* ---- many ------------------------------------------------------------------------------ */

/* Nodes that this call has to fetch. */
typedef struct fetch_list {
    size_t n;
    size_t *which; /* index in the caller's list */
    vv_cid *cids;
    vv_buf *blocks;
    vv_status *statuses;
} fetch_list;

static void fetch_list_clear(fetch_list *list)
{
    for (size_t i = 0; list->blocks && i < list->n; i++)
        vv_buf_clear(&list->blocks[i]);
    vvi_free(list->which);
    vvi_free(list->cids);
    vvi_free(list->blocks);
    vvi_free(list->statuses);
}

static vv_status fetch_list_init(fetch_list *list, size_t n, vv_error *err)
{
    *list = (fetch_list){ .which = vvi_alloc_array(n, sizeof(*list->which)),
                          .cids = vvi_alloc_array(n, sizeof(*list->cids)),
                          .blocks = vvi_alloc_array_zero(n, sizeof(*list->blocks)),
                          .statuses = vvi_alloc_array_zero(n, sizeof(*list->statuses)) };
    if (list->which && list->cids && list->blocks && list->statuses)
        return VV_OK;
    fetch_list_clear(list);
    return vvi_fail_nomem(err, n * sizeof(*list->cids));
}

/* Fetch what is on the list in one call, and end each load that was taken on. */
static vv_status fetch_listed(vv_hamt *hamt, fetch_list *list, const vvi_link *links,
                              vvi_node **out, vv_status *statuses, vv_error *err)
{
    vv_status failure = VV_OK;
    vv_status called = VV_OK;

    if (list->n)
        called = vv_blockstore_get_many(hamt->store, list->cids, list->n, list->blocks,
                                        list->statuses, err);
    for (size_t i = 0; i < list->n; i++) {
        size_t k = list->which[i];
        vv_error why = VV_ERROR_INIT;
        vv_status status = called ? called : list->statuses[i];

        if (status)
            vvi_fail(&why, status, "not read");
        status = take_block(hamt, bytes_of(&links[k]), status,
                            vvi_buf_bytes(&list->blocks[i]), &out[k], &why);
        if (status && !called)
            status = node_failed(status, &list->cids[i], &why);
        if (statuses)
            statuses[k] = status;
        if (status && !failure) {
            failure = status;
            if (err && !called)
                *err = why;
        }
    }
    return failure;
}

/* Nodes that fetch_listed() loaded. */
VVI_COUNTING static void count_listed(const fetch_list *list, vvi_node *const *nodes,
                                      uint64_t begun_ns)
{
    uint64_t ns = vvi_now_ns() - begun_ns;

    for (size_t i = 0; i < list->n; i++)
        if (nodes[list->which[i]])
            vvi_count_node_loads(false, 1, nodes[list->which[i]]->size, ns);
}

vv_status vvi_hamt_load_many(vv_hamt *hamt, const vvi_link *links, size_t n,
                             vvi_node **out, vv_status *statuses, vv_error *err)
{
    uint64_t begun_ns = vvi_hamt_is_counted(hamt) ? vvi_now_ns() : 0;
    fetch_list list;
    vv_status failure = VV_OK;
    vv_status status;

    VVI_TRY(fetch_list_init(&list, n, err));
    for (size_t i = 0; i < n; i++) {
        vvi_cache_answer answer = VVI_CACHE_BUSY;

        out[i] = NULL;
        if (statuses)
            statuses[i] = VV_OK;
        /* Short of memory: this node is loaded alone, below. */
        if (vvi_node_cache_get(&hamt->clean, bytes_of(&links[i]), false, &answer, &out[i],
                               NULL) ||
            answer != VVI_CACHE_LOAD)
            continue;
        if (vvi_link_to_cid(bytes_of(&links[i]), &list.cids[list.n], NULL) ||
            list.cids[list.n].codec == VV_CODEC_DAG_PB) {
            vvi_node_cache_loaded(&hamt->clean, bytes_of(&links[i]), NULL);
            continue;
        }
        list.which[list.n++] = i;
    }
    failure = fetch_listed(hamt, &list, links, out, statuses, err);
    if (begun_ns)
        count_listed(&list, out, begun_ns);
    for (size_t i = 0; i < n && (statuses || !failure); i++) {
        if (out[i] || (statuses && statuses[i]))
            continue;
        status = vvi_hamt_load(hamt, bytes_of(&links[i]), &out[i], failure ? NULL : err);
        if (statuses)
            statuses[i] = status;
        if (status && !failure)
            failure = status;
    }
    fetch_list_clear(&list);
    if (!failure || statuses)
        return VV_OK;
    for (size_t i = 0; i < n; i++) {
        vvi_node_release(out[i]);
        out[i] = NULL;
    }
    return failure;
}

void vvi_hamt_snapshot(vv_hamt *hamt, vvi_snapshot *out)
{
    out->root = NULL;
    vvi_rwlock_read(&hamt->tree);
    if (hamt->root)
        out->root = vvi_node_retain(hamt->root);
    else
        out->link = hamt->root_link;
    vvi_rwlock_unlock(&hamt->tree);
}
