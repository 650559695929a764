/*
 * Schemas, from inside: groups and leaves as they were added, and the trees that the file shows them by.
 *
 * Numbers of groups and leaves are the caller's, everywhere but in a plan and a tree.
 */
#ifndef VVI_RECORDER_SCHEMA_H
#define VVI_RECORDER_SCHEMA_H

#include <varvite/recorder.h>

#include "dtype/dtype.h"
#include "json/json.h"

typedef struct vvi_schema_leaf {
    char *key;  /* of a dict that grows; NULL where a tree was given */
    char *name; /* "array['positions']" */
    vvi_dtype dtype;
    uint32_t ndim;
    uint64_t *shape;
    size_t row_bytes;
    char *units; /* NULL: not said */
} vvi_schema_leaf;

typedef struct vvi_schema_group {
    char *key;  /* as it was added */
    char *name; /* "group['step']" */
    vv_frequency frequency;
    bool
        custom; /* the caller's own frequency; its functions may not be known, from JSON */
    vv_compression compression;
    vvi_schema_leaf *leaves;
    size_t count, cap;
    vv_tree *tree; /* NULL: a dict of the leaves, not made yet */
    size_t *given; /* of the tree: given[i] is the number of its leaf i */
} vvi_schema_group;

struct vv_schema {
    vvi_schema_group *groups;
    size_t count, cap;
    vv_tree *config; /* NULL: a dict of the groups, not made yet */
    bool config_is_given;
};

/* Texts of a type and a shape, "float32[1000,3]"; cut to fit. */
#define VVI_TYPE_TEXT 128
void vvi_type_text(const char *name, uint32_t ndim, const uint64_t *shape,
                   char out[VVI_TYPE_TEXT]);
/* "float64", "r24". */
void vvi_type_name(vv_dtype dtype, size_t item, char out[32]);

/* Do two names mean the same in a file, where '/' divides, and empty parts and "." do not count? 0: no, 1: the same,
 * 2: a is a folder of b, 3: b of a. */
int vvi_name_clash(const char *a, const char *b);
/* As memcmp, so that folders stand right before what is in them. */
int vvi_name_compare(const char *a, const char *b);

/* Give a group a tree, whose leaf i is types[given[i]]; given may be NULL: they are in order. Takes tree and given, also
 * on failure. */
vv_status vvi_schema_take_tree(vv_schema *schema, size_t group, vv_tree *tree,
                               size_t *given, const vv_leaf_type *types, size_t count,
                               vv_error *err);
/* Is level one that codec has? */
vv_status vvi_compression_check(const vv_compression *compression, vv_error *err);

#endif
