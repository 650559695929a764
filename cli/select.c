#include "select.h"

#include "describe.h"
#include "stores.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static char *select_path(const char *text, const char **inside)
{
    const char *bracket = strrchr(text, '[');
    size_t len = strlen(text);
    char *path = cli_strdup(text);

    *inside = NULL;
    if (bracket && len && text[len - 1] == ']') {
        path[bracket - text] = '\0';
        *inside = bracket + 1;
    }
    return path;
}

static vv_status select_missing(cli_call *call, vv_store *store, vv_status status,
                                const char *text)
{
    const char *open = strchr(text, '[');
    const char *close = strrchr(text, ']'), *inside;
    vv_node_kind kind = VV_NODE_NONE;

    if (status != VV_ENOTFOUND)
        return status;
    if (!open || (close && close[1] == '\0')) {
        char *given = select_path(text, &inside);
        const char *path = cli_trim_slashes(given);
        if (vv_node_kind_of(store, path, &kind, NULL) == VV_OK)
            cli_fail(call, status, "%.100s: %s", *path ? path : "the top",
                     kind == VV_NODE_GROUP ? "a group, and an array is wanted"
                                           : "no array there");
        cli_suggest_arrays(call, store, path);
        free(given);
        return status;
    }
    return close
               ? cli_usage(call, "%.100s: '%.100s' behind the brackets", text, close + 1)
               : cli_usage(call, "%.100s: the bracket is not closed", text);
}

vv_status select_open(cli_call *call, vv_store *store, const char *text, vv_array **out,
                      const char **inside)
{
    char *given = select_path(text, inside);
    vv_status status = vv_array_open(store, cli_trim_slashes(given), out, &call->err);

    free(given);
    if (status == VV_ENOTFOUND && *inside) {
        given = cli_strdup(text);
        if (vv_array_open(store, cli_trim_slashes(given), out, NULL) == VV_OK) {
            *inside = NULL;
            status = VV_OK;
        }
        free(given);
    }
    return select_missing(call, store, status, text);
}

/* One part between commas, as it stands. */
typedef struct part {
    enum {
        PART_INDEX,
        PART_SLICE,
        PART_ELLIPSIS
    } kind;
    bool has_start, has_stop;
    int64_t start, stop, step;
    const char *name; /* of its dimension, where it is given: "lat=3" */
    size_t name_len;
} part;

static const char *blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* A number where there is one; *there says so. NULL: too large. */
static const char *read_number(const char *at, int64_t *value, bool *there)
{
    bool negative = *at == '-';
    const char *digits = at + (negative || *at == '+');
    uint64_t n = 0;

    *there = isdigit((unsigned char)*digits) != 0;
    if (!*there)
        return at;
    for (at = digits; isdigit((unsigned char)*at); at++) {
        if (n > (INT64_MAX - 9) / 10)
            return NULL;
        n = 10 * n + (uint64_t)(*at - '0');
    }
    *value = negative ? -(int64_t)n : (int64_t)n;
    return at;
}

/* Read one part; NULL where the text is none. */
static const char *read_part(const char *at, part *out)
{
    bool there;

    *out = (part){ .kind = PART_INDEX, .step = 1 };
    at = blanks(at);
    size_t name_len = strcspn(at, "=,:]");
    if (at[name_len] == '=') {
        out->name = at;
        at = blanks(at + name_len + 1);
        while (name_len && isspace((unsigned char)out->name[name_len - 1]))
            name_len--;
        out->name_len = name_len;
        if (name_len == 0)
            return NULL;
    }
    if (strncmp(at, "...", 3) == 0) {
        out->kind = PART_ELLIPSIS;
        return blanks(at + 3);
    }
    at = read_number(at, &out->start, &out->has_start);
    at = at ? blanks(at) : NULL;
    if (!at || *at != ':')
        return out->has_start ? at : NULL;
    out->kind = PART_SLICE;
    at = read_number(blanks(at + 1), &out->stop, &out->has_stop);
    at = at ? blanks(at) : NULL;
    if (at && *at == ':') {
        at = read_number(blanks(at + 1), &out->step, &there);
        at = at ? blanks(at) : NULL;
    }
    return at;
}

static vv_status read_parts(cli_call *call, const char *inside,
                            part parts[VV_NDIM_MAX + 1], uint32_t *count)
{
    const char *at = blanks(inside);

    *count = 0;
    if (*at == ']')
        return cli_usage(
            call, "[%s: nothing between the brackets; leave them out for all", inside);
    for (;;) {
        if (*count > VV_NDIM_MAX)
            return cli_usage(call, "[%.100s: more than %d indices", inside, VV_NDIM_MAX);
        const char *end = read_part(at, &parts[*count]);
        if (!end || (*end != ',' && strcmp(end, "]") != 0))
            return cli_usage(call, "[%.100s: '%.*s' is no index and no start:stop:step",
                             inside, (int)strcspn(at, ",]"), at);
        (*count)++;
        if (*end == ']')
            return VV_OK;
        at = end + 1;
        if (strcmp(blanks(at), "]") == 0) /* a comma at the end, as NumPy allows */
            return VV_OK;
    }
}

/* Where a bound of a slice lies in 0 … len; negative counts from the end. */
static uint64_t clamp(int64_t bound, uint64_t len)
{
    if (bound < 0)
        return (uint64_t)-bound > len ? 0 : len - (uint64_t)-bound;
    return (uint64_t)bound > len ? len : (uint64_t)bound;
}

static vv_status resolve_part(cli_call *call, const part *given,
                              const vv_array_meta *meta, uint32_t dim, cli_selection *out)
{
    uint64_t len = meta->shape[dim];
    const char *name = meta->dimension_names ? meta->dimension_names[dim] : NULL;

    if (given->kind == PART_INDEX) {
        uint64_t below = given->start < 0 ? (uint64_t)-given->start : 0;
        if (below ? below > len : (uint64_t)given->start >= len) {
            call->usage = true;
            return cli_fail(call, VV_ERANGE,
                            "index %" PRId64
                            " is outside dimension %u%s%.100s%s of length "
                            "%" PRIu64,
                            given->start, dim, name ? " (" : "", name ? name : "",
                            name ? ")" : "", len);
        }
        out->start[dim] = below ? len - below : (uint64_t)given->start;
        out->count[dim] = out->step[dim] = 1;
        out->dropped[dim] = true;
        return VV_OK;
    }
    if (given->step < 1)
        return cli_usage(call, "step %" PRId64 ": steps are 1 or more", given->step);
    uint64_t start = given->has_start ? clamp(given->start, len) : 0;
    uint64_t stop = given->has_stop ? clamp(given->stop, len) : len;
    out->start[dim] = start;
    out->step[dim] = (uint64_t)given->step;
    out->count[dim] = stop > start ? (stop - start - 1) / out->step[dim] + 1 : 0;
    return VV_OK;
}

/* The dimension that a part names. */
static vv_status find_named(cli_call *call, const part *given, const vv_array_meta *meta,
                            uint32_t *dim)
{
    for (*dim = 0; *dim < meta->ndim; (*dim)++) {
        const char *name = meta->dimension_names ? meta->dimension_names[*dim] : NULL;
        if (name && strlen(name) == given->name_len &&
            memcmp(name, given->name, given->name_len) == 0)
            return VV_OK;
    }
    return cli_usage(call, "the array has no dimension '%.*s'",
                     (int)(given->name_len < 100 ? given->name_len : 100), given->name);
}

/* All parts have names: in any order, and what is not named is taken whole. */
static vv_status resolve_named(cli_call *call, const part *parts, uint32_t count,
                               const vv_array_meta *meta, cli_selection *out)
{
    static const part all = { .kind = PART_SLICE, .step = 1 };
    bool seen[VV_NDIM_MAX] = { false };
    vv_status status = VV_OK;
    uint32_t dim = 0;

    for (uint32_t i = 0; i < meta->ndim && !status; i++)
        status = resolve_part(call, &all, meta, i, out);
    for (uint32_t i = 0; i < count && !status; i++) {
        if (!parts[i].name || parts[i].kind == PART_ELLIPSIS)
            return cli_usage(call,
                             "give the names of all dimensions that are selected, or of "
                             "none");
        status = find_named(call, &parts[i], meta, &dim);
        if (!status && seen[dim])
            return cli_usage(call, "dimension '%.*s' is selected twice",
                             (int)(parts[i].name_len < 100 ? parts[i].name_len : 100),
                             parts[i].name);
        if (!status)
            status = resolve_part(call, &parts[i], meta, dim, out);
        seen[dim] = true;
    }
    return status;
}

vv_status select_resolve(cli_call *call, const char *inside, const vv_array_meta *meta,
                         cli_selection *out)
{
    static const part all = { .kind = PART_SLICE, .step = 1 };
    part parts[VV_NDIM_MAX + 1];
    uint32_t count = 0, named = 0, ellipses = 0, dim = 0;
    bool by_name = false;
    vv_status status = inside ? read_parts(call, inside, parts, &count) : VV_OK;

    *out = (cli_selection){ .ndim = meta->ndim };
    for (uint32_t i = 0; i < count; i++)
        by_name = by_name || parts[i].name;
    if (!status && by_name)
        return resolve_named(call, parts, count, meta, out);
    for (uint32_t i = 0; i < count && !status; i++)
        (*(parts[i].kind == PART_ELLIPSIS ? &ellipses : &named))++;
    if (!status && ellipses > 1)
        status = cli_usage(call, "[%.100s: ... may stand once", inside);
    if (!status && named > meta->ndim)
        status = cli_usage(call, "[%.100s: %u indices for an array of %u dimensions",
                           inside, named, meta->ndim);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint32_t rest = parts[i].kind == PART_ELLIPSIS ? meta->ndim - named : 0;
        if (parts[i].kind != PART_ELLIPSIS)
            status = resolve_part(call, &parts[i], meta, dim++, out);
        for (; rest && !status; rest--)
            status = resolve_part(call, &all, meta, dim++, out);
    }
    while (dim < meta->ndim && !status)
        status = resolve_part(call, &all, meta, dim++, out);
    return status;
}
