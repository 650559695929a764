/*
 * Pictures of numbers: lines, maps and histograms as PNG, SVG or PDF, and previews on a terminal.
 *
 * A picture is made from numbers in memory, wherever they come from. Texts are UTF-8. Threads: any;
 * nothing is shared.
 */
#ifndef VARVITE_PLOT_H
#define VARVITE_PLOT_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Places along a dimension. Everything is borrowed. */
typedef struct vv_plot_axis {
    size_t count;
    /* count coordinates, any distance apart, rising or falling; NULL, or where they are neither:
     * 0, 1, 2 … */
    const double *values;
    const char *name; /* for people; NULL: none */
    /* As the CF conventions have them; NULL: none. "degrees_north" and its like are labelled 30°N,
     * "hours since 1970-01-01" and its like by dates. */
    const char *units;
    const char
        *calendar; /* of dates: "standard", "noleap", "360_day", …; NULL: standard */
    bool down;     /* greater ones lie lower, as for depths; y only */
} vv_plot_axis;

/** What to show: a map of y.count × x.count values, or lines of x.count values each. */
typedef struct vv_plot_field {
    size_t struct_size;
    const double *values;          /* x innermost; NaN is missing */
    vv_plot_axis x, y;             /* y.count is 0 for lines */
    size_t lines;                  /* how many where y.count is 0; 0: one */
    const char *const *line_names; /* lines of them; NULL: no legend */
    const char *title, *subtitle;  /* NULL: none */
    const char *name, *units;      /* of the values; NULL: none */
} vv_plot_field;
#define VV_PLOT_FIELD_INIT ((vv_plot_field){ .struct_size = sizeof(vv_plot_field) })

typedef enum vv_plot_kind {
    VV_PLOT_AUTO = 0, /* a map where y has places, else lines */
    VV_PLOT_LINE,
    VV_PLOT_MAP,
    VV_PLOT_HISTOGRAM /* of all values */
} vv_plot_kind;

typedef enum vv_plot_format {
    VV_PLOT_PNG = 0,
    VV_PLOT_SVG, /* texts stay text */
    VV_PLOT_PDF
} vv_plot_format;

#define VV_PLOT_PIXELS_MAX 8192

typedef struct vv_plot_options {
    size_t struct_size;
    vv_plot_kind kind;
    vv_plot_format format;
    uint32_t width,
        height;  /* pixels, at most VV_PLOT_PIXELS_MAX; 0: 1000, and what suits */
    bool ranged; /* low and high are given; else they are those of the values */
    double low, high;
    const char
        *colors; /* see vv_plot_color_map(); NULL: by the values: one with two arms where
                           they lie to both sides of zero alike */
    bool log; /* values on a logarithmic scale; those that are not positive are missing */
} vv_plot_options;
#define VV_PLOT_OPTIONS_INIT ((vv_plot_options){ .struct_size = sizeof(vv_plot_options) })

/**
 * Draw a picture and write it to sink.
 * @return VV_OK
 *         VV_EINVAL       nothing to draw (no values, all missing), a range that is none, a size,
 *                         the name of colours; or the kind does not fit the field
 *         VV_ENOMEM, or what the sink returned
 */
VV_API vv_status vv_plot_render(const vv_plot_field *field,
                                const vv_plot_options *options, vv_sink sink,
                                vv_error *err);

/** The names of the colour maps; NULL behind the last. The first is the default for one-sided
 *  values, the second that for two-sided ones. All of them change in even steps to the eye, and can
 *  be told apart without red or green. */
VV_API const char *vv_plot_color_map(size_t i);
/** The colour at t, 0 … 1, as red, green, blue. @return VV_OK, VV_EINVAL (no such map) */
VV_API vv_status vv_plot_color(const char *map, double t, uint8_t rgb[3], vv_error *err);

typedef struct vv_preview_options {
    size_t struct_size;
    vv_plot_kind kind;
    uint32_t columns, rows; /* of characters; 0: 80 × 24 */
    uint32_t colors;        /* 0: none; 256: those of xterm; 1 << 24: all */
    bool ascii;             /* no blocks and dots of Unicode, and no colours */
    bool ranged;
    double low, high;
    const char *color_map;
    bool log;
} vv_preview_options;
#define VV_PREVIEW_OPTIONS_INIT \
    ((vv_preview_options){ .struct_size = sizeof(vv_preview_options) })

/** Draw with characters: maps in half blocks, lines in braille dots, histograms in bars. @return as
 *  vv_plot_render() */
VV_API vv_status vv_plot_preview(const vv_plot_field *field,
                                 const vv_preview_options *options, vv_sink sink,
                                 vv_error *err);

/** A coordinate as an axis would label it, for titles: "1990-01-16", "30°N", "2.5 m". @return bytes
 *  needed without the end, as snprintf */
VV_API size_t vv_plot_coordinate(const vv_plot_axis *axis, double value, char *out,
                                 size_t cap);

#ifdef __cplusplus
}
#endif
#endif
