#include "bench.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *wanted = "";

vv_error bench_error;

void bench_ok(const char *what, vv_status status)
{
    if (!status)
        return;
    fprintf(stderr, "bench: %s: %s %s\n", what, vv_status_name(status),
            bench_error.message);
    exit(1);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bench_timer bench_begin(void)
{
    return (bench_timer){ read_clock(CLOCK_MONOTONIC),
                          read_clock(CLOCK_PROCESS_CPUTIME_ID) };
}

bench_timer bench_end(const bench_timer *begin)
{
    bench_timer now = bench_begin();

    return (bench_timer){ now.wall_ns - begin->wall_ns, now.cpu_ns - begin->cpu_ns };
}

void bench_line(const char *name, uint64_t items, const bench_timer *passed,
                const char *more, ...)
{
    double n = items ? (double)items : 1.0;

    printf(
        "{\"case\":\"%s\",\"items\":%llu,\"ns_per_item\":%.2f,\"cpu_ns_per_item\":%.2f",
        name, (unsigned long long)items, (double)passed->wall_ns / n,
        (double)passed->cpu_ns / n);
    if (more) {
        va_list args;

        printf(",");
        va_start(args, more);
        vprintf(more, args);
        va_end(args);
    }
    printf("}\n");
    fflush(stdout);
}

void bench_main(int argc, char **argv)
{
    if (argc > 1)
        wanted = argv[1];
}

bool bench_wants(const char *name)
{
    return strncmp(name, wanted, strlen(wanted)) == 0;
}

size_t bench_size(size_t full, size_t quick)
{
    const char *text = getenv("BENCH_QUICK");

    return text && *text && strcmp(text, "0") != 0 ? quick : full;
}

char *bench_directory(void)
{
    const char *base = getenv("BENCH_DIR");
    size_t len = (base ? strlen(base) : 1) + sizeof("/bench-XXXXXX");
    char *path = malloc(len);

    if (path)
        snprintf(path, len, "%s/bench-XXXXXX", base ? base : ".");
    if (!path || !mkdtemp(path)) {
        fprintf(stderr, "bench: cannot make a directory in %s\n", base ? base : ".");
        exit(1);
    }
    return path;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void bench_remove_directory(char *path)
{
    if (path)
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

uint64_t bench_peak_rss(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024u;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void bench_fill(void *out, size_t len, uint64_t seed)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = bench_random(&seed);

        memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
    }
}

size_t bench_key(char out[BENCH_KEY_MAX], uint64_t i)
{
    return (size_t)snprintf(out, BENCH_KEY_MAX, "temperature/c/%" PRIu64 "/%" PRIu64,
                            i / 1000, i % 1000);
}

vv_bytes bench_value(uint8_t out[BENCH_VALUE_BYTES], uint64_t i)
{
    for (size_t k = 0; k < BENCH_VALUE_BYTES; k += sizeof(i))
        memcpy(out + k, &i, sizeof(i));
    return (vv_bytes){ out, BENCH_VALUE_BYTES };
}
