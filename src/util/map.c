/* Mapped files, counted. */
#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/file_call.h"

#include <sys/mman.h>

vv_status vvi_map_open(const vvi_file *file, size_t len, bool writable, vvi_map **out,
                       vv_error *err)
{
    vvi_map *map = vvi_alloc_zero(sizeof(*map));
    void *data = MAP_FAILED;

    if (!map)
        return vvi_fail_nomem(err, sizeof(*map));
    errno = vvi_fault_check(VVI_CALL_MAP, NULL, NULL);
    if (!errno)
        data = mmap(NULL, len, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                    file->fd, 0);
    if (data == MAP_FAILED) {
        vv_status status = vvi_fail_errno(err, errno, "map %s", file->path);

        vvi_free(map);
        return status;
    }
    map->data = data;
    map->len = len;
    map->refs = 1;
    map->id = file->id;
    *out = map;
    return VV_OK;
}

void vvi_map_expect_random(const vvi_map *map)
{
    (void)madvise(map->data, map->len, MADV_RANDOM);
}

void vvi_map_release(void *ptr)
{
    vvi_map *map = ptr;

    if (!map || __atomic_sub_fetch(&map->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    munmap(map->data, map->len);
    vvi_free(map);
}

vv_status vvi_map_sync(vvi_map *map, vv_error *err)
{
    int result;
    int error;

    VVI_MAKE_CALL(VVI_CALL_SYNC, result, msync(map->data, map->len, MS_SYNC));
    error = errno;
    if (vvi_file_listening() && map->id)
        vvi_file_tell(&(vvi_file_event){
            .kind = result ? VVI_EVENT_SYNC_FAILED : VVI_EVENT_SYNC, .file = map->id });
    return result ? vvi_fail_errno(err, error, "sync a mapped file") : VV_OK;
}

void vvi_map_changed(const vvi_map *map, const void *at, size_t len)
{
    if (vvi_file_listening() && map->id)
        vvi_file_tell(
            &(vvi_file_event){ .kind = VVI_EVENT_MAP,
                               .file = map->id,
                               .offset = (uint64_t)((const uint8_t *)at - map->data),
                               .data = vvi_bytes(at, len) });
}
