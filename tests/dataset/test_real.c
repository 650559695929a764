/* Real files: those of the package ferret-datasets. */
#include "dataset/files.h"

#include <stdio.h>
#include <unistd.h>

#define DATA "/usr/share/ferret-vis/data"

static const struct {
    const char *name;
    uint64_t arrays, bytes; /* as ncdump -h counts them */
} files[] = {
    { "coads_climatology.cdf", 10, 12 * 90 * 180 * 4 * 7 + (180 + 90 + 12) * 8 },
    { "esku_heat_budget.cdf", 29, 12 * 46 * 72 * 4 * 25 + (72 + 46 + 47 + 12) * 8 },
    { "levitus_climatology.cdf", 6, 20 * 180 * 360 * 4 * 2 + (360 + 180 + 20 + 21) * 8 },
    { "monthly_navy_winds.cdf", 5, 132 * 73 * 144 * 4 * 2 + (144 + 73 + 132) * 8 },
    { "ocean_atlas_subset.nc", 5, 12 * 19 * 90 * 180 * 4 + (180 + 90 + 19 + 12) * 8 },
    { "etopo60.cdf", 3, 180 * 360 * 4 + (360 + 180) * 8 },
};

static int setup(void **state)
{
    *state = make_directory();
    return 0;
}

static int teardown(void **state)
{
    remove_directory(*state);
    return 0;
}

static void climate_files_come_back_as_they_were(void **state)
{
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        const char *path = in(DATA, files[i].name);
        const char *out = in(*state, "out.nc");
        vv_export_options options = VV_EXPORT_OPTIONS_INIT;
        vv_import_result result;
        vv_store *store = NULL;

        assert_vv_ok(vv_memory_store_new(&store, &err));
        assert_vv_ok(vv_dataset_import(path, store, "", NULL, &result, &err));
        assert_int_equal(result.arrays, files[i].arrays);
        assert_int_equal(result.bytes, files[i].bytes);
        assert_true(result.stored_bytes < files[i].bytes);
        assert_same(path, store);
        options.overwrite = true;
        assert_vv_ok(vv_dataset_export(store, "", out, &options, NULL, &err));
        assert_same(out, store);
        vv_store_free(store);
    }
}

static void a_real_file_cut_anywhere_is_corrupt(void **state)
{
    const char *cut = in(*state, "cut.cdf");
    size_t len;
    uint8_t *data = read_file(in(DATA, "etopo60.cdf"), &len);

    for (size_t n = 4; n < len; n += len / 60) {
        vv_error err = VV_ERROR_INIT;
        vv_store *store = NULL;

        write_file(cut, data, n);
        assert_vv_ok(vv_memory_store_new(&store, &err));
        assert_int_equal(vv_dataset_import(cut, store, "", NULL, NULL, &err),
                         VV_ECORRUPT);
        vv_store_free(store);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(climate_files_come_back_as_they_were, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_real_file_cut_anywhere_is_corrupt, setup,
                                        teardown),
    };

    if (access(DATA "/coads_climatology.cdf", R_OK) != 0) {
        printf("skipped: the package ferret-datasets is not installed\n");
        return 77;
    }
    return cmocka_run_group_tests_name("dataset/real", tests, NULL, NULL);
}
