/* DCD files: whatever they hold, they are refused or read, in memory that their length bounds. */
#include "fuzz.h"

#include "trajectory/dcd.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The whole of a frame, and a few atoms of it: both are the same numbers. */
static void read_frame(const vvi_dcd *dcd, uint64_t frame)
{
    const vvi_dcd_info *info = vvi_dcd_get_info(dcd);
    uint64_t start[3] = { frame, 0, 0 }, count[3] = { 1, info->atoms, 3 };
    uint64_t few[3] = { 1, 1, 1 };
    double box[9];
    float *all = malloc((size_t)info->atoms * 12), one;

    CHECK(all);
    if (vvi_dcd_read(dcd, start, count, NULL, all, NULL) == VV_OK) {
        start[1] = info->atoms - 1;
        start[2] = 2;
        CHECK(vvi_dcd_read(dcd, start, few, NULL, &one, NULL) == VV_OK);
        CHECK(memcmp(&one, &all[3 * info->atoms - 1], sizeof(one)) == 0);
    }
    (void)vvi_dcd_read_box(dcd, frame, box, NULL);
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("dcd", 0);
    vvi_dcd *dcd = NULL;
    char path[64];

    CHECK(fd >= 0);
    CHECK(write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (vvi_dcd_open(path, &dcd, NULL) == VV_OK) {
        const vvi_dcd_info *info = vvi_dcd_get_info(dcd);

        CHECK(info->size == len && info->fixed < info->atoms);
        if (info->frames) {
            CHECK(info->atoms * 12 <= len);
            read_frame(dcd, 0);
            read_frame(dcd, info->frames - 1);
        }
    }
    vvi_dcd_close(dcd);
    close(fd);
    return 0;
}
