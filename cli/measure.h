/* --metrics: what a command counted, written when it has ended, however it did. */
#ifndef CLI_MEASURE_H
#define CLI_MEASURE_H

#include "call.h"

/* Count from now on, if that was asked for. */
void measure_begin(cli_call *call);
/* Write what was counted; VV_OK where nothing was asked for, else why it could not be written, in call->err. */
vv_status measure_end(cli_call *call);
/* Send it to the collector that --metrics names (measure_send.c). */
vv_status measure_send(cli_call *call);

#endif
