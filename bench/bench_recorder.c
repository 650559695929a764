/*
 * The recorder over sinks that cost nothing or what write() costs: what its own part is.
 *
 * "log" cases print percentiles of single calls; the others the whole from the first call to the end of
 * close, beside the same bytes written with write() alone.
 */
#include "bench.h"

#include "recorder/sink.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- a sink that writes its chunks one behind the other, or nowhere ------------------------------- */

typedef struct file_sink {
    vvi_sink base;
    int fd; /* -1: nowhere */
    uint64_t stored;
} file_sink;

static void write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len && fd >= 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno != EINTR) {
            perror("bench: write");
            exit(1);
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void keep(void *owner)
{
    (void)owner;
}

static size_t
    row_bytes; /* of the largest leaf: other lengths do not matter to such a sink */

static vv_status file_encode(vvi_sink *sink, size_t group, size_t leaf, const void *rows,
                             uint64_t count, vvi_encoded *out, vv_error *err)
{
    (void)sink, (void)group, (void)err;
    vvi_buf_lend(&out->bytes, rows, (size_t)count * (leaf ? 8 : row_bytes), keep, NULL);
    return VV_OK;
}

static vv_status file_put_chunk(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                                const vvi_encoded *encoded, vv_error *err)
{
    file_sink *self = (file_sink *)sink;

    (void)group, (void)leaf, (void)chunk, (void)err;
    write_all(self->fd, encoded->bytes.data, encoded->bytes.len);
    self->stored += encoded->bytes.len;
    return VV_OK;
}

static vv_status file_put_tail(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                               const void *rows, uint64_t first, uint64_t count,
                               vv_error *err)
{
    size_t bytes = leaf ? 8 : row_bytes;

    (void)group, (void)chunk, (void)err;
    write_all(((file_sink *)sink)->fd, (const char *)rows + first * bytes, count * bytes);
    return VV_OK;
}

static vv_status file_put_value(vvi_sink *sink, size_t group, size_t leaf,
                                const uint64_t *index, const void *value, vv_error *err)
{
    (void)sink, (void)group, (void)leaf, (void)index, (void)value, (void)err;
    return VV_OK;
}

static vv_status file_commit(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                             vv_durability durability, vv_error *err)
{
    (void)sink, (void)rows, (void)next_step, (void)durability, (void)err;
    return VV_OK;
}

static uint64_t file_stored(const vvi_sink *sink)
{
    return ((const file_sink *)sink)->stored;
}

static vv_status file_close(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                            const char *attributes, vv_error *err)
{
    (void)sink, (void)rows, (void)next_step, (void)attributes, (void)err;
    return VV_OK;
}

static void file_free(vvi_sink *sink, bool forked)
{
    file_sink *self = (file_sink *)sink;

    (void)forked;
    if (self->fd >= 0)
        close(self->fd);
    vvi_free(self);
}

static const vvi_sink_ops file_ops = { .name = "file",
                                       .encode = file_encode,
                                       .put_chunk = file_put_chunk,
                                       .put_tail = file_put_tail,
                                       .put_value = file_put_value,
                                       .commit = file_commit,
                                       .stored = file_stored,
                                       .close = file_close,
                                       .free = file_free };

static vv_recorder *begin(const char *json, int fd)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    file_sink *sink = vvi_alloc_zero(sizeof(*sink));
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL, *copy = NULL;
    vvi_plan plan;

    *sink = (file_sink){ .base = { &file_ops }, .fd = fd };
    BENCH_OK(vv_schema_from_json(json, &schema, &bench_error));
    BENCH_OK(vvi_schema_copy(schema, &copy, &bench_error));
    vv_schema_free(schema);
    BENCH_OK(vvi_recorder_plan(copy, &options, &plan, &bench_error));
    BENCH_OK(vvi_recorder_start(copy, &plan, &sink->base, NULL, &recorder, &bench_error));
    return recorder;
}

/* ---- percentiles ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

    return (p > q) - (p < q);
}

static void print_calls(const char *name, uint64_t *calls, size_t count,
                        const bench_timer *passed)
{
    qsort(calls, count, sizeof(*calls), compare);
    bench_line(name, count, passed, "\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu",
               (unsigned long long)calls[count / 2],
               (unsigned long long)calls[count * 99 / 100],
               (unsigned long long)calls[count - 1]);
}

/* A value of float32, of a number of rows. */
static float *make_values(size_t bytes)
{
    float *values = malloc(bytes);

    for (size_t i = 0; i < bytes / sizeof(*values); i++)
        values[i] = (float)i;
    return values;
}

/* One leaf of 12 kB, as fast as it goes, or a step each interval_us. */
static void log_rows(const char *name, const char *json, size_t bytes, size_t count,
                     int fd, unsigned interval_us)
{
    uint64_t *calls = calloc(count, sizeof(*calls));
    float *values = make_values(bytes);
    const void *leaves[1] = { values };
    vv_recorder *recorder;
    bench_timer timer;

    if (!bench_wants(name))
        goto done;
    row_bytes = bytes;
    recorder = begin(json, fd);
    timer = bench_begin();
    for (size_t i = 0; i < count; i++) {
        uint64_t before = vvi_now_ns();

        BENCH_OK(vv_recorder_log_group(recorder, (int64_t)i, 0, leaves, 1, &bench_error));
        calls[i] = vvi_now_ns() - before;
        if (interval_us)
            while (vvi_now_ns() - before < interval_us * 1000u)
                ;
    }
    BENCH_OK(vv_recorder_close(recorder, &bench_error));
    timer = bench_end(&timer);
    print_calls(name, calls, count, &timer);
done:
    free(values);
    free(calls);
}

/* The same bytes with write() alone. */
static void write_rows(const char *name, size_t bytes, size_t count, int fd)
{
    float *values = make_values(bytes);
    bench_timer timer = bench_begin();

    for (size_t i = 0; i < count && bench_wants(name); i++)
        write_all(fd, values, bytes);
    close(fd);
    timer = bench_end(&timer);
    if (bench_wants(name))
        bench_line(name, count, &timer, NULL);
    free(values);
}

static int open_file(const char *directory)
{
    static char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/rows", directory);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror("bench: open");
        exit(1);
    }
    return fd;
}

#define SCALARS 20

static void log_scalars(const char *name, size_t count, int fd)
{
    double values[SCALARS] = { 0 };
    vv_value given[SCALARS];
    vv_frame frame = { 0, given, SCALARS };
    char json[1024];
    size_t len = 0;
    vv_recorder *recorder;
    bench_timer timer;

    if (!bench_wants(name))
        return;
    len += (size_t)snprintf(json, sizeof(json),
                            "{\"groups\": {\"s\": {\"every\": 1, "
                            "\"compression\": \"none\", \"leaves\": {");
    for (int i = 0; i < SCALARS; i++) {
        given[i] = (vv_value){ .data = &values[i], .dtype = VV_FLOAT64 };
        len += (size_t)snprintf(json + len, sizeof(json) - len, "%s\"s%d\": \"float64\"",
                                i ? "," : "", i);
    }
    snprintf(json + len, sizeof(json) - len, "}}}}");
    row_bytes = 8;
    recorder = begin(json, fd);
    timer = bench_begin();
    for (size_t i = 0; i < count; i++) {
        values[i % SCALARS] += 1;
        BENCH_OK(vv_recorder_log(recorder, (int64_t)i, &frame, 1, &bench_error));
    }
    BENCH_OK(vv_recorder_close(recorder, &bench_error));
    timer = bench_end(&timer);
    bench_line(name, count, &timer, NULL);
}

int main(int argc, char **argv)
{
    static const char small[] = "{\"groups\": {\"s\": {\"every\": 1, \"compression\": "
                                "\"none\", \"leaves\": {\"x\": \"float32[1000,3]\"}}}}";
    static const char large[] = "{\"groups\": {\"s\": {\"every\": 1, \"compression\": "
                                "\"none\", \"leaves\": {\"x\": \"float32[200000,3]\"}}}}";
    size_t rows = bench_size(10000, 1000), frames = bench_size(200, 20);
    size_t scalars = bench_size(1000000, 10000);
    char *directory;

    bench_main(argc, argv);
    directory = bench_directory();
    log_rows("log/12k", small, 12000, rows, -1, 0);
    log_rows("log/12k_paced", small, 12000, rows, -1, 50);
    log_rows("log/12k_file", small, 12000, rows, open_file(directory), 0);
    write_rows("log/write_12k", 12000, rows, open_file(directory));
    log_rows("log/2400k", large, 2400000, frames, -1, 0);
    log_rows("log/2400k_file", large, 2400000, frames, open_file(directory), 0);
    write_rows("log/write_2400k", 2400000, frames, open_file(directory));
    log_scalars("log/scalars_20", scalars, -1);
    log_scalars("log/scalars_20_file", scalars, open_file(directory));
    bench_remove_directory(directory);
    return 0;
}
