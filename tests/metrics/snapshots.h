/* Snapshots as JSON trees, for the tests of metrics. */
#ifndef VV_TESTS_METRICS_SNAPSHOTS_H
#define VV_TESTS_METRICS_SNAPSHOTS_H

#include "support/support.h"

#include <jansson.h>

/* The text of a call as JSON; json_decref(). */
static inline json_t *parse_text(vv_buf *text)
{
    json_error_t why;
    json_t *tree = json_loadb((const char *)text->data, text->len, 0, &why);

    if (!tree)
        fail_msg("%s in %.*s", why.text, (int)text->len, (const char *)text->data);
    vv_buf_clear(text);
    return tree;
}

static inline json_t *snapshot(void)
{
    vv_buf text = VV_BUF_INIT;

    assert_int_equal(vv_metrics_snapshot(&text, NULL), VV_OK);
    return parse_text(&text);
}

/* A number at a path of members; −1 where there is none. */
static inline double number_at(const json_t *tree, const char *outer, const char *name)
{
    const json_t *at = outer ? json_object_get(tree, outer) : tree;

    at = json_object_get(at, name);
    return json_is_number(at) ? json_number_value(at) : -1;
}

/* The same of what is counted now. */
static inline double counted(const char *outer, const char *name)
{
    json_t *tree = snapshot();
    double number = number_at(tree, outer, name);

    json_decref(tree);
    return number;
}

#endif
