#include "plots.h"

#include <string.h>

vv_status plot_format_of(cli_call *call, const char *path, vv_plot_format *out)
{
    const char *dot = strrchr(path, '.');

    *out = VV_PLOT_PNG;
    if (strcmp(path, "-") == 0 || (dot && strcmp(dot, ".png") == 0))
        return VV_OK;
    *out = dot && strcmp(dot, ".svg") == 0 ? VV_PLOT_SVG : VV_PLOT_PDF;
    if (dot && (*out == VV_PLOT_SVG || strcmp(dot, ".pdf") == 0))
        return VV_OK;
    return cli_usage(call, "--output %.100s: its name must end in .png, .svg or .pdf",
                     path);
}
