#include "coords.h"

#include "describe.h"

#include <varvite/stats.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The array called path, if it is one of coordinates of so many places. */
static vv_array *open_as_coordinates(vv_store *store, const char *path, uint64_t len)
{
    vv_array *array = NULL;

    if (vv_array_open(store, path, &array, NULL))
        return NULL;
    const vv_array_meta *meta = vv_array_get_meta(array);
    if (meta->ndim == 1 && meta->shape[0] == len)
        return array;
    vv_array_free(array);
    return NULL;
}

vv_array *coordinates_open(vv_store *store, const vv_array *array, uint32_t dim)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    const char *name = meta->dimension_names ? meta->dimension_names[dim] : NULL;
    vv_array *found = NULL;

    if (!name || !*name)
        return NULL;
    size_t cap = strlen(vv_array_path(array)) + strlen(name) + 2;
    char *path = cli_alloc(cap);
    snprintf(path, cap, "%s", vv_array_path(array));
    for (;;) {
        char *slash = strrchr(path, '/');
        size_t keep = slash ? (size_t)(slash - path) : 0;
        snprintf(path + keep, cap - keep, "%s%s", keep ? "/" : "", name);
        found = open_as_coordinates(store, path, meta->shape[dim]);
        if (found || keep == 0)
            break;
        path[keep] = '\0';
    }
    free(path);
    return found;
}

char *coordinates_units(const vv_array_meta *meta)
{
    static const struct {
        const char *numpy, *cf;
    } units[] = {
        { "ns", "ns" },     { "us", "us" },   { "ms", "ms" },  { "s", "s" },
        { "m", "minutes" }, { "h", "hours" }, { "D", "days" }, { "W", "weeks" }
    };

    if (meta->dtype != VV_DATETIME64)
        return attribute_text(meta->attributes, "units");
    for (size_t i = 0; meta->time_unit && i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(units[i].numpy, meta->time_unit) == 0 && meta->time_scale <= 1) {
            char text[40];
            snprintf(text, sizeof(text), "%s since 1970-01-01", units[i].cf);
            return cli_strdup(text);
        }
    }
    return NULL;
}

/* ---- by coordinate ------------------------------------------------------------------------- */

/* "lat=10:20" taken apart; high is low for one place. */
typedef struct at_text {
    size_t name_len;
    double low, high;
    bool range;
} at_text;

static bool read_at(const char *text, at_text *out)
{
    const char *equals = strchr(text, '=');
    char *end;

    if (!equals || equals == text)
        return false;
    out->name_len = (size_t)(equals - text);
    out->low = -HUGE_VAL;
    out->high = HUGE_VAL;
    out->range = strchr(equals, ':') != NULL;
    const char *at = equals + 1;
    if (*at != ':') {
        out->low = strtod(at, &end);
        if (end == at || isnan(out->low))
            return false;
        at = end;
    }
    if (!out->range) {
        out->high = out->low;
        return *at == '\0';
    }
    if (*at++ != ':')
        return false;
    if (*at) {
        out->high = strtod(at, &end);
        if (end == at || *end || isnan(out->high))
            return false;
    }
    return true;
}

static vv_status find_dimension(cli_call *call, const vv_array_meta *meta,
                                const char *text, size_t len, uint32_t *dim)
{
    for (uint32_t i = 0; i < meta->ndim && meta->dimension_names; i++) {
        const char *name = meta->dimension_names[i];
        if (name && strlen(name) == len && memcmp(name, text, len) == 0) {
            *dim = i;
            return VV_OK;
        }
    }
    call->usage = true;
    return cli_fail(call, VV_EINVAL, "--at %.100s: the array has no such dimension",
                    text);
}

/* Narrow dimension dim, whose coordinates are values. */
static vv_status narrow(cli_call *call, const char *text, const at_text *at,
                        const double *values, uint64_t count, uint32_t dim,
                        cli_selection *selection)
{
    uint64_t first = count, last = 0;
    double nearest = HUGE_VAL, low = fmin(at->low, at->high),
           high = fmax(at->low, at->high);

    for (uint64_t i = 0; i < count; i++) {
        double far = fabs(values[i] - at->low);
        if (at->range ? values[i] >= low && values[i] <= high : far < nearest) {
            first = at->range && first < count ? first : i;
            last = i;
            nearest = far;
        }
    }
    if (first == count)
        return cli_fail(call, VV_ERANGE, "--at %.100s: no coordinate lies there", text);
    for (uint64_t i = first; i <= last && at->range; i++) {
        if (!(values[i] >= low && values[i] <= high))
            return cli_fail(call, VV_ERANGE,
                            "--at %.100s: these coordinates do not lie side by side",
                            text);
    }
    selection->start[dim] = first;
    selection->count[dim] = last - first + 1;
    selection->step[dim] = 1;
    selection->dropped[dim] = !at->range;
    return VV_OK;
}

vv_status select_at(cli_call *call, vv_store *store, const vv_array *array,
                    const char *text, cli_selection *selection)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint32_t dim = 0;
    at_text at;

    if (!read_at(text, &at))
        return cli_usage(call, "--at %.100s: give NAME=VALUE or NAME=LOW:HIGH", text);
    vv_status status = find_dimension(call, meta, text, at.name_len, &dim);
    if (status)
        return status;
    uint64_t count = meta->shape[dim];
    if (selection->count[dim] != count || selection->dropped[dim])
        return cli_usage(call, "--at %.100s: this dimension is selected already", text);
    vv_array *coordinates = coordinates_open(store, array, dim);
    if (!coordinates)
        return cli_fail(call, VV_ENOTFOUND,
                        "--at %.100s: the dimension has no coordinates", text);
    if (count > COORDINATES_MAX)
        status = cli_fail(call, VV_ELIMIT,
                          "--at %.100s: %" PRIu64 " coordinates are too many", text,
                          count);
    double *values = cli_alloc((size_t)count * sizeof(double) * !status);
    uint64_t zero = 0;
    if (!status)
        status = vv_array_read_numbers(coordinates, &zero, &count, NULL, values,
                                       (size_t)count, &call->err);
    if (!status)
        status = narrow(call, text, &at, values, count, dim, selection);
    free(values);
    vv_array_free(coordinates);
    return status;
}

vv_status select_all_at(cli_call *call, vv_store *store, const vv_array *array,
                        cli_selection *selection)
{
    size_t n;
    const char **texts = cli_texts(call, "at", &n);
    vv_status status = VV_OK;

    for (size_t i = 0; i < n && !status; i++)
        status = select_at(call, store, array, texts[i], selection);
    free(texts);
    return status;
}
