/* Hierarchies for the tests of copies and differences. */
#ifndef VV_TESTS_COPY_SUPPORT_H
#define VV_TESTS_COPY_SUPPORT_H

#include "support/support.h"

vv_store *new_memory_store(void);
/* A HAMT store on a block store; root NULL: an empty one. */
vv_store *new_hamt_store(vv_blockstore *blocks, const vv_cid *root);
vv_cid commit(vv_store *store);

/* An array of int32 with these lengths, filled with numbers from the seed; a few chunks stay empty. */
void make_array(vv_store *store, const char *path, uint32_t ndim, const uint64_t *shape,
                const uint64_t *chunk, uint64_t seed);
/* Groups "", "ocean", "ocean/deep"; arrays "time" (coordinate), "ocean/temp" [20, 17, 9],
 * "ocean/deep/salt" [31, 12], "scalar". */
void make_hierarchy(vv_store *store, uint64_t seed);
#define HIERARCHY_ARRAYS 4u
#define HIERARCHY_GROUPS 3u

/* All elements; free() it. */
void *read_all(vv_store *store, const char *path, size_t *bytes);
void write_one(vv_store *store, const char *path, const uint64_t *index, int32_t value);
/* Both arrays have the same shape, type, attributes and values. */
void assert_same_array(vv_store *a, const char *a_path, vv_store *b, const char *b_path);
uint64_t count_keys(vv_store *store, const char *prefix);
bool key_exists(vv_store *store, const char *key);

#endif
