/* The canvas that writes SVG 1.1. */
#include "plot/canvas_inner.h"

#include "util/base64.h"
#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>

static void put(vvi_canvas *canvas, const char *format, ...) VVI_PRINTF(2, 3);

static void put(vvi_canvas *canvas, const char *format, ...)
{
    vv_error err = VV_ERROR_INIT;
    char text[512];
    va_list args;

    if (canvas->status)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    vvi_canvas_note(canvas, vvi_buf_append_text(&canvas->page, text, &err), &err);
}

/* What means something in XML is named; control characters, which XML cannot hold, are left out. */
static void put_escaped(vvi_canvas *canvas, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&')
            put(canvas, "&amp;");
        else if (c == '<')
            put(canvas, "&lt;");
        else if (c == '>')
            put(canvas, "&gt;");
        else if (c >= 0x20 && c != 0x7f)
            put(canvas, "%c", c);
    }
}

static void put_color(vvi_canvas *canvas, const char *what, vvi_rgb color)
{
    put(canvas, " %s=\"#%02x%02x%02x\"", what, color.r, color.g, color.b);
}

void vvi_svg_begin(vvi_canvas *canvas)
{
    put(canvas,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" "
        "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Verdana, sans-serif\">\n",
        canvas->width, canvas->height, canvas->width, canvas->height);
}

void vvi_svg_rect(vvi_canvas *canvas, double x, double y, double w, double h,
                  vvi_rgb color)
{
    put(canvas, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"", x, y, w, h);
    put_color(canvas, "fill", color);
    put(canvas, "/>\n");
}

void vvi_svg_line(vvi_canvas *canvas, const vvi_point *points, size_t n, double width,
                  vvi_rgb color)
{
    put(canvas, "<path fill=\"none\" stroke-linejoin=\"round\" stroke-width=\"%.2f\"",
        width);
    put_color(canvas, "stroke", color);
    put(canvas, " d=\"");
    for (size_t i = 0; i < n; i++)
        put(canvas, "%s%.2f %.2f",
            i == 0   ? "M"
            : i == 1 ? "L"
                     : " ",
            points[i].x, points[i].y);
    put(canvas, "\"/>\n");
}

void vvi_svg_dot(vvi_canvas *canvas, vvi_point at, double radius, vvi_rgb color)
{
    put(canvas, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\"", at.x, at.y, radius);
    put_color(canvas, "fill", color);
    put(canvas, "/>\n");
}

void vvi_svg_text(vvi_canvas *canvas, double x, double y, const char *text,
                  const vvi_text_style *style)
{
    put(canvas, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.2f\"", x, y, style->size);
    put_color(canvas, "fill", style->color);
    if (style->bold)
        put(canvas, " font-weight=\"bold\"");
    if (style->across > 0)
        put(canvas, " text-anchor=\"%s\"", style->across > 0.75 ? "end" : "middle");
    if (style->upward)
        put(canvas, " transform=\"rotate(-90 %.2f %.2f)\"", x, y);
    put(canvas, ">");
    put_escaped(canvas, text);
    put(canvas, "</text>\n");
}

void vvi_svg_image(vvi_canvas *canvas, double x, double y, double w, double h,
                   const uint8_t *rgb, size_t iw, size_t ih)
{
    cairo_surface_t *image = vvi_canvas_surface(rgb, iw, ih);
    vv_buf png = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_status status = image ? vvi_canvas_png(image, &png, &err)
                             : vvi_fail_nomem(&err, 4 * iw * ih);

    put(canvas,
        "<image x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
        "preserveAspectRatio=\"none\" image-rendering=\"optimizeSpeed\" "
        "xlink:href=\"data:image/png;base64,",
        x, y, w, h);
    if (!status)
        status = vvi_base64_encode(vvi_buf_bytes(&png), &canvas->page, &err);
    vvi_canvas_note(canvas, status, &err);
    put(canvas, "\"/>\n");
    vv_buf_clear(&png);
    cairo_surface_destroy(image);
}

void vvi_svg_clip(vvi_canvas *canvas, double x, double y, double w, double h)
{
    put(canvas,
        "<clipPath id=\"clip%u\"><rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
        "height=\"%.2f\"/></clipPath>\n<g clip-path=\"url(#clip%u)\">\n",
        canvas->clips, x, y, w, h, canvas->clips);
    canvas->clips++;
}

void vvi_svg_unclip(vvi_canvas *canvas)
{
    put(canvas, "</g>\n");
}

void vvi_svg_end(vvi_canvas *canvas)
{
    put(canvas, "</svg>\n");
}
