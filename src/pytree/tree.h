/* Trees, from inside. */
#ifndef VVI_PYTREE_TREE_H
#define VVI_PYTREE_TREE_H

#include "pytree/value.h"

/* As JAX numbers them. */
typedef enum vvi_node_kind {
    VVI_TREE_LEAF = 0,
    VVI_TREE_NONE,
    VVI_TREE_TUPLE,
    VVI_TREE_NAMEDTUPLE,
    VVI_TREE_LIST,
    VVI_TREE_DICT,
    VVI_TREE_CUSTOM,
    VVI_TREE_DATACLASS
} vvi_node_kind;
#define VVI_TREE_KINDS 8

typedef struct vvi_tree_node vvi_tree_node;
struct vvi_tree_node {
    vvi_node_kind kind;
    vvi_py *keys;  /* DICT: a list of them, in order; else NULL */
    vvi_py *type;  /* NAMEDTUPLE, CUSTOM, DATACLASS: the class */
    vvi_py *meta;  /* CUSTOM, DATACLASS: static values */
    char **fields; /* names of the children's fields; NULL: not known, or none */
    vvi_tree_node **children;
    size_t count;
    size_t leaf;          /* LEAF: its number */
    size_t leaves, nodes; /* of this node and all below */
    uint32_t depth;       /* of what is below */
};

struct vv_tree {
    vvi_tree_node *root;
    char **names;     /* of the leaves */
    size_t *by_name;  /* leaf numbers, sorted by name */
    char *class_name; /* NULL for a leaf */
};

/* Takes children (n of them) and the counts of the three values, also on failure. */
vvi_tree_node *vvi_tree_node_new(vvi_node_kind kind);
void vvi_tree_node_free(vvi_tree_node *node);
/* Count what is below a node whose children are complete. VV_ELIMIT when it is too deep. */
vv_status vvi_tree_node_close(vvi_tree_node *node, vv_error *err);
/* Takes the root, also on failure; numbers its leaves and names them. */
vv_status vvi_tree_new(vvi_tree_node *root, vv_tree **out, vv_error *err);

/* As vv_tree_from_json(), of JSON that is read already. stated[i], if not NULL: the number that leaf i has
 * there, 0 where none stands; free with vvi_free(). */
vv_status vvi_tree_from_json(const vvi_json *json, vv_tree **out, size_t **stated,
                             vv_error *err);

/* "module:qualified.name" of a class. */
vv_status vvi_class_text(const vvi_py *type, vv_buf *out, vv_error *err);

#endif
