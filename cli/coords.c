#include "coords.h"

#include "describe.h"

#include <varvite/calendar.h>
#include <varvite/stats.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The array called path, if it has one dimension, of so many places. */
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

/* The array of a name of so many bytes, beside an array or in a group above it, that has one dimension of
 * len places, or, where len is 0, any shape. */
static vv_array *find_variable(vv_store *store, const vv_array *array, const char *name,
                               size_t name_len, uint64_t len)
{
    vv_array *found = NULL;
    size_t cap = strlen(vv_array_path(array)) + name_len + 2;
    char *path = cli_alloc(cap);

    snprintf(path, cap, "%s", vv_array_path(array));
    for (;;) {
        char *slash = strrchr(path, '/');
        size_t keep = slash ? (size_t)(slash - path) : 0;
        snprintf(path + keep, cap - keep, "%s%.*s", keep ? "/" : "", (int)name_len, name);
        if (len)
            found = open_as_coordinates(store, path, len);
        else if (vv_array_open(store, path, &found, NULL))
            found = NULL;
        if (found || keep == 0)
            break;
        path[keep] = '\0';
    }
    free(path);
    return found;
}

vv_array *coordinates_open(vv_store *store, const vv_array *array, uint32_t dim)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    const char *name = meta->dimension_names ? meta->dimension_names[dim] : NULL;

    return name && *name && meta->shape[dim]
               ? find_variable(store, array, name, strlen(name), meta->shape[dim])
               : NULL;
}

bool coordinates_are_text(const vv_array *coordinates)
{
    vv_dtype dtype = vv_array_get_meta(coordinates)->dtype;

    return dtype == VV_STRING || dtype == VV_FIXED_UTF32 ||
           dtype == VV_NULL_TERMINATED_BYTES;
}

/* Texts over a dimension, of the variables that the attribute "coordinates" names (CF conventions,
 * section 6.1); NULL if there are none. */
static vv_array *labels_open(vv_store *store, const vv_array *array, uint32_t dim)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    const char *dimension = meta->dimension_names ? meta->dimension_names[dim] : NULL;
    char *names = attribute_text(meta->attributes, "coordinates");
    vv_array *found = NULL;
    size_t len;

    for (const char *at = names; at && dimension && meta->shape[dim] && *at && !found;
         at += len) {
        at += strspn(at, " ");
        len = strcspn(at, " ");
        if (len == 0)
            break;
        found = find_variable(store, array, at, len, meta->shape[dim]);
        if (!found)
            continue;
        const char *const *own = vv_array_get_meta(found)->dimension_names;
        if (own && own[0] && strcmp(own[0], dimension) == 0 &&
            coordinates_are_text(found))
            continue;
        vv_array_free(found);
        found = NULL;
    }
    free(names);
    return found;
}

vv_array *names_open(vv_store *store, const vv_array *array, uint32_t dim)
{
    vv_array *own = coordinates_open(store, array, dim);

    if (own && coordinates_are_text(own))
        return own;
    vv_array_free(own);
    return labels_open(store, array, dim);
}

char *names_read(vv_array *names, uint64_t index)
{
    const vv_array_meta *meta = vv_array_get_meta(names);
    vv_varlen texts = VV_VARLEN_INIT;
    uint64_t one = 1;
    char *out = cli_alloc(PLACE_NAME_MAX);
    void *element = cli_alloc(meta->item_size);
    vv_status status;

    if (vv_dtype_is_variable(meta->dtype))
        status = vv_array_read_varlen(names, &index, &one, NULL, &texts, NULL);
    else
        status = vv_array_read(names, &index, &one, NULL, element, meta->item_size, NULL);
    if (!status)
        vv_array_element_format(names, texts.items ? (const void *)texts.items : element,
                                out, PLACE_NAME_MAX);
    else
        snprintf(out, PLACE_NAME_MAX, "%" PRIu64, index);
    vv_varlen_clear(&texts);
    free(element);
    return out;
}

/* Read a variable over dimensions of the array, all of which are at one place; which of them is told by
 * their names. */
static bool read_at_place(vv_array *variable, const vv_array_meta *of,
                          const cli_selection *selection, double *value)
{
    const vv_array_meta *meta = vv_array_get_meta(variable);
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX];

    for (uint32_t i = 0; i < meta->ndim; i++) {
        const char *name = meta->dimension_names ? meta->dimension_names[i] : NULL;
        uint32_t dim = 0;
        while (name && dim < of->ndim &&
               !(of->dimension_names && of->dimension_names[dim] &&
                 strcmp(of->dimension_names[dim], name) == 0))
            dim++;
        if (!name || dim == of->ndim || selection->count[dim] != 1 ||
            of->shape[dim] != meta->shape[i])
            return false;
        start[i] = selection->start[dim];
        count[i] = 1;
    }
    return meta->ndim > 0 &&
           vv_array_read_numbers(variable, start, count, NULL, value, 1, NULL) == VV_OK;
}

bool coordinates_at(vv_store *store, const vv_array *array,
                    const cli_selection *selection, const char *units, double *value)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    char *names = attribute_text(meta->attributes, "coordinates");
    bool found = false;
    size_t len;

    for (const char *at = names; at && *at && !found; at += len) {
        at += strspn(at, " ");
        len = strcspn(at, " ");
        vv_array *variable = len ? find_variable(store, array, at, len, 0) : NULL;
        if (!variable)
            continue;
        char *has = attribute_text(vv_array_get_meta(variable)->attributes, "units");
        found = has && strcmp(has, units) == 0 &&
                read_at_place(variable, meta, selection, value) && isfinite(*value);
        free(has);
        vv_array_free(variable);
    }
    free(names);
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

    if (meta->dtype != VV_DATETIME64) {
        char *given = attribute_text(meta->attributes, "units");
        char *kind = attribute_text(meta->attributes, "standard_name");
        bool degrees = given && kind &&
                       (strcmp(given, "degrees") == 0 || strcmp(given, "degree") == 0);
        const char *side = degrees && strcmp(kind, "latitude") == 0    ? "degrees_north"
                           : degrees && strcmp(kind, "longitude") == 0 ? "degrees_east"
                                                                       : NULL;
        free(kind);
        if (!side)
            return given;
        free(given);
        return cli_strdup(side);
    }
    for (size_t i = 0; meta->time_unit && i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(units[i].numpy, meta->time_unit) == 0 && meta->time_scale <= 1) {
            char text[40];
            snprintf(text, sizeof(text), "%s since 1970-01-01", units[i].cf);
            return cli_strdup(text);
        }
    }
    return NULL;
}

char *coordinates_calendar(const vv_array_meta *meta)
{
    if (meta->dtype == VV_DATETIME64) /* as NumPy counts */
        return cli_strdup("proleptic_gregorian");
    return attribute_text(meta->attributes, "calendar");
}

/* ---- by coordinate ------------------------------------------------------------------------- */

/* What is asked for of a dimension: places from low to high, or one place. */
typedef struct at_text {
    size_t name_len;
    const char *value; /* behind the equals sign */
    bool range;
    bool times;       /* the coordinates are times */
    bool dates;       /* the places lie before high, else up to it */
    double low, high; /* of one place: the span of the date, or the number twice */
} at_text;

/* Numbers: "12.5", "10:20", ":20"; false for other texts. */
static bool read_numbers(at_text *out)
{
    const char *at = out->value;
    char *end;

    out->low = -HUGE_VAL;
    out->high = HUGE_VAL;
    out->range = strchr(at, ':') != NULL;
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
    if (out->low > out->high) {
        double low = out->high;
        out->high = out->low;
        out->low = low;
    }
    return true;
}

/* The axis of times that dates are read for. */
typedef struct time_axis {
    char *units, *calendar;
} time_axis;

/* The date of so many bytes; an empty text leaves what is there. */
static vv_status read_date(const time_axis *times, const char *text, size_t len,
                           double *first, double *end, vv_error *err)
{
    char date[64];

    if (len == 0)
        return VV_OK;
    snprintf(date, sizeof(date), "%.*s", (int)len, text);
    return vv_calendar_span(times->units, times->calendar, date, first, end, err);
}

/* Dates: "1982-07-16", "1982-07:1983-06", "1982:". There are colons in times of day, too: the one between
 * two dates is that on both sides of which there is one. */
static vv_status read_dates(const time_axis *times, at_text *out, vv_error *err)
{
    size_t len = strlen(out->value);
    double skipped;

    out->dates = true;
    out->range = false;
    vv_status whole = len < 64
                          ? read_date(times, out->value, len, &out->low, &out->high, err)
                          : VV_EINVAL;
    if (whole != VV_EINVAL)
        return whole;
    out->range = true;
    for (const char *colon = strchr(out->value, ':'); colon && len < 128;
         colon = strchr(colon + 1, ':')) {
        size_t before = (size_t)(colon - out->value);
        out->low = -HUGE_VAL;
        out->high = HUGE_VAL;
        if (before < 64 && len - before <= 64 && len > 1 &&
            read_date(times, out->value, before, &out->low, &skipped, NULL) == VV_OK &&
            read_date(times, colon + 1, len - before - 1, &skipped, &out->high, NULL) ==
                VV_OK)
            return VV_OK;
    }
    return whole;
}

/* The value in numbers of the coordinates. */
static vv_status read_value(cli_call *call, const char *text, const vv_array *coordinates,
                            at_text *out)
{
    const vv_array_meta *meta = vv_array_get_meta(coordinates);
    time_axis times = { coordinates_units(meta), coordinates_calendar(meta) };
    vv_status status = VV_OK;

    out->times = vv_calendar_is_time(times.units);
    if (!read_numbers(out)) {
        if (out->times)
            status = read_dates(&times, out, &call->err);
        else
            status = cli_usage(call,
                               "give NAME=VALUE or NAME=LOW:HIGH; values are numbers, "
                               "and dates where the units are those of times");
        if (status) {
            call->usage = true;
            cli_wrap(call, status, "--at %.100s", text);
        }
    }
    free(times.units);
    free(times.calendar);
    return status;
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
    char dimensions[200];
    format_dimensions(meta, dimensions, sizeof(dimensions));
    return cli_usage(call, "--at %.100s: the array has no such dimension, but (%s)", text,
                     dimensions);
}

/* "1982-01-16" or "-89.5": a coordinate in messages. */
static void coordinate_text(const vv_array *coordinates, double value, char out[64])
{
    const vv_array_meta *meta = vv_array_get_meta(coordinates);
    char *units = coordinates_units(meta), *calendar = coordinates_calendar(meta);

    if (vv_calendar_is_time(units))
        vv_calendar_date(units, calendar, value, out, 64);
    else
        snprintf(out, 64, "%.7g", value);
    free(units);
    free(calendar);
}

static vv_status nothing_there(cli_call *call, const char *text, const at_text *at,
                               const vv_array *coordinates, const double *values,
                               uint64_t count)
{
    char first[64], last[64];

    if (count == 0)
        return cli_fail(call, VV_ERANGE, "--at %.100s: no coordinate lies there", text);
    coordinate_text(coordinates, values[0], first);
    coordinate_text(coordinates, values[count - 1], last);
    return cli_fail(call, VV_ERANGE,
                    "--at %.100s: no coordinate lies there; they go from %s to %s%s",
                    text, first, last,
                    at->times && !at->dates ? "; write a year as 1982-01:1982-12" : "");
}

/* How far a coordinate lies from what is asked for: 0 within it. */
static double distance(const at_text *at, double value)
{
    if (isnan(value))
        return HUGE_VAL;
    if (value < at->low)
        return at->low - value;
    return value > at->high || (at->dates && value >= at->high) ? value - at->high : 0;
}

static bool is_inside(const at_text *at, double value)
{
    return value >= at->low && (at->dates ? value < at->high : value <= at->high);
}

/* Does a time lie further out than a step behind the last place, or in front of the first? Other numbers
 * may: the place nearest to the pole is wanted, but another year is not what a date means. */
static bool is_beyond(const at_text *at, const double *values, uint64_t count,
                      uint64_t nearest)
{
    bool end = nearest == 0 || nearest == count - 1;

    if (!at->times || is_inside(at, values[nearest]) || !end || count < 2)
        return false;
    double step = fabs(values[nearest] - values[nearest ? nearest - 1 : 1]);
    return distance(at, values[nearest]) > step;
}

/* Narrow dimension dim, whose coordinates are values. */
static vv_status narrow(cli_call *call, const char *text, const at_text *at,
                        const vv_array *coordinates, const double *values, uint64_t count,
                        uint32_t dim, cli_selection *selection)
{
    uint64_t first = count, last = 0;
    double nearest = HUGE_VAL;

    for (uint64_t i = 0; i < count; i++) {
        double far = distance(at, values[i]);
        if (at->range ? is_inside(at, values[i]) : far < nearest) {
            first = at->range && first < count ? first : i;
            last = i;
            nearest = far;
        }
    }
    if (first == count || (!at->range && is_beyond(at, values, count, first)))
        return nothing_there(call, text, at, coordinates, values, count);
    for (uint64_t i = first; i <= last && at->range; i++) {
        if (!is_inside(at, values[i]))
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
    const char *equals = strchr(text, '=');
    uint32_t dim = 0;
    at_text at = { .range = false };

    if (!equals || equals == text || !equals[1])
        return cli_usage(call, "--at %.100s: give NAME=VALUE or NAME=LOW:HIGH", text);
    at.name_len = (size_t)(equals - text);
    at.value = equals + 1;
    vv_status status = find_dimension(call, meta, text, at.name_len, &dim);
    if (status)
        return status;
    uint64_t count = meta->shape[dim];
    if (selection->count[dim] != count || selection->dropped[dim])
        return cli_usage(call, "--at %.100s: this dimension is selected already", text);
    vv_array *coordinates = coordinates_open(store, array, dim);
    if (!coordinates)
        return cli_fail(call, VV_ENOTFOUND,
                        "--at %.100s: the dimension has no coordinates; choose by index, "
                        "as in 'NAME[%.*s=0]'",
                        text, (int)(at.name_len < 60 ? at.name_len : 60), text);
    status = read_value(call, text, coordinates, &at);
    if (!status && count > COORDINATES_MAX)
        status = cli_fail(call, VV_ELIMIT,
                          "--at %.100s: %" PRIu64 " coordinates are too many", text,
                          count);
    double *values = cli_alloc((size_t)count * sizeof(double) * !status);
    uint64_t zero = 0;
    if (!status)
        status = vv_array_read_numbers(coordinates, &zero, &count, NULL, values,
                                       (size_t)count, &call->err);
    if (!status)
        status = narrow(call, text, &at, coordinates, values, count, dim, selection);
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
