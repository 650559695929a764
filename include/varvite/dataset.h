/*
 * Data sets: netCDF and HDF5 files, and Zarr directories, in and out of Zarr stores.
 *
 * Threads: one call at a time in the process for netCDF files (libnetcdf is not thread-safe; the
 * room holds one lock for it).
 */
#ifndef VARVITE_DATASET_H
#define VARVITE_DATASET_H

#include <varvite/base.h>
#include <varvite/store.h>
#include <varvite/zarr.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_import_options {
    size_t struct_size;
    const char
        *chunks; /* "time=12,lat=90": by dimension name; others by default. NULL: default
                             of 1 to 4 MiB a chunk */
    const char *codecs; /* as in vv_array_meta; NULL: "zstd:3" */
    const char *const
        *variables; /* names or paths to take, coordinates come along; NULL: all */
    size_t variable_count;
    uint64_t memory_bytes; /* cap of buffers; 0: 128 MiB */
    uint32_t threads;      /* 0: one a processor */
    /* Go on with an import of the same file that was stopped: a chunk that the store has under its key
     * is not written again. A note in the group tells which file it was of; another one, or one that
     * was changed since, is VV_EEXISTS. Where there is no note, nothing counts as stored. */
    bool skip_existing;
    vv_progress_fn progress; /* bytes of array data */
    /* Told once for each variable which chunks were chosen. NULL: not wanted. */
    void (*planned)(void *ctx, const char *path, const vv_array_meta *meta);
    void *ctx;
    /* Take char variables as uint8 arrays of their bytes. Without it they become strings of a fixed
     * length, without the dimension that the chars lie along, as xarray reads them. An export makes
     * them char again, either way. */
    bool text_as_bytes;
    /* Lengths of shards, as chunks are given; each is made a whole number of chunks. NULL: no
     * shards. */
    const char *shards;
    /* Replace arrays that are there, and attributes of groups that are there where the source has others.
     * Without it both are VV_EEXISTS, and nothing is written; an import that is taken up again, by its
     * note, replaces what the stopped one left. */
    bool overwrite;
} vv_import_options;
#define VV_IMPORT_OPTIONS_INIT \
    ((vv_import_options){ .struct_size = sizeof(vv_import_options) })

/** Counts of an import or export. */
typedef struct vv_import_result {
    uint64_t groups, arrays, chunks;
    uint64_t bytes;        /* of array data, decoded */
    uint64_t stored_bytes; /* of values written */
} vv_import_result;

/**
 * Import a netCDF-3, netCDF-4 or HDF5 file, or a Zarr directory (of version 3 or 2), below group path of store.
 *
 * Groups, attributes, dimension names, _FillValue, scale and offset and times are kept so that
 * xarray opens the result as it opens the source. What cannot be represented (compound types,
 * …) is refused by name before anything is written. Memory stays under memory_bytes plus one
 * chunk a thread. A failure or a stop leaves the chunks stored so far. Groups that are there keep their
 * attributes and get those of the source beside them.
 *
 * @return VV_OK, VV_ENOTFOUND (file), VV_EINVAL (options, no data file), VV_EUNSUPPORTED,
 *         VV_EEXISTS (see skip_existing and overwrite; an array where a group is to be, or the
 *         reverse), VV_ECORRUPT (the source), VV_ECANCELED, VV_EIO,
 *         VV_ENOMEM
 */
VV_API vv_status vv_dataset_import(const char *source, vv_store *store, const char *path,
                                   const vv_import_options *options,
                                   vv_import_result *result, vv_error *err);

/**
 * Open a source in a child process, look at all its metadata, and close it again.
 *
 * libhdf5 can crash on damaged files. A program that must not go down with it probes a file of
 * unknown origin before it imports or compares it; values are not read. Files that are not HDF5
 * are only checked, without a child. For processes whose other threads can bear a fork().
 *
 * @return VV_OK, VV_ECORRUPT (also: the child crashed, or took more than 20 s of processor time), and what vv_dataset_import() returns for a source that it cannot open
 */
VV_API vv_status vv_dataset_probe(const char *source, vv_error *err);

typedef enum vv_export_format {
    VV_EXPORT_AUTO = 0,
    VV_EXPORT_ZARR,
    VV_EXPORT_NETCDF
} vv_export_format;

typedef struct vv_export_options {
    size_t struct_size;
    vv_export_format
        format; /* AUTO: netCDF-4 when target ends in .nc, .nc4, .cdf; else Zarr */
    uint64_t memory_bytes; /* 0: 128 MiB */
    bool overwrite;
    uint32_t deflate_level;  /* netCDF: 0 … 9 */
    vv_progress_fn progress; /* bytes of array data */
    void *ctx;
    /* Of a netCDF file: the arrays to write, by name or by path below the group, and what they refer to
     * (coordinates, bounds, …); NULL: all. */
    const char *const *variables;
    size_t variable_count;
} vv_export_options;
#define VV_EXPORT_OPTIONS_INIT \
    ((vv_export_options){ .struct_size = sizeof(vv_export_options) })

/**
 * Export the group at path: a Zarr v3 directory (chunks copied as they are) or one netCDF-4 file.
 * Written under another name beside target and renamed when complete.
 * @return VV_OK, VV_EEXISTS, VV_ENOTFOUND, VV_EINVAL (no such variable, or variables of a Zarr export),
 *         VV_EUNSUPPORTED (arrays that netCDF cannot hold, by name; nothing was written), VV_ECORRUPT,
 *         VV_ECANCELED, VV_EIO
 */
VV_API vv_status vv_dataset_export(vv_store *store, const char *path, const char *target,
                                   const vv_export_options *options,
                                   vv_import_result *result, vv_error *err);

/** A difference that vv_dataset_compare() found. */
typedef struct vv_difference {
    const char *path; /* variable or group */
    const char
        *message; /* one line: "attribute units: 'K' and 'degC'", "12 of 90 values" */
} vv_difference;
typedef vv_status (*vv_difference_fn)(void *ctx, const vv_difference *difference);

typedef struct vv_compare_options {
    size_t struct_size;
    uint64_t memory_bytes;   /* of the values in hand; 0: 32 MiB */
    vv_progress_fn progress; /* bytes of array data */
    void *progress_ctx;
} vv_compare_options;
#define VV_COMPARE_OPTIONS_INIT \
    ((vv_compare_options){ .struct_size = sizeof(vv_compare_options) })

/**
 * Compare a file or directory that vv_dataset_import() reads with the group at path: groups,
 * dimensions, attributes and every value bit for bit (NaN equals NaN of the same bits).
 * @param differences  how many were found; each is told to visit
 */
VV_API vv_status vv_dataset_compare(const char *source, vv_store *store, const char *path,
                                    const vv_compare_options *options,
                                    vv_difference_fn visit, void *ctx,
                                    uint64_t *differences, uint64_t *values_compared,
                                    vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
