/* The sink that writes an HDF5 file. */
#ifndef VVI_HDF5_SINK_H
#define VVI_HDF5_SINK_H

#include "hdf5/create.h"
#include "hdf5/layout.h"
#include "recorder/sink.h"

/* Where the things of a leaf stand. */
typedef struct vvi_hdf5_leaf {
    vvi_hdf5_pipeline pipeline;
    hid_t dataset;    /* chunked ones; else -1 */
    uint64_t address; /* of one in one piece */
    uint64_t extent;  /* ROWS: rows that libhdf5 knows of */
    /* ROWS: the chunk that stands raw in the file, and how many of its rows were put. */
    uint64_t tail_chunk; /* UINT64_MAX: none */
    uint64_t tail_at;
    uint64_t tail_rows;
} vvi_hdf5_leaf;

typedef struct vvi_hdf5_group {
    vvi_hdf5_leaf *leaves;
    uint64_t rows_at;  /* address of "rows" */
    uint64_t rows;     /* as of the last commit */
    bool rows_changed; /* though the number may be the same */
    /* PLACED: address of "written"; places put since the last commit. */
    uint64_t written_at;
    uint64_t *places;
    size_t place_count, place_cap;
} vvi_hdf5_group;

typedef struct vvi_hdf5_sink {
    vvi_sink base;
    vvi_plan plan;       /* what it holds is the recorder's */
    vvi_hdf5_file *file; /* owned; outlives this in the child of a fork */
    char *path;
    hid_t id; /* of libhdf5; -1: closed */
    vvi_hdf5_group *groups;
    uint64_t next_step_at;
    int64_t next_step;
    char recording[VVI_HDF5_ID + 1];
    vvi_pool scratch;
    bool durable; /* some commit was */
    bool named;   /* its name, and the journal's, are on the disk */
    bool changed; /* something was put since the last commit */
} vvi_hdf5_sink;

/*
 * A sink over a file that is open, flagged, and committed; it takes over file, also on failure. What libhdf5 and the file
 * hold must be what plan says.
 */
vv_status vvi_hdf5_sink_over(vvi_hdf5_file *file, const char *path, const vvi_plan *plan,
                             const char *recording, vvi_hdf5_sink **out, vv_error *err);
vv_status vvi_hdf5_sink_open(vvi_hdf5_sink *self, vv_error *err);

/* With the lock held: set a leaf's rows; never fewer than there are. */
vv_status vvi_hdf5_extend(vvi_hdf5_sink *self, size_t group, size_t leaf, uint64_t rows,
                          vv_error *err);

/* The name of a file that was made or changed, on the disk. */
vv_status vvi_hdf5_sync_name(const char *path, vv_error *err);

#endif
