/* One tree a line as JSON: prints its names, then its pickle as hexadecimal, a line each. The pickle is
 * read back, and must give the same pickle again. */
#include <varvite/varvite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show(const char *line)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf names = VV_BUF_INIT;
    vv_buf pickle = VV_BUF_INIT;
    vv_buf again = VV_BUF_INIT;
    vv_tree *tree = NULL;
    vv_tree *back = NULL;
    int bad = 1;

    if (vv_tree_from_json(line, &tree, &err) ||
        vv_tree_names_json(tree, "array", &names, &err) ||
        vv_tree_to_pickle(tree, &pickle, &err) ||
        vv_tree_from_pickle((vv_bytes){ pickle.data, pickle.len }, &back, &err) ||
        vv_tree_set_names(back, (const char *)names.data, "array", &err) ||
        vv_tree_to_pickle(back, &again, &err))
        fprintf(stderr, "%s\n", err.message);
    else if (again.len != pickle.len || memcmp(again.data, pickle.data, again.len) != 0)
        fprintf(stderr, "another pickle after reading it\n");
    else
        bad = 0;
    puts(names.data ? (const char *)names.data : "");
    for (size_t i = 0; i < pickle.len; i++)
        printf("%02x", pickle.data[i]);
    puts("");
    vv_buf_clear(&names);
    vv_buf_clear(&pickle);
    vv_buf_clear(&again);
    vv_tree_free(tree);
    vv_tree_free(back);
    return bad;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    int bad = 0;

    while (!bad && getline(&line, &cap, stdin) > 0)
        bad = show(line);
    free(line);
    return bad;
}
