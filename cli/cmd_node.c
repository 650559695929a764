/* mv, cp and attr: nodes of a hierarchy change their place or their attributes. */
#include "describe.h"
#include "out.h"
#include "stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status relocate(cli_call *call, vv_status (*act)(vv_store *, const char *,
                                                           const char *, vv_error *))
{
    cli_tree tree = { NULL, NULL };
    vv_status status = cli_tree_open(call, call->args[0], &tree);

    if (!status)
        status = act(tree.store, call->args[1], call->args[2], &call->err);
    if (!status)
        status = cli_tree_finish(call, &tree);
    cli_tree_clear(&tree);
    return status;
}

vv_status cmd_cp(cli_call *call)
{
    return relocate(call, vv_node_copy);
}

vv_status cmd_mv(cli_call *call)
{
    return relocate(call, vv_node_rename);
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* Text that grows. */
typedef struct growing {
    char *at;
    size_t len, cap;
} growing;

static void add(growing *self, const char *bytes, size_t n)
{
    self->at = cli_grow(self->at, &self->cap, self->len + n + 1, 1);
    memcpy(self->at + self->len, bytes, n);
    self->len += n;
    self->at[self->len] = '\0';
}

static void add_text(growing *self, const char *bytes)
{
    add(self, bytes, strlen(bytes));
}

/* A name as a JSON string without its quotes. */
static char *escaped(const char *name, size_t len)
{
    growing out = { NULL, 0, 0 };
    char code[8];

    add_text(&out, "");
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte < 0x20)
            snprintf(code, sizeof(code), "\\u%04x", byte);
        else
            snprintf(code, sizeof(code), "%s%c", byte == '"' || byte == '\\' ? "\\" : "",
                     byte);
        add_text(&out, code);
    }
    return out.at;
}

/* Is this one JSON value, as far as its ends go? The library parses it. */
static bool is_one_value(const char *json)
{
    growing list = { NULL, 0, 0 };
    cli_span key, value;
    cli_scan scan;
    bool good;

    add_text(&list, "[");
    add_text(&list, json);
    add_text(&list, "]");
    good = scan_begin((cli_span){ list.at, list.len }, &scan) &&
           scan_next(&scan, &key, &value) && !scan_next(&scan, &key, &value) &&
           strspn(scan.at, " \t\r\n]") == strlen(scan.at);
    free(list.at);
    return good;
}

/* The object with NAME set to json in its place or at the end; "" takes it out. */
static char *with_member(const char *object, const char *name, const char *json)
{
    growing out = { NULL, 0, 0 };
    cli_span key, value;
    cli_scan scan;
    bool found = false;

    add_text(&out, "{");
    if (scan_begin((cli_span){ object, strlen(object) }, &scan))
        while (scan_next(&scan, &key, &value)) {
            cli_span plain = scan_unquoted(key);
            bool this_one = plain.len == strlen(name) &&
                            memcmp(plain.at, name, plain.len) == 0;

            found = found || this_one;
            if (this_one && !*json)
                continue;
            add_text(&out, out.len > 1 ? ", " : "");
            add(&out, key.at, key.len);
            add_text(&out, ": ");
            if (this_one)
                add_text(&out, json);
            else
                add(&out, value.at, value.len);
        }
    if (!found && *json) {
        add_text(&out, out.len > 1 ? ", \"" : "\"");
        add_text(&out, name);
        add_text(&out, "\": ");
        add_text(&out, json);
    }
    add_text(&out, "}");
    return out.at;
}

static vv_status change_one(cli_call *call, const char *change, char **object)
{
    const char *equals = strchr(change, '=');
    vv_status status = VV_OK;

    if (!equals)
        return cli_usage(call, "%.100s: NAME=JSON is wanted with others like it", change);
    char *name = escaped(change, (size_t)(equals - change));
    if (equals[1] && !is_one_value(equals + 1)) {
        status = cli_usage(
            call,
            "%.100s: not one JSON value; a text stands in double quotes, as "
            "in units='\"K\"'",
            change);
    } else {
        char *next = with_member(*object, name, equals + 1);
        free(*object);
        *object = next;
    }
    free(name);
    return status;
}

static vv_status change_attributes(cli_call *call, const char *path)
{
    cli_tree tree = { NULL, NULL };
    vv_buf text = VV_BUF_INIT;
    char *object = NULL;
    vv_status status = cli_tree_open(call, call->args[0], &tree);

    if (!status)
        status = vv_node_attributes(tree.store, path, &text, &call->err);
    if (!status)
        object = cli_strdup((const char *)text.data);
    for (size_t i = 2; i < call->arg_count && !status; i++)
        status = change_one(call, call->args[i], &object);
    if (!status)
        status = vv_node_set_attributes(tree.store, path, object, &call->err);
    if (status == VV_EINVAL && strstr(call->err.message, "JSON"))
        cli_wrap(call, status, "a text stands in double quotes, as in units='\"K\"'");
    if (!status)
        status = cli_tree_finish(call, &tree);
    free(object);
    vv_buf_clear(&text);
    cli_tree_clear(&tree);
    return status;
}

/* All of them, a line each, or the value of one. */
static vv_status print_attributes(cli_call *call, const char *path)
{
    const char *wanted = call->arg_count > 2 ? call->args[2] : NULL;
    vv_store *store = NULL;
    vv_buf text = VV_BUF_INIT;
    cli_span key, value;
    cli_scan scan;
    vv_status status = cli_open_root(call, call->args[0], &store);

    if (!status)
        status = vv_node_attributes(store, path, &text, &call->err);
    if (!status && wanted) {
        char *name = escaped(wanted, strlen(wanted));
        if (!scan_find((cli_span){ (const char *)text.data, text.len }, name, &value))
            status = cli_fail(call, VV_ENOTFOUND, "%.100s: no attribute %.100s", path,
                              wanted);
        else
            out_bytes((vv_bytes){ (const uint8_t *)value.at, value.len });
        free(name);
        if (!status)
            out_text("\n");
    } else if (!status && call->json) {
        out_bytes((vv_bytes){ text.data, text.len });
        out_text("\n");
    } else if (!status &&
               scan_begin((cli_span){ (const char *)text.data, text.len }, &scan)) {
        while (scan_next(&scan, &key, &value)) {
            key = scan_unquoted(key);
            out_bytes((vv_bytes){ (const uint8_t *)key.at, key.len });
            out_text(" = ");
            out_bytes((vv_bytes){ (const uint8_t *)value.at, value.len });
            out_text("\n");
        }
    }
    vv_buf_clear(&text);
    vv_store_free(store);
    return status;
}

vv_status cmd_attr(cli_call *call)
{
    const char *path = call->arg_count > 1 ? call->args[1] : "";

    if (call->arg_count > 3 || (call->arg_count == 3 && strchr(call->args[2], '=')))
        return change_attributes(call, path);
    return print_attributes(call, path);
}
