/*
 * What pictures are drawn on: a page in pixels, (0, 0) at its top left. One kind draws with cairo, the
 * other writes SVG, in which texts stay text.
 */
#ifndef VVI_PLOT_CANVAS_H
#define VVI_PLOT_CANVAS_H

#include "plot/color.h"

#include <varvite/plot.h>

typedef struct vvi_canvas vvi_canvas;

typedef struct vvi_point {
    double x, y;
} vvi_point;

typedef struct vvi_text_style {
    double size; /* pixels */
    bool bold;
    vvi_rgb color;
    double across; /* which part of the text lies left of the point: 0, 0.5, 1 */
    bool upward;   /* turned, to be read from below */
} vvi_text_style;

/* width × height pixels; PDF has as many points. */
vv_status vvi_canvas_new(vv_plot_format format, double width, double height,
                         vvi_canvas **out, vv_error *err);
void vvi_canvas_free(vvi_canvas *canvas);

void vvi_canvas_rect(vvi_canvas *canvas, double x, double y, double w, double h,
                     vvi_rgb color);
void vvi_canvas_line(vvi_canvas *canvas, const vvi_point *points, size_t n, double width,
                     vvi_rgb color);
void vvi_canvas_dot(vvi_canvas *canvas, vvi_point at, double radius, vvi_rgb color);
/* The point is on the base line. */
void vvi_canvas_text(vvi_canvas *canvas, double x, double y, const char *text,
                     const vvi_text_style *style);
/* Pixels, iw × ih of three bytes each, stretched over a rectangle without blurring. */
void vvi_canvas_image(vvi_canvas *canvas, double x, double y, double w, double h,
                      const uint8_t *rgb, size_t iw, size_t ih);
/* What follows is drawn inside a rectangle only, until vvi_canvas_unclip(). */
void vvi_canvas_clip(vvi_canvas *canvas, double x, double y, double w, double h);
void vvi_canvas_unclip(vvi_canvas *canvas);

double vvi_canvas_text_width(vvi_canvas *canvas, const char *text, double size,
                             bool bold);

/* Write all of it. The first failure of any call is returned here. */
vv_status vvi_canvas_finish(vvi_canvas *canvas, vv_sink sink, vv_error *err);

#endif
