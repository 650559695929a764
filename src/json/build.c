/* Making, changing and freeing a JSON tree. */
#include "json/tree.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

vvi_json *vvi_json_node(vvi_json_kind kind, const char *text, size_t len)
{
    vvi_json *node = vvi_alloc(sizeof(*node) + len + 1);

    if (!node)
        return NULL;
    *node = (vvi_json){ .kind = kind, .len = len };
    if (len)
        memcpy(node->text, text, len);
    node->text[len] = '\0';
    return node;
}

void vvi_json_link(vvi_json *parent, vvi_json *node)
{
    node->parent = parent;
    node->next = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

static void free_node(vvi_json *node)
{
    vvi_free(node->name);
    vvi_free(node);
}

void vvi_json_free(vvi_json *value)
{
    vvi_json *node = value;

    if (!value)
        return;
    /* Always free the first leaf; its parent then begins with the next sibling. */
    while (value->first) {
        vvi_json *parent;

        while (node->first)
            node = node->first;
        parent = node->parent;
        parent->first = node->next;
        free_node(node);
        node = parent;
    }
    free_node(value);
}

vv_status vvi_json_copy(const vvi_json *value, vvi_json **out, vv_error *err)
{
    vvi_json *root = NULL;
    vvi_json *parent = NULL;
    const vvi_json *from = value;

    while (from) {
        vvi_json *node = vvi_json_node(from->kind, from->text, from->len);

        if (!node)
            goto nomem;
        node->boolean = from->boolean;
        if (root)
            vvi_json_link(parent, node);
        else
            root = node;
        if (from != value && from->name && !(node->name = vvi_strdup(from->name)))
            goto nomem;
        if (from->first) {
            parent = node;
        } else {
            /* As vvi_json_walk() goes up, so does the place where the copy grows. */
            for (const vvi_json *up = from; up != value && !up->next; up = up->parent)
                parent = parent->parent;
        }
        from = vvi_json_walk(value, from);
    }
    *out = root;
    return VV_OK;

nomem:
    vvi_json_free(root);
    return vvi_fail_nomem(err, sizeof(*root));
}

vvi_json *vvi_json_new(vvi_json_kind kind)
{
    assert(kind == VVI_JSON_NULL || kind == VVI_JSON_ARRAY || kind == VVI_JSON_OBJECT);
    return vvi_json_node(kind, NULL, 0);
}

vvi_json *vvi_json_new_bool(bool boolean)
{
    vvi_json *node = vvi_json_node(VVI_JSON_BOOL, NULL, 0);

    if (node)
        node->boolean = boolean;
    return node;
}

vvi_json *vvi_json_new_int64(int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, number);

    return vvi_json_node(VVI_JSON_NUMBER, text, (size_t)len);
}

vvi_json *vvi_json_new_uint64(uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, number);

    return vvi_json_node(VVI_JSON_NUMBER, text, (size_t)len);
}

vvi_json *vvi_json_new_double(double number)
{
    char text[VVI_DOUBLE_TEXT];
    size_t len = vvi_double_format(number, text);

    return vvi_json_node(VVI_JSON_NUMBER, text, len);
}

vvi_json *vvi_json_new_string(vv_bytes text)
{
    return vvi_json_node(VVI_JSON_STRING, (const char *)text.data, text.len);
}

vvi_json *vvi_json_new_text(const char *text)
{
    return vvi_json_new_string(vv_bytes_of(text));
}

/* Take member out of its parent; before it stands previous, or nothing. */
static void unlink_after(vvi_json *parent, vvi_json *previous, vvi_json *member)
{
    if (previous)
        previous->next = member->next;
    else
        parent->first = member->next;
    if (parent->last == member)
        parent->last = previous;
    parent->count--;
    member->parent = NULL;
    member->next = NULL;
}

void vvi_json_remove(vvi_json *object, const char *name)
{
    vvi_json *previous = NULL;
    vvi_json *member = object->first;

    assert(object->kind == VVI_JSON_OBJECT);
    while (member) {
        vvi_json *next = member->next;

        if (strcmp(member->name, name) == 0) {
            unlink_after(object, previous, member);
            vvi_json_free(member);
        } else {
            previous = member;
        }
        member = next;
    }
}

vv_status vvi_json_set(vvi_json *object, const char *name, vvi_json *value, vv_error *err)
{
    vvi_json *old;
    vvi_json **place;

    assert(object->kind == VVI_JSON_OBJECT);
    if (!value)
        return vvi_fail_nomem(err, sizeof(*value));
    assert(!value->parent && !value->name);
    value->name = vvi_strdup(name);
    if (!value->name) {
        vvi_json_free(value);
        return vvi_fail_nomem(err, strlen(name) + 1);
    }
    old = vvi_json_get(object, name);
    if (!old) {
        vvi_json_link(object, value);
        return VV_OK;
    }
    for (place = &object->first; *place != old;)
        place = &(*place)->next;
    *place = value;
    value->parent = object;
    value->next = old->next;
    if (object->last == old)
        object->last = value;
    old->parent = NULL;
    old->next = NULL;
    vvi_json_free(old);
    return VV_OK;
}

vv_status vvi_json_append(vvi_json *array, vvi_json *value, vv_error *err)
{
    assert(array->kind == VVI_JSON_ARRAY);
    if (!value)
        return vvi_fail_nomem(err, sizeof(*value));
    assert(!value->parent);
    vvi_json_link(array, value);
    return VV_OK;
}
