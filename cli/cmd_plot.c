#include "coords.h"
#include "describe.h"
#include "out.h"
#include "plots.h"
#include "progress.h"
#include "stores.h"

#include <varvite/calendar.h>
#include <varvite/plot.h>
#include <varvite/stats.h>

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_MAX 8 /* as many as there are colours */
#define HISTOGRAM_MAX \
    ((uint64_t)1 << 24)  /* values of a histogram; of more, every n-th is taken */
#define PLACES_A_PIXEL 2 /* what is drawn of more places is reduced to so many */
#define TEXT_MAX       512

/* A dimension that is drawn, with the texts that its axis borrows. */
typedef struct drawn_axis {
    uint32_t dim;
    uint64_t places; /* after reduction */
    char *name, *units, *calendar;
    double *values;
    bool counted; /* values are indices: there are no coordinates */
    vv_plot_axis axis;
} drawn_axis;

typedef struct plot {
    cli_call *call;
    vv_store *store;
    vv_array *array;
    const vv_array_meta *meta;
    cli_selection selection;
    cli_progress progress;
    vv_plot_kind kind;
    uint32_t width, height; /* asked for; 0: none */
    bool ranged;
    double low, high;
    uint32_t drawn; /* dimensions */
    drawn_axis
        axes[2]; /* slower first, as they lie in memory; of lines, along them last */
    uint64_t lines_of; /* so many there would be, where only some are drawn */
    double *values;
    uint64_t every; /* a histogram takes every n-th value of a dimension */
    char *line_names[LINES_MAX];
    char *title, *units;
    char subtitle[TEXT_MAX];
} plot;

/* ---- what is asked for --------------------------------------------------------------------- */

static vv_status read_size(plot *self)
{
    const char *text = cli_text(self->call, "size");
    unsigned w, h;
    char rest;

    if (!text)
        return VV_OK;
    if (sscanf(text, "%5ux%5u%c", &w, &h, &rest) != 2 || !w || !h)
        return cli_usage(self->call, "--size %.50s: give WIDTHxHEIGHT, as in 1200x800",
                         text);
    self->width = w;
    self->height = h;
    return VV_OK;
}

static vv_status read_range(plot *self)
{
    const char *text = cli_text(self->call, "range");
    char *end;

    if (!text)
        return VV_OK;
    self->ranged = true;
    self->low = strtod(text, &end);
    bool good = end != text && *end == ':';
    if (good) {
        const char *high = end + 1;
        self->high = strtod(high, &end);
        good = end != high && !*end && self->low < self->high;
    }
    return good
               ? VV_OK
               : cli_usage(self->call, "--range %.50s: give LOW:HIGH, as in -2:30", text);
}

static vv_plot_kind read_kind(const char *text)
{
    return !text                            ? VV_PLOT_AUTO
           : strcmp(text, "line") == 0      ? VV_PLOT_LINE
           : strcmp(text, "map") == 0       ? VV_PLOT_MAP
           : strcmp(text, "histogram") == 0 ? VV_PLOT_HISTOGRAM
                                            : VV_PLOT_AUTO;
}

/* ---- which dimensions ------------------------------------------------------------------------ */

/* "SST[0,:,:]": how to choose two of many. */
static void suggest(const plot *self, char *out, size_t cap)
{
    size_t len = (size_t)snprintf(out, cap, "%.100s[", vv_array_path(self->array));

    for (uint32_t i = 0; i < self->meta->ndim && len + 4 < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? "," : "",
                                i + 2 < self->meta->ndim ? "0" : ":");
    snprintf(out + len, cap - len, "]");
}

/* How well places of a dimension lie along an axis: not at all, as numbers, as times. */
static int rank_of(const plot *self, uint32_t dim)
{
    vv_array *coordinates = coordinates_open(self->store, self->array, dim);
    char *units = coordinates ? coordinates_units(vv_array_get_meta(coordinates)) : NULL;
    int rank = !coordinates || coordinates_are_text(coordinates) ? 0
               : vv_calendar_is_time(units)                      ? 2
                                                                 : 1;

    free(units);
    vv_array_free(coordinates);
    return rank;
}

/* Has one of the two dimensions names, as stations have? A map has no place for them. */
static bool has_names(const plot *self)
{
    bool found = false;

    for (size_t i = 0; i < 2 && !found; i++) {
        vv_array *names = names_open(self->store, self->array, self->axes[i].dim);
        found = names && rank_of(self, self->axes[i].dim) == 0;
        vv_array_free(names);
    }
    return found;
}

/* Of two dimensions lines run along the one that has coordinates, that is long, that is time, or the
 * last; and there is a line for each place of the other, or for some of them. */
static void choose_lines(plot *self)
{
    cli_selection *selection = &self->selection;
    drawn_axis *other = &self->axes[0], *along = &self->axes[1];
    int rank = rank_of(self, along->dim), other_rank = rank_of(self, other->dim);
    bool few = selection->count[along->dim] <= LINES_MAX,
         other_few = selection->count[other->dim] <= LINES_MAX;

    if (!rank != !other_rank ? !rank : few != other_few ? few : other_rank > rank) {
        drawn_axis swapped = *other;
        *other = *along;
        *along = swapped;
    }
    uint64_t count = selection->count[other->dim];
    if (count <= LINES_MAX)
        return;
    uint64_t step = (count - 1) / LINES_MAX + 1;
    self->lines_of = count;
    selection->count[other->dim] = (count - 1) / step + 1;
    selection->step[other->dim] *= step;
}

/* Those with more than one place are drawn. */
static vv_status choose_dimensions(plot *self)
{
    char lengths[200], example[200];
    uint32_t many = 0;

    for (uint32_t i = 0; i < self->selection.ndim; i++) {
        if (self->selection.count[i] == 0)
            return cli_usage(self->call,
                             "the selection is empty: there is nothing to draw");
        if (self->selection.count[i] == 1)
            continue;
        if (many < 2)
            self->axes[many].dim = i;
        many++;
    }
    if (self->kind == VV_PLOT_HISTOGRAM) {
        self->drawn = 0;
        return VV_OK;
    }
    if (many == 0)
        return cli_usage(self->call,
                         "the selection is one value: there is nothing to draw");
    if (many > 2) {
        format_dimensions(self->meta, lengths, sizeof(lengths));
        suggest(self, example, sizeof(example));
        return cli_usage(
            self->call,
            "%u dimensions are left of (%s), and a picture takes one or two; "
            "choose, as in '%s'",
            many, lengths, example);
    }
    self->drawn = many;
    if (self->kind == VV_PLOT_MAP && many == 1)
        return cli_usage(self->call, "a map takes two dimensions, and one is left");
    if (self->kind == VV_PLOT_AUTO)
        self->kind = many == 2 && !has_names(self) ? VV_PLOT_MAP : VV_PLOT_LINE;
    if (self->kind == VV_PLOT_LINE && many == 2)
        choose_lines(self);
    return VV_OK;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Is a dimension shown by less than all its places? */
static bool is_reduced(const plot *self, const drawn_axis *axis)
{
    return axis->places < self->selection.count[axis->dim];
}

static uint64_t places_for(uint64_t count, uint64_t pixels)
{
    return count > pixels * PLACES_A_PIXEL ? pixels * PLACES_A_PIXEL : count;
}

static vv_status read_blocks(plot *self, vv_block_rule rule, double *out, size_t n)
{
    uint64_t blocks[VV_NDIM_MAX];

    for (uint32_t i = 0; i < self->meta->ndim; i++)
        blocks[i] = self->selection.count[i];
    for (uint32_t i = 0; i < self->drawn; i++)
        blocks[self->axes[i].dim] = self->axes[i].places;
    return vv_array_read_blocks(self->array, self->selection.start, self->selection.count,
                                self->selection.step, blocks, rule, out, n, progress_tick,
                                &self->progress, &self->call->err);
}

static size_t value_count(const plot *self)
{
    size_t n = 1;

    for (uint32_t i = 0; i < self->drawn; i++)
        n *= (size_t)self->axes[i].places;
    return n;
}

/* A long line keeps its peaks: each block gives its least and its greatest value. */
static vv_status read_long_line(plot *self, drawn_axis *axis)
{
    size_t n = (size_t)axis->places;
    double *low = cli_alloc(2 * n * sizeof(double)), *high = low + n;
    double *places = cli_alloc(2 * n * sizeof(double));

    self->values = cli_alloc(2 * n * sizeof(double));
    vv_status status = read_blocks(self, VV_BLOCK_MIN, low, n);
    if (!status)
        status = read_blocks(self, VV_BLOCK_MAX, high, n);
    for (size_t i = 0; i < n && !status; i++) {
        double at = axis->values[i], next = i + 1 < n ? axis->values[i + 1] : at;
        self->values[2 * i] = i % 2 ? high[i] : low[i];
        self->values[2 * i + 1] = i % 2 ? low[i] : high[i];
        places[2 * i] = at;
        places[2 * i + 1] = i + 1 < n ? (at + next) / 2
                                      : at + (at - axis->values[n - 2]) / 2;
    }
    free(low);
    free(axis->values);
    axis->values = places;
    axis->axis.values = places;
    axis->axis.count = 2 * n;
    return status;
}

/* Take every n-th place of the longest dimension where there are too many for memory. */
static vv_status read_all_values(plot *self, size_t *n)
{
    uint64_t count[VV_NDIM_MAX] = { 1 }, step[VV_NDIM_MAX] = { 1 }, total = 1;
    uint32_t longest = 0;

    for (uint32_t i = 0; i < self->meta->ndim; i++) {
        count[i] = self->selection.count[i];
        step[i] = self->selection.step[i];
        longest = count[i] > count[longest] ? i : longest;
    }
    for (uint32_t i = 0; i < self->meta->ndim; i++) {
        if (total > UINT64_MAX / count[i])
            return cli_fail(self->call, VV_ELIMIT, "more than 2^64 values");
        total *= count[i];
    }
    self->every = (total - 1) / HISTOGRAM_MAX + 1;
    if (self->every > count[longest] && total > HISTOGRAM_MAX)
        return cli_fail(self->call, VV_ELIMIT,
                        "too many values for a histogram; select a part of them");
    if (self->meta->ndim) {
        total /= count[longest];
        count[longest] = (count[longest] - 1) / self->every + 1;
        step[longest] *= self->every;
        total *= count[longest];
    }
    *n = (size_t)total;
    self->values = cli_alloc(*n * sizeof(double));
    return vv_array_read_numbers(self->array, self->selection.start, count, step,
                                 self->values, *n, &self->call->err);
}

/* ---- axes ------------------------------------------------------------------------------------ */

static char *first_text(const char *attributes, const char *one, const char *other,
                        const char *otherwise)
{
    char *text = attribute_text(attributes, one);

    if (text && !*text) {
        free(text);
        text = NULL;
    }
    if (!text && other)
        text = attribute_text(attributes, other);
    if (!text && otherwise)
        text = cli_strdup(otherwise);
    return text;
}

static const char *dimension_name(const plot *self, uint32_t dim)
{
    const char *name = self->meta->dimension_names ? self->meta->dimension_names[dim]
                                                   : NULL;

    return name ? name : "";
}

/* Coordinates of the places, each the mean of its block; indices where there are none. */
static vv_status read_places(plot *self, drawn_axis *axis, vv_array *coordinates)
{
    const cli_selection *selection = &self->selection;
    uint64_t count = selection->count[axis->dim];
    size_t n = (size_t)axis->places;

    axis->values = cli_alloc(n * sizeof(double));
    axis->axis.values = axis->values;
    axis->axis.count = n;
    if (coordinates &&
        vv_array_read_blocks(coordinates, &selection->start[axis->dim], &count,
                             &selection->step[axis->dim], &axis->places, VV_BLOCK_MEAN,
                             axis->values, n, NULL, NULL, &self->call->err) == VV_OK)
        return VV_OK;
    axis->counted = true;
    for (size_t i = 0; i < n; i++) {
        double first = floor((double)count * (double)i / (double)n);
        double last = floor((double)count * (double)(i + 1) / (double)n) - 1;
        axis->values[i] = (double)selection->start[axis->dim] +
                          (first + last) / 2 * (double)selection->step[axis->dim];
    }
    return VV_OK;
}

static bool units_are(const char *units, const char *words)
{
    return units && strstr(units, words);
}

/* Are its labels known for what they are, as 30°N and 1990-01-16? */
static bool speaks_for_itself(const char *units)
{
    return units_are(units, "degree") || units_are(units, " since ");
}

/* The standard names of a rotated pole are none for people. */
static char *axis_name(const vv_array_meta *meta, const char *units, const char *name)
{
    char *standard = attribute_text(meta->attributes, "standard_name");
    const char *rotated = !standard                                 ? NULL
                          : strcmp(standard, "grid_latitude") == 0  ? "Rotated latitude"
                          : strcmp(standard, "grid_longitude") == 0 ? "Rotated longitude"
                                                                    : NULL;

    free(standard);
    return first_text(meta->attributes, "long_name", rotated ? NULL : "standard_name",
                      rotated                             ? rotated
                      : units_are(units, "degrees_east")  ? "Longitude"
                      : units_are(units, "degrees_north") ? "Latitude"
                                                          : name);
}

static void describe_axis(const plot *self, drawn_axis *axis, vv_array *coordinates)
{
    const char *name = dimension_name(self, axis->dim);

    if (coordinates) {
        const vv_array_meta *meta = vv_array_get_meta(coordinates);
        char *positive = attribute_text(meta->attributes, "positive");
        axis->units = coordinates_units(meta);
        axis->name = axis_name(meta, axis->units, name);
        axis->calendar = coordinates_calendar(meta);
        axis->axis.down = positive && strcmp(positive, "down") == 0;
        free(positive);
    } else {
        axis->name = cli_strdup(name);
    }
    axis->axis.name = axis->name;
    axis->axis.units = axis->units;
    axis->axis.calendar = axis->calendar;
}

static vv_status read_axis(plot *self, drawn_axis *axis)
{
    vv_array *coordinates = coordinates_open(self->store, self->array, axis->dim);

    describe_axis(self, axis, coordinates);
    vv_status status = read_places(self, axis, coordinates);
    vv_array_free(coordinates);
    return status;
}

/* "TIME = 1990-01-16" for a dimension of which one place is taken. */
static void name_place(plot *self, uint32_t dim, char *out, size_t cap)
{
    vv_array *coordinates = coordinates_open(self->store, self->array, dim);
    vv_array *names = names_open(self->store, self->array, dim);
    const char *name = dimension_name(self, dim);
    uint64_t start = self->selection.start[dim], one = 1;
    drawn_axis axis = { .dim = dim };
    char text[100];
    double value;

    describe_axis(self, &axis, coordinates);
    if (coordinates &&
        vv_array_read_numbers(coordinates, &start, &one, NULL, &value, 1, NULL) == VV_OK)
        vv_plot_coordinate(&axis.axis, value, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%" PRIu64, start);
    if (names) {
        char *label = names_read(names, start);
        snprintf(out, cap, "%.150s", label);
        free(label);
    } else if (coordinates && speaks_for_itself(axis.units))
        snprintf(out, cap, "%s", text);
    else
        snprintf(out, cap, "%.60s %s %s", *name ? name : "dimension", *name ? "=" : "at",
                 text);
    vv_array_free(names);
    vv_array_free(coordinates);
    free(axis.name);
    free(axis.units);
    free(axis.calendar);
}

static const char *ordinal_of(uint64_t n)
{
    static const char *const endings[] = { "th", "st", "nd", "rd" };

    return n / 10 % 10 == 1 || n % 10 > 3 ? "th" : endings[n % 10];
}

/* "52.5°N, 13.4°E" of a place on a grid that has no axes of latitude and longitude. */
static void describe_place(plot *self)
{
    static const char *const units[] = { "degrees_north", "degrees_east" };
    char text[64];
    double value;

    for (size_t i = 0; i < 2; i++) {
        vv_plot_axis axis = { .units = units[i] };
        size_t len = strlen(self->subtitle);
        if (!coordinates_at(self->store, self->array, &self->selection, units[i], &value))
            continue;
        vv_plot_coordinate(&axis, value, text, sizeof(text));
        snprintf(self->subtitle + len, sizeof(self->subtitle) - len, "%s%s",
                 len ? ", " : "", text);
    }
}

static void describe_rest(plot *self)
{
    char place[200];

    for (uint32_t i = 0; i < self->meta->ndim; i++) {
        size_t len = strlen(self->subtitle);
        if (self->selection.count[i] != 1 || len + 200 >= sizeof(self->subtitle))
            continue;
        name_place(self, i, place, sizeof(place));
        snprintf(self->subtitle + len, sizeof(self->subtitle) - len, "%s%s",
                 len ? ", " : "", place);
    }
    describe_place(self);
    size_t len = strlen(self->subtitle);
    if (self->every > 1)
        snprintf(self->subtitle + len, sizeof(self->subtitle) - len,
                 "%severy %" PRIu64 "%s value", len ? ", " : "", self->every,
                 ordinal_of(self->every));
    if (self->lines_of)
        snprintf(self->subtitle + len, sizeof(self->subtitle) - len,
                 "%s%" PRIu64 " of %" PRIu64 " lines", len ? ", " : "",
                 self->selection.count[self->axes[0].dim], self->lines_of);
}

/* ---- reading it all -------------------------------------------------------------------------- */

/* Pixels, or dots of characters, that there will be along each axis at most. */
static uint64_t pixels_of(const plot *self)
{
    uint64_t pixels = self->width > self->height ? self->width : self->height;

    return cli_text(self->call, "output") && pixels > 1000 ? pixels : 1000;
}

/* rows × columns values become columns × rows. */
static void transpose(plot *self, size_t rows, size_t columns)
{
    double *turned = cli_alloc(rows * columns * sizeof(double));

    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < columns; k++)
            turned[k * rows + i] = self->values[i * columns + k];
    }
    free(self->values);
    self->values = turned;
}

static vv_status read_field(plot *self, vv_plot_field *field)
{
    vv_status status = VV_OK;
    bool lines = self->kind == VV_PLOT_LINE && self->drawn == 2;

    for (uint32_t i = 0; i < self->drawn && !status; i++) {
        drawn_axis *axis = &self->axes[i];
        axis->places = places_for(self->selection.count[axis->dim], pixels_of(self));
        status = read_axis(self, axis);
    }
    if (status)
        return status;
    if (self->kind == VV_PLOT_HISTOGRAM) {
        status = read_all_values(self, &field->x.count);
    } else if (self->drawn == 1 && is_reduced(self, &self->axes[0])) {
        status = read_long_line(self, &self->axes[0]);
    } else {
        self->values = cli_alloc(value_count(self) * sizeof(double));
        status = read_blocks(self, VV_BLOCK_MEAN, self->values, value_count(self));
    }
    if (!status && lines && self->axes[0].dim > self->axes[1].dim)
        transpose(self, (size_t)self->axes[1].places, (size_t)self->axes[0].places);
    field->values = self->values;
    if (self->drawn)
        field->x = self->axes[self->drawn - 1].axis;
    if (lines)
        field->lines = (size_t)self->axes[0].places;
    else if (self->drawn == 2)
        field->y = self->axes[0].axis;
    return status;
}

/* "30°N", "Potsdam", or "station 3" where there is nothing better. */
static void name_lines(plot *self, vv_plot_field *field)
{
    const drawn_axis *axis = &self->axes[0];

    if (field->lines < 2)
        return;
    vv_array *names = names_open(self->store, self->array, axis->dim);
    for (size_t i = 0; i < field->lines; i++) {
        uint64_t index = self->selection.start[axis->dim] +
                         i * self->selection.step[axis->dim];
        if (names) {
            self->line_names[i] = names_read(names, index);
            continue;
        }
        self->line_names[i] = cli_alloc(PLACE_NAME_MAX);
        if (axis->counted)
            snprintf(self->line_names[i], PLACE_NAME_MAX, "%.100s%s%" PRIu64, axis->name,
                     *axis->name ? " " : "", index);
        else
            vv_plot_coordinate(&axis->axis, axis->values[i], self->line_names[i],
                               PLACE_NAME_MAX);
    }
    vv_array_free(names);
    field->line_names = (const char *const *)self->line_names;
}

/* Latitude, depth go up the page; time goes across it, but for longitude. */
static bool is_turned(const vv_plot_field *field)
{
    const vv_plot_axis *x = &field->x, *y = &field->y;

    if (!y->count)
        return false;
    bool x_upright = x->down || units_are(x->units, "degrees_north") ||
                     units_are(x->units, "degree_north");
    bool y_upright = y->down || units_are(y->units, "degrees_north") ||
                     units_are(y->units, "degree_north");
    bool y_across = units_are(y->units, " since ") || units_are(y->units, "degrees_east");
    return x_upright && !y_upright && (y_across || x->down);
}

static void turn(plot *self, vv_plot_field *field)
{
    vv_plot_axis x = field->x;

    transpose(self, field->y.count, field->x.count);
    field->values = self->values;
    field->x = field->y;
    field->y = x;
}

static void name_field(plot *self, vv_plot_field *field)
{
    const char *path = vv_array_path(self->array), *slash = strrchr(path, '/');
    const char *given = cli_text(self->call, "title");

    describe_rest(self);
    self->title = given ? cli_strdup(given)
                        : first_text(self->meta->attributes, "long_name", "standard_name",
                                     path);
    self->units = attribute_text(self->meta->attributes, "units");
    field->title = self->title;
    field->subtitle = self->subtitle;
    field->name = slash ? slash + 1 : path;
    field->units = self->units;
}

/* ---- out ------------------------------------------------------------------------------------- */

static vv_status draw_file(plot *self, const vv_plot_field *field, const char *path)
{
    cli_call *call = self->call;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    cli_result_file out = { NULL, NULL, NULL, NULL };

    options.kind = self->kind;
    options.width = self->width;
    options.height = self->height;
    options.ranged = self->ranged;
    options.low = self->low;
    options.high = self->high;
    options.colors = cli_text(call, "cmap");
    options.log = cli_has(call, "log");
    vv_status status = plot_format_of(call, path, &options.format);
    if (!status)
        status = result_open(call, path, &out);
    if (!status)
        status = vv_plot_render(field, &options, result_sink(&out), &call->err);
    if (!status)
        status = result_commit(&out);
    result_clear(&out);
    return status;
}

static void terminal_size(vv_preview_options *options)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 24 ||
        size.ws_row < 8)
        return;
    options->columns = size.ws_col;
    options->rows = size.ws_row - 1u; /* the prompt comes below */
}

static vv_status draw_preview(plot *self, const vv_plot_field *field)
{
    const char *depth = getenv("COLORTERM");
    bool all = depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;

    options.kind = self->kind;
    options.ranged = self->ranged;
    options.low = self->low;
    options.high = self->high;
    options.color_map = cli_text(self->call, "cmap");
    options.log = cli_has(self->call, "log");
    options.ascii = !self->call->color_out || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    options.colors = options.ascii ? 0 : all ? 1u << 24 : 256;
    terminal_size(&options);
    if (self->width && !cli_text(self->call, "output")) {
        options.columns = self->width;
        options.rows = self->height;
    }
    return vv_plot_preview(field, &options, out_sink(), &self->call->err);
}

static vv_status draw(plot *self)
{
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    const char *path = cli_text(self->call, "output");
    vv_plot_format format;

    vv_status status = path ? plot_format_of(self->call, path, &format) : VV_OK;
    if (!status)
        status = read_field(self, &field);
    progress_hide();
    if (status)
        return status;
    name_lines(self, &field);
    name_field(self, &field);
    if (is_turned(&field))
        turn(self, &field);
    if (!path || cli_has(self->call, "preview"))
        status = draw_preview(self, &field);
    if (path && !status)
        status = draw_file(self, &field, path);
    if (status == VV_EINVAL)
        cli_wrap(self->call, status, "%.100s", self->call->args[1]);
    return status;
}

static void clear(plot *self)
{
    for (size_t i = 0; i < 2; i++) {
        free(self->axes[i].name);
        free(self->axes[i].units);
        free(self->axes[i].calendar);
        free(self->axes[i].values);
    }
    for (size_t i = 0; i < LINES_MAX; i++)
        free(self->line_names[i]);
    free(self->values);
    free(self->title);
    free(self->units);
    vv_array_free(self->array);
    vv_store_free(self->store);
}

vv_status cmd_plot(cli_call *call)
{
    plot self = { .call = call, .kind = read_kind(cli_text(call, "kind")), .every = 1 };
    const char *inside;

    vv_status status = read_size(&self);
    if (!status)
        status = read_range(&self);
    if (!status)
        status = cli_open_root(call, call->args[0], &self.store);
    if (!status)
        status = select_open(call, self.store, call->args[1], &self.array, &inside);
    if (!status) {
        self.meta = vv_array_get_meta(self.array);
        status = select_resolve(call, inside, self.meta, &self.selection);
        if (!status)
            status = select_all_at(call, self.store, self.array, &self.selection);
        if (!status)
            status = choose_dimensions(&self);
        if (status)
            cli_wrap(call, status, "%.100s", call->args[1]);
    }
    if (!status) {
        progress_begin(&self.progress, call, "plot");
        status = draw(&self);
    }
    clear(&self);
    return status;
}
