#include "call.h"

#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status fail_v(cli_call *call, vv_status status, const char *format,
                        va_list args)
{
    call->err.status = status;
    vsnprintf(call->err.message, sizeof(call->err.message), format, args);
    return status;
}

vv_status cli_fail(cli_call *call, vv_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_v(call, status, format, args);
    va_end(args);
    return status;
}

vv_status cli_usage(cli_call *call, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_v(call, VV_EINVAL, format, args);
    va_end(args);
    call->usage = true;
    return VV_EINVAL;
}

vv_status cli_wrap(cli_call *call, vv_status status, const char *format, ...)
{
    vv_error inner = call->err;
    va_list args;

    va_start(args, format);
    fail_v(call, status, format, args);
    va_end(args);
    size_t len = strlen(call->err.message);
    snprintf(call->err.message + len, sizeof(call->err.message) - len, ": %s",
             inner.message);
    return status;
}

vv_status cli_fail_errno(cli_call *call, const char *format, ...)
{
    int number = errno;
    va_list args;

    va_start(args, format);
    fail_v(call, number == ENOENT ? VV_ENOTFOUND : VV_EIO, format, args);
    va_end(args);
    size_t len = strlen(call->err.message);
    snprintf(call->err.message + len, sizeof(call->err.message) - len, ": %s",
             strerror(number));
    return call->err.status;
}

/* A line for people; control characters of names in it are shown, not obeyed. */
static void say(const char *text)
{
    progress_hide();
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f)
            fprintf(stderr, "\\x%02x", *at);
        else
            fputc(*at, stderr);
    }
    fputc('\n', stderr);
}

void cli_talk(cli_call *call, const char *format, ...)
{
    char line[2 * VV_ERROR_MESSAGE_SIZE];
    va_list args;

    if (call->quiet)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    say(line);
}

void cli_complain(const cli_call *call, const char *format, ...)
{
    char line[2 * VV_ERROR_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    progress_hide();
    fflush(
        stdout); /* the message comes behind what led to it where both go to one place */
    fprintf(stderr, "%svarvite%s%s:%s ", cli_color(call->color_err, "red"),
            call->command ? " " : "", call->command ? call->command->name : "",
            cli_color(call->color_err, "off"));
    say(line);
}

int cli_exit_code_of(vv_status status)
{
    switch (status) {
    case VV_OK:
        return 0;
    case VV_ENOTFOUND:
        return 1;
    case VV_EINVAL:
    case VV_ERANGE:
    case VV_EEXISTS:
        return 2;
    case VV_ECORRUPT:
    case VV_EUNSUPPORTED:
        return 3;
    case VV_EREADONLY:
    case VV_EIO:
    case VV_ETIMEDOUT:
    case VV_EAUTH:
    case VV_ENOMEM:
    case VV_ELIMIT:
    case VV_EBUSY:
    case VV_ECANCELED:
        break;
    }
    return 4;
}

static char *static_text(void)
{
    static char texts[8][64];
    static unsigned next;

    return texts[next++ % 8];
}

const char *cli_bytes_text(uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    char *text = static_text();
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(text, 64, "%u B", (unsigned)bytes);
        return text;
    }
    for (value /= 1024; value >= 1023.95 && unit < 5; unit++)
        value /= 1024;
    snprintf(text, 64, "%.1f %s", value, units[unit]);
    return text;
}

const char *cli_count_text(uint64_t n, const char *thing)
{
    char *text = static_text();

    snprintf(text, 64, "%llu %s%s", (unsigned long long)n, thing, n == 1 ? "" : "s");
    return text;
}

static void out_of_memory(void)
{
    fputs("varvite: out of memory\n", stderr);
    exit(4);
}

void *cli_alloc(size_t size)
{
    void *ptr = calloc(1, size ? size : 1);

    if (!ptr)
        out_of_memory();
    return ptr;
}

void *cli_grow(void *ptr, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return ptr;
    size_t to = *cap ? *cap + *cap / 2 : 8;
    if (to < want)
        to = want;
    if (to > SIZE_MAX / size)
        out_of_memory();
    void *bigger = realloc(ptr, to * size);
    if (!bigger)
        out_of_memory();
    *cap = to;
    return bigger;
}

char *cli_strdup(const char *text)
{
    size_t len = strlen(text) + 1;

    return memcpy(cli_alloc(len), text, len);
}

const char *cli_color(bool on, const char *name)
{
    static const char *const colors[][2] = {
        { "off", "\033[0m" },     { "bold", "\033[1m" },   { "dim", "\033[2m" },
        { "red", "\033[1;31m" },  { "green", "\033[32m" }, { "yellow", "\033[33m" },
        { "blue", "\033[1;34m" }, { "cyan", "\033[36m" },
    };

    for (size_t i = 0; on && i < sizeof(colors) / sizeof(*colors); i++) {
        if (strcmp(colors[i][0], name) == 0)
            return colors[i][1];
    }
    return "";
}

vv_status cli_absent(cli_call *call, const char *room)
{
    return cli_fail(call, VV_EUNSUPPORTED, "this build was made without the part '%s'",
                    room);
}
