/* Pictures, decoded again: what colour is where, and what is written. */
#include "support/support.h"

#include "plot/color.h"

#include <varvite/plot.h>

#include <cairo.h>
#include <math.h>
#include <stdio.h>

#define NX 8
#define NY 5

typedef struct bytes {
    uint8_t *data;
    size_t len, at;
} bytes;

static vv_status keep(void *ctx, vv_bytes data, vv_error *err)
{
    bytes *self = ctx;

    (void)err;
    self->data = realloc(self->data, self->len + data.len + 1);
    memcpy(self->data + self->len, data.data, data.len);
    self->len += data.len;
    self->data[self->len] = '\0';
    return VV_OK;
}

static cairo_status_t give(void *ctx, unsigned char *data, unsigned len)
{
    bytes *self = ctx;

    if (self->at + len > self->len)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(data, self->data + self->at, len);
    self->at += len;
    return CAIRO_STATUS_SUCCESS;
}

static bytes drawn(const vv_plot_field *field, const vv_plot_options *options)
{
    bytes out = { NULL, 0, 0 };
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_plot_render(field, options, (vv_sink){ keep, &out }, &err));
    return out;
}

static cairo_surface_t *decoded(bytes *png)
{
    cairo_surface_t *image = cairo_image_surface_create_from_png_stream(give, png);

    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    return image;
}

static vvi_rgb pixel(cairo_surface_t *image, int x, int y)
{
    uint32_t value;

    memcpy(&value,
           cairo_image_surface_get_data(image) +
               y * cairo_image_surface_get_stride(image) + 4 * x,
           4);
    return (vvi_rgb){ (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };
}

static bool is_near(vvi_rgb got, vvi_rgb want, int by)
{
    return abs(got.r - want.r) <= by && abs(got.g - want.g) <= by &&
           abs(got.b - want.b) <= by;
}

static bool is_color(vvi_rgb got, vvi_rgb want)
{
    return is_near(got, want, 2);
}

static double values[NY][NX], lat[NY] = { 60, 30, 0, -30, -60 }, lon[NX];

/* Values rise from west to east and from north to south; one is missing. Latitudes fall. */
static vv_plot_field map_of_test(void)
{
    vv_plot_field field = VV_PLOT_FIELD_INIT;

    for (int j = 0; j < NY; j++)
        for (int i = 0; i < NX; i++)
            values[j][i] = 10 + j * NX + i;
    values[1][2] = NAN;
    for (int i = 0; i < NX; i++)
        lon[i] = 22.5 + 45 * i;
    field.values = &values[0][0];
    field.x = (vv_plot_axis){
        .count = NX, .values = lon, .name = "Longitude", .units = "degrees_east"
    };
    field.y = (vv_plot_axis){
        .count = NY, .values = lat, .name = "Latitude", .units = "degrees_north"
    };
    field.title = "A title & <its> end";
    field.subtitle = "2000-01-01";
    field.name = "t";
    field.units = "degC";
    return field;
}

/* The part of a row or column of pixels that lies inside the frame: its colours are no paper. */
static void find_frame(cairo_surface_t *image, int *left, int *right, int *top,
                       int *bottom)
{
    int w = cairo_image_surface_get_width(image),
        h = cairo_image_surface_get_height(image);
    vvi_rgb frame = { 110, 110, 110 };

    /* The first column and row in which a long run has the frame's colour. */
    *left = *top = -1;
    for (int x = 0; x < w && *left < 0; x++) {
        int run = 0;
        for (int y = 0; y < h; y++)
            run += is_color(pixel(image, x, y), frame);
        *left = run > h / 3 ? x : -1;
    }
    for (int y = 0; y < h && *top < 0; y++) {
        int run = 0;
        for (int x = 0; x < w; x++)
            run += is_color(pixel(image, x, y), frame);
        *top = run > w / 3 ? y : -1;
    }
    assert_true(*left > 0 && *top > 0);
    *right = *left + 1;
    while (*right + 1 < w && is_color(pixel(image, *right + 1, *top), frame))
        (*right)++;
    *bottom = *top + 1;
    while (*bottom + 1 < h && is_color(pixel(image, *left, *bottom + 1), frame))
        (*bottom)++;
}

static void each_place_has_the_colour_of_its_value(void **state)
{
    vv_plot_field field = map_of_test();
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    static vvi_colors colors;
    vv_error err = VV_ERROR_INIT;
    int left, right, top, bottom;

    (void)state;
    options.width = 640;
    options.height = 400;
    bytes png = drawn(&field, &options);
    cairo_surface_t *image = decoded(&png);
    assert_int_equal(cairo_image_surface_get_width(image), 640);
    assert_int_equal(cairo_image_surface_get_height(image), 400);
    find_frame(image, &left, &right, &top, &bottom);
    assert_vv_ok(vvi_colors_init(&colors, "tide", &err));
    for (int j = 0; j < NY; j++) {
        for (int i = 0; i < NX; i++) {
            int x = left + (int)((i + 0.5) * (right - left) / NX);
            int y = top + (int)((j + 0.5) * (bottom - top) / NY); /* north is up */
            double share = (values[j][i] - 10) / (NX * NY - 1);
            vvi_rgb want = isnan(values[j][i]) ? VVI_MISSING
                                               : vvi_colors_at(&colors, share);
            vvi_rgb got = pixel(image, x, y);
            if (!is_color(got, want))
                fail_msg("place %d, %d: %d %d %d, not %d %d %d", j, i, got.r, got.g,
                         got.b, want.r, want.g, want.b);
        }
    }
    /* The bar: the greatest at its top. */
    int bar = right + 3;
    while (bar < 640 && is_color(pixel(image, bar, top + 9), (vvi_rgb){ 255, 255, 255 }))
        bar++;
    bar += 5;
    assert_true(bar < 640);
    for (int y = top + 9; y < bottom - 9; y += 20) {
        double share = 1 - (y - top) / (double)(bottom - top);
        assert_true(is_near(pixel(image, bar, y), vvi_colors_at(&colors, share), 6));
    }
    cairo_surface_destroy(image);
    free(png.data);
}

static void uneven_axes_have_uneven_places(void **state)
{
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    const double uneven[4] = { 0, 2, 12, 14 }, four[4] = { 0, 1, 0, 1 };
    static vvi_colors colors;
    vv_error err = VV_ERROR_INIT;
    int left, right, top, bottom;

    (void)state;
    field.values = four;
    field.x = (vv_plot_axis){ .count = 4, .values = uneven };
    field.y.count = 1;
    options.width = 500;
    options.height = 300;
    bytes png = drawn(&field, &options);
    cairo_surface_t *image = decoded(&png);
    find_frame(image, &left, &right, &top, &bottom);
    assert_vv_ok(vvi_colors_init(&colors, "tide", &err));
    /* Bounds at -1, 1, 7, 13, 15. */
    static const double at[] = { -0.8, 0.8, 1.2, 6.8, 7.2, 12.8, 13.2, 14.8 };
    static const int want[] = { 0, 0, 1, 1, 0, 0, 1, 1 };
    for (size_t i = 0; i < 8; i++) {
        int px = left + (int)lrint((at[i] + 1) / 16 * (right - left));
        assert_true(is_color(pixel(image, px, (top + bottom) / 2),
                             vvi_colors_at(&colors, want[i])));
    }
    cairo_surface_destroy(image);
    free(png.data);
}

static void many_places_in_a_pixel_show_their_mean(void **state)
{
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    static double many[4][8000];
    static vvi_colors colors;
    vv_error err = VV_ERROR_INIT;
    int left, right, top, bottom;

    (void)state;
    for (int i = 0; i < 4 * 8000; i++)
        (&many[0][0])[i] = i % 2;
    field.values = &many[0][0];
    field.x.count = 8000;
    field.y.count = 4;
    options.width = 500;
    options.height = 300;
    bytes png = drawn(&field, &options);
    cairo_surface_t *image = decoded(&png);
    find_frame(image, &left, &right, &top, &bottom);
    assert_vv_ok(vvi_colors_init(&colors, "tide", &err));
    vvi_rgb got = pixel(image, (left + right) / 2, (top + bottom) / 2);
    vvi_oklab lab = vvi_oklab_of(got), middle = vvi_oklab_of(vvi_colors_at(&colors, 0.5));
    assert_true(fabs(lab.l - middle.l) < 0.05);
    cairo_surface_destroy(image);
    free(png.data);
}

static void values_on_both_sides_of_zero_get_two_arms(void **state)
{
    vv_plot_field field = map_of_test();
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    int left, right, top, bottom;
    uint8_t middle[3];

    (void)state;
    for (int i = 0; i < NX * NY; i++)
        (&values[0][0])[i] = i < NX * NY / 2 ? -8 : 10;
    values[2][0] = 0;
    bytes png = drawn(&field, &options);
    cairo_surface_t *image = decoded(&png);
    find_frame(image, &left, &right, &top, &bottom);
    assert_int_equal(vv_plot_color("poles", 0.5, middle, NULL), VV_OK);
    vvi_rgb zero = pixel(image, left + (right - left) / (2 * NX), (top + bottom) / 2);
    assert_true(is_color(zero, (vvi_rgb){ middle[0], middle[1], middle[2] }));
    cairo_surface_destroy(image);
    free(png.data);
}

static void assert_has(const bytes *text, const char *what)
{
    if (!strstr((const char *)text->data, what))
        fail_msg("no %s in it", what);
}

static void svg_keeps_texts_as_text(void **state)
{
    vv_plot_field field = map_of_test();
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    options.format = VV_PLOT_SVG;
    bytes svg = drawn(&field, &options);
    assert_has(&svg, ">A title &amp; &lt;its&gt; end</text>");
    assert_has(&svg, ">2000-01-01</text>");
    assert_has(&svg, ">60°N</text>");
    assert_has(&svg, ">90°W</text>");
    assert_has(&svg, ">t (°C)</text>");
    assert_has(&svg, ">Longitude</text>");
    assert_has(&svg, ">missing</text>");
    assert_has(&svg, "data:image/png;base64,iVBORw0KGgo");
    assert_has(&svg, "</svg>\n");
    free(svg.data);
    field.title = "bad \xff\x01 bytes";
    svg = drawn(&field, &options);
    assert_has(&svg, ">bad ?  bytes</text>");
    free(svg.data);
}

#define LONG_NAME                                                                      \
    "a name as long as the names of some variables are, which say how they were made " \
    "and by whom, and which of the instruments was the one that measured them first"

/* Nothing but paper at the edges, where nothing is drawn but what runs out of the picture. */
static void assert_edges_are_empty(const vv_plot_field *field, vv_plot_options options)
{
    options.format = VV_PLOT_PNG;
    bytes png = drawn(field, &options);
    cairo_surface_t *image = decoded(&png);
    int w = cairo_image_surface_get_width(image),
        h = cairo_image_surface_get_height(image);

    for (int y = 0; y < h; y++)
        assert_true(is_color(pixel(image, w - 1, y), (vvi_rgb){ 255, 255, 255 }) &&
                    is_color(pixel(image, 0, y), (vvi_rgb){ 255, 255, 255 }));
    for (int x = 0; x < w; x++)
        assert_true(is_color(pixel(image, x, 0), (vvi_rgb){ 255, 255, 255 }) &&
                    is_color(pixel(image, x, h - 1), (vvi_rgb){ 255, 255, 255 }));
    cairo_surface_destroy(image);
    free(png.data);
}

static void long_texts_are_broken_and_cut_to_the_page(void **state)
{
    static const char *const names[2] = { LONG_NAME, "two" };
    vv_plot_field field = map_of_test();
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    field.title = field.subtitle = LONG_NAME "\n" LONG_NAME;
    field.name = field.x.name = field.y.name = LONG_NAME LONG_NAME;
    field.x.units = field.y.units = "W m-2";
    options.format = VV_PLOT_SVG;
    options.width = 600;
    bytes svg = drawn(&field, &options);
    assert_has(&svg, ">a name as long as the names of some variables are, which say");
    assert_has(&svg, "…</text>");
    assert_has(&svg, "… (°C)</text>");    /* beside the colours */
    assert_has(&svg, "… (W m⁻²)</text>"); /* of the axes */
    free(svg.data);
    assert_edges_are_empty(&field, options);
    options.width = 240; /* where hardly a word fits */
    assert_edges_are_empty(&field, options);
    options.width = 600;
    field.title = "x";
    field.x.name = "short";
    svg = drawn(&field, &options);
    assert_has(&svg, ">x</text>");
    assert_has(&svg, ">short (W m⁻²)</text>");
    free(svg.data);

    field.y.count = 0;
    field.lines = 2;
    field.line_names = names;
    assert_edges_are_empty(&field, options);
    options.kind = VV_PLOT_HISTOGRAM;
    field.title = LONG_NAME;
    assert_edges_are_empty(&field, options);
}

static void numbers_at_the_end_of_what_a_double_holds_are_drawn(void **state)
{
    static const double huge[4] = { -1.7e308, 1e299, -1e299, INFINITY };
    static const double places[4] = { -1e308, 0, 1e307, 1e308 };
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    field.values = huge;
    field.x = (vv_plot_axis){ .count = 4,
                              .values = places,
                              .units = "days since 2000-01-01" };
    options.format = VV_PLOT_SVG;
    bytes svg = drawn(&field, &options);
    assert_has(&svg, "10²⁹⁷");
    assert_null(strstr((const char *)svg.data, "nan"));
    free(svg.data);
    field.y.count = 1;
    svg = drawn(&field, &options);
    assert_null(strstr((const char *)svg.data, "nan"));
    free(svg.data);
}

static void pdf_is_pdf(void **state)
{
    vv_plot_field field = map_of_test();
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    options.format = VV_PLOT_PDF;
    bytes pdf = drawn(&field, &options);
    assert_memory_equal(pdf.data, "%PDF-1", 6);
    assert_non_null(memmem(pdf.data, pdf.len, "%%EOF", 5));
    free(pdf.data);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void a_line_runs_through_its_values_and_breaks_at_gaps(void **state)
{
    const double line[5] = { 0, 10, NAN, 10, 0 };
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    int left, right, top, bottom, found = 0;
    vvi_rgb color = vvi_line_color(0);

    (void)state;
    field.values = line;
    field.x.count = 5;
    options.width = 500;
    options.height = 300;
    bytes png = drawn(&field, &options);
    cairo_surface_t *image = decoded(&png);
    find_frame(image, &left, &right, &top, &bottom);
    int x = left + (right - left) / 8; /* half way up the first piece */
    for (int y = top + 2; y < bottom - 2; y++) {
        if (is_near(pixel(image, x, y), color, 60)) { /* its edges are paler */
            assert_true(abs(y - (top + bottom) / 2) <= 4);
            found++;
        }
    }
    assert_true(found > 0);
    for (int y = top + 2; y < bottom - 2; y++)
        assert_false(is_near(pixel(image, (left + right) / 2, y), color, 60));
    cairo_surface_destroy(image);
    free(png.data);
}

static void histograms_profiles_and_several_lines_are_drawn(void **state)
{
    static double line[200];
    static const char *const names[2] = { "one", "two" };
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    for (int i = 0; i < 200; i++)
        line[i] = i == 7 ? (double)NAN : 1 + i % 13;
    field.values = line;
    field.x = (vv_plot_axis){ .count = 100, .down = true };
    field.lines = 2;
    field.line_names = names;
    options.format = VV_PLOT_SVG;
    bytes svg = drawn(&field, &options);
    assert_has(&svg, ">two</text>");
    free(svg.data);
    options.log = true;
    svg = drawn(&field, &options);
    assert_has(&svg, ">10</text>");
    free(svg.data);
    options.log = false;
    options.kind = VV_PLOT_HISTOGRAM;
    svg = drawn(&field, &options);
    assert_has(&svg, ">Count</text>");
    assert_has(&svg, ">199 values, 1 missing</text>");
    free(svg.data);
    field.x.count = 1;
    field.lines = 0;
    svg = drawn(&field, &options);
    assert_has(&svg, ">1 value, 0 missing</text>");
    free(svg.data);
}

/* ---- what cannot be drawn --------------------------------------------------------------------- */

static void assert_refused(const vv_plot_field *field, const vv_plot_options *options,
                           const char *why)
{
    bytes out = { NULL, 0, 0 };
    vv_error err = VV_ERROR_INIT;

    assert_int_equal(vv_plot_render(field, options, (vv_sink){ keep, &out }, &err),
                     VV_EINVAL);
    if (!strstr(err.message, why))
        fail_msg("'%s' does not say %s", err.message, why);
    assert_int_equal(out.len, 0);
}

static void what_cannot_be_drawn_is_refused_with_a_reason(void **state)
{
    vv_plot_field field = map_of_test(), empty = VV_PLOT_FIELD_INIT;
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;

    (void)state;
    assert_refused(&empty, &options, "no values");
    options.width = 100000;
    assert_refused(&field, &options, "100000 x 0 pixels");
    options.width = 0;
    options.colors = "jet";
    assert_refused(&field, &options, "no colours 'jet'");
    options.colors = NULL;
    options.ranged = true;
    options.low = options.high = 3;
    assert_refused(&field, &options, "no range");
    options.ranged = false;
    options.kind = VV_PLOT_LINE;
    assert_refused(&field, &options, "a line has one dimension");
    options.kind = VV_PLOT_AUTO;
    for (int i = 0; i < NX * NY; i++)
        (&values[0][0])[i] = i % 2 ? NAN : -1;
    options.log = true;
    assert_refused(&field, &options, "all values are missing or not positive");
    for (int i = 0; i < NX * NY; i++)
        (&values[0][0])[i] = NAN;
    options.log = false;
    assert_refused(&field, &options, "all values are missing");
}

static vv_status refuse(void *ctx, vv_bytes data, vv_error *err)
{
    (void)ctx;
    (void)data;
    (void)err;
    return VV_EIO;
}

static void a_sink_that_fails_is_told(void **state)
{
    vv_plot_field field = map_of_test();

    (void)state;
    assert_int_equal(vv_plot_render(&field, NULL, (vv_sink){ refuse, NULL }, NULL),
                     VV_EIO);
}

static vv_status draw_all(void *ctx)
{
    vv_plot_options options = VV_PLOT_OPTIONS_INIT;
    vv_preview_options preview = VV_PREVIEW_OPTIONS_INIT;
    vv_status status = VV_OK;

    options.width = 120;
    options.height = 90;
    for (int f = 0; f <= VV_PLOT_PDF && !status; f++) {
        bytes out = { NULL, 0, 0 };
        options.format = (vv_plot_format)f;
        status = vv_plot_render(ctx, &options, (vv_sink){ keep, &out }, NULL);
        free(out.data);
    }
    bytes out = { NULL, 0, 0 };
    preview.columns = 30;
    preview.rows = 10;
    preview.colors = 256;
    if (!status)
        status = vv_plot_preview(ctx, &preview, (vv_sink){ keep, &out }, NULL);
    free(out.data);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    vv_plot_field field = map_of_test();

    (void)state;
    survives_failing_allocations(draw_all, &field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_has_the_colour_of_its_value),
        cmocka_unit_test(uneven_axes_have_uneven_places),
        cmocka_unit_test(many_places_in_a_pixel_show_their_mean),
        cmocka_unit_test(values_on_both_sides_of_zero_get_two_arms),
        cmocka_unit_test(svg_keeps_texts_as_text),
        cmocka_unit_test(long_texts_are_broken_and_cut_to_the_page),
        cmocka_unit_test(numbers_at_the_end_of_what_a_double_holds_are_drawn),
        cmocka_unit_test(pdf_is_pdf),
        cmocka_unit_test(a_line_runs_through_its_values_and_breaks_at_gaps),
        cmocka_unit_test(histograms_profiles_and_several_lines_are_drawn),
        cmocka_unit_test(what_cannot_be_drawn_is_refused_with_a_reason),
        cmocka_unit_test(a_sink_that_fails_is_told),
        cmocka_unit_test(any_allocation_may_fail),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
