/* Keys from files, descriptors and environment variables, and into files. */
#include "crypto/key.h"
#include "crypto/secret.h"
#include "util/buf.h"
#include "util/file.h"

#include <stdlib.h>
#include <string.h>

/* What everybody may do, and what the group may not: others of a group that shares a key read it. */
#define OPEN_TO_OTHERS 027u

static vv_status check_mode(const vvi_file *file, const vvi_file_facts *facts,
                            vv_error *err)
{
    if (facts->kind != VVI_PATH_FILE)
        return vvi_fail(err, VV_EINVAL,
                        "%s is no file; a key that comes through a pipe is read from its "
                        "descriptor",
                        file->path);
    if (facts->mode & OPEN_TO_OTHERS)
        return vvi_fail(err, VV_EAUTH,
                        "%s: others can read or change this key (mode %04o); chmod 600 "
                        "ends that",
                        file->path, facts->mode & 07777u);
    return VV_OK;
}

/* Of a file, or of a descriptor for NULL. One byte more than a key can have shows what is too long. */
static vv_status read_all(const vvi_file *file, vv_source source, uint8_t *text,
                          size_t *len, vv_error *err)
{
    size_t got;

    *len = 0;
    if (file)
        return vvi_file_read_at(file, 0, text, VVI_KEY_TEXT_MAX + 1, len, err);
    do {
        got = 0;
        VVI_TRY(
            source.read(source.ctx, text + *len, VVI_KEY_TEXT_MAX + 1 - *len, &got, err));
        *len += got;
    } while (got && *len <= VVI_KEY_TEXT_MAX);
    return VV_OK;
}

static vv_status load(const vvi_file *file, vv_source source, vv_key **out, vv_error *err)
{
    uint8_t *text = vvi_secret_new(VVI_KEY_TEXT_MAX + 1);
    vv_status status;
    size_t len;

    if (!text)
        return vvi_fail_nomem(err, VVI_KEY_TEXT_MAX + 1);
    status = read_all(file, source, text, &len, err);
    if (!status)
        status = vvi_key_parse(vvi_bytes(text, len), true, out, err);
    vvi_secret_free(text);
    return status;
}

vv_status vv_key_load(const char *path, vv_key **out, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vvi_file_facts facts;
    vv_status status;

    VVI_TRY(vvi_file_open(&file, path, VVI_FILE_READ | VVI_FILE_NO_WAIT, err));
    status = vvi_file_look(&file, &facts, err);
    if (!status)
        status = check_mode(&file, &facts, err);
    if (!status) {
        status = load(&file, (vv_source){ NULL, NULL }, out, err);
        if (status == VV_EINVAL)
            vvi_wrap(err, status, "%s", path);
    }
    vvi_file_close(&file);
    return status;
}

vv_status vv_key_load_fd(int fd, vv_key **out, vv_error *err)
{
    vv_status status = load(NULL, vv_source_fd(fd), out, err);

    return status == VV_EINVAL ? vvi_wrap(err, status, "descriptor %d", fd) : status;
}

vv_status vv_key_load_env(const char *variable, vv_key **out, vv_error *err)
{
    const char *text = getenv(variable);
    vv_status status;

    if (!text)
        return vvi_fail(err, VV_ENOTFOUND, "the environment has no variable %s",
                        variable);
    status = vvi_key_parse(vv_bytes_of(text), false, out, err);
    return status == VV_EINVAL ? vvi_wrap(err, status, "variable %s", variable) : status;
}

/* The directory that path lies in, in place of path. */
static char *cut_name(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash)
        return strcpy(path, ".");
    slash[slash == path] = '\0';
    return path;
}

vv_status vv_key_save(const vv_key *key, const char *path, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    char text[VVI_KEY_FILE_MAX];
    char *directory = vvi_path_join(path, "");
    vv_status status;
    size_t len;

    if (!directory)
        return vvi_fail_nomem(err, strlen(path) + 2);
    strcpy(directory, path);
    status = vvi_file_open(
        &file, path,
        VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_EXCLUSIVE | VVI_FILE_PRIVATE, err);
    if (status)
        goto done;
    vvi_key_format(key, text, &len);
    status = vvi_file_write_at(&file, 0, vvi_bytes(text, len), err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_dir_sync(cut_name(directory), err);
    vvi_wipe(text, sizeof(text));
    vvi_file_close(&file);
    if (status)
        (void)vvi_file_unlink(path, NULL);

done:
    vv_free(directory);
    return status;
}
