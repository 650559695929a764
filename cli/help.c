/* Help for people: a command's options, or the list of commands. */
#include "out.h"

#include <stdio.h>
#include <string.h>

#define HELP_WIDTH 78

/* Text in lines of at most HELP_WIDTH, each led by indent blanks; *column is where we are. */
static void wrapped(const char *text, size_t indent, size_t column)
{
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (column > indent && column + 1 + word > HELP_WIDTH) {
            out_text("\n");
            column = 0;
        }
        if (column < indent) {
            out_format("%*s", (int)(indent - column), "");
            column = indent;
        } else if (column > indent) {
            out_text(" ");
            column++;
        }
        out_bytes((vv_bytes){ (const uint8_t *)text, word });
        column += word;
        text += word;
        if (text[0] == '\n' && text[1] == '\n') {
            out_text("\n\n");
            column = 0;
        }
        text += strspn(text, " \n");
    }
    out_text("\n");
}

static void heading(const cli_call *call, const char *text)
{
    out_format("\n%s%s%s\n", cli_color(call->color_out, "bold"), text,
               cli_color(call->color_out, "off"));
}

static void option_help(const cli_option *option)
{
    char left[80];
    const char *arg = option->kind == CLI_CHOICE && strlen(option->choices) < 24
                          ? option->choices
                          : option->arg;
    int n = option->letter ? snprintf(left, sizeof(left), "  -%c, --%s", option->letter,
                                      option->name)
                           : snprintf(left, sizeof(left), "      --%s", option->name);

    if (option->kind)
        n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", arg);
    out_text(left);
    if (n > 26) {
        out_text("\n");
        n = 0;
    }
    wrapped(option->help, 28, (size_t)n);
    if (option->kind == CLI_CHOICE && arg != option->choices) {
        char choices[200] = "one of ";
        size_t len = strlen(choices);
        for (const char *at = option->choices; *at && len + 3 < sizeof(choices); at++) {
            if (*at == '|')
                choices[len++] = ',';
            choices[len++] = *at == '|' ? ' ' : *at;
        }
        choices[len] = '\0';
        wrapped(choices, 28, 0);
    }
}

static void options_help(const cli_call *call, const char *title, const cli_option *list)
{
    if (!list || !list->name)
        return;
    heading(call, title);
    for (; list->name; list++)
        option_help(list);
}

static void examples_help(const cli_call *call, const char *lines)
{
    if (!lines)
        return;
    heading(call, "Examples");
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        out_format("  %.*s\n", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static vv_status command_help(const cli_call *call, const cli_command *command)
{
    char operands[CLI_SYNOPSIS_MAX];

    cli_operand_synopsis(command, operands);
    out_format("usage: varvite %s [options]%s%s\n\n", command->name, *operands ? " " : "",
               operands);
    wrapped(command->text, 0, 0);
    options_help(call, "Options", command->options);
    options_help(call, "Options of every command", cli_global_options);
    examples_help(call, command->examples);
    return VV_OK;
}

static void command_line(const cli_command *command)
{
    int n = (int)strlen(command->name) + 2;

    out_format("  %s", command->name);
    wrapped(command->brief, 16, (size_t)n);
}

/* The commands of a family ("block"), or all for NULL. */
static vv_status commands_help(const cli_call *call, const char *family)
{
    out_format("usage: varvite [options] %s [options] [arguments]\n",
               family ? family : "COMMAND");
    if (!family) {
        out_text("\n");
        wrapped(cli_about, 0, 0);
    }
    heading(call, "Commands");
    for (const cli_command *at = cli_commands; at->name; at++) {
        size_t len = family ? strlen(family) : 0;
        if (!family || (strncmp(at->name, family, len) == 0 && at->name[len] == ' '))
            command_line(at);
    }
    if (!family)
        options_help(call, "Options", cli_top_options);
    options_help(call, "Options of every command", cli_global_options);
    if (!family) {
        heading(call, "Exit status");
        for (const cli_exit_code *at = cli_exit_codes; at->meaning; at++) {
            out_format("  %d", at->code);
            wrapped(at->meaning, 6, at->code < 10 ? 3 : 5);
        }
    }
    out_text("\n'varvite help COMMAND' tells more; so do the manual pages.\n");
    return VV_OK;
}

vv_status cli_help_for(const cli_call *call, const cli_command *command)
{
    return command ? command_help(call, command) : commands_help(call, NULL);
}

vv_status cmd_help(cli_call *call)
{
    char name[64];

    if (call->arg_count == 0)
        return commands_help(call, NULL);
    if (call->arg_count > 2)
        return cli_usage(call, "unexpected argument '%s'", call->args[2]);
    if (call->arg_count == 1 && cli_is_family(call->args[0]))
        return commands_help(call, call->args[0]);
    snprintf(name, sizeof(name), "%s%s%s", call->args[0], call->arg_count > 1 ? " " : "",
             call->arg_count > 1 ? call->args[1] : "");
    const cli_command *command = cli_find_command(name);
    if (command)
        return command_help(call, command);
    const char *near = cli_nearest_command(name);
    if (near)
        return cli_usage(call, "no command '%s'; did you mean '%s'?", name, near);
    return cli_usage(call, "no command '%s'", name);
}
