/* Commands of recordings: a part of table.c, which includes it twice, for options and for commands. */
#ifdef TRAJ_OPTIONS

static const cli_option traj_ls_options[] = {
    FLAG("long", 'l', "with type, shape, chunks and filters"),
    JSON,
    END,
};

static const cli_option traj_tail_options[] = {
    WITH("lines", 'n', CLI_NUMBER, "N", "begin with the last N rows; the default is 10"),
    FLAG("follow", 'f', "go on with rows as they are committed, until the writer is done"),
    WITH("rows", 0, CLI_NUMBER, "N", "end after N rows that came"),
    WITH("timeout", 0, CLI_TEXT, "SECONDS", "end when no row came for so long"),
    JSON,
    END,
};

#else

#define RECORDING                            \
    {                                        \
        "FILE", CLI_FILE, NULL, false, false \
    }
#define SELECTION                                \
    {                                            \
        "SELECTION", CLI_KEY, NULL, false, false \
    }
#define LEAVES                            \
    {                                     \
        "PATH", CLI_KEY, NULL, true, true \
    }

/* clang-format off */
    { "traj info",
      "describe a recording: its groups, rows and steps",
      "Prints what is in FILE, a trajectory in HDF5 that the recorder or any version of kUPS wrote: "
      "whether it was closed, and for each group how it was logged, how many rows count, their "
      "steps, and what they take. A file that is being written, or was left by a killed writer, is "
      "read as any other. Files of kUPS do not say how many rows were written; their extent is "
      "given as the most.",
      "varvite traj info run.h5\nvarvite traj info --json run.h5 | jq '.groups[].rows'",
      { RECORDING, NO_MORE },
      json_only,
      cmd_traj_info,
      SINCE_FIRST },
    { "traj ls",
      "list the leaves of a recording",
      "Lists the leaves, one a line, by the paths that the other commands take: "
      "group['step']/array['forces'].lj is step/forces/lj. PATH is a leaf, a group or a subtree; "
      "without it, all.",
      "varvite traj ls -l run.h5\nvarvite traj ls run.h5 step/forces",
      { RECORDING, LEAVES, NO_MORE },
      traj_ls_options,
      cmd_traj_ls,
      SINCE_FIRST },
    { "traj tree",
      "draw the groups and leaves of a recording",
      "Draws groups and leaves below PATH, with shape and element type of each leaf.",
      "varvite traj tree run.h5",
      { RECORDING, PATH, NO_MORE },
      json_only,
      cmd_tree,
      SINCE_FIRST },
    { "traj slice",
      "print numbers of a leaf",
      "Prints a part of a leaf. SELECTION is the leaf's path and, in brackets, an index or "
      "start:stop:step for each dimension, rows first, as for 'varvite slice', whose forms of "
      "output it has too. Rows are labelled by their steps where these are known, and --at "
      "steps=LOW:HIGH selects by step.",
      "varvite traj slice run.h5 'step/positions[::10,:100]'\n"
      "varvite traj slice --csv run.h5 step/energy --at steps=1000:2000\n"
      "varvite traj slice --npy -o last.npy run.h5 'step/positions[-1]'",
      { RECORDING, SELECTION, NO_MORE },
      slice_options,
      cmd_slice,
      SINCE_FIRST },
    { "traj read",
      "print numbers of a leaf: another name of traj slice",
      "The same as traj slice; see there.",
      "varvite traj read --npy -o energy.npy run.h5 step/energy",
      { RECORDING, SELECTION, NO_MORE },
      slice_options,
      cmd_slice,
      SINCE_FIRST },
    { "traj stats",
      "what the values of leaves are, and what they take",
      "A line for each leaf: type, rows, least, greatest and mean value, bytes in the file, and how "
      "many times smaller that is. PATH is a leaf, a group or a subtree; without it, all.",
      "varvite traj stats run.h5\nvarvite traj stats --json run.h5 step",
      { RECORDING, LEAVES, NO_MORE },
      json_only,
      cmd_traj_stats,
      SINCE_FIRST },
    { "traj plot",
      "draw leaves against their steps",
      "Draws leaves of FILE. One SELECTION is drawn as 'varvite plot' draws an array; several, up to "
      "8, are drawn as lines over their steps, with a legend. Of each, one dimension must be left, "
      "and all must have as many places.\n"
      "\n"
      "Without --output, a preview is drawn on standard output.",
      "varvite traj plot run.h5 step/energy\n"
      "varvite traj plot -o energies.png run.h5 step/kinetic step/potential",
      { RECORDING, { "SELECTION", CLI_KEY, NULL, false, true }, NO_MORE },
      plot_options,
      cmd_traj_plot,
      SINCE_FIRST },
    { "traj tail",
      "print the last rows of a recording, and those that come",
      "Prints the last rows of a group's leaves, a line each, with the step of each row where it is "
      "known. PATH is the group, or leaves of it; the default is what has up to three elements a row "
      "in the first group with rows. Of larger leaves three elements are shown; --json has all.\n"
      "\n"
      "With --follow it goes on with rows as a writer commits them, and tells their rate on "
      "standard error. It ends when the writer closes the file, after --rows, when no row came "
      "for --timeout seconds, or at SIGINT.",
      "varvite traj tail run.h5 step/energy step/temperature\n"
      "varvite traj tail -f --timeout 60 run.h5",
      { RECORDING, LEAVES, NO_MORE },
      traj_tail_options,
      cmd_traj_tail,
      SINCE_FIRST },
    { "traj check",
      "is a recording whole?",
      "Reads everything in FILE: that each leaf has the type, shape and rows that are said, that "
      "each chunk lies in the file, decodes, and agrees with its checksum where it has one, that "
      "steps rise. Each problem is one line. The exit status is 1 if there is any, and for a file "
      "that its writer did not close.",
      "varvite traj check run.h5",
      { RECORDING, NO_MORE },
      json_only,
      cmd_traj_check,
      SINCE_FIRST },
    { "traj diff",
      "leaves and rows in which two recordings differ",
      "Compares the leaves of two files by their paths, bit for bit, whatever chunks and filters "
      "they are stored with, and the steps of their rows. Each difference is one line; the exit "
      "status is 1 if there is any.",
      "varvite traj diff before.h5 after.h5",
      { RECORDING, { "OTHER", CLI_FILE, NULL, false, false }, NO_MORE },
      json_only,
      cmd_traj_diff,
      SINCE_FIRST },
/* clang-format on */

#endif
