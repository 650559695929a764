/* Trajectory files: whatever they hold, they are refused or read. */
#include "fuzz.h"

#include "trajectory/trajectory.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAF_BYTES_MAX (1u << 20)

static void read_leaf(vv_traj *traj, size_t group, size_t leaf)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, count[VV_TRAJ_NDIM_MAX];
    size_t bytes;
    vv_traj_leaf what;
    void *out;

    if (vv_traj_leaf_at(traj, group, leaf, &what, NULL))
        return;
    CHECK(what.ndim <= VV_TRAJ_NDIM_MAX && what.item_size);
    bytes = what.item_size;
    for (uint32_t d = 0; d < what.ndim; d++) {
        count[d] = what.shape[d] < 100 ? what.shape[d] : 100;
        if (__builtin_mul_overflow(bytes, count[d], &bytes) || bytes > LEAF_BYTES_MAX)
            return;
    }
    out = malloc(bytes + 1);
    CHECK(out);
    (void)vv_traj_read(traj, group, leaf, start, count, NULL, out, bytes, NULL);
    free(out);
}

/* Rows, steps and places; a row that is found by its step is one that counts. */
static void read_rows(vv_traj *traj, size_t group)
{
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_traj_storage storage = VV_TRAJ_STORAGE_INIT;
    uint8_t written[100];
    uint64_t row;

    if (vv_traj_get_rows(traj, group, &rows, NULL))
        return;
    if (vv_traj_row_of_step(traj, group, 100, &row, NULL) == VV_OK)
        CHECK(row <= rows.rows);
    (void)vv_traj_read_written(traj, group, written,
                               rows.rows < sizeof(written) ? (size_t)rows.rows
                                                           : sizeof(written),
                               NULL);
    (void)vv_traj_leaf_storage(traj, group, 0, &storage, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("trajectory", 0);
    vv_traj *traj = NULL;
    vv_store *store = NULL;
    char path[64];

    vvi_traj_tries = 0;
    CHECK(fd >= 0);
    CHECK(write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (vv_traj_open(path, &traj, NULL) == VV_OK)
        for (size_t g = 0; g < vv_traj_get_info(traj)->group_count; g++) {
            read_rows(traj, g);
            for (size_t i = 0; i < 16 && vv_traj_leaf_name(traj, g, i); i++)
                read_leaf(traj, g, i);
        }
    vv_traj_close(traj);
    if (vv_traj_store_open(path, &store, NULL) == VV_OK)
        vv_store_free(store);
    close(fd);
    return 0;
}
