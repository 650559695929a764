/*
 * Recordings in Zarr: a group for each group, an array for each leaf. docs/format/recording-zarr.md
 *
 * The document of the recording is what a commit ends with: it says how many rows of each group count.
 */
#ifndef VVI_RECORDER_ZARR_SINK_H
#define VVI_RECORDER_ZARR_SINK_H

#include "codec/codec.h"
#include "grid/grid.h"
#include "recorder/sink.h"
#include "recorder/zarr_names.h"
#include "util/file.h"
#include "zarr/meta.h"
#include "json/json.h"

/* The attribute of the recording's group that makes it one, and those of groups and leaves. */
#define VVI_ZARR_RECORDING "varvite_recording"
#define VVI_ZARR_GROUP     "varvite_group"
#define VVI_ZARR_LEAF      "varvite_leaf"

/* An array. Chunks reach over all of a value; of a group of ONCE they may be smaller. */
typedef struct vvi_zarr_leaf {
    char *path;    /* in the store */
    vvi_meta meta; /* of ROWS: of the last commit */
    size_t row_bytes;
    size_t chunk_bytes;   /* decoded */
    uint64_t tail_stored; /* bytes stored of the chunk that is not full */
    /* PLACED: the chunk that is being filled. */
    uint8_t *held;
    uint64_t held_index[VV_NDIM_MAX];
    bool is_held, is_changed;
} vvi_zarr_leaf;

typedef struct vvi_zarr_group {
    const char *name; /* borrowed from the schema */
    vvi_group_kind kind;
    vvi_zarr_leaf *leaves;
    size_t leaf_count;
    vvi_zarr_leaf *written; /* PLACED */
    uint64_t rows;          /* of the last commit; PLACED: places that were put */
} vvi_zarr_group;

typedef struct vvi_zarr_sink {
    vvi_sink base;
    vv_store *store; /* held */
    char *path;
    bool has_root;            /* a store that is committed, and shows nothing before */
    vv_durability durability; /* of the last commit, when it is closed */
    vvi_json *document;       /* of the recording */
    vvi_zarr_group *groups;
    size_t group_count;
    vv_recorder_root_fn root;
    void *root_ctx;
    uint64_t stored;
    vvi_file lock; /* of a directory store: held against other writers */
    /* Of the thread that writes. */
    uint8_t *pad; /* as long as the longest chunk of ROWS */
    vvi_encoded encoded;
    vv_buf key;
    vv_buf text;
} vvi_zarr_sink;

/*
 * Make the groups and arrays of a new recording at path. schema_json: the schema, an object; NULL: it is not to be gone on with. The plan lives longer
 * than the sink. With overwrite a recording that is there is deleted, once all that can be known to fail has been tried.
 * Returns VV_EEXISTS (a node is there; with overwrite, one that is no recording), VV_EINVAL, VV_ELIMIT (a row past
 * 2 GiB), VV_EUNSUPPORTED, VV_EREADONLY, VV_EIO, VV_ENOMEM.
 */
vv_status vvi_zarr_sink_create(vv_store *store, const char *path, const vvi_plan *plan,
                               const char *schema_json, vv_recorder_root_fn root,
                               void *root_ctx, vvi_sink **out, vv_error *err);

/* The schema of the recording at path, as JSON text, terminated. Returns VV_ENOTFOUND, VV_EUNSUPPORTED (a node that the
 * recorder did not make), VV_ECORRUPT. */
vv_status vvi_zarr_recording_schema(vv_store *store, const char *path, vv_buf *out,
                                    vv_error *err);
/* Was the recording at path closed, and how many rows of all groups does its document count? As above. */
vv_status vvi_zarr_recording_state(vv_store *store, const char *path, bool *is_closed,
                                   uint64_t *rows, vv_error *err);
/*
 * Go on with a recording: rows of steps from next_step on (-1: none) are cut off, and with them all that no commit
 * covered. The plan gets the chunks that the arrays have; its functions say which places are to be cut. Clear resume
 * also after a failure. Returns VV_ENOTFOUND, VV_EUNSUPPORTED, VV_ECORRUPT, VV_EREADONLY, VV_EIO, VV_ENOMEM.
 */
vv_status vvi_zarr_sink_append(vv_store *store, const char *path, vvi_plan *plan,
                               int64_t next_step, vv_recorder_root_fn root,
                               void *root_ctx, vvi_sink **out, vvi_resume *resume,
                               vv_error *err);

/* ---- between the files of the sink -------------------------------------------------------------- */

/* An empty sink with the paths of all leaves; clean_path is taken, also on failure. */
vv_status vvi_zarr_sink_new(vv_store *store, char *clean_path, const vvi_plan *plan,
                            const vvi_zarr_names *names, vv_recorder_root_fn root,
                            void *root_ctx, vvi_zarr_sink **out, vv_error *err);
void vvi_zarr_sink_free(vvi_zarr_sink *sink); /* NULL is fine */
/* What has to be known of a leaf once its metadata is there. Returns VV_ELIMIT. */
vv_status vvi_zarr_leaf_ready(vvi_zarr_leaf *leaf, const vvi_plan_leaf *planned,
                              vv_error *err);
/* Be the one writer of the recording's directory, in place of the lock held so far; VV_EBUSY. Other stores have no locks. */
vv_status vvi_zarr_sink_lock(vvi_zarr_sink *sink, vv_error *err);
/* The buffer for unfinished chunks, once all leaves are ready. */
vv_status vvi_zarr_sink_ready(vvi_zarr_sink *sink, vv_error *err);
/* Say in the recording's document what counts, the groups' rows, without storing it. */
vv_status vvi_zarr_note(vvi_zarr_sink *sink, int64_t next_step, bool is_closed,
                        vv_error *err);
/* Store a document at a clean path. */
vv_status vvi_zarr_put_document(vvi_zarr_sink *sink, const char *path,
                                const vvi_json *document, vv_error *err);
/* Let a leaf of ROWS have this many rows, in its document, and store that. */
vv_status vvi_zarr_put_length(vvi_zarr_sink *sink, vvi_zarr_leaf *leaf, uint64_t rows,
                              vv_error *err);
/* Make what was stored as safe as asked; of a HAMT, tell the root. */
vv_status vvi_zarr_make_safe(vvi_zarr_sink *sink, vv_durability durability,
                             vv_error *err);
/* Put count rows, the first ones of a chunk, in their place. */
vv_status vvi_zarr_put_rows(vvi_zarr_sink *sink, vvi_zarr_leaf *leaf, uint64_t chunk,
                            const void *rows, uint64_t count, vv_error *err);

#endif
