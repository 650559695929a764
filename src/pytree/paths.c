/* Paths of names: their steps, the parts that are made of them, and the nodes that have been made. */
#include "pytree/paths.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

#define PART_MAX  120 /* bytes of a part; file systems take 255 */
#define DEPTH_MAX 64  /* parts; what a name has more of is one part */

struct vvi_path_node {
    size_t parent;
    char *step; /* of the name: "['atoms']", ".mass"; NULL: one of ours */
    char *path;
    const char *part; /* the end of path */
    size_t depth;
    size_t alike; /* parts that wanted to be this one */
};

/* ---- steps of a name -------------------------------------------------------------------------- */

/* The length of "['it\'s']", whose text may hold brackets. */
static size_t bracket_length(const char *at)
{
    size_t depth = 0;
    char quote = '\0';
    size_t i = 0;

    for (; at[i]; i++) {
        if (quote) {
            if (at[i] == '\\' && at[i + 1])
                i++;
            else if (at[i] == quote)
                quote = '\0';
        } else if (at[i] == '\'' || at[i] == '"') {
            quote = at[i];
        } else if (at[i] == '[') {
            depth++;
        } else if (at[i] == ']' && --depth == 0) {
            return i + 1;
        }
    }
    return i;
}

/* The length of the step that a name goes on with; 0 at its end. */
static size_t step_length(const char *at)
{
    if (*at == '[')
        return bracket_length(at);
    if (*at == '\0')
        return 0;
    return 1 + strcspn(at + 1, ".[");
}

/* What of a step is worth showing: the key without brackets and quotes, the field without its dot. */
static vv_bytes step_text(const char *step, size_t len)
{
    static const char flat[] = "<flat index ";
    vv_bytes text = vvi_bytes(step + 1, len - 1);

    if (*step != '[')
        return text;
    if (text.len && text.data[text.len - 1] == ']')
        text.len--;
    if (text.len >= 2 && (text.data[0] == '\'' || text.data[0] == '"') &&
        text.data[text.len - 1] == text.data[0])
        return vvi_bytes(text.data + 1, text.len - 2);
    if (text.len > sizeof(flat) && memcmp(text.data, flat, sizeof(flat) - 1) == 0)
        return vvi_bytes(text.data + sizeof(flat) - 1, text.len - sizeof(flat));
    return text;
}

/* Zarr v3 core, "Node names": letters, digits, "-", "_" and "." are advised; "__…" and "zarr.json" are
 * reserved, a name of full stops is none. Other alphabets are left as they are. */
static bool is_fine(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || c >= 0x80;
}

/* Make a part of at most PART_MAX bytes, terminated. */
static void mend(vv_bytes text, char out[PART_MAX + 1])
{
    size_t len = text.len < PART_MAX ? text.len : PART_MAX;

    /* Not in the midst of a character. */
    while (len && len < text.len && (text.data[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = is_fine(text.data[i]) ? (char)text.data[i] : '_';
    if (len == 0)
        out[len++] = '_';
    out[len] = '\0';
    if (strspn(out, ".") == len)
        memset(out, '_', 1);
    if (strncmp(out, "__", 2) == 0)
        memmove(out, out + strspn(out, "_") - 1, len - strspn(out, "_") + 2);
    if (strcmp(out, "zarr.json") == 0)
        out[4] = '_';
}

/* ---- finding nodes ------------------------------------------------------------------------------ */

/* A node is found by its step, and by its part, which lies behind a slash that no step begins with. */
static uint64_t hash_of(size_t parent, char kind, const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ parent;

    hash = (hash ^ (uint8_t)kind) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

static bool is_node(const vvi_path_node *node, size_t parent, char kind, const char *text,
                    size_t len)
{
    const char *is = kind == 's' ? node->step : node->part;

    return node->parent == parent && is && strncmp(is, text, len) == 0 && is[len] == '\0';
}

static size_t find(const vvi_tree_paths *paths, size_t parent, char kind,
                   const char *text, size_t len)
{
    size_t mask = paths->slot_count - 1;

    if (!paths->slot_count)
        return VVI_PATH_TOP;
    for (size_t at = (size_t)hash_of(parent, kind, text, len) & mask; paths->slots[at];
         at = (at + 1) & mask)
        if (is_node(&paths->nodes[paths->slots[at] - 1], parent, kind, text, len))
            return paths->slots[at] - 1;
    return VVI_PATH_TOP;
}

static void put_slot(vvi_tree_paths *paths, size_t node, char kind)
{
    const vvi_path_node *new = &paths->nodes[node];
    const char *text = kind == 's' ? new->step : new->part;
    size_t mask = paths->slot_count - 1;
    size_t at;

    if (!text)
        return;
    at = (size_t)hash_of(new->parent, kind, text, strlen(text)) & mask;
    while (paths->slots[at])
        at = (at + 1) & mask;
    paths->slots[at] = node + 1;
    paths->used++;
}

/* Room for two more, at most half full. */
static vv_status grow_slots(vvi_tree_paths *paths, vv_error *err)
{
    size_t count = paths->slot_count ? 2 * paths->slot_count : 64;
    size_t *slots;

    if (paths->slot_count >= 2 * (paths->used + 2))
        return VV_OK;
    slots = vvi_alloc_array_zero(count, sizeof(*slots));
    if (!slots)
        return vvi_fail_nomem(err, count * sizeof(*slots));
    vvi_free(paths->slots);
    paths->slots = slots;
    paths->slot_count = count;
    paths->used = 0;
    for (size_t i = 0; i < paths->count; i++) {
        put_slot(paths, i, 's');
        put_slot(paths, i, 'p');
    }
    return VV_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

/* The part itself, or with the number behind it that is free. */
static void make_unique(const vvi_tree_paths *paths, size_t parent, const char *wanted,
                        char part[PART_MAX + 24])
{
    size_t taken = find(paths, parent, 'p', wanted, strlen(wanted));

    snprintf(part, PART_MAX + 24, "%s", wanted);
    if (taken == VVI_PATH_TOP)
        return;
    do {
        snprintf(part, PART_MAX + 24, "%s_%zu", wanted, ++paths->nodes[taken].alike + 1);
    } while (find(paths, parent, 'p', part, strlen(part)) != VVI_PATH_TOP);
}

/* Put a node below parent, under this name or one with a number behind it. */
static vv_status add_node(vvi_tree_paths *paths, size_t parent, const char *step,
                          size_t step_len, vv_bytes text, size_t *out, vv_error *err)
{
    vvi_path_node *node;
    vv_buf path = VV_BUF_INIT;
    char wanted[PART_MAX + 1];
    char part[PART_MAX + 24];
    char *kept = NULL;
    vv_status status = VV_OK;

    mend(text, wanted);
    make_unique(paths, parent, wanted, part);
    VVI_TRY(grow_slots(paths, err));
    VVI_TRY(vvi_grow((void **)&paths->nodes, &paths->cap, paths->count + 1, sizeof(*node),
                     err));
    if (parent != VVI_PATH_TOP)
        status = vvi_buf_printf(&path, err, "%s/%s", paths->nodes[parent].path, part);
    else
        status = vvi_buf_append_text(&path, part, err);
    if (!status)
        status = vvi_buf_terminate(&path, err);
    if (!status && step && !(kept = vvi_strndup(step, step_len)))
        status = vvi_fail_nomem(err, step_len + 1);
    if (status) {
        vv_buf_clear(&path);
        return status;
    }
    *out = paths->count;
    node = &paths->nodes[paths->count];
    *node = (vvi_path_node){ .parent = parent,
                             .step = kept,
                             .path = (char *)path.data,
                             .part = (char *)path.data + path.len - strlen(part),
                             .depth = parent == VVI_PATH_TOP
                                          ? 1
                                          : paths->nodes[parent].depth + 1 };
    put_slot(paths, paths->count, 's');
    put_slot(paths, paths->count, 'p');
    paths->count++;
    return VV_OK;
}

vv_status vvi_tree_paths_own(vvi_tree_paths *paths, size_t from, const char *part,
                             size_t *out, vv_error *err)
{
    return add_node(paths, from, NULL, 0, vv_bytes_of(part), out, err);
}

vv_status vvi_tree_paths_follow(vvi_tree_paths *paths, size_t from, const char *name,
                                size_t *out, vv_error *err)
{
    const char *at = name + strcspn(name, ".[");
    size_t len;

    *out = from;
    for (; (len = step_length(at)); at += len) {
        size_t next;

        if (*out != VVI_PATH_TOP && paths->nodes[*out].depth >= DEPTH_MAX - 1)
            len = strlen(at);
        next = find(paths, *out, 's', at, len);
        if (next == VVI_PATH_TOP)
            VVI_TRY(add_node(paths, *out, at, len, step_text(at, len), &next, err));
        *out = next;
    }
    return VV_OK;
}

vv_status vvi_tree_paths_leaf(vvi_tree_paths *paths, size_t group, const char *name,
                              size_t *out, vv_error *err)
{
    VVI_TRY(vvi_tree_paths_follow(paths, group, name, out, err));
    return *out == group ? vvi_tree_paths_own(paths, group, "value", out, err) : VV_OK;
}

const char *vvi_tree_paths_text(const vvi_tree_paths *paths, size_t node)
{
    return node == VVI_PATH_TOP ? "" : paths->nodes[node].path;
}

void vvi_tree_paths_clear(vvi_tree_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        vvi_free(paths->nodes[i].step);
        vvi_free(paths->nodes[i].path);
    }
    vvi_free(paths->nodes);
    vvi_free(paths->slots);
    memset(paths, 0, sizeof(*paths));
}
