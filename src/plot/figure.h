/* What all pictures share: the values' range, the page, title, axes. */
#ifndef VVI_PLOT_FIGURE_H
#define VVI_PLOT_FIGURE_H

#include "plot/axis.h"
#include "plot/canvas.h"
#include "plot/fit.h"

#define VVI_INK   ((vvi_rgb){ 38, 38, 38 })
#define VVI_FAINT ((vvi_rgb){ 110, 110, 110 })
#define VVI_GRID  ((vvi_rgb){ 228, 228, 228 })
#define VVI_PAPER ((vvi_rgb){ 255, 255, 255 })

/* What is asked for, checked, with what was left open filled in. */
typedef struct vvi_request {
    vv_plot_field field;
    vv_plot_kind kind; /* not AUTO */
    size_t values;     /* how many the field has */
    uint64_t present, missing;
    double low, high; /* of colours, or of the axis of values; low < high */
    bool ranged, log;
    const char *colors;
} vvi_request;

/* Returns VV_EINVAL: see vv_plot_render(). */
vv_status vvi_request_init(vvi_request *request, const vv_plot_field *field,
                           vv_plot_kind kind, bool ranged, double low, double high,
                           const char *colors, bool log, vv_error *err);
/* A value's place in the range, 0 … 1 (cut to it); NaN for a missing one. */
double vvi_request_share(const vvi_request *request, double value);

typedef struct vvi_figure {
    const vvi_request *request;
    vvi_canvas *canvas;
    double width, height;
    double font;            /* size of plain text */
    double left, top, w, h; /* where values are drawn */
    double aside;           /* width that is taken at the right end of the head */
} vvi_figure;

/* Height of what stands above the values: title and subtitle. figure->left must be known. */
double vvi_figure_head_height(const vvi_figure *figure);
void vvi_figure_head(const vvi_figure *figure);
/* Room that an axis needs beside the values. */
double vvi_figure_left_room(const vvi_figure *figure, const vvi_axis *axis);
double vvi_figure_bottom_room(const vvi_figure *figure, const vvi_axis *axis);
/* Marks and labels; grid: lines across the values, too. */
void vvi_figure_bottom_axis(const vvi_figure *figure, const vvi_axis *axis, bool grid);
void vvi_figure_left_axis(const vvi_figure *figure, const vvi_axis *axis, bool grid);
/* A label that is read from below, beside the middle of the values. */
void vvi_figure_upward(const vvi_figure *figure, double x, const char *text);
void vvi_figure_frame(const vvi_figure *figure);
/* Where a share of an axis lies. */
double vvi_figure_x(const vvi_figure *figure, const vvi_axis *axis, double value);
double vvi_figure_y(const vvi_figure *figure, const vvi_axis *axis, double value);
vvi_text_style vvi_figure_style(const vvi_figure *figure, double across);

/* ---- the kinds ------------------------------------------------------------------------------ */

/* Draw into figure->canvas, which is opened here once its height is known: 0 means what suits. */
vv_status vvi_draw_map(vvi_figure *figure, vv_plot_format format, vv_error *err);
vv_status vvi_draw_lines(vvi_figure *figure, vv_plot_format format, vv_error *err);
vv_status vvi_draw_histogram(vvi_figure *figure, vv_plot_format format, vv_error *err);

/*
 * The map in iw × ih cells of equal size: shares of the range, NaN where values are missing, -1 where
 * the axes have no place. Where many places fall into a cell it is their mean.
 */
vv_status vvi_raster(const vvi_request *request, const vvi_axis *x, const vvi_axis *y,
                     size_t iw, size_t ih, double *out, vv_error *err);

/* Counts of the values in bins of a width that people like. */
#define VVI_BINS_MAX 128
typedef struct vvi_bins {
    size_t count;
    double low, width;
    uint64_t counts[VVI_BINS_MAX], most;
} vvi_bins;
void vvi_bins_count(const vvi_request *request, unsigned wanted, vvi_bins *out);

#endif
