/*
 * Progress on standard error, and stopping: a bar with rate and time left on a terminal,
 * nothing elsewhere. The tick also turns a signal into VV_ECANCELED.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "call.h"

typedef struct cli_progress {
    cli_call *call;
    const char *what;
    uint64_t begun_ms;
    uint64_t shown_ms;
    uint64_t first_bytes; /* done when it began */
} cli_progress;

/* Begin; what is the word in front of the bar. Signals are watched from now on. */
void progress_begin(cli_progress *progress, cli_call *call, const char *what);
/* vv_progress_fn; ctx is a cli_progress. */
vv_status progress_tick(void *ctx, const vv_progress *at);
/* Take the bar off the terminal. */
void progress_hide(void);
/* Milliseconds since it began. */
uint64_t progress_ms(const cli_progress *progress);

/* The signal that asked to stop, 0 if none did. A second one ends the process at once. */
int stop_signal(void);
void stop_watch(void);

#endif
