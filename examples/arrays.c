/* An array in shards: made, appended to, read in part. Usage: arrays DIRECTORY */
#include <stdio.h>
#include <varvite/varvite.h>

int main(int argc, char **argv)
{
    uint64_t shape[] = { 0, 90, 180 }, shard[] = { 64, 90, 180 }, inner[] = { 16, 30, 60 };
    uint64_t start[] = { 0, 45, 80 }, count[] = { 4, 1, 1 };
    static float day[90 * 180], series[4];
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_status status = vv_directory_store_open(argv[argc - 1], false, &store, &err);

    meta.dtype = VV_FLOAT32;
    meta.ndim = 3;
    meta.shape = shape;
    meta.chunk_shape = shard;
    meta.inner_chunk_shape = inner;
    meta.codecs = "zstd:3";
    if (!status)
        status = vv_array_create(store, "tas", &meta, true, &array, &err);
    for (int t = 0; t < 4 && !status; t++) {
        for (int i = 0; i < 90 * 180; i++)
            day[i] = (float)(t + i);
        status = vv_array_append(array, 0, 1, day, sizeof(day), &err);
    }
    if (!status)
        status = vv_array_read(array, start, count, NULL, series, sizeof(series), &err);
    if (status)
        fprintf(stderr, "%s\n", err.message);
    else
        printf("%g %g %g %g\n", series[0], series[1], series[2], series[3]);
    vv_array_free(array);
    vv_store_free(store);
    return status != VV_OK;
}
