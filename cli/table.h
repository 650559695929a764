/*
 * The table of commands and options. Parsing, --help, the manual pages and the completions of
 * three shells are made from it, so that they cannot differ.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <varvite/base.h>

typedef struct cli_call cli_call;

/* What an argument is, for checks and for completion. */
typedef enum cli_kind {
    CLI_NONE = 0, /* takes no argument */
    CLI_TEXT,
    CLI_NUMBER,
    CLI_FILE,
    CLI_DIRECTORY,
    CLI_CID,
    CLI_KEY,
    CLI_CHOICE,
    CLI_COMMAND
} cli_kind;

typedef struct cli_option {
    const char *name; /* without its dashes; NULL ends a list */
    char letter;      /* its short form, or 0 */
    cli_kind kind;
    const char *arg;     /* name of its argument */
    const char *choices; /* "zarr|netcdf" where kind is CLI_CHOICE */
    bool repeats;        /* may be given more than once */
    const char *help;    /* sentences, the first letter small, no full stop at the end */
    const char *since;
} cli_option;

typedef struct cli_operand {
    const char *name; /* NULL ends the list */
    cli_kind kind;
    const char *choices;
    bool optional;
    bool repeats; /* the last one only */
} cli_operand;

#define CLI_OPERANDS_MAX 4

typedef struct cli_command {
    const char *name;     /* "import", "block get"; NULL ends the table */
    const char *brief;    /* one line, the first letter small */
    const char *text;     /* paragraphs with an empty line between them */
    const char *examples; /* shell lines; NULL: none */
    cli_operand operands[CLI_OPERANDS_MAX];
    const cli_option *options; /* beside the global ones; NULL: none */
    vv_status (*run)(cli_call *call);
    const char *since;
} cli_command;

typedef struct cli_exit_code {
    int code;
    const char *meaning;
} cli_exit_code;

extern const cli_command cli_commands[];
/* Options of every command, and those that stand in place of one. */
extern const cli_option cli_global_options[];
extern const cli_option cli_top_options[];
extern const cli_exit_code cli_exit_codes[];
extern const char *const cli_about;
/* Name and meaning in pairs, ended by NULL. */
extern const char *const cli_environment[];

const cli_command *cli_find_command(const char *name);
/* Is name the first word of commands of two words ("block")? */
bool cli_is_family(const char *name);
/* The nearest command or option by spelling, NULL if none is near. */
const char *cli_nearest_command(const char *name);
const char *cli_nearest_option(const cli_command *command, const char *name);

#define CLI_SYNOPSIS_MAX 256
/* "ROOT KEY [FILE]", without the command's name. */
void cli_operand_synopsis(const cli_command *command, char out[CLI_SYNOPSIS_MAX]);

vv_status cmd_block_get(cli_call *call);
vv_status cmd_block_ls(cli_call *call);
vv_status cmd_block_put(cli_call *call);
vv_status cmd_block_rm(cli_call *call);
vv_status cmd_block_stat(cli_call *call);
vv_status cmd_car_export(cli_call *call);
vv_status cmd_car_import(cli_call *call);
vv_status cmd_cat(cli_call *call);
vv_status cmd_cid(cli_call *call);
vv_status cmd_compact(cli_call *call);
vv_status cmd_compare(cli_call *call);
vv_status cmd_convert(cli_call *call);
vv_status cmd_completion(cli_call *call);
vv_status cmd_dag_get(cli_call *call);
vv_status cmd_attr(cli_call *call);
vv_status cmd_cp(cli_call *call);
vv_status cmd_mv(cli_call *call);
vv_status cmd_copy(cli_call *call);
vv_status cmd_diff(cli_call *call);
vv_status cmd_export(cli_call *call);
vv_status cmd_fsck(cli_call *call);
vv_status cmd_get(cli_call *call);
vv_status cmd_graft(cli_call *call);
vv_status cmd_hash(cli_call *call);
vv_status cmd_help(cli_call *call);
vv_status cmd_import(cli_call *call);
vv_status cmd_info(cli_call *call);
vv_status cmd_init(cli_call *call);
vv_status cmd_key_drop(cli_call *call);
vv_status cmd_key_info(cli_call *call);
vv_status cmd_key_new(cli_call *call);
vv_status cmd_key_rotate(cli_call *call);
vv_status cmd_key_wrap(cli_call *call);
vv_status cmd_ls(cli_call *call);
vv_status cmd_man(cli_call *call);
vv_status cmd_plot(cli_call *call);
vv_status cmd_put(cli_call *call);
vv_status cmd_resize(cli_call *call);
vv_status cmd_rm(cli_call *call);
vv_status cmd_slice(cli_call *call);
vv_status cmd_stats(cli_call *call);
vv_status cmd_traj_check(cli_call *call);
vv_status cmd_traj_convert(cli_call *call);
vv_status cmd_traj_diff(cli_call *call);
vv_status cmd_traj_info(cli_call *call);
vv_status cmd_traj_ls(cli_call *call);
vv_status cmd_traj_plot(cli_call *call);
vv_status cmd_traj_publish(cli_call *call);
vv_status cmd_traj_record(cli_call *call);
vv_status cmd_traj_repair(cli_call *call);
vv_status cmd_traj_stats(cli_call *call);
vv_status cmd_traj_tail(cli_call *call);
vv_status cmd_tree(cli_call *call);
vv_status cmd_verify(cli_call *call);
vv_status cmd_version(cli_call *call);

#endif
