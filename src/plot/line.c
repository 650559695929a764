/* Lines, profiles (lines over depth), and histograms. */
#include "plot/figure.h"

#include "util/alloc.h"

#include <math.h>
#include <stdio.h>

#define DOTS_MAX 40 /* places up to which each is shown by a dot */

typedef struct lines {
    vvi_figure *figure;
    vvi_axis places, values;
    bool profile; /* places run down the page, values across */
    double legend_w;
} lines;

static size_t line_count(const vv_plot_field *field)
{
    return field->lines ? field->lines : 1;
}

/* ---- page ------------------------------------------------------------------------------------ */

static vv_status open_page(vvi_figure *figure, const vvi_axis *bottom,
                           const vvi_axis *left, bool tall, double right,
                           vv_plot_format format, vv_error *err)
{
    figure->left = rint(vvi_figure_left_room(figure, left));
    figure->top = rint(vvi_figure_head_height(figure) + figure->font * 0.4);
    double below = vvi_figure_bottom_room(figure, bottom);
    if (figure->height == 0)
        figure->height = rint(figure->width * (tall ? 0.75 : 0.56));
    figure->w = rint(fmax(figure->width - figure->left - right, 16));
    figure->h = rint(fmax(figure->height - figure->top - below, 16));
    vvi_canvas_free(figure->canvas);
    figure->canvas = NULL;
    VVI_TRY(vvi_canvas_new(format, figure->width, figure->height, &figure->canvas, err));
    vvi_canvas_rect(figure->canvas, 0, 0, figure->width, figure->height, VVI_PAPER);
    return VV_OK;
}

/* Names may take a third of the page; longer ones are cut. */
static double legend_width(const vvi_figure *figure)
{
    const vv_plot_field *field = &figure->request->field;
    double widest = 0;

    for (size_t i = 0; field->line_names && i < line_count(field); i++)
        widest = fmax(widest, vvi_canvas_text_width(figure->canvas, field->line_names[i],
                                                    figure->font, false));
    widest = fmin(widest, figure->width / 3);
    return field->line_names ? widest + figure->font * 3.4 : 0;
}

static vv_status lay_out(lines *self, vv_plot_format format, vv_error *err)
{
    vvi_figure *figure = self->figure;
    const vvi_request *request = figure->request;
    const vv_plot_field *field = &request->field;
    unsigned wanted = (unsigned)fmin(fmax(3, figure->width / 110), 12);

    VVI_TRY(vvi_canvas_new(VV_PLOT_SVG, 1, 1, &figure->canvas, err));
    vvi_axis_points(&self->places);
    vvi_axis_mark(&self->places, field->x.name, field->x.units,
                  self->profile ? 7 : wanted);
    vvi_axis_of_values(&self->values, field->name, field->units, request->low,
                       request->high, request->log, !request->ranged,
                       self->profile ? wanted : 6);
    self->legend_w = legend_width(figure);
    return open_page(figure, self->profile ? &self->values : &self->places,
                     self->profile ? &self->places : &self->values, self->profile,
                     self->legend_w + figure->font * 2, format, err);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static vvi_point point_at(const lines *self, size_t i, double value)
{
    double place = vvi_axis_value(&self->places, i);

    if (self->profile)
        return (vvi_point){ vvi_figure_x(self->figure, &self->values, value),
                            vvi_figure_y(self->figure, &self->places, place) };
    return (vvi_point){ vvi_figure_x(self->figure, &self->places, place),
                        vvi_figure_y(self->figure, &self->values, value) };
}

/* Runs of values that are there; one between two gaps is a dot. */
static void draw_line(lines *self, const double *values, vvi_point *points, vvi_rgb color)
{
    vvi_figure *figure = self->figure;
    size_t count = figure->request->field.x.count, n = 0;
    double width = figure->font * 0.15;

    for (size_t i = 0; i <= count; i++) {
        bool there = i < count && isfinite(values[i]) &&
                     (!figure->request->log || values[i] > 0);
        if (there) {
            points[n++] = point_at(self, i, values[i]);
            continue;
        }
        vvi_canvas_line(figure->canvas, points, n, width, color);
        for (size_t k = 0; k < n && (n == 1 || count <= DOTS_MAX); k++)
            vvi_canvas_dot(figure->canvas, points[k], width * 1.7, color);
        n = 0;
    }
}

/* As many names as stand beside the values; dots for the others. */
static void draw_legend(const lines *self)
{
    const vvi_figure *figure = self->figure;
    const vv_plot_field *field = &figure->request->field;
    vvi_text_style style = vvi_figure_style(figure, 0);
    double x = figure->left + figure->w + figure->font, y = figure->top + figure->font;
    double room = self->legend_w - figure->font * 3.4 + 1;
    char name[VVI_FIT_SIZE];

    for (size_t i = 0; field->line_names && i < line_count(field); i++) {
        if (y + figure->font * 1.5 > figure->top + figure->h &&
            i + 1 < line_count(field)) {
            vvi_canvas_text(figure->canvas, x + figure->font * 2, y, "…", &style);
            return;
        }
        vvi_canvas_line(
            figure->canvas,
            (vvi_point[]){ { x, y - figure->font * 0.36 },
                           { x + figure->font * 1.5, y - figure->font * 0.36 } },
            2, figure->font * 0.18, vvi_line_color(i));
        vvi_fit_cut(figure->canvas, field->line_names[i], figure->font, false, room,
                    name);
        vvi_canvas_text(figure->canvas, x + figure->font * 2, y, name, &style);
        y += figure->font * 1.5;
    }
}

static void draw_axes(const vvi_figure *figure, const vvi_axis *bottom,
                      const vvi_axis *left)
{
    vvi_figure_head(figure);
    vvi_figure_bottom_axis(figure, bottom, true);
    vvi_figure_left_axis(figure, left, true);
}

vv_status vvi_draw_lines(vvi_figure *figure, vv_plot_format format, vv_error *err)
{
    const vv_plot_field *field = &figure->request->field;
    lines *self = vvi_alloc_zero(sizeof(*self));
    vvi_point *points = vvi_alloc_array(field->x.count, sizeof(*points));
    vv_status status = self && points
                           ? VV_OK
                           : vvi_fail_nomem(err, field->x.count * sizeof(*points));

    if (status)
        goto done;
    self->figure = figure;
    self->profile = field->x.down;
    vvi_axis_init(&self->places, &field->x);
    status = lay_out(self, format, err);
    if (status)
        goto done;
    draw_axes(figure, self->profile ? &self->values : &self->places,
              self->profile ? &self->places : &self->values);
    vvi_canvas_clip(figure->canvas, figure->left - 4, figure->top - 4, figure->w + 8,
                    figure->h + 8); /* dots at the edge stay whole */
    for (size_t i = 0; i < line_count(field); i++)
        draw_line(self, field->values + i * field->x.count, points, vvi_line_color(i));
    vvi_canvas_unclip(figure->canvas);
    vvi_figure_frame(figure);
    draw_legend(self);

done:
    vvi_free(points);
    vvi_free(self);
    return status;
}

/* ---- histograms ------------------------------------------------------------------------------ */

/* "104778 values, 89622 missing" */
static void counts_text(const vvi_figure *figure, char out[96])
{
    uint64_t present = figure->request->present;

    snprintf(out, 96, "%" PRIu64 " value%s, %" PRIu64 " missing", present,
             present == 1 ? "" : "s", figure->request->missing);
}

/* At the right end of the head. */
static void draw_counts(const vvi_figure *figure)
{
    vvi_text_style style = vvi_figure_style(figure, 1);
    char text[96];

    style.color = VVI_FAINT;
    counts_text(figure, text);
    vvi_canvas_text(figure->canvas, figure->left + figure->w,
                    figure->top - figure->font * 0.5, text, &style);
}

vv_status vvi_draw_histogram(vvi_figure *figure, vv_plot_format format, vv_error *err)
{
    const vvi_request *request = figure->request;
    unsigned wanted = (unsigned)fmin(fmax(sqrt((double)request->present), 8), 48);
    struct {
        vvi_axis values, counts;
        vvi_bins bins;
    } *self = vvi_alloc_zero(sizeof(*self));
    char counts[96];
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vvi_bins_count(request, wanted, &self->bins);
    double high = self->bins.low + self->bins.width * (double)self->bins.count;
    vvi_axis_of_values(&self->values, request->field.name, request->field.units,
                       self->bins.low, high, false, false, 10);
    vvi_axis_of_values(&self->counts, "Count", NULL, 0, (double)self->bins.most * 1.05,
                       false, false, 6);
    status = vvi_canvas_new(VV_PLOT_SVG, 1, 1, &figure->canvas, err);
    if (!status) {
        counts_text(figure, counts);
        figure->aside = figure->font * 2 + vvi_canvas_text_width(figure->canvas, counts,
                                                                 figure->font, false);
        status = open_page(figure, &self->values, &self->counts, false, figure->font * 2,
                           format, err);
    }
    if (!status) {
        draw_axes(figure, &self->values, &self->counts);
        for (size_t i = 0; i < self->bins.count; i++) {
            double x0 = vvi_figure_x(figure, &self->values,
                                     self->bins.low + (double)i * self->bins.width);
            double x1 = vvi_figure_x(figure, &self->values,
                                     self->bins.low + (double)(i + 1) * self->bins.width);
            double y = vvi_figure_y(figure, &self->counts, (double)self->bins.counts[i]);
            if (self->bins.counts[i])
                vvi_canvas_rect(figure->canvas, x0 + 0.5, y, x1 - x0 - 1,
                                figure->top + figure->h - y, vvi_line_color(0));
        }
        vvi_figure_frame(figure);
        draw_counts(figure);
    }
    vvi_free(self);
    return status;
}
