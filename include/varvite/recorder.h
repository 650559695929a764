/*
 * Recording: a running simulation hands over its state, the library writes it in the background.
 *
 * A recording has groups; a group has a frequency and a tree of named leaves, arrays of fixed type and
 * shape. vv_recorder_log() checks the values against that schema, copies them and returns; one writer
 * thread packs rows into chunks, has workers compress them, and hands them to a sink: an HDF5 file
 * (docs/format/trajectory.md) or a Zarr hierarchy in any store.
 *
 * The contract: memory stays under a declared cap; a full recorder does what was asked (wait up to a
 * deadline, fail, drop, thin); a failure in the background is kept and returned by the next call; what a
 * flush covered survives a kill (VV_PROCESS) or a power cut (VV_DURABLE); no call waits without a limit.
 *
 * Threads: log, flush, stats and close may be called from any thread; calls of log are taken one after
 * another. close must be the last. After a fork() a recorder belongs to the parent: in the child each call
 * but vv_recorder_abandon() is VV_EINVAL. Ownership: close always frees.
 */
#ifndef VARVITE_RECORDER_H
#define VARVITE_RECORDER_H

#include <varvite/base.h>
#include <varvite/cid.h>
#include <varvite/dtype.h>
#include <varvite/pytree.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what is recorded ------------------------------------------------------------------------- */

/* Dimensions of a leaf, without the rows. */
#define VV_RECORDER_NDIM_MAX 31

/**
 * When a group is logged, and where its rows go.
 *
 * once: at step 0, its leaves have no rows. every n: at steps that n divides, one row after another as
 * they are logged; each row's step is kept beside them. A caller's own functions: where due() says so, at
 * the place that index() gives in an extent that shape() gives once, before the recording begins.
 */
typedef struct vv_frequency {
    uint64_t every; /* 0: once, unless due is set */
    bool (*due)(void *ctx, int64_t step);
    /* Up to 8 dimensions, in rows. total_steps: of the options, -1 when it is not known. */
    vv_status (*shape)(void *ctx, int64_t total_steps, uint32_t *ndim, uint64_t *shape,
                       vv_error *err);
    vv_status (*index)(void *ctx, int64_t step, uint64_t *index, vv_error *err);
    void *ctx;
} vv_frequency;
/* clang-format off */
#define VV_ONCE     ((vv_frequency){ .every = 0 })
#define VV_EVERY(n) ((vv_frequency){ .every = (n) })
/* clang-format on */

/** How the chunks of a group are stored. */
typedef enum vv_compression_codec {
    VV_COMPRESS_DEFAULT = 0, /* zstd */
    VV_COMPRESS_NONE,
    VV_COMPRESS_ZSTD,
    VV_COMPRESS_GZIP,
    VV_COMPRESS_LZF,
    VV_COMPRESS_BLOSC /* blosc with lz4 */
} vv_compression_codec;

typedef struct vv_compression {
    vv_compression_codec codec;
    int32_t level;   /* 0: 1 for zstd and gzip, 5 for blosc; lzf has none */
    bool no_shuffle; /* shuffle the bytes of elements is the default */
    uint64_t
        chunk_bytes; /* aimed at, of a leaf; 0: chosen so that a row is cheap to read */
} vv_compression;

/** What a recording holds: groups, trees, types and shapes. One thread at a time. */
typedef struct vv_schema vv_schema;

VV_API vv_status vv_schema_new(vv_schema **out, vv_error *err);
/**
 * From JSON:
 *
 *   {"groups": {"init": {"every": "once", "leaves": {"box": "float64[3,3]"}},
 *               "step": {"every": 10, "compression": "zstd:1",
 *                        "leaves": {"positions": "float32[1000,3]", "energy": "float64"}}}}
 *
 * Leaves: an object is a dict, an array a list, a text a leaf, an object with a "kind" a node of
 * docs/format/tree.md, whose leaves have "dtype" and "shape", and "units" where they are said. Leaves are numbered as they stand. All of it is in
 * docs/recording.md.
 * @return VV_OK, VV_EINVAL (names the group and the leaf), VV_EUNSUPPORTED (as vv_schema_add_leaf()), VV_ELIMIT,
 *         VV_ENOMEM
 */
VV_API vv_status vv_schema_from_json(const char *text, vv_schema **out, vv_error *err);
/** The same, of a file's. Groups with functions of the caller say "custom"; leaves stand as they are numbered. Terminated. */
VV_API vv_status vv_schema_to_json(const vv_schema *schema, vv_buf *out, vv_error *err);
VV_API void vv_schema_free(vv_schema *schema);

/**
 * Add a group. Its name is its key in the configuration, which is a dict: "step" is "group['step']" in the
 * file. An empty name: the one group of the recording, "group".
 * @param compression  NULL: the default
 * @param group        its number: groups are numbered as they are added
 * @return VV_OK, VV_EINVAL (a name that is there, or that clashes as a path in the file), VV_ENOMEM
 */
VV_API vv_status vv_schema_add_group(vv_schema *schema, const char *name,
                                     vv_frequency frequency,
                                     const vv_compression *compression, size_t *group,
                                     vv_error *err);
/** Give a group another frequency: to one of JSON that says "custom", its functions. @return VV_OK, VV_EINVAL */
VV_API vv_status vv_schema_set_frequency(vv_schema *schema, size_t group,
                                         vv_frequency frequency, vv_error *err);
/**
 * Add a leaf to a group whose tree is a dict. An empty name: the one leaf of the group, without a dict.
 * @param shape  of a value, without rows; ndim 0: a scalar
 * @param leaf   its number: leaves are numbered as they are added
 * @return VV_OK, VV_EINVAL (raw bits, whose size only vv_schema_set_tree() takes, too), VV_EUNSUPPORTED (elements
 *         of variable length, text, times), VV_ENOMEM
 */
VV_API vv_status vv_schema_add_leaf(vv_schema *schema, size_t group, const char *name,
                                    vv_dtype dtype, uint32_t ndim, const uint64_t *shape,
                                    size_t *leaf, vv_error *err);
/** A leaf's type and shape, in a tree. What is not set is zero. */
typedef struct vv_leaf_type {
    vv_dtype dtype;
    size_t item_size; /* VV_RAW: bytes of an element; others 0 */
    uint32_t ndim;
    const uint64_t *shape;
    const char *units; /* "nm"; NULL: not said */
} vv_leaf_type;
#define VV_UNITS_MAX 255 /* bytes of a leaf's units */
/** Give a group any tree; types in the order of its leaves, which are numbered so. The tree is copied. */
VV_API vv_status vv_schema_set_tree(vv_schema *schema, size_t group, const vv_tree *tree,
                                    const vv_leaf_type *types, size_t count,
                                    vv_error *err);
/** Say what a leaf's values are counted in: "nm", "kJ mol-1"; any text, kept as an attribute of the leaf's array. NULL, or
 *  an empty one: nothing is said. @return VV_OK, VV_EINVAL (no such leaf; not UTF-8, or more than VV_UNITS_MAX bytes),
 *  VV_ENOMEM */
VV_API vv_status vv_schema_set_units(vv_schema *schema, size_t group, size_t leaf,
                                     const char *units, vv_error *err);
/** Give the configuration another tree than a dict: its leaves are the groups, in their order. */
VV_API vv_status vv_schema_set_config(vv_schema *schema, const vv_tree *config,
                                      vv_error *err);

VV_API size_t vv_schema_group_count(const vv_schema *schema);
/** @return false: there is none. The name as it was added ("step"), or as in the file ("group['step']"). */
VV_API bool vv_schema_group_by_name(const vv_schema *schema, const char *name,
                                    size_t *group);
VV_API const char *vv_schema_group_name(const vv_schema *schema,
                                        size_t group); /* as in the file */
VV_API size_t vv_schema_leaf_count(const vv_schema *schema, size_t group);
VV_API bool vv_schema_leaf_by_name(const vv_schema *schema, size_t group,
                                   const char *name, size_t *leaf);
VV_API const char *vv_schema_leaf_name(const vv_schema *schema, size_t group,
                                       size_t leaf); /* "array['positions']" */
/** What it points at lives as long as the schema is not changed. @return false: no such leaf */
VV_API bool vv_schema_leaf_type(const vv_schema *schema, size_t group, size_t leaf,
                                vv_leaf_type *out);
/** Of the values, without what is kept beside them; UINT64_MAX: as much or more. */
VV_API uint64_t vv_schema_row_bytes(const vv_schema *schema, size_t group);

/* ---- the contract --------------------------------------------------------------------------- */

/** What log does when the cap is reached. */
typedef enum vv_full_policy {
    VV_FULL_BLOCK = 0, /* wait up to block_ms, then VV_ETIMEDOUT; the row is not taken */
    VV_FULL_FAIL,      /* VV_ELIMIT at once; the row is not taken */
    VV_FULL_DROP_OLDEST, /* forget the oldest rows that nobody began to write, take this one */
    VV_FULL_THIN /* from half full on take every second row, then every fourth, …; never wait */
} vv_full_policy;

typedef struct vv_recorder_stats {
    size_t struct_size;    /* set by VV_RECORDER_STATS_INIT */
    uint64_t logged;       /* rows that log took, of all groups */
    uint64_t written;      /* rows in the sink */
    uint64_t flushed;      /* rows that survive a kill */
    uint64_t durable;      /* rows that survive a power cut */
    uint64_t dropped;      /* taken and forgotten again, by VV_FULL_DROP_OLDEST */
    uint64_t thinned;      /* not taken, by VV_FULL_THIN */
    uint64_t refused;      /* not taken: full */
    uint64_t queued_bytes; /* of rows that were taken and are not in the sink */
    uint64_t memory_bytes; /* held now; peak_memory_bytes: the most at any time */
    uint64_t peak_memory_bytes;
    uint64_t raw_bytes;    /* of rows in the sink */
    uint64_t stored_bytes; /* that they take there */
    uint64_t flushes;
    uint64_t waits; /* calls of log that waited, and how long all of them did */
    uint64_t wait_ns;
    /* How late rows were in the sink after they were logged: counts of rows below 1 ms, 2 ms, 4 ms, …; the
     * last takes the rest. */
    uint64_t lateness[24];
    vv_status failure; /* VV_OK, or what is returned by the next call */
} vv_recorder_stats;
#define VV_RECORDER_STATS_INIT \
    ((vv_recorder_stats){ .struct_size = sizeof(vv_recorder_stats) })

/** Told by the writer thread about once a second and at the end; must not call the recorder. One that runs when
 *  close gives up waiting goes on until it returns. */
typedef void (*vv_recorder_progress_fn)(void *ctx, const vv_recorder_stats *stats);

typedef struct vv_recorder_options {
    size_t struct_size;
    uint64_t
        memory_bytes; /* cap of all rows and chunks held; 0: 64 MiB. At least two rows of each group, and some more to
                         compress one; VV_ELIMIT says how much */
    vv_full_policy when_full;
    uint32_t block_ms; /* 0: 30 000 */
    uint32_t flush_ms; /* flush by itself when rows are this old; 0: 1 000 */
    vv_durability
        durability;      /* of those flushes, and of close. VV_DURABLE is the default */
    uint32_t close_ms;   /* close waits no longer for rows to be written; 0: 60 000 */
    uint32_t threads;    /* that compress, the writer among them; 0: one a processor */
    int64_t total_steps; /* steps past it are refused, VV_ERANGE; 0: not known */
    bool checksum;       /* a checksum a chunk: fletcher32 in HDF5, crc32c in Zarr */
    bool overwrite; /* replace a recording that is there, once the new one is valid */
    vv_recorder_progress_fn progress;
    void *ctx;
} vv_recorder_options;
#define VV_RECORDER_OPTIONS_INIT \
    ((vv_recorder_options){ .struct_size = sizeof(vv_recorder_options) })

/* ---- recording ------------------------------------------------------------------------------ */

typedef struct vv_recorder vv_recorder;

/**
 * Begin an HDF5 file. It takes its name when it is valid, so a failure leaves a file that was there as it was.
 * @param options  NULL: the defaults
 * @return VV_OK, VV_EEXISTS, VV_EBUSY (another process records into it), VV_EINVAL (no leaf; names that clash
 *         as paths), VV_ELIMIT (the cap is too small for two rows), VV_EUNSUPPORTED (built without HDF5),
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_recorder_create_hdf5(const char *path, const vv_schema *schema,
                                         const vv_recorder_options *options,
                                         vv_recorder **out, vv_error *err);
/**
 * Go on with a file that the recorder wrote, closed or killed: rows of steps from next_step on are cut off, then
 * log takes steps from next_step.
 * Groups and leaves keep the numbers they had. What was safe from a power cut stays so, so every flush is durable.
 * @param schema     must be the file's; NULL: the file's is taken (groups of the caller's own frequency need theirs)
 * @param next_step  -1: behind the last row
 * @return also VV_ENOTFOUND, VV_EUNSUPPORTED (the file was not made by the recorder), VV_ECORRUPT
 */
VV_API vv_status vv_recorder_append_hdf5(const char *path, const vv_schema *schema,
                                         int64_t next_step,
                                         const vv_recorder_options *options,
                                         vv_recorder **out, vv_error *err);

/** Told of the root after each flush, which names all rows up to now: by the writer thread, the first time by the
 *  call that begins. */
typedef void (*vv_recorder_root_fn)(void *ctx, const vv_cid *root);
/**
 * Begin a Zarr hierarchy below path of a store: a group for each group, an array for each leaf. A HAMT store has
 * one root a flush. In a directory store it is locked against a second writer, VV_EBUSY; in others the caller sees to it.
 * @param root  may be NULL
 * @return as vv_recorder_create_hdf5()
 */
VV_API vv_status vv_recorder_create_zarr(vv_store *store, const char *path,
                                         const vv_schema *schema,
                                         const vv_recorder_options *options,
                                         vv_recorder_root_fn root, void *root_ctx,
                                         vv_recorder **out, vv_error *err);
VV_API vv_status vv_recorder_append_zarr(vv_store *store, const char *path,
                                         const vv_schema *schema, int64_t next_step,
                                         const vv_recorder_options *options,
                                         vv_recorder_root_fn root, void *root_ctx,
                                         vv_recorder **out, vv_error *err);

/** The schema that is recorded, a copy; lives as long as the recorder. */
VV_API const vv_schema *vv_recorder_schema(const vv_recorder *recorder);

/** Is a group to be logged at this step? Cheap, so that values need not be made for nothing. */
VV_API bool vv_recorder_due(const vv_recorder *recorder, size_t group, int64_t step);

/** One leaf's value: its elements in C order and native byte order, and what they are. */
typedef struct vv_value {
    const void *data;
    vv_dtype dtype;
    uint32_t ndim;
    const uint64_t *shape;
} vv_value;
typedef struct vv_frame {
    size_t group;
    const vv_value *leaves; /* in the order of the group's leaves */
    size_t leaf_count;
} vv_frame;

/**
 * Log a step: all groups that are due, as one. Groups that are not due may be given, and are passed over. The values
 * are copied. A caller's own frequency is asked from here, by one thread at a time. Nothing is converted: another type or shape is an error, and then no group has the step.
 * @return VV_OK, VV_EINVAL (names group and leaf: type, shape, count, a due group missing; a negative step;
 *         a step not past the last one), VV_ERANGE (past total_steps or an extent),
 *         VV_ETIMEDOUT or VV_ELIMIT (full, see vv_full_policy), or the failure of the writer
 */
VV_API vv_status vv_recorder_log(vv_recorder *recorder, int64_t step,
                                 const vv_frame *frames, size_t count, vv_error *err);
/** The same for one group and values that are what the schema says; not for a step at which other groups
 *  are due too. A pointer for each leaf. */
VV_API vv_status vv_recorder_log_group(vv_recorder *recorder, int64_t step, size_t group,
                                       const void *const *leaves, size_t leaf_count,
                                       vv_error *err);

/**
 * Wait until all rows logged so far survive a kill or a power cut.
 * @param timeout_ms  0: close_ms of the options
 * @return VV_OK, VV_ETIMEDOUT, or the failure of the writer
 */
VV_API vv_status vv_recorder_flush(vv_recorder *recorder, vv_durability durability,
                                   uint32_t timeout_ms, vv_error *err);
/** Numbers as of one moment, but for rows that move meanwhile. In the child of a fork, failure is VV_EINVAL.
 *  @return VV_OK, VV_EINVAL (struct_size: out is left as it is) */
VV_API vv_status vv_recorder_get_stats(vv_recorder *recorder, vv_recorder_stats *out);
/** Text attributes of the whole recording, put there when it is closed: {"author": "…"} as JSON, in place of those
 *  that were set before. @return VV_OK, VV_EINVAL (no object of texts; a name that the recording has itself), VV_ENOMEM */
VV_API vv_status vv_recorder_set_attributes(vv_recorder *recorder, const char *json,
                                            vv_error *err);

/**
 * Write what is left, make the recording an ordinary closed one, and free the recorder, also when this fails. NULL is
 * fine.
 * @return VV_OK, VV_ETIMEDOUT (rows were left; what flushes covered is there), or the failure of the writer
 */
VV_API vv_status vv_recorder_close(vv_recorder *recorder, vv_error *err);
/** Free it without writing: in the child of a fork, or to give a recording up. What flushes covered is there. */
VV_API void vv_recorder_abandon(vv_recorder *recorder);

/* ---- before the run, and after ------------------------------------------------------------------- */

typedef struct vv_recorder_estimate {
    size_t struct_size;        /* set by VV_RECORDER_ESTIMATE_INIT */
    uint64_t memory_bytes;     /* that the recorder will hold at most */
    uint64_t raw_bytes;        /* of all rows */
    uint64_t file_bytes_least; /* stored, if values compress ten times */
    uint64_t file_bytes_most;  /* stored, if they do not */
    uint64_t rows;             /* of all groups */
} vv_recorder_estimate;
#define VV_RECORDER_ESTIMATE_INIT \
    ((vv_recorder_estimate){ .struct_size = sizeof(vv_recorder_estimate) })
/** What a recording of this many steps will take. Groups of the caller's own frequency by their extents.
 *  @return VV_OK, or as vv_recorder_create_hdf5(); VV_EINVAL also for out's struct_size */
VV_API vv_status vv_recorder_estimate_steps(const vv_schema *schema,
                                            const vv_recorder_options *options,
                                            int64_t steps, vv_recorder_estimate *out,
                                            vv_error *err);

/** What a check of a recording's file found. */
typedef struct vv_repair_report {
    size_t struct_size; /* set by VV_REPAIR_REPORT_INIT */
    bool was_open;      /* a writer was killed */
    bool journal;       /* a flush that had not reached the file was brought there */
    uint64_t rows; /* of all groups, that count; 0 for files of kUPS, which do not say */
    uint64_t bytes_freed; /* behind the end, or given back to the file system */
    bool changed;         /* the file was written to */
} vv_repair_report;
#define VV_REPAIR_REPORT_INIT \
    ((vv_repair_report){ .struct_size = sizeof(vv_repair_report) })
/**
 * Make a file that a killed writer left an ordinary closed one, which plain h5py opens: the recorder's own, and those of
 * kUPS. A power cut in the midst of it leaves it to be done again. A file that is closed is not written to.
 * @param dry_run  only say what would be done
 * @param out      NULL if not wanted
 * @return VV_OK, VV_EINVAL (struct_size: nothing was done), VV_EBUSY (a writer has it open), VV_ENOTFOUND, VV_ECORRUPT (what cannot be mended, with its place),
 *         VV_EUNSUPPORTED, VV_EIO
 */
VV_API vv_status vv_traj_repair(const char *path, bool dry_run, vv_repair_report *out,
                                vv_error *err);
/**
 * The same for a Zarr recording that a killed writer left in a store that it wrote to as it went, a directory: arrays of a
 * group may be longer than its last commit covered, and are cut to that. A HAMT has no such state: its last root is whole.
 * @return also VV_EINVAL (a group of the caller's own frequency: its program goes on with it and closes it)
 */
VV_API vv_status vv_recorder_repair_zarr(vv_store *store, const char *path, bool dry_run,
                                         vv_repair_report *out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
