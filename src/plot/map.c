/* Maps: a field of colours over two axes, and what the colours mean. */
#include "plot/figure.h"

#include "util/alloc.h"

#include <math.h>

typedef struct map {
    vvi_figure *figure;
    vvi_axis x, y, values;
    vvi_colors colors;
    double bar_x, bar_w;
} map;

static bool is_geographic(const map *self)
{
    return vvi_axes_are_degrees(&self->x, &self->y);
}

/* Height over width of the values where degrees are to be as long both ways, about the middle. */
static double aspect(const map *self)
{
    double middle = (self->y.low + self->y.high) / 2, span = self->y.high - self->y.low;
    double shrink = span < 60 ? fmax(cos(middle * 3.14159265358979 / 180), 0.3) : 1;
    double ratio = span / ((self->x.high - self->x.low) * shrink);

    return fmin(fmax(ratio, 0.3), 1.1);
}

static double bar_room(const map *self)
{
    const vvi_figure *figure = self->figure;
    double widest = 0;

    for (size_t i = 0; i < self->values.ticks.count; i++)
        widest = fmax(widest, vvi_canvas_text_width(figure->canvas,
                                                    self->values.ticks.ticks[i].label,
                                                    figure->font, false));
    return figure->font * 1.4 + self->bar_w + 5 + figure->font * 0.4 + widest +
           (*self->values.label ? figure->font * 1.8 : 0) + figure->font * 0.8;
}

/* Places of all parts. Text is measured on a canvas, so a small one lends its font first. */
static vv_status lay_out(map *self, vv_plot_format format, vv_error *err)
{
    vvi_figure *figure = self->figure;
    const vv_plot_field *field = &figure->request->field;
    unsigned along = (unsigned)fmax(3, figure->width / 110);

    VVI_TRY(vvi_canvas_new(VV_PLOT_SVG, 1, 1, &figure->canvas, err));
    vvi_axis_mark(&self->x, field->x.name, field->x.units, along > 12 ? 12 : along);
    vvi_axis_mark(&self->y, field->y.name, field->y.units, 7);
    vvi_axis_of_values(&self->values, field->name, field->units, figure->request->low,
                       figure->request->high, figure->request->log, false, 8);
    self->bar_w = figure->font * 1.3;
    figure->left = rint(vvi_figure_left_room(figure, &self->y));
    figure->top = vvi_figure_head_height(figure);
    double right = bar_room(self), bottom = vvi_figure_bottom_room(figure, &self->x);
    figure->w = fmax(figure->width - figure->left - right, 16);
    if (figure->height == 0)
        figure->height = rint(figure->top + bottom +
                              figure->w * (is_geographic(self) ? aspect(self) : 0.62));
    figure->h = fmax(figure->height - figure->top - bottom, 16);
    figure->top = rint(figure->top);
    figure->w = rint(figure->w);
    figure->h = rint(figure->h);
    self->bar_x = figure->left + figure->w + figure->font * 1.4;
    vvi_canvas_free(figure->canvas);
    figure->canvas = NULL;
    return vvi_canvas_new(format, figure->width, figure->height, &figure->canvas, err);
}

static void set_pixel(uint8_t *at, vvi_rgb color)
{
    at[0] = color.r;
    at[1] = color.g;
    at[2] = color.b;
}

/* Pages that can be enlarged get two cells a pixel. */
static vv_status draw_field(map *self, vv_plot_format format, vv_error *err)
{
    vvi_figure *figure = self->figure;
    size_t fine = format == VV_PLOT_PNG ? 1 : 2;
    size_t iw = (size_t)figure->w * fine, ih = (size_t)figure->h * fine;
    double *shares = vvi_alloc_array(iw * ih, sizeof(double));
    uint8_t *rgb = vvi_alloc_array(iw * ih, 3);
    vv_status status = shares && rgb ? VV_OK
                                     : vvi_fail_nomem(err, iw * ih * sizeof(double));

    if (!status)
        status = vvi_raster(figure->request, &self->x, &self->y, iw, ih, shares, err);
    for (size_t i = 0; i < iw * ih && !status; i++)
        set_pixel(rgb + 3 * i, isnan(shares[i]) ? VVI_MISSING
                               : shares[i] < 0  ? VVI_PAPER
                                               : vvi_colors_at(&self->colors, shares[i]));
    if (!status)
        vvi_canvas_image(figure->canvas, figure->left, figure->top, figure->w, figure->h,
                         rgb, iw, ih);
    vvi_free(shares);
    vvi_free(rgb);
    return status;
}

/* The bar is drawn as an axis of values beside a strip of all colours. */
static void draw_bar(map *self)
{
    enum {
        STEPS = 512
    };
    vvi_figure *figure = self->figure;
    vvi_figure bar = *figure;
    uint8_t rgb[3 * STEPS];
    vvi_text_style style = vvi_figure_style(figure, 0);
    double x = self->bar_x + self->bar_w, font = figure->font, widest = 0;

    for (size_t i = 0; i < STEPS; i++)
        set_pixel(rgb + 3 * i,
                  vvi_colors_at(&self->colors, ((double)(STEPS - 1 - i) + 0.5) / STEPS));
    bar.left = rint(self->bar_x);
    bar.w = rint(self->bar_w);
    vvi_canvas_image(figure->canvas, bar.left, bar.top, bar.w, bar.h, rgb, 1, STEPS);
    vvi_figure_frame(&bar);
    for (size_t i = 0; i < self->values.ticks.count; i++) {
        const vvi_tick *tick = &self->values.ticks.ticks[i];
        double y = floor(vvi_figure_y(&bar, &self->values, tick->value)) + 0.5;
        vvi_canvas_line(figure->canvas, (vvi_point[]){ { x, y }, { x + 4, y } }, 2, 1,
                        VVI_FAINT);
        vvi_canvas_text(figure->canvas, x + 5 + font * 0.3, y + font * 0.36, tick->label,
                        &style);
        widest = fmax(widest,
                      vvi_canvas_text_width(figure->canvas, tick->label, font, false));
    }
    vvi_figure_upward(figure, x + 5 + font * 0.4 + widest + font * 1.4,
                      self->values.label);
}

/* What the grey means, below the bar. */
static void draw_missing(map *self)
{
    vvi_figure *figure = self->figure;
    vvi_text_style style = vvi_figure_style(figure, 0);
    double y = figure->top + figure->h + figure->font * 1.15 + 5,
           size = figure->font * 0.9;

    if (!figure->request->missing)
        return;
    if (*self->x.label) /* clear of the last label of the marks */
        y += figure->font * 1.4;
    style.color = VVI_FAINT;
    vvi_canvas_rect(figure->canvas, self->bar_x, y - size * 0.9, size, size, VVI_MISSING);
    vvi_canvas_text(figure->canvas, self->bar_x + size + figure->font * 0.4, y, "missing",
                    &style);
}

vv_status vvi_draw_map(vvi_figure *figure, vv_plot_format format, vv_error *err)
{
    map *self = vvi_alloc_zero(sizeof(*self));

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->figure = figure;
    vvi_axis_init(&self->x, &figure->request->field.x);
    vvi_axis_init(&self->y, &figure->request->field.y);
    vv_status status = vvi_colors_init(&self->colors, figure->request->colors, err);
    if (!status)
        status = vvi_axis_edges(&self->x, err);
    if (!status)
        status = vvi_axis_edges(&self->y, err);
    if (!status)
        status = lay_out(self, format, err);
    if (status)
        goto done;
    vvi_canvas_rect(figure->canvas, 0, 0, figure->width, figure->height, VVI_PAPER);
    status = draw_field(self, format, err);
    if (status)
        goto done;
    vvi_figure_head(figure);
    vvi_figure_bottom_axis(figure, &self->x, false);
    vvi_figure_left_axis(figure, &self->y, false);
    vvi_figure_frame(figure);
    draw_bar(self);
    draw_missing(self);

done:
    vvi_axis_clear(&self->x);
    vvi_axis_clear(&self->y);
    vvi_free(self);
    return status;
}
