/* What the commands that draw share. */
#ifndef CLI_PLOTS_H
#define CLI_PLOTS_H

#include "call.h"

#include <varvite/plot.h>

/* The format that the name of the output asks for; PNG for "-". */
vv_status plot_format_of(cli_call *call, const char *path, vv_plot_format *out);

#endif
