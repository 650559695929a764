/*
 * Values that lie in mapped memory and were checked: they are kept open, so that reading a part of one
 * again does not mean hashing all of it again.
 *
 * What is kept takes no memory of its own, only names and references to maps. Values that had to be
 * copied are not kept. Threads: any.
 */
#ifndef VVI_STORE_VIEWS_H
#define VVI_STORE_VIEWS_H

#include <varvite/blockstore.h>

#include "util/thread.h"

/* A value, counted. */
typedef struct vvi_view {
    int refs;      /* atomic */
    uint64_t used; /* when; guarded by the lock of the views */
    vv_cid name;
    vv_buf block;
} vvi_view;

#define VVI_VIEW_SETS 256
#define VVI_VIEW_WAYS 4

typedef struct vvi_views {
    vvi_mutex lock;
    vvi_view *kept[VVI_VIEW_SETS][VVI_VIEW_WAYS]; /* guarded by lock, as the clock is */
    uint64_t clock;
} vvi_views;

vv_status vvi_views_init(vvi_views *views, vv_error *err);
void vvi_views_clear(vvi_views *views);
/* The value of this name, held for the caller; NULL: not kept. */
vvi_view *vvi_views_get(vvi_views *views, const vv_cid *name);
/* Make a value of a checked block, which is taken also on failure; held for the caller, and kept, if it
 * is to be, where it lies in mapped memory. */
vv_status vvi_views_put(vvi_views *views, const vv_cid *name, vv_buf *block, bool is_kept,
                        vvi_view **out, vv_error *err);
void vvi_view_release(vvi_view *view); /* NULL is fine */

#endif
