/* Previews, letter by letter. */
#include "support/support.h"

#include <varvite/plot.h>

#include <math.h>
#include <stdio.h>

#define GOLDEN_MAP                               \
    "Title [2J\n"                                \
    "90N +.................:::::::::---------\n" \
    "    |.................:::::::::---------\n" \
    "45N +.................:::::::::---------\n" \
    "    |=========+++++++++++++++++         \n" \
    "  0 +=========+++++++++++++++++         \n" \
    "    |=========+++++++++++++++++         \n" \
    "45S +#########%%%%%%%%@@@@@@@@@@@@@@@@@@\n" \
    "    |#########%%%%%%%%@@@@@@@@@@@@@@@@@@\n" \
    "90S +#########%%%%%%%%@@@@@@@@@@@@@@@@@@\n" \
    "    +-----------------------------------\n" \
    "     0               180               0\n" \
    "0 .::-==+**#%%@ 11 C  blank: missing\n"

#define GOLDEN_LINE                      \
    "x (m s-1)\n"                        \
    "4 +             **              \n" \
    "  |           **                \n" \
    "  |          **                 \n" \
    "  |        **                   \n" \
    "2 +      ***            **      \n" \
    "  |     **               **     \n" \
    "  |   **                   **   \n" \
    "  |  **                     **  \n" \
    "0 +**                         **\n" \
    "  +-----------------------------\n" \
    "   0                 5\n"

#define GOLDEN_DOTS                                                                                  \
    "x (m s⁻¹)\n"                                                                                 \
    "4 ┤             ⡠⠊              \n"                                                       \
    "  │           ⠠⠋                \n"                                                       \
    "  │          ⡔⠁                 \n"                                                       \
    "  │        ⠔⠊                   \n"                                                       \
    "2 ┤      ⢀⠔⠁            ⠠⡀      \n"                                                 \
    "  │     ⡠⠃               ⠈⢄     \n"                                                   \
    "  │   ⢀⠎                   ⠱⡀   \n"                                                   \
    "  │  ⡔⠁                     ⠈⢒  \n"                                                   \
    "0 ┤⡠⠊                         ⠑⢄\n"                                                   \
    "  └─────────────────────────────\n" \
    "   0                 5\n"

#define GOLDEN_HISTOGRAM                             \
    "Title [2J\n"                                    \
    "           0          2 ####################\n" \
    "           2          2 ####################\n" \
    "           4          2 ####################\n" \
    "           6          1 ##########\n"           \
    "           8          2 ####################\n" \
    "          10          2 ####################\n" \
    "11 values, 1 missing\n"

typedef struct text {
    char data[65536];
    size_t len;
} text;

static vv_status keep(void *ctx, vv_bytes data, vv_error *err)
{
    text *self = ctx;

    (void)err;
    assert_true(self->len + data.len < sizeof(self->data));
    memcpy(self->data + self->len, data.data, data.len);
    self->len += data.len;
    self->data[self->len] = '\0';
    return VV_OK;
}

static const char *preview(const vv_plot_field *field, const vv_preview_options *options)
{
    static text out;
    vv_error err = VV_ERROR_INIT;

    out.len = 0;
    assert_vv_ok(vv_plot_preview(field, options, (vv_sink){ keep, &out }, &err));
    return out.data;
}

static const double values[12] = { 0, 1, 2, 3, 4, 5, 6, NAN, 8, 9, 10, 11 };

static vv_plot_field map_of_test(void)
{
    static const double lat[3] = { 60, 0, -60 }, lon[4] = { 45, 135, 225, 315 };
    vv_plot_field field = VV_PLOT_FIELD_INIT;

    field.values = values;
    field.x = (vv_plot_axis){ .count = 4, .values = lon, .units = "degrees_east" };
    field.y = (vv_plot_axis){ .count = 3, .values = lat, .units = "degrees_north" };
    field.title = "Title\x1b[2J";
    field.units = "degC";
    return field;
}

static void a_map_in_plain_letters(void **state)
{
    vv_plot_field field = map_of_test();
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;

    (void)state;
    options.columns = 40;
    options.rows = 14;
    options.ascii = true;
    assert_string_equal(preview(&field, &options), GOLDEN_MAP);
}

static void a_map_in_half_blocks(void **state)
{
    vv_plot_field field = map_of_test();
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;
    uint8_t rgb[3];
    char want[64];

    (void)state;
    options.columns = 40;
    options.rows = 14;
    options.colors = 1u << 24;
    const char *out = preview(&field, &options);
    assert_int_equal(vv_plot_color("tide", 0, rgb, NULL), VV_OK);
    snprintf(want, sizeof(want), "\033[38;2;%d;%d;%dm\033[48;2;%d;%d;%dm▀\033[0m", rgb[0],
             rgb[1], rgb[2], rgb[0], rgb[1], rgb[2]);
    assert_non_null(strstr(out, want));
    assert_non_null(strstr(out, "\033[38;2;200;200;200m"));
    assert_null(strstr(out, "\033[2J")); /* names steer no terminal */
    assert_non_null(strstr(out, "45°N ┤"));
    assert_non_null(strstr(out, " 11 °C"));
    options.colors = 256;
    out = preview(&field, &options);
    assert_null(strstr(out, "38;2;"));
    assert_non_null(strstr(out, "\033[38;5;250m"));
}

static void a_line_in_plain_letters_and_in_dots(void **state)
{
    static const double line[9] = { 0, 1, 2, 3, 4, NAN, 2, 1, 0 };
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;

    (void)state;
    field.values = line;
    field.x.count = 9;
    field.name = "x";
    field.units = "m s-1";
    options.columns = 32;
    options.rows = 12;
    options.ascii = true;
    assert_string_equal(preview(&field, &options), GOLDEN_LINE);
    options.ascii = false;
    assert_string_equal(preview(&field, &options), GOLDEN_DOTS);
    options.ascii = true;
    field.units = "1E11 m2";
    field.title = "µ more than there is room for in a line";
    const char *out = preview(&field, &options);
    assert_non_null(strstr(out, "\nx (10^11 m2)\n"));
    assert_non_null(strstr(out, "u more than there is room for...\n"));
}

static void a_histogram_in_bars(void **state)
{
    vv_plot_field field = map_of_test();
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;

    (void)state;
    options.columns = 50;
    options.rows = 12;
    options.ascii = true;
    options.kind = VV_PLOT_HISTOGRAM;
    assert_string_equal(preview(&field, &options), GOLDEN_HISTOGRAM);
}

static void sizes_that_hold_nothing_are_refused(void **state)
{
    vv_plot_field field = map_of_test();
    vv_preview_options options = VV_PREVIEW_OPTIONS_INIT;
    static text out;

    (void)state;
    options.columns = 10;
    options.rows = 5;
    assert_int_equal(vv_plot_preview(&field, &options, (vv_sink){ keep, &out }, NULL),
                     VV_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_in_plain_letters),
        cmocka_unit_test(a_map_in_half_blocks),
        cmocka_unit_test(a_line_in_plain_letters_and_in_dots),
        cmocka_unit_test(a_histogram_in_bars),
        cmocka_unit_test(sizes_that_hold_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
