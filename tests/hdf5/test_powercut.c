/*
 * A power cut at any moment: the file calls of a run are recorded, and from each prefix of the record the states that a
 * disk may be left in are made, read and repaired. tests/local/test_powercut.c says what a disk may do.
 *
 * test_hdf5_powercut N: so many random states for each prefix; default 1.
 */
#include "hdf5/runs.h"

#include "hdf5/driver.h"
#include "util/fault.h"

#include <stdio.h>
#include <unistd.h>

#define SECTOR    512
#define FILES_MAX 24
#define NAME_MAX_ 40

static vv_error err;
static unsigned variants = 1;
static bool late; /* nothing is promised before the first word */

/* ---- the record --------------------------------------------------------------------------- */

typedef struct event {
    enum vvi_event_kind kind; /* of vvi_file_event, or ACK */
    uint64_t file;            /* counted as they are made */
    uint64_t offset;
    uint8_t *data;
    size_t len;
    char name[NAME_MAX_]; /* last part of path */
    char name2[NAME_MAX_];
    int64_t acked,
        other; /* ACK: where the recording ends; it may end here or there while it is cut */
} event;
#define ACK 100

static struct {
    event *events;
    size_t count, cap;
    uint64_t
        inodes[FILES_MAX]; /* of the files, by number from 1 on; 0 once another has it */
    uint64_t files;
    char dir[512];
} record;

static const char *last_part(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path ? path : "";
}

static event *new_event(void)
{
    if (record.count == record.cap) {
        record.cap = record.cap ? record.cap * 2 : 1024;
        record.events = realloc(record.events, record.cap * sizeof(event));
        assert_non_null(record.events);
    }
    memset(&record.events[record.count], 0, sizeof(event));
    return &record.events[record.count++];
}

/* An inode number is used again when its file is gone. */
static uint64_t number_of(uint64_t inode, bool created)
{
    for (uint64_t i = 0; i < record.files; i++)
        if (record.inodes[i] == inode && !created)
            return i + 1;
        else if (record.inodes[i] == inode)
            record.inodes[i] = 0;
    assert_true(record.files < FILES_MAX);
    record.inodes[record.files++] = inode;
    return record.files;
}

static void listen_to(void *ctx, const vvi_file_event *given)
{
    event *e = new_event();

    (void)ctx;
    e->kind = given->kind;
    if (given->file)
        e->file = number_of(given->file, given->kind == VVI_EVENT_CREATE);
    e->offset = given->offset;
    e->len = given->data.len;
    if (e->len) {
        e->data = malloc(e->len);
        assert_non_null(e->data);
        memcpy(e->data, given->data.data, e->len);
    }
    snprintf(e->name, sizeof(e->name), "%s", last_part(given->path));
    snprintf(e->name2, sizeof(e->name2), "%s", last_part(given->path2));
}

static void forget_record(void)
{
    for (size_t i = 0; i < record.count; i++)
        free(record.events[i].data);
    free(record.events);
    memset(&record, 0, sizeof(record));
}

/* From here on the file ends at next or behind it, or, until the next word, exactly at other (-1: not). */
static void acknowledge(int64_t next, int64_t other)
{
    event *e = new_event();

    e->kind = (enum vvi_event_kind)ACK;
    e->acked = next;
    e->other = other;
}

/* ---- what the run does -------------------------------------------------------------------- */

static void flush(vv_recorder *recorder, int64_t next, vv_durability durability)
{
    assert_vv_ok(vv_recorder_flush(recorder, durability, 0, &err));
    acknowledge(next, -1);
}

static vv_recorder *go_on(const char *path, int64_t next_step)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(
        vv_recorder_append_hdf5(path, NULL, next_step, &options, &recorder, &err));
    return recorder;
}

static vv_recorder *begin(const char *path)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_schema *schema = run_schema();
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    vv_schema_free(schema);
    acknowledge(0, -1);
    return recorder;
}

/* Flushes that meet chunks at all places, one that need not be durable between them, and the end. */
static void plain_run(const char *path)
{
    static const int64_t ends[] = { 1, 2, 9, 13, 14, 27, 40, 41, 60, 110 };
    vv_recorder *recorder = begin(path);
    int64_t next = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        assert_vv_ok(run_log_many(recorder, next, ends[i], &err));
        next = ends[i];
        flush(recorder, next, i == 4 ? VV_PROCESS : VV_DURABLE);
    }
    assert_vv_ok(run_log_many(recorder, next, next + 20, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(next + 20, -1);
}

/* Nothing is promised until a flush asks for it; what it covered stays whatever comes then. */
static void late_run(const char *path)
{
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_schema *schema = run_schema();
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    vv_schema_free(schema);
    for (int64_t next = 0; next < 30; next += 10) {
        assert_vv_ok(run_log_many(recorder, next, next + 10, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    }
    assert_vv_ok(run_log_many(recorder, 30, 35, &err));
    flush(recorder, 35, VV_DURABLE);
    for (int64_t next = 35; next < 75; next += 10) {
        assert_vv_ok(run_log_many(recorder, next, next + 10, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    }
    assert_vv_ok(vv_recorder_close(recorder, &err));
}

/* Closed, gone on with, cut back and gone on with. */
static void cut_run(const char *path)
{
    vv_recorder *recorder = begin(path);

    assert_vv_ok(run_log_many(recorder, 0, 50, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(50, -1);
    recorder = go_on(path, -1);
    assert_vv_ok(run_log_many(recorder, 50, 60, &err));
    flush(recorder, 60, VV_DURABLE);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(60, 33);
    recorder = go_on(path, 33);
    acknowledge(33, -1);
    assert_vv_ok(run_log_many(recorder, 33, 45, &err));
    flush(recorder, 45, VV_DURABLE);
    assert_vv_ok(run_log_many(recorder, 45, 47, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(47, -1);
}

/* Given up and repaired, given up and gone on with. */
static void repair_run(const char *path)
{
    vv_recorder *recorder = begin(path);

    assert_vv_ok(run_log_many(recorder, 0, 20, &err));
    flush(recorder, 20, VV_DURABLE);
    assert_vv_ok(run_log_many(recorder, 20, 35, &err));
    flush(recorder, 35, VV_DURABLE);
    vv_recorder_abandon(recorder);
    assert_vv_ok(vv_traj_repair(path, false, NULL, &err));
    recorder = go_on(path, -1);
    assert_vv_ok(run_log_many(recorder, 35, 44, &err));
    flush(recorder, 44, VV_DURABLE);
    vv_recorder_abandon(recorder);
    acknowledge(44, 40);
    recorder = go_on(path, 40);
    acknowledge(40, -1);
    assert_vv_ok(run_log_many(recorder, 40, 48, &err));
    flush(recorder, 48, VV_DURABLE);
    vv_recorder_abandon(recorder);
}

/* ---- the disk ------------------------------------------------------------------------------ */

typedef struct disk_file {
    uint8_t *durable;
    size_t durable_len;
    size_t first; /* events before this one are durable */
} disk_file;

typedef struct disk {
    disk_file files[FILES_MAX + 1]; /* by number */
    struct {
        char name[NAME_MAX_];
        uint64_t file;
    } names[FILES_MAX]; /* durable names; file 0: a free place */
    size_t dir_synced;  /* events before this one are in names */
} disk;

typedef struct image {
    uint8_t *data;
    size_t len;
} image;

static void set_length(image *img, size_t len)
{
    img->data = realloc(img->data, len + 1);
    assert_non_null(img->data);
    if (len > img->len)
        memset(img->data + img->len, 0, len - img->len);
    img->len = len;
}

/* The file after the events up to end, of which a sector has taken those before its own moment. */
static image make_image(const disk_file *f, uint64_t number, size_t end, bool all,
                        bool none, uint64_t *seed)
{
    image img = { NULL, 0 };
    size_t span = end - f->first + 1;
    size_t length_moment = all    ? end
                           : none ? f->first
                                  : f->first + (size_t)(next_random(seed) % span);
    size_t length = f->durable_len, needed = 0;
    uint64_t salt = next_random(seed);

    set_length(&img, f->durable_len);
    if (f->durable_len)
        memcpy(img.data, f->durable, f->durable_len);
    for (size_t i = f->first; i < end; i++) {
        const event *e = &record.events[i];

        if (e->file != number)
            continue;
        if (e->kind == VVI_EVENT_TRUNCATE) {
            if (i < length_moment)
                length = (size_t)e->offset;
            if (needed > e->offset && i < length_moment)
                needed = (size_t)e->offset;
            continue;
        }
        if (e->kind != VVI_EVENT_WRITE)
            continue;
        if (i < length_moment && e->offset + e->len > length)
            length = (size_t)e->offset + e->len;
        for (size_t at = 0; at < e->len;) {
            uint64_t offset = e->offset + at;
            size_t n = SECTOR - (size_t)(offset % SECTOR);
            uint64_t mix = salt ^ offset / SECTOR * 0x9E3779B97F4A7C15u;
            size_t moment = f->first + (size_t)(next_random(&mix) % span);

            if (next_random(&mix) % 3 == 0 || all)
                moment = end;
            if (n > e->len - at)
                n = e->len - at;
            if (i < moment && !none) {
                if (img.len < offset + n)
                    set_length(&img, (size_t)offset + n);
                memcpy(img.data + offset, e->data + at, n);
                if (needed < offset + n)
                    needed = (size_t)offset + n;
            }
            at += n;
        }
    }
    set_length(&img, length > needed ? length : needed);
    return img;
}

static bool is_name_event(const event *e)
{
    return e->kind == VVI_EVENT_CREATE || e->kind == VVI_EVENT_RENAME ||
           e->kind == VVI_EVENT_UNLINK;
}

static void apply_name(disk *d, const event *e)
{
    uint64_t moved = e->file;
    const char *to = e->name;
    size_t i;

    if (e->kind != VVI_EVENT_CREATE) {
        for (i = 0; i < FILES_MAX; i++)
            if (d->names[i].file && strcmp(d->names[i].name, e->name) == 0) {
                moved = d->names[i].file;
                d->names[i].file = 0;
            }
        to = e->name2;
    }
    if (e->kind == VVI_EVENT_UNLINK || !moved)
        return;
    for (i = 0; i < FILES_MAX; i++)
        if (d->names[i].file && strcmp(d->names[i].name, to) == 0)
            d->names[i].file = 0;
    for (i = 0; d->names[i].file; i++)
        assert_true(i + 1 < FILES_MAX);
    snprintf(d->names[i].name, sizeof(d->names[i].name), "%s", to);
    d->names[i].file = moved;
}

/* Bring what event i made durable into the disk. */
static void advance(disk *d, size_t i)
{
    const event *e = &record.events[i];
    uint64_t seed = 0;

    if (e->kind == VVI_EVENT_SYNC) {
        disk_file *f = &d->files[e->file];
        image img = make_image(f, e->file, i, true, false, &seed);

        free(f->durable);
        f->durable = img.data;
        f->durable_len = img.len;
        f->first = i;
    } else if (e->kind == VVI_EVENT_DIR_SYNC &&
               strcmp(last_part(record.dir), e->name) == 0) {
        for (; d->dir_synced < i; d->dir_synced++)
            if (is_name_event(&record.events[d->dir_synced]))
                apply_name(d, &record.events[d->dir_synced]);
    } else if (e->kind == VVI_EVENT_CREATE) {
        d->files[e->file].first = i;
    }
}

enum {
    ALL,
    NOTHING,
    JOURNAL_ALONE,
    ALL_BUT_JOURNAL,
    RANDOM
};

static void write_state(disk *d, size_t end, unsigned variant, uint64_t *seed,
                        const char *to)
{
    disk names = *d;
    size_t last = d->dir_synced;

    if (variant == ALL || variant == ALL_BUT_JOURNAL)
        last = end;
    else if (variant >= RANDOM)
        last += (size_t)(next_random(seed) % (end - d->dir_synced + 1));
    for (size_t i = d->dir_synced; i < end; i++) {
        const event *e = &record.events[i];

        if (!is_name_event(e) || (i >= last && variant < RANDOM))
            continue;
        /* past the cut, a name just made may have taken all the same */
        if (i >= last && (e->kind != VVI_EVENT_CREATE || next_random(seed) % 2))
            continue;
        apply_name(&names, e);
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        bool journal = strstr(names.names[i].name, ".journal") != NULL;
        bool all = variant == ALL ||
                   variant == (journal ? JOURNAL_ALONE : ALL_BUT_JOURNAL);
        uint64_t number = names.names[i].file;
        char path[1024];
        image img;

        if (!number)
            continue;
        img = make_image(&d->files[number], number, end, all, !all && variant < RANDOM,
                         seed);
        snprintf(path, sizeof(path), "%s/%s", to, names.names[i].name);
        write_file(path, img.data, img.len);
        free(img.data);
    }
}

/* ---- the checks ----------------------------------------------------------------------------- */

static void look(const char *path, const event *ack, const char *when, const char *how,
                 vv_status (*with)(const char *, int64_t *, vv_error *), int64_t *next)
{
    if (with(path, next, &err))
        fail_msg("%s, %s: %s", when, how, err.message);
    if (*next < ack->acked && *next != ack->other)
        fail_msg("%s, %s: %lld was acknowledged, and it ends at %lld", when, how,
                 (long long)ack->acked, (long long)*next);
}

static void check_state(const char *dir, const event *ack, const char *when,
                        uint64_t *seed)
{
    int64_t before, after;
    char path[700];

    snprintf(path, sizeof(path), "%s/a.h5", dir);
    if (access(path, F_OK) != 0) {
        assert_true(!ack);
        return;
    }
    if (!ack && late)
        return;
    if (!ack) { /* not acknowledged: what begins may be there, and then it is whole */
        assert_vv_ok(run_look(path, &before, &err));
        return;
    }
    look(path, ack, when, "as it was left", run_look, &before);
    if (next_random(seed) % 4 == 0) { /* repair may fail, and is tried again */
        vvi_fault plan = { .calls = VVI_CALLS_ALL,
                           .after = next_random(seed) % 60,
                           .error_number = 5 };

        vvi_fault_plan(&plan);
        (void)vv_traj_repair(path, false, NULL, &err);
        vvi_fault_plan(NULL);
    }
    if (vv_traj_repair(path, false, NULL, &err))
        fail_msg("%s: repair: %s", when, err.message);
    look(path, ack, when, "repaired", run_look, &after);
    assert_int_equal(before, after);
    look(path, ack, when, "plainly", run_look_plainly, &after);
    assert_int_equal(before, after);
}

static unsigned long check_every_prefix(const char *what)
{
    disk d = { .dir_synced = 0 };
    const event *ack = NULL;
    unsigned long states = 0;
    uint64_t seed = 1;

    for (size_t end = 0; end <= record.count; end++) {
        if (end && record.events[end - 1].kind == (enum vvi_event_kind)ACK)
            ack = &record.events[end - 1];
        else if (end)
            advance(&d, end - 1);
        if (end && record.events[end - 1].kind == (enum vvi_event_kind)ACK &&
            end != record.count)
            continue;
        for (unsigned v = 0; v < RANDOM + variants; v++) {
            char *to = make_directory();
            char when[160];

            snprintf(when, sizeof(when), "%s: after event %u of %u, variant %u", what,
                     (unsigned)end, (unsigned)record.count, v);
            write_state(&d, end, v, &seed, to);
            check_state(to, ack, when, &seed);
            remove_directory(to);
            states++;
        }
    }
    for (size_t i = 0; i <= FILES_MAX; i++)
        free(d.files[i].durable);
    return states;
}

static void look_at(const char *what, void (*run)(const char *path))
{
    char *base = make_directory();
    unsigned long states;
    char path[600];

    forget_record(); /* of a run that did not come to its end */
    snprintf(record.dir, sizeof(record.dir), "%s", base);
    snprintf(path, sizeof(path), "%s/a.h5", base);
    vvi_file_listen(listen_to, NULL);
    run(path);
    vvi_file_listen(NULL, NULL);
    states = check_every_prefix(what);
    print_message("%s: %u events, %lu states\n", what, (unsigned)record.count, states);
    assert_true(states > 500);
    forget_record();
    remove_directory(base);
}

static void every_state_holds_what_durable_flushes_covered(void **state)
{
    (void)state;
    look_at("plain", plain_run);
}

static void a_durable_flush_covers_what_others_did_not(void **state)
{
    (void)state;
    late = true;
    look_at("late", late_run);
    late = false;
}

static void space_used_again_is_of_no_commit(void **state)
{
    uint64_t quarantine = vvi_hdf5_quarantine_ns;

    (void)state;
    vvi_hdf5_quarantine_ns = 0;
    look_at("space used again", plain_run);
    vvi_hdf5_quarantine_ns = quarantine;
}

static void going_on_and_cutting_is_one_step(void **state)
{
    (void)state;
    look_at("cut", cut_run);
}

static void a_repair_that_is_cut_off_is_done_again(void **state)
{
    (void)state;
    look_at("repair", repair_run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_holds_what_durable_flushes_covered),
        cmocka_unit_test(a_durable_flush_covers_what_others_did_not),
        cmocka_unit_test(space_used_again_is_of_no_commit),
        cmocka_unit_test(going_on_and_cutting_is_one_step),
        cmocka_unit_test(a_repair_that_is_cut_off_is_done_again),
    };

    run_in_memory();
    if (argc > 1)
        variants = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("hdf5/power cut", tests, NULL, NULL);
}
