/* What a key-value store backend implements; the public calls check arguments for all. */
#ifndef VARVITE_STORE_BACKEND_H
#define VARVITE_STORE_BACKEND_H

#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Every function may be called from several threads at once. */
typedef struct vv_store_ops {
    const char *name;
    vv_status (*get)(vv_store *self, const char *key, vv_range range, vv_buf *out,
                     vv_error *err);
    /* Optional: NULL calls get once per key. ranges may be NULL; statuses is never NULL. */
    vv_status (*get_many)(vv_store *self, const char *const *keys, const vv_range *ranges,
                          size_t n, vv_buf *outs, vv_status *statuses, vv_error *err);
    vv_status (*set)(vv_store *self, const char *key, vv_bytes value, bool only_if_absent,
                     vv_error *err);
    vv_status (*set_many)(vv_store *self, const char *const *keys, const vv_bytes *values,
                          size_t n, vv_error *err); /* optional */
    vv_status (*remove)(vv_store *self, const char *key,
                        vv_error *err); /* ENOTFOUND is fine */
    vv_status (*exists)(vv_store *self, const char *key, bool *out, vv_error *err);
    vv_status (*size)(vv_store *self, const char *key, uint64_t *out, vv_error *err);
    vv_status (*list)(vv_store *self, const char *prefix, vv_key_fn visit, void *ctx,
                      vv_error *err);
    vv_status (*list_dir)(
        vv_store *self, const char *prefix, vv_key_fn visit, void *ctx,
        vv_error *err); /* optional: made from list; prefix ends in / or is "" */
    vv_status (*flush)(vv_store *self, vv_error *err); /* optional */
    void (*free)(vv_store *self);
} vv_store_ops;

/** First member of each backend's own struct. Fill with vv_store_base_init(). */
struct vv_store {
    const vv_store_ops *ops;
    bool read_only;
    int refs; /* atomic */
};

VV_API void vv_store_base_init(vv_store *base, const vv_store_ops *ops, bool read_only);

#ifdef __cplusplus
}
#endif
#endif
