/*
 * Stores: key → bytes, the Zarr v3 abstract store interface.
 *
 * Keys are UTF-8 paths without a leading slash ("temp/c/0/0"). Listing is lazy and reads no
 * values. Threads: every call from any thread at any time, but writes of one key take turns.
 * Ownership: counted, as block stores are.
 */
#ifndef VARVITE_STORE_H
#define VARVITE_STORE_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/hamt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_store vv_store;

VV_API vv_store *vv_store_retain(vv_store *store);
/** Changes that vv_store_flush() did not cover may be lost. NULL is fine. */
VV_API void vv_store_free(vv_store *store);
VV_API const char *vv_store_name(const vv_store *store);
VV_API bool vv_store_is_read_only(const vv_store *store);

/** Read a value or a part of it. @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT, VV_ELIMIT (more than
 *  VV_BLOCK_BYTES_MAX at once), VV_EIO, VV_ENOMEM */
VV_API vv_status vv_store_get(vv_store *store, const char *key, vv_range range,
                              vv_buf *out, vv_error *err);
/** Read n values at once. ranges: n, or NULL for whole values. statuses as in vv_blockstore_get_many(), where
 *  VV_EAUTH (one that does not decrypt, or that one may not read) is an answer too. */
VV_API vv_status vv_store_get_many(vv_store *store, const char *const *keys,
                                   const vv_range *ranges, size_t n, vv_buf *outs,
                                   vv_status *statuses, vv_error *err);
/** @return VV_OK, VV_EREADONLY, VV_EINVAL (key), VV_EIO, VV_ENOMEM */
VV_API vv_status vv_store_set(vv_store *store, const char *key, vv_bytes value,
                              vv_error *err);
VV_API vv_status vv_store_set_many(vv_store *store, const char *const *keys,
                                   const vv_bytes *values, size_t n, vv_error *err);
/** Set only where there is nothing; atomic. @return VV_OK, VV_EEXISTS, … */
VV_API vv_status vv_store_set_if_absent(vv_store *store, const char *key, vv_bytes value,
                                        vv_error *err);
/** Deleting what is not there is VV_OK, as the Zarr specification has it. */
VV_API vv_status vv_store_delete(vv_store *store, const char *key, vv_error *err);
/** Let the key to have the value of from, in place of what it had. A HAMT and a memory store share the
 *  value and read nothing. @return VV_OK, VV_ENOTFOUND, else as vv_store_set() */
VV_API vv_status vv_store_copy(vv_store *store, const char *from, const char *to,
                               vv_error *err);
/** Delete every key that begins with prefix ("temp/"). deleted: how many, NULL if not wanted */
VV_API vv_status vv_store_delete_prefix(vv_store *store, const char *prefix,
                                        uint64_t *deleted, vv_error *err);
VV_API vv_status vv_store_exists(vv_store *store, const char *key, bool *out,
                                 vv_error *err);
/** Bytes of a value, without reading it where that can be. @return VV_OK, VV_ENOTFOUND */
VV_API vv_status vv_store_size(vv_store *store, const char *key, uint64_t *out,
                               vv_error *err);

/** Told of each key or directory entry; any status but VV_OK ends the listing. */
typedef vv_status (*vv_key_fn)(void *ctx, const char *key, vv_error *err);
/** Every key that begins with prefix as plain text ("" for all), in no given order. visit may
 *  call the store, also to delete. */
VV_API vv_status vv_store_list(vv_store *store, const char *prefix, vv_key_fn visit,
                               void *ctx, vv_error *err);
/**
 * The entries directly below a directory ("", "group" or "group/"), each once: a key's own name,
 * or a name with a slash at its end for what has more below it.
 */
VV_API vv_status vv_store_list_dir(vv_store *store, const char *directory,
                                   vv_key_fn visit, void *ctx, vv_error *err);

/** Make what was written as safe as the store promises; a HAMT store also saves its nodes and
 *  flushes its block store. */
VV_API vv_status vv_store_flush(vv_store *store, vv_error *err);

/** Save, flush, and the root that names everything in the store. @return also VV_EINVAL: a store that has
 *  none, such as a directory */
VV_API vv_status vv_store_commit(vv_store *store, vv_cid *root, vv_error *err);
/** The name of the block that a key's value lies in. Encrypted stores: of the encrypted value.
 *  @return VV_OK, VV_ENOTFOUND, VV_EINVAL (a store without blocks) */
VV_API vv_status vv_store_pointer(vv_store *store, const char *key, vv_cid *out,
                                  vv_error *err);
/** Those of n keys. statuses: n, VV_OK or VV_ENOTFOUND of each, or a failure, which is returned too.
 *  @return as vv_store_pointer(), but for VV_ENOTFOUND */
VV_API vv_status vv_store_pointers(vv_store *store, const char *const *keys, size_t n,
                                   vv_cid *outs, vv_status *statuses, vv_error *err);
/** Set a key to a block that is stored already. @return as vv_store_set(); VV_EINVAL also for a store without
 *  blocks */
VV_API vv_status vv_store_set_pointer(vv_store *store, const char *key,
                                      const vv_cid *pointer, vv_error *err);

/** In memory. */
VV_API vv_status vv_memory_store_new(vv_store **out, vv_error *err);

/**
 * A directory, as zarr-python's LocalStore lays it out: keys are file paths. A value is written
 * under another name and renamed; flush makes files and directories durable. Files that killed
 * writers left half-written are no values; a handle that may write removes, when it lists their
 * directory, those that are an hour old and that no process holds locked.
 * @return VV_OK, VV_ENOTFOUND (read_only and no such directory), VV_EINVAL, VV_EIO
 */
VV_API vv_status vv_directory_store_open(const char *path, bool read_only, vv_store **out,
                                         vv_error *err);

/**
 * A HAMT over a block store, as py-hamt's ZarrHAMTStore: keys and values unchanged.
 *
 * @param root     NULL: a new, empty one
 * @param options  values is set to VV_HAMT_BYTES; NULL: defaults
 */
VV_API vv_status vv_hamt_store_open(vv_blockstore *blocks, const vv_cid *root,
                                    const vv_hamt_options *options, vv_store **out,
                                    vv_error *err);
#ifdef __cplusplus
}
#endif
#endif
