/* varvite-vectors DIR…: run every vector file below the folders. See vectors.h. */
#include "vectors.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_SHOWN 20 /* a file; the rest is only counted */

typedef struct kind {
    const char *name;
    vector_fn run;   /* NULL: later */
    const char *why; /* when run is NULL */
} kind;

static const kind kinds[] = {
#define VECTOR_KIND(file_, function_) { file_, function_, NULL },
#define VECTOR_LATER(file_, why_)     { file_, NULL, why_ },
#include "kinds.def"
#undef VECTOR_KIND
#undef VECTOR_LATER
};

static char **paths;
static size_t path_count;
static uint64_t shown;

void vector_pass(vector_run *run)
{
    run->passed++;
}

void vector_fail(vector_run *run, const char *name, const char *format, ...)
{
    va_list args;

    run->failed++;
    if (shown++ >= FAILURES_SHOWN)
        return;
    printf("FAILED %s: %s: ", run->file, name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

void vector_skip(vector_run *run, const char *name, const char *why)
{
    static const char *last;

    run->skipped++;
    if (!last || strcmp(last, why) != 0)
        printf("skipped %s: %s: %s\n", run->file, name, why);
    last = why;
}

const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

int64_t int_of(const json_t *object, const char *member, int64_t otherwise)
{
    const json_t *value = json_object_get(object, member);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static void release_malloced(void *owner)
{
    free(owner);
}

vv_buf bytes_of_hex(const char *hex)
{
    size_t n = hex ? strlen(hex) / 2 : 0;
    uint8_t *data = malloc(n ? n : 1);

    if (!hex || !data)
        abort();
    for (size_t i = 0; i < n; i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        data[i] = (uint8_t)byte;
    }
    return (vv_buf){ .data = data, .len = n, .release = release_malloced, .owner = data };
}

char *hex_of(vv_bytes bytes)
{
    char *out = malloc(2 * bytes.len + 1);

    if (!out)
        abort();
    out[0] = '\0';
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes.data[i]);
    return out;
}

static int collect(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    size_t len = strlen(path);

    (void)st;
    (void)ftw;
    if (type == FTW_F && len > 5 && strcmp(path + len - 5, ".json") == 0) {
        paths = realloc(paths, (path_count + 1) * sizeof(*paths));
        if (!paths)
            abort();
        paths[path_count++] = strdup(path);
    }
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const kind *kind_of(const char *path)
{
    const char *name = strrchr(path, '/');

    name = name ? name + 1 : path;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].name);

        if (strncmp(name, kinds[i].name, len) == 0 && strcmp(name + len, ".json") == 0)
            return &kinds[i];
    }
    return NULL;
}

/* Descriptions of trajectories have names of their own: they say which file they are of. */
static const kind *kind_of_content(const json_t *document)
{
    static const kind trajectory = { "trajectory", run_trajectory, NULL };
    const char *file = text_of(document, "file");
    size_t len = file ? strlen(file) : 0;

    return len > 3 && strcmp(file + len - 3, ".h5") == 0 ? &trajectory : NULL;
}

/* Cases of a file that is skipped: members of its lists. */
static uint64_t count_cases(const json_t *document)
{
    uint64_t n = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)document, name,
                        value) if (json_is_array(value)) n += json_array_size(value);
    return n ? n : 1;
}

static void run_file(vector_run *total, const char *path)
{
    vector_run run = { .file = path };
    const kind *what = kind_of(path);
    json_error_t why;
    json_t *document;

    shown = 0;
    document = json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!what)
        what = kind_of_content(document);
    if (!document)
        vector_fail(&run, "file", "not JSON: %s (line %d)", why.text, why.line);
    else if (what && what->run)
        what->run(&run, document);
    else {
        run.skipped = count_cases(document);
        printf("skipped %s: %s\n", path,
               what ? what->why : "a kind of file this build does not know");
    }
    json_decref(document);
    if (run.passed || run.failed)
        printf("%s: %llu passed, %llu failed, %llu skipped\n", path,
               (unsigned long long)run.passed, (unsigned long long)run.failed,
               (unsigned long long)run.skipped);
    total->passed += run.passed;
    total->failed += run.failed;
    total->skipped += run.skipped;
}

int main(int argc, char **argv)
{
    vector_run total = { 0 };

    if (argc < 2) {
        fprintf(stderr, "usage: varvite-vectors DIR…\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], collect, 16, FTW_PHYS)) {
            fprintf(stderr, "varvite-vectors: cannot read %s\n", argv[i]);
            return 2;
        }
    if (path_count)
        qsort(paths, path_count, sizeof(*paths), compare_paths);
    for (size_t i = 0; i < path_count; i++) {
        run_file(&total, paths[i]);
        free(paths[i]);
    }
    free(paths);
    printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)total.passed,
           (unsigned long long)total.failed, (unsigned long long)total.skipped);
    return total.failed || !(total.passed + total.skipped) ? 1 : 0;
}
