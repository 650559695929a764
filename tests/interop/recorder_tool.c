/*
 * Recordings from the outside, for the tests that hold us against other programs.
 *
 *   recorder_tool write SCHEMA DATA STEPS OUT [live K] [checksum] [append FROM]
 *   recorder_tool dump FILE DIRECTORY
 *
 * write: SCHEMA is a file of JSON as vv_schema_from_json() takes it. DATA holds the bytes of steps FROM (0) to
 * STEPS - 1, one after another: of each the groups that are due, of each group its leaves, as they stand in the schema.
 * live K: after every K steps flush, print the number of steps logged, and wait for a line on standard input.
 *
 * dump: groups, trees and leaves as JSON, and the bytes of leaf L of group G in DIRECTORY/G-L.
 */
#include <varvite/varvite.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 16
#define LEAVES_MAX 2048

static vv_error error;

static void check(vv_status status, const char *what)
{
    if (!status)
        return;
    fprintf(stderr, "recorder_tool: %s: %s: %s\n", what, vv_status_name(status),
            error.message);
    exit(1);
}

static void die(const char *what)
{
    fprintf(stderr, "recorder_tool: %s\n", what);
    exit(1);
}

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long end = -1;

    if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0)
        die(path);
    rewind(file);
    bytes = malloc((size_t)end + 1);
    if (!bytes || fread(bytes, 1, (size_t)end, file) != (size_t)end)
        die(path);
    bytes[end] = 0;
    fclose(file);
    *len = (size_t)end;
    return bytes;
}

/* ---- write ----------------------------------------------------------------------------------- */

typedef struct options {
    vv_recorder_options recorder;
    int64_t live, from;
    bool append;
} options;

static options read_options(int argc, char **argv)
{
    options out = { .recorder = VV_RECORDER_OPTIONS_INIT };

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "live") == 0 && i + 1 < argc) {
            out.live = strtoll(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "append") == 0 && i + 1 < argc) {
            out.append = true;
            out.from = strtoll(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "checksum") == 0) {
            out.recorder.checksum = true;
        } else {
            die(argv[i]);
        }
    }
    return out;
}

/* Point values at the next bytes of data; returns those behind them. */
static const uint8_t *take_values(const vv_schema *schema, size_t group,
                                  const uint8_t *data, const uint8_t *end,
                                  vv_value *values)
{
    for (size_t i = 0; i < vv_schema_leaf_count(schema, group); i++) {
        vv_leaf_type type;
        uint64_t bytes;

        if (!vv_schema_leaf_type(schema, group, i, &type))
            die("no such leaf");
        bytes = type.dtype == VV_RAW ? type.item_size : vv_dtype_size(type.dtype);
        for (uint32_t k = 0; k < type.ndim; k++)
            bytes *= type.shape[k];
        if ((uint64_t)(end - data) < bytes)
            die("too little data");
        values[i] = (vv_value){ data, type.dtype, type.ndim, type.shape };
        data += bytes;
    }
    return data;
}

static void log_steps(vv_recorder *recorder, const uint8_t *data, const uint8_t *end,
                      int64_t steps, const options *want)
{
    static vv_value values[GROUPS_MAX][LEAVES_MAX];
    const vv_schema *schema = vv_recorder_schema(recorder);
    vv_frame frames[GROUPS_MAX];
    char line[16];

    for (int64_t step = want->from; step < steps; step++) {
        size_t due = 0;

        for (size_t g = 0; g < vv_schema_group_count(schema); g++) {
            if (!vv_recorder_due(recorder, g, step))
                continue;
            data = take_values(schema, g, data, end, values[due]);
            frames[due] = (vv_frame){ g, values[due], vv_schema_leaf_count(schema, g) };
            due++;
        }
        /* Also where nothing is due: the last step is counted. */
        check(vv_recorder_log(recorder, step, frames, due, &error), "log");
        if (want->live > 0 && (step + 1) % want->live == 0) {
            check(vv_recorder_flush(recorder, VV_PROCESS, 0, &error), "flush");
            printf("%" PRId64 "\n", step + 1);
            fflush(stdout);
            if (!fgets(line, sizeof(line), stdin))
                die("nobody listens");
        }
    }
    if (data != end)
        die("too much data");
}

static int write_recording(int argc, char **argv)
{
    size_t schema_len, len;
    uint8_t *text = read_file(argv[0], &schema_len), *data = read_file(argv[1], &len);
    int64_t steps = strtoll(argv[2], NULL, 10);
    options want = read_options(argc - 4, argv + 4);
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;

    check(vv_schema_from_json((const char *)text, &schema, &error), "schema");
    if (vv_schema_group_count(schema) > GROUPS_MAX)
        die("too many groups");
    for (size_t g = 0; g < vv_schema_group_count(schema); g++) {
        if (vv_schema_leaf_count(schema, g) > LEAVES_MAX)
            die("too many leaves");
    }
    if (want.append)
        check(vv_recorder_append_hdf5(argv[3], schema, want.from, &want.recorder,
                                      &recorder, &error),
              "append");
    else
        check(vv_recorder_create_hdf5(argv[3], schema, &want.recorder, &recorder, &error),
              "create");
    vv_schema_free(schema);
    log_steps(recorder, data, data + len, steps, &want);
    check(vv_recorder_close(recorder, &error), "close");
    free(text);
    free(data);
    return 0;
}

/* ---- dump ------------------------------------------------------------------------------------- */

static void print_text(const char *text)
{
    if (!text) {
        printf("null");
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_tree(const vv_tree *tree)
{
    vv_buf text = VV_BUF_INIT;

    if (!tree) {
        printf("null");
        return;
    }
    check(vv_tree_to_json(tree, &text, &error), "tree");
    printf("%s", (const char *)text.data);
    vv_buf_clear(&text);
}

static void dump_leaf(vv_traj *traj, size_t group, size_t leaf, const char *directory)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    vv_traj_leaf about;
    char path[4096];
    uint8_t *bytes;
    FILE *file;
    size_t len;

    check(vv_traj_leaf_at(traj, group, leaf, &about, &error), "leaf");
    printf("{\"name\":");
    print_text(about.name);
    printf(",\"dtype\":\"%s\",\"item_size\":%zu,\"filters\":", vv_dtype_name(about.dtype),
           about.item_size);
    print_text(about.filters);
    printf(",\"shape\":[");
    len = about.item_size;
    for (uint32_t i = 0; i < about.ndim; i++) {
        printf("%s%" PRIu64, i ? "," : "", about.shape[i]);
        len *= about.shape[i];
    }
    printf("]}");
    bytes = malloc(len + 1);
    if (!bytes)
        die("out of memory");
    if (len > 0)
        check(
            vv_traj_read(traj, group, leaf, start, about.shape, NULL, bytes, len, &error),
            about.name);
    snprintf(path, sizeof(path), "%s/%zu-%zu", directory, group, leaf);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file))
        die(path);
    free(bytes);
}

static int dump(const char *path, const char *directory)
{
    vv_traj *traj = NULL;
    const vv_traj_info *info;

    check(vv_traj_open(path, &traj, &error), path);
    info = vv_traj_get_info(traj);
    printf("{\"is_open\":%s,\"actual_steps\":%" PRId64 ",\"config\":",
           info->is_open ? "true" : "false",
           info->has_actual_steps ? info->actual_steps : -1);
    print_tree(info->config);
    printf(",\"groups\":[");
    for (size_t g = 0; g < info->group_count; g++) {
        const vv_traj_group *group = vv_traj_group_at(traj, g);

        printf("%s{\"name\":", g ? "," : "");
        print_text(group->name);
        printf(",\"class\":");
        print_text(group->class_name);
        printf(",\"tree\":");
        print_tree(group->tree);
        printf(",\"leaves\":[");
        for (size_t i = 0; i < group->leaf_count; i++) {
            printf("%s", i ? "," : "");
            dump_leaf(traj, g, i, directory);
        }
        printf("]}");
    }
    printf("]}\n");
    vv_traj_close(traj);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 6 && strcmp(argv[1], "write") == 0)
        return write_recording(argc - 2, argv + 2);
    if (argc == 4 && strcmp(argv[1], "dump") == 0)
        return dump(argv[2], argv[3]);
    fprintf(
        stderr,
        "usage: recorder_tool write SCHEMA DATA STEPS OUT [OPTION…] | dump FILE DIRECTORY\n");
    return 2;
}
