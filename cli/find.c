#include "table.h"

#include <stdio.h>
#include <string.h>

const cli_command *cli_find_command(const char *name)
{
    for (const cli_command *at = cli_commands; at->name; at++) {
        if (strcmp(at->name, name) == 0)
            return at;
    }
    return NULL;
}

bool cli_is_family(const char *name)
{
    size_t len = strlen(name);

    for (const cli_command *at = cli_commands; at->name; at++) {
        if (strncmp(at->name, name, len) == 0 && at->name[len] == ' ')
            return true;
    }
    return false;
}

#define SPELLING_MAX 31

/* Edits (insert, delete, replace) that make a of b; SPELLING_MAX for long ones. */
static size_t edits_between(const char *a, const char *b)
{
    size_t row[SPELLING_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > SPELLING_MAX || lb > SPELLING_MAX)
        return SPELLING_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

/* Keep candidate if it is nearer to name than *nearest at *distance. */
static void consider(const char *name, const char *candidate, const char **nearest,
                     size_t *distance)
{
    size_t edits = edits_between(name, candidate);

    if (edits < *distance && edits <= 1 + strlen(candidate) / 4) {
        *nearest = candidate;
        *distance = edits;
    }
}

const char *cli_nearest_command(const char *name)
{
    const char *nearest = NULL;
    size_t distance = SPELLING_MAX;

    for (const cli_command *at = cli_commands; at->name; at++)
        consider(name, at->name, &nearest, &distance);
    return nearest;
}

const char *cli_nearest_option(const cli_command *command, const char *name)
{
    const cli_option *lists[] = { command ? command->options : cli_top_options,
                                  cli_global_options };
    const char *nearest = NULL;
    size_t distance = SPELLING_MAX;

    for (size_t i = 0; i < 2; i++) {
        for (const cli_option *at = lists[i]; at && at->name; at++)
            consider(name, at->name, &nearest, &distance);
    }
    return nearest;
}

void cli_operand_synopsis(const cli_command *command, char out[CLI_SYNOPSIS_MAX])
{
    size_t len = 0;

    out[0] = '\0';
    for (const cli_operand *at = command->operands; at->name; at++) {
        const char *name = at->kind == CLI_CHOICE ? at->choices : at->name;
        len += (size_t)snprintf(out + len, CLI_SYNOPSIS_MAX - len, "%s%s%s%s%s",
                                len ? " " : "", at->optional ? "[" : "", name,
                                at->repeats ? " ..." : "", at->optional ? "]" : "");
    }
}
