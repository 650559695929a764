/*
 * The embedded store: blocks in a directory of this machine.
 *
 * Crash-safe, for several processes at once: any number of readers, and writers that take turns
 * per flush. Layout and invariants: docs/format/local-store.md. Not for network file systems
 * whose locks do not reach every host; opening says so where it can tell. A child of a fork may
 * read through a handle of its parent, and opens the store itself to write (else VV_EINVAL).
 * Blocks are lent from mapped files: nobody but the store may cut its files while it is open.
 *
 * Putting a block that is there already stores nothing. So a block that one process deletes while
 * another puts it may be gone afterwards: delete what no process is about to put.
 */
#ifndef VARVITE_LOCAL_H
#define VARVITE_LOCAL_H

#include <varvite/base.h>
#include <varvite/blockstore.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_local_options {
    size_t struct_size; /* set by VV_LOCAL_OPTIONS_INIT */
    bool create;        /* make the store if the directory has none */
    bool read_only;
    bool
        trusted; /* do not hash blocks again when they are read: damage on the disk is then
                     handed out as it is */
    vv_durability durability;
    uint64_t segment_bytes;   /* size at which a new pack file is begun; 0: 1 GiB */
    uint64_t buffer_bytes;    /* puts held back until written together; 0: 8 MiB */
    uint32_t lock_timeout_ms; /* how long to wait for another writer; 0: 10 000 */
} vv_local_options;
#define VV_LOCAL_OPTIONS_INIT \
    ((vv_local_options){ .struct_size = sizeof(vv_local_options) })

/**
 * Open the store in a directory.
 *
 * @return VV_OK
 *         VV_ENOTFOUND     no store there, and create is not set
 *         VV_EUNSUPPORTED  a store of another format version; the message gives both
 *         VV_ECORRUPT      its files are damaged; the message says which and names fsck
 *         VV_EAUTH         no permission
 *         VV_EBUSY, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_local_open(const char *directory, const vv_local_options *options,
                               vv_blockstore **out, vv_error *err);

/** One thing that vv_local_fsck() found. */
typedef struct vv_fsck_finding {
    enum {
        VV_FSCK_TORN_TAIL, /* bytes of an unfinished write; harmless, repair cuts them */
        VV_FSCK_DAMAGED_BLOCK, /* a block does not match its name; repair drops it */
        VV_FSCK_DAMAGED_HEADER, /* a stretch of a pack file cannot be read; repair skips it */
        VV_FSCK_INDEX_MISSING, /* a block is not in the index; repair rebuilds it */
        VV_FSCK_INDEX_WRONG,   /* an index entry leads nowhere; repair rebuilds it */
        VV_FSCK_FILE           /* a file of the store is missing, short or foreign */
    } kind;
    const char *file; /* name within the store's directory */
    uint64_t offset;  /* where in that file */
    uint64_t length;
    bool has_cid;
    vv_cid cid;          /* when has_cid */
    const char *message; /* one line for people */
} vv_fsck_finding;
typedef vv_status (*vv_fsck_fn)(void *ctx, const vv_fsck_finding *finding);

typedef struct vv_fsck_options {
    size_t struct_size;
    bool repair;       /* mend what can be mended; damaged blocks are moved to
                          quarantine files, never silently dropped */
    bool quick;        /* structure only, blocks are not hashed */
    vv_fsck_fn report; /* each finding, in file order; NULL: only counted */
    vv_progress_fn progress;
    void *ctx; /* for both */
} vv_fsck_options;
#define VV_FSCK_OPTIONS_INIT ((vv_fsck_options){ .struct_size = sizeof(vv_fsck_options) })

typedef struct vv_fsck_result {
    uint64_t blocks_checked;
    uint64_t bytes_checked;
    uint64_t findings; /* all kinds */
    uint64_t repaired;
} vv_fsck_result;

/**
 * Check the store in a directory, and repair it if asked. Takes the writer's lock for a repair.
 *
 * @return VV_OK (nothing wrong but a torn tail, or all of it repaired), VV_ECORRUPT (findings are left),
 *         VV_ENOTFOUND, VV_EUNSUPPORTED, VV_EBUSY, VV_EIO
 */
VV_API vv_status vv_local_fsck(const char *directory, const vv_fsck_options *options,
                               vv_fsck_result *out, vv_error *err);

/**
 * Rewrite pack files that hold mostly deleted blocks, and give their space back.
 * @param reclaimed_bytes  NULL if not wanted
 */
VV_API vv_status vv_local_compact(vv_blockstore *store, uint64_t *reclaimed_bytes,
                                  vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
