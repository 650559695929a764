/*
 * Trajectories: reading the HDF5 files that kUPS and the recorder write, files of H5MD, and DCD files.
 *
 * A file holds groups; a group holds a tree of leaves, each an array whose first dimension counts rows.
 * Every version of kUPS is read, also files that a writer has open or left behind when it was killed.
 * Nothing in a file is executed, and no other file is opened. Sources: docs/format/trajectory.md, docs/format/frames.md.
 *
 * Threads: an open trajectory may be read by any number at once, but for vv_traj_refresh(). Ownership:
 * close with vv_traj_close(); texts and trees that are handed out live as long as it.
 */
#ifndef VARVITE_TRAJECTORY_H
#define VARVITE_TRAJECTORY_H

#include <varvite/base.h>
#include <varvite/dtype.h>
#include <varvite/pytree.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_TRAJ_NDIM_MAX 32

typedef struct vv_traj vv_traj;

/**
 * Open a file.
 * @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT (no HDF5 file and no DCD file, cut short, no trajectory), VV_EUNSUPPORTED,
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_open(const char *path, vv_traj **out, vv_error *err);
VV_API void vv_traj_close(vv_traj *traj);

/** What is said of the whole file. */
typedef struct vv_traj_info {
    size_t group_count;
    bool is_open;          /* a writer has it open, or was killed */
    bool has_actual_steps; /* written when the file was closed */
    int64_t actual_steps;  /* the last step that was logged, and one more */
    const char
        *config_class; /* Python's name of the configuration's type; NULL: not there */
    const vv_tree *
        config; /* leaves are groups, by their names; NULL: not there, or not decodable */
    const char *config_problem; /* why it is NULL; NULL: it is there */
    uint64_t file_bytes;
    bool is_recording; /* made by the recorder: valid rows and their steps are known */
    bool
        has_next_step; /* of a recording: one past the last step that a commit covered; of H5MD and DCD: past the
                           last step */
    int64_t next_step;
    const char *
        schema_problem; /* a recording's schema that cannot be read: the file is taken as one of kUPS;
                                   NULL: all is well */
    const char *format; /* "recording", "kUPS", "H5MD", "DCD" */
} vv_traj_info;
VV_API const vv_traj_info *vv_traj_get_info(const vv_traj *traj);

/** How a group was logged. */
typedef enum vv_traj_kind {
    VV_TRAJ_UNKNOWN, /* files of kUPS do not say */
    VV_TRAJ_ONCE,    /* no rows: each leaf is its one value */
    VV_TRAJ_ROWS,    /* rows one after another */
    VV_TRAJ_PLACED   /* rows at places of an extent; some may never have been written */
} vv_traj_kind;

/** A group. One that the file names but does not hold has leaf_count 0 and a problem. */
typedef struct vv_traj_group {
    const char *name;       /* "group['step']" */
    const char *class_name; /* Python's name of the tree's type; NULL: not there */
    const vv_tree
        *tree; /* NULL: not decodable; leaves can still be read by their names */
    const char
        *problem; /* why it is NULL, or the group is not there; NULL: all is well */
    size_t leaf_count;
    const char *
        path; /* "step": readable, of parts between slashes, no two groups or leaves alike; "" for the
                         one group of a file */
    vv_traj_kind kind;
    uint64_t every;         /* ROWS: at steps that this divides; 0: not known */
    uint32_t extent_ndim;   /* PLACED */
    const uint64_t *extent; /* PLACED: places in each dimension */
} vv_traj_group;
/** @return NULL past group_count */
VV_API const vv_traj_group *vv_traj_group_at(const vv_traj *traj, size_t group);
/** @return false: there is none of that name */
VV_API bool vv_traj_group_by_name(const vv_traj *traj, const char *name, size_t *group);

/** A leaf. */
typedef struct vv_traj_leaf {
    const char *name; /* "array['pos']" */
    vv_dtype
        dtype; /* VV_RAW for types that HDF5 has no name for, such as bfloat16 of kUPS */
    size_t item_size; /* bytes of an element */
    uint32_t ndim;
    const uint64_t *
        shape; /* rows first, where the group is logged more than once; of a recording those that count */
    const uint64_t
        *chunk; /* of what is compressed and read together; NULL: stored in one piece */
    const char *filters; /* "shuffle, zstd:1"; "" for none */
    const char *path;    /* "step/positions": see vv_traj_group */
    const char *units;   /* "nm"; NULL: not known */
} vv_traj_leaf;
/**
 * @param leaf  its number in the tree
 * @return VV_OK, VV_ERANGE (no such number), VV_ENOTFOUND (named, but not in the file), VV_ECORRUPT,
 *         VV_EUNSUPPORTED (external files, types and layouts that no trajectory has), VV_EIO
 */
VV_API vv_status vv_traj_leaf_at(vv_traj *traj, size_t group, size_t leaf,
                                 vv_traj_leaf *out, vv_error *err);
/** The name of a leaf without opening it; NULL past the last. */
VV_API const char *vv_traj_leaf_name(const vv_traj *traj, size_t group, size_t leaf);
/** Its path, likewise. */
VV_API const char *vv_traj_leaf_path(const vv_traj *traj, size_t group, size_t leaf);
/** By its name, with or without "array" in front. @return false: there is none */
VV_API bool vv_traj_leaf_by_name(const vv_traj *traj, size_t group, const char *name,
                                 size_t *leaf);

/**
 * Find a group or a leaf by what people call it: a path ("step", "step/positions"), or the names in the file with
 * a slash between ("group['step']/array['positions']").
 * @param leaf  SIZE_MAX where text names a group; NULL: only a group is looked for
 * @return VV_OK, VV_ENOTFOUND (the message says what there is)
 */
VV_API vv_status vv_traj_find(const vv_traj *traj, const char *text, size_t *group,
                              size_t *leaf, vv_error *err);
/**
 * The leaves of a subtree: those whose names are the prefix, or go on behind it with another part:
 * "['forces']" takes array['forces']['lj'], and not array['forces_old']. "" takes all.
 * @param leaves  room for cap of them; NULL: only count
 * @return how many there are
 */
VV_API size_t vv_traj_select(const vv_traj *traj, size_t group, const char *prefix,
                             size_t *leaves, size_t cap);

/* ---- rows ------------------------------------------------------------------------------------- */

/** Rows of a group, as of the last vv_traj_open() or vv_traj_refresh(). */
typedef struct vv_traj_rows {
    size_t struct_size; /* set by VV_TRAJ_ROWS_INIT */
    bool
        has_rows; /* false: each leaf is one value, or the leaves do not agree on their first dimension */
    bool
        is_known; /* false: a file of kUPS, which does not say how many rows were written: rows is the extent */
    bool has_steps; /* the step of each row is there */
    uint64_t
        rows; /* ROWS: those that count. PLACED: places in the first dimension. ONCE: 0 or 1, whether the
                       values were logged */
    uint64_t written; /* PLACED: places that were written; others: rows */
} vv_traj_rows;
#define VV_TRAJ_ROWS_INIT ((vv_traj_rows){ .struct_size = sizeof(vv_traj_rows) })
/** @return VV_OK, VV_EINVAL (struct_size), VV_ERANGE (no such group), VV_ECORRUPT, VV_EIO, VV_ENOMEM */
VV_API vv_status vv_traj_get_rows(vv_traj *traj, size_t group, vv_traj_rows *out,
                                  vv_error *err);
/**
 * The steps of rows first to first + count.
 * @return VV_OK, VV_ENOTFOUND (not recorded: a file of kUPS, a group without rows), VV_ERANGE, VV_ECORRUPT, VV_EIO
 */
VV_API vv_status vv_traj_read_steps(vv_traj *traj, size_t group, uint64_t first,
                                    uint64_t count, int64_t *out, vv_error *err);
/** The first row of a step not below this one; the number of rows where all are below.
 *  @return as vv_traj_read_steps() */
VV_API vv_status vv_traj_row_of_step(vv_traj *traj, size_t group, int64_t step,
                                     uint64_t *row, vv_error *err);
/**
 * Which places of a PLACED group were written: 1 or 0 for each, in C order of its extent.
 * @param n  the number of places, checked
 * @return VV_OK, VV_ENOTFOUND (no PLACED group), VV_EINVAL (n), VV_ECORRUPT, VV_EIO
 */
VV_API vv_status vv_traj_read_written(vv_traj *traj, size_t group, uint8_t *out, size_t n,
                                      vv_error *err);

/* ---- reading ---------------------------------------------------------------------------------- */

/**
 * Read count[i] elements of a leaf from start[i], every step[i]-th, in C order and native byte order. Of a
 * recording only rows that count can be read; places that were never written read as zeros, and so do rows of
 * kUPS. Of chunks that are stored plain only the bytes asked for are read; compressed ones are decoded by many
 * threads, and the last 64 MiB of which a part was asked for stay decoded.
 *
 * While a writer has the file open, what looks corrupt is read again a few times, some milliseconds apart.
 * @param step       ndim steps ≥ 1; NULL: all 1
 * @param out_bytes  size of out, checked
 * @return VV_OK, VV_ERANGE, VV_EINVAL (out_bytes, a step of 0), VV_ECORRUPT (names the leaf and the
 *         chunk), VV_EUNSUPPORTED (a filter), VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_read(vv_traj *traj, size_t group, size_t leaf,
                              const uint64_t *start, const uint64_t *count,
                              const uint64_t *step, void *out, size_t out_bytes,
                              vv_error *err);
/** Read n rows of a leaf by their numbers, in any order; out: n × the elements of a row. */
VV_API vv_status vv_traj_read_rows(vv_traj *traj, size_t group, size_t leaf,
                                   const uint64_t *rows, size_t n, void *out,
                                   size_t out_bytes, vv_error *err);
/** Read the rows i below n for which mask[i] is not 0. @return also VV_EINVAL (out_bytes) */
VV_API vv_status vv_traj_read_mask(vv_traj *traj, size_t group, size_t leaf,
                                   const uint8_t *mask, size_t n, void *out,
                                   size_t out_bytes, vv_error *err);

/** Rows of several leaves, batch after batch. One thread at a time; the trajectory must live longer. */
typedef struct vv_traj_batches vv_traj_batches;
/**
 * Go through rows first to stop of leaves of one group. A batch is as many rows as memory_bytes hold, at least one;
 * where whole chunks fit, batches end where chunks of the largest leaf do.
 * @param leaves        leaf_count of them; NULL: all
 * @param stop          UINT64_MAX: to the last row
 * @param memory_bytes  of the rows handed out at once; 0: 64 MiB
 * @return VV_OK, VV_EINVAL (no leaf; leaves that do not have these rows in common), VV_ERANGE, VV_ECORRUPT, VV_EIO,
 *         VV_ENOMEM
 */
VV_API vv_status vv_traj_batches_new(vv_traj *traj, size_t group, const size_t *leaves,
                                     size_t leaf_count, uint64_t first, uint64_t stop,
                                     uint64_t memory_bytes, vv_traj_batches **out,
                                     vv_error *err);
/**
 * Read the next batch.
 * @param first  its first row
 * @param count  its rows; 0: there are no more
 * @param data   the rows of each leaf; lives until the next call
 */
VV_API vv_status vv_traj_batches_next(vv_traj_batches *batches, uint64_t *first,
                                      uint64_t *count, const void *const **data,
                                      vv_error *err);
VV_API void vv_traj_batches_free(vv_traj_batches *batches); /* NULL is fine */
/** Rows of a batch. */
VV_API uint64_t vv_traj_batches_rows(const vv_traj_batches *batches);

/* ---- live ------------------------------------------------------------------------------------- */

/** Look again at a file that is being written: its length, its end, rows and the leaves' extents. What leaves and
 *  rows were told before is void. */
VV_API vv_status vv_traj_refresh(vv_traj *traj, vv_error *err);
/**
 * Wait until a group has more than seen rows (PLACED: more places written). Looks at the file again and again, with
 * pauses that grow to 50 ms, and takes a commit that is only half there for none. As vv_traj_refresh() for threads.
 * @param rows  those there are now, also on VV_ENOTFOUND and VV_ETIMEDOUT
 * @return VV_OK, VV_ENOTFOUND (there will be no more: the writer has closed the file), VV_ETIMEDOUT, VV_ERANGE,
 *         VV_ECORRUPT, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_follow(vv_traj *traj, size_t group, uint64_t seen,
                                uint32_t timeout_ms, uint64_t *rows, vv_error *err);

/**
 * Has a writer the file open now? Told by its lock: the recorder holds one as long as it records, h5py unless in SWMR mode.
 * A file that was not closed and that no writer has was left by one that was killed.
 * @return VV_OK, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_is_written(const vv_traj *traj, bool *out, vv_error *err);

/* ---- what is stored ---------------------------------------------------------------------------- */

/** How a leaf is stored. */
typedef struct vv_traj_storage {
    size_t struct_size;    /* set by VV_TRAJ_STORAGE_INIT */
    uint64_t raw_bytes;    /* of its rows, decoded */
    uint64_t stored_bytes; /* of its chunks in the file */
    uint64_t chunks;       /* that are stored */
    uint64_t absent;       /* that were never written */
    uint64_t plain;        /* stored without any filter */
} vv_traj_storage;
#define VV_TRAJ_STORAGE_INIT ((vv_traj_storage){ .struct_size = sizeof(vv_traj_storage) })
VV_API vv_status vv_traj_leaf_storage(vv_traj *traj, size_t group, size_t leaf,
                                      vv_traj_storage *out, vv_error *err);

/** Told of each thing that is wrong: where ("step/positions", "step", ""), and what. Any status but VV_OK ends the
 *  check. */
typedef vv_status (*vv_traj_problem_fn)(void *ctx, const char *where, const char *what,
                                        vv_error *err);
typedef struct vv_traj_check_options {
    size_t struct_size;         /* set by VV_TRAJ_CHECK_OPTIONS_INIT */
    vv_traj_problem_fn problem; /* NULL: only count */
    vv_progress_fn progress;    /* bytes of chunks that were decoded */
    void *ctx;                  /* of both */
} vv_traj_check_options;
#define VV_TRAJ_CHECK_OPTIONS_INIT \
    ((vv_traj_check_options){ .struct_size = sizeof(vv_traj_check_options) })
typedef struct vv_traj_check_report {
    size_t struct_size; /* set by VV_TRAJ_CHECK_REPORT_INIT */
    uint64_t problems;
    uint64_t groups, leaves, chunks;
    uint64_t bytes;  /* decoded */
    bool is_open;    /* a writer has it open, or was killed: counted as no problem */
    bool is_written; /* of these, by its lock: a writer has it open now */
} vv_traj_check_report;
#define VV_TRAJ_CHECK_REPORT_INIT \
    ((vv_traj_check_report){ .struct_size = sizeof(vv_traj_check_report) })
/**
 * Check everything: schema and trees, that each leaf has the type, shape and rows that are said, that each chunk lies
 * in the file, in none that another chunk takes, and decodes (which checks its checksum where it has one), that steps
 * rise and that as many places are written as are counted.
 * @param options  NULL: the defaults
 * @return VV_OK also where there are problems; VV_ECANCELED and others of the callbacks, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_check(vv_traj *traj, const vv_traj_check_options *options,
                               vv_traj_check_report *out, vv_error *err);

/* ---- as a Zarr hierarchy ------------------------------------------------------------------------ */

/**
 * Open a file as a read-only store that holds a Zarr v3 hierarchy: a group for each group, an array for each leaf at
 * its path (places that were never written are NaN where the type has it), and beside them "steps" (int64, the coordinate of the rows) and "written" (of places). Chunks are the
 * leaf's, decoded. It shows the file as it was when it was opened.
 * @return as vv_traj_open()
 */
VV_API vv_status vv_traj_store_open(const char *path, vv_store **out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
