/* Journals of recordings: a commit that is taken is one whose parts lie in it, and putting it over a file touches
 * nothing else. Checksums are made right, or nothing but they would be tried. */
#include "fuzz.h"

#include "h5/journal.h"
#include "util/endian.h"

#include <varvite/hash.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES 4096

static vvi_file file_of(const uint8_t *data, size_t len)
{
    vvi_file file = VVI_FILE_INIT;
    int fd = memfd_create("journal", 0);
    char path[64];

    CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CHECK(vvi_file_open(&file, path, VVI_FILE_READ, NULL) == VV_OK);
    close(fd);
    return file;
}

static void use(const vvi_h5_commit *commit)
{
    static uint8_t bytes[2 * FILE_BYTES];
    vvi_h5_commit_cursor cursor = { 0, 0 };
    vvi_h5_overlay overlay = { 0 };
    uint64_t address, len, total = 0;
    vv_bytes one;

    while (vvi_h5_commit_next(commit, &cursor, &address, &one)) {
        total += one.len;
        CHECK(!one.len ||
              (one.data >= commit->record.data &&
               one.data + one.len <= commit->record.data + commit->record.len));
    }
    for (size_t i = 0; i < commit->space_count; i++)
        vvi_h5_commit_space(commit, i, &address, &len);
    CHECK(vvi_h5_overlay_make(commit, &overlay, NULL) == VV_OK);
    CHECK(overlay.bytes.len <= total);
    memset(bytes, 0xAA, sizeof(bytes));
    vvi_h5_overlay_apply(&overlay, 100, bytes + 100, FILE_BYTES);
    for (size_t i = 0; i < 100; i++)
        CHECK(bytes[i] == 0xAA && bytes[100 + FILE_BYTES + i] == 0xAA);
    vvi_h5_overlay_clear(&overlay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t content[FILE_BYTES];
    uint8_t *journal = calloc(1, VVI_H5_JOURNAL_RECORD + len + VV_BLAKE3_SIZE);
    uint8_t *record = journal + VVI_H5_JOURNAL_RECORD;
    vvi_h5_commit commit;
    vvi_file file, beside;

    CHECK(journal);
    memcpy(journal, VVI_H5_JOURNAL_MAGIC, 8); /* an id of zeros at address 0 */
    vv_blake3((vv_bytes){ journal, VVI_H5_JOURNAL_TOP - VV_BLAKE3_SIZE },
              journal + VVI_H5_JOURNAL_TOP - VV_BLAKE3_SIZE);
    memcpy(record, data, len);
    if (len >= VVI_H5_JOURNAL_HEAD) {
        memcpy(record, VVI_H5_JOURNAL_RECORD_MAGIC, 8);
        vvi_put_le64(record + 40, len + VV_BLAKE3_SIZE);
    }
    vv_blake3((vv_bytes){ record, len }, record + len);
    file = file_of(content, sizeof(content));
    beside = file_of(journal, VVI_H5_JOURNAL_RECORD + len + VV_BLAKE3_SIZE);
    CHECK(vvi_h5_commit_read(&beside, &file, &commit, NULL) == VV_OK);
    if (commit.seq)
        use(&commit);
    vvi_h5_commit_clear(&commit);
    vvi_file_close(&file);
    vvi_file_close(&beside);
    free(journal);
    return 0;
}
