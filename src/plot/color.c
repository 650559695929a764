#include "plot/color.h"

#include <varvite/plot.h>

#include <math.h>
#include <string.h>

/* A point on the way: lightness, chroma, hue in degrees. */
typedef struct lch {
    double l, c, h;
} lch;

#define POINTS_MAX 7
typedef struct map {
    const char *name;
    size_t count;
    lch points[POINTS_MAX];
} map;

/* Lightness rises throughout; in `poles` it rises to the middle and falls alike behind it. */
static const map maps[] = {
    { "tide",
      5,
      { { 0.23, 0.095, 288 },
        { 0.41, 0.115, 256 },
        { 0.59, 0.105, 208 },
        { 0.77, 0.135, 152 },
        { 0.95, 0.110, 106 } } },
    { "poles",
      7,
      { { 0.30, 0.100, 268 },
        { 0.52, 0.125, 253 },
        { 0.76, 0.080, 236 },
        { 0.97, 0.004, 120 },
        { 0.76, 0.095, 68 },
        { 0.52, 0.125, 45 },
        { 0.30, 0.095, 28 } } },
    { "ember",
      5,
      { { 0.20, 0.060, 312 },
        { 0.39, 0.150, 352 },
        { 0.58, 0.175, 28 },
        { 0.77, 0.150, 66 },
        { 0.96, 0.080, 104 } } },
    { "grey", 2, { { 0.14, 0, 0 }, { 0.96, 0, 0 } } },
};
#define MAP_COUNT (sizeof(maps) / sizeof(*maps))

const char *vv_plot_color_map(size_t i)
{
    return i < MAP_COUNT ? maps[i].name : NULL;
}

/* ---- OKLab ----------------------------------------------------------------------------------- */

static void linear_of(vvi_oklab lab, double rgb[3])
{
    double l = lab.l + 0.3963377774 * lab.a + 0.2158037573 * lab.b;
    double m = lab.l - 0.1055613458 * lab.a - 0.0638541728 * lab.b;
    double s = lab.l - 0.0894841775 * lab.a - 1.2914855480 * lab.b;

    l = l * l * l;
    m = m * m * m;
    s = s * s * s;
    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static bool is_shown(vvi_oklab lab)
{
    double rgb[3];

    linear_of(lab, rgb);
    for (int i = 0; i < 3; i++) {
        if (rgb[i] < -1e-6 || rgb[i] > 1 + 1e-6)
            return false;
    }
    return true;
}

/* What a screen cannot show loses chroma, and keeps its lightness. */
static vvi_oklab into_gamut(vvi_oklab lab)
{
    double low = 0, high = 1;

    if (is_shown(lab))
        return lab;
    for (int i = 0; i < 20; i++) {
        double middle = (low + high) / 2;
        if (is_shown((vvi_oklab){ lab.l, lab.a * middle, lab.b * middle }))
            low = middle;
        else
            high = middle;
    }
    return (vvi_oklab){ lab.l, lab.a * low, lab.b * low };
}

static uint8_t encoded(double linear)
{
    double value = linear <= 0.0031308 ? 12.92 * linear
                                       : 1.055 * pow(linear, 1 / 2.4) - 0.055;

    return (uint8_t)(fmin(fmax(value, 0), 1) * 255 + 0.5);
}

static double decoded(uint8_t byte)
{
    double value = byte / 255.0;

    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static vvi_rgb rgb_of(vvi_oklab lab)
{
    double rgb[3];

    linear_of(lab, rgb);
    return (vvi_rgb){ encoded(rgb[0]), encoded(rgb[1]), encoded(rgb[2]) };
}

vvi_oklab vvi_oklab_of(vvi_rgb rgb)
{
    double r = decoded(rgb.r), g = decoded(rgb.g), b = decoded(rgb.b);
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);

    return (vvi_oklab){ 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s };
}

static double distance(vvi_oklab a, vvi_oklab b)
{
    return sqrt((a.l - b.l) * (a.l - b.l) + (a.a - b.a) * (a.a - b.a) +
                (a.b - b.b) * (a.b - b.b));
}

/* ---- maps ------------------------------------------------------------------------------------ */

static vvi_oklab lab_of(lch point)
{
    double angle = point.h * (3.14159265358979323846 / 180);

    return (vvi_oklab){ point.l, point.c * cos(angle), point.c * sin(angle) };
}

/* A smooth curve through four points, between the second and the third (Catmull and Rom). */
static double between(double a, double b, double c, double d, double t)
{
    return b + t * ((c - a) / 2 + t * (a - 2.5 * b + 2 * c - d / 2 +
                                       t * (1.5 * (b - c) + (d - a) / 2)));
}

static vvi_oklab on_curve(const map *of, double t)
{
    double at = t * (double)(of->count - 1);
    size_t i = (size_t)fmin(floor(at), (double)(of->count - 2));
    vvi_oklab b = lab_of(of->points[i]), c = lab_of(of->points[i + 1]);
    vvi_oklab a = i ? lab_of(of->points[i - 1]) : b;
    vvi_oklab d = i + 2 < of->count ? lab_of(of->points[i + 2]) : c;
    double f = at - (double)i;

    /* Lightness goes straight, so that it is even and never turns. */
    return into_gamut((vvi_oklab){ b.l + f * (c.l - b.l), between(a.a, b.a, c.a, d.a, f),
                                   between(a.b, b.b, c.b, d.b, f) });
}

/* Go along the curve in steps of equal distance to the eye, for the part from first to last. */
static void walk(const map *of, double first, double last, vvi_rgb *out, size_t n)
{
    enum {
        FINE = 2048
    };
    double along[FINE + 1] = { 0 };

    for (size_t i = 1; i <= FINE; i++)
        along[i] = along[i - 1] +
                   distance(on_curve(of, first + (last - first) * (double)(i - 1) / FINE),
                            on_curve(of, first + (last - first) * (double)i / FINE));
    for (size_t k = 0, i = 0; k < n; k++) {
        double want = along[FINE] * (double)k / (double)(n - 1);
        while (i + 1 < FINE && along[i + 1] < want)
            i++;
        double part = along[i + 1] > along[i]
                          ? (want - along[i]) / (along[i + 1] - along[i])
                          : 0;
        double t = ((double)i + fmin(fmax(part, 0), 1)) / FINE;
        out[k] = rgb_of(on_curve(of, first + (last - first) * t));
    }
}

static vv_status find_map(const char *name, const map **out, vv_error *err)
{
    for (size_t i = 0; i < MAP_COUNT; i++) {
        if (strcmp(maps[i].name, name) == 0) {
            *out = &maps[i];
            return VV_OK;
        }
    }
    return vvi_fail(err, VV_EINVAL,
                    "no colours '%.50s'; there are tide, poles, ember and grey", name);
}

vv_status vvi_colors_init(vvi_colors *colors, const char *name, vv_error *err)
{
    const map *of;

    VVI_TRY(find_map(name, &of, err));
    if (of->points[0].l < of->points[of->count - 1].l) {
        walk(of, 0, 1, colors->at, VVI_COLORS);
        return VV_OK;
    }
    walk(of, 0, 0.5, colors->at, VVI_COLORS / 2); /* two arms, each even in itself */
    walk(of, 0.5, 1, colors->at + VVI_COLORS / 2, VVI_COLORS / 2);
    return VV_OK;
}

vvi_rgb vvi_colors_at(const vvi_colors *colors, double t)
{
    t = t > 0 ? (t < 1 ? t : 1) : 0;
    size_t i = (size_t)(t * VVI_COLORS);
    return colors->at[i < VVI_COLORS ? i : VVI_COLORS - 1];
}

vv_status vv_plot_color(const char *name, double t, uint8_t rgb[3], vv_error *err)
{
    vvi_colors colors;

    VVI_TRY(vvi_colors_init(&colors, name, err));
    vvi_rgb color = vvi_colors_at(&colors, t);
    rgb[0] = color.r;
    rgb[1] = color.g;
    rgb[2] = color.b;
    return VV_OK;
}

int vvi_xterm_of(vvi_rgb rgb)
{
    static const uint8_t levels[6] = { 0, 95, 135, 175, 215, 255 };
    vvi_oklab want = vvi_oklab_of(rgb);
    double least = HUGE_VAL;
    int best = 16;

    for (int i = 16; i < 256; i++) {
        uint8_t grey = (uint8_t)(8 + 10 * (i - 232));
        vvi_rgb color = i < 232
                            ? (vvi_rgb){ levels[(i - 16) / 36], levels[(i - 16) / 6 % 6],
                                         levels[(i - 16) % 6] }
                            : (vvi_rgb){ grey, grey, grey };
        double far = distance(want, vvi_oklab_of(color));
        if (far < least) {
            least = far;
            best = i;
        }
    }
    return best;
}

vvi_rgb vvi_line_color(size_t i)
{
    static const lch colors[] = { { 0.48, 0.120, 255 }, { 0.66, 0.145, 55 },
                                  { 0.56, 0.110, 165 }, { 0.40, 0.130, 350 },
                                  { 0.74, 0.095, 225 }, { 0.30, 0.040, 280 },
                                  { 0.78, 0.140, 95 },  { 0.60, 0.010, 0 } };
    return rgb_of(into_gamut(lab_of(colors[i % (sizeof(colors) / sizeof(*colors))])));
}
