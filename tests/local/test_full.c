/* A full disk and a read-only one: a clear error, nothing lost, and on it goes afterwards. */
#include "local/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static vv_error err;

/* A tmpfs of a megabyte; NULL where that is not allowed. */
static char *small_disk(void)
{
    char *dir = make_directory();

    if (mount("tmpfs", dir, "tmpfs", 0, "size=1m") == 0)
        return dir;
    print_message("skipped: a tmpfs cannot be mounted: %s\n", strerror(errno));
    remove_directory(dir);
    return NULL;
}

static void remove_disk(char *dir)
{
    assert_int_equal(umount(dir), 0);
    remove_directory(dir);
}

static void make_ballast(const char *dir, size_t bytes)
{
    char path[1024];
    uint8_t *zeros = calloc(1, bytes);

    assert_non_null(zeros);
    snprintf(path, sizeof(path), "%s/ballast", dir);
    write_file(path, zeros, bytes);
    free(zeros);
}

static void drop_ballast(const char *dir)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/ballast", dir);
    assert_int_equal(unlink(path), 0);
}

static void put_until_full(vv_blockstore *store, unsigned *acked, unsigned *asked)
{
    vv_status status = VV_OK;

    *acked = *asked = 0;
    while (!status) {
        for (unsigned i = 0; i < 50 && !status; i++) {
            status = put_number(store, *asked, &err);
            *asked += !status;
        }
        if (!status)
            status = vv_blockstore_flush(store, &err);
        if (!status)
            *acked = *asked;
        assert_true(*asked < 100000);
    }
    assert_int_equal(status, VV_EIO);
    assert_non_null(strstr(err.message, "No space left"));
}

static void a_full_disk_loses_nothing_and_can_be_cleared(void **state)
{
    char *disk = small_disk();
    char dir[600];
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    unsigned acked;
    unsigned asked;

    (void)state;
    if (!disk)
        skip();
    snprintf(dir, sizeof(dir), "%s/store", disk);
    make_ballast(disk, 500000);
    opts.segment_bytes = 100000;
    store = open_numbers(dir, &opts);
    put_until_full(store, &acked, &asked);
    assert_true(acked > 100);
    for (unsigned n = 0; n < asked; n++) /* also what was not flushed */
        assert_vv_ok(get_number(store, n, &err));
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
    drop_ballast(disk);
    assert_vv_ok(vv_blockstore_flush(store, &err)); /* the same handle, all of it */
    vv_blockstore_free(store);
    assert_vv_ok(vv_local_fsck(dir, NULL, NULL, &err));
    store = open_numbers(dir, &opts);
    for (unsigned n = 0; n < asked; n++)
        assert_vv_ok(get_number(store, n, &err));
    vv_blockstore_free(store);
    remove_disk(disk);
}

static void a_store_on_a_full_disk_can_be_read_and_deleted_from(void **state)
{
    char *disk = small_disk();
    char dir[600];
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    unsigned acked;
    unsigned asked;

    (void)state;
    if (!disk)
        skip();
    snprintf(dir, sizeof(dir), "%s/store", disk);
    opts.segment_bytes = 100000;
    store = open_numbers(dir, &opts);
    put_until_full(store, &acked, &asked);
    vv_blockstore_free(store);
    opts.read_only = true;
    store = open_numbers(dir, &opts);
    for (unsigned n = 0; n < acked; n++)
        assert_vv_ok(get_number(store, n, &err));
    vv_blockstore_free(store);
    opts.read_only = false;
    store = open_numbers(dir, &opts);
    for (unsigned n = 0; n < acked; n++)
        assert_vv_ok(get_number(store, n, &err));
    vv_blockstore_free(store);
    assert_vv_ok(vv_local_fsck(dir, NULL, NULL, &err));
    remove_disk(disk);
}

static void a_long_block_that_does_not_fit_is_refused_whole(void **state)
{
    char *disk = small_disk();
    char dir[600];
    vv_blockstore *store;
    uint8_t *data = calloc(1, 2000000);
    vv_bytes block = { data, 2000000 };

    (void)state;
    assert_non_null(data);
    if (!disk) {
        free(data);
        skip();
    }
    snprintf(dir, sizeof(dir), "%s/store", disk);
    store = open_numbers(dir, NULL);
    assert_vv_ok(put_number(store, 1, &err));
    assert_int_equal(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, block, NULL, &err),
                     VV_EIO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_vv_ok(vv_blockstore_flush(store, &err)); /* its space was given back */
    assert_vv_ok(put_number(store, 2, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    store = open_numbers(dir, NULL);
    assert_vv_ok(get_number(store, 1, &err));
    assert_vv_ok(get_number(store, 2, &err));
    vv_blockstore_free(store);
    remove_disk(disk);
    free(data);
}

static void a_read_only_disk_can_be_read_and_says_so(void **state)
{
    char *disk = small_disk();
    char dir[600];
    char path[700];
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    (void)state;
    if (!disk)
        skip();
    snprintf(dir, sizeof(dir), "%s/store", disk);
    store = open_numbers(dir, NULL);
    for (unsigned n = 0; n < 100; n++)
        assert_vv_ok(put_number(store, n, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    for (int round = 0; round < 3; round++) {
        if (round == 1)
            snprintf(path, sizeof(path), "%s/index", dir);
        if (round == 2)
            snprintf(path, sizeof(path), "%s/lock.open", dir);
        if (round)
            assert_int_equal(unlink(path), 0);
        assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        opts.read_only = false;
        vv_status status = vv_local_open(dir, &opts, &store, &err);
        assert_true(status == VV_EREADONLY || status == VV_EAUTH);
        assert_non_null(strstr(err.message, disk));
        opts.read_only = true;
        store = open_numbers(dir, &opts);
        for (unsigned n = 0; n < 100; n++)
            assert_vv_ok(get_number(store, n, &err));
        assert_int_equal(get_number(store, 100, &err), VV_ENOTFOUND);
        vv_blockstore_free(store);
        assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT, "size=1m"), 0);
    }
    remove_disk(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing_and_can_be_cleared),
        cmocka_unit_test(a_store_on_a_full_disk_can_be_read_and_deleted_from),
        cmocka_unit_test(a_long_block_that_does_not_fit_is_refused_whole),
        cmocka_unit_test(a_read_only_disk_can_be_read_and_says_so),
    };

    return cmocka_run_group_tests_name("full disk", tests, NULL, NULL);
}
