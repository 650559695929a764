/*
 * One cell of the comparison of recorders, in a process of its own; bench/peer_recorder.py makes the cells of
 * all who are compared take turns, makes the data, and says what each is.
 *
 *   bench_recording record WORK CODEC MODE DATA ROWS OUT    MODE: fast, or paced, a row each 100 µs
 *   bench_recording write WORK raw SYNC DATA ROWS OUT       the same bytes by write(); SYNC: sync or lazy
 *   bench_recording zstd WORK THREADS DATA ROWS FILE        libzstd alone, on shuffled chunks as FILE has them
 *   bench_recording read-random WORK - - FILE               a frame at a time, at random, page cache warm
 *   bench_recording read-all WORK - - FILE                  all of it, leaf by leaf
 *   bench_recording throttled WORK - - DATA ROWS            a disk of 10 MB/s, a cap of 64 MiB, oldest rows dropped
 *
 * DATA is rows as they lie in memory, one after another; where it has fewer than ROWS they come again.
 */
#include "bench.h"

#include "recorder/sink.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define LEAVES_MAX    20
#define DISK_RATE     10e6
#define THROTTLED_CAP ((uint64_t)64 << 20)
#define READS         1000
#define PACE_NS       100000u
#define ZSTD_THREADS  16

/* ---- what is recorded ------------------------------------------------------------------------ */

typedef struct leaf {
    const char *name;
    vv_dtype dtype;
    uint32_t ndim;
    uint64_t shape[3];
} leaf;
typedef struct work {
    const char *name;
    leaf leaves[LEAVES_MAX + 1];
} work;

/* md: what kUPS logs of an argon run of 256 atoms each step. */
static const work works[] = {
    { "row12k", { { "positions", VV_FLOAT32, 2, { 1000, 3 } } } },
    { "md",
      { { "positions", VV_FLOAT64, 2, { 256, 3 } },
        { "position_gradients", VV_FLOAT64, 2, { 256, 3 } },
        { "momenta", VV_FLOAT64, 2, { 256, 3 } },
        { "masses", VV_FLOAT64, 1, { 256 } },
        { "charges", VV_FLOAT64, 1, { 256 } },
        { "atomic_numbers", VV_INT64, 1, { 256 } },
        { "labels", VV_INT64, 1, { 256 } },
        { "system", VV_INT64, 1, { 256 } },
        { "exclusion", VV_INT64, 1, { 256 } },
        { "potential_energy", VV_FLOAT64, 1, { 1 } },
        { "kinetic_energy", VV_FLOAT64, 1, { 1 } },
        { "stress_tensor", VV_FLOAT64, 3, { 1, 3, 3 } } } },
    { "scalars", { { "s00", VV_FLOAT64, 0, { 0 } }, { "s01", VV_FLOAT64, 0, { 0 } },
                   { "s02", VV_FLOAT64, 0, { 0 } }, { "s03", VV_FLOAT64, 0, { 0 } },
                   { "s04", VV_FLOAT64, 0, { 0 } }, { "s05", VV_FLOAT64, 0, { 0 } },
                   { "s06", VV_FLOAT64, 0, { 0 } }, { "s07", VV_FLOAT64, 0, { 0 } },
                   { "s08", VV_FLOAT64, 0, { 0 } }, { "s09", VV_FLOAT64, 0, { 0 } },
                   { "s10", VV_FLOAT64, 0, { 0 } }, { "s11", VV_FLOAT64, 0, { 0 } },
                   { "s12", VV_FLOAT64, 0, { 0 } }, { "s13", VV_FLOAT64, 0, { 0 } },
                   { "s14", VV_FLOAT64, 0, { 0 } }, { "s15", VV_FLOAT64, 0, { 0 } },
                   { "s16", VV_FLOAT64, 0, { 0 } }, { "s17", VV_FLOAT64, 0, { 0 } },
                   { "s18", VV_FLOAT64, 0, { 0 } }, { "s19", VV_FLOAT64, 0, { 0 } } } },
    { "large", { { "positions", VV_FLOAT64, 2, { 100000, 3 } } } },
};

static const work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    }
    fprintf(stderr, "bench: no work %s\n", name);
    exit(2);
}

static size_t leaf_bytes(const leaf *l)
{
    size_t bytes = vv_dtype_size(l->dtype);

    for (uint32_t i = 0; i < l->ndim; i++)
        bytes *= l->shape[i];
    return bytes;
}

static size_t row_bytes(const work *w)
{
    size_t bytes = 0;

    for (size_t i = 0; w->leaves[i].name; i++)
        bytes += leaf_bytes(&w->leaves[i]);
    return bytes;
}

static vv_schema *schema_of(const work *w, const char *codec)
{
    vv_compression compression = { .codec = strcmp(codec, "raw") == 0 ? VV_COMPRESS_NONE
                                                                      : VV_COMPRESS_ZSTD,
                                   .level = strcmp(codec, "raw") == 0 ? 0 : 1 };
    vv_schema *schema = NULL;
    size_t group, number;

    BENCH_OK(vv_schema_new(&schema, &bench_error));
    BENCH_OK(vv_schema_add_group(schema, "step", VV_EVERY(1), &compression, &group,
                                 &bench_error));
    for (const leaf *l = w->leaves; l->name; l++)
        BENCH_OK(vv_schema_add_leaf(schema, group, l->name, l->dtype, l->ndim, l->shape,
                                    &number, &bench_error));
    return schema;
}

/* ---- the data, and times -------------------------------------------------------------------- */

typedef struct data {
    const uint8_t *bytes;
    uint64_t rows;
    size_t row_bytes;
} data;

/* In memory before the clock starts. */
static data load(const work *w, const char *path)
{
    data out = { .row_bytes = row_bytes(w) };
    int fd = open(path, O_RDONLY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) {
        perror(path);
        exit(1);
    }
    out.rows = (uint64_t)st.st_size / out.row_bytes;
    out.bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd,
                     0);
    close(fd);
    if (out.rows == 0 || out.bytes == MAP_FAILED) {
        fprintf(stderr, "bench: %s holds no rows\n", path);
        exit(1);
    }
    return out;
}

static const uint8_t *row_at(const data *d, uint64_t row)
{
    return d->bytes + row % d->rows * d->row_bytes;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

typedef struct spread {
    uint64_t p50, p99, most;
} spread;
/* Sorts them. */
static spread spread_of(uint64_t *times, size_t n)
{
    qsort(times, n, sizeof(*times), by_size);
    return (spread){ times[n / 2], times[n - 1 - n / 100], times[n - 1] };
}

static uint64_t *must_count(size_t n)
{
    uint64_t *out = calloc(n, sizeof(*out));

    if (!out) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    return out;
}

static uint64_t resident(const char *member)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    size_t len = strlen(member);

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, member, len) == 0 && sscanf(line + len, ": %llu", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

/* ---- recording ------------------------------------------------------------------------------ */

/* Log all rows; times[i]: what row i took. A row each PACE_NS where that is asked for. */
static void log_rows(vv_recorder *recorder, const work *w, const data *d, uint64_t rows,
                     bool paced, uint64_t *times)
{
    const void *leaves[LEAVES_MAX];
    size_t offsets[LEAVES_MAX], count = 0, at = 0;
    uint64_t start = now_ns();

    for (; w->leaves[count].name; count++) {
        offsets[count] = at;
        at += leaf_bytes(&w->leaves[count]);
    }
    for (uint64_t i = 0; i < rows; i++) {
        const uint8_t *row = row_at(d, i);
        uint64_t before;

        for (size_t k = 0; k < count; k++)
            leaves[k] = row + offsets[k];
        while (paced && now_ns() < start + i * PACE_NS)
            continue;
        before = now_ns();
        BENCH_OK(
            vv_recorder_log_group(recorder, (int64_t)i, 0, leaves, count, &bench_error));
        times[i] = now_ns() - before;
    }
}

static void record(const work *w, const char *codec, const char *mode, const data *d,
                   uint64_t rows, const char *out)
{
    bool paced = strcmp(mode, "paced") == 0;
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_recorder *recorder = NULL;
    vv_schema *schema = schema_of(w, codec);
    uint64_t *times = must_count(rows), idle = resident("VmRSS"), peak;
    char name[64];
    bench_timer timer;
    struct stat st;
    spread s;

    /* As the others: no sync. */
    options.durability = strcmp(mode, "sync") == 0 ? VV_DURABLE : VV_PROCESS;
    unlink(out);
    memset(times, 1, rows * sizeof(*times)); /* no page of it is missing */
    timer = bench_begin();
    BENCH_OK(vv_recorder_create_hdf5(out, schema, &options, &recorder, &bench_error));
    log_rows(recorder, w, d, rows, paced, times);
    vv_recorder_get_stats(recorder, &stats);
    BENCH_OK(vv_recorder_close(recorder, &bench_error));
    timer = bench_end(&timer);
    peak = resident("VmHWM");
    s = spread_of(times, rows);
    stat(out, &st);
    snprintf(name, sizeof(name), "recorder/%s/%s-%s/ours", w->name, codec, mode);
    bench_line(name, rows, &timer,
               "\"bytes_per_item\":%zu,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
               ",\"max_ns\":%" PRIu64
               ",\"file_bytes\":%lld,\"disk_bytes\":%lld,\"waits\":%" PRIu64
               ",\"held_bytes\":%" PRIu64,
               d->row_bytes, s.p50, s.p99, s.most, (long long)st.st_size,
               (long long)st.st_blocks * 512, stats.waits, peak > idle ? peak - idle : 0);
    vv_schema_free(schema);
    free(times);
}

/* ---- write() -------------------------------------------------------------------------------- */

static void write_raw(const work *w, const char *sync, const data *d, uint64_t rows,
                      const char *out)
{
    bool syncs = strcmp(sync, "sync") == 0;
    bench_timer timer;
    char name[64];
    int fd;

    unlink(out);
    timer = bench_begin();
    fd = open(out, O_WRONLY | O_CREAT | O_EXCL, 0666);

    for (uint64_t i = 0; i < rows; i++) {
        if (fd < 0 || write(fd, row_at(d, i), d->row_bytes) != (ssize_t)d->row_bytes) {
            perror(out);
            exit(1);
        }
    }
    if (syncs)
        fdatasync(fd);
    close(fd);
    timer = bench_end(&timer);
    snprintf(name, sizeof(name), "recorder/%s/raw-%s/write", w->name,
             syncs ? "sync" : "fast");
    bench_line(name, rows, &timer, "\"bytes_per_item\":%zu", d->row_bytes);
}

/* ---- libzstd alone ---------------------------------------------------------------------------- */

typedef struct compressing {
    const uint8_t *chunks; /* shuffled, one after another */
    size_t chunk_bytes, count;
    atomic_size_t next;
    atomic_ulong stored;
} compressing;

static void *compress_chunks(void *ctx)
{
    compressing *job = ctx;
    size_t cap = ZSTD_compressBound(job->chunk_bytes);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    void *out = malloc(cap);

    for (;;) {
        size_t i = atomic_fetch_add(&job->next, 1);

        if (i >= job->count || !out || !zstd)
            break;
        atomic_fetch_add(&job->stored,
                         ZSTD_compressCCtx(zstd, out, cap,
                                           job->chunks + i * job->chunk_bytes,
                                           job->chunk_bytes, 1));
    }
    ZSTD_freeCCtx(zstd);
    free(out);
    return NULL;
}

static void shuffle(const uint8_t *in, size_t bytes, size_t item, uint8_t *out)
{
    size_t n = bytes / item;

    for (size_t b = 0; b < item; b++) {
        for (size_t i = 0; i < n; i++)
            out[b * n + i] = in[i * item + b];
    }
}

/* A work of one leaf, cut into chunks as the file has them; shuffled before the clock starts. */
static void compress_alone(const work *w, int threads, const data *d, uint64_t rows,
                           const char *file)
{
    pthread_t others[ZSTD_THREADS];
    compressing job = { 0 };
    vv_traj_leaf about;
    vv_traj *traj = NULL;
    bench_timer timer;
    uint8_t *chunks;
    char name[64];

    BENCH_OK(vv_traj_open(file, &traj, &bench_error));
    BENCH_OK(vv_traj_leaf_at(traj, 0, 0, &about, &bench_error));
    uint64_t chunk_rows = about.chunk ? about.chunk[0] : 1;
    vv_traj_close(traj);
    if (rows > d->rows)
        rows = d->rows;
    job.chunk_bytes = chunk_rows * d->row_bytes;
    job.count = rows / chunk_rows;
    job.chunks = chunks = malloc(job.count * job.chunk_bytes + 1);
    if (!chunks || job.count == 0 || threads > ZSTD_THREADS)
        exit(1);
    for (size_t i = 0; i < job.count; i++)
        shuffle(d->bytes + i * job.chunk_bytes, job.chunk_bytes,
                vv_dtype_size(w->leaves[0].dtype), chunks + i * job.chunk_bytes);
    timer = bench_begin();
    for (int i = 1; i < threads; i++)
        pthread_create(&others[i], NULL, compress_chunks, &job);
    compress_chunks(&job);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    timer = bench_end(&timer);
    snprintf(name, sizeof(name), "recorder/%s/zstd-fast/libzstd-%d", w->name, threads);
    bench_line(name, job.count * chunk_rows, &timer,
               "\"bytes_per_item\":%zu,\"file_bytes\":%lu,\"chunk_rows\":%" PRIu64,
               d->row_bytes, (unsigned long)job.stored, chunk_rows);
    free(chunks);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void read_frames(const work *w, const char *file, const char *codec, bool random)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, state = 7, *times = must_count(READS),
             rows = 0;
    size_t bytes = row_bytes(w), total = 0;
    vv_traj_leaf about;
    vv_traj *traj = NULL;
    uint8_t *out = NULL;
    bench_timer timer;
    char name[64];
    spread s = { 0, 0, 0 };

    BENCH_OK(vv_traj_open(file, &traj, &bench_error));
    BENCH_OK(vv_traj_leaf_at(traj, 0, 0, &about, &bench_error));
    rows = about.shape[0];
    out = malloc(random ? bytes : bytes * rows);
    if (!out)
        exit(1);
    memset(out, 1, random ? bytes : bytes * rows);
    if (random) { /* once through, so that all of it is in the page cache */
        for (uint64_t i = 0; i < rows; i += 10)
            BENCH_OK(vv_traj_read_rows(traj, 0, 0, &i, 1, out, leaf_bytes(&w->leaves[0]),
                                       &bench_error));
    }
    timer = bench_begin();
    if (random) {
        for (size_t i = 0; i < READS; i++) {
            uint64_t row = bench_random(&state) % rows, before = now_ns();

            BENCH_OK(vv_traj_read_rows(traj, 0, 0, &row, 1, out,
                                       leaf_bytes(&w->leaves[0]), &bench_error));
            times[i] = now_ns() - before;
        }
        total = READS;
    } else {
        for (size_t i = 0; w->leaves[i].name; i++) {
            BENCH_OK(vv_traj_leaf_at(traj, 0, i, &about, &bench_error));
            BENCH_OK(vv_traj_read(traj, 0, i, start, about.shape, NULL, out,
                                  leaf_bytes(&w->leaves[i]) * rows, &bench_error));
        }
        total = rows;
    }
    timer = bench_end(&timer);
    if (random)
        s = spread_of(times, READS);
    snprintf(name, sizeof(name), "recorder/%s/%s-%s/ours", w->name, codec,
             random ? "random" : "all");
    bench_line(name, total, &timer,
               "\"bytes_per_item\":%zu,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64, bytes,
               s.p50, s.p99);
    vv_traj_close(traj);
    free(times);
    free(out);
}

/* ---- a slow disk: a sink that sleeps as long as 10 MB/s take ------------------------------------ */

typedef struct slow_sink {
    vvi_sink base;
    uint64_t row_bytes[LEAVES_MAX + 1], chunk_rows[LEAVES_MAX + 1]; /* of its one group */
    uint64_t stored, free_at; /* when the disk has written all of it */
} slow_sink;

static vv_status slow_take(slow_sink *self, uint64_t bytes)
{
    uint64_t now = now_ns();
    struct timespec pause;

    self->stored += bytes;
    self->free_at = (self->free_at > now ? self->free_at : now) +
                    (uint64_t)((double)bytes / DISK_RATE * 1e9);
    pause.tv_sec = (time_t)((self->free_at - now) / 1000000000u);
    pause.tv_nsec = (long)((self->free_at - now) % 1000000000u);
    nanosleep(&pause, NULL);
    return VV_OK;
}

static vv_status slow_encode(vvi_sink *sink, size_t group, size_t number,
                             const void *rows, uint64_t count, vvi_encoded *out,
                             vv_error *err)
{
    (void)rows;
    (void)out;
    (void)err;
    (void)sink;
    (void)group;
    (void)number;
    (void)count;
    return VV_OK;
}

static vv_status slow_put_chunk(vvi_sink *sink, size_t group, size_t number,
                                uint64_t chunk, const vvi_encoded *encoded, vv_error *err)
{
    slow_sink *self = (slow_sink *)sink;

    (void)chunk;
    (void)encoded;
    (void)group;
    (void)err;
    return slow_take(self, self->row_bytes[number] * self->chunk_rows[number]);
}

static vv_status slow_put_tail(vvi_sink *sink, size_t group, size_t number,
                               uint64_t chunk, const void *rows, uint64_t first,
                               uint64_t count, vv_error *err)
{
    slow_sink *self = (slow_sink *)sink;

    (void)chunk;
    (void)rows;
    (void)first;
    (void)group;
    (void)err;
    return slow_take(self, self->row_bytes[number] * count);
}

static vv_status slow_put_value(vvi_sink *sink, size_t group, size_t number,
                                const uint64_t *index, const void *value, vv_error *err)
{
    (void)index;
    (void)value;
    (void)group;
    (void)err;
    return slow_take((slow_sink *)sink, ((slow_sink *)sink)->row_bytes[number]);
}

static vv_status slow_commit(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                             vv_durability durability, vv_error *err)
{
    (void)sink;
    (void)rows;
    (void)next_step;
    (void)durability;
    (void)err;
    return VV_OK;
}

static uint64_t slow_stored(const vvi_sink *sink)
{
    return ((const slow_sink *)sink)->stored;
}

static vv_status slow_close(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                            const char *attributes, vv_error *err)
{
    (void)attributes;
    return slow_commit(sink, rows, next_step, VV_PROCESS, err);
}

static void slow_free(vvi_sink *sink, bool forked)
{
    (void)sink;
    (void)forked;
}

static const vvi_sink_ops slow_ops = {
    .name = "slow",
    .encode = slow_encode,
    .put_chunk = slow_put_chunk,
    .put_tail = slow_put_tail,
    .put_value = slow_put_value,
    .commit = slow_commit,
    .stored = slow_stored,
    .close = slow_close,
    .free = slow_free,
};

static void throttled(const work *w, const data *d, uint64_t rows)
{
    static slow_sink sink = { .base = { &slow_ops } };
    static vvi_plan plan;
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_schema *schema = schema_of(w, "raw"), *copy = NULL;
    uint64_t *times = must_count(rows), idle;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_recorder *recorder = NULL;
    bench_timer timer;
    spread s;

    options.memory_bytes = THROTTLED_CAP;
    options.when_full = VV_FULL_DROP_OLDEST;
    options.durability = VV_PROCESS;
    memset(times, 1, rows * sizeof(*times));
    idle = resident("VmRSS");
    BENCH_OK(vvi_schema_copy(schema, &copy, &bench_error));
    BENCH_OK(vvi_recorder_plan(copy, &options, &plan, &bench_error));
    for (size_t i = 0; i < plan.groups[0].leaf_count; i++) {
        sink.row_bytes[i] = plan.groups[0].leaves[i].row_bytes;
        sink.chunk_rows[i] = plan.groups[0].leaves[i].chunk_rows;
    }
    BENCH_OK(
        vvi_recorder_start(schema, &plan, &sink.base, NULL, &recorder, &bench_error));
    timer = bench_begin();
    log_rows(recorder, w, d, rows, true, times);
    timer = bench_end(&timer);
    vv_recorder_get_stats(recorder, &stats);
    uint64_t peak = resident("VmHWM");
    s = spread_of(times, rows);
    char name[64];
    snprintf(name, sizeof(name), "recorder/%s/throttled/ours", w->name);
    bench_line(name, rows, &timer,
               "\"bytes_per_item\":%zu,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
               ",\"max_ns\":%" PRIu64 ",\"held_bytes\":%" PRIu64 ",\"cap_bytes\":%" PRIu64
               ",\"dropped\":%" PRIu64 ",\"written\":%" PRIu64,
               d->row_bytes, s.p50, s.p99, s.most, peak > idle ? peak - idle : 0,
               THROTTLED_CAP, stats.dropped, stats.written);
    fflush(stdout);
    _exit(0); /* what is left would take the disk seconds */
}

int main(int argc, char **argv)
{
    const char *what = argc > 5 ? argv[1] : "";
    const work *w = argc > 5 ? find_work(argv[2]) : NULL;
    uint64_t rows = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    data d;

    if (strcmp(what, "read-random") == 0 || strcmp(what, "read-all") == 0) {
        read_frames(w, argv[5], argv[3], strcmp(what, "read-random") == 0);
        return 0;
    }
    if (argc < 7) {
        fprintf(stderr, "usage: see the head of bench_recording.c\n");
        return 2;
    }
    d = load(w, argv[5]);
    if (strcmp(what, "throttled") == 0)
        throttled(w, &d, rows);
    else if (argc > 7 && strcmp(what, "record") == 0)
        record(w, argv[3], argv[4], &d, rows, argv[7]);
    else if (argc > 7 && strcmp(what, "write") == 0)
        write_raw(w, argv[4], &d, rows, argv[7]);
    else if (argc > 7 && strcmp(what, "zstd") == 0)
        compress_alone(w, atoi(argv[4]), &d, rows, argv[7]);
    else
        return 2;
    return 0;
}
