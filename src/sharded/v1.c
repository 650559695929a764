/* Roots of version 1: whose chunks lie in the index, and the way to version 2. */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Documents that are looked at in one call. */
#define DOCUMENTS_AT_ONCE 64

/* An array document that may be that of the index. */
typedef struct candidate {
    const char *path; /* in the key */
    size_t len;
    vv_cid cid;
} candidate;

/* Array documents but those of coordinates, in the order of the root. */
static vv_status find_candidates(vvi_sharded *self, candidate **out, size_t *n,
                                 vv_error *err)
{
    const vvi_key_entry **names;
    candidate *list;

    *n = 0;
    VVI_TRY(vvi_named_sorted(&self->names, &names, err));
    list = vvi_alloc_array(self->names.count, sizeof(*list));
    for (size_t i = 0; list && i < self->names.count; i++) {
        candidate *next = &list[*n];

        if (!vvi_key_is_array_document(names[i]->key, &next->len))
            continue;
        next->path = names[i]->key;
        vvi_path_strip(&next->path, &next->len);
        if (vvi_path_is_coordinate(next->path, next->len))
            continue;
        vvi_named_cid(names[i], &next->cid);
        ++*n;
    }
    vvi_free(names);
    *out = list;
    return list ? VV_OK : vvi_fail_nomem(err, self->names.count * sizeof(*list));
}

static bool matches(const vvi_sharded *self, const vvi_document *document)
{
    const vvi_index_entry *entry = self->arrays[0];
    const vvi_grid *grid = &vvi_chunk_index_geometry(entry->index)->grid;
    size_t bytes = entry->ndim * sizeof(uint64_t);

    return document->has_shape && document->has_chunk && document->ndim == entry->ndim &&
           document->chunk_ndim == entry->ndim &&
           memcmp(document->shape, grid->shape, bytes) == 0 &&
           memcmp(document->chunk, entry->chunk, bytes) == 0;
}

typedef struct inference {
    const candidate *found; /* the one that matches; NULL: none so far */
    bool over;              /* two match, or a document cannot be read */
} inference;

static vv_status look_at(vvi_sharded *self, const candidate *list, size_t n,
                         inference *out, vv_error *err)
{
    vv_cid cids[DOCUMENTS_AT_ONCE];
    vv_buf blocks[DOCUMENTS_AT_ONCE];
    vv_status statuses[DOCUMENTS_AT_ONCE];
    vv_error why = VV_ERROR_INIT;
    vv_status status = VV_OK;

    memset(blocks, 0, sizeof(blocks));
    for (size_t i = 0; i < n; i++)
        cids[i] = list[i].cid;
    (void)vv_blockstore_get_many(self->blocks, cids, n, blocks, statuses, &why);
    for (size_t i = 0; i < n && !status && !out->over; i++) {
        vvi_document document;

        if (statuses[i] == VV_ENOTFOUND || statuses[i] == VV_ECORRUPT ||
            statuses[i] == VV_EUNSUPPORTED)
            out->over = true;
        else if (statuses[i]) /* perhaps another time */
            status = vvi_fail(err, statuses[i], "%s", why.message);
        if (status || out->over)
            break;
        status = vvi_document_read(vvi_buf_bytes(&blocks[i]), &document, err);
        if (status && status != VV_ENOMEM) {
            status = VV_OK; /* one that nobody understands is no match */
            continue;
        }
        if (status || !matches(self, &document))
            continue;
        if (out->found && (out->found->len != list[i].len ||
                           memcmp(out->found->path, list[i].path, list[i].len) != 0))
            out->over = true;
        out->found = &list[i];
    }
    for (size_t i = 0; i < n; i++)
        vv_buf_clear(&blocks[i]);
    return status;
}

vv_status vvi_sharded_infer_primary(vvi_sharded *self, vv_error *err)
{
    inference result = { NULL, false };
    candidate *list;
    size_t n;
    vv_status status;

    if (self->version != VV_SHARDED_V1 || self->primary || self->primary_odd)
        return VV_OK;
    VVI_TRY(find_candidates(self, &list, &n, err));
    status = VV_OK;
    for (size_t i = 0; i < n && !status && !result.over; i += DOCUMENTS_AT_ONCE)
        status = look_at(self, list + i,
                         n - i < DOCUMENTS_AT_ONCE ? n - i : DOCUMENTS_AT_ONCE, &result,
                         err);
    if (!status && result.found && !result.over) {
        self->primary = vvi_strndup(result.found->path, result.found->len);
        if (!self->primary)
            status = vvi_fail_nomem(err, result.found->len + 1);
    }
    vvi_free(list);
    return status;
}
