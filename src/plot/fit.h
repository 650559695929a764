/* Texts brought into the room that they have, by their measured width. */
#ifndef VVI_PLOT_FIT_H
#define VVI_PLOT_FIT_H

#include "plot/canvas.h"

#define VVI_FIT_SIZE  512 /* bytes of a text that is shown */
#define VVI_FIT_LINES 2

/* One or two lines of a text, in letters of so many pixels. */
typedef struct vvi_block {
    double size;
    size_t count;
    char lines[VVI_FIT_LINES][VVI_FIT_SIZE];
} vvi_block;

/* The text, or its beginning and dots; empty where not even dots fit. */
void vvi_fit_cut(vvi_canvas *canvas, const char *text, double size, bool bold,
                 double room, char out[VVI_FIT_SIZE]);
/* The same for "name (units)", of which the name is cut. */
void vvi_fit_label(vvi_canvas *canvas, const char *text, double size, double room,
                   char out[VVI_FIT_SIZE]);
/* On one line, in letters a little smaller where that helps; else broken between words into two, the
 * last of which is cut. */
void vvi_fit_block(vvi_canvas *canvas, const char *text, double size, bool bold,
                   double room, vvi_block *out);

#endif
