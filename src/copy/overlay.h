/*
 * A store that keeps one key back: the metadata of an array that is being written. Everything else
 * goes to the store behind it. So chunks are written by the usual calls while nobody who looks at
 * that store finds an array yet.
 */
#ifndef VVI_COPY_OVERLAY_H
#define VVI_COPY_OVERLAY_H

#include <varvite/store.h>

vv_status vvi_overlay_new(vv_store *behind, const char *key, vv_store **out,
                          vv_error *err);
/* Put what was kept back into the store behind. VV_ENOTFOUND: nothing was. */
vv_status vvi_overlay_release(vv_store *overlay, vv_error *err);

#endif
