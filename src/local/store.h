/*
 * The embedded store from inside: who holds which lock, and what the files of this room call in
 * each other.
 *
 * Locks, in the order in which they are taken:
 *   write_lock    one spill, commit or compaction at a time in this process
 *   writer file   flock on lock.writer: the same between processes, held for one turn
 *   view          the index in use and the table of segments; written only to change them
 *   pending_lock  the three sets of blocks that are not in the index yet; never held over I/O
 */
#ifndef VVI_LOCAL_STORE_H
#define VVI_LOCAL_STORE_H

#include <varvite/blockstore_backend.h>
#include <varvite/local.h>

#include "local/index.h"
#include "local/packs.h"
#include "local/pending.h"
#include "util/thread.h"

#include <stdatomic.h>
#include <sys/types.h>

typedef struct vvi_local {
    vv_blockstore base;
    vv_local_options opts; /* fixed once open; defaults filled in */
    char *directory;
    pid_t owner; /* a child of a fork shares our locks with us, and must not write */
    vvi_local_key key;
    vvi_file opening;   /* the file of the store, locked until it is open */
    vvi_file open_lock; /* held shared while open, so that the next to open knows */

    vvi_rwlock view;    /* writers first: never held for reading twice by a thread */
    vvi_index *index;   /* guarded by view */
    vvi_packs packs;    /* guarded by view */
    bool is_private;    /* the index is in memory, because the files may not be written */
    atomic_uint misses; /* every so often a miss looks whether the index was replaced */

    vvi_mutex write_lock;
    vvi_file writer_lock; /* guarded by write_lock */
    vvi_file log;         /* guarded by write_lock: the segment that grows */
    uint64_t log_number;  /* guarded by write_lock */
    uint64_t log_space; /* guarded by write_lock: the log has space set aside up to here;
                             UINT64_MAX: there is none to be had */
    bool sync_failed;   /* guarded by write_lock: within a spill */
    bool must_sync;     /* guarded by write_lock: VV_PROCESS does not apply now */
    vvi_place own_end;  /* guarded by write_lock: the log's end when we wrote last */
    bool foreign_tail;  /* guarded by write_lock: others wrote what is not indexed yet */
    bool wrote;         /* guarded by write_lock: since the last checkpoint */

    vvi_mutex pending_lock;
    vvi_pending front;   /* guarded by pending_lock: put, only in memory */
    vvi_pending writing; /* the same; changed by the holder of write_lock alone */
    vvi_pending spilled; /* the same: in a pack file, not in the index */
    atomic_size_t pending_count;
    atomic_bool has_spilled; /* changed where `spilled` is */
    uint64_t put_seq;        /* guarded by pending_lock: counts puts and deletions */
    uint64_t safe_seq;       /* guarded by pending_lock: covered by a flush */
    uint64_t lost_seen;      /* guarded by write_lock: vvi_index_state.lost */
    bool flushing;           /* guarded by pending_lock: a thread flushes for all */
    vvi_cond flushed;
    atomic_bool failed;
    vv_error failure; /* guarded by pending_lock: why no more is taken */
} vvi_local;

/* Blocks at least this long go from the caller's memory to the file, not through a buffer. */
#define VVI_DIRECT_BYTES ((size_t)32768)
/* The index is made durable after so many bytes of log, with VV_PROCESS after a segment. Opening after a
 * crash replays no more than that. */
#define VVI_CHECKPOINT_BYTES ((uint64_t)128 << 20)

/* ---- find.c ---------------------------------------------------------------------------- */

typedef struct vvi_found {
    vvi_segment *segment; /* the caller holds view */
    vvi_place place;
    vvi_record record;
    const uint8_t *header;
    uint8_t scratch[VVI_RECORD_HEADER_MAX];
} vvi_found;

/*
 * Find a block in the index. On VV_OK view is held for reading, for the caller to let go; on
 * every other status it is not. VV_ENOTFOUND sets no message.
 */
vv_status vvi_local_find(vvi_local *self, const vv_cid *cid, uint64_t tag, vvi_found *out,
                         vv_error *err);
/*
 * The usual get in few instructions: a block whose first slot is the right one, lent from a mapped
 * segment. Few, because a processor that waits for memory goes on for some hundred of them, and
 * when these reach into the next get, the waits of both pass together. False: ask vvi_local_find().
 */
bool vvi_local_lend(vvi_local *self, const vv_cid *cid, uint64_t tag, vv_buf *out);
/* The same for a place that is known. */
vv_status vvi_local_see(vvi_local *self, vvi_place place, vvi_found *out, vv_error *err);
/* The block just found, lent or read, into out; lets go of view. */
vv_status vvi_local_take(vvi_local *self, const vvi_found *found, vv_range range,
                         vv_buf *out, vv_error *err);
/*
 * A block that is written but not in the index, copied: a failed sync cuts such blocks off, and
 * pages of them would end with the file. VV_ENOTFOUND, without a message: it is not there.
 */
vv_status vvi_local_copy(vvi_local *self, vvi_place place, const vv_cid *cid,
                         vv_range range, vv_buf *out, vv_error *err);
/*
 * Entries of `spilled` before this place say nothing any more: whoever flushed brought them into
 * the index, and others may have deleted and stored them since. Ask before looking at the index.
 */
vvi_place vvi_local_settled(vvi_local *self);
/* Where the index has the block of a header; VVI_PLACE_EMPTY: nowhere. For writers. */
vv_status vvi_local_place_of(vvi_local *self, const uint8_t *header, uint64_t tag,
                             vvi_place *out, vv_error *err);
/* Use the index file that is there now, if it is another. */
vv_status vvi_local_renew_index(vvi_local *self, vv_error *err);
/* Do so if the index says that it is about to be replaced, or was. wait: for our own writer too,
 * which is what a put does before it believes that a block is there. */
void vvi_local_follow(vvi_local *self, bool wait);

/* ---- apply.c --------------------------------------------------------------------------- */

typedef enum vvi_apply_mode {
    VVI_APPLY_GOING_ON, /* the index holds what came before, perhaps some of what comes */
    VVI_APPLY_REBUILD   /* the index was empty at the first record */
} vvi_apply_mode;

/* Bring one record of the log into the index and the counts of state. */
vv_status vvi_local_apply(vvi_local *self, vvi_index_state *state, vvi_place place,
                          const vvi_record *record, const uint8_t *header,
                          vvi_apply_mode mode, vv_error *err);
/* Take this index for the present one, which is freed. */
void vvi_local_use_index(vvi_local *self, vvi_index *index);
/* Replace the index by one that has room for more; for a mapped one, the file too. */
vv_status vvi_local_grow(vvi_local *self, vvi_index_state *state, uint64_t more,
                         vv_error *err);
/* Sync the segments from one place to another, and the directory if there are several. */
vv_status vvi_local_sync_log(vvi_local *self, vvi_place from, vvi_place to,
                             vv_error *err);
/* Write the records between two places again where they lie, after a sync that failed; see
 * VVI_INDEX_REWRITE. *whole is false when some were not there any more. */
vv_status vvi_local_rewrite_log(vvi_local *self, vvi_place from, vvi_place to,
                                bool *whole, vv_error *err);
/*
 * Sync what was indexed without. A sync that fails may have dropped pages, and the next one would
 * say yes: from then on VVI_INDEX_REWRITE has whoever comes write them again first.
 */
vv_status vvi_local_sync_indexed(vvi_local *self, vvi_index_state *state, vv_error *err);
/* Make log and index durable up to state->indexed. */
vv_status vvi_local_checkpoint(vvi_local *self, vvi_index_state *state, vv_error *err);

/* ---- turn.c: all with write_lock held ---------------------------------------------------- */

/* Wait for the writer's lock and look at what other processes did meanwhile. */
vv_status vvi_local_turn_begin(vvi_local *self, vvi_index_state *state, vv_error *err);
void vvi_local_turn_end(vvi_local *self);
/* Write the pending blocks behind the log, then blocks that lie in the caller's memory. crcs: CRC-32C
 * of each, NULL when they are to be computed. */
vv_status vvi_local_spill(vvi_local *self, vvi_index_state *state, const vv_block *blocks,
                          const uint32_t *crcs, size_t n, vv_error *err);
/* Give back what the log has set aside behind its end, which state says. */
void vvi_local_give_space(vvi_local *self, const vvi_index_state *state);
/* Sync the log, bring its tail into the index. */
vv_status vvi_local_commit(vvi_local *self, vvi_index_state *state, vv_error *err);
/* Begin the next segment although this one is not full. */
vv_status vvi_local_roll(vvi_local *self, vvi_index_state *state, vv_error *err);
/* Append records made by compaction; they are in the index after a commit. */
vv_status vvi_local_append(vvi_local *self, vvi_index_state *state, uint8_t *header,
                           size_t header_len, vv_bytes data, vv_error *err);
/* The failure that ended this handle's writing; VV_OK if there is none. */
vv_status vvi_local_failure(vvi_local *self, vv_error *err);

/* ---- recover.c ------------------------------------------------------------------------- */

/*
 * Make index and log agree; the writer's lock is held. first: nobody else has the store open,
 * so a crash may lie behind us and what the index says past its durable place counts for
 * nothing.
 */
vv_status vvi_local_recover(vvi_local *self, bool first, vv_error *err);
/* A new index file, from the pack files; the writer's lock is held. */
vv_status vvi_local_rebuild(vvi_local *self, vv_error *err);
/* An empty index in memory becomes the one in use; state is what it says. */
vv_status vvi_local_start_private(vvi_local *self, vvi_index_state *state, vv_error *err);
/* The header of a segment. VV_ECORRUPT: damaged, or of another store. */
vv_status vvi_local_read_segment(vvi_local *self, uint64_t number,
                                 vvi_segment_header *out, vv_error *err);
/* Where the records of a segment end, as the one after it has it; UINT64_MAX: nobody says. Behind
 * that may lie what a failed sync or a recovery gave up. */
vv_status vvi_local_sealed_end(vvi_local *self, uint64_t number, uint64_t successor,
                               uint64_t *out, vv_error *err);
/* Write the header of a segment, which is made if it is not there. */
vv_status vvi_local_write_segment(vvi_local *self, uint64_t number, uint64_t previous,
                                  uint64_t previous_end, vv_error *err);
/* Make bytes of a segment, from and to multiples of 8, a void. */
vv_status vvi_local_write_void(vvi_local *self, uint64_t number, uint64_t from,
                               uint64_t to, vv_error *err);
/* A segment with no header and no record, past what was acknowledged: it was being made. */
vv_status vvi_local_is_unborn(vvi_local *self, uint64_t number, vvi_place trusted,
                              bool *out, vv_error *err);
vv_status vvi_local_remove_segment(vvi_local *self, uint64_t number, vv_error *err);
vv_status vvi_local_cut_segment(vvi_local *self, uint64_t number, uint64_t end,
                                vv_error *err);
/* Is there nothing to recover? For those who may not write. */
vv_status vvi_local_is_clean(vvi_local *self, bool *out, vv_error *err);
/* An index in memory, from the pack files. Later calls add what was appended since. */
vv_status vvi_local_read_privately(vvi_local *self, vv_error *err);

/* ---- ops.c ----------------------------------------------------------------------------- */

extern const vv_blockstore_ops vvi_local_ops;
extern const vv_blockstore_ops vvi_local_read_only_ops;
/* The store behind a handle, or NULL if it is another kind. */
vvi_local *vvi_local_of(vv_blockstore *store);
void vvi_local_free(vv_blockstore *store);

/* ---- open.c, iterate.c ----------------------------------------------------------------- */

/*
 * Be the only one who opens or checks the store, until self->opening is closed. Whoever asks for
 * the open lock alone must hold this: else the next, who finds the lock taken for that moment,
 * would believe that somebody vouches for the index.
 */
vv_status vvi_local_lock_opening(vvi_local *self, vv_error *err);
/* What the file varvite-store says. VV_ENOTFOUND: there is no store. */
vv_status vvi_local_read_key(const char *directory, vvi_local_key *out, vv_error *err);
/* A handle with its locks, and no files yet. */
vv_status vvi_local_new(const char *directory, const vv_local_options *opts,
                        vvi_local **out, vv_error *err);
/* Open a lock file, made if it is not there and make is set. */
vv_status vvi_local_open_lock(const char *directory, const char *name, bool make,
                              vvi_file *out, vv_error *err);
vv_status vvi_local_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                            vv_error *err);

#endif
