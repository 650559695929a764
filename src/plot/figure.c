#include "plot/figure.h"

#include <math.h>

#define MARK 5 /* length of a mark */

vvi_text_style vvi_figure_style(const vvi_figure *figure, double across)
{
    return (vvi_text_style){ .size = figure->font, .color = VVI_INK, .across = across };
}

/* ---- title ----------------------------------------------------------------------------------- */

static double title_size(const vvi_figure *figure)
{
    return figure->font * 1.35;
}

double vvi_figure_head_height(const vvi_figure *figure)
{
    const vv_plot_field *field = &figure->request->field;
    double height = figure->font * 0.9;

    if (field->title && *field->title)
        height += title_size(figure) * 1.25;
    if (field->subtitle && *field->subtitle)
        height += figure->font * 1.35;
    return height + figure->font * 0.35;
}

/* Smaller, rather than past the edge of the page. */
static void fitted(const vvi_figure *figure, double y, const char *text,
                   vvi_text_style style)
{
    double room = figure->width - figure->left - figure->font;
    double width = vvi_canvas_text_width(figure->canvas, text, style.size, style.bold);

    if (width > room)
        style.size *= fmax(room / width, 0.4);
    vvi_canvas_text(figure->canvas, figure->left, y, text, &style);
}

void vvi_figure_head(const vvi_figure *figure)
{
    const vv_plot_field *field = &figure->request->field;
    vvi_text_style style = vvi_figure_style(figure, 0);
    double y = figure->font * 0.9;

    if (field->title && *field->title) {
        style.size = title_size(figure);
        style.bold = true;
        y += title_size(figure);
        fitted(figure, y, field->title, style);
        y += title_size(figure) * 0.25;
    }
    if (field->subtitle && *field->subtitle) {
        style.size = figure->font;
        style.bold = false;
        style.color = VVI_FAINT;
        fitted(figure, y + figure->font, field->subtitle, style);
    }
}

/* ---- axes ------------------------------------------------------------------------------------ */

static double widest_label(const vvi_figure *figure, const vvi_axis *axis)
{
    double widest = 0;

    for (size_t i = 0; i < axis->ticks.count; i++) {
        const vvi_tick *tick = &axis->ticks.ticks[i];
        double a = vvi_canvas_text_width(figure->canvas, tick->label, figure->font,
                                         false);
        double b = vvi_canvas_text_width(figure->canvas, tick->below, figure->font,
                                         false);
        widest = fmax(widest, fmax(a, b));
    }
    return widest;
}

static bool has_below(const vvi_axis *axis)
{
    for (size_t i = 0; i < axis->ticks.count; i++) {
        if (*axis->ticks.ticks[i].below)
            return true;
    }
    return false;
}

double vvi_figure_left_room(const vvi_figure *figure, const vvi_axis *axis)
{
    return figure->font * 1.1 + widest_label(figure, axis) + MARK +
           (*axis->label ? figure->font * 1.9 : 0);
}

double vvi_figure_bottom_room(const vvi_figure *figure, const vvi_axis *axis)
{
    return MARK + figure->font * 1.9 + (has_below(axis) ? figure->font * 1.3 : 0) +
           (*axis->label ? figure->font * 1.7 : 0);
}

double vvi_figure_x(const vvi_figure *figure, const vvi_axis *axis, double value)
{
    double share = vvi_axis_share(axis, value);

    return figure->left + (axis->down ? 1 - share : share) * figure->w;
}

double vvi_figure_y(const vvi_figure *figure, const vvi_axis *axis, double value)
{
    double share = vvi_axis_share(axis, value);

    return figure->top + (axis->down ? share : 1 - share) * figure->h;
}

/* Lines one pixel wide are sharp when they run through the middle of pixels. */
static double sharp(double at)
{
    return floor(at) + 0.5;
}

static void stroke(const vvi_figure *figure, double x0, double y0, double x1, double y1,
                   vvi_rgb color)
{
    vvi_canvas_line(figure->canvas, (vvi_point[]){ { x0, y0 }, { x1, y1 } }, 2, 1, color);
}

void vvi_figure_frame(const vvi_figure *figure)
{
    double x0 = sharp(figure->left), x1 = sharp(figure->left + figure->w);
    double y0 = sharp(figure->top), y1 = sharp(figure->top + figure->h);

    vvi_canvas_line(
        figure->canvas,
        (vvi_point[]){
            { x0, y0 }, { x1, y0 }, { x1, y1 }, { x0, y1 }, { x0, y0 }, { x1, y0 } },
        6, 1, VVI_FAINT);
}

void vvi_figure_bottom_axis(const vvi_figure *figure, const vvi_axis *axis, bool grid)
{
    vvi_text_style style = vvi_figure_style(figure, 0.5);
    double base = figure->top + figure->h, font = figure->font;
    double taken = -HUGE_VAL; /* up to where labels stand already */

    for (size_t i = 0; i < axis->ticks.count; i++) {
        const vvi_tick *tick =
            &axis->ticks.ticks[axis->down ? axis->ticks.count - 1 - i : i];
        double x = vvi_figure_x(figure, axis, tick->value);
        double width = vvi_canvas_text_width(figure->canvas, tick->label, font, false);
        bool labelled = *tick->label && x - width / 2 > taken + font * 0.4;
        if (grid && *tick->label)
            stroke(figure, sharp(x), figure->top, sharp(x), base, VVI_GRID);
        stroke(figure, sharp(x), base, sharp(x),
               base + (*tick->label ? MARK : MARK / 2.0), VVI_FAINT);
        if (labelled) {
            vvi_canvas_text(figure->canvas, x, base + MARK + font * 1.15, tick->label,
                            &style);
            taken = x + width / 2;
        }
        style.color = VVI_FAINT;
        vvi_canvas_text(figure->canvas, x, base + MARK + font * 2.45, tick->below,
                        &style);
        style.color = VVI_INK;
    }
    double y = base + vvi_figure_bottom_room(figure, axis) - font * 0.75;
    vvi_canvas_text(figure->canvas, figure->left + figure->w / 2, y, axis->label, &style);
}

void vvi_figure_left_axis(const vvi_figure *figure, const vvi_axis *axis, bool grid)
{
    vvi_text_style style = vvi_figure_style(figure, 1);
    double font = figure->font;

    for (size_t i = 0; i < axis->ticks.count; i++) {
        const vvi_tick *tick = &axis->ticks.ticks[i];
        double y = vvi_figure_y(figure, axis, tick->value);
        if (grid && *tick->label)
            stroke(figure, figure->left, sharp(y), figure->left + figure->w, sharp(y),
                   VVI_GRID);
        stroke(figure, figure->left - (*tick->label ? MARK : MARK / 2.0), sharp(y),
               figure->left, sharp(y), VVI_FAINT);
        vvi_canvas_text(figure->canvas, figure->left - MARK - font * 0.3, y + font * 0.36,
                        tick->label, &style);
        style.color = VVI_FAINT;
        vvi_canvas_text(figure->canvas, figure->left - MARK - font * 0.3, y + font * 1.5,
                        tick->below, &style);
        style.color = VVI_INK;
    }
    style.across = 0.5;
    style.upward = true;
    double x = figure->left - vvi_figure_left_room(figure, axis) + font * 1.6;
    vvi_canvas_text(figure->canvas, x, figure->top + figure->h / 2, axis->label, &style);
}
