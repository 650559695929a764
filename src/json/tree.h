/* The node of a JSON tree, for the files of this room. */
#ifndef VVI_JSON_TREE_H
#define VVI_JSON_TREE_H

#include "json/json.h"

struct vvi_json {
    vvi_json *parent, *next;
    vvi_json *first, *last; /* of a container */
    char *name;             /* of a member; terminated */
    size_t count;           /* of a container */
    size_t len;             /* of text */
    vvi_json_kind kind;
    bool boolean;
    char text[]; /* of a string or number; terminated */
};

/* A node with room for len bytes of text; NULL: out of memory. */
vvi_json *vvi_json_node(vvi_json_kind kind, const char *text, size_t len);
/* Put a node at the end of its parent. */
void vvi_json_link(vvi_json *parent, vvi_json *node);

/* The node after this one, children before siblings; NULL when all of root was seen. */
const vvi_json *vvi_json_walk(const vvi_json *root, const vvi_json *node);

#endif
