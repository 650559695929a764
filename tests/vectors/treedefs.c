/* treedefs: trees, their pickles byte for byte, and the names of their leaves. */
#include "trees.h"
#include "vectors.h"

#include <string.h>

static bool same_text(const vv_buf *got, const char *wanted)
{
    return got->len == strlen(wanted) && memcmp(got->data, wanted, got->len) == 0;
}

json_t *tree_as_json(const vv_tree *tree)
{
    vv_buf text = VV_BUF_INIT;
    json_t *out = NULL;

    if (!vv_tree_to_json(tree, &text, NULL))
        out = json_loads((const char *)text.data, JSON_ALLOW_NUL, NULL);
    vv_buf_clear(&text);
    return out;
}

void forget_fields(json_t *node)
{
    size_t i;
    json_t *child;

    json_object_del(node, "fields");
    json_array_foreach(json_object_get(node, "children"), i, child) forget_fields(child);
}

/* From the pickle: counts, names, the JSON form, and the pickle again. */
static bool read_back(vector_run *run, const char *name, const json_t *entry,
                      vv_bytes pickle)
{
    const char *paths = text_of(entry, "paths_json");
    const json_t *wanted = json_object_get(entry, "tree");
    vv_error err = VV_ERROR_INIT;
    vv_buf again = VV_BUF_INIT;
    vv_buf names = VV_BUF_INIT;
    vv_tree *tree = NULL;
    json_t *got = NULL;
    bool fine = false;

    if (vv_tree_from_pickle(pickle, &tree, &err) ||
        vv_tree_set_names(tree, paths, "array", &err))
        vector_fail(run, name, "reading: %s", err.message);
    else if ((int64_t)vv_tree_leaf_count(tree) != int_of(entry, "leaves", -1) ||
             (int64_t)vv_tree_node_count(tree) != int_of(entry, "nodes", -1))
        vector_fail(run, name, "%zu leaves, %zu nodes", vv_tree_leaf_count(tree),
                    vv_tree_node_count(tree));
    else if (vv_tree_names_json(tree, "array", &names, &err) || !same_text(&names, paths))
        vector_fail(run, name, "names %s", names.data ? (char *)names.data : err.message);
    else if (vv_tree_to_pickle(tree, &again, &err) || again.len != pickle.len ||
             memcmp(again.data, pickle.data, pickle.len) != 0)
        vector_fail(run, name, "another pickle than was read");
    else if (!(got = tree_as_json(tree)))
        vector_fail(run, name, "no JSON: %s", err.message);
    else {
        forget_fields(got);
        fine = !json_is_object(wanted) || json_equal(got, wanted);
        if (!fine)
            vector_fail(run, name, "another tree: %s", json_dumps(got, JSON_COMPACT));
    }
    json_decref(got);
    vv_buf_clear(&again);
    vv_buf_clear(&names);
    vv_tree_free(tree);
    return fine;
}

/* From the JSON form, as a caller declares it: the same pickle. */
static bool make_anew(vector_run *run, const char *name, const json_t *entry,
                      vv_bytes pickle)
{
    json_t *form = json_object_get(entry, "tree");
    char *text = json_is_object(form) ? json_dumps(form, 0) : NULL;
    vv_error err = VV_ERROR_INIT;
    vv_buf made = VV_BUF_INIT;
    vv_tree *tree = NULL;
    bool fine = true;

    if (text &&
        (vv_tree_from_json(text, &tree, &err) || vv_tree_to_pickle(tree, &made, &err))) {
        vector_fail(run, name, "making: %s", err.message);
        fine = false;
    } else if (text && (made.len != pickle.len ||
                        memcmp(made.data, pickle.data, made.len) != 0)) {
        vector_fail(run, name, "another pickle than JAX's, from JSON");
        fine = false;
    }
    free(text);
    vv_buf_clear(&made);
    vv_tree_free(tree);
    return fine;
}

void run_treedefs(vector_run *run, const json_t *document)
{
    size_t i;
    json_t *entry;

    json_array_foreach(document, i, entry)
    {
        const char *name = text_of(entry, "name");
        vv_buf pickle = bytes_of_hex(text_of(entry, "pickle_hex"));
        vv_bytes bytes = { pickle.data, pickle.len };

        if (read_back(run, name, entry, bytes) && make_anew(run, name, entry, bytes))
            vector_pass(run);
        vv_buf_clear(&pickle);
    }
}
