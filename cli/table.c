#include "table.h"

#define SINCE_FIRST "0.1.0"
#define FLAG(name_, letter_, help_)                                     \
    {                                                                   \
        name_, letter_, CLI_NONE, NULL, NULL, false, help_, SINCE_FIRST \
    }
#define WITH(name_, letter_, kind_, arg_, help_)                     \
    {                                                                \
        name_, letter_, kind_, arg_, NULL, false, help_, SINCE_FIRST \
    }
#define MANY(name_, letter_, kind_, arg_, help_)                    \
    {                                                               \
        name_, letter_, kind_, arg_, NULL, true, help_, SINCE_FIRST \
    }
#define PICK(name_, letter_, arg_, choices_, help_)                           \
    {                                                                         \
        name_, letter_, CLI_CHOICE, arg_, choices_, false, help_, SINCE_FIRST \
    }
#define END                                              \
    {                                                    \
        NULL, 0, CLI_NONE, NULL, NULL, false, NULL, NULL \
    }

#define HASHES "blake3|sha2-256|sha2-512|sha3-256|sha1|blake2b-256"
#define CODECS "raw|dag-cbor|dag-pb"
#define BASES \
    "base32|base58btc|base16|base36|base64|base64url|base2|base8|base10|base32upper|base16upper"

#define AT                                                                                 \
    MANY(                                                                                  \
        "at", 0, CLI_TEXT, "NAME=VALUE",                                                   \
        "select by coordinate: the place of dimension NAME that is nearest to VALUE, or, " \
        "with NAME=LOW:HIGH, those from LOW to HIGH; times take dates, as in "             \
        "time=1982-07-16 and time=1982-07:1983")
#define JSON FLAG("json", 0, "print the result as JSON")
#define BUCKET                                                                           \
    WITH(                                                                                \
        "bucket-size", 0, CLI_NUMBER, "N",                                               \
        "keys a bucket of the tree holds before it becomes a node of its own. The root " \
        "depends on it; the default is 4, py-hamt's")
#define TREE_HASH                                                                        \
    PICK(                                                                                \
        "hash", 0, "NAME", HASHES,                                                       \
        "hash function of the block names in a new tree; the default is blake3. A tree " \
        "that is changed keeps its own")
#define BLOCK_HASH PICK("hash", 0, "NAME", HASHES, "hash function; the default is blake3")
#define BLOCK_CODEC \
    PICK("codec", 0, "NAME", CODECS, "codec in the name; the default is raw")
#define OUTPUT                            \
    WITH("output", 'o', CLI_FILE, "FILE", \
         "write to FILE instead of standard output; it appears when it is complete")
#define KEYS_OF(prefix_, what_)                                                      \
    WITH(prefix_ "-file", 0, CLI_FILE, "FILE", "the key of " what_ " lies in FILE"), \
        WITH(prefix_ "-fd", 0, CLI_NUMBER, "N",                                      \
             "the same, read from the open file descriptor N"),                      \
        WITH(prefix_ "-env", 0, CLI_TEXT, "NAME",                                    \
             "the same, the value of the environment variable NAME")
#define KEY_HEADER                                                                      \
    WITH("key-header", 0, CLI_TEXT, "TEXT",                                             \
         "associated data of the values, in py-hamt's encrypted format. A HAMT that a " \
         "key is given with is one of that format")
#define ROOT_KEY KEYS_OF("key", "an encrypted root"), KEY_HEADER
#define NEW_LAYOUT                                                                   \
    PICK("layout", 0, "LAYOUT", "hamt|sharded|encrypted",                            \
         "how a new tree is laid out: hamt, the default; sharded, as py-hamt's "     \
         "sharded_zarr_v2, whose chunks are found by arithmetic; or encrypted, the " \
         "default with a key. With a key hamt means py-hamt's encrypted format"),    \
        WITH("chunks-per-shard", 0, CLI_NUMBER, "N",                                 \
             "chunks that a shard of a new sharded tree lists; the default is 6250")
#define THREADS \
    WITH("threads", 0, CLI_NUMBER, "N", "threads to use; the default is one a processor")

const cli_option cli_global_options[] = {
    WITH("store", 's', CLI_DIRECTORY, "URL|DIR",
         "the block store: a directory made by init, a CAR file, or local:DIR, car:FILE, "
         "kubo://HOST:PORT, gateway+https://HOST. "
         "The default is $VARVITE_STORE, else the nearest .varvite from the working "
         "directory upward"),
    PICK("color", 0, "WHEN", "auto|always|never",
         "colours; auto, the default, means on a terminal and without $NO_COLOR"),
    WITH(
        "metrics", 0, CLI_FILE, "FILE",
        "when the command has ended, however it did, write what it counted and timed to FILE: "
        "for Prometheus where that ends in .prom, else as JSON; - is standard error, and "
        "otlp:http://HOST:4318 sends it and the spans to an OpenTelemetry collector"),
    FLAG("quiet", 'q', "no talk and no progress on standard error, errors excepted"),
    FLAG("help", 'h', "print what the command does and its options"),
    END,
};

const cli_option cli_top_options[] = {
    FLAG("version", 'V', "print the version"),
    END,
};

const cli_exit_code cli_exit_codes[] = {
    { 0, "success" },
    { 1, "not found, or different: a block, key or file is not there; compare found "
         "differences" },
    { 2, "usage: a wrong argument, or a target that exists and was not to be replaced" },
    { 3,
      "corrupt: bytes do not match their name or their format, or are of a version or a "
      "form that this build cannot read; verify and fsck found something" },
    { 4,
      "input or output failed: disk full, no permission, a read-only store, a lock held "
      "too long, a declared limit, no memory" },
    { 130, "stopped by SIGINT (143 by SIGTERM, 129 by SIGHUP); what was stored stays" },
    { 141, "the reader of standard output went away" },
    { -1, NULL },
};

const char *const cli_about =
    "varvite keeps N-dimensional arrays as blocks that are named by their own hash. One "
    "root, a CID, names a whole data set: a Zarr v3 hierarchy over a hash-array-mapped trie "
    "(HAMT) or over sharded indexes, as py-hamt writes them, or encrypted. The blocks lie in an embedded store on disk, or in a CAR "
    "file, and every byte that is read is checked against the name it was asked by.\n"
    "\n"
    "A ROOT is the CID of such a tree. Commands that only read also take the directory of a "
    "Zarr v3 store in its place, or the HDF5 file of a recording, a file of H5MD, or a DCD file. Results go to standard "
    "output, talk goes to standard error.";

const char *const cli_environment[] = {
    "VARVITE_STORE",
    "the store to use when --store is not given: a directory or a URL",
    "NO_COLOR",
    "no colours, when set and not empty",
    "IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT",
    "samples that --metrics keeps of each series; the default is 2000",
    NULL,
};

/* ---- options of each command --------------------------------------------------------- */

static const cli_option json_only[] = { JSON, END };

static const cli_option import_options[] = {
    MANY("chunk", 0, CLI_TEXT, "DIM=N,...",
         "lengths of chunks by dimension, as in time=12,lat=90; other dimensions get the "
         "default: chunks of 1 to 4 MiB"),
    MANY(
        "shard", 0, CLI_TEXT, "DIM=N,...",
        "lengths of shards, each made a whole number of chunks; chunks of one shard are stored "
        "under one key"),
    WITH("codec", 0, CLI_TEXT, "CHAIN",
         "how chunks are compressed: zstd:LEVEL, gzip:LEVEL, blosc:NAME:LEVEL or none, "
         "joined by a plus sign with others, as in zstd:3+crc32c; the default is zstd:3"),
    MANY("var", 0, CLI_TEXT, "NAME",
         "take this variable, by name or path, and its coordinates; without it, all"),
    FLAG(
        "text-as-bytes", 0,
        "take char variables as uint8 arrays of their bytes instead of strings of a fixed "
        "length; an export to netCDF makes them char again, either way"),
    WITH("into", 0, CLI_KEY, "PATH", "the group to import into; the default is the top"),
    WITH(
        "root", 0, CLI_CID, "CID",
        "add to this tree instead of beginning an empty one; what is there is refused, not "
        "replaced"),
    FLAG(
        "force", 'f',
        "replace arrays that are there, and attributes of groups where the source has others"),
    WITH("resume", 0, CLI_CID, "CID",
         "go on where a stopped import of the same file ended: CID is the root it named, "
         "and the chunks in it are not read again"),
    NEW_LAYOUT,
    BUCKET,
    TREE_HASH,
    ROOT_KEY,
    THREADS,
    WITH("memory", 0, CLI_TEXT, "SIZE",
         "cap of the buffers, as in 256M; the default is 128M"),
    JSON,
    END,
};

static const cli_option export_options[] = {
    WITH("path", 0, CLI_KEY, "PATH", "export this group; the default is the top"),
    PICK(
        "format", 0, "FORMAT", "auto|zarr|netcdf",
        "zarr for a directory, netcdf for a netCDF-4 file; auto, the default, means netCDF "
        "when OUT ends in .nc, .nc4 or .cdf"),
    MANY(
        "var", 0, CLI_TEXT, "NAME",
        "write this array, by name or path, and what it refers to into a netCDF file; without "
        "it, all"),
    FLAG("force", 'f', "replace OUT if it exists"),
    ROOT_KEY,
    WITH("deflate", 0, CLI_NUMBER, "LEVEL",
         "compress the variables of a netCDF file, 0 to 9; the default is 0"),
    WITH("memory", 0, CLI_TEXT, "SIZE",
         "cap of the buffers, as in 256M; the default is 128M"),
    JSON,
    END,
};

static const cli_option compare_options[] = {
    WITH("path", 0, CLI_KEY, "PATH", "compare with this group; the default is the top"),
    ROOT_KEY,
    JSON,
    END,
};

#define MEMORY                          \
    WITH("memory", 0, CLI_TEXT, "SIZE", \
         "cap of the buffers, as in 256M; the default is 128M")

static const cli_option copy_options[] = {
    MANY(
        "chunk", 0, CLI_TEXT, "DIM=N,...",
        "new lengths of chunks by dimension, as in time=12,lat=all; other dimensions keep "
        "theirs. A length for each dimension, as in 12,90, goes by place"),
    MANY("shard", 0, CLI_TEXT, "DIM=N,...",
         "lengths of shards, each made a whole number of chunks; none means no shards"),
    WITH("codec", 0, CLI_TEXT, "CHAIN",
         "how chunks are compressed, as for import; the default is as they are"),
    PICK("keys", 0, "FORM", "default/|default.|v2/|v2.",
         "form of the chunks' keys, as in c/0/1, c.0.1, 0/1 and 0.1"),
    MANY(
        "array", 0, CLI_KEY, "PATH",
        "change this array, by its path below the source, and copy the others as they are"),
    WITH("into", 0, CLI_KEY, "PATH", "where to copy to; the default is the top"),
    WITH("root", 0, CLI_CID, "CID", "add to this tree instead of beginning an empty one"),
    WITH(
        "resume", 0, CLI_CID, "CID",
        "go on where a stopped copy of the same source with the same options ended: CID is "
        "the root it named"),
    WITH("to", 0, CLI_DIRECTORY, "DIR",
         "copy into a Zarr directory instead of a tree; the same command goes on where a "
         "stopped one ended"),
    FLAG("force", 'f', "replace what lies at the target"),
    NEW_LAYOUT,
    BUCKET,
    TREE_HASH,
    KEYS_OF("key", "an encrypted SOURCE"),
    KEYS_OF("to-key", "an encrypted target, or of one to begin,"),
    KEY_HEADER,
    THREADS,
    MEMORY,
    JSON,
    END,
};

static const cli_option diff_options[] = {
    FLAG(
        "values", 0,
        "decode what differs, count the elements that do, and give the largest difference; "
        "the same values in another form are then the same"),
    KEYS_OF("key", "an encrypted BEFORE"),
    KEYS_OF("to-key", "an encrypted AFTER, where it is another one,"),
    KEY_HEADER,
    THREADS,
    MEMORY,
    JSON,
    END,
};

static const cli_option convert_options[] = {
    PICK(
        "to", 0, "LAYOUT", "sharded|v2|v1|hamt",
        "what to make: sharded, which is v2, for sharded_zarr_v2; v1 for sharded_zarr_v1; hamt"),
    WITH("chunks-per-shard", 0, CLI_NUMBER, "N",
         "chunks that a shard lists; the default is 6250"),
    WITH(
        "array", 0, CLI_KEY, "PATH",
        "to v1: the array that gets the index, where several could; from v1 to v2: the path of the "
        "array, where the root does not say it"),
    FLAG("without-primary", 0,
         "to v1: do not record the path of the array in the root, as py-hamt before 3.5"),
    WITH(
        "note", 0, CLI_FILE, "FILE",
        "keep a note of how far it came in FILE; where FILE is there already, go on from it"),
    FLAG("no-verify", 0, "leave out the comparison of both roots at the end"),
    BUCKET,
    TREE_HASH,
    WITH(
        "memory", 0, CLI_TEXT, "SIZE",
        "cap of what is held of the new root, as in 256M; the default is 128M. What needs more is made "
        "in several passes over ROOT"),
    JSON,
    END,
};

static const cli_option graft_options[] = {
    WITH(
        "at", 0, CLI_TEXT, "N,...",
        "where the first chunk of SOURCE goes in TARGET: an offset in chunks for each dimension"),
    WITH("array", 0, CLI_KEY, "PATH",
         "the array of TARGET; the default is the path that it has in SOURCE"),
    WITH("source-array", 0, CLI_KEY, "PATH",
         "the array of SOURCE; the default is its only one"),
    JSON,
    END,
};

static const cli_option ls_options[] = {
    FLAG("long", 'l', "with the bytes and the CID of each value"),
    FLAG("recursive", 'r', "every key below PATH, in full"),
    FLAG("unsorted", 'U',
         "in the order of the tree, as they come: no memory for the list"),
    ROOT_KEY,
    JSON,
    END,
};

static const cli_option get_options[] = {
    WITH("offset", 0, CLI_NUMBER, "N", "begin at byte N"),
    WITH("length", 0, CLI_NUMBER, "N", "at most N bytes"),
    WITH("last", 0, CLI_NUMBER, "N", "only the last N bytes"),
    ROOT_KEY,
    OUTPUT,
    END,
};

static const cli_option put_options[] = { NEW_LAYOUT, BUCKET, TREE_HASH,
                                          ROOT_KEY,   JSON,   END };
static const cli_option tree_options[] = { ROOT_KEY, JSON, END };
static const cli_option cat_options[] = { ROOT_KEY, END };

static const cli_option rm_options[] = {
    FLAG("recursive", 'r', "delete every key below each KEY too"),
    FLAG("force", 'f', "no error for a key that is not there"),
    BUCKET,
    ROOT_KEY,
    JSON,
    END,
};

static const cli_option node_options[] = { BUCKET, ROOT_KEY, JSON, END };

static const cli_option slice_options[] = {
    FLAG("csv", 0, "one line for each number: the labels of its dimensions, the number"),
    FLAG("npy", 0, "NumPy's binary format"),
    FLAG("index", 0, "label by index, also where there are coordinates"),
    AT,
    ROOT_KEY,
    OUTPUT,
    JSON,
    END,
};

static const cli_option plot_options[] = {
    WITH("output", 'o', CLI_FILE, "FILE",
         "draw into FILE, which must end in .png, .svg or .pdf; without it, a preview is "
         "drawn with characters"),
    FLAG("preview", 0, "draw the preview also where a FILE is given"),
    PICK(
        "kind", 0, "KIND", "auto|line|map|histogram",
        "auto, the default, is a line for one dimension and a map for two; line draws up to 8 "
        "lines of two dimensions; histogram takes any number"),
    AT,
    WITH(
        "size", 0, CLI_TEXT, "WxH",
        "pixels of the picture, characters of the preview; the default is 1000 wide and as "
        "high as suits, or the terminal"),
    WITH("range", 0, CLI_TEXT, "LOW:HIGH",
         "values at the ends of the colours, or of the axis; the default is theirs"),
    PICK(
        "cmap", 0, "NAME", "tide|poles|ember|grey",
        "colours; the default is tide, or poles where values lie to both sides of zero alike"),
    FLAG("log", 0, "values on a logarithmic scale"),
    WITH("title", 0, CLI_TEXT, "TEXT", "in place of the array's long_name"),
    ROOT_KEY,
    END,
};

static const cli_option stats_options[] = {
    FLAG("histogram", 0, "also how the values are spread"),
    ROOT_KEY,
    THREADS,
    WITH("memory", 0, CLI_TEXT, "SIZE",
         "cap of the decoded elements held at once, as in 64M; the default is 256M"),
    JSON,
    END,
};

static const cli_option verify_options[] = {
    WITH("max-seconds", 0, CLI_NUMBER, "S", "stop after so long and say how far it came"),
    WITH(
        "sample", 0, CLI_TEXT, "SHARE",
        "check this share of the values, as in 0.1 or 10%; all nodes are checked always"),
    WITH("seed", 0, CLI_NUMBER, "N", "which sample is taken; the default is 0"),
    FLAG("dag", 0,
         "follow the links of any kind of root instead of checking a tree of keys"),
    THREADS,
    JSON,
    END,
};

static const cli_option key_options[] = {
    KEYS_OF("key", "an encrypted root"),
    JSON,
    END,
};

static const cli_option new_key_options[] = {
    KEYS_OF("key", "an encrypted root"),
    KEYS_OF("new-key", "who is to open it"),
    JSON,
    END,
};

static const cli_option fsck_options[] = {
    FLAG(
        "repair", 0,
        "mend what can be mended: cut unfinished writes, rebuild the index, move damaged "
        "blocks to a quarantine file"),
    FLAG("quick", 0, "check the structure only, do not hash the blocks"),
    JSON,
    END,
};

static const cli_option cid_options[] = {
    PICK("base", 'b', "NAME", BASES, "print only the CID, in this base"),
    JSON,
    END,
};

static const cli_option hash_options[] = {
    BLOCK_HASH,
    BLOCK_CODEC,
    PICK("base", 'b', "NAME", BASES, "text base; the default is base32"),
    FLAG("digest", 0, "print the digest alone, in hexadecimal"),
    JSON,
    END,
};

static const cli_option block_get_options[] = { OUTPUT, END };
static const cli_option block_put_options[] = { BLOCK_CODEC, BLOCK_HASH, JSON, END };
static const cli_option block_ls_options[] = {
    FLAG("long", 'l', "with the bytes of each block"),
    JSON,
    END,
};

static const cli_option dag_get_options[] = {
    FLAG("compact", 0, "all on one line"),
    END,
};

static const cli_option car_export_options[] = {
    OUTPUT,
    WITH("version", 0, CLI_NUMBER, "1|2",
         "version of the format; the default is 1. Version 2 needs --output"),
    FLAG("no-index", 0, "version 2 without its index"),
    FLAG("allow-missing", 0, "leave out blocks that the store lacks instead of failing"),
    JSON,
    END,
};

#define TRAJ_OPTIONS
#include "table_traj.h"
#undef TRAJ_OPTIONS

/* ---- commands ------------------------------------------------------------------------ */

#define ROOT                                \
    {                                       \
        "ROOT", CLI_CID, NULL, false, false \
    }
#define PATH                               \
    {                                      \
        "PATH", CLI_KEY, NULL, true, false \
    }
#define KEY                                \
    {                                      \
        "KEY", CLI_KEY, NULL, false, false \
    }
#define ONE_CID                            \
    {                                      \
        "CID", CLI_CID, NULL, false, false \
    }
#define NO_MORE                            \
    {                                      \
        NULL, CLI_NONE, NULL, false, false \
    }

const cli_command cli_commands[] = {
    { "init",
      "make a store",
      "Makes the embedded block store .varvite in DIR, or in the working directory, and "
      "prints where it is. With --store or $VARVITE_STORE, and without DIR, the store is "
      "made right there. Where there is a store already, nothing changes.",
      "varvite init\nvarvite init /data/climate",
      { { "DIR", CLI_DIRECTORY, NULL, true, false }, NO_MORE },
      json_only,
      cmd_init,
      SINCE_FIRST },
    { "import",
      "take a netCDF or HDF5 file, or a Zarr directory, into the store",
      "Cuts every array of SOURCE into chunks, stores them with all groups, attributes and "
      "coordinates as a Zarr v3 hierarchy, and prints its root. SOURCE is a netCDF-3, "
      "netCDF-4 or HDF5 file, or the directory of a Zarr store, of version 3 or 2. Files larger than memory "
      "stream through. The chosen chunks are said on standard error; on a terminal a "
      "progress bar shows rate and time left.\n"
      "\n"
      "SIGINT stops the import: what is stored stays, and the message gives the --resume "
      "option that goes on from there. After a kill, the same import finds the blocks "
      "that are there and does not store them again.",
      "varvite import ocean.nc\n"
      "varvite import --chunk time=12,lat=90 --codec blosc:lz4:5 ocean.nc\n"
      "varvite import --root bafy... --into forcing winds.nc",
      { { "SOURCE", CLI_FILE, NULL, false, false }, NO_MORE },
      import_options,
      cmd_import,
      SINCE_FIRST },
    { "export",
      "write a tree out as a Zarr directory or a netCDF-4 file",
      "Writes the group at --path of ROOT, and all below it, to OUT. Chunks go into a Zarr "
      "directory as they are. OUT appears under its name when it is complete.",
      "varvite export bafy... ocean.zarr\nvarvite export --force bafy... ocean.nc",
      { ROOT, { "OUT", CLI_FILE, NULL, false, false }, NO_MORE },
      export_options,
      cmd_export,
      SINCE_FIRST },
    { "compare",
      "compare a file with a tree, value by value",
      "Compares SOURCE, anything that import reads, with the group at --path of ROOT: "
      "groups, dimensions, attributes and every value bit for bit. Each difference is one "
      "line; the exit status is 1 if there is any.",
      "varvite compare ocean.nc bafy...",
      { { "SOURCE", CLI_FILE, NULL, false, false }, ROOT, NO_MORE },
      compare_options,
      cmd_compare,
      SINCE_FIRST },
    { "copy",
      "copy a hierarchy or an array, in other chunks if asked",
      "Copies the group or array at PATH of SOURCE, and all below it, into a new tree and prints "
      "its root; with --root into a tree that is there, with --to into a Zarr directory. SOURCE "
      "is a ROOT or a directory, with the path behind a colon.\n"
      "\n"
      "Where nothing of an array's encoding changes, its chunks are copied as they are stored, "
      "within one store by their names alone. With --chunk, --shard or --codec arrays stream "
      "through memory in regions that are whole chunks of the copy; where --memory is too small "
      "for regions that also end where the source's chunks end, chunks are read more than once, "
      "and that is said. A dimension's own coordinate array keeps its chunks.\n"
      "\n"
      "SIGINT stops the copy; the message gives the --resume option that goes on from there. "
      "What a killed copy leaves is whole arrays.",
      "varvite copy --chunk time=all,lat=10,lon=10 bafy...\n"
      "varvite copy --shard time=120 --codec zstd:5 bafy...:ocean --into sea\n"
      "varvite copy bafy... --to ocean.zarr",
      { { "SOURCE", CLI_CID, NULL, false, false }, NO_MORE },
      copy_options,
      cmd_copy,
      SINCE_FIRST },
    { "rechunk",
      "copy in other chunks: another name of copy",
      "The same as copy; see there.",
      "varvite rechunk --chunk time=all,lat=10,lon=10 bafy...",
      { { "SOURCE", CLI_CID, NULL, false, false }, NO_MORE },
      copy_options,
      cmd_copy,
      SINCE_FIRST },
    { "diff",
      "what two hierarchies do not have in common",
      "Compares two groups or arrays, each a ROOT or a directory with the path behind a colon, "
      "and prints a line for each difference: nodes added (+) and removed (-), members of "
      "metadata before and after, and for each array how many stored chunks differ and which "
      "elements they cover. Two roots are compared by walking only what differs. The exit status "
      "is 1 if there is any difference.",
      "varvite diff bafy...a bafy...b\n"
      "varvite diff --values bafy...:ocean ocean.zarr",
      { { "BEFORE", CLI_CID, NULL, false, false },
        { "AFTER", CLI_CID, NULL, false, false },
        NO_MORE },
      diff_options,
      cmd_diff,
      SINCE_FIRST },
    { "convert",
      "lay a root out in another way, and print the new root",
      "Makes a root of another layout with the same keys: of a HAMT a sharded root, of a sharded one a "
      "HAMT, of version 1 of the sharded layout version 2 and back. No chunk is read or stored again, "
      "only names of blocks are. From a HAMT to v2 the root is that of py-hamt's converter; from v1 to v2 "
      "it is that of its migration. At the end every key of either root is looked up in the other; "
      "--no-verify leaves that out.\n"
      "\n"
      "With --note a conversion that was stopped or killed is gone on with by the same command.",
      "varvite convert bafy... --to sharded --chunks-per-shard 1000\n"
      "varvite convert bafy... --to hamt --note convert.note",
      { ROOT, NO_MORE },
      convert_options,
      cmd_convert,
      SINCE_FIRST },
    { "graft",
      "let the chunks of one sharded root lie in an array of another",
      "Gives the chunks of an array of SOURCE to an array of TARGET, moved by the offset --at, and prints "
      "the new root of TARGET. Both are sharded roots; chunk shapes must be the same, and every chunk must "
      "land inside TARGET, else nothing is changed. No chunk is read. Documents are not copied.",
      "varvite graft bafy...target bafy...source --at 12,0,0\n"
      "varvite graft bafy...year bafy...march --array 0/tas --source-array 0/tas --at 2,0,0",
      { { "TARGET", CLI_CID, NULL, false, false },
        { "SOURCE", CLI_CID, NULL, false, false },
        NO_MORE },
      graft_options,
      cmd_graft,
      SINCE_FIRST },
    { "resize",
      "change the shape of an array, and print the new root",
      "Gives the array at ARRAY another SHAPE of as many dimensions. What is cut off is gone; what is new "
      "reads as the fill value. Where the first dimension of an array in a sharded root grows by "
      "whole chunks, no chunk is looked at.",
      "varvite resize bafy... TEMP 24,180,360",
      { ROOT,
        { "ARRAY", CLI_KEY, NULL, false, false },
        { "SHAPE", CLI_TEXT, NULL, false, false },
        NO_MORE },
      node_options,
      cmd_resize,
      SINCE_FIRST },
    { "ls",
      "list what is directly below a path",
      "Lists the entries of a directory of the tree, one a line and sorted; a name with a "
      "slash at its end has more below it. No value is read.",
      "varvite ls bafy...\nvarvite ls -l bafy... TEMP/c",
      { ROOT, PATH, NO_MORE },
      ls_options,
      cmd_ls,
      SINCE_FIRST },
    { "tree",
      "draw the groups and arrays",
      "Draws the hierarchy of groups and arrays below PATH, with dimensions, shape and "
      "element type of each array.",
      "varvite tree bafy...",
      { ROOT, PATH, NO_MORE },
      tree_options,
      cmd_tree,
      SINCE_FIRST },
    { "info",
      "describe a group or an array",
      "Prints shapes, dimensions, chunks, element types, codecs, fill values and attributes "
      "of the array at PATH, or of the group and the arrays in it.",
      "varvite info bafy...\nvarvite info --json bafy... TEMP",
      { ROOT, PATH, NO_MORE },
      tree_options,
      cmd_info,
      SINCE_FIRST },
    { "slice",
      "print numbers of an array",
      "Prints a part of an array. SELECTION is the array's path and, in brackets, an index "
      "or start:stop:step for each dimension, as in NumPy: negative numbers count from the "
      "end, what is left out means all, and ... stands for all dimensions not named. Steps "
      "are positive. A dimension with a plain index is dropped from the result. Dimensions may be "
      "named instead, in any order, as in tas[lon=10:20, time=0]; --at selects by coordinate.\n"
      "\n"
      "Rows and columns are labelled by the coordinates of their dimension where there are "
      "any, else by index. Values are printed as stored; scale and offset are not applied. "
      "In JSON, NaN and infinities are the texts that Zarr uses.",
      "varvite slice bafy... 'SST[0,:,10:20]'\n"
      "varvite slice bafy... 'SST[TIME=0]' --at COADSY=-5 --at COADSX=150:180\n"
      "varvite slice --npy -o sst.npy bafy... 'SST[0]'",
      { ROOT, { "SELECTION", CLI_KEY, NULL, false, false }, NO_MORE },
      slice_options,
      cmd_slice,
      SINCE_FIRST },
    { "plot",
      "draw a line, a map or a histogram of an array",
      "Draws a part of an array: a line if one dimension is left of it, a map if two are, or, "
      "with --kind line, up to 8 lines, which run along time where there is time. "
      "SELECTION is as for slice. Axes are labelled by coordinate variables where there are "
      "any: degrees, dates of every CF calendar, depths downward; their distances need not be "
      "equal. Missing values are grey, scale_factor and add_offset are applied.\n"
      "\n"
      "Without --output, a preview is drawn on standard output: in colours on a terminal, in "
      "plain characters elsewhere or with $NO_COLOR. Of a large part, each pixel shows the mean of "
      "what falls into it; a long line keeps its peaks.",
      "varvite plot -o sst.png bafy... 'SST[0]'\n"
      "varvite plot bafy... SST --at TIME=366 --at COADSY=-30:30\n"
      "varvite plot --kind histogram -o sst.pdf bafy... SST",
      { ROOT, { "SELECTION", CLI_KEY, NULL, false, false }, NO_MORE },
      plot_options,
      cmd_plot,
      SINCE_FIRST },
    { "stats",
      "what the values of arrays are, and how well they are compressed",
      "For each array: least, greatest and mean value, standard deviation, how many values "
      "there are and how many are missing; the bytes it takes in the store and decoded, and "
      "a histogram of the sizes of its chunks. PATH is an array, or a group for all arrays "
      "below it; the default is the top.\n"
      "\n"
      "NaN, _FillValue and missing_value are missing; scale_factor and add_offset are "
      "applied, which is said. Infinities are counted, and stay out of the numbers. Each "
      "chunk is read once; chunks that are not stored are counted, not read. In JSON, what "
      "there is no number for is null.\n"
      "\n"
      "Of text and bytes: the length of the shortest and the longest, in characters of text, and "
      "how many different ones there are, counted up to 65536. Of dates: the first and the last.",
      "varvite stats bafy... SST\n"
      "varvite stats --json bafy... | jq '.[] | {path, ratio}'",
      { ROOT, { "PATH", CLI_KEY, NULL, true, true }, NO_MORE },
      stats_options,
      cmd_stats,
      SINCE_FIRST },
    { "get",
      "write the value of a key to standard output",
      "Writes the bytes of one value, or a part of them, unchanged.",
      "varvite get bafy... zarr.json\nvarvite get --last 16 bafy... TEMP/c/0/0",
      { ROOT, KEY, NO_MORE },
      get_options,
      cmd_get,
      SINCE_FIRST },
    { "put",
      "set a key, and print the new root",
      "Stores the content of FILE, or standard input for -, under KEY. Without ROOT a new "
      "tree is begun. The former root stays what it was.",
      "varvite put notes.txt notes.txt\n"
      "echo hello | varvite put bafy... greeting -",
      { { "ROOT", CLI_CID, NULL, true, false },
        KEY,
        { "FILE", CLI_FILE, NULL, false, false },
        NO_MORE },
      put_options,
      cmd_put,
      SINCE_FIRST },
    { "rm",
      "delete keys, and print the new root",
      "Deletes keys from the tree. The former root stays what it was, and so do the blocks.",
      "varvite rm bafy... greeting\nvarvite rm -r bafy... TEMP",
      { ROOT, { "KEY", CLI_KEY, NULL, false, true }, NO_MORE },
      rm_options,
      cmd_rm,
      SINCE_FIRST },
    { "mv",
      "give an array or a group another path, and print the new root",
      "Moves the node at FROM, with all below it, to TO, where nothing may be; groups above "
      "it are made. No chunk is read. The former root stays what it was.",
      "varvite mv bafy... TEMP ocean/temperature",
      { ROOT,
        { "FROM", CLI_KEY, NULL, false, false },
        { "TO", CLI_KEY, NULL, false, false },
        NO_MORE },
      node_options,
      cmd_mv,
      SINCE_FIRST },
    { "cp",
      "copy an array or a group within a tree, and print the new root",
      "Copies the node at FROM, with all below it, to TO, where nothing may be; groups above "
      "it are made. Both share their chunks, of which none is read. The former root stays "
      "what it was.",
      "varvite cp bafy... TEMP backup/TEMP",
      { ROOT,
        { "FROM", CLI_KEY, NULL, false, false },
        { "TO", CLI_KEY, NULL, false, false },
        NO_MORE },
      node_options,
      cmd_cp,
      SINCE_FIRST },
    { "attr",
      "show attributes, or change them and print the new root",
      "Prints the attributes of the array or group at PATH, or the value of the one called "
      "NAME, as JSON. With NAME=JSON sets attributes, with NAME= deletes them, and prints the "
      "new root; the former one stays what it was.",
      "varvite attr bafy... TEMP\nvarvite attr bafy... TEMP units\n"
      "varvite attr bafy... TEMP units='\"K\"' valid_min=0",
      { ROOT,
        { "PATH", CLI_KEY, NULL, true, false },
        { "NAME[=JSON]", CLI_TEXT, NULL, true, true },
        NO_MORE },
      node_options,
      cmd_attr,
      SINCE_FIRST },
    { "cat",
      "write blocks, or the values of keys, to standard output",
      "With a CID alone, writes the bytes of that block. With a ROOT and keys, writes their "
      "values one after the other.",
      "varvite cat bafk...\nvarvite cat bafy... TEMP/zarr.json SALT/zarr.json",
      { { "CID|ROOT", CLI_CID, NULL, false, false },
        { "KEY", CLI_KEY, NULL, true, true },
        NO_MORE },
      cat_options,
      cmd_cat,
      SINCE_FIRST },
    { "verify",
      "hash every block below a root again and check the tree",
      "Reads and hashes every block below ROOT on several threads and checks the tree: its "
      "shape, the place of each key, the form of nodes, shards and links. Each bad or missing block "
      "is one line with its key. The exit status is 3 if there is any. Roots of every layout are checked; "
      "encrypted ones need no key for it.\n"
      "\n"
      "With --max-seconds or --sample only a part is checked, which the report says.",
      "varvite verify bafy...\nvarvite verify --sample 5% --max-seconds 60 bafy...",
      { ROOT, NO_MORE },
      verify_options,
      cmd_verify,
      SINCE_FIRST },
    { "key new",
      "make a key for encrypted roots",
      "Draws a key, writes it to FILE, which its owner alone may read and which must not be "
      "there yet, and prints the key's name. Who has the file can read what is encrypted with "
      "it; without it nobody can.",
      "varvite key new climate.key\nvarvite copy --to-key-file climate.key bafy...",
      { { "FILE", CLI_FILE, NULL, false, false }, NO_MORE },
      json_only,
      cmd_key_new,
      SINCE_FIRST },
    { "key info",
      "print the name of a key, and which keys open a root",
      "Prints the name of each key that opens the encrypted ROOT, for which no key is needed; "
      "without ROOT, the name of the key that --key-file gives. Names tell nothing of the keys.",
      "varvite key info bafy...\nvarvite key info --key-file climate.key",
      { { "ROOT", CLI_CID, NULL, true, false }, NO_MORE },
      key_options,
      cmd_key_info,
      SINCE_FIRST },
    { "key wrap",
      "let one more key open a root",
      "Wraps the key of the data set under the new key too, and prints the new root, which both "
      "keys open. No value is read or written: the data lie below both roots.",
      "varvite key wrap --key-file mine.key --new-key-file hers.key bafy...",
      { { "ROOT", CLI_CID, NULL, false, false }, NO_MORE },
      new_key_options,
      cmd_key_wrap,
      SINCE_FIRST },
    { "key rotate",
      "open a root by a new key in place of the old one",
      "Wraps the key of the data set under the new key instead of the old one, and prints the "
      "new root. No value is read or written. The old root can still be opened by the old key, "
      "until one of them is destroyed; to keep out for good who had it, copy the data set, "
      "which encrypts it anew.",
      "varvite key rotate --key-file old.key --new-key-file new.key bafy...",
      { { "ROOT", CLI_CID, NULL, false, false }, NO_MORE },
      new_key_options,
      cmd_key_rotate,
      SINCE_FIRST },
    { "key drop",
      "let a key not open a root any more",
      "Takes the key with the name NAME, as key info prints it, out of the root, and prints the "
      "new root. The last key stays. What rotate says of old roots holds here too.",
      "varvite key drop --key-file mine.key bafy... 3f2a91bc00112233",
      { { "ROOT", CLI_CID, NULL, false, false },
        { "NAME", CLI_TEXT, NULL, false, false },
        NO_MORE },
      key_options,
      cmd_key_drop,
      SINCE_FIRST },
    { "fsck",
      "check the files of the store, and repair them",
      "Checks every file of the embedded store: structure, index, and the hash of each "
      "block. Nothing is changed without --repair. The exit status is 3 if anything is left "
      "to mend.",
      "varvite fsck\nvarvite fsck --repair",
      { NO_MORE },
      fsck_options,
      cmd_fsck,
      SINCE_FIRST },
    { "compact",
      "give back the space of deleted blocks",
      "Rewrites the pack files of the embedded store that hold mostly deleted blocks, and "
      "prints how much space that gave back. Other processes may read meanwhile.",
      "varvite compact",
      { NO_MORE },
      json_only,
      cmd_compact,
      SINCE_FIRST },
    { "cid",
      "take a CID apart",
      "Prints version, codec, hash function and digest of each CID, and its text in other "
      "bases.",
      "varvite cid bafy...\nvarvite cid --base base58btc bafy...",
      { { "CID", CLI_CID, NULL, false, true }, NO_MORE },
      cid_options,
      cmd_cid,
      SINCE_FIRST },
    { "hash",
      "print the CID that a file has as one block",
      "Hashes each FILE, or standard input for -, without storing it.",
      "varvite hash data.bin\nvarvite hash --hash sha2-256 --digest data.bin",
      { { "FILE", CLI_FILE, NULL, false, true }, NO_MORE },
      hash_options,
      cmd_hash,
      SINCE_FIRST },
    { "block get",
      "write a block to standard output",
      "Writes the bytes of one block, checked against its CID.",
      "varvite block get bafk... > block.bin",
      { ONE_CID, NO_MORE },
      block_get_options,
      cmd_block_get,
      SINCE_FIRST },
    { "block put",
      "store files as blocks, and print their CIDs",
      "Stores each FILE, or standard input for -, as one block of at most 2 GiB.",
      "varvite block put data.bin\necho hello | varvite block put -",
      { { "FILE", CLI_FILE, NULL, false, true }, NO_MORE },
      block_put_options,
      cmd_block_put,
      SINCE_FIRST },
    { "block stat",
      "print the size of blocks, or of the store",
      "With CIDs, prints the bytes of each block without reading it. Without, prints how many "
      "blocks the store holds and what they take.",
      "varvite block stat\nvarvite block stat bafk...",
      { { "CID", CLI_CID, NULL, true, true }, NO_MORE },
      json_only,
      cmd_block_stat,
      SINCE_FIRST },
    { "block ls",
      "list the blocks of the store",
      "Prints the CID of every block, in no given order. The store keeps hash and digest "
      "only, so each block is named as raw.",
      "varvite block ls -l",
      { NO_MORE },
      block_ls_options,
      cmd_block_ls,
      SINCE_FIRST },
    { "block rm",
      "delete blocks from the store",
      "Deletes blocks. What is built on them cannot be read afterwards; verify tells what "
      "is missing below a root.",
      "varvite block rm bafk...",
      { { "CID", CLI_CID, NULL, false, true }, NO_MORE },
      NULL,
      cmd_block_rm,
      SINCE_FIRST },
    { "dag get",
      "print a DAG-CBOR block as DAG-JSON",
      "Prints the value of a DAG-CBOR block. A path behind the CID, with slashes, goes to a "
      "member by name or number, through links to other blocks where it meets them.",
      "varvite dag get bafy...\nvarvite dag get bafy.../1/0",
      { { "CID[/PATH]", CLI_CID, NULL, false, false }, NO_MORE },
      dag_get_options,
      cmd_dag_get,
      SINCE_FIRST },
    { "car export",
      "write everything below roots to a CAR file",
      "Writes the blocks below each ROOT, each once and in a fixed order, as a "
      "content-addressable archive, to standard output or a file.",
      "varvite car export bafy... > data.car\n"
      "varvite car export --version 2 -o data.car bafy...",
      { { "ROOT", CLI_CID, NULL, false, true }, NO_MORE },
      car_export_options,
      cmd_car_export,
      SINCE_FIRST },
    { "car import",
      "take the blocks of a CAR file into the store, and print its roots",
      "Reads a CAR file of version 1 or 2, or standard input for -, checks each block "
      "against its CID and stores it. Blocks before a failure stay.",
      "varvite car import data.car\nssh host varvite car export bafy... | "
      "varvite car import -",
      { { "FILE", CLI_FILE, NULL, false, false }, NO_MORE },
      json_only,
      cmd_car_import,
      SINCE_FIRST },
#include "table_traj.h"
    { "help",
      "print what a command does",
      "Prints the options of a command, or the list of all commands.",
      "varvite help import",
      { { "COMMAND", CLI_COMMAND, NULL, true, true }, NO_MORE },
      NULL,
      cmd_help,
      SINCE_FIRST },
    { "version",
      "print the version",
      "Prints the version of the command, and of the library where that differs.",
      NULL,
      { NO_MORE },
      json_only,
      cmd_version,
      SINCE_FIRST },
    { "completion",
      "print the completion script of a shell",
      "Prints a script that completes commands, options and arguments.",
      "varvite completion bash > /etc/bash_completion.d/varvite",
      { { "SHELL", CLI_CHOICE, "bash|zsh|fish", false, false }, NO_MORE },
      NULL,
      cmd_completion,
      SINCE_FIRST },
    { "man",
      "write the manual pages to a directory",
      "Writes varvite.1 and a page for each command to DIR, which is made if need be.",
      "varvite man /tmp/man1 && man /tmp/man1/varvite.1",
      { { "DIR", CLI_DIRECTORY, NULL, false, false }, NO_MORE },
      NULL,
      cmd_man,
      SINCE_FIRST },
    { NULL, NULL, NULL, NULL, { NO_MORE }, NULL, NULL, NULL },
};
