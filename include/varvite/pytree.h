/*
 * Trees of named leaves: the shape of what a recording's group holds.
 *
 * A tree is nested containers (dict, list, tuple, named tuple, registered class, …) whose leaves
 * are arrays, as JAX's pytrees are. It is declared as JSON (docs/format/tree.md), names its leaves
 * as kUPS names its datasets, and is turned into the pickle that kUPS keeps and read back from it
 * without executing anything.
 *
 * Threads: a tree does not change; any number may read it. Ownership: free with vv_tree_free();
 * texts that are handed out live as long as the tree.
 */
#ifndef VARVITE_PYTREE_H
#define VARVITE_PYTREE_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Deeper trees and values are refused with VV_ELIMIT. */
#define VV_TREE_DEPTH_MAX 60

typedef struct vv_tree vv_tree;

/**
 * Make a tree from its JSON form. Keys of a dict are put in Python's order, so leaves may stand in
 * another order than in the text: look them up by name.
 * @return VV_OK, VV_EINVAL (names the node), VV_ELIMIT, VV_ENOMEM
 */
VV_API vv_status vv_tree_from_json(const char *text, vv_tree **out, vv_error *err);

/**
 * Read the pickle of a jaxlib PyTreeDef. Nothing is looked up or called: classes are kept as names,
 * and any opcode or global that such a tree does not need is refused.
 *
 * The pickle does not hold the names of class fields: give the names of the leaves to restore them
 * with vv_tree_set_names().
 * @return VV_OK, VV_ECORRUPT (the offset, and why), VV_ELIMIT, VV_ENOMEM
 */
VV_API vv_status vv_tree_from_pickle(vv_bytes pickle, vv_tree **out, vv_error *err);

VV_API void vv_tree_free(vv_tree *tree);

/** Append the JSON form, terminated. */
VV_API vv_status vv_tree_to_json(const vv_tree *tree, vv_buf *out, vv_error *err);
/** Append the pickle, byte for byte what JAX writes for the same tree. */
VV_API vv_status vv_tree_to_pickle(const vv_tree *tree, vv_buf *out, vv_error *err);

VV_API size_t vv_tree_leaf_count(const vv_tree *tree);
/** Nodes of all kinds. */
VV_API size_t vv_tree_node_count(const vv_tree *tree);
/** The name of the outermost node's type in Python: "dict", "tuple", "NoneType", a class's
 *  qualified name; NULL when the tree is one leaf. */
VV_API const char *vv_tree_class_name(const vv_tree *tree);

/**
 * A leaf's name without what stands in front ("array"): "['pos']", ".atoms[0]", "" for a tree that
 * is one leaf.
 */
VV_API const char *vv_tree_leaf_name(const vv_tree *tree, size_t leaf);
/** The number of a leaf by its name. @return false: there is none */
VV_API bool vv_tree_leaf_by_name(const vv_tree *tree, const char *name, size_t *leaf);
/**
 * The names with a prefix ("array", "group") in front of each, as the JSON list that kUPS keeps,
 * byte for byte; terminated.
 */
VV_API vv_status vv_tree_names_json(const vv_tree *tree, const char *prefix, vv_buf *out,
                                    vv_error *err);
/**
 * Take the names of leaves from such a list. Fields of classes get the names that stand there.
 * @return VV_OK, VV_ECORRUPT (no such list; another number of names than leaves; the message says
 *         which name does not fit), VV_ENOMEM; on failure the names stay as they were
 */
VV_API vv_status vv_tree_set_names(vv_tree *tree, const char *names_json,
                                   const char *prefix, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
