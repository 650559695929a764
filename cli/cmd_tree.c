#include "describe.h"
#include "out.h"
#include "stores.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

/* How lines are drawn where the terminal's character set has them, and elsewhere. */
typedef struct drawing {
    const char *bar, *gap, *fork, *corner;
} drawing;
static const drawing unicode_lines = { "│   ", "    ", "├── ", "└── " };
static const drawing ascii_lines = { "|   ", "    ", "|-- ", "`-- " };

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Say for each node whether it is the last of its siblings. */
static bool *find_last(const cli_nodes *nodes)
{
    bool *last = cli_alloc(nodes->count);
    bool *seen = NULL; /* by depth: a sibling behind this one */
    size_t cap = 0, known = 0;

    for (size_t i = nodes->count; i-- > 0;) {
        size_t depth = nodes->items[i].depth;
        seen = cli_grow(seen, &cap, depth + 1, sizeof(*seen));
        while (known <= depth)
            seen[known++] = false;
        last[i] = !seen[depth];
        seen[depth] = true;
        known = depth + 1; /* what is deeper belongs to other parents */
    }
    free(seen);
    return last;
}

static vv_status print_node(cli_call *call, vv_store *store, const cli_node *node)
{
    const char *name = node->depth ? last_name(node->path) : node->path;
    vv_array *array;

    if (node->kind != VV_NODE_ARRAY) {
        out_text(cli_color(call->color_out, "blue"));
        out_name(name);
        out_text("/");
        out_text(cli_color(call->color_out, "off"));
        out_text("\n");
        return VV_OK;
    }
    out_name(name);
    out_text(" ");
    vv_status status = vv_array_open(store, node->path, &array, &call->err);
    if (status == VV_EUNSUPPORTED) { /* say so and draw the rest */
        out_text("- ");
        out_name(call->err.message);
        out_text("\n");
        return VV_OK;
    }
    if (status)
        return status;
    const vv_array_meta *meta = vv_array_get_meta(array);
    print_dimensions(meta);
    out_format(" %s\n", vv_dtype_name(meta->dtype));
    vv_array_free(array);
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status draw(cli_call *call, vv_store *store, const cli_nodes *nodes)
{
    const drawing *lines = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? &unicode_lines
                                                                      : &ascii_lines;
    bool *last = find_last(nodes);
    bool *closed = NULL; /* by depth: no sibling of that ancestor follows */
    size_t cap = 0;
    vv_status status = VV_OK;

    for (size_t i = 0; i < nodes->count && !status; i++) {
        size_t depth = nodes->items[i].depth;
        closed = cli_grow(closed, &cap, depth + 1, sizeof(*closed));
        closed[depth] = last[i];
        for (size_t d = 1; d < depth; d++)
            out_text(closed[d] ? lines->gap : lines->bar);
        if (depth)
            out_text(last[i] ? lines->corner : lines->fork);
        status = print_node(call, store, &nodes->items[i]);
    }
    free(closed);
    free(last);
    return status;
}

static vv_status list_json(cli_call *call, vv_store *store, const cli_nodes *nodes)
{
    vv_status status = VV_OK;

    json_list(NULL);
    for (size_t i = 0; i < nodes->count && !status; i++) {
        const cli_node *node = &nodes->items[i];
        vv_array *array = NULL;
        json_object(NULL);
        json_text("path", node->path);
        json_text("kind", node->kind == VV_NODE_ARRAY ? "array" : "group");
        if (node->kind == VV_NODE_ARRAY)
            status = vv_array_open(store, node->path, &array, &call->err);
        if (array)
            json_array_shape(vv_array_get_meta(array));
        if (status == VV_EUNSUPPORTED) {
            json_text("error", call->err.message);
            status = VV_OK;
        }
        vv_array_free(array);
        json_end();
    }
    json_end();
    return status;
}

vv_status cmd_tree(cli_call *call)
{
    char *copy = cli_strdup(call->arg_count > 1 ? call->args[1] : "");
    cli_nodes nodes = { NULL, 0, 0 };
    vv_store *store = NULL;

    vv_status status = cli_open_root_listed(call, call->args[0], &store);
    if (!status)
        status = cli_nodes_read(call, store, cli_trim_slashes(copy), true, &nodes);
    if (!status)
        status = (call->json ? list_json : draw)(call, store, &nodes);
    cli_nodes_clear(&nodes);
    vv_store_free(store);
    free(copy);
    return status;
}
