/* cars.json: what lies where in CAR files of other writers. */
#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file beside the vectors. */
static char *path_of(const vector_run *run, const char *file)
{
    const char *slash = strrchr(run->file, '/');
    size_t len = slash ? (size_t)(slash - run->file) + 1 : 0;
    char *path = malloc(len + strlen(file) + 6);

    if (!path)
        abort();
    memcpy(path, run->file, len);
    sprintf(path + len, "cars/%s", file);
    return path;
}

/* Does the block that a section names come back, as long as the section says? */
static void check_section(vector_run *run, const char *file, vv_blockstore *store,
                          const json_t *section, const char *how)
{
    const char *text = text_of(section, "cid");
    vv_error err = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    if (vv_cid_parse(text, &cid, &err) || vv_blockstore_get(store, &cid, &block, &err))
        vector_fail(run, file, "%s: %s: %s", how, text, err.message);
    else if ((int64_t)block.len != int_of(section, "data_length", -1))
        vector_fail(run, file, "%s: %s is %zu bytes long", how, text, block.len);
    else
        vector_pass(run);
    vv_buf_clear(&block);
}

static void check_sections(vector_run *run, const char *file, vv_blockstore *store,
                           const json_t *car, const char *how)
{
    const json_t *sections = json_object_get(car, "sections");
    const json_t *section;
    size_t i;

    json_array_foreach(sections, i, section)
        check_section(run, file, store, section, how);
}

static void run_car(vector_run *run, const json_t *car)
{
    const char *file = text_of(car, "file");
    char *path = path_of(run, file);
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *opened = NULL;
    vv_blockstore *memory = NULL;
    vv_car_result result = { 0 };

    if (vv_car_open(path, &opened, &err))
        vector_fail(run, file, "open: %s", err.message);
    else
        check_sections(run, file, opened, car, "open");
    if (vv_memory_blockstore_new(&memory, &err) ||
        vv_car_import(path, memory, NULL, NULL, NULL, &result, &err))
        vector_fail(run, file, "import: %s", err.message);
    else
        check_sections(run, file, memory, car, "import");
    if (result.blocks != json_array_size(json_object_get(car, "sections")))
        vector_fail(run, file, "%" PRIu64 " blocks imported", result.blocks);
    else
        vector_pass(run);
    vv_blockstore_free(opened);
    vv_blockstore_free(memory);
    free(path);
}

void run_cars(vector_run *run, const json_t *document)
{
    const json_t *cars = json_object_get(document, "cars");
    const json_t *car;
    size_t i;

    json_array_foreach(cars, i, car) run_car(run, car);
}
