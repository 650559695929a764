/* Pictures of characters, for a terminal. */
#include "plot/figure.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CODES    128 /* colours that a preview tells apart */
#define TEXT_MAX 512 /* bytes of a text that is shown */

typedef struct preview {
    vvi_request request;
    vv_preview_options options;
    vvi_axis x, y, values;
    vvi_colors colors;
    int codes[CODES]; /* for 256 colours */
    size_t left;      /* characters in front of the picture */
    size_t w, h;      /* of the picture, in characters */
    vv_buf out;
    vv_error *err;
    vv_status status; /* the first failure */
} preview;

static void put(preview *self, const char *text)
{
    if (!self->status)
        self->status = vvi_buf_append_text(&self->out, text, self->err);
}

static void put_n(preview *self, const char *text, size_t n)
{
    while (n-- > 0)
        put(self, text);
}

/* How many columns a text takes: characters, since no wide ones are expected. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* ASCII for a character of labels; "?" where there is none. */
static const char *ascii_of(const char *one)
{
    static const char *const plain[][2] = {
        { "°", "" },  { "−", "-" }, { "×", "x" }, { "·", "." }, { "…", "..." },
        { "µ", "u" }, { "μ", "u" }, { "⁻", "-" }, { "¹", "1" }, { "²", "2" },
        { "³", "3" }, { "⁴", "4" }, { "⁵", "5" }, { "⁶", "6" }, { "⁷", "7" },
        { "⁸", "8" }, { "⁹", "9" }, { "⁰", "0" }, { "₀", "0" }, { "₁", "1" },
        { "₂", "2" }, { "₃", "3" }, { "₄", "4" }, { "₅", "5" }, { "₆", "6" },
        { "₇", "7" }, { "₈", "8" }, { "₉", "9" }
    };

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        if (strcmp(plain[i][0], one) == 0)
            return plain[i][1];
    }
    return "?";
}

/* Characters that stand for a raised digit or minus are those of ¹²³ and of a block of their own. */
static bool is_raised(const char *one)
{
    return strcmp(one, "¹") == 0 || strcmp(one, "²") == 0 || strcmp(one, "³") == 0 ||
           (strncmp(one, "\xe2\x81", 2) == 0);
}

/* A text as it is shown: control characters as blanks; without Unicode, others as ASCII, where a power
 * of a number keeps apart from it: 10^6, but m2. */
static void shown_text(const preview *self, const char *text, char out[TEXT_MAX])
{
    bool digit = false;
    size_t len = 0;

    while (*text && len + 8 < TEXT_MAX) {
        char one[8] = "?";
        size_t n = 1;
        while (((unsigned char)text[n] & 0xc0) == 0x80)
            n++;
        if (n < sizeof(one)) {
            memcpy(one, text, n);
            one[n] = '\0';
        }
        text += n;
        if ((unsigned char)one[0] < 0x20 || one[0] == 0x7f)
            strcpy(one, " ");
        if (self->options.ascii && n > 1) {
            bool power = digit && is_raised(one);
            digit = false;
            len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s%s", power ? "^" : "",
                                    ascii_of(one));
            continue;
        }
        digit = *one >= '0' && *one <= '9';
        len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s", one);
    }
    out[len] = '\0';
}

/* At most so many columns, the last of them dots where there is more. */
static void put_text(preview *self, const char *text, size_t columns)
{
    char shown[TEXT_MAX];
    const char *dots = self->options.ascii ? "..." : "…";
    size_t cut = 0;

    shown_text(self, text, shown);
    if (width_of(shown) > columns) {
        size_t keep = columns > width_of(dots) ? columns - width_of(dots) : 0;
        for (; keep; keep--) {
            cut++;
            while (((unsigned char)shown[cut] & 0xc0) == 0x80)
                cut++;
        }
        shown[cut] = '\0';
        strcat(shown, columns >= width_of(dots) ? dots : "");
    }
    put(self, shown);
}

static size_t shown_width(const preview *self, const char *text)
{
    char shown[TEXT_MAX];

    shown_text(self, text, shown);
    return width_of(shown);
}

static void put_head(preview *self)
{
    const vv_plot_field *field = &self->request.field;
    size_t columns = self->options.columns;

    if (field->title && *field->title) {
        put_text(self, field->title, columns);
        put(self, "\n");
    }
    if (field->subtitle && *field->subtitle) {
        put_text(self, field->subtitle, columns);
        put(self, "\n");
    }
}

static size_t head_lines(const vv_plot_field *field)
{
    return (size_t)(field->title && *field->title) +
           (field->subtitle && *field->subtitle);
}

/* ---- axes ------------------------------------------------------------------------------------ */

static size_t label_width(const preview *self, const vvi_axis *axis)
{
    size_t widest = 0;

    for (size_t i = 0; i < axis->ticks.count; i++) {
        size_t n = shown_width(self, axis->ticks.ticks[i].label);
        size_t below = shown_width(self, axis->ticks.ticks[i].below);
        widest = n > widest ? n : widest;
        widest = below > widest ? below : widest;
    }
    return widest;
}

/* Which of n cells holds a share; n is cut to the last. */
static size_t cell_of(double share, size_t n)
{
    double at = floor(share * (double)n);

    return at < 0 ? 0 : at >= (double)n ? n - 1 : (size_t)at;
}

static size_t row_of_tick(const preview *self, const vvi_axis *axis, const vvi_tick *tick)
{
    double share = vvi_axis_share(axis, tick->value);

    return cell_of(axis->down ? share : 1 - share, self->h);
}

/* The label of the row, or blanks; the first of several marks counts. */
static void put_row_label(preview *self, const vvi_axis *axis, size_t row)
{
    for (size_t i = 0; i < axis->ticks.count; i++) {
        const vvi_tick *tick = &axis->ticks.ticks[i];
        const char *label = *tick->label ? tick->label : NULL;
        if (!label || row_of_tick(self, axis, tick) != row)
            continue;
        put_n(self, " ", self->left - 2 - shown_width(self, label));
        put_text(self, label, self->left);
        put(self, self->options.ascii ? " +" : " ┤");
        return;
    }
    put_n(self, " ", self->left - 1);
    put(self, self->options.ascii ? "|" : "│");
}

/* Labels below the picture, each in the middle of its column, where there is room. */
static void put_column_labels(preview *self, const vvi_axis *axis, bool below)
{
    size_t at = 0;

    for (size_t k = 0; k < axis->ticks.count; k++) {
        const vvi_tick *tick =
            &axis->ticks.ticks[axis->down ? axis->ticks.count - 1 - k : k];
        const char *label = below ? tick->below : tick->label;
        size_t n = shown_width(self, label);
        double share = vvi_axis_share(axis, tick->value);
        size_t middle = self->left + cell_of(axis->down ? 1 - share : share, self->w);
        size_t begin = middle > n / 2 ? middle - n / 2 : 0;
        if (n == 0 || (at && begin < at + 1) || begin + n > self->options.columns)
            continue;
        put_n(self, " ", begin - at);
        put_text(self, label, n);
        at = begin + n;
    }
    put(self, "\n");
}

static bool has_below(const vvi_axis *axis)
{
    for (size_t i = 0; i < axis->ticks.count; i++) {
        if (*axis->ticks.ticks[i].below)
            return true;
    }
    return false;
}

static void put_bottom(preview *self, const vvi_axis *axis)
{
    put_n(self, " ", self->left - 1);
    put(self, self->options.ascii ? "+" : "└");
    put_n(self, self->options.ascii ? "-" : "─", self->w);
    put(self, "\n");
    put_column_labels(self, axis, false);
    if (has_below(axis))
        put_column_labels(self, axis, true);
}

/* ---- colours --------------------------------------------------------------------------------- */

static void put_color(preview *self, double share, bool behind)
{
    char text[32];
    bool missing = isnan(share);

    if (self->options.colors > 256) {
        vvi_rgb color = missing ? VVI_MISSING : vvi_colors_at(&self->colors, share);
        snprintf(text, sizeof(text), "\033[%d;2;%d;%d;%dm", behind ? 48 : 38, color.r,
                 color.g, color.b);
    } else {
        int code = missing ? 250 : self->codes[cell_of(share, CODES)];
        snprintf(text, sizeof(text), "\033[%d;5;%dm", behind ? 48 : 38, code);
    }
    put(self, text);
}

/* Two cells, one above the other, as one character: the upper is written, the lower lies behind. */
static void put_cells(preview *self, double upper, double lower)
{
    bool above = isnan(upper) || upper >= 0, below = isnan(lower) || lower >= 0;

    if (!above && !below) {
        put(self, " ");
        return;
    }
    put_color(self, above ? upper : lower, false);
    if (above && below)
        put_color(self, lower, true);
    put(self, above ? "▀" : "▄");
    put(self, "\033[0m");
}

static const char ramp[] = ".:-=+*#%@";

static void put_letter(preview *self, double share)
{
    char text[2] = { share < 0 || isnan(share) ? ' '
                                               : ramp[cell_of(share, sizeof(ramp) - 1)],
                     '\0' };

    put(self, text);
}

/* "−2.6 ████████ 33.2 °C", and what is missing. */
static void put_scale(preview *self)
{
    const vvi_request *request = &self->request;
    char low[VVI_LABEL_SIZE], high[VVI_TEXT_SIZE];
    size_t cells = self->options.columns / 3;

    snprintf(low, sizeof(low), "%.5g ", request->low);
    vvi_quantity_text(request->high, 5, request->field.units, high);
    put_text(self, low, self->options.columns);
    for (size_t i = 0; i < cells; i++) {
        double share = ((double)i + 0.5) / (double)cells;
        if (self->options.ascii) {
            put_letter(self, share);
            continue;
        }
        put_color(self, share, false);
        put(self, "█");
    }
    put(self, self->options.ascii ? "" : "\033[0m");
    put(self, " ");
    put_text(self, high, 40);
    if (request->missing && !self->options.ascii) {
        put(self, "  ");
        put_color(self, (double)NAN, false);
        put(self, "█\033[0m missing");
    }
    put(self, request->missing && self->options.ascii ? "  blank: missing\n" : "\n");
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void size_map(preview *self)
{
    size_t below = 2 + (size_t)has_below(&self->x) + 1 + head_lines(&self->request.field);
    size_t rows = self->options.rows > below + 4 ? self->options.rows - below : 4;
    bool geographic = vvi_axes_are_degrees(&self->x, &self->y);

    self->left = label_width(self, &self->y) + 2;
    self->w = self->options.columns > self->left + 8 ? self->options.columns - self->left
                                                     : 8;
    self->h = rows;
    if (!geographic)
        return;
    /* A character is about twice as high as it is wide. */
    double ratio = (self->y.high - self->y.low) / (self->x.high - self->x.low) / 2;
    double h = rint((double)self->w * ratio);
    if (h <= (double)rows)
        self->h = h < 2 ? 2 : (size_t)h;
    else
        self->w = (size_t)fmax(rint((double)rows / ratio), 8);
}

static vv_status put_map(preview *self)
{
    const vv_plot_field *field = &self->request.field;
    size_t fine = self->options.ascii ? 1 : 2;
    vv_status status = vvi_axis_edges(&self->x, self->err);

    if (!status)
        status = vvi_axis_edges(&self->y, self->err);
    if (status)
        return status;
    vvi_axis_mark(&self->x, field->x.name, field->x.units,
                  (unsigned)fmax(2, self->options.columns / 14.0));
    vvi_axis_mark(&self->y, field->y.name, field->y.units, 5);
    size_map(self);
    double *shares = vvi_alloc_array(self->w * self->h * fine, sizeof(double));
    if (!shares)
        return vvi_fail_nomem(self->err, self->w * self->h * fine * sizeof(double));
    status = vvi_raster(&self->request, &self->x, &self->y, self->w, self->h * fine,
                        shares, self->err);
    for (size_t row = 0; row < self->h && !status; row++) {
        const double *upper = shares + row * fine * self->w;
        put_row_label(self, &self->y, row);
        for (size_t i = 0; i < self->w; i++) {
            if (self->options.ascii)
                put_letter(self, upper[i]);
            else
                put_cells(self, upper[i], upper[self->w + i]);
        }
        put(self, "\n");
    }
    vvi_free(shares);
    if (status)
        return status;
    put_bottom(self, &self->x);
    put_scale(self);
    return self->status;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Dots of a character: two across, four down; Unicode numbers them so. */
static const uint8_t dot_bits[4][2] = {
    { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 }
};

static void set_dot(const preview *self, uint8_t *cells, double x, double y)
{
    size_t fine_x = self->options.ascii ? 1 : 2, fine_y = self->options.ascii ? 1 : 4;

    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
        return;
    size_t column = cell_of(x, self->w * fine_x), row = cell_of(1 - y, self->h * fine_y);
    cells[row / fine_y * self->w + column / fine_x] |=
        self->options.ascii ? 1 : dot_bits[row % 4][column % 2];
}

/* Enough dots between two places that no cell is leapt over. */
static void set_line(const preview *self, uint8_t *cells, double x0, double y0, double x1,
                     double y1)
{
    double steps = ceil(
        fmax(fabs(x1 - x0) * (double)self->w * 2, fabs(y1 - y0) * (double)self->h * 4));

    steps = steps > 4096 ? 4096 : steps;
    for (double k = 0; k <= steps; k++) {
        double t = steps > 0 ? k / steps : 0;
        set_dot(self, cells, x0 + t * (x1 - x0), y0 + t * (y1 - y0));
    }
}

static void set_values(const preview *self, uint8_t *cells, const double *values)
{
    double last_x = 0, last_y = 0;
    bool last = false;

    for (size_t i = 0; i < self->request.field.x.count; i++) {
        bool there = isfinite(values[i]) && (!self->request.log || values[i] > 0);
        double x = vvi_axis_share(&self->x, vvi_axis_value(&self->x, i));
        double y = there ? vvi_axis_share(&self->values, values[i]) : 0;
        if (there && last)
            set_line(self, cells, last_x, last_y, x, y);
        else if (there)
            set_dot(self, cells, x, y);
        last = there;
        last_x = x;
        last_y = y;
    }
}

static void put_cell(preview *self, uint8_t cell)
{
    char text[4] = { (char)0xe2, (char)(0xa0 | cell >> 6), (char)(0x80 | (cell & 0x3f)),
                     '\0' };

    if (self->options.ascii)
        put(self, cell ? "*" : " ");
    else
        put(self, cell ? text : " ");
}

static vv_status put_lines(preview *self)
{
    const vv_plot_field *field = &self->request.field;
    size_t lines = field->lines ? field->lines : 1;

    self->x.down = false;
    vvi_axis_points(&self->x);
    vvi_axis_mark(&self->x, field->x.name, field->x.units,
                  (unsigned)fmax(2, self->options.columns / 14.0));
    size_t below = 3 + (size_t)has_below(&self->x) + head_lines(field);
    self->h = self->options.rows > below + 4 ? self->options.rows - below : 4;
    vvi_axis_of_values(&self->values, field->name, field->units, self->request.low,
                       self->request.high, self->request.log, !self->request.ranged,
                       (unsigned)fmax(2, (double)self->h / 4));
    self->left = label_width(self, &self->values) + 2;
    self->w = self->options.columns > self->left + 8 ? self->options.columns - self->left
                                                     : 8;
    uint8_t *cells = vvi_alloc_array_zero(self->w * self->h, 1);
    if (!cells)
        return vvi_fail_nomem(self->err, self->w * self->h);
    for (size_t i = 0; i < lines; i++)
        set_values(self, cells, field->values + i * field->x.count);
    put_text(self, self->values.label, self->options.columns);
    put(self, "\n");
    for (size_t row = 0; row < self->h; row++) {
        put_row_label(self, &self->values, row);
        for (size_t i = 0; i < self->w; i++)
            put_cell(self, cells[row * self->w + i]);
        put(self, "\n");
    }
    vvi_free(cells);
    put_bottom(self, &self->x);
    return self->status;
}

/* ---- histograms ------------------------------------------------------------------------------ */

static vv_status put_histogram(preview *self)
{
    size_t rows = self->options.rows > 6 ? self->options.rows - 4 : 4;
    char text[64];
    vvi_bins bins;

    vvi_bins_count(&self->request, (unsigned)(rows < 20 ? rows : 20), &bins);
    size_t room = self->options.columns > 40 ? self->options.columns - 30 : 10;
    for (size_t i = 0; i < bins.count; i++) {
        double share = (double)bins.counts[i] / (double)bins.most;
        snprintf(text, sizeof(text), "%12.6g %10" PRIu64 " ",
                 bins.low + (double)i * bins.width, bins.counts[i]);
        put(self, text);
        put_n(self, self->options.ascii ? "#" : "█", (size_t)ceil(share * (double)room));
        put(self, "\n");
    }
    snprintf(text, sizeof(text), "%" PRIu64 " value%s, %" PRIu64 " missing\n",
             self->request.present, self->request.present == 1 ? "" : "s",
             self->request.missing);
    put(self, text);
    return self->status;
}

/* ---- the call -------------------------------------------------------------------------------- */

static vv_status draw(preview *self)
{
    put_head(self);
    vvi_axis_init(&self->x, &self->request.field.x);
    vvi_axis_init(&self->y, &self->request.field.y);
    VVI_TRY(vvi_colors_init(&self->colors, self->request.colors, self->err));
    for (size_t i = 0; i < CODES && self->options.colors == 256; i++)
        self->codes[i] = vvi_xterm_of(
            vvi_colors_at(&self->colors, ((double)i + 0.5) / CODES));
    if (self->request.kind == VV_PLOT_MAP)
        return put_map(self);
    return self->request.kind == VV_PLOT_LINE ? put_lines(self) : put_histogram(self);
}

static vv_status read_all(preview *self, const vv_plot_field *field,
                          const vv_preview_options *options, vv_error *err)
{
    vv_plot_field given;

    VVI_TRY(vvi_read_options(&given, sizeof(given), field, err));
    VVI_TRY(vvi_read_options(&self->options, sizeof(self->options), options, err));
    vv_preview_options *read = &self->options;
    read->columns = read->columns ? read->columns : 80;
    read->rows = read->rows ? read->rows : 24;
    if (read->columns < 24 || read->rows < 8 || read->columns > 4096 || read->rows > 4096)
        return vvi_fail(err, VV_EINVAL,
                        "%u x %u characters; 24 x 8 is the least, 4096 the most",
                        read->columns, read->rows);
    if (read->ascii || read->colors < 256)
        read->colors = 0;
    read->ascii = read->ascii || (read->colors == 0 && read->kind != VV_PLOT_LINE &&
                                  (read->kind == VV_PLOT_MAP || given.y.count) &&
                                  read->kind != VV_PLOT_HISTOGRAM);
    return vvi_request_init(&self->request, &given, read->kind, read->ranged, read->low,
                            read->high, read->color_map, read->log, err);
}

vv_status vv_plot_preview(const vv_plot_field *field, const vv_preview_options *options,
                          vv_sink sink, vv_error *err)
{
    preview *self = vvi_alloc_zero(sizeof(*self));

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->err = err;
    vv_status status = read_all(self, field, options, err);
    if (!status)
        status = draw(self);
    if (!status)
        status = self->status;
    if (!status)
        status = sink.write(sink.ctx, vvi_buf_bytes(&self->out), err);
    vvi_axis_clear(&self->x);
    vvi_axis_clear(&self->y);
    vv_buf_clear(&self->out);
    vvi_free(self);
    return status;
}
