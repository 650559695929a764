/*
 * Faults on purpose: makes the n-th file call of util/file.h fail, and lets a test listen to
 * every call that changes a file. Idle, it costs one load a call.
 */
#ifndef VVI_UTIL_FAULT_H
#define VVI_UTIL_FAULT_H

#include "util/error.h"

typedef enum vvi_call {
    VVI_CALL_OPEN,
    VVI_CALL_STAT,
    VVI_CALL_READ,
    VVI_CALL_WRITE,
    VVI_CALL_SYNC, /* fdatasync, fsync of a directory, msync */
    VVI_CALL_TRUNCATE,
    VVI_CALL_ALLOCATE,
    VVI_CALL_LOCK,
    VVI_CALL_RENAME,
    VVI_CALL_UNLINK,
    VVI_CALL_MKDIR,
    VVI_CALL_LIST,
    VVI_CALL_MAP,
    VVI_CALL_COUNT
} vvi_call;
#define VVI_CALL_BIT(call_) (1u << (call_))
#define VVI_CALLS_ALL       (VVI_CALL_BIT(VVI_CALL_COUNT) - 1)

typedef struct vvi_fault {
    uint32_t calls; /* which kinds: VVI_CALL_BIT(…) | … */
    uint64_t after; /* calls of these kinds to let pass */
    bool forever;   /* every later call too, not only the first */
    enum vvi_fault_kind {
        VVI_FAULT_ERROR,    /* the call fails with error_number */
        VVI_FAULT_TORN,     /* a write does half its work first; others as ERROR */
        VVI_FAULT_SHORT,    /* a read or write moves at most a third of what was asked */
        VVI_FAULT_INTERRUPT /* EINTR; with forever, every second call */
    } kind;
    int error_number;
} vvi_fault;

/* Follow this plan from now on; NULL ends it. Returns how often the last plan struck. */
uint64_t vvi_fault_plan(const vvi_fault *plan);

/* A call that changed a file, in the order of the changes. */
typedef struct vvi_file_event {
    enum vvi_event_kind {
        VVI_EVENT_CREATE,      /* path, file */
        VVI_EVENT_WRITE,       /* file, offset, data */
        VVI_EVENT_MAP,         /* the same through a mapping */
        VVI_EVENT_TRUNCATE,    /* file, offset: the new size */
        VVI_EVENT_SYNC,        /* file */
        VVI_EVENT_SYNC_FAILED, /* file: what was written since the last sync may be lost,
                                  although another sync says yes */
        VVI_EVENT_RENAME,      /* path → path2 */
        VVI_EVENT_UNLINK,      /* path */
        VVI_EVENT_MKDIR,       /* path */
        VVI_EVENT_DIR_SYNC     /* path */
    } kind;
    uint64_t file; /* inode number */
    uint64_t offset;
    vv_bytes data;
    const char *path;
    const char *path2;
} vvi_file_event;

/* Tell fn of every event, one at a time; NULL ends it. Start before the files are opened. */
void vvi_file_listen(void (*fn)(void *ctx, const vvi_file_event *event), void *ctx);

/* ---- for util/file.c -------------------------------------------------------------------- */

/*
 * What a call that is about to be made must do: 0 go on, else the errno to fail with. For reads
 * and writes *len is cut when the plan says so; TORN first lets a write of half go through,
 * which *torn asks for.
 */
int vvi_fault_check(vvi_call call, size_t *len, bool *torn);
bool vvi_file_listening(void);
void vvi_file_tell(const vvi_file_event *event);

#endif
