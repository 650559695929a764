/* CAR files: a file is there whole or not at all, and the import of it gives every block. */
#include "faults.h"

#include <unistd.h>

static void prepare_blocks(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_blockstore_new(&w->blocks, &err));
    assert_vv_ok(put_blocks(w->blocks, 0, 8, &err));
}

static vv_status export_both(world *w, vv_error *err)
{
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_status status;
    vv_cid roots[8];

    for (unsigned i = 0; i < 8; i++)
        roots[i] = cid_of_block(i);
    status = vv_car_export(w->blocks, roots, 8, &options, path_in(w, "1.car"), NULL, err);
    options.version = 2;
    if (status == VV_OK)
        status = vv_car_export(w->blocks, roots, 8, &options, path_in(w, "2.car"), NULL,
                               err);
    return status;
}

/* What lies under the name is whole. */
static void check_file(world *w, const char *name)
{
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *into = NULL;

    if (access(path_in(w, name), F_OK) != 0)
        return;
    assert_vv_ok(vv_memory_blockstore_new(&into, &err));
    assert_vv_ok(vv_car_import(path_in(w, name), into, NULL, NULL, NULL, NULL, &err));
    assert_blocks(into, 0, 8);
    vv_blockstore_free(into);
}

static void check_files(world *w)
{
    check_file(w, "1.car");
    check_file(w, "2.car");
}

static void prepare_files(world *w)
{
    vv_error err = VV_ERROR_INIT;

    prepare_blocks(w);
    assert_vv_ok(export_both(w, &err));
}

static vv_status import_one(world *w, const char *name, vv_error *err)
{
    vv_blockstore *into = NULL;
    vv_cid *roots = NULL;
    size_t count = 0;
    vv_status status = vv_memory_blockstore_new(&into, err);

    if (status == VV_OK)
        status = vv_car_import(path_in(w, name), into, NULL, &roots, &count, NULL, err);
    if (status == VV_OK) {
        assert_int_equal(count, 8);
        assert_blocks(into, 0, 8);
    }
    vv_free(roots);
    vv_blockstore_free(into);
    return status;
}

static vv_status open_one(world *w, const char *name, vv_error *err)
{
    vv_blockstore *car = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid = cid_of_block(5);
    vv_status status = vv_car_open(path_in(w, name), &car, err);

    if (status == VV_OK)
        status = vv_blockstore_get(car, &cid, &out, err);
    vv_buf_clear(&out);
    vv_blockstore_free(car);
    return status;
}

static vv_status read_both(world *w, vv_error *err)
{
    vv_status status = import_one(w, "1.car", err);

    if (status == VV_OK)
        status = import_one(w, "2.car", err);
    if (status == VV_OK)
        status = open_one(w, "1.car", err);
    if (status == VV_OK)
        status = open_one(w, "2.car", err);
    return status;
}

const scenario scenarios_car[] = {
    { "car: export", true, prepare_blocks, export_both, check_files },
    { "car: import and open", true, prepare_files, read_both, check_files },
    { NULL, false, NULL, NULL, NULL },
};
