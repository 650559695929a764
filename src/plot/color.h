/* Colour maps: even steps to the eye, made from a few points in OKLab (B. Ottosson, 2020). */
#ifndef VVI_PLOT_COLOR_H
#define VVI_PLOT_COLOR_H

#include "util/error.h"

typedef struct vvi_rgb {
    uint8_t r, g, b;
} vvi_rgb;

#define VVI_COLORS 1024
/* A map, ready to be looked up; a plain value. */
typedef struct vvi_colors {
    vvi_rgb at[VVI_COLORS];
} vvi_colors;

typedef struct vvi_oklab {
    double l, a, b;
} vvi_oklab;

/* VV_EINVAL: no map of that name; the message names those that there are. */
vv_status vvi_colors_init(vvi_colors *colors, const char *name, vv_error *err);
/* t is cut to 0 … 1. */
vvi_rgb vvi_colors_at(const vvi_colors *colors, double t);

vvi_oklab vvi_oklab_of(vvi_rgb rgb);
/* The nearest of the 256 colours of xterm, by OKLab; 16 … 255. */
int vvi_xterm_of(vvi_rgb rgb);
/* Colours of lines, which can be told apart by lightness too. */
vvi_rgb vvi_line_color(size_t i);

#define VVI_MISSING ((vvi_rgb){ 200, 200, 200 })

#endif
