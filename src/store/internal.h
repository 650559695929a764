/* What the public calls of a store and the backends share. */
#ifndef VVI_STORE_INTERNAL_H
#define VVI_STORE_INTERNAL_H

#include <varvite/store_backend.h>

#include "util/error.h"
#include "util/file.h"

/* Is it a key at all? VV_EINVAL otherwise. */
vv_status vvi_store_check_key(const vv_store *store, const char *key, vv_error *err);

/* VV_ENOTFOUND: "no key 'temp/c/0' in the memory store". */
vv_status vvi_fail_missing_key(vv_error *err, const vv_store *store, const char *key);

/* Give out the part of value that range means. value is left empty. */
void vvi_store_give(vv_buf *value, vv_range range, vv_buf *out);

/* ---- HAMT stores (hamt.c) ---- */

/* The map, borrowed; NULL: no HAMT store. */
vv_hamt *vvi_hamt_store_map(vv_store *store);

/* The block store, borrowed, and the root; changes are saved first, without a flush of the block
 * store. VV_EINVAL: no HAMT store. */
vv_status vvi_hamt_store_parts(vv_store *store, vv_blockstore **blocks, vv_cid *root,
                               vv_error *err);
/* ---- directory stores (directory.c) ---- */

/*
 * Lock the directory of the keys below path ("" the whole store) against all who lock it so, until the file is closed. Stays
 * closed where the store is no directory, nothing lies there, or the file system is another host's. VV_EBUSY: another has it.
 */
vv_status vvi_directory_lock(vv_store *store, const char *path, vvi_file *out,
                             vv_error *err);

/* ---- stores with blocks ---- */

/* Can it be committed? */
bool vvi_store_has_root(const vv_store *store);
/* The block store, borrowed, in which its pointers name the values as they are read; NULL: they do not. */
vv_blockstore *vvi_store_blocks(vv_store *store);
/* Do pointers of a, given to b, mean the same values? */
bool vvi_stores_share(vv_store *a, vv_store *b);
/* Give n keys of one such store the values of keys of the other, by name; *linked: how many of them
 * were there. */
vv_status vvi_store_link(vv_store *from, const char *const *from_keys, vv_store *to,
                         const char *const *to_keys, size_t n, size_t *linked,
                         vv_error *err);

/* vv_store_list(), but keys may be left out that have the same value in other. */
vv_status vvi_store_list_unlike(vv_store *store, vv_store *other, const char *prefix,
                                vv_key_fn visit, void *ctx, vv_error *err);

/* Let all keys below the directory from ("a/b/") lie below to instead, where nothing lies, in one step.
 * VV_EUNSUPPORTED where the store has none; VV_EREADONLY, VV_ENOTFOUND. */
vv_status vvi_store_rename_dir(vv_store *store, const char *from, const char *to,
                               vv_error *err);

#endif
