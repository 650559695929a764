/*
 * The journal beside a recording that is being written: the last commit of its writer, which may not have reached the
 * file. Its bytes: docs/format/trajectory.md, "The journal".
 *
 * It counts only while the superblock says that a writer has the file open: the end of a commit that closes the file
 * is the superblock that says no.
 */
#ifndef VVI_H5_JOURNAL_H
#define VVI_H5_JOURNAL_H

#include "h5/h5.h"
#include "util/file.h"

#define VVI_H5_JOURNAL_SUFFIX       ".journal"
#define VVI_H5_JOURNAL_MAGIC        "\x89VVJ\r\n\x1A\n"
#define VVI_H5_JOURNAL_RECORD_MAGIC "vvcommit"
#define VVI_H5_JOURNAL_ID           32   /* bytes that tell a recording from others */
#define VVI_H5_JOURNAL_TOP          88   /* bytes of the header */
#define VVI_H5_JOURNAL_RECORD       4096 /* where the record stands */
#define VVI_H5_JOURNAL_HEAD         48   /* bytes of the record's beginning */
#define VVI_H5_JOURNAL_ENTRY        16 /* for each write and each space: address, length */

/* A commit. Zero is none. */
typedef struct vvi_h5_commit {
    uint64_t seq;
    uint64_t end;       /* of the file, as the commit has it */
    size_t write_count; /* later ones on top of earlier ones */
    size_t space_count; /* space that was given up */
    vv_buf record;      /* what the calls below point into */
} vvi_h5_commit;

/*
 * The commit in a journal, if there is one that is whole and belongs to the file. Zero otherwise: a journal that was
 * being written when its writer ended says nothing, and the file is in the state of the commit before. Returns VV_EIO,
 * VV_ENOMEM.
 */
vv_status vvi_h5_commit_read(const vvi_file *journal, const vvi_file *file,
                             vvi_h5_commit *out, vv_error *err);
void vvi_h5_commit_clear(vvi_h5_commit *commit);
/* Goes through the writes: start from zero; false behind the last. */
typedef struct vvi_h5_commit_cursor {
    size_t i, at;
} vvi_h5_commit_cursor;
bool vvi_h5_commit_next(const vvi_h5_commit *commit, vvi_h5_commit_cursor *cursor,
                        uint64_t *address, vv_bytes *bytes);
void vvi_h5_commit_space(const vvi_h5_commit *commit, size_t i, uint64_t *address,
                         uint64_t *len);

/* What a commit puts over the file: pieces that do not overlap, by address. Zero is nothing. */
typedef struct vvi_h5_piece {
    uint64_t address;
    size_t len;
    size_t at; /* in bytes */
} vvi_h5_piece;
typedef struct vvi_h5_overlay {
    uint64_t seq; /* 0: nothing */
    vvi_h5_piece *pieces;
    size_t count;
    vv_buf bytes;
} vvi_h5_overlay;

/* Replace what overlay holds with a commit. */
vv_status vvi_h5_overlay_make(const vvi_h5_commit *commit, vvi_h5_overlay *overlay,
                              vv_error *err);
/* The same with that of the journal beside the file at path. */
vv_status vvi_h5_overlay_read(const char *path, const vvi_file *file,
                              vvi_h5_overlay *overlay, vv_error *err);
void vvi_h5_overlay_clear(vvi_h5_overlay *overlay);
/* Put it over len bytes that were read at an offset of the file. */
void vvi_h5_overlay_apply(const vvi_h5_overlay *overlay, uint64_t offset, void *bytes,
                          size_t len);

#endif
