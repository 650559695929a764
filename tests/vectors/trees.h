/* Trees in vectors. */
#ifndef VV_TESTS_VECTORS_TREES_H
#define VV_TESTS_VECTORS_TREES_H

#include "vectors.h"

/* A tree in our JSON form; NULL: it could not be written. */
json_t *tree_as_json(const vv_tree *tree);
/* Take the names of fields out, which vectors do not have. */
void forget_fields(json_t *node);

#endif
