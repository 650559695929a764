/* The canvas, for its two kinds. */
#ifndef VVI_PLOT_CANVAS_INNER_H
#define VVI_PLOT_CANVAS_INNER_H

#include "plot/canvas.h"

#include <cairo.h>

struct vvi_canvas {
    vv_plot_format format;
    double width, height;
    cairo_surface_t *surface; /* for SVG: only to measure texts */
    cairo_t *cairo;
    vv_buf page;      /* PDF and SVG: what was written so far */
    vv_status status; /* the first failure */
    vv_error error;
    unsigned clips; /* SVG: how many there were */
};

/* Note the first failure. */
void vvi_canvas_note(vvi_canvas *canvas, vv_status status, const vv_error *err);
/* RGB to a surface of its own; NULL: out of memory. */
cairo_surface_t *vvi_canvas_surface(const uint8_t *rgb, size_t iw, size_t ih);
/* A surface as PNG, appended. */
vv_status vvi_canvas_png(cairo_surface_t *surface, vv_buf *out, vv_error *err);

void vvi_svg_begin(vvi_canvas *canvas);
void vvi_svg_rect(vvi_canvas *canvas, double x, double y, double w, double h,
                  vvi_rgb color);
void vvi_svg_line(vvi_canvas *canvas, const vvi_point *points, size_t n, double width,
                  vvi_rgb color);
void vvi_svg_dot(vvi_canvas *canvas, vvi_point at, double radius, vvi_rgb color);
void vvi_svg_text(vvi_canvas *canvas, double x, double y, const char *text,
                  const vvi_text_style *style);
void vvi_svg_image(vvi_canvas *canvas, double x, double y, double w, double h,
                   const uint8_t *rgb, size_t iw, size_t ih);
void vvi_svg_clip(vvi_canvas *canvas, double x, double y, double w, double h);
void vvi_svg_unclip(vvi_canvas *canvas);
void vvi_svg_end(vvi_canvas *canvas);

#endif
