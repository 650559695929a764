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

/* Set the title or the subtitle, whichever text is, within the page and clear of what stands aside. */
static void fit(const vvi_figure *figure, const char *text, double size, bool bold,
                vvi_block *out)
{
    double room = figure->width - figure->left - figure->font - figure->aside;

    *out = (vvi_block){ .size = size };
    if (text && *text)
        vvi_fit_block(figure->canvas, text, size, bold, room, out);
}

static double block_height(const vvi_block *block)
{
    return (double)block->count * block->size * 1.25;
}

double vvi_figure_head_height(const vvi_figure *figure)
{
    const vv_plot_field *field = &figure->request->field;
    double height = figure->font * 1.25;
    vvi_block block;

    fit(figure, field->title, title_size(figure), true, &block);
    height += block_height(&block);
    fit(figure, field->subtitle, figure->font, false, &block);
    return height + block_height(&block) + (block.count ? figure->font * 0.1 : 0);
}

/* Draw a block below y; returns where the next one begins. */
static double draw_block(const vvi_figure *figure, double y, const vvi_block *block,
                         vvi_text_style style)
{
    style.size = block->size;
    for (size_t i = 0; i < block->count; i++)
        vvi_canvas_text(figure->canvas, figure->left,
                        y + block->size * (1 + 1.25 * (double)i), block->lines[i],
                        &style);
    return y + block_height(block);
}

void vvi_figure_head(const vvi_figure *figure)
{
    const vv_plot_field *field = &figure->request->field;
    vvi_text_style style = vvi_figure_style(figure, 0);
    double y = figure->font * 0.9;
    vvi_block block;

    style.bold = true;
    fit(figure, field->title, title_size(figure), true, &block);
    y = draw_block(figure, y, &block, style);
    style.bold = false;
    style.color = VVI_FAINT;
    fit(figure, field->subtitle, figure->font, false, &block);
    draw_block(figure, y, &block, style);
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
    double middle = figure->left + figure->w / 2;
    double half = fmin(middle, figure->width - middle) - font * 0.5;
    char label[VVI_FIT_SIZE];
    vvi_fit_label(figure->canvas, axis->label, font, 2 * half, label);
    vvi_canvas_text(figure->canvas, middle, y, label, &style);
}

void vvi_figure_upward(const vvi_figure *figure, double x, const char *text)
{
    vvi_text_style style = vvi_figure_style(figure, 0.5);
    double middle = figure->top + figure->h / 2;
    double half = fmin(middle, figure->height - middle) - figure->font * 0.5;
    char label[VVI_FIT_SIZE];

    style.upward = true;
    vvi_fit_label(figure->canvas, text, figure->font, 2 * half, label);
    vvi_canvas_text(figure->canvas, x, middle, label, &style);
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
    double x = figure->left - vvi_figure_left_room(figure, axis) + font * 1.6;
    vvi_figure_upward(figure, x, axis->label);
}
