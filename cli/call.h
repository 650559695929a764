/*
 * One invocation of a command: its arguments, its error, and how it talks.
 *
 * A command returns a status; main() prints call->err and makes an exit code of it. Allocation
 * failures in the command's own code end the process with a message (cli_alloc), those of the
 * library come back as a status.
 */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include "table.h"

#include <varvite/base.h>
#include <varvite/cid.h>

#define CLI_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))

typedef struct cli_value {
    const cli_option *option;
    const char *text; /* NULL for a flag */
} cli_value;

struct cli_call {
    const cli_command *command; /* NULL until it is known */
    cli_value *values;          /* options in the order given */
    size_t value_count;
    char **args; /* operands */
    size_t arg_count;
    bool quiet;
    bool json;
    bool color_out, color_err;
    bool reported; /* the outcome is on standard output already: print no message */
    bool usage;    /* err is about the arguments: point to --help */
    vv_error err;
};

/* ---- parsing (parse.c) ------------------------------------------------------------- */

/* Fill call from the arguments of the process. VV_EINVAL: err says which argument is wrong. */
vv_status cli_parse(cli_call *call, int argc, char **argv);
void cli_call_clear(cli_call *call);
/* --help of a command, NULL for all (help.c). */
vv_status cli_help_for(const cli_call *call, const cli_command *command);

/* The option must be in the command's table. The last one given counts. */
bool cli_has(const cli_call *call, const char *option);
const char *cli_text(const cli_call *call, const char *option); /* NULL: not given */
/* Every value given, in order; *n of them, to be freed. */
const char **cli_texts(const cli_call *call, const char *option, size_t *n);
/* VV_EINVAL when it is no whole number or above max; otherwise where it is not given. */
vv_status cli_number(cli_call *call, const char *option, uint64_t otherwise, uint64_t max,
                     uint64_t *out);
vv_status cli_real(cli_call *call, const char *option, double otherwise, double *out);
/* Bytes: "1000", "64K", "256M", "2G", "1.5GiB". */
vv_status cli_size(cli_call *call, const char *option, uint64_t otherwise, uint64_t *out);
vv_status cli_hash_option(cli_call *call, uint32_t *hash);
vv_status cli_codec_option(cli_call *call, uint32_t *codec);
/* The multibase prefix of --base, or otherwise. */
char cli_base_option(const cli_call *call, char otherwise);
/* CID text of the command line. */
vv_status cli_cid(cli_call *call, const char *text, vv_cid *out);

/* ---- failing and talking (talk.c) ---------------------------------------------------- */

vv_status cli_fail(cli_call *call, vv_status status, const char *format, ...)
    CLI_PRINTF(3, 4);
/* Put "context: " in front of the message in call->err. */
vv_status cli_wrap(cli_call *call, vv_status status, const char *format, ...)
    CLI_PRINTF(3, 4);
/* VV_EINVAL, and main() points to --help. */
vv_status cli_usage(cli_call *call, const char *format, ...) CLI_PRINTF(2, 3);
/* "open x: No such file or directory" for errno. */
vv_status cli_fail_errno(cli_call *call, const char *format, ...) CLI_PRINTF(2, 3);

/* A line on standard error; not with --quiet. */
void cli_talk(cli_call *call, const char *format, ...) CLI_PRINTF(2, 3);
/* A line on standard error, "varvite import: …". */
void cli_complain(const cli_call *call, const char *format, ...) CLI_PRINTF(2, 3);
/* A command of a room that this build lacks. */
vv_status cli_absent(cli_call *call, const char *room);
int cli_exit_code_of(vv_status status);

/* "12.3 MiB", "1 block", "3 blocks": one of a few static buffers. */
const char *cli_bytes_text(uint64_t bytes);
const char *cli_count_text(uint64_t n, const char *thing);

/* ---- small things -------------------------------------------------------------------- */

void *cli_alloc(size_t size);
void *cli_grow(void *ptr, size_t *cap, size_t want, size_t size);
char *cli_strdup(const char *text);
/* Text in brackets is a color of the table in talk.c; "" where colours are off. */
const char *cli_color(bool on, const char *name);

#endif
