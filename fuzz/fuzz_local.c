/*
 * The files of the embedded store: a small sound store is changed as the input says, then opened,
 * read, checked, repaired and written to. No change may crash it, no block may come back with other
 * bytes, and what was repaired is sound.
 *
 * Input: a list of changes, each
 *   1 byte   file: 0 pack-00000001, 1 pack-00000002, 2 index, 3 varvite-store; + 4 × kind
 *            kind 0 overwrite, 1 cut to the offset, 2 make the record check at the offset right,
 *            3 make the header's check right (the index: of its state), 4 remove the file
 *   3 bytes  offset, little-endian
 *   1 byte   how many bytes follow (kind 0)
 */
#include "fuzz.h"

#include "local/layout.h"
#include "util/buf.h"
#include "util/file.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES  4
#define BLOCKS 40

static const char *const names[FILES] = { "pack-00000001", "pack-00000002", "index",
                                          "varvite-store" };
static vv_buf originals[FILES];
static char directory[64];
static vvi_local_key key;

static char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void remove_files(void)
{
    char command[128];

    for (unsigned n = 1; n < 12; n++) {
        char name[VVI_SEGMENT_NAME_MAX];

        vvi_segment_name(n, name);
        (void)unlink(path_of(name));
    }
    for (int i = 0; i < FILES; i++)
        (void)unlink(path_of(names[i]));
    (void)unlink(path_of("index.new"));
    snprintf(command, sizeof(command), "rm -rf %s/quarantine", directory);
    if (access(path_of("quarantine"), F_OK) == 0 && system(command) != 0)
        abort();
}

static void remove_directory(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", directory);
}

static vv_bytes block_bytes(unsigned n, uint8_t buffer[200])
{
    for (unsigned i = 0; i < 200; i++)
        buffer[i] = (uint8_t)(n * 31 + i * 7 + (i * n) / 16);
    return (vv_bytes){ buffer, 20 + n * 4 };
}

static void make_store(void)
{
    static const uint8_t id[16] = "a store for fuzz";
    uint8_t bytes[VVI_STORE_FILE_SIZE];
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    snprintf(directory, sizeof(directory), "%s/varvite-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(directory));
    CHECK(atexit(remove_directory) == 0);
    vvi_local_key_init(&key, id);
    vvi_store_file_encode(id, bytes);
    CHECK(vvi_file_save(directory, "varvite-store", (vv_bytes){ bytes, sizeof(bytes) },
                        NULL) == VV_OK);
    opts.segment_bytes = 4000;
    CHECK(vv_local_open(directory, &opts, &store, NULL) == VV_OK);
    for (unsigned n = 0; n < BLOCKS; n++) {
        uint8_t buffer[200];
        vv_cid cid;

        CHECK(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, block_bytes(n, buffer),
                                &cid, NULL) == VV_OK);
        if (n % 8 == 7)
            CHECK(vv_blockstore_delete(store, &cid, NULL) == VV_OK);
        CHECK(vv_blockstore_flush(store, NULL) == VV_OK);
    }
    vv_blockstore_free(store);
    for (int i = 0; i < FILES; i++)
        CHECK(vvi_file_load(path_of(names[i]), 1 << 20, &originals[i], NULL) == VV_OK);
}

/* ---- changes ------------------------------------------------------------------------------- */

typedef struct image {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool gone;
} image;

static void mend_check(image *file, int which, size_t at)
{
    uint8_t header[VVI_RECORD_HEADER_MAX] = { 0 };
    size_t n;

    at &= ~(size_t)7;
    if (which > 1 || at >= file->len || file->len - at < VVI_RECORD_FIXED)
        return;
    n = file->len - at < sizeof(header) ? file->len - at : sizeof(header);
    memcpy(header, file->data + at, n);
    if (header[10] > VV_DIGEST_MAX)
        return;
    vvi_record_set_check(header, &key, vvi_place_of((uint64_t)which + 1, at));
    memcpy(file->data + at, header, 8);
}

static void mend_header(image *file, int which, size_t at)
{
    if (which == 2 && file->len > 512) {
        uint8_t *state = file->data + (at & 1 ? 256 : 128);
        uint64_t crc = vv_crc32c(0, vvi_bytes(state, 88));

        vvi_put_le64(state + 88, crc);
        vvi_put_le32(file->data + 12, vv_crc32c(0, vvi_bytes(file->data + 16, 32)));
    } else if (which != 2 && file->len >= 64) {
        vvi_put_le32(file->data + 12, vv_crc32c(0, vvi_bytes(file->data + 16, 48)));
    }
}

static const uint8_t *change(image *files, const uint8_t *at, const uint8_t *end)
{
    int which = at[0] & 3;
    image *file = &files[which];
    size_t offset = (size_t)at[1] | (size_t)at[2] << 8 | (size_t)at[3] << 16;
    size_t count = at[4];
    unsigned kind = (at[0] >> 2) % 5;

    at += 5;
    switch (kind) {
    case 0:
        if (count > (size_t)(end - at))
            count = (size_t)(end - at);
        if (file->len && count) {
            offset %= file->len;
            if (offset + count > file->cap)
                count = file->cap - offset;
            memcpy(file->data + offset, at, count);
            if (offset + count > file->len)
                file->len = offset + count;
            at += count;
        }
        break;
    case 1:
        if (offset < file->len)
            file->len = offset;
        break;
    case 2:
        mend_check(file, which, offset);
        break;
    case 3:
        mend_header(file, which, offset);
        break;
    default:
        file->gone = true;
        break;
    }
    return at;
}

/* ---- what must hold ------------------------------------------------------------------------- */

static vv_status look_at(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(ctx, cid, &out, err);

    (void)size;
    if (!status)
        CHECK(vv_cid_verify(cid, (vv_bytes){ out.data, out.len }, NULL) == VV_OK);
    vv_buf_clear(&out);
    return VV_OK;
}

static void look_at_all(vv_blockstore *store)
{
    vv_blockstore_stats stats;

    (void)vv_blockstore_iterate(store, look_at, store, NULL);
    for (unsigned n = 0; n < BLOCKS; n++) {
        uint8_t buffer[200];
        vv_bytes want = block_bytes(n, buffer);
        vv_buf out = VV_BUF_INIT;
        vv_cid cid;

        CHECK(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, want, &cid, NULL) == VV_OK);
        if (vv_blockstore_get(store, &cid, &out, NULL) == VV_OK)
            CHECK(out.len == want.len && memcmp(out.data, want.data, want.len) == 0);
        vv_buf_clear(&out);
    }
    (void)vv_blockstore_stat(store, &stats, NULL);
}

static void write_to(vv_blockstore *store)
{
    vv_cid cid;
    vv_buf out = VV_BUF_INIT;

    if (vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("a new block"), &cid,
                          NULL))
        return;
    if (vv_blockstore_flush(store, NULL))
        return;
    CHECK(vv_blockstore_get(store, &cid, &out, NULL) == VV_OK);
    vv_buf_clear(&out);
    (void)vv_blockstore_delete(store, &cid, NULL);
    (void)vv_local_compact(store, NULL, NULL);
}

static void open_and_use(bool read_only)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    opts.read_only = read_only;
    opts.segment_bytes = 4000;
    opts.lock_timeout_ms = 100;
    if (vv_local_open(directory, &opts, &store, NULL))
        return;
    look_at_all(store);
    if (!read_only)
        write_to(store);
    vv_blockstore_free(store);
}

static void write_files(const image *files)
{
    remove_files();
    for (int i = 0; i < FILES; i++) {
        vvi_file file = VVI_FILE_INIT;

        if (files[i].gone)
            continue;
        CHECK(vvi_file_open(&file, path_of(names[i]),
                            VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE,
                            NULL) == VV_OK);
        CHECK(vvi_file_write_at(&file, 0, (vv_bytes){ files[i].data, files[i].len },
                                NULL) == VV_OK);
        vvi_file_close(&file);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_fsck_options repair = VV_FSCK_OPTIONS_INIT;
    image files[FILES];
    const uint8_t *at = data;

    if (!originals[0].data)
        make_store();
    if (len > 4096)
        return 0;
    for (int i = 0; i < FILES; i++) {
        files[i] = (image){ NULL, originals[i].len, originals[i].len + 512, false };
        files[i].data = calloc(1, files[i].cap);
        CHECK(files[i].data);
        memcpy(files[i].data, originals[i].data, originals[i].len);
    }
    while (data + len - at >= 5)
        at = change(files, at, data + len);
    write_files(files);
    (void)vv_local_fsck(directory, NULL, NULL, NULL);
    open_and_use(true);
    open_and_use(false);
    write_files(files);
    repair.repair = true;
    if (vv_local_fsck(directory, &repair, NULL, NULL) == VV_OK)
        CHECK(vv_local_fsck(directory, NULL, NULL, NULL) == VV_OK);
    open_and_use(false);
    for (int i = 0; i < FILES; i++)
        free(files[i].data);
    return 0;
}
