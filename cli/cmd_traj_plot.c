/* traj plot: one leaf as any array is drawn, several as lines over their steps. */
#include "coords.h"
#include "describe.h"
#include "out.h"
#include "plots.h"
#include "progress.h"
#include "select.h"
#include "stores.h"
#include "traj.h"

#include <varvite/plot.h>
#include <varvite/stats.h>

#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_MAX 8
#define PLACES_MAX \
    1000 /* of longer lines, the least and the greatest of each part are drawn */

typedef struct line {
    vv_array *array;
    const vv_array_meta *meta;
    cli_selection selection;
    uint32_t dim; /* along the line */
} line;

typedef struct lines {
    cli_call *call;
    vv_store *store;
    line items[LINES_MAX];
    size_t count;
    uint64_t places; /* of each line, and parts it is cut in */
    size_t parts, points;
    double *values, *x;
    const char *x_name;
    vv_plot_options options;
    cli_progress progress;
} lines;

/* ---- what is asked for -------------------------------------------------------------------------- */

static vv_status read_size_and_range(lines *self)
{
    const char *size = cli_text(self->call, "size"),
               *range = cli_text(self->call, "range");
    char rest;

    if (size && (sscanf(size, "%5ux%5u%c", &self->options.width, &self->options.height,
                        &rest) != 2 ||
                 !self->options.width || !self->options.height))
        return cli_usage(self->call, "--size %.50s: give WIDTHxHEIGHT, as in 1200x800",
                         size);
    self->options.ranged = range != NULL;
    if (range && (sscanf(range, "%lf:%lf%c", &self->options.low, &self->options.high,
                         &rest) != 2 ||
                  !(self->options.low < self->options.high)))
        return cli_usage(self->call, "--range %.50s: give LOW:HIGH, as in -2:30", range);
    self->options.kind = VV_PLOT_LINE;
    self->options.log = cli_has(self->call, "log");
    self->options.colors = cli_text(self->call, "cmap");
    return VV_OK;
}

/* A selection that leaves one dimension, as long as the others. */
static vv_status open_line(lines *self, const char *text, line *out)
{
    cli_call *call = self->call;
    const char *inside;
    uint32_t many = 0;

    vv_status status = select_open(call, self->store, text, &out->array, &inside);
    if (status)
        return status;
    out->meta = vv_array_get_meta(out->array);
    status = select_resolve(call, inside, out->meta, &out->selection);
    if (!status)
        status = select_all_at(call, self->store, out->array, &out->selection);
    for (uint32_t d = 0; d < out->selection.ndim && !status; d++)
        if (out->selection.count[d] != 1) {
            out->dim = d;
            many++;
        }
    if (!status && many != 1)
        status = cli_usage(
            call, "%u dimensions are left, and a line among others has one", many);
    if (!status && out->selection.count[out->dim] == 0)
        status = cli_usage(call, "the selection is empty: there is nothing to draw");
    if (!status && self->count &&
        out->selection.count[out->dim] !=
            self->items[0].selection.count[self->items[0].dim])
        status = cli_usage(call, "%" PRIu64 " places, and %.100s has %" PRIu64,
                           out->selection.count[out->dim],
                           vv_array_path(self->items[0].array),
                           self->items[0].selection.count[self->items[0].dim]);
    return status ? cli_wrap(call, status, "%.100s", text) : VV_OK;
}

/* ---- values ------------------------------------------------------------------------------------- */

static vv_status read_blocks(lines *self, vv_array *array, const cli_selection *selection,
                             uint32_t dim, vv_block_rule rule, double *out)
{
    uint64_t blocks[VV_NDIM_MAX];

    for (uint32_t d = 0; d < selection->ndim; d++)
        blocks[d] = d == dim ? self->parts : 1;
    return vv_array_read_blocks(array, selection->start, selection->count,
                                selection->step, blocks, rule, out, self->parts,
                                progress_tick, &self->progress, &self->call->err);
}

/* A line that is cut in parts shows the least and the greatest of each, in turn. */
static vv_status read_line(lines *self, const line *at, double *out)
{
    double *low, *high;

    if (self->points == self->parts)
        return read_blocks(self, at->array, &at->selection, at->dim, VV_BLOCK_MEAN, out);
    low = cli_alloc(2 * self->parts * sizeof(*low));
    high = low + self->parts;
    vv_status status = read_blocks(self, at->array, &at->selection, at->dim, VV_BLOCK_MIN,
                                   low);
    if (!status)
        status = read_blocks(self, at->array, &at->selection, at->dim, VV_BLOCK_MAX,
                             high);
    for (size_t i = 0; i < self->parts && !status; i++) {
        out[2 * i] = i % 2 ? high[i] : low[i];
        out[2 * i + 1] = i % 2 ? low[i] : high[i];
    }
    free(low);
    return status;
}

/* Steps where they are known, else rows. */
static void read_places(lines *self)
{
    const line *first = &self->items[0];
    vv_array *steps = coordinates_open(self->store, first->array, first->dim);
    cli_selection selection = { .ndim = 1,
                                .start = { first->selection.start[first->dim] },
                                .count = { self->places },
                                .step = { first->selection.step[first->dim] } };
    double *middle = cli_alloc(self->parts * sizeof(*middle));
    bool known = steps && !read_blocks(self, steps, &selection, 0, VV_BLOCK_MEAN, middle);

    self->x_name = known ? "step" : "row";
    for (size_t i = 0; i < self->parts && !known; i++)
        middle[i] = (double)selection.start[0] +
                    ((double)self->places * ((double)i + 0.5) / (double)self->parts -
                     0.5) *
                        (double)selection.step[0];
    for (size_t i = 0; i < self->parts; i++) {
        double next = i + 1 < self->parts ? middle[i + 1]
                      : i                 ? 2 * middle[i] - middle[i - 1]
                                          : middle[i];
        if (self->points == self->parts) {
            self->x[i] = middle[i];
        } else {
            self->x[2 * i] = middle[i];
            self->x[2 * i + 1] = (middle[i] + next) / 2;
        }
    }
    free(middle);
    vv_array_free(steps);
}

static vv_status read_all(lines *self)
{
    vv_status status = VV_OK;

    self->places = self->items[0].selection.count[self->items[0].dim];
    self->parts = self->places > 2 * PLACES_MAX ? PLACES_MAX : (size_t)self->places;
    self->points = self->places > self->parts ? 2 * self->parts : self->parts;
    self->values = cli_alloc(self->count * self->points * sizeof(double));
    self->x = cli_alloc(self->points * sizeof(double));
    for (size_t i = 0; i < self->count && !status; i++)
        status = read_line(self, &self->items[i], self->values + i * self->points);
    if (!status)
        read_places(self);
    return status;
}

/* ---- drawing ------------------------------------------------------------------------------------ */

static vv_status draw_file(lines *self, const vv_plot_field *field, const char *path)
{
    cli_result_file out = { NULL, NULL, NULL, NULL };
    vv_status status = result_open(self->call, path, &out);

    if (!status)
        status = vv_plot_render(field, &self->options, result_sink(&out),
                                &self->call->err);
    if (!status)
        status = result_commit(&out);
    result_clear(&out);
    return status;
}

static vv_status draw_preview(const lines *self, const vv_plot_field *field)
{
    const char *depth = getenv("COLORTERM");
    bool all = depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;
    struct winsize size;

    options.kind = VV_PLOT_LINE;
    options.ranged = self->options.ranged;
    options.low = self->options.low;
    options.high = self->options.high;
    options.log = self->options.log;
    options.ascii = !self->call->color_out || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    options.colors = options.ascii ? 0 : all ? 1u << 24 : 256;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 24 &&
        size.ws_row >= 8) {
        options.columns = size.ws_col;
        options.rows = size.ws_row - 1u;
    }
    if (self->options.width && !cli_text(self->call, "output")) {
        options.columns = self->options.width;
        options.rows = self->options.height;
    }
    return vv_plot_preview(field, &options, out_sink(), &self->call->err);
}

/* Lines in the same units have them on the axis; others in their names. Freed by the caller. */
static char *common_units(const lines *self)
{
    char *units = attribute_text(self->items[0].meta->attributes, "units");

    for (size_t i = 1; i < self->count && units; i++) {
        char *other = attribute_text(self->items[i].meta->attributes, "units");
        bool same = other && strcmp(units, other) == 0;

        free(other);
        if (!same) {
            free(units);
            units = NULL;
        }
    }
    return units;
}

/* "step/energy (eV)"; freed by the caller. */
static char *line_name(const lines *self, size_t i, bool with_units)
{
    const char *name = self->call->args[1 + i];
    char *units = with_units ? attribute_text(self->items[i].meta->attributes, "units")
                             : NULL;
    size_t len = strlen(name) + (units ? strlen(units) : 0) + 4;
    char *out = cli_alloc(len);

    snprintf(out, len, "%s%s%s%s", name, units ? " (" : "", units ? units : "",
             units ? ")" : "");
    free(units);
    return out;
}

static vv_status draw(lines *self)
{
    const char *path = cli_text(self->call, "output");
    char *units = common_units(self);
    char *names[LINES_MAX];
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < self->count; i++)
        names[i] = line_name(self, i, !units);
    field.units = units;
    field.values = self->values;
    field.lines = self->count;
    field.line_names = (const char *const *)names;
    field.x = (vv_plot_axis){ .count = self->points,
                              .values = self->x,
                              .name = self->x_name };
    field.title = cli_text(self->call, "title");
    if (!field.title)
        field.title = self->call->args[0];
    if (!path || cli_has(self->call, "preview"))
        status = draw_preview(self, &field);
    if (path && !status)
        status = draw_file(self, &field, path);
    for (size_t i = 0; i < self->count; i++)
        free(names[i]);
    free(units);
    return status;
}

static vv_status plot_lines(lines *self)
{
    cli_call *call = self->call;
    const char *path = cli_text(call, "output");
    const char *kind = cli_text(call, "kind");
    vv_status status = VV_OK;

    if (call->arg_count - 1 > LINES_MAX)
        return cli_usage(call, "%zu lines; %d are the most", call->arg_count - 1,
                         LINES_MAX);
    if (kind && strcmp(kind, "line") != 0 && strcmp(kind, "auto") != 0)
        return cli_usage(call, "--kind %s: several leaves are drawn as lines", kind);
    status = read_size_and_range(self);
    if (!status && path)
        status = plot_format_of(call, path, &self->options.format);
    if (!status)
        status = cli_open_root(call, call->args[0], &self->store);
    for (size_t i = 1; i < call->arg_count && !status; i++) {
        status = open_line(self, call->args[i], &self->items[self->count]);
        self->count++;
    }
    if (status)
        return status;
    progress_begin(&self->progress, call, "plot");
    status = read_all(self);
    progress_hide();
    return status ? status : draw(self);
}

vv_status cmd_traj_plot(cli_call *call)
{
    lines self = { .call = call, .options = VV_PLOT_OPTIONS_INIT };

    if (call->arg_count == 2)
        return cmd_plot(call);
    vv_status status = plot_lines(&self);
    for (size_t i = 0; i < self.count; i++)
        vv_array_free(self.items[i].array);
    free(self.values);
    free(self.x);
    vv_store_free(self.store);
    return status;
}
