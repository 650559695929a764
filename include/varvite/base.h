/*
 * Base types of every varvite header: status, error, bytes, buffers, ranges, progress.
 *
 * Names: vv_bytes borrows, vv_buf owns. Functions pair up: init/clear for a struct the
 * caller holds, new or open/free for a handle; free and clear accept NULL and empty.
 */
#ifndef VARVITE_BASE_H
#define VARVITE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(VV_STATIC)
#define VV_API
#elif defined(__GNUC__)
#define VV_API __attribute__((visibility("default")))
#else
#define VV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define VV_VERSION_MAJOR 0
#define VV_VERSION_MINOR 1
#define VV_VERSION_PATCH 0

/** The version of the library at run time, "0.1.0". Never freed. */
VV_API const char *vv_version(void);

/** What a caller can do about the outcome of a call. */
typedef enum vv_status {
    VV_OK = 0,
    VV_EINVAL,       /* a rule of the call was broken: a malformed argument or text */
    VV_ERANGE,       /* an index or a number lies outside what the object has */
    VV_ENOTFOUND,    /* an answer, not a failure: there is no such thing */
    VV_EEXISTS,      /* it is there already and was not to be replaced */
    VV_EREADONLY,    /* a write to what was opened for reading */
    VV_ECORRUPT,     /* bytes that are not what they claim to be */
    VV_EUNSUPPORTED, /* good bytes that this build cannot handle; named in the message */
    VV_EIO,          /* the system or the network failed; trying again may help */
    VV_ETIMEDOUT,    /* a deadline passed */
    VV_EAUTH,        /* refused: credentials, key or permission */
    VV_ENOMEM,       /* an allocation failed; the object is as it was before the call */
    VV_ELIMIT,       /* a declared cap was reached (size, depth, count) */
    VV_EBUSY,        /* another process or thread holds it */
    VV_ECANCELED     /* the caller's own callback asked to stop */
} vv_status;

/** The symbol of a status, "VV_ENOTFOUND"; "VV_?" for a number that is none. */
VV_API const char *vv_status_name(vv_status status);

#define VV_ERROR_MESSAGE_SIZE 512

/**
 * A failure, owned by the caller, so that it crosses threads as it is.
 *
 * Written only when a call fails; message names the object (key, CID, file, offset) and is
 * always terminated. Pass NULL where the status is enough.
 */
typedef struct vv_error {
    vv_status status;
    char message[VV_ERROR_MESSAGE_SIZE];
} vv_error;
/* clang-format off */
#define VV_ERROR_INIT { VV_OK, "" }
/* clang-format on */

/** Borrowed bytes: valid as long as the owner says. data may be NULL when len is 0. */
typedef struct vv_bytes {
    const uint8_t *data;
    size_t len;
} vv_bytes;

/** The bytes of a terminated string, without its end. */
VV_API vv_bytes vv_bytes_of(const char *text);

/**
 * Owned bytes: allocated by the library, or held through a release callback (pages of a
 * mapped file, a Python buffer). Treat data as read-only when release is set.
 *
 * Start from VV_BUF_INIT, end with vv_buf_clear(). A call that fills a buffer releases what
 * it held before, and leaves it alone when it fails.
 */
typedef struct vv_buf {
    uint8_t *data;
    size_t len;
    size_t cap;                   /* bytes allocated; 0 when release is set */
    void (*release)(void *owner); /* NULL: data came from the library's allocator */
    void *owner;                  /* handed to release, once */
} vv_buf;
/* clang-format off */
#define VV_BUF_INIT { NULL, 0, 0, NULL, NULL }
/* clang-format on */

/** Release what the buffer holds and make it empty again. NULL and empty are fine. */
VV_API void vv_buf_clear(vv_buf *buf);

/** Memory functions for the whole process. */
typedef struct vv_allocator {
    void *(*alloc)(void *ctx, size_t size);              /* as malloc, size > 0 */
    void *(*realloc)(void *ctx, void *ptr, size_t size); /* as realloc, size > 0 */
    void (*free)(void *ctx, void *ptr);                  /* as free */
    void *ctx;
} vv_allocator;

/**
 * Use these functions for all of the library's own memory; NULL returns to libc's.
 *
 * Threads: call before any other call of the library, or while no object of it lives.
 */
VV_API void vv_set_allocator(const vv_allocator *allocator);

/** Free a string or an array that a call of this library handed out. NULL is fine. */
VV_API void vv_free(void *ptr);

/** Which part of a value to read. A part outside the value is cut to it, never an error. */
typedef struct vv_range {
    enum {
        VV_RANGE_WHOLE = 0,
        VV_RANGE_FROM,
        VV_RANGE_SPAN,
        VV_RANGE_LAST
    } kind;
    uint64_t offset; /* FROM, SPAN: first byte */
    uint64_t length; /* SPAN: bytes from offset; LAST: bytes at the end */
} vv_range;
#define VV_RANGE_ALL                  ((vv_range){ VV_RANGE_WHOLE, 0, 0 })
#define VV_RANGE_AT(offset_)          ((vv_range){ VV_RANGE_FROM, (offset_), 0 })
#define VV_RANGE_OF(offset_, length_) ((vv_range){ VV_RANGE_SPAN, (offset_), (length_) })
#define VV_RANGE_SUFFIX(length_)      ((vv_range){ VV_RANGE_LAST, 0, (length_) })

/** How safe a flush makes what was written. */
typedef enum vv_durability {
    VV_DURABLE =
        0,     /* synced to the disk; survives a power cut on a disk that honours it */
    VV_PROCESS /* handed to the kernel; survives SIGKILL of the process */
} vv_durability;

/** How far a long call has come. */
typedef struct vv_progress {
    const char *what;     /* "import", "verify": the call; or the object it is at */
    uint64_t items_done;  /* chunks, blocks or keys, as the call documents */
    uint64_t items_total; /* 0: not known */
    uint64_t bytes_done;
    uint64_t bytes_total; /* 0: not known */
} vv_progress;

/**
 * Told about progress, from the thread that made the call, at most some ten times a second.
 * Any status but VV_OK stops the call, which then returns that status; VV_ECANCELED is meant
 * for it.
 */
typedef vv_status (*vv_progress_fn)(void *ctx, const vv_progress *progress);

/**
 * Where a stream of bytes goes, and where it comes from.
 *
 * write: take all of data or fail. read: fill out with up to cap bytes, *len = 0 at the end.
 */
typedef struct vv_sink {
    vv_status (*write)(void *ctx, vv_bytes data, vv_error *err);
    void *ctx;
} vv_sink;
typedef struct vv_source {
    vv_status (*read)(void *ctx, uint8_t *out, size_t cap, size_t *len, vv_error *err);
    void *ctx;
} vv_source;

/** A sink that writes to an open file descriptor, which it borrows. */
VV_API vv_sink vv_sink_fd(int fd);
/** A source that reads from an open file descriptor, which it borrows. */
VV_API vv_source vv_source_fd(int fd);

#ifdef __cplusplus
}
#endif
#endif
