/*
 * Metadata documents of a store that is open for reading only, kept when they were read: who opens many
 * arrays asks for the same few again and again.
 *
 * Threads: any. Without memory nothing is kept.
 */
#ifndef VVI_STORE_DOCUMENTS_H
#define VVI_STORE_DOCUMENTS_H

#include "store/key_set.h"
#include "util/thread.h"

typedef struct vvi_documents {
    vvi_mutex lock;
    vvi_key_set kept; /* guarded by lock: values are vv_buf */
    size_t bytes;     /* guarded by lock: of all of them */
} vvi_documents;

vv_status vvi_documents_init(vvi_documents *documents, vv_error *err);
void vvi_documents_clear(vvi_documents *documents);
/* Is it a document at all? Its key ends in "zarr.json". */
bool vvi_is_document(const char *key);
/* Copy a document into out; false: it is not kept, and out is left alone. */
bool vvi_documents_get(vvi_documents *documents, const char *key, vv_buf *out);
void vvi_documents_put(vvi_documents *documents, const char *key, vv_bytes value);

#endif
