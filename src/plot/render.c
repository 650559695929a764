/* The public call: options, the page, the kind. */
#include "plot/figure.h"

#include "util/options.h"

#include <math.h>

#define WIDTH 1000

static vv_status check_sizes(const vv_plot_options *options, vv_error *err)
{
    if (options->width > VV_PLOT_PIXELS_MAX || options->height > VV_PLOT_PIXELS_MAX)
        return vvi_fail(err, VV_EINVAL, "%u x %u pixels; %d is the most", options->width,
                        options->height, VV_PLOT_PIXELS_MAX);
    if ((options->width && options->width < 80) ||
        (options->height && options->height < 60))
        return vvi_fail(err, VV_EINVAL, "%u x %u pixels; 80 x 60 is the least",
                        options->width, options->height);
    if (options->format > VV_PLOT_PDF)
        return vvi_fail(err, VV_EINVAL, "format %d of pictures", (int)options->format);
    return VV_OK;
}

vv_status vv_plot_render(const vv_plot_field *field, const vv_plot_options *options,
                         vv_sink sink, vv_error *err)
{
    vv_plot_field given;
    vv_plot_options read;
    vvi_request request;
    vv_status status;

    VVI_TRY(vvi_read_options(&given, sizeof(given), field, err));
    VVI_TRY(vvi_read_options(&read, sizeof(read), options, err));
    VVI_TRY(check_sizes(&read, err));
    VVI_TRY(vvi_request_init(&request, &given, read.kind, read.ranged, read.low,
                             read.high, read.colors, read.log, err));
    vvi_figure figure = { .request = &request,
                          .width = read.width ? read.width : WIDTH,
                          .height = read.height };
    /* Letters grow more slowly than the page. */
    figure.font = 14 * sqrt(figure.width / WIDTH);
    if (figure.height > 0)
        figure.font = fmin(figure.font, figure.height / 16);
    figure.font = fmax(figure.font, 6);
    status = request.kind == VV_PLOT_MAP ? vvi_draw_map(&figure, read.format, err)
             : request.kind == VV_PLOT_LINE
                 ? vvi_draw_lines(&figure, read.format, err)
                 : vvi_draw_histogram(&figure, read.format, err);
    if (!status)
        status = vvi_canvas_finish(figure.canvas, sink, err);
    vvi_canvas_free(figure.canvas);
    return status;
}
