/* Commands of recordings: a part of table.c, which includes it twice, for options and for commands. */
#ifdef TRAJ_OPTIONS

static const cli_option traj_ls_options[] = {
    FLAG("long", 'l', "with type, shape, chunks and filters"),
    JSON,
    END,
};

static const cli_option traj_tail_options[] = {
    WITH("lines", 'n', CLI_NUMBER, "N", "begin with the last N rows; the default is 10"),
    FLAG("follow", 'f',
         "go on with rows as they are committed, until the writer is done"),
    WITH("rows", 0, CLI_NUMBER, "N", "end after N rows that came"),
    WITH("timeout", 0, CLI_TEXT, "SECONDS", "end when no row came for so long"),
    JSON,
    END,
};

#define RECORDING_CODEC                                                                  \
    WITH("codec", 0, CLI_TEXT, "CODEC",                                                  \
         "how chunks are stored: none, zstd, gzip, lzf or blosc, with a level as in "    \
         "zstd:3; the default is zstd:1"),                                               \
        WITH(                                                                            \
            "chunk", 0, CLI_TEXT, "BYTES",                                               \
            "aim at chunks of so many bytes of a leaf, as in 64K or 1M; the default is " \
            "chosen so that a row is cheap to read")
#define RECORDING_ROWS                                                          \
    WITH("rows", 0, CLI_TEXT, "START:STOP:STEP",                                \
         "only these rows of each group that has rows, as in 100:200 or ::10"), \
        WITH("group", 0, CLI_KEY, "PATH", "only this group")
#define RECORDING_PLACE                                             \
    WITH("to", 0, CLI_DIRECTORY, "DIRECTORY",                       \
         "into a Zarr directory, in place of a tree in the store"), \
        WITH("root", 0, CLI_CID, "ROOT",                            \
             "into the tree of ROOT, in place of a new one"),       \
        ROOT_KEY,                                                   \
        WITH("into", 0, CLI_KEY, "PATH",                            \
             "the group that it becomes; the default is the root")

static const cli_option traj_convert_options[] = {
    PICK(
        "as", 0, "FORMAT", "recording|h5md|xyz|csv|npy",
        "what OUT is to be; the default is what the end of its name says: .h5 is a recording, "
        ".h5md H5MD, .xyz and .extxyz extended XYZ, .csv and .npy a leaf as a table or for NumPy"),
    WITH(
        "leaf", 0, CLI_TEXT, "PATH",
        "the leaf for CSV and NumPy; the last part of its path is enough where only one has it"),
    MANY(
        "map", 0, CLI_TEXT, "NAME=PATH",
        "which leaf is what: positions, velocities, forces, box, energy or species; NAME= leaves "
        "it out"),
    RECORDING_ROWS,
    RECORDING_CODEC,
    FLAG("checksum", 0, "store a checksum with each chunk"),
    FLAG("no-verify", 0, "do not read back what was written"),
    FLAG("force", 'f', "replace OUT if it is there"),
    WITH("threads", 0, CLI_NUMBER, "N",
         "work on N threads; the default is one a processor"),
    WITH("memory", 0, CLI_TEXT, "BYTES",
         "hold at most so much of the rows; the default is 64M"),
    JSON,
    END,
};

static const cli_option traj_publish_options[] = {
    RECORDING_PLACE,
    RECORDING_ROWS,
    RECORDING_CODEC,
    FLAG("checksum", 0, "store a checksum with each chunk"),
    FLAG("no-verify", 0, "do not read back what was written"),
    FLAG("force", 'f', "replace a recording that is there"),
    WITH("threads", 0, CLI_NUMBER, "N",
         "work on N threads; the default is one a processor"),
    WITH("memory", 0, CLI_TEXT, "BYTES",
         "hold at most so much of the rows; the default is 64M"),
    JSON,
    END,
};

static const cli_option traj_record_options[] = {
    WITH("schema", 0, CLI_FILE, "FILE", "what is recorded, as JSON; needed"),
    PICK("input", 0, "FORM", "raw|npy",
         "what stands on standard input: elements alone (the default), or npy arrays"),
    WITH("first-step", 0, CLI_NUMBER, "STEP",
         "the step of the first frame; the default is 0"),
    WITH(
        "stride", 0, CLI_NUMBER, "N",
        "take every N-th step; the default is 1. Steps at which no group is due have no frame"),
    FLAG("append", 0,
         "go on with a recording that is there: its rows from --first-step on are "
         "cut off"),
    RECORDING_PLACE,
    FLAG("roots", 0, "tell each root as it is made, flush by flush, on standard error"),
    WITH("flush-ms", 0, CLI_NUMBER, "MS",
         "flush rows that are so old; the default is 1000"),
    FLAG("no-sync", 0, "let flushes survive a kill only, not a power cut"),
    PICK(
        "when-full", 0, "POLICY", "block|fail|drop|thin",
        "what to do when the disk is slower than the input: wait (the default), fail, drop the "
        "oldest rows, or take every second row, every fourth, ..."),
    FLAG("checksum", 0, "store a checksum with each chunk"),
    FLAG("force", 'f', "replace a recording that is there"),
    WITH("threads", 0, CLI_NUMBER, "N",
         "compress on N threads; the default is one a processor"),
    WITH("memory", 0, CLI_TEXT, "BYTES", "hold at most so many rows; the default is 64M"),
    JSON,
    END,
};

static const cli_option traj_repair_options[] = {
    FLAG("dry-run", 'n', "only say what would be done"),
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
    { "traj repair",
      "make a recording that was not closed an ordinary file",
      "Brings the last flush of a writer that was killed into FILE, cuts off what no flush covered, and "
      "closes it, so that everything that reads HDF5 opens it. Files of kUPS are closed too; how many of "
      "their rows were written is not known. A file that is closed stays as it is; one that a writer has "
      "open is refused. A power cut in the midst leaves it to be done again.\n"
      "\n"
      "FILE may be the directory of a recording in Zarr: arrays that are longer than the last flush says are cut.",
      "varvite traj repair run.h5\nvarvite traj repair --dry-run run.h5",
      { RECORDING, NO_MORE },
      traj_repair_options,
      cmd_traj_repair,
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
    { "traj convert",
      "write a recording as another one, or for other programs",
      "Writes FILE to OUT. A recording can be compressed otherwise, cut, and thinned: --codec, --chunk, "
      "--rows, --group; what was written is read back and compared. A file of kUPS becomes a recording "
      "whose rows have their numbers for steps; FILE may be one of H5MD or DCD, too. H5MD and extended XYZ have species by atomic numbers, "
      "positions, velocities, forces, the box, the energy and the step of each frame, where the "
      "leaves that are called so, or that --map names, are there; OUT may be - for XYZ.\n"
      "\n"
      "A leaf becomes CSV or an array for NumPy: --leaf; parts of it are written by 'varvite traj slice'.",
      "varvite traj convert --codec zstd:9 --rows ::10 run.h5 small.h5\n"
      "varvite traj convert run.h5 run.xyz\n"
      "varvite traj convert run.h5 run.h5md\n"
      "varvite traj convert --leaf energy run.h5 energy.csv\n"
      "varvite traj convert --map positions=step/r --map forces= run.h5 - | head",
      { RECORDING, { "OUT", CLI_FILE, NULL, false, false }, NO_MORE },
      traj_convert_options,
      cmd_traj_convert,
      SINCE_FIRST },
    { "traj publish",
      "put a recording into a store, as Zarr",
      "Writes FILE into a new tree as a Zarr hierarchy, a group for each group and an array for each "
      "leaf, reads it back, compares all of it, and prints the root; with --root into a tree that "
      "is there, with --to into a Zarr directory. Rows stream through memory chunk by chunk.\n"
      "\n"
      "A recording of the recorder's keeps the steps of its rows and can be gone on with where it "
      "lies; one of kUPS has neither.",
      "varvite traj publish run.h5\n"
      "varvite traj publish run.h5 --to run.zarr\n"
      "varvite traj publish --rows ::10 --codec zstd:9 run.h5 --root bafy... --into runs/7",
      { RECORDING, NO_MORE },
      traj_publish_options,
      cmd_traj_publish,
      SINCE_FIRST },
    { "traj record",
      "record frames from standard input",
      "Records what another program writes to standard output: for each step the values of all "
      "groups that are due, leaf by leaf as the schema has them. With --input raw (the default) "
      "elements stand alone, little-endian and in C order, and nothing between them; with --input "
      "npy each value is an array in NumPy's format, whose type and shape must be those of the "
      "schema.\n"
      "\n"
      "FILE is made in HDF5; with --to a Zarr directory; without both a new tree in the store, whose "
      "last root is printed. A frame that the input cuts short is an error, and the frames before "
      "it are kept. SIGINT ends the recording as the end of the input does.",
      "simulation | varvite traj record --schema run.json run.h5\n"
      "simulation | varvite traj record --schema run.json --roots\n"
      "simulation --from 5000 | varvite traj record --schema run.json --append --first-step 5000 run.h5",
      { { "FILE", CLI_FILE, NULL, true, false }, NO_MORE },
      traj_record_options,
      cmd_traj_record,
      SINCE_FIRST },
/* clang-format on */

#endif
