/*
 * Files: the one place that calls open, pread, pwrite, fdatasync, rename, ftruncate, unlink,
 * mkdir, mmap, flock and fallocate. Interrupted calls are made again and short transfers are
 * completed here, messages name the path, and tests can make any call fail (util/fault.h).
 *
 * Threads: reads and writes at stated offsets of one vvi_file may run at the same time;
 * open, close and lock are for one thread at a time.
 */
#ifndef VVI_UTIL_FILE_H
#define VVI_UTIL_FILE_H

#include "util/error.h"

/* What lies at a path. */
typedef enum vvi_path_kind {
    VVI_PATH_FILE,
    VVI_PATH_DIRECTORY,
    VVI_PATH_OTHER
} vvi_path_kind;

/* An open file. Start from VVI_FILE_INIT; close accepts it. */
typedef struct vvi_file {
    int fd;
    char *path;  /* as it was opened; owned */
    uint64_t id; /* inode number while a recorder listens, else 0 */
} vvi_file;
#define VVI_FILE_INIT ((vvi_file){ .fd = -1 })

enum {
    VVI_FILE_READ = 0,
    VVI_FILE_WRITE = 1,     /* for reading and writing */
    VVI_FILE_CREATE = 2,    /* make it if it is not there */
    VVI_FILE_EXCLUSIVE = 4, /* with CREATE: VV_EEXISTS if it is there */
    VVI_FILE_TRUNCATE = 8,
    VVI_FILE_NO_WAIT =
        16, /* what is no file, a pipe, is opened without waiting for its other end */
    VVI_FILE_PRIVATE = 32 /* with CREATE: for its owner alone */
};

vv_status vvi_file_open(vvi_file *file, const char *path, unsigned flags, vv_error *err);
void vvi_file_close(vvi_file *file);
static inline bool vvi_file_is_open(const vvi_file *file)
{
    return file->fd >= 0;
}

vv_status vvi_file_size(const vvi_file *file, uint64_t *out, vv_error *err);
/* When the content changed last, on the wall clock; and how many names the file has. */
vv_status vvi_file_changed(const vvi_file *file, uint64_t *wall_ns, uint64_t *names,
                           vv_error *err);
/* Inode number: two opens of one path name the same file when it is equal. */
vv_status vvi_file_identity(const vvi_file *file, uint64_t *out, vv_error *err);

/* What an open file is. */
typedef struct vvi_file_facts {
    vvi_path_kind kind;
    uint64_t size;
    uint64_t id;         /* inode number */
    uint64_t changed_ns; /* of the wall clock: when its bytes changed last */
    uint32_t mode;       /* who may do what with it, the system's bits */
} vvi_file_facts;
vv_status vvi_file_look(const vvi_file *file, vvi_file_facts *out, vv_error *err);

/* *got < len only at the end of the file. */
vv_status vvi_file_read_at(const vvi_file *file, uint64_t offset, void *out, size_t len,
                           size_t *got, vv_error *err);
/* All of it, or a failure after any part of it. */
vv_status vvi_file_write_at(const vvi_file *file, uint64_t offset, vv_bytes data,
                            vv_error *err);
/* The same for n pieces that follow each other in the file. */
vv_status vvi_file_writev_at(const vvi_file *file, uint64_t offset,
                             const vv_bytes *pieces, size_t n, vv_error *err);
vv_status vvi_file_truncate(const vvi_file *file, uint64_t size, vv_error *err);
/* Make the file size bytes long with its space set aside; the new part reads as zeros. */
vv_status vvi_file_allocate(const vvi_file *file, uint64_t size, vv_error *err);
/*
 * Set aside space for bytes from … to, behind the end of the file too, without a change of its size:
 * writing there then costs little more than the copy. Truncating to the present size gives back what
 * lies behind it. A hint: false, and nothing is set aside, where this cannot be done or the file system
 * has not much more space than that.
 */
bool vvi_file_set_aside(const vvi_file *file, uint64_t from, uint64_t to);
/* Give the space of a part back; it reads as zeros. False: it could not be, and all is as it was. */
bool vvi_file_punch(const vvi_file *file, uint64_t offset, uint64_t len);
/* Data, and what is needed to find it, on the disk. After a failure the data must be taken
 * for lost: the kernel may have dropped it, and asking again would answer yes. */
vv_status vvi_file_sync(const vvi_file *file, vv_error *err);
/* Reads will be short and here and there: do not read on behind them. A hint. */
void vvi_file_expect_random(const vvi_file *file);
/* Ask the kernel to begin writing a part out. A hint: no promise, no failure. */
void vvi_file_start_writeback(const vvi_file *file, uint64_t offset, uint64_t len);

/* Advisory lock on the open file. SHARED and EXCLUSIVE wait up to timeout_ms, then VV_EBUSY. */
typedef enum vvi_lock {
    VVI_LOCK_NONE,
    VVI_LOCK_SHARED,
    VVI_LOCK_EXCLUSIVE
} vvi_lock;
vv_status vvi_file_lock(const vvi_file *file, vvi_lock lock, uint32_t timeout_ms,
                        vv_error *err);

/* ---- paths ----------------------------------------------------------------------------- */

/* directory/name; free with vvi_free(). NULL: out of memory. */
char *vvi_path_join(const char *directory, const char *name);
/* Inode number of what lies at path. VV_ENOTFOUND when nothing does. */
vv_status vvi_path_identity(const char *path, uint64_t *out, vv_error *err);
vv_status vvi_path_size(const char *path, uint64_t *out, vv_error *err);
/* The name that links lead to; where it cannot be told, path itself. Free with vvi_free(). NULL: out of memory. */
char *vvi_path_real(const char *path);

vv_status vvi_file_rename(const char *from, const char *to, vv_error *err);
/* The same where nothing may be replaced: VV_EEXISTS when to is there, in one step. */
vv_status vvi_file_rename_new(const char *from, const char *to, vv_error *err);
/* VV_ENOTFOUND when there is no such file. */
vv_status vvi_file_unlink(const char *path, vv_error *err);
/* VV_OK too when the directory is there already. */
vv_status vvi_dir_make(const char *path, vv_error *err);
/* An empty directory; VV_EEXISTS when it is not empty. */
vv_status vvi_dir_remove(const char *path, vv_error *err);
/* Names made, renamed and removed in the directory, on the disk. */
vv_status vvi_dir_sync(const char *path, vv_error *err);
/* Does the directory lie on a file system of another host? False where that cannot be told. */
bool vvi_dir_is_remote(const char *path);
/* Each name in the directory but . and .., in no given order. */
typedef vv_status (*vvi_dir_fn)(void *ctx, const char *name, vv_error *err);
vv_status vvi_dir_list(const char *path, vvi_dir_fn visit, void *ctx, vv_error *err);

/* Links are followed. size: of a file; NULL if not wanted. VV_ENOTFOUND when there is nothing. */
vv_status vvi_path_look(const char *path, vvi_path_kind *kind, uint64_t *size,
                        vv_error *err);
/* As vvi_dir_list(), with what each name stands for. A link to a file is a file, a link to a
 * directory OTHER, so that a walk down stays below its start and ends. */
typedef vv_status (*vvi_scan_fn)(void *ctx, const char *name, vvi_path_kind kind,
                                 vv_error *err);
vv_status vvi_dir_scan(const char *path, vvi_scan_fn visit, void *ctx, vv_error *err);
/* Everything written so far to the file system that holds path, on the disk. */
vv_status vvi_fs_sync(const char *path, vv_error *err);

/* A whole file into out; VV_ELIMIT when it is longer than max bytes. */
vv_status vvi_file_load(const char *path, uint64_t max, vv_buf *out, vv_error *err);
/* Replace a file as one step: readers and a power cut see the old bytes or the new ones. */
vv_status vvi_file_save(const char *directory, const char *name, vv_bytes data,
                        vv_error *err);

/* ---- mapped files ---------------------------------------------------------------------- */

/*
 * A mapped file, counted. len may reach past the end of the file; the caller does not touch
 * bytes that the file does not have yet.
 */
typedef struct vvi_map {
    uint8_t *data;
    size_t len;
    int refs;    /* atomic */
    uint64_t id; /* as in vvi_file */
} vvi_map;

vv_status vvi_map_open(const vvi_file *file, size_t len, bool writable, vvi_map **out,
                       vv_error *err);
static inline vvi_map *vvi_map_retain(vvi_map *map)
{
    __atomic_fetch_add(&map->refs, 1, __ATOMIC_RELAXED);
    return map;
}
/* Pages will be asked for here and there: do not read others around them. A hint. */
void vvi_map_expect_random(const vvi_map *map);
void vvi_map_release(void *map); /* NULL is fine; a vv_buf release callback */
/* Everything written through the map, on the disk. */
vv_status vvi_map_sync(vvi_map *map, vv_error *err);
/* A writer through a map says which bytes it changed, for the recorder. */
void vvi_map_changed(const vvi_map *map, const void *at, size_t len);

#endif
