/*
 * Readable paths of groups and leaves, made of their names.
 *
 * A name such as "array['atoms'].mass" is what leads to a leaf in its tree; each step of it becomes a part of a path:
 * "atoms/mass". Parts that Zarr refuses or advises against are mended, and two that come out alike in one place are
 * told apart by a number. Names may come from a hostile file. The rules: docs/format/tree.md, "Paths".
 */
#ifndef VVI_PYTREE_PATHS_H
#define VVI_PYTREE_PATHS_H

#include "util/error.h"

typedef struct vvi_path_node vvi_path_node;

/* Nodes of a hierarchy, numbered as they are made. Zero is empty. */
typedef struct vvi_tree_paths {
    vvi_path_node *nodes;
    size_t count, cap;
    size_t *slots; /* numbers of nodes and one, by what they are found by; 0: free */
    size_t slot_count, used;
} vvi_tree_paths;
#define VVI_PATH_TOP SIZE_MAX /* what all nodes lie below; its path is "" */

/*
 * Follow a name from a node, making nodes that are not there; what stands in front of the first step ("array") is
 * passed by, so "group" leads to from itself. Who comes first has the plain path.
 */
vv_status vvi_tree_paths_follow(vvi_tree_paths *paths, size_t from, const char *name,
                                size_t *out, vv_error *err);
/* The same for a leaf: the one of a group without a tree is called "value". */
vv_status vvi_tree_paths_leaf(vvi_tree_paths *paths, size_t group, const char *name,
                              size_t *out, vv_error *err);
/* Make a node of our own there ("steps"), which no name leads to. */
vv_status vvi_tree_paths_own(vvi_tree_paths *paths, size_t from, const char *part,
                             size_t *out, vv_error *err);
/* "step/atoms/mass"; lives until the paths are cleared. */
const char *vvi_tree_paths_text(const vvi_tree_paths *paths, size_t node);
void vvi_tree_paths_clear(vvi_tree_paths *paths);

#endif
