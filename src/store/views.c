#include "store/views.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

vv_status vvi_views_init(vvi_views *views, vv_error *err)
{
    return vvi_mutex_init(&views->lock, err);
}

void vvi_views_clear(vvi_views *views)
{
    for (size_t set = 0; set < VVI_VIEW_SETS; set++)
        for (size_t way = 0; way < VVI_VIEW_WAYS; way++)
            vvi_view_release(views->kept[set][way]);
    vvi_mutex_clear(&views->lock);
}

void vvi_view_release(vvi_view *view)
{
    if (!view || __atomic_sub_fetch(&view->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    vv_buf_clear(&view->block);
    vvi_free(view);
}

/* Digests are as good as random; that of an identity CID or a short one is not. */
static vvi_view **set_of(vvi_views *views, const vv_cid *name)
{
    uint8_t first = name->digest_len ? name->digest[name->digest_len - 1] : 0;

    return views->kept[first % VVI_VIEW_SETS];
}

vvi_view *vvi_views_get(vvi_views *views, const vv_cid *name)
{
    vvi_view **set = set_of(views, name);
    vvi_view *found = NULL;

    vvi_mutex_lock(&views->lock);
    for (size_t way = 0; way < VVI_VIEW_WAYS && !found; way++)
        if (set[way] && vv_cid_same_block(&set[way]->name, name)) {
            found = set[way];
            found->used = ++views->clock;
            __atomic_add_fetch(&found->refs, 1, __ATOMIC_RELAXED);
        }
    vvi_mutex_unlock(&views->lock);
    return found;
}

/* Keep a value in place of the one that was not used for the longest time. */
static void keep(vvi_views *views, vvi_view *view)
{
    vvi_view **set = set_of(views, &view->name);
    vvi_view *old;
    size_t place = 0;

    vvi_mutex_lock(&views->lock);
    for (size_t way = 0; way < VVI_VIEW_WAYS && set[place]; way++)
        if (!set[way] || set[way]->used < set[place]->used)
            place = way;
    old = set[place];
    view->used = ++views->clock;
    __atomic_add_fetch(&view->refs, 1, __ATOMIC_RELAXED);
    set[place] = view;
    vvi_mutex_unlock(&views->lock);
    vvi_view_release(old);
}

vv_status vvi_views_put(vvi_views *views, const vv_cid *name, vv_buf *block, bool is_kept,
                        vvi_view **out, vv_error *err)
{
    vvi_view *view = vvi_alloc_zero(sizeof(*view));

    if (!view) {
        vv_buf_clear(block);
        return vvi_fail_nomem(err, sizeof(*view));
    }
    view->refs = 1;
    view->name = *name;
    vvi_buf_move(&view->block, block);
    if (is_kept && view->block.release)
        keep(views, view);
    *out = view;
    return VV_OK;
}
