#include "local/numbers.h"

#include "util/file.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

vv_error numbers_error;

vv_blockstore *open_numbers(const char *dir, const vv_local_options *options)
{
    vv_local_options opts = options ? *options : VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store = NULL;

    opts.create = !opts.read_only;
    if (vv_local_open(dir, &opts, &store, &numbers_error))
        fail_msg("open %s: %s", dir, numbers_error.message);
    return store;
}

vv_bytes number_bytes(unsigned n, uint8_t buffer[256])
{
    uint64_t seed = n;
    size_t len = 12 + (size_t)(next_random(&seed) % 200);

    for (size_t i = 0; i < len; i++)
        buffer[i] = (uint8_t)next_random(&seed);
    memcpy(buffer, &n, sizeof(n));
    return (vv_bytes){ buffer, len };
}

vv_cid number_cid(unsigned n)
{
    uint8_t buffer[256];
    vv_cid cid;

    if (vv_cid_of(&VV_PREFIX_RAW_BLAKE3, number_bytes(n, buffer), &cid, &numbers_error))
        fail_msg("%s", numbers_error.message);
    return cid;
}

vv_status put_number(vv_blockstore *store, unsigned n, vv_error *err)
{
    uint8_t buffer[256];

    return vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, number_bytes(n, buffer), NULL,
                             err);
}

vv_status get_number(vv_blockstore *store, unsigned n, vv_error *err)
{
    uint8_t buffer[256];
    vv_bytes want = number_bytes(n, buffer);
    vv_cid cid = number_cid(n);
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(store, &cid, &out, err);

    if (!status && (out.len != want.len || memcmp(out.data, want.data, want.len) != 0))
        fail_msg("block %u came back with other bytes", n);
    vv_buf_clear(&out);
    return status;
}

void copy_directory(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char source[1024];
        char target[1024];
        uint8_t *bytes;
        size_t len;

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "quarantine") == 0)
            continue;
        snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
        snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
        bytes = read_file(source, &len);
        write_file(target, bytes, len);
        free(bytes);
    }
    closedir(dir);
}

void use_fast_directory(void)
{
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
}
