/* Reading a JSON tree. */
#include "json/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool vvi_json_is(const vvi_json *value, vvi_json_kind kind)
{
    return value && value->kind == kind;
}

vvi_json_kind vvi_json_kind_of(const vvi_json *value)
{
    return value ? value->kind : VVI_JSON_NULL;
}

const char *vvi_json_kind_name(const vvi_json *value)
{
    static const char *const names[] = {
        [VVI_JSON_NULL] = "null",       [VVI_JSON_BOOL] = "a boolean",
        [VVI_JSON_NUMBER] = "a number", [VVI_JSON_STRING] = "a string",
        [VVI_JSON_ARRAY] = "a list",    [VVI_JSON_OBJECT] = "an object",
    };

    return value ? names[value->kind] : "nothing";
}

size_t vvi_json_count(const vvi_json *value)
{
    return value ? value->count : 0;
}

vvi_json *vvi_json_get(const vvi_json *object, const char *name)
{
    vvi_json *found = NULL;

    if (!vvi_json_is(object, VVI_JSON_OBJECT))
        return NULL;
    for (vvi_json *member = object->first; member; member = member->next)
        if (strcmp(member->name, name) == 0)
            found = member;
    return found;
}

vvi_json *vvi_json_first(const vvi_json *container)
{
    return container ? container->first : NULL;
}

vvi_json *vvi_json_next(const vvi_json *value)
{
    return value ? value->next : NULL;
}

const char *vvi_json_name(const vvi_json *member)
{
    return member ? member->name : NULL;
}

const char *vvi_json_text(const vvi_json *value, size_t *len)
{
    if (!vvi_json_is(value, VVI_JSON_STRING))
        return NULL;
    if (len)
        *len = value->len;
    return value->text;
}

bool vvi_json_is_text(const vvi_json *value, const char *text)
{
    return vvi_json_is(value, VVI_JSON_STRING) && value->len == strlen(text) &&
           memcmp(value->text, text, value->len) == 0;
}

bool vvi_json_bool(const vvi_json *value, bool *out)
{
    if (!vvi_json_is(value, VVI_JSON_BOOL))
        return false;
    *out = value->boolean;
    return true;
}

const char *vvi_json_digits(const vvi_json *value)
{
    return vvi_json_is(value, VVI_JSON_NUMBER) ? value->text : NULL;
}

bool vvi_json_is_integer(const vvi_json *value)
{
    return vvi_json_is(value, VVI_JSON_NUMBER) && !strpbrk(value->text, ".eENI");
}

bool vvi_json_int64(const vvi_json *value, int64_t *out)
{
    long long number;

    if (!vvi_json_is_integer(value))
        return false;
    errno = 0;
    number = strtoll(value->text, NULL, 10);
    if (errno)
        return false;
    *out = number;
    return true;
}

bool vvi_json_uint64(const vvi_json *value, uint64_t *out)
{
    unsigned long long number;

    /* strtoull takes a sign and wraps; "-0" is the one negative text that is not below zero. */
    if (!vvi_json_is_integer(value) || (value->text[0] == '-' && value->text[1] != '0'))
        return false;
    errno = 0;
    number = strtoull(value->text, NULL, 10);
    if (errno)
        return false;
    *out = number;
    return true;
}

bool vvi_json_double(const vvi_json *value, double *out)
{
    return vvi_json_is(value, VVI_JSON_NUMBER) && vvi_double_parse(value->text, out);
}

const vvi_json *vvi_json_walk(const vvi_json *root, const vvi_json *node)
{
    if (node->first)
        return node->first;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}
