#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped_by;
static bool bar_shown;

static void stop_handler(int number)
{
    stopped_by = number;
}

int stop_signal(void)
{
    return stopped_by;
}

void stop_watch(void)
{
    /* SA_RESETHAND: the second signal does what it always did. */
    struct sigaction action = { .sa_handler = stop_handler,
                                .sa_flags = (int)SA_RESETHAND | SA_RESTART };
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct sigaction old;
        /* nohup and background shells ignore some; that stays. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(cli_progress *progress, cli_call *call, const char *what)
{
    *progress = (cli_progress){ .call = call, .what = what, .begun_ms = now_ms() };
    stop_watch();
}

uint64_t progress_ms(const cli_progress *progress)
{
    return now_ms() - progress->begun_ms;
}

void progress_hide(void)
{
    if (!bar_shown)
        return;
    fputs("\r\033[K", stderr);
    bar_shown = false;
}

static int terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

/* "1:02:03", "0:07" */
static void time_text(uint64_t seconds, char out[32])
{
    unsigned s = (unsigned)(seconds % 60), m = (unsigned)(seconds / 60 % 60);
    unsigned long long h = seconds / 3600;

    if (h)
        snprintf(out, 32, "%llu:%02u:%02u", h, m, s);
    else
        snprintf(out, 32, "%u:%02u", m, s);
}

/* What stands behind the bar: how far, how fast, how long still. */
static void figures(const cli_progress *progress, const vv_progress *at, uint64_t ms,
                    char *out, size_t cap)
{
    double seconds = (double)(ms ? ms : 1) / 1000;
    double done = (double)(at->bytes_done - progress->first_bytes);
    char left[32] = "";

    if (at->bytes_total) {
        uint64_t rest = at->bytes_total > at->bytes_done
                            ? at->bytes_total - at->bytes_done
                            : 0;
        if (done > 0 && ms > 500)
            time_text((uint64_t)((double)rest * seconds / done + 0.5), left);
        snprintf(out, cap, " %3.0f%%  %s of %s  %s/s%s%s",
                 100 * (double)at->bytes_done / (double)at->bytes_total,
                 cli_bytes_text(at->bytes_done), cli_bytes_text(at->bytes_total),
                 cli_bytes_text((uint64_t)(done / seconds)), *left ? "  left " : "",
                 left);
    } else if (at->items_total) {
        uint64_t rest = at->items_total > at->items_done
                            ? at->items_total - at->items_done
                            : 0;
        if (at->items_done && ms > 500)
            time_text((uint64_t)((double)rest * seconds / (double)at->items_done + 0.5),
                      left);
        snprintf(out, cap, " %3.0f%%  %llu of %llu%s%s",
                 100 * (double)at->items_done / (double)at->items_total,
                 (unsigned long long)at->items_done, (unsigned long long)at->items_total,
                 *left ? "  left " : "", left);
    } else {
        snprintf(out, cap, " %llu  %s  %s/s", (unsigned long long)at->items_done,
                 cli_bytes_text(at->bytes_done),
                 cli_bytes_text((uint64_t)(done / seconds)));
    }
}

static void show(cli_progress *progress, const vv_progress *at)
{
    char text[160], bar[41] = "";
    uint64_t ms = progress_ms(progress);
    double share = at->bytes_total   ? (double)at->bytes_done / (double)at->bytes_total
                   : at->items_total ? (double)at->items_done / (double)at->items_total
                                     : -1;
    int width;

    figures(progress, at, ms, text, sizeof(text));
    width = terminal_columns() - (int)strlen(progress->what) - (int)strlen(text) - 4;
    if (width > 40)
        width = 40;
    if (share >= 0 && width >= 8) {
        int full = (int)(share * width + 0.5);
        for (int i = 0; i < width; i++)
            bar[i] = i < full ? '#' : '-';
        bar[width] = '\0';
    }
    fprintf(stderr, "\r\033[K%s %s%s%s%s", progress->what, *bar ? "[" : "", bar,
            *bar ? "]" : "", text);
    fflush(stderr);
    bar_shown = true;
}

vv_status progress_tick(void *ctx, const vv_progress *at)
{
    cli_progress *progress = ctx;
    uint64_t now = now_ms();

    if (stopped_by)
        return VV_ECANCELED;
    if (!progress->call->quiet && isatty(STDERR_FILENO) &&
        (!progress->shown_ms || now - progress->shown_ms >= 100)) {
        progress->shown_ms = now;
        show(progress, at);
    }
    return VV_OK;
}
