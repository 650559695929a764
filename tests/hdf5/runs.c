#include "hdf5/runs.h"

#include "util/error.h"
#include "util/thread.h"

#include <hdf5.h>
#include <stdio.h>
#include <unistd.h>

#define ATOMS 50
#define LARGE 300

vv_schema *run_schema(void)
{
    static const char json[] =
        "{\"groups\": {\"init\": {\"every\": \"once\", \"leaves\": {\"box\": \"float64[3]\"}},"
        "\"step\": {\"every\": 1, \"compression\": {\"codec\": \"gzip\", \"chunk_bytes\": 8192},"
        "  \"leaves\": {\"positions\": \"float32[50,3]\", \"energy\": \"float64\"}},"
        "\"sparse\": {\"every\": 7, \"compression\": {\"codec\": \"zstd\", \"chunk_bytes\": 16384},"
        "  \"leaves\": {\"large\": \"float64[300]\"}}}}";
    vv_schema *schema = NULL;
    vv_error err;

    assert_vv_ok(vv_schema_from_json(json, &schema, &err));
    return schema;
}

vv_recorder_options run_options(vv_durability durability)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;

    options.durability = durability;
    options.flush_ms = 3600000;
    options.threads = 2;
    return options;
}

static double energy_of(int64_t step)
{
    return (double)step * 0.5 - 3;
}

static void fill_positions(int64_t step, float *out)
{
    uint64_t seed = (uint64_t)step;

    for (int i = 0; i < ATOMS * 3; i++)
        out[i] = (float)(next_random(&seed) % 1000) / 16.f;
}

static void fill_large(int64_t step, double *out)
{
    for (int i = 0; i < LARGE; i++)
        out[i] = (double)step + i;
}

vv_status run_log(vv_recorder *recorder, int64_t step, vv_error *err)
{
    static const uint64_t three[] = { 3 }, atoms[] = { ATOMS, 3 }, large[] = { LARGE };
    double box[3] = { 1, 2, 3 }, energy = energy_of(step), values[LARGE];
    float positions[ATOMS * 3];
    vv_value init[] = { { box, VV_FLOAT64, 1, three } };
    vv_value now[] = { { positions, VV_FLOAT32, 2, atoms },
                       { &energy, VV_FLOAT64, 0, NULL } };
    vv_value sparse[] = { { values, VV_FLOAT64, 1, large } };
    vv_frame frames[] = { { 0, init, 1 }, { 1, now, 2 }, { 2, sparse, 1 } };

    fill_positions(step, positions);
    fill_large(step, values);
    return vv_recorder_log(recorder, step, frames, 3, err);
}

vv_status run_log_many(vv_recorder *recorder, int64_t from, int64_t to, vv_error *err)
{
    vv_status status = VV_OK;

    for (int64_t step = from; step < to && !status; step++)
        status = run_log(recorder, step, err);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

static vv_status check_rows(vv_traj *traj, const char *group, const char *name,
                            uint64_t rows, int64_t every, size_t bytes,
                            void (*fill)(int64_t step, void *out), vv_error *err)
{
    uint8_t *got = malloc(rows * bytes + 1), *want = malloc(bytes);
    uint64_t start[3] = { 0 };
    vv_traj_leaf leaf;
    size_t g, i;
    vv_status status = VV_OK;

    assert_true(got && want);
    assert_true(vv_traj_group_by_name(traj, group, &g));
    assert_true(vv_traj_leaf_by_name(traj, g, name, &i));
    status = vv_traj_leaf_at(traj, g, i, &leaf, err);
    if (!status && leaf.shape[0] != rows)
        status = vvi_fail(err, VV_ECORRUPT, "%s: another number of rows", name);
    if (!status && rows)
        status = vv_traj_read(traj, g, i, start, leaf.shape, NULL, got, rows * bytes,
                              err);
    for (uint64_t row = 0; row < rows && !status; row++) {
        fill((int64_t)row * every, want);
        if (memcmp(got + row * bytes, want, bytes) != 0)
            status = vvi_fail(err, VV_ECORRUPT, "%s: row %llu is wrong", name,
                              (unsigned long long)row);
    }
    free(got);
    free(want);
    return status;
}

static void want_positions(int64_t step, void *out)
{
    fill_positions(step, out);
}

static void want_energy(int64_t step, void *out)
{
    double energy = energy_of(step);

    memcpy(out, &energy, sizeof(energy));
}

static void want_large(int64_t step, void *out)
{
    fill_large(step, out);
}

static vv_status check_steps(vv_traj *traj, size_t g, uint64_t rows, int64_t every,
                             vv_error *err)
{
    int64_t *steps = malloc(rows * sizeof(*steps) + 1);
    vv_status status = rows ? vv_traj_read_steps(traj, g, 0, rows, steps, err) : VV_OK;

    for (uint64_t row = 0; row < rows && !status; row++)
        if (steps[row] != (int64_t)row * every)
            status = vvi_fail(err, VV_ECORRUPT, "step of row %llu",
                              (unsigned long long)row);
    free(steps);
    return status;
}

static vv_status look(vv_traj *traj, int64_t *next, vv_error *err)
{
    static const char *const names[] = { "group['init']", "group['step']",
                                         "group['sparse']" };
    uint64_t rows[3];
    vv_status status = VV_OK;
    size_t g;

    for (int i = 0; i < 3 && !status; i++) {
        vv_traj_rows there = VV_TRAJ_ROWS_INIT;

        assert_true(vv_traj_group_by_name(traj, names[i], &g));
        status = vv_traj_get_rows(traj, g, &there, err);
        rows[i] = there.rows;
        if (!status && i)
            status = check_steps(traj, g, rows[i], i == 1 ? 1 : 7, err);
    }
    if (status)
        return status;
    *next = (int64_t)rows[1];
    if (rows[0] != (rows[1] > 0) || rows[2] != (rows[1] + 6) / 7)
        return vvi_fail(err, VV_ECORRUPT, "rows of a step that is only half there");
    if (vv_traj_get_info(traj)->next_step != *next)
        return vvi_fail(err, VV_ECORRUPT, "next step %lld of %lld",
                        (long long)vv_traj_get_info(traj)->next_step, (long long)*next);
    status = check_rows(traj, names[1], "array['positions']", rows[1], 1,
                        sizeof(float) * ATOMS * 3, want_positions, err);
    if (!status)
        status = check_rows(traj, names[1], "array['energy']", rows[1], 1, sizeof(double),
                            want_energy, err);
    if (!status)
        status = check_rows(traj, names[2], "array['large']", rows[2], 7,
                            sizeof(double) * LARGE, want_large, err);
    return status;
}

vv_status run_look(const char *path, int64_t *next, vv_error *err)
{
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(path, &traj, err);

    if (!status)
        status = look(traj, next, err);
    vv_traj_close(traj);
    return status;
}

static vv_status look_plainly(hid_t file, int64_t *next, vv_error *err)
{
    hid_t dataset = H5Dopen2(file, "group['step']/array['energy']", H5P_DEFAULT);
    hid_t space = dataset >= 0 ? H5Dget_space(dataset) : -1;
    hid_t attribute = H5Aopen(file, "actual_steps", H5P_DEFAULT);
    bool none = attribute < 0; /* killed when it had its name, and nothing else yet */
    hsize_t rows = 0;
    double *got = NULL;
    vv_status status = VV_OK;

    *next = 0;
    if (space < 0 || H5Sget_simple_extent_dims(space, &rows, NULL) != 1 ||
        (!none && H5Aread(attribute, H5T_NATIVE_INT64, next) < 0) ||
        *next != (int64_t)rows)
        status = vvi_fail(err, VV_ECORRUPT,
                          "actual_steps is %lld (%d), and there are %llu rows",
                          (long long)*next, none, (unsigned long long)rows);
    got = malloc(rows * sizeof(double) + 1);
    if (!status && rows &&
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, got) < 0)
        status = vvi_fail(err, VV_ECORRUPT, "energies cannot be read");
    for (hsize_t row = 0; row < rows && !status; row++)
        if (got[row] != energy_of((int64_t)row))
            status = vvi_fail(err, VV_ECORRUPT, "energy of row %llu is wrong",
                              (unsigned long long)row);
    free(got);
    if (attribute >= 0)
        H5Aclose(attribute);
    if (space >= 0)
        H5Sclose(space);
    if (dataset >= 0)
        H5Dclose(dataset);
    return status;
}

vv_status run_look_plainly(const char *path, int64_t *next, vv_error *err)
{
    vv_status status;
    hid_t file;

    vvi_hdf5_lock();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    status = file < 0 ? vvi_fail(err, VV_ECORRUPT, "libhdf5 does not open it")
                      : look_plainly(file, next, err);
    if (file >= 0)
        H5Fclose(file);
    vvi_hdf5_unlock();
    return status;
}

void run_in_memory(void)
{
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
}
