/* What a key-value store backend implements; the public calls check arguments for all. */
#ifndef VARVITE_STORE_BACKEND_H
#define VARVITE_STORE_BACKEND_H

#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A value that is open for reading. What is read through it belongs to one state of the value, also
 * where another takes its place meanwhile.
 */
typedef struct vv_store_value {
    uint64_t size;
    /* Differ from those of every other value that the key has had or will have; both 0: not known. */
    uint64_t version[2];
    const uint8_t *view; /* the value, where it lies in memory; else NULL */
    void *handle;        /* the backend's own */
    int fd;              /* the backend's own */
} vv_store_value;

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
    /* Optional, for stores that may be near (see struct vv_store): how values are
     * read from many threads without a buffer for each. read_value: VV_ECORRUPT where the value has
     * no such bytes any more; not called where there is a view. close_value is called for what has
     * a handle or an fd that is not -1. */
    vv_status (*open_value)(vv_store *self, const char *key, vv_store_value *out,
                            vv_error *err);
    vv_status (*read_value)(vv_store *self, const vv_store_value *value, uint64_t offset,
                            void *out, size_t len, vv_error *err);
    void (*close_value)(vv_store *self, vv_store_value *value);
    /* Optional: let the key to have the value of from, as set does; VV_ENOTFOUND. NULL reads the value
     * and sets it. */
    vv_status (*copy)(vv_store *self, const char *from, const char *to, vv_error *err);
    /* Optional: let all keys below the directory from ("a/b/") lie below to instead, in one step that is
     * not seen half done. Nothing lies below to. VV_ENOTFOUND when nothing lies below from. */
    vv_status (*rename_dir)(vv_store *self, const char *from, const char *to,
                            vv_error *err);
    /* Optional, of stores that one CID names: save, flush the block store, and name all of it; the block
     * that a key's value lies in; a key given a block that is stored already. */
    vv_status (*commit)(vv_store *self, vv_cid *root, vv_error *err);
    vv_status (*pointer)(vv_store *self, const char *key, vv_cid *out, vv_error *err);
    vv_status (*set_pointer)(vv_store *self, const char *key, const vv_cid *pointer,
                             vv_error *err);
    /* Optional: delete all below a directory, and what the store knows of it besides keys; prefix ends in
     * / or is "". *deleted is 0 at first; NULL: not wanted. NULL deletes key after key. */
    vv_status (*remove_dir)(vv_store *self, const char *prefix, uint64_t *deleted,
                            vv_error *err);
    /* Optional, of stores that have pointer: those of n keys; NULL asks key after key. And the block store,
     * borrowed, in which pointers name the values as get gives them; NULL where they name anything else. */
    vv_status (*pointers)(vv_store *self, const char *const *keys, size_t n, vv_cid *outs,
                          vv_status *statuses, vv_error *err);
    vv_blockstore *(*blocks)(vv_store *self);
    /* Optional: list, but keys may be left out that have the same value in other, as far as the two stores can tell
     * for many at once. */
    vv_status (*list_unlike)(vv_store *self, vv_store *other, const char *prefix,
                             vv_key_fn visit, void *ctx, vv_error *err);
} vv_store_ops;

/** First member of each backend's own struct. Fill with vv_store_base_init(). */
struct vv_store {
    const vv_store_ops *ops;
    bool read_only;
    /* Set once made, by stores that have open_value: opening a value takes no round trip, so that who
     * wants many opens one after the other, each in the thread that uses it, instead of asking for
     * all with get_many. */
    bool is_near;
    /* Set once made: chunks are kept in an index of their array. So the array's document must be there
     * before them, and listings show them as c/0/1 whatever form of keys it says; both forms are taken. */
    bool indexes_chunks;
    /* Set once made: keys may begin and end with a slash, as they may in py-hamt's sharded stores. */
    bool slashed_keys;
    int refs; /* atomic */
};

VV_API void vv_store_base_init(vv_store *base, const vv_store_ops *ops, bool read_only);

#ifdef __cplusplus
}
#endif
#endif
