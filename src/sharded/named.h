/*
 * The keys that a root keeps by name, each with the block of its value.
 *
 * Threads: one at a time, or many that only look.
 */
#ifndef VVI_SHARDED_NAMED_H
#define VVI_SHARDED_NAMED_H

#include <varvite/cid.h>

#include "store/key_set.h"

/* Zero is an empty one. A name without a value is about to be set, and not there yet. */
typedef struct vvi_named {
    vvi_key_set set;
    size_t count; /* with a value */
} vvi_named;

void vvi_named_clear(vvi_named *names);
bool vvi_named_get(const vvi_named *names, const char *key, size_t len, vv_cid *out);
bool vvi_named_has(const vvi_named *names, const char *key, size_t len);
/* False: it was not there. */
bool vvi_named_remove(vvi_named *names, const char *key);

/* Names that are about to be set, with all the memory that takes. */
typedef struct vvi_naming {
    struct vvi_naming_item {
        char *key;
        void *value;
    } * items;
    size_t count, cap;
} vvi_naming;

/* Make ready to set a key; it is not there until vvi_naming_apply(). */
vv_status vvi_naming_add(vvi_naming *naming, vvi_named *names, const char *key,
                         size_t len, const vv_cid *cid, vv_error *err);
/* Set them all; cannot fail. Did any get another value? */
bool vvi_naming_apply(vvi_naming *naming, vvi_named *names);
/* Undo what was not applied, and free; accepts an empty one. */
void vvi_naming_clear(vvi_naming *naming, vvi_named *names);

/* Read the value of a name. */
void vvi_named_cid(const vvi_key_entry *entry, vv_cid *out);
/* The bytes of its CID. */
vv_bytes vvi_named_bytes(const vvi_key_entry *entry);
/* The names in the order of a DAG-CBOR map, names->count of them; free with vvi_free(). */
vv_status vvi_named_sorted(const vvi_named *names, const vvi_key_entry ***out,
                           vv_error *err);

#endif
