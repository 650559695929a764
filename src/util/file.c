#include "util/file.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/file_call.h"
#include "util/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#if defined(__linux__)
#include <sys/vfs.h>
#endif
#include <time.h>
#include <unistd.h>

static void tell_file(const vvi_file *file, enum vvi_event_kind kind, uint64_t offset,
                      vv_bytes data)
{
    if (vvi_file_listening() && file->id)
        vvi_file_tell(&(vvi_file_event){
            .kind = kind, .file = file->id, .offset = offset, .data = data });
}

static void tell_path(enum vvi_event_kind kind, const char *path, const char *path2)
{
    if (vvi_file_listening())
        vvi_file_tell(&(vvi_file_event){ .kind = kind, .path = path, .path2 = path2 });
}

/* ---- open files ------------------------------------------------------------------------ */

static int open_flags(unsigned flags)
{
    int sys = O_CLOEXEC;

    sys |= flags & VVI_FILE_WRITE ? O_RDWR : O_RDONLY;
    if (flags & VVI_FILE_CREATE)
        sys |= O_CREAT;
    if (flags & VVI_FILE_EXCLUSIVE)
        sys |= O_EXCL;
    if (flags & VVI_FILE_TRUNCATE)
        sys |= O_TRUNC;
    if (flags & VVI_FILE_NO_WAIT)
        sys |= O_NONBLOCK;
    return sys;
}

static void tell_open(vvi_file *file, unsigned flags, bool was_there)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return;
    file->id = (uint64_t)st.st_ino;
    if (!was_there)
        vvi_file_tell(&(vvi_file_event){
            .kind = VVI_EVENT_CREATE, .file = file->id, .path = file->path });
    else if (flags & VVI_FILE_TRUNCATE)
        tell_file(file, VVI_EVENT_TRUNCATE, 0, (vv_bytes){ NULL, 0 });
}

vv_status vvi_file_open(vvi_file *file, const char *path, unsigned flags, vv_error *err)
{
    bool listening = vvi_file_listening();
    bool was_there = listening && access(path, F_OK) == 0;
    int error;

    *file = VVI_FILE_INIT;
    file->path = vvi_strdup(path);
    if (!file->path)
        return vvi_fail_nomem(err, strlen(path) + 1);
    VVI_MAKE_CALL(VVI_CALL_OPEN, file->fd,
                  open(path, open_flags(flags), flags & VVI_FILE_PRIVATE ? 0600 : 0666));
    if (file->fd < 0) {
        error = errno;
        vvi_file_close(file);
        return vvi_fail_errno(err, error, "open %s", path);
    }
    if (listening)
        tell_open(file, flags, was_there);
    return VV_OK;
}

void vvi_file_close(vvi_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd); /* what must be safe was synced; nothing is told here */
    vvi_free(file->path);
    *file = VVI_FILE_INIT;
}

static vv_status stat_file(const vvi_file *file, struct stat *st, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_STAT, result, fstat(file->fd, st));
    return result ? vvi_fail_errno(err, errno, "look at %s", file->path) : VV_OK;
}

vv_status vvi_file_size(const vvi_file *file, uint64_t *out, vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_file(file, &st, err));
    *out = (uint64_t)st.st_size;
    return VV_OK;
}

vv_status vvi_file_changed(const vvi_file *file, uint64_t *wall_ns, uint64_t *names,
                           vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_file(file, &st, err));
    *wall_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    *names = (uint64_t)st.st_nlink;
    return VV_OK;
}

vv_status vvi_file_identity(const vvi_file *file, uint64_t *out, vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_file(file, &st, err));
    *out = (uint64_t)st.st_ino;
    return VV_OK;
}

static vvi_path_kind kind_of_mode(mode_t mode)
{
    return S_ISREG(mode)   ? VVI_PATH_FILE
           : S_ISDIR(mode) ? VVI_PATH_DIRECTORY
                           : VVI_PATH_OTHER;
}

vv_status vvi_file_look(const vvi_file *file, vvi_file_facts *out, vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_file(file, &st, err));
    out->kind = kind_of_mode(st.st_mode);
    out->size = (uint64_t)st.st_size;
    out->id = (uint64_t)st.st_ino;
    out->changed_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
                      (uint64_t)st.st_mtim.tv_nsec;
    out->mode = (uint32_t)(st.st_mode & 07777u);
    return VV_OK;
}

vv_status vvi_file_read_at(const vvi_file *file, uint64_t offset, void *out, size_t len,
                           size_t *got, vv_error *err)
{
    uint8_t *to = out;

    *got = 0;
    while (*got < len) {
        size_t want = len - *got;
        ssize_t n;

        errno = vvi_fault_check(VVI_CALL_READ, &want, NULL);
        n = errno ? -1 : pread(file->fd, to + *got, want, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vvi_fail_errno(err, errno, "read %s at %" PRIu64, file->path,
                                  offset + *got);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return VV_OK;
}

/* One pwritev, and what the recorder must know of it. */
static ssize_t write_some(const vvi_file *file, uint64_t offset, struct iovec *iov, int n,
                          size_t total)
{
    size_t want = total;
    bool torn = false;
    int error = vvi_fault_check(VVI_CALL_WRITE, &want, &torn);
    struct iovec first = iov[0];
    ssize_t done;

    if (error && !torn) {
        errno = error;
        return -1;
    }
    if (want < total) { /* cut: the first piece alone, or a part of it */
        first.iov_len = first.iov_len < want ? first.iov_len : want;
        done = pwritev(file->fd, &first, 1, (off_t)offset);
    } else {
        done = pwritev(file->fd, iov, n, (off_t)offset);
    }
    if (done > 0 && vvi_file_listening()) {
        size_t left = (size_t)done;
        uint64_t at = offset;

        for (int i = 0; i < n && left; i++) {
            size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;

            tell_file(file, VVI_EVENT_WRITE, at, vvi_bytes(iov[i].iov_base, len));
            left -= len;
            at += len;
        }
    }
    if (error) {
        errno = error;
        return -1;
    }
    return done;
}

#define PIECES_AT_ONCE 64

/* As many pieces as fit one call, from piece *i and skip bytes into it. */
static size_t fill_iov(struct iovec *iov, int *count, const vv_bytes *pieces, size_t n,
                       size_t i, size_t skip)
{
    size_t total = 0;

    *count = 0;
    for (; i < n && *count < PIECES_AT_ONCE; i++, skip = 0) {
        if (pieces[i].len == skip)
            continue;
        /* writev takes pointers to bytes it does not change */
        iov[*count].iov_base = (void *)(uintptr_t)(pieces[i].data + skip);
        iov[*count].iov_len = pieces[i].len - skip;
        total += iov[*count].iov_len;
        (*count)++;
    }
    return total;
}

vv_status vvi_file_writev_at(const vvi_file *file, uint64_t offset,
                             const vv_bytes *pieces, size_t n, vv_error *err)
{
    size_t i = 0;
    size_t skip = 0;

    for (;;) {
        struct iovec iov[PIECES_AT_ONCE];
        int count;
        size_t total = fill_iov(iov, &count, pieces, n, i, skip);
        ssize_t done;

        if (!count)
            return VV_OK;
        done = write_some(file, offset, iov, count, total);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return vvi_fail_errno(err, done ? errno : EIO, "write %s at %" PRIu64,
                                  file->path, offset);
        offset += (uint64_t)done;
        for (size_t left = (size_t)done; left;) {
            size_t rest = pieces[i].len - skip;

            if (rest > left) {
                skip += left;
                break;
            }
            left -= rest;
            i++;
            skip = 0;
        }
    }
}

vv_status vvi_file_write_at(const vvi_file *file, uint64_t offset, vv_bytes data,
                            vv_error *err)
{
    return vvi_file_writev_at(file, offset, &data, 1, err);
}

vv_status vvi_file_truncate(const vvi_file *file, uint64_t size, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_TRUNCATE, result, ftruncate(file->fd, (off_t)size));
    if (result)
        return vvi_fail_errno(err, errno, "cut %s to %" PRIu64 " bytes", file->path,
                              size);
    tell_file(file, VVI_EVENT_TRUNCATE, size, (vv_bytes){ NULL, 0 });
    return VV_OK;
}

vv_status vvi_file_allocate(const vvi_file *file, uint64_t size, vv_error *err)
{
    int error;

    do {
        error = vvi_fault_check(VVI_CALL_ALLOCATE, NULL, NULL);
        if (!error)
            error = posix_fallocate(file->fd, 0, (off_t)size);
    } while (error == EINTR);
    if (error)
        return vvi_fail_errno(err, error, "set aside %" PRIu64 " bytes for %s", size,
                              file->path);
    tell_file(file, VVI_EVENT_TRUNCATE, size, (vv_bytes){ NULL, 0 });
    return VV_OK;
}

/* The file system keeps so many times as much for others, or nothing is set aside. */
#define ROOM_FOR_OTHERS 16

bool vvi_file_set_aside(const vvi_file *file, uint64_t from, uint64_t to)
{
#if defined(__linux__)
    struct statfs fs;
    uint64_t bytes = to - from;

    if (vvi_fault_check(VVI_CALL_ALLOCATE, NULL, NULL) || fstatfs(file->fd, &fs) != 0 ||
        fs.f_bsize <= 0 || fs.f_bavail / ROOM_FOR_OTHERS < bytes / (uint64_t)fs.f_bsize)
        return false;
    return fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)bytes) == 0;
#else
    (void)file;
    (void)from;
    (void)to;
    return false;
#endif
}

bool vvi_file_punch(const vvi_file *file, uint64_t offset, uint64_t len)
{
#if defined(__linux__)
    static const uint8_t zeros[4096];
    int result;

    VVI_MAKE_CALL(VVI_CALL_ALLOCATE, result,
                  fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)offset, (off_t)len));
    if (result)
        return false;
    for (uint64_t at = 0; at < len && vvi_file_listening(); at += sizeof(zeros))
        tell_file(file, VVI_EVENT_WRITE, offset + at,
                  vvi_bytes(zeros, len - at < sizeof(zeros) ? (size_t)(len - at)
                                                            : sizeof(zeros)));
    return true;
#else
    (void)file;
    (void)offset;
    (void)len;
    return false;
#endif
}

vv_status vvi_file_sync(const vvi_file *file, vv_error *err)
{
    int result;
    int error;

    VVI_MAKE_CALL(VVI_CALL_SYNC, result, fdatasync(file->fd));
    error = errno;
    tell_file(file, result ? VVI_EVENT_SYNC_FAILED : VVI_EVENT_SYNC, 0,
              (vv_bytes){ NULL, 0 });
    return result ? vvi_fail_errno(err, error, "sync %s", file->path) : VV_OK;
}

void vvi_file_expect_random(const vvi_file *file)
{
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
}

void vvi_file_start_writeback(const vvi_file *file, uint64_t offset, uint64_t len)
{
#if defined(__linux__)
    (void)sync_file_range(file->fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
#else
    (void)file;
    (void)offset;
    (void)len;
#endif
}

/* ---- locks ----------------------------------------------------------------------------- */

static int try_lock(int fd, int operation)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_LOCK, result, flock(fd, operation));
    return result ? errno : 0;
}

vv_status vvi_file_lock(const vvi_file *file, vvi_lock lock, uint32_t timeout_ms,
                        vv_error *err)
{
    static const int operations[] = { LOCK_UN, LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB };
    uint64_t deadline = vvi_now_ns() + (uint64_t)timeout_ms * 1000000u;
    uint64_t pause_ns = 20000;
    int error;

    /* flock has no deadline of its own, and an alarm is not a library's to set. */
    while ((error = try_lock(file->fd, operations[lock])) == EWOULDBLOCK) {
        struct timespec pause = { 0, (long)pause_ns };

        if (vvi_now_ns() >= deadline)
            return vvi_fail(err, VV_EBUSY, "%s is held by another process (waited %u ms)",
                            file->path, timeout_ms);
        nanosleep(&pause, NULL);
        if (pause_ns < 2000000)
            pause_ns *= 2;
    }
    return error ? vvi_fail_errno(err, error, "lock %s", file->path) : VV_OK;
}

/* ---- paths ----------------------------------------------------------------------------- */

char *vvi_path_join(const char *directory, const char *name)
{
    size_t len = strlen(directory);
    size_t name_len = strlen(name);
    bool slash = len && directory[len - 1] != '/';
    char *path = vvi_alloc(len + slash + name_len + 1);

    if (!path)
        return NULL;
    memcpy(path, directory, len);
    if (slash)
        path[len] = '/';
    memcpy(path + len + slash, name, name_len + 1);
    return path;
}

static vv_status stat_path(const char *path, struct stat *st, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_STAT, result, stat(path, st));
    return result ? vvi_fail_errno(err, errno, "look at %s", path) : VV_OK;
}

vv_status vvi_path_identity(const char *path, uint64_t *out, vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_path(path, &st, err));
    *out = (uint64_t)st.st_ino;
    return VV_OK;
}

vv_status vvi_path_size(const char *path, uint64_t *out, vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_path(path, &st, err));
    *out = (uint64_t)st.st_size;
    return VV_OK;
}

char *vvi_path_real(const char *path)
{
    char *real = realpath(path, NULL);
    char *copy = vvi_strdup(real ? real : path);

    free(real);
    return copy;
}

vv_status vvi_file_rename(const char *from, const char *to, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_RENAME, result, rename(from, to));
    if (result)
        return vvi_fail_errno(err, errno, "rename %s to %s", from, to);
    tell_path(VVI_EVENT_RENAME, from, to);
    return VV_OK;
}

/* Where the file system cannot rename so, a second name and the end of the first do the same. */
static int rename_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (result == 0 || (errno != EINVAL && errno != ENOSYS))
        return result;
    result = link(from, to);
    if (result == 0)
        (void)unlink(from); /* the name that is wanted is there */
    return result;
}

vv_status vvi_file_rename_new(const char *from, const char *to, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_RENAME, result, rename_new(from, to));
    if (result)
        return vvi_fail_errno(err, errno, "rename %s to %s", from, to);
    tell_path(VVI_EVENT_RENAME, from, to);
    return VV_OK;
}

vv_status vvi_file_unlink(const char *path, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_UNLINK, result, unlink(path));
    if (result)
        return vvi_fail_errno(err, errno, "remove %s", path);
    tell_path(VVI_EVENT_UNLINK, path, NULL);
    return VV_OK;
}

vv_status vvi_dir_make(const char *path, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_MKDIR, result, mkdir(path, 0777));
    if (result && errno == EEXIST)
        return VV_OK;
    if (result)
        return vvi_fail_errno(err, errno, "make directory %s", path);
    tell_path(VVI_EVENT_MKDIR, path, NULL);
    return VV_OK;
}

vv_status vvi_dir_remove(const char *path, vv_error *err)
{
    int result;

    VVI_MAKE_CALL(VVI_CALL_UNLINK, result, rmdir(path));
    if (result && errno == ENOTEMPTY)
        return vvi_fail_errno(err, EEXIST, "remove directory %s", path);
    if (result)
        return vvi_fail_errno(err, errno, "remove directory %s", path);
    tell_path(VVI_EVENT_UNLINK, path, NULL);
    return VV_OK;
}

vv_status vvi_fs_sync(const char *path, vv_error *err)
{
    int fd;
    int result;
    int error;

    VVI_MAKE_CALL(VVI_CALL_OPEN, fd, open(path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return vvi_fail_errno(err, errno, "open %s", path);
    VVI_MAKE_CALL(VVI_CALL_SYNC, result, syncfs(fd));
    error = errno;
    close(fd);
    return result ? vvi_fail_errno(err, error, "sync the file system of %s", path)
                  : VV_OK;
}

vv_status vvi_dir_sync(const char *path, vv_error *err)
{
    int fd;
    int result;
    int error;

    VVI_MAKE_CALL(VVI_CALL_OPEN, fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return vvi_fail_errno(err, errno, "open directory %s", path);
    VVI_MAKE_CALL(VVI_CALL_SYNC, result, fsync(fd));
    error = errno;
    close(fd);
    if (result)
        return vvi_fail_errno(err, error, "sync directory %s", path);
    tell_path(VVI_EVENT_DIR_SYNC, path, NULL);
    return VV_OK;
}

bool vvi_dir_is_remote(const char *path)
{
#if defined(__linux__)
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        return false;
    switch ((unsigned long)fs.f_type & 0xffffffffu) {
    case 0x6969u:     /* NFS */
    case 0xfe534d42u: /* SMB2 */
    case 0xff534d42u: /* CIFS */
    case 0x517bu:     /* SMB */
    case 0x00c36400u: /* Ceph */
        return true;
    default:
        return false;
    }
#else
    (void)path;
    return false;
#endif
}

vv_status vvi_path_look(const char *path, vvi_path_kind *kind, uint64_t *size,
                        vv_error *err)
{
    struct stat st;

    VVI_TRY(stat_path(path, &st, err));
    *kind = kind_of_mode(st.st_mode);
    if (size)
        *size = (uint64_t)st.st_size;
    return VV_OK;
}

static vvi_path_kind kind_of_entry(DIR *dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type == DT_REG)
        return VVI_PATH_FILE;
    if (entry->d_type == DT_DIR)
        return VVI_PATH_DIRECTORY;
    if ((entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) ||
        fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
        return VVI_PATH_OTHER;
    if (!S_ISLNK(st.st_mode))
        return kind_of_mode(st.st_mode);
    if (fstatat(dirfd(dir), entry->d_name, &st, 0) || !S_ISREG(st.st_mode))
        return VVI_PATH_OTHER;
    return VVI_PATH_FILE;
}

vv_status vvi_dir_scan(const char *path, vvi_scan_fn visit, void *ctx, vv_error *err)
{
    vv_status status = VV_OK;
    struct dirent *entry;
    DIR *dir = NULL;
    int error;

    do {
        error = vvi_fault_check(VVI_CALL_LIST, NULL, NULL);
        if (!error && !(dir = opendir(path)))
            error = errno;
    } while (error == EINTR);
    if (!dir)
        return vvi_fail_errno(err, error, "list %s", path);
    while (!status) {
        errno = 0;
        entry = readdir(dir);
        if (!entry) {
            if (errno)
                status = vvi_fail_errno(err, errno, "list %s", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = visit(ctx, entry->d_name, kind_of_entry(dir, entry), err);
    }
    closedir(dir);
    return status;
}

typedef struct name_visit {
    vvi_dir_fn visit;
    void *ctx;
} name_visit;

static vv_status visit_name(void *ctx, const char *name, vvi_path_kind kind,
                            vv_error *err)
{
    name_visit *self = ctx;

    (void)kind;
    return self->visit(self->ctx, name, err);
}

vv_status vvi_dir_list(const char *path, vvi_dir_fn visit, void *ctx, vv_error *err)
{
    return vvi_dir_scan(path, visit_name, &(name_visit){ visit, ctx }, err);
}

vv_status vvi_file_load(const char *path, uint64_t max, vv_buf *out, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vv_buf data = VV_BUF_INIT;
    uint64_t size;
    size_t got;
    vv_status status;

    VVI_TRY(vvi_file_open(&file, path, VVI_FILE_READ, err));
    status = vvi_file_size(&file, &size, err);
    if (!status && size > max)
        status = vvi_fail(err, VV_ELIMIT, "%s has %" PRIu64 " bytes, more than %" PRIu64,
                          path, size, max);
    if (!status)
        status = vvi_buf_reserve(&data, (size_t)size, err);
    if (!status)
        status = vvi_file_read_at(&file, 0, data.data, (size_t)size, &got, err);
    if (!status) {
        data.len = got;
        vvi_buf_move(out, &data);
    }
    vv_buf_clear(&data);
    vvi_file_close(&file);
    return status;
}

vv_status vvi_file_save(const char *directory, const char *name, vv_bytes data,
                        vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vv_buf new_name = VV_BUF_INIT;
    char *path = vvi_path_join(directory, name);
    char *new_path = NULL;
    vv_status status;

    status = vvi_buf_printf(&new_name, err, "%s.%ld.new", name, (long)getpid());
    if (!status && path)
        new_path = vvi_path_join(directory, (const char *)new_name.data);
    if (!status && !new_path)
        status = vvi_fail_nomem(err, strlen(directory) + strlen(name));
    if (status)
        goto done;
    status = vvi_file_open(&file, new_path,
                           VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err);
    if (status)
        goto done;
    status = vvi_file_write_at(&file, 0, data, err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_file_rename(new_path, path, err);
    if (status)
        (void)vvi_file_unlink(new_path, NULL);
    else
        status = vvi_dir_sync(directory, err);

done:
    vvi_file_close(&file);
    vv_buf_clear(&new_name);
    vvi_free(path);
    vvi_free(new_path);
    return status;
}
