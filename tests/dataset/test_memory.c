/* Memory while importing a file larger than what the import may use. */
#include "dataset/files.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 300 /* MiB */

/* AddressSanitizer holds back what is freed, 256 MiB of it unless it is told otherwise. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8";
}

/* Import in a child, into a directory; its peak of resident memory in KiB. */
static long peak_of_import(const char *source, const char *target)
{
    struct rusage usage;
    int result;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        vv_store *store = NULL;
        vv_error err = VV_ERROR_INIT;
        vv_status status = vv_directory_store_open(target, false, &store, &err);

        if (!status)
            status = vv_dataset_import(source, store, "", NULL, NULL, &err);
        if (status)
            fprintf(stderr, "%s\n", err.message);
        vv_store_free(store);
        _exit(status ? 1 : 0);
    }
    assert_int_equal(wait4(child, &result, 0, &usage), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    return usage.ru_maxrss;
}

static void check(const char *directory, int mode, bool deflated)
{
    const char *source = in(directory, "large.nc");
    char *target = strdup(in(directory, "out.zarr"));
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    long kib;

    make_large(source, mode, ROWS, deflated);
    kib = peak_of_import(source, target);
    print_message("importing %d MiB took %ld MiB at the peak\n", ROWS, kib >> 10);
    assert_true(kib < 150 << 10);
    assert_vv_ok(vv_directory_store_open(target, true, &store, &err));
    assert_same(source, store);
    vv_store_free(store);
    remove_directory(target);
}

static void a_large_file_takes_bounded_memory(void **state)
{
    char *directory = make_directory();

    (void)state;
    check(directory, 0, false);
    check(directory, NC_NETCDF4, true);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        a_large_file_takes_bounded_memory) };

    return cmocka_run_group_tests_name("dataset/memory", tests, NULL, NULL);
}
