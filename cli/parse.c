#include "call.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_MAX 48

/* What getopt_long takes, made from up to two lists of the table. */
typedef struct getopt_tables {
    const cli_option *options[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 4];
    size_t count;
} getopt_tables;

static void add_options(getopt_tables *tables, const cli_option *list)
{
    for (; list && list->name; list++) {
        assert(tables->count < OPTIONS_MAX);
        tables->longs[tables->count] = (struct option){ list->name,
                                                        list->kind ? required_argument
                                                                   : no_argument,
                                                        NULL, 256 + (int)tables->count };
        tables->options[tables->count++] = list;
        if (list->letter) {
            char text[3] = { list->letter, list->kind ? ':' : '\0', '\0' };
            strcat(tables->letters, text);
        }
    }
}

static const cli_option *option_of(const getopt_tables *tables, int got)
{
    if (got >= 256)
        return tables->options[got - 256];
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->options[i]->letter == got)
            return tables->options[i];
    }
    return NULL;
}

/* "--foo" or "-x": the option getopt stopped at, as it was given. */
static const char *given_option(char **argv, char text[64])
{
    const char *last = argv[optind > 0 ? optind - 1 : 0];

    if (strncmp(last, "--", 2) == 0)
        snprintf(text, 64, "%.*s",
                 (int)(strcspn(last, "=") < 60 ? strcspn(last, "=") : 60), last);
    else if (optopt > 0 && optopt < 256)
        snprintf(text, 64, "-%c", optopt);
    else
        snprintf(text, 64, "%.60s", last);
    return text;
}

static vv_status unknown_option(cli_call *call, const getopt_tables *tables, char **argv)
{
    char text[64];
    const char *given = given_option(argv, text);
    const char *near = NULL;

    if (optopt >= 256)
        return cli_usage(call, "option --%s takes no argument",
                         option_of(tables, optopt)->name);
    if (strncmp(given, "--", 2) == 0)
        near = cli_nearest_option(call->command, given + 2);
    if (near)
        return cli_usage(call, "unknown option %s; did you mean --%s?", given, near);
    return cli_usage(call, "unknown option %s", given);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = choices; *at;) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, text, n) == 0)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static vv_status check_value(cli_call *call, const cli_option *option, const char *text)
{
    if (option->kind == CLI_CHOICE && !is_choice(option->choices, text))
        return cli_usage(call, "--%s %s: must be one of %s", option->name, text,
                         option->choices);
    return VV_OK;
}

/*
 * Read options up to the first operand (in_order), or all of argv with operands in between.
 * argv[0] is skipped; on success optind is the first operand.
 */
static vv_status read_options(cli_call *call, const cli_option *own, bool in_order,
                              int argc, char **argv)
{
    getopt_tables tables = { .letters = "" };
    int got;

    /* '+': stop at the first operand; ':': tell a missing argument apart. */
    strcpy(tables.letters, in_order ? "+:" : ":");
    add_options(&tables, own);
    add_options(&tables, cli_global_options);
    opterr = 0;
    optind = 0; /* begin anew, also within a word of short options */
    while ((got = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        char text[64];
        if (got == ':')
            return cli_usage(call, "option %s needs an argument",
                             given_option(argv, text));
        const cli_option *option = got == '?' ? NULL : option_of(&tables, got);
        if (!option)
            return unknown_option(call, &tables, argv);
        vv_status status = check_value(call, option, optarg);
        if (status)
            return status;
        if (option->kind && !option->repeats && cli_text(call, option->name))
            return cli_usage(call, "--%s is given twice", option->name);
        size_t cap = call->value_count;
        call->values = cli_grow(call->values, &cap, call->value_count + 1,
                                sizeof(*call->values));
        call->values[call->value_count++] = (cli_value){ option,
                                                         option->kind ? optarg : NULL };
    }
    return VV_OK;
}

/* Find the command that argv begins with; *words of it. */
static vv_status find_command(cli_call *call, int argc, char **argv, int *words)
{
    char name[64];

    *words = 1;
    if (cli_is_family(argv[0])) {
        const char *second = argc > 1 ? argv[1] : "";
        if (*second == '-' &&
            (strcmp(second, "--help") == 0 || strcmp(second, "-h") == 0)) {
            call->command = cli_find_command("help");
            return VV_OK;
        }
        snprintf(name, sizeof(name), "%s %s", argv[0], second);
        call->command = cli_find_command(name);
        *words = 2;
        if (!call->command && !*second)
            return cli_usage(call, "%s needs a second word; see 'varvite help %s'",
                             argv[0], argv[0]);
    } else {
        snprintf(name, sizeof(name), "%s", argv[0]);
        call->command = cli_find_command(name);
    }
    if (call->command)
        return VV_OK;
    const char *near = cli_nearest_command(name);
    if (near)
        return cli_usage(call, "unknown command '%s'; did you mean '%s'?", name, near);
    return cli_usage(call, "unknown command '%s'", name);
}

static vv_status check_operands(cli_call *call)
{
    size_t least = 0, most = 0;
    const cli_operand *last = NULL, *needed = NULL;

    for (const cli_operand *at = call->command->operands; at->name; at++) {
        if (!at->optional && ++least > call->arg_count && !needed)
            needed = at;
        most = at->repeats ? SIZE_MAX : most + 1;
        last = at;
    }
    if (needed)
        return cli_usage(call, "%s is missing", needed->name);
    if (call->arg_count > most)
        return cli_usage(call, "unexpected argument '%s'", call->args[most]);
    if (last && last->kind == CLI_CHOICE && call->arg_count &&
        !is_choice(last->choices, call->args[call->arg_count - 1]))
        return cli_usage(call, "'%s': must be one of %s", call->args[call->arg_count - 1],
                         last->choices);
    return VV_OK;
}

static void apply_globals(cli_call *call)
{
    const char *color = cli_text(call, "color");
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool wanted = !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);

    call->color_out = wanted && isatty(STDOUT_FILENO);
    call->color_err = wanted && isatty(STDERR_FILENO);
    if (color && strcmp(color, "auto") != 0)
        call->color_out = call->color_err = strcmp(color, "always") == 0;
    call->quiet = cli_has(call, "quiet");
}

vv_status cli_parse(cli_call *call, int argc, char **argv)
{
    int words;

    vv_status status = read_options(call, cli_top_options, true, argc, argv);
    apply_globals(call);
    if (status)
        return status;
    if (optind >= argc) {
        bool version = cli_has(call, "version"), help = cli_has(call, "help");
        if (version)
            call->command = cli_find_command("version");
        return version || help ? VV_OK : cli_usage(call, "a command is missing");
    }
    argc -= optind;
    argv += optind;
    status = find_command(call, argc, argv, &words);
    if (status)
        return status;
    if (strcmp(call->command->name, "help") == 0 && strcmp(argv[0], "help") != 0) {
        call->args = argv; /* "block --help" */
        call->arg_count = 1;
        return VV_OK;
    }
    /* The last word of the command stands where getopt expects the program's name. */
    argc -= words - 1;
    argv += words - 1;
    status = read_options(call, call->command->options, false, argc, argv);
    apply_globals(call);
    if (status)
        return status;
    call->args = argv + optind;
    call->arg_count = (size_t)(argc - optind);
    for (size_t i = 0; i < call->value_count; i++)
        call->json = call->json || strcmp(call->values[i].option->name, "json") == 0;
    return cli_has(call, "help") ? VV_OK : check_operands(call);
}

void cli_call_clear(cli_call *call)
{
    free(call->values);
    call->values = NULL;
}

/* ---- what was given ------------------------------------------------------------------ */

static const cli_value *find_value(const cli_call *call, const char *option)
{
    for (size_t i = call->value_count; i-- > 0;) {
        if (strcmp(call->values[i].option->name, option) == 0)
            return &call->values[i];
    }
    return NULL;
}

bool cli_has(const cli_call *call, const char *option)
{
    return find_value(call, option) != NULL;
}

const char *cli_text(const cli_call *call, const char *option)
{
    const cli_value *value = find_value(call, option);

    return value ? value->text : NULL;
}

const char **cli_texts(const cli_call *call, const char *option, size_t *n)
{
    const char **texts = cli_alloc(call->value_count * sizeof(*texts));

    *n = 0;
    for (size_t i = 0; i < call->value_count; i++) {
        if (strcmp(call->values[i].option->name, option) == 0)
            texts[(*n)++] = call->values[i].text;
    }
    return texts;
}

vv_status cli_number(cli_call *call, const char *option, uint64_t otherwise, uint64_t max,
                     uint64_t *out)
{
    const char *text = cli_text(call, option);
    char *end;

    *out = otherwise;
    if (!text)
        return VV_OK;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value > max)
        return cli_usage(call, "--%s %s: must be a whole number from 0 to %llu", option,
                         text, (unsigned long long)max);
    *out = value;
    return VV_OK;
}

vv_status cli_real(cli_call *call, const char *option, double otherwise, double *out)
{
    const char *text = cli_text(call, option);
    char *end;

    *out = otherwise;
    if (!text)
        return VV_OK;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0) || value > 1e15)
        return cli_usage(call, "--%s %s: must be a number above 0", option, text);
    *out = value;
    return VV_OK;
}

vv_status cli_size(cli_call *call, const char *option, uint64_t otherwise, uint64_t *out)
{
    static const char units[] = "KMGT";
    const char *text = cli_text(call, option);
    char *end;

    *out = otherwise;
    if (!text)
        return VV_OK;
    double value = strtod(text, &end);
    if (end != text && *end) {
        const char *unit = strchr(units, *end & ~0x20);
        for (const char *at = units; unit && at <= unit; at++)
            value *= 1024;
        if (unit && (strcmp(end + 1, "iB") == 0 || strcmp(end + 1, "B") == 0))
            end += 1 + strlen(end + 1);
        else if (unit)
            end++;
    }
    if (end == text || *end || !(value >= 1) || value > 1e18)
        return cli_usage(call, "--%s %s: must be a size, as in 64M or 2GiB", option,
                         text);
    *out = (uint64_t)value;
    return VV_OK;
}

vv_status cli_hash_option(cli_call *call, uint32_t *hash)
{
    const char *name = cli_text(call, "hash");

    *hash = VV_HASH_BLAKE3;
    if (name && !vv_hash_by_name(name, hash))
        return cli_usage(call, "--hash %s: this build does not know it", name);
    return VV_OK;
}

vv_status cli_codec_option(cli_call *call, uint32_t *codec)
{
    const char *name = cli_text(call, "codec");

    *codec = VV_CODEC_RAW;
    if (name && !vv_codec_by_name(name, codec))
        return cli_usage(call, "--codec %s: this build does not know it", name);
    return VV_OK;
}

char cli_base_option(const cli_call *call, char otherwise)
{
    const char *name = cli_text(call, "base");

    return name ? vv_multibase_by_name(name) : otherwise;
}

vv_status cli_cid(cli_call *call, const char *text, vv_cid *out)
{
    return vv_cid_parse(text, out, &call->err);
}
