/*
 * The HDF5 file of a recording as libhdf5 sees it: a file driver of our own.
 *
 * What libhdf5 writes goes two ways. Raw data in space that no commit knows of goes straight to the file.
 * All else, metadata and what lies below the committed end, is kept in memory in the order in which it was
 * written; reads see it. A commit brings raw data to the disk, writes what was kept as one record into the journal
 * (docs/format/trajectory.md, "The journal"), and then into the file. So the file with its journal is always in
 * the state of a commit, and a live reader sees writes in the order that SWMR needs.
 *
 * A new file that nobody knows yet (a part file) is written straight through.
 *
 * Threads: one at a time, with libhdf5's lock held wherever libhdf5 is called.
 */
#ifndef VVI_HDF5_DRIVER_H
#define VVI_HDF5_DRIVER_H

#include "util/file.h"

#include <hdf5.h>
#include <sys/types.h>

typedef struct vvi_hdf5_kept {
    uint64_t address;
    size_t at; /* in bytes */
    size_t len;
} vvi_hdf5_kept;

/* Space that was given up. */
typedef struct vvi_hdf5_span {
    uint64_t address, len;
    uint64_t seq;   /* the commit that gives it up */
    uint64_t since; /* monotonic clock; 0: before this session */
} vvi_hdf5_span;

typedef struct vvi_hdf5_file vvi_hdf5_file;
struct vvi_hdf5_file {
    H5FD_t public; /* first: libhdf5's part */
    vvi_file file; /* of the recording */
    vvi_file journal;
    uint64_t end;   /* of the file, as libhdf5 has it */
    uint64_t reach; /* end when libhdf5 opened it */
    uint64_t size;  /* as it is */
    uint64_t known; /* end of the last commit; space from here on is named by none */
    uint64_t seq;   /* of the last commit */
    vvi_hdf5_kept *kept;
    size_t kept_count, kept_cap;
    vv_buf bytes;  /* of what is kept */
    vv_buf record; /* memory for one */
    vvi_hdf5_span
        *waste; /* space that no commit names any more, and none will but by reuse */
    size_t waste_count, waste_cap;
    size_t raw_only; /* of the next write of raw data only so many bytes count; 0: all */
    uint64_t reuse;  /* where raw data of reuse_len bytes goes next; 0: at the end */
    uint64_t reuse_len;
    uint64_t taken;   /* handed out for reuse, not yet written */
    uint64_t raw_at;  /* where the last write of raw data went */
    uint64_t apart;   /* bytes up to end that this session does not store anything in */
    uint64_t id_at;   /* where the recording's id stands */
    pid_t owner;      /* in another process nothing is written */
    bool straight;    /* a part file: nothing is kept */
    bool dead;        /* writes go nowhere: the file stays as the last commit left it */
    bool stuck;       /* libhdf5 did not let go of it, and goes on to use it */
    bool failed;      /* nothing is committed any more */
    vv_error failure; /* the first */
    vvi_hdf5_file *next; /* of those that were forgotten */
};

/* libhdf5's lock, and its messages kept from standard error. */
void vvi_hdf5_enter(void);
void vvi_hdf5_leave(void);

/* Open the file at path, or make it (EXCLUSIVE) as a part file. */
vv_status vvi_hdf5_file_open(vvi_hdf5_file *self, const char *path, bool part,
                             vv_error *err);
/* Closes the files; libhdf5 has closed its own before. An empty one is fine. free gives back one of vvi_alloc(). */
void vvi_hdf5_file_close(vvi_hdf5_file *self);
void vvi_hdf5_file_free(vvi_hdf5_file *self);
/* Let go of a file that libhdf5 still has, in the child of a fork: it stays in memory, and nothing is written. */
void vvi_hdf5_file_forget(vvi_hdf5_file *self);

/* Open or create with libhdf5; < 0 is a failure, which vvi_hdf5_fail() explains. */
hid_t vvi_hdf5_file_enter(vvi_hdf5_file *self, bool create, bool swmr);

/* Close what enter opened. discard: what libhdf5 still writes goes nowhere, now and later. */
vv_status vvi_hdf5_file_leave(vvi_hdf5_file *self, hid_t id, bool discard, vv_error *err);

/* The same at the end of what came to a status: a failure is kept, and then all is discarded. */
vv_status vvi_hdf5_file_end(vvi_hdf5_file *self, hid_t id, vv_status status,
                            vv_error *err);

/* Write at an address in the next commit, behind all that was kept so far. */
vv_status vvi_hdf5_file_keep(vvi_hdf5_file *self, uint64_t address, vv_bytes bytes,
                             vv_error *err);
/* Write at once where no commit says that the bytes mean anything; kept where one may. */
vv_status vvi_hdf5_file_put(vvi_hdf5_file *self, uint64_t address, vv_bytes bytes,
                            bool meant, vv_error *err);
/* What is in the file, with what is kept on top. Past the end zeros. */
vv_status vvi_hdf5_file_read(const vvi_hdf5_file *self, uint64_t address, void *out,
                             size_t len, vv_error *err);

/* Space is used again when it was given up so long ago: a live reader that looks at an index this old would find another
 * chunk's rows. Tests set it to 0. */
extern uint64_t vvi_hdf5_quarantine_ns;

/* Space that the next commit does not name any more; it is given back when the file is closed, or reused. */
vv_status vvi_hdf5_file_waste(vvi_hdf5_file *self, uint64_t address, uint64_t len,
                              vv_error *err);
/* Put raw data of len bytes, which libhdf5 will ask space for, where such space was given up, if it was long enough
 * ago for live readers to have looked again. */
void vvi_hdf5_file_reuse(vvi_hdf5_file *self, uint64_t len);
/* Give all of it back to the file system, behind the last commit. Returns how many bytes that were. */
uint64_t vvi_hdf5_file_give_back(vvi_hdf5_file *self);

#define VVI_HDF5_OPEN 5
/* Set the superblock's status flags in the next commit: 0 closed, VVI_HDF5_OPEN: a writer has it open. */
vv_status vvi_hdf5_file_flag(vvi_hdf5_file *self, uint8_t flags, vv_error *err);

/*
 * One step from the last commit to this one. last: libhdf5 has closed the file; it is cut to its end, and the
 * superblock, which says so, is written behind all else.
 */
vv_status vvi_hdf5_file_commit(vvi_hdf5_file *self, bool durable, bool last,
                               vv_error *err);

/* Why libhdf5 failed: what the file said, else what libhdf5 says. Never VV_OK. */
vv_status vvi_hdf5_fail(const vvi_hdf5_file *self, vv_error *err, const char *format, ...)
    VVI_PRINTF(3, 4);

#endif
