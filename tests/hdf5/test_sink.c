/* The sink of HDF5 files, driven as the recorder drives it. */
#include "hdf5/made.h"

#include "h5/h5.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static vv_error err;

static void begin(made_writer *w, const made *m, const char *path)
{
    memset(w, 0, sizeof(*w));
    w->m = m;
    assert_vv_ok(vvi_hdf5_sink_create(path, &m->plan, &w->sink, &err));
}

static char *in(const char *dir, const char *name)
{
    static char path[700];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static uint8_t flags_of(const char *path)
{
    vvi_h5 *file = NULL;
    uint8_t flags;

    assert_vv_ok(vvi_h5_open(path, &file, &err));
    flags = vvi_h5_get_info(file)->own_flags;
    vvi_h5_close(file);
    return flags;
}

/* Every kind of group, every codec: rows are right after each commit, and when it is closed. */
static void rows_are_there_after_each_commit(void **state)
{
    static const uint64_t ends[] = { 0, 1, 2, 15, 16, 17, 40, 100, 101, 128, 300 };

    (void)state;
    for (int codec = VV_COMPRESS_NONE; codec <= VV_COMPRESS_BLOSC; codec++)
        for (int checksum = 0; checksum < 2; checksum++) {
            char *dir = make_directory();
            char *path = in(dir, "a.h5");
            made_writer w;
            char when[80];
            made m;

            made_init(&m, (vv_compression_codec)codec, checksum);
            begin(&w, &m, path);
            assert_int_equal(made_check(&m, path, "new"), 0);
            for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                snprintf(when, sizeof(when), "codec %d, checksum %d, %u rows", codec,
                         checksum, (unsigned)ends[i]);
                if (i == 2)
                    assert_vv_ok(made_put_once(&w, &err));
                assert_vv_ok(made_put_places(&w, 2 * i, 2 * i + 2, &err));
                assert_vv_ok(
                    made_write(&w, ends[i], i % 2 ? VV_PROCESS : VV_DURABLE, &err));
                assert_int_equal(made_check(&m, path, when), ends[i]);
                assert_int_equal(flags_of(path), VVI_HDF5_OPEN);
            }
            assert_vv_ok(made_close(&w, 333, &err));
            assert_int_equal(made_check(&m, path, "closed"), 333);
            assert_int_equal(flags_of(path), 0);
            assert_int_equal(access(in(dir, "a.h5.journal"), F_OK), -1);
            made_clear(&m);
            remove_directory(dir);
        }
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

/* Bytes of a recording of 1000 rows, committed in fives. */
static uint64_t size_of_many_commits(const made *m, const char *path)
{
    made_writer w;
    uint64_t size;

    begin(&w, m, path);
    for (uint64_t end = 5; end <= 1000; end += 5) {
        assert_vv_ok(made_write(&w, end, VV_PROCESS, &err));
        assert_int_equal(made_check(m, path, "many commits"), end);
    }
    size = size_of(path);
    assert_vv_ok(made_close(&w, 1000, &err));
    assert_int_equal(made_check(m, path, "closed"), 1000);
    return size;
}

/* The space of chunks that stood raw is used for the next ones, and given back in the end. */
static void space_of_raw_chunks_is_used_again(void **state)
{
    uint64_t quarantine = vvi_hdf5_quarantine_ns, apart, again;
    char *dir = make_directory();
    char *path = in(dir, "a.h5");
    struct stat st;
    made m;

    (void)state;
    made_init(&m, VV_COMPRESS_ZSTD, true);
    apart = size_of_many_commits(&m, path);
    assert_int_equal(stat(path, &st), 0);
    print_message("%u bytes, and %u of them on the disk in the end\n", (unsigned)apart,
                  (unsigned)st.st_blocks * 512);
    unlink(path);
    vvi_hdf5_quarantine_ns = 0;
    again = size_of_many_commits(&m, path);
    vvi_hdf5_quarantine_ns = quarantine;
    print_message("%u bytes where space is used again\n", (unsigned)again);
    assert_true(again < apart * 7 / 10);
    made_clear(&m);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_there_after_each_commit),
        cmocka_unit_test(space_of_raw_chunks_is_used_again),
    };

    return cmocka_run_group_tests_name("hdf5/sink", tests, NULL, NULL);
}
