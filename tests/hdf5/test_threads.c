/* Recorders, and readers that go through libnetcdf, in several threads of one process. */
#include "hdf5/runs.h"

#include <pthread.h>
#include <stdio.h>

#define ROWS 400

typedef struct job {
    char path[600];
    const char *source; /* NULL: record */
    vv_status status;
    vv_error err;
} job;

static vv_status record(const char *path, vv_error *err)
{
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_schema *schema = run_schema();
    vv_recorder *recorder = NULL;
    vv_status status, closed;

    status = vv_recorder_create_hdf5(path, schema, &options, &recorder, err);
    vv_schema_free(schema);
    if (status)
        return status;
    for (int64_t step = 0; step < ROWS && !status; step += 20) {
        status = run_log_many(recorder, step, step + 20, err);
        if (!status)
            status = vv_recorder_flush(recorder, VV_PROCESS, 0, err);
    }
    closed = vv_recorder_close(recorder, status ? NULL : err);
    return status ? status : closed;
}

/* Import of a closed recording what netCDF has a name for. */
static vv_status import(const char *source, vv_error *err)
{
    static const char *const variables[] = { "next_step", "group['step']/steps",
                                             "group['step']/array['energy']" };
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_status status = VV_OK;

    options.variables = variables;
    options.variable_count = 3;

    for (int i = 0; i < 5 && !status; i++) {
        vv_store *store = NULL;

        status = vv_memory_store_new(&store, err);
        if (!status)
            status = vv_dataset_import(source, store, "", &options, NULL, err);
        vv_store_free(store);
    }
    return status;
}

static void *work(void *ctx)
{
    job *self = ctx;

    self->status = self->source ? import(self->source, &self->err)
                                : record(self->path, &self->err);
    return NULL;
}

static void recorders_and_imports_run_side_by_side(void **state)
{
    char *dir = make_directory();
    char source[600];
    pthread_t threads[4];
    job jobs[4];
    vv_error err;

    (void)state;
    snprintf(source, sizeof(source), "%s/source.h5", dir);
    assert_vv_ok(record(source, &err));
    for (int i = 0; i < 4; i++) {
        jobs[i] = (job){ .source = i % 2 ? source : NULL };
        snprintf(jobs[i].path, sizeof(jobs[i].path), "%s/%d.h5", dir, i);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        int64_t next;

        if (jobs[i].status)
            fail_msg("%d: %s", i, jobs[i].err.message);
        if (jobs[i].source)
            continue;
        assert_vv_ok(run_look(jobs[i].path, &next, &err));
        assert_int_equal(next, ROWS);
    }
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorders_and_imports_run_side_by_side),
    };

    run_in_memory();
    return cmocka_run_group_tests_name("hdf5/threads", tests, NULL, NULL);
}
