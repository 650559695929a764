/* The canvas, and the kind that cairo draws. */
#include "plot/canvas_inner.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "json/json.h"

#include <cairo-pdf.h>
#include <string.h>

#define FONT     "DejaVu Sans"
#define TEXT_MAX 512 /* bytes of a text that is drawn */

void vvi_canvas_note(vvi_canvas *canvas, vv_status status, const vv_error *err)
{
    if (!status || canvas->status)
        return;
    canvas->status = status;
    canvas->error = *err;
}

static vv_status from_cairo(cairo_status_t status, vv_error *err)
{
    if (status == CAIRO_STATUS_SUCCESS)
        return VV_OK;
    return vvi_fail(err, status == CAIRO_STATUS_NO_MEMORY ? VV_ENOMEM : VV_EIO,
                    "cairo: %s", cairo_status_to_string(status));
}

/* A canvas and an error, while cairo writes. */
typedef struct writing {
    vv_buf *out;
    vv_status status;
    vv_error *err;
} writing;

static cairo_status_t keep(void *ctx, const unsigned char *data, unsigned len)
{
    writing *self = ctx;

    if (!self->status)
        self->status = vvi_buf_append(self->out, vvi_bytes(data, len), self->err);
    return self->status ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static cairo_status_t keep_page(void *ctx, const unsigned char *data, unsigned len)
{
    vvi_canvas *canvas = ctx;
    vv_error err = VV_ERROR_INIT;

    if (!canvas->status)
        vvi_canvas_note(canvas, vvi_buf_append(&canvas->page, vvi_bytes(data, len), &err),
                        &err);
    return canvas->status ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

vv_status vvi_canvas_png(cairo_surface_t *surface, vv_buf *out, vv_error *err)
{
    writing self = { out, VV_OK, err };
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, keep, &self);

    return self.status ? self.status : from_cairo(status, err);
}

static void prepare(vvi_canvas *canvas)
{
    cairo_font_options_t *options = cairo_font_options_create();

    /* Letters where they were measured to be, whatever a desktop prefers. */
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(canvas->cairo, options);
    cairo_font_options_destroy(options);
    cairo_set_line_join(canvas->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(canvas->cairo, CAIRO_LINE_CAP_BUTT);
}

vv_status vvi_canvas_new(vv_plot_format format, double width, double height,
                         vvi_canvas **out, vv_error *err)
{
    vvi_canvas *canvas = vvi_alloc_zero(sizeof(*canvas));

    if (!canvas)
        return vvi_fail_nomem(err, sizeof(*canvas));
    canvas->format = format;
    canvas->width = width;
    canvas->height = height;
    if (format == VV_PLOT_PDF)
        canvas->surface = cairo_pdf_surface_create_for_stream(keep_page, canvas, width,
                                                              height);
    else if (format == VV_PLOT_PNG)
        canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width,
                                                     (int)height);
    else
        canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    canvas->cairo = cairo_create(canvas->surface);
    vv_status status = from_cairo(cairo_status(canvas->cairo), err);
    if (status) {
        vvi_canvas_free(canvas);
        return status;
    }
    prepare(canvas);
    if (format == VV_PLOT_SVG)
        vvi_svg_begin(canvas);
    *out = canvas;
    return VV_OK;
}

void vvi_canvas_free(vvi_canvas *canvas)
{
    if (!canvas)
        return;
    cairo_destroy(canvas->cairo);
    if (canvas->format == VV_PLOT_PDF)
        cairo_surface_finish(canvas->surface);
    cairo_surface_destroy(canvas->surface);
    vv_buf_clear(&canvas->page);
    vvi_free(canvas);
}

static void set_color(vvi_canvas *canvas, vvi_rgb color)
{
    cairo_set_source_rgb(canvas->cairo, color.r / 255.0, color.g / 255.0,
                         color.b / 255.0);
}

static void set_font(vvi_canvas *canvas, double size, bool bold)
{
    cairo_select_font_face(canvas->cairo, FONT, CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cairo, size);
}

void vvi_canvas_rect(vvi_canvas *canvas, double x, double y, double w, double h,
                     vvi_rgb color)
{
    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_rect(canvas, x, y, w, h, color);
        return;
    }
    set_color(canvas, color);
    cairo_rectangle(canvas->cairo, x, y, w, h);
    cairo_fill(canvas->cairo);
}

void vvi_canvas_line(vvi_canvas *canvas, const vvi_point *points, size_t n, double width,
                     vvi_rgb color)
{
    if (n < 2)
        return;
    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_line(canvas, points, n, width, color);
        return;
    }
    set_color(canvas, color);
    cairo_set_line_width(canvas->cairo, width);
    cairo_move_to(canvas->cairo, points[0].x, points[0].y);
    for (size_t i = 1; i < n; i++)
        cairo_line_to(canvas->cairo, points[i].x, points[i].y);
    cairo_stroke(canvas->cairo);
}

void vvi_canvas_dot(vvi_canvas *canvas, vvi_point at, double radius, vvi_rgb color)
{
    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_dot(canvas, at, radius, color);
        return;
    }
    set_color(canvas, color);
    cairo_new_path(canvas->cairo);
    cairo_arc(canvas->cairo, at.x, at.y, radius, 0, 6.283185307179586);
    cairo_fill(canvas->cairo);
}

/* Text that can be drawn: UTF-8, without control characters. */
static void clean(const char *text, char out[TEXT_MAX])
{
    size_t n = 0;
    bool good = vvi_is_utf8(vv_bytes_of(text));

    for (; *text && n + 1 < TEXT_MAX; text++) {
        unsigned char c = (unsigned char)*text;
        out[n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c >= 0x80 && !good ? '?' : c);
    }
    if (good && ((unsigned char)*text & 0xc0) == 0x80) { /* never half of a character */
        while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n > 0;
    }
    out[n] = '\0';
}

double vvi_canvas_text_width(vvi_canvas *canvas, const char *text, double size, bool bold)
{
    cairo_text_extents_t extents;
    char shown[TEXT_MAX];

    clean(text, shown);
    set_font(canvas, size, bold);
    cairo_text_extents(canvas->cairo, shown, &extents);
    return extents.x_advance;
}

void vvi_canvas_text(vvi_canvas *canvas, double x, double y, const char *given,
                     const vvi_text_style *style)
{
    char text[TEXT_MAX];

    clean(given, text);
    if (!*text)
        return;
    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_text(canvas, x, y, text, style);
        return;
    }
    double width = vvi_canvas_text_width(canvas, text, style->size, style->bold);
    set_color(canvas, style->color);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    if (style->upward)
        cairo_rotate(canvas->cairo, -1.5707963267948966);
    cairo_move_to(canvas->cairo, -style->across * width, 0);
    cairo_show_text(canvas->cairo, text);
    cairo_restore(canvas->cairo);
}

cairo_surface_t *vvi_canvas_surface(const uint8_t *rgb, size_t iw, size_t ih)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)iw,
                                                        (int)ih);

    if (cairo_surface_status(image) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(image);
        return NULL;
    }
    uint8_t *out = cairo_image_surface_get_data(image);
    size_t stride = (size_t)cairo_image_surface_get_stride(image);
    for (size_t y = 0; y < ih; y++) {
        for (size_t x = 0; x < iw; x++) {
            const uint8_t *at = rgb + 3 * (y * iw + x);
            uint32_t pixel = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
            memcpy(out + y * stride + 4 * x, &pixel, sizeof(pixel));
        }
    }
    cairo_surface_mark_dirty(image);
    return image;
}

void vvi_canvas_image(vvi_canvas *canvas, double x, double y, double w, double h,
                      const uint8_t *rgb, size_t iw, size_t ih)
{
    vv_error err = VV_ERROR_INIT;

    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_image(canvas, x, y, w, h, rgb, iw, ih);
        return;
    }
    cairo_surface_t *image = vvi_canvas_surface(rgb, iw, ih);
    if (!image) {
        vvi_canvas_note(canvas, vvi_fail_nomem(&err, 4 * iw * ih), &err);
        return;
    }
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    cairo_scale(canvas->cairo, w / (double)iw, h / (double)ih);
    cairo_set_source_surface(canvas->cairo, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cairo), CAIRO_FILTER_NEAREST);
    cairo_pattern_set_extend(cairo_get_source(canvas->cairo), CAIRO_EXTEND_PAD);
    cairo_rectangle(canvas->cairo, 0, 0, (double)iw, (double)ih);
    cairo_fill(canvas->cairo);
    cairo_restore(canvas->cairo);
    cairo_surface_destroy(image);
}

void vvi_canvas_clip(vvi_canvas *canvas, double x, double y, double w, double h)
{
    if (canvas->format == VV_PLOT_SVG) {
        vvi_svg_clip(canvas, x, y, w, h);
        return;
    }
    cairo_save(canvas->cairo);
    cairo_rectangle(canvas->cairo, x, y, w, h);
    cairo_clip(canvas->cairo);
}

void vvi_canvas_unclip(vvi_canvas *canvas)
{
    if (canvas->format == VV_PLOT_SVG)
        vvi_svg_unclip(canvas);
    else
        cairo_restore(canvas->cairo);
}

vv_status vvi_canvas_finish(vvi_canvas *canvas, vv_sink sink, vv_error *err)
{
    vv_error local = VV_ERROR_INIT;

    vvi_canvas_note(canvas, from_cairo(cairo_status(canvas->cairo), &local), &local);
    if (canvas->format == VV_PLOT_SVG)
        vvi_svg_end(canvas);
    else if (canvas->format == VV_PLOT_PDF)
        cairo_surface_finish(canvas->surface);
    else if (!canvas->status)
        vvi_canvas_note(canvas, vvi_canvas_png(canvas->surface, &canvas->page, &local),
                        &local);
    if (canvas->status) {
        if (err)
            *err = canvas->error;
        return canvas->status;
    }
    return sink.write(sink.ctx, vvi_buf_bytes(&canvas->page), err);
}
