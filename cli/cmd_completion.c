/* Completion scripts of bash, zsh and fish, made from the table. */
#include "out.h"

#include <string.h>

/* Text between single quotes of a shell. */
static void quoted(const char *text, const char *quote)
{
    out_text("'");
    for (; *text; text++) {
        if (*text == '\'')
            out_text(quote);
        else
            out_format("%c", *text);
    }
    out_text("'");
}

static void choices(const char *text, char between)
{
    for (; *text; text++)
        out_format("%c", *text == '|' ? between : *text);
}

/* The first words of all commands, each once. */
static void first_words(const char *between)
{
    for (const cli_command *at = cli_commands; at->name; at++) {
        int n = (int)strcspn(at->name, " ");
        bool repeated = at > cli_commands &&
                        strncmp(at[-1].name, at->name, (size_t)n) == 0 &&
                        at[-1].name[n] == ' ' && at->name[n] == ' ';
        if (!repeated)
            out_format("%s%.*s", at == cli_commands ? "" : between, n, at->name);
    }
}

static void second_words(const char *family)
{
    size_t len = strlen(family);
    const char *between = "";

    for (const cli_command *at = cli_commands; at->name; at++) {
        if (strncmp(at->name, family, len) == 0 && at->name[len] == ' ') {
            out_format("%s%s", between, at->name + len + 1);
            between = " ";
        }
    }
}

/* Calls visit for the first word of each family of two-word commands. */
static void each_family(void (*visit)(const char *family))
{
    char last[32] = "";

    for (const cli_command *at = cli_commands; at->name; at++) {
        size_t n = strcspn(at->name, " ");
        if (!at->name[n] || n >= sizeof(last) ||
            (strncmp(last, at->name, n) == 0 && !last[n]))
            continue;
        memcpy(last, at->name, n);
        last[n] = '\0';
        visit(last);
    }
}

static cli_kind operand_kind(const cli_command *command)
{
    for (const cli_operand *at = command->operands; at->name; at++) {
        if (at->kind == CLI_FILE || at->kind == CLI_DIRECTORY || at->kind == CLI_CHOICE ||
            at->kind == CLI_COMMAND)
            return at->kind;
    }
    return CLI_NONE;
}

/* ---- bash ------------------------------------------------------------------------------ */

static void bash_values(const cli_option *list)
{
    for (; list && list->name; list++) {
        if (!list->kind)
            continue;
        out_format("        --%s", list->name);
        if (list->letter)
            out_format("|-%c", list->letter);
        out_text(") ");
        if (list->kind == CLI_CHOICE) {
            out_text("COMPREPLY=($(compgen -W '");
            choices(list->choices, ' ');
            out_text("' -- \"$cur\"))");
        } else if (list->kind == CLI_FILE) {
            out_text("compopt -o default 2>/dev/null");
        } else if (list->kind == CLI_DIRECTORY) {
            out_text(
                "compopt -o default 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\"))");
        } else {
            out_text(":");
        }
        out_text("; return ;;\n");
    }
}

static void bash_option_words(const cli_option *list)
{
    for (; list && list->name; list++)
        out_format(" --%s", list->name);
}

static void bash_command(const cli_command *command)
{
    out_format("    '%s')\n        case $prev in\n", command->name);
    bash_values(command->options);
    bash_values(cli_global_options);
    out_text("        esac\n        options='");
    bash_option_words(command->options);
    bash_option_words(cli_global_options);
    out_text("'\n");
    switch (operand_kind(command)) {
    case CLI_CHOICE:
        out_text("        words='");
        choices(command->operands[0].choices, ' ');
        out_text("'\n");
        break;
    case CLI_COMMAND:
        out_text("        words='");
        first_words(" ");
        out_text("'\n");
        break;
    case CLI_FILE:
        out_text("        files=-f\n");
        break;
    case CLI_DIRECTORY:
        out_text("        files=-d\n");
        break;
    case CLI_NONE:
    case CLI_TEXT:
    case CLI_NUMBER:
    case CLI_CID:
    case CLI_KEY:
        break;
    }
    out_text("        ;;\n");
}

static void bash_family(const char *family)
{
    out_format("    '%s') words='", family);
    second_words(family);
    out_text("' ;;\n");
}

static void bash_family_pattern(const char *family)
{
    const cli_command *first = cli_commands;
    size_t n = strlen(family);

    while (!strchr(first->name, ' '))
        first++;
    bool is_first = strncmp(first->name, family, n) == 0 && first->name[n] == ' ';
    out_format("%s%s", is_first ? "" : "|", family);
}

static void bash_script(void)
{
    out_text("# Completion of varvite for bash, made by 'varvite completion bash'.\n"
             "_varvite() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
             "    local command= options= words= files= i\n"
             "    COMPREPLY=()\n"
             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "        case ${COMP_WORDS[i]} in\n"
             "        --store|-s|--color) ((i++)) ;;\n"
             "        -*) ;;\n"
             "        *) if [ -z \"$command\" ]; then\n"
             "               command=${COMP_WORDS[i]}\n"
             "               case $command in ");
    each_family(bash_family_pattern);
    out_text(") ;; *) break ;; esac\n"
             "           else\n"
             "               command=\"$command ${COMP_WORDS[i]}\"; break\n"
             "           fi ;;\n"
             "        esac\n"
             "    done\n"
             "    case $command in\n"
             "    '')\n        case $prev in\n");
    bash_values(cli_global_options);
    out_text("        esac\n        words='");
    first_words(" ");
    out_text("'\n        options='");
    bash_option_words(cli_top_options);
    bash_option_words(cli_global_options);
    out_text("' ;;\n");
    each_family(bash_family);
    for (const cli_command *at = cli_commands; at->name; at++)
        bash_command(at);
    out_text("    esac\n"
             "    if [[ $cur == -* ]]; then\n"
             "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
             "    elif [ -n \"$words\" ]; then\n"
             "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
             "    elif [ -n \"$files\" ]; then\n"
             "        compopt -o filenames 2>/dev/null\n"
             "        COMPREPLY=($(compgen $files -- \"$cur\"))\n"
             "    fi\n"
             "}\n"
             "complete -F _varvite varvite\n");
}

/* ---- zsh ------------------------------------------------------------------------------- */

/* Help within an _arguments specification: no brackets, no colons. */
static void zsh_help(const char *help)
{
    for (; *help && !(help[0] == '.' && help[1] == ' ') && *help != ';'; help++) {
        if (*help == '\'')
            out_text("'\\''");
        else if (*help == '[' || *help == ']' || *help == ':')
            out_format("\\%c", *help);
        else
            out_format("%c", *help);
    }
}

static void zsh_action(cli_kind kind, const char *list)
{
    if (kind == CLI_FILE) {
        out_text("_files");
    } else if (kind == CLI_DIRECTORY) {
        out_text("_files -/");
    } else if (kind == CLI_CHOICE) {
        out_text("(");
        choices(list, ' ');
        out_text(")");
    } else if (kind == CLI_COMMAND) {
        out_text("(");
        first_words(" ");
        out_text(")");
    }
}

/* A name within a specification: no colon that would end it. */
static void zsh_name(const char *name)
{
    for (; *name; name++)
        out_format(*name == ':' || *name == '[' || *name == ']' ? "\\%c" : "%c", *name);
}

static void zsh_option(const cli_option *option, const char *dashes, const char *name)
{
    out_format(" \\\n            '%s%s%s%s[", option->repeats ? "*" : "", dashes, name,
               option->kind ? (*dashes && dashes[1] ? "=" : "+") : "");
    zsh_help(option->help);
    out_text("]");
    if (option->kind) {
        out_text(":");
        zsh_name(option->arg);
        out_text(":");
        zsh_action(option->kind, option->choices);
    }
    out_text("'");
}

static void zsh_options(const cli_option *list)
{
    for (; list && list->name; list++) {
        char letter[2] = { list->letter, '\0' };
        zsh_option(list, "--", list->name);
        if (list->letter)
            zsh_option(list, "-", letter);
    }
}

static void zsh_command(const cli_command *command)
{
    out_format("    '%s')\n        _arguments -s -S", command->name);
    zsh_options(command->options);
    zsh_options(cli_global_options);
    for (const cli_operand *at = command->operands; at->name; at++) {
        out_format(" \\\n            '%s%s:", at->repeats ? "*" : "",
                   at->optional && !at->repeats ? ":" : "");
        zsh_name(at->name);
        out_text(":");
        zsh_action(at->kind, at->choices);
        out_text("'");
    }
    out_text("\n        ;;\n");
}

static void zsh_family(const char *family)
{
    out_format("    '%s') compadd -- ", family);
    second_words(family);
    out_text(" ;;\n");
}

static void zsh_script(void)
{
    out_text("#compdef varvite\n"
             "# Completion of varvite for zsh, made by 'varvite completion zsh'.\n"
             "_varvite() {\n"
             "    local command i\n"
             "    for ((i = 2; i < CURRENT; i++)); do\n"
             "        case $words[i] in\n"
             "        --store|-s|--color) ((i++)) ;;\n"
             "        -*) ;;\n"
             "        *) if [[ -z $command ]]; then\n"
             "               command=$words[i]\n"
             "               case $command in (");
    each_family(bash_family_pattern);
    out_text(") ;; (*) break ;; esac\n"
             "           else\n"
             "               command=\"$command $words[i]\"; break\n"
             "           fi ;;\n"
             "        esac\n"
             "    done\n"
             "    if [[ -n $command ]] && (( i < CURRENT )); then\n"
             "        words=($words[1] ${words[i+1,-1]})\n"
             "        (( CURRENT -= i - 1 ))\n"
             "    fi\n"
             "    case $command in\n"
             "    '')\n"
             "        local -a commands=(\n");
    for (const cli_command *at = cli_commands; at->name; at++) {
        if (strchr(at->name, ' '))
            continue;
        out_format("            '%s:", at->name);
        zsh_help(at->brief);
        out_text("'\n");
    }
    out_text("            block:'blocks of the store' dag:'DAG-CBOR values' "
             "car:'CAR files'\n"
             "        )\n"
             "        _describe command commands\n"
             "        _arguments -s -S");
    zsh_options(cli_top_options);
    zsh_options(cli_global_options);
    out_text("\n        ;;\n");
    each_family(zsh_family);
    for (const cli_command *at = cli_commands; at->name; at++)
        zsh_command(at);
    out_text("    esac\n}\n"
             "if [[ $funcstack[1] == _varvite ]]; then _varvite \"$@\"; else\n"
             "    compdef _varvite varvite\nfi\n");
}

/* ---- fish ------------------------------------------------------------------------------ */

/* The condition under which a completion of command applies. */
static void fish_condition(const char *command)
{
    const char *second = strchr(command, ' ');

    if (second)
        out_format(" -n '__fish_seen_subcommand_from %.*s; and "
                   "__fish_seen_subcommand_from %s'",
                   (int)(second - command), command, second + 1);
    else
        out_format(" -n '__fish_seen_subcommand_from %s'", command);
}

static void fish_options(const char *command, const cli_option *list)
{
    for (; list && list->name; list++) {
        out_text("complete -c varvite");
        if (command)
            fish_condition(command);
        out_format(" -l %s", list->name);
        if (list->letter)
            out_format(" -s %c", list->letter);
        if (list->kind == CLI_CHOICE) {
            out_text(" -x -a '");
            choices(list->choices, ' ');
            out_text("'");
        } else if (list->kind == CLI_FILE) {
            out_text(" -r -F");
        } else if (list->kind == CLI_DIRECTORY) {
            out_text(" -x -a '(__fish_complete_directories)'");
        } else if (list->kind) {
            out_text(" -x");
        }
        out_text(" -d ");
        quoted(list->help, "\\'");
        out_text("\n");
    }
}

static void fish_command(const cli_command *command)
{
    const char *second = strchr(command->name, ' ');

    if (second) {
        char family[32] = "";
        memcpy(family, command->name, (size_t)(second - command->name));
        out_format("complete -c varvite -n '__fish_seen_subcommand_from %s' -a %s",
                   family, second + 1);
    } else {
        out_format("complete -c varvite -n __fish_use_subcommand -a %s", command->name);
    }
    out_text(" -d ");
    quoted(command->brief, "\\'");
    out_text("\n");
    fish_options(command->name, command->options);

    cli_kind kind = operand_kind(command);
    if (kind == CLI_NONE)
        return;
    out_text("complete -c varvite");
    fish_condition(command->name);
    if (kind == CLI_FILE) {
        out_text(" -F");
    } else {
        out_text(" -a '");
        if (kind == CLI_DIRECTORY)
            out_text("(__fish_complete_directories)");
        else if (kind == CLI_CHOICE)
            choices(command->operands[0].choices, ' ');
        else
            first_words(" ");
        out_text("'");
    }
    out_text("\n");
}

static void fish_family(const char *family)
{
    out_format("complete -c varvite -n __fish_use_subcommand -a %s\n", family);
}

static void fish_script(void)
{
    out_text("# Completion of varvite for fish, made by 'varvite completion fish'.\n"
             "complete -c varvite -f\n");
    fish_options(NULL, cli_global_options);
    fish_options(NULL, cli_top_options);
    each_family(fish_family);
    for (const cli_command *at = cli_commands; at->name; at++)
        fish_command(at);
}

vv_status cmd_completion(cli_call *call)
{
    const char *shell = call->args[0];

    if (strcmp(shell, "bash") == 0)
        bash_script();
    else if (strcmp(shell, "zsh") == 0)
        zsh_script();
    else
        fish_script();
    return VV_OK;
}
