/*
 * A table of keys, each with a value of its owner's.
 *
 * Threads: one at a time. Ownership: keys are copied; values are the caller's.
 */
#ifndef VVI_STORE_KEY_SET_H
#define VVI_STORE_KEY_SET_H

#include "util/error.h"

typedef struct vvi_key_entry {
    char *key; /* NULL: a free place */
    void *value;
    uint64_t hash;
} vvi_key_entry;

/* Open addressing, linear probing; capacity is 0 or a power of two. Zero is an empty one. */
typedef struct vvi_key_set {
    vvi_key_entry *entries;
    size_t capacity;
    size_t count;
} vvi_key_set;

/* Forget the keys; values must have been taken care of. */
void vvi_key_set_clear(vvi_key_set *set);
/* The place of a key; NULL if it is not there. len bytes of key count. */
vvi_key_entry *vvi_key_set_find(const vvi_key_set *set, const char *key, size_t len);
/* The place of a key, made with value NULL where it was not there. Moves other places.
 * Returns VV_OK or VV_ENOMEM, after which the set is as before. */
vv_status vvi_key_set_add(vvi_key_set *set, const char *key, size_t len,
                          vvi_key_entry **out, bool *is_new, vv_error *err);
/* Take out a place that vvi_key_set_find() gave. Moves other places. */
void vvi_key_set_remove(vvi_key_set *set, vvi_key_entry *entry);

#endif
