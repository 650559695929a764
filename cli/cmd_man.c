/* The manual pages, in mdoc, made from the table. */
#include "out.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Pages do not change between builds of one version. */
#define PAGE_DATE "November 21, 2026"

/* Text as roff: no request at the start of a line, no escape; a sentence ends its line. */
static void roff_text(FILE *page, const char *text)
{
    bool line_start = true;

    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            fputs("\\&", page);
        line_start = false;
        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.Pp\n", page);
            text++;
            line_start = true;
        } else if (text[0] == '.' && text[1] == ' ' && text[2] != '.' &&
                   !(text[-1] == '.' && text[-2] == '.')) {
            fputs(".\n", page);
            text++;
            line_start = true;
        } else if (*text == '\\') {
            fputs("\\e", page);
        } else if (text[0] == '-' && text[1] == '-') {
            fputs("\\-\\-", page);
            text++;
        } else {
            fputc(*text, page);
        }
    }
    fputc('\n', page);
}

/* The same as a sentence of its own. */
static void roff_sentence(FILE *page, const char *text)
{
    char *sentence = cli_alloc(strlen(text) + 2);

    sprintf(sentence, "%s.", text);
    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    roff_text(page, sentence);
    free(sentence);
}

static void page_name(const char *command, char out[80])
{
    snprintf(out, 80, "varvite%s%s", command ? "-" : "", command ? command : "");
    for (char *at = out; *at; at++)
        *at = *at == ' ' ? '-' : *at;
}

static void option_items(FILE *page, const cli_option *list, const char *command_since)
{
    for (; list && list->name; list++) {
        fputs(".It ", page);
        if (list->letter)
            fprintf(page, "Fl %c , ", list->letter);
        fprintf(page, "Fl \\-%s", list->name);
        if (list->kind)
            fprintf(page, " Ar %s", list->arg);
        fputc('\n', page);
        roff_sentence(page, list->help);
        if (list->kind == CLI_CHOICE) {
            fputs("One of\n", page);
            for (const char *at = list->choices; *at;) {
                size_t n = strcspn(at, "|");
                fprintf(page, ".Cm %.*s%s\n", (int)n, at, at[n] ? " ," : " .");
                at += n + (at[n] == '|');
            }
        }
        if (list->repeats)
            fputs("May be given more than once.\n", page);
        if (command_since && strcmp(list->since, command_since) != 0)
            fprintf(page, "Since version %s.\n", list->since);
    }
}

static void options_section(FILE *page, const cli_command *command)
{
    fputs(".Sh OPTIONS\n", page);
    fputs(".Bl -tag -width Ds\n", page);
    option_items(page, command ? command->options : cli_top_options,
                 command ? command->since : NULL);
    option_items(page, cli_global_options, NULL);
    fputs(".El\n", page);
}

static void environment_section(FILE *page)
{
    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", page);
    for (const char *const *at = cli_environment; *at; at += 2) {
        fprintf(page, ".It Ev %s\n", at[0]);
        roff_sentence(page, at[1]);
    }
    fputs(".El\n", page);
}

static void exit_section(FILE *page)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", page);
    for (const cli_exit_code *at = cli_exit_codes; at->meaning; at++) {
        fprintf(page, ".It %d\n", at->code);
        roff_sentence(page, at->meaning);
    }
    fputs(".El\n", page);
}

static void examples_section(FILE *page, const char *lines)
{
    if (!lines)
        return;
    fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\n", page);
    for (const char *at = lines; *at; at++) {
        if (*at == '\\')
            fputs("\\e", page);
        else if (*at == '\'')
            fputs("\\(aq", page);
        else if (*at == '-')
            fputs("\\-", page);
        else
            fputc(*at, page);
    }
    fputs("\n.Ed\n", page);
}

static void head(FILE *page, const char *title, const char *brief)
{
    char upper[80];
    size_t i;

    for (i = 0; title[i] && i + 1 < sizeof(upper); i++)
        upper[i] = (char)toupper((unsigned char)title[i]);
    upper[i] = '\0';
    fprintf(page, ".\\\" Made from the table of commands by varvite man.\n");
    fprintf(page, ".Dd %s\n.Dt %s 1\n.Os varvite %s\n", PAGE_DATE, upper, vv_version());
    fprintf(page, ".Sh NAME\n.Nm %s\n.Nd %s\n", title, brief);
}

static void operand_macros(FILE *page, const cli_command *command)
{
    for (const cli_operand *at = command->operands; at->name; at++) {
        fputs(at->optional ? ".Op " : ".", page);
        if (at->kind == CLI_CHOICE)
            fprintf(page, "Cm %s\n", at->choices);
        else
            fprintf(page, "Ar %s%s\n", at->name, at->repeats ? " ..." : "");
    }
}

static void command_page(FILE *page, const cli_command *command)
{
    char title[80];

    page_name(command->name, title);
    head(page, title, command->brief);
    fprintf(page, ".Sh SYNOPSIS\n.Nm varvite\n.Cm %s\n.Op Ar options\n", command->name);
    operand_macros(page, command);
    fputs(".Sh DESCRIPTION\n", page);
    roff_text(page, command->text);
    options_section(page, command);
    environment_section(page);
    exit_section(page);
    examples_section(page, command->examples);
    fputs(".Sh SEE ALSO\n.Xr varvite 1\n", page);
    fprintf(page, ".Sh HISTORY\nThis command came with varvite %s.\n", command->since);
}

static void top_page(FILE *page)
{
    head(page, "varvite", "arrays as blocks that are named by their hash");
    fputs(".Sh SYNOPSIS\n.Nm varvite\n.Op Ar options\n.Ar command\n.Op Ar options\n"
          ".Op Ar arguments\n.Sh DESCRIPTION\n",
          page);
    roff_text(page, cli_about);
    fputs(".Pp\nThe commands are:\n.Bl -tag -width Ds\n", page);
    for (const cli_command *at = cli_commands; at->name; at++) {
        char title[80];
        page_name(at->name, title);
        fprintf(page, ".It Xr %s 1\n", title);
        roff_sentence(page, at->brief);
    }
    fputs(".El\n", page);
    options_section(page, NULL);
    environment_section(page);
    exit_section(page);
    examples_section(page, "varvite init\nroot=$(varvite import ocean.nc)\n"
                           "varvite tree $root\nvarvite slice $root 'TEMP[0,0,:10,:10]'\n"
                           "varvite verify $root\nvarvite car export -o ocean.car $root");
}

static vv_status write_page(cli_call *call, const char *directory,
                            const cli_command *command)
{
    char title[80];
    size_t cap = strlen(directory) + sizeof(title) + 8;
    char *path = cli_alloc(cap);
    vv_status status = VV_OK;

    page_name(command ? command->name : NULL, title);
    snprintf(path, cap, "%s/%s.1", directory, title);
    FILE *page = fopen(path, "w");
    if (page) {
        if (command)
            command_page(page, command);
        else
            top_page(page);
    }
    if (!page || (ferror(page) | fclose(page)) != 0) {
        status = cli_fail_errno(call, "%s", path);
        status = call->err.status = status == VV_ENOTFOUND ? VV_EIO : status;
    }
    free(path);
    return status;
}

vv_status cmd_man(cli_call *call)
{
    const char *directory = call->args[0];
    vv_status status;

    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        cli_fail_errno(call, "%s", directory);
        return call->err.status = VV_EIO;
    }
    status = write_page(call, directory, NULL);
    for (const cli_command *at = cli_commands; at->name && !status; at++)
        status = write_page(call, directory, at);
    return status;
}
