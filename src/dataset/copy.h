/* Keys copied from one store to another as they are: Zarr in, Zarr out. */
#ifndef VVI_DATASET_COPY_H
#define VVI_DATASET_COPY_H

#include <varvite/dataset.h>

typedef struct vvi_copy {
    vv_store *from;
    const char *from_path;
    vv_store *to;
    const char *to_path;
    const char *what; /* for progress */
    uint32_t threads;
    bool skip_existing;
    bool chunks_only; /* documents are there already */
    uint64_t memory_bytes;
    vv_progress_fn progress;
    void *ctx;
    uint64_t chunks, bytes; /* out: values copied, but for metadata; bytes of all */
} vvi_copy;

/* Metadata goes last, so that a reader never finds an array whose chunks are still to come. */
vv_status vvi_copy_run(vvi_copy *copy, vv_error *err);

#endif
