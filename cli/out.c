#include "out.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed_errno; /* of the first write that failed */

static vv_status note(bool good)
{
    if (!good && !failed_errno)
        failed_errno = errno ? errno : EIO;
    return failed_errno ? VV_ECANCELED : VV_OK;
}

bool out_failed(void)
{
    return failed_errno != 0;
}

vv_status out_bytes(vv_bytes bytes)
{
    if (failed_errno)
        return VV_ECANCELED;
    /* No bytes may stand nowhere, which fwrite() does not take. */
    return note(!bytes.len || fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len);
}

vv_status out_text(const char *text)
{
    return out_bytes(vv_bytes_of(text));
}

vv_status out_format(const char *format, ...)
{
    va_list args;
    int n;

    if (failed_errno)
        return VV_ECANCELED;
    va_start(args, format);
    n = vfprintf(stdout, format, args);
    va_end(args);
    return note(n >= 0);
}

vv_status out_name(const char *name)
{
    vv_status status = VV_OK;

    while (*name && !status) {
        size_t plain = 0;
        while ((unsigned char)name[plain] >= 0x20 && name[plain] != 0x7f)
            plain++;
        status = out_bytes((vv_bytes){ (const uint8_t *)name, plain });
        name += plain;
        if (*name && !status)
            status = out_format("\\x%02x", (unsigned char)*name++);
    }
    return status;
}

vv_status out_cid(const vv_cid *cid)
{
    char text[VV_CID_TEXT_MAX];

    vv_cid_format(cid, text);
    return out_text(text);
}

static vv_status sink_write(void *ctx, vv_bytes data, vv_error *err)
{
    (void)ctx;
    if (out_bytes(data) == VV_OK)
        return VV_OK;
    if (err) {
        err->status = VV_EIO;
        snprintf(err->message, sizeof(err->message), "standard output: %s",
                 strerror(failed_errno));
    }
    return VV_EIO;
}

vv_sink out_sink(void)
{
    return (vv_sink){ sink_write, NULL };
}

vv_status out_close(cli_call *call, bool *gone)
{
    if (!failed_errno)
        note(fflush(stdout) == 0);
    /* What a full disk kept back may be told by close alone. */
    if (!failed_errno)
        note(close(STDOUT_FILENO) == 0 || errno == EBADF);
    *gone = failed_errno == EPIPE;
    if (!failed_errno)
        return VV_OK;
    return cli_fail(call, VV_EIO, "standard output: %s", strerror(failed_errno));
}

/* ---- a file instead -------------------------------------------------------------------- */

vv_status result_open(cli_call *call, const char *path, cli_result_file *out)
{
    *out = (cli_result_file){ .call = call };
    if (!path || strcmp(path, "-") == 0)
        return VV_OK;

    if (!*path)
        return cli_usage(call, "the name of the output is empty");

    struct stat info;
    bool device = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    size_t cap = strlen(path) + 32;

    out->path = cli_strdup(path);
    if (device) { /* /dev/full, a named pipe: nothing to rename */
        out->stream = fopen(path, "we");
    } else {
        out->partial = cli_alloc(cap);
        snprintf(out->partial, cap, "%s.%ld.partial", path, (long)getpid());
        out->stream = fopen(out->partial, "we");
        stop_watch(); /* Ctrl-C takes what is not complete away */
    }
    if (out->stream)
        return VV_OK;
    vv_status status = cli_fail_errno(call, "%s", path);
    free(out->partial);
    out->partial = NULL;
    result_clear(out);
    /* A missing directory is no answer to what was asked. */
    return status == VV_ENOTFOUND ? (call->err.status = VV_EIO) : status;
}

vv_status result_write(cli_result_file *file, vv_bytes bytes)
{
    if (!file->path)
        return out_bytes(bytes);
    if (file->partial && stop_signal())
        return VV_ECANCELED;
    if (fwrite(bytes.data, 1, bytes.len, file->stream) == bytes.len)
        return VV_OK;
    return cli_fail_errno(file->call, "%s", file->path);
}

static vv_status result_sink_write(void *ctx, vv_bytes data, vv_error *err)
{
    cli_result_file *file = ctx;
    vv_status status = result_write(file, data);

    if (status && !file->path)
        return sink_write(NULL, data, err);
    if (status && err)
        *err = file->call->err;
    return status;
}

vv_sink result_sink(cli_result_file *file)
{
    return (vv_sink){ result_sink_write, file };
}

vv_status result_commit(cli_result_file *file)
{
    if (!file->path)
        return VV_OK;
    FILE *stream = file->stream;
    file->stream = NULL;
    if (fclose(stream) != 0)
        return cli_fail_errno(file->call, "%s", file->path);
    if (file->partial && rename(file->partial, file->path) != 0)
        return cli_fail_errno(file->call, "%s", file->path);
    free(file->partial);
    file->partial = NULL;
    return VV_OK;
}

void result_clear(cli_result_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->partial)
        unlink(file->partial);
    free(file->partial);
    free(file->path);
    *file = (cli_result_file){ NULL, NULL, NULL, NULL };
}

/* ---- input ----------------------------------------------------------------------------- */

vv_status input_open(cli_call *call, const char *path, int *fd)
{
    struct stat info;

    if (strcmp(path, "-") == 0) {
        *fd = STDIN_FILENO;
        return VV_OK;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return cli_fail_errno(call, "%s", path);
    if (fstat(*fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(*fd);
        return cli_usage(call, "%s is a directory", path);
    }
    return VV_OK;
}

void input_close(int fd)
{
    if (fd > STDIN_FILENO)
        close(fd);
}

vv_status input_read(cli_call *call, const char *path, uint64_t limit, vv_bytes *out,
                     void **owner)
{
    uint8_t *data = NULL;
    size_t cap = 0, len = 0;
    int fd;
    vv_status status = input_open(call, path, &fd);

    if (status)
        return status;
    for (;;) {
        struct stat info;
        size_t want = len + 65536;
        if (len == 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
            info.st_size > 0 && (uint64_t)info.st_size <= limit)
            want = (size_t)info.st_size + 1;
        data = cli_grow(data, &cap, want, 1);
        ssize_t n = read(fd, data + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = cli_fail_errno(call, "%s", path);
        if (n <= 0)
            break;
        len += (size_t)n;
        if (len > limit) {
            status = cli_fail(call, VV_ELIMIT, "%s: longer than %s, the longest block",
                              path, cli_bytes_text(limit));
            break;
        }
    }
    input_close(fd);
    if (status) {
        free(data);
        return status;
    }
    *owner = data;
    *out = (vv_bytes){ data, len };
    return VV_OK;
}
