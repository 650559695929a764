/* Trees: the first byte says pickle or JSON. What is read comes back equal through both forms. */
#include "fuzz.h"

#include "util/buf.h"

static void check_tree(vv_tree *tree)
{
    vv_buf pickle = VV_BUF_INIT, again = VV_BUF_INIT, names = VV_BUF_INIT,
           json = VV_BUF_INIT;
    vv_tree *back = NULL;
    size_t leaf;

    CHECK(vv_tree_leaf_count(tree) <= vv_tree_node_count(tree));
    for (size_t i = 0; i < vv_tree_leaf_count(tree); i++)
        CHECK(vv_tree_leaf_by_name(tree, vv_tree_leaf_name(tree, i), &leaf));
    CHECK(vv_tree_to_json(tree, &json, NULL) == VV_OK);
    CHECK(vv_tree_names_json(tree, "array", &names, NULL) == VV_OK);
    CHECK(vv_tree_to_pickle(tree, &pickle, NULL) == VV_OK);
    CHECK(vv_tree_from_pickle(vvi_buf_bytes(&pickle), &back, NULL) == VV_OK);
    CHECK(vv_tree_leaf_count(tree) == vv_tree_leaf_count(back));
    CHECK(vv_tree_to_pickle(back, &again, NULL) == VV_OK);
    CHECK(vvi_bytes_equal(vvi_buf_bytes(&pickle), vvi_buf_bytes(&again)));
    vv_tree_set_names(back, (const char *)names.data, "array", NULL);
    vv_tree_free(back);
    vv_buf_clear(&pickle);
    vv_buf_clear(&again);
    vv_buf_clear(&names);
    vv_buf_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_tree *tree = NULL;
    char *text;

    if (len == 0)
        return 0;
    if (data[0] == 0x80) {
        if (vv_tree_from_pickle(vvi_bytes(data, len), &tree, NULL) == VV_OK)
            check_tree(tree);
    } else {
        text = malloc(len + 1);
        CHECK(text);
        memcpy(text, data, len);
        text[len] = '\0';
        if (vv_tree_from_json(text, &tree, NULL) == VV_OK)
            check_tree(tree);
        free(text);
    }
    vv_tree_free(tree);
    return 0;
}
