/*
 * A power cut at any moment: the file calls of a run are recorded, and from each prefix of the
 * record the states that a disk may be left in are made and opened.
 *
 * What a disk may do: of the writes since a file's last sync, each 512-byte sector has taken any
 * number, in their order; a file's length is that of any moment since then, but covers what was
 * taken; of names made, changed and removed since the directory's last sync, the first few have
 * taken, and names just made may be lost out of order. After a sync that failed, what was written
 * before it never comes, whatever a later sync says. Four states are made of each prefix in any
 * case: everything has taken, nothing, the index alone, everything but the index.
 *
 * test_local_powercut N: so many random states for each prefix; default 1.
 */
#include "local/numbers.h"

#include "util/fault.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR    512
#define FILES_MAX 64
#define NUMBERS   120

static vv_error err;
static unsigned variants = 1;
static bool same_boot; /* the machine went on: these are copies of files in use */

/* ---- the record --------------------------------------------------------------------------- */

typedef struct event {
    enum vvi_event_kind kind; /* of vvi_file_event, or ACK */
    uint64_t file;
    uint64_t offset;
    uint8_t *data;
    size_t len;
    char name[32]; /* last part of path */
    char name2[32];
    bool below;   /* in a directory below the store's: quarantine, or the store itself */
    bool lost;    /* a sync failed before it had taken */
    unsigned ack; /* index into acks */
} event;
#define ACK 100

/* For each number what a flush had covered by then. */
typedef enum known {
    UNKNOWN,
    PRESENT,
    ABSENT,
    EITHER
} known;

static struct {
    event *events;
    size_t count, cap;
    known (*acks)[NUMBERS];
    size_t ack_count;
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

static void listen_to(void *ctx, const vvi_file_event *given)
{
    event *e = new_event();

    (void)ctx;
    e->kind = given->kind;
    e->file = given->file;
    e->offset = given->offset;
    e->len = given->data.len;
    if (e->len) {
        e->data = malloc(e->len);
        assert_non_null(e->data);
        memcpy(e->data, given->data.data, e->len);
    }
    snprintf(e->name, sizeof(e->name), "%s", last_part(given->path));
    snprintf(e->name2, sizeof(e->name2), "%s", last_part(given->path2));
    /* only the store's own directory and files in it */
    e->below = given->path && strcmp(given->path, record.dir) != 0 &&
               (strncmp(given->path, record.dir, strlen(record.dir)) != 0 ||
                strchr(given->path + strlen(record.dir) + 1, '/'));
}

static void forget_record(void)
{
    for (size_t i = 0; i < record.count; i++)
        free(record.events[i].data);
    free(record.events);
    free(record.acks);
    memset(&record, 0, sizeof(record));
}

/* ---- what the run does -------------------------------------------------------------------- */

static known now[NUMBERS];   /* as a flush that returned says */
static known asked[NUMBERS]; /* asked for since; UNKNOWN: nothing */

static void note_ack(bool flushed)
{
    event *e = new_event();

    for (unsigned n = 0; n < NUMBERS; n++) {
        if (!flushed || asked[n] == UNKNOWN)
            continue;
        now[n] = asked[n];
        asked[n] = UNKNOWN;
    }
    e->kind = ACK;
    e->ack = (unsigned)record.ack_count;
    record.acks = realloc(record.acks, (record.ack_count + 1) * sizeof(*record.acks));
    assert_non_null(record.acks);
    for (unsigned n = 0; n < NUMBERS; n++)
        record.acks[record.ack_count][n] = asked[n] == UNKNOWN ? now[n] : EITHER;
    record.ack_count++;
}

static void put(vv_blockstore *store, unsigned n)
{
    asked[n] = PRESENT;
    note_ack(false); /* from here on it may be there */
    assert_vv_ok(put_number(store, n, &err));
}

static void take_away(vv_blockstore *store, unsigned n)
{
    vv_cid cid = number_cid(n);

    asked[n] = ABSENT;
    note_ack(false);
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
}

static void flush(vv_blockstore *store)
{
    assert_vv_ok(vv_blockstore_flush(store, &err));
    note_ack(true);
}

static vv_local_options small_files(vv_durability durability)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;

    opts.create = true;
    opts.segment_bytes = 2500;
    opts.buffer_bytes = 900;
    opts.durability = durability;
    return opts;
}

static void begin_run(void)
{
    memset(now, 0, sizeof(now));
    memset(asked, 0, sizeof(asked));
    for (unsigned n = 0; n < NUMBERS; n++)
        now[n] = ABSENT;
    note_ack(true);
    vvi_file_listen(listen_to, NULL);
}

static vv_blockstore *open_small(const char *dir, vv_durability durability)
{
    vv_local_options opts = small_files(durability);
    vv_blockstore *store = NULL;

    assert_vv_ok(vv_local_open(dir, &opts, &store, &err));
    return store;
}

static void durable_run(const char *dir, unsigned fault)
{
    vv_blockstore *store = open_small(dir, VV_DURABLE);
    vv_blockstore *second;

    (void)fault;
    for (unsigned n = 0; n < 12; n++)
        put(store, n);
    flush(store);
    for (unsigned n = 12; n < 40; n++)
        put(store, n);
    take_away(store, 3);
    take_away(store, 20);
    flush(store);
    put(store, 40);
    flush(store);
    second = open_small(dir, VV_DURABLE);
    for (unsigned n = 41; n < 60; n++)
        put(n % 2 ? store : second, n);
    assert_vv_ok(vv_blockstore_flush(second, &err)); /* its own puts, not the other's */
    flush(store);
    for (unsigned n = 0; n < 36; n++)
        if (n % 4 && n != 3)
            take_away(store, n);
    flush(store);
    assert_vv_ok(vv_local_compact(store, NULL, &err));
    put(second, 60);
    put(second, 3);
    flush(second);
    vv_blockstore_free(second);
    vv_blockstore_free(store);
    store = open_small(dir, VV_DURABLE);
    for (unsigned n = 61; n < 70; n++)
        put(store, n);
    flush(store);
    put(store, 70); /* never flushed */
    vv_blockstore_free(store);
}

/* Flushes of VV_PROCESS promise nothing of a power cut, and take back nothing that was promised. */
static void lax_run(const char *dir, unsigned fault)
{
    vv_blockstore *store = open_small(dir, VV_DURABLE);
    vv_blockstore *lax = open_small(dir, VV_PROCESS);

    (void)fault;
    for (unsigned n = 0; n < 40; n++)
        put(store, n);
    flush(store);
    for (unsigned n = 40; n < 46; n++)
        put(lax, n);
    for (unsigned n = 0; n < 30; n++)
        if (n % 4)
            take_away(lax, n);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    assert_vv_ok(vv_local_compact(lax, NULL, &err));
    for (unsigned n = 46; n < 56; n++) {
        put(lax, n);
        assert_vv_ok(vv_blockstore_flush(lax, &err));
    }
    flush(store);
    take_away(lax, 30);
    put(lax, 1);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    vv_blockstore_free(store);
    vv_blockstore_free(lax);
    lax = open_small(dir, VV_PROCESS);
    for (unsigned n = 56; n < 60; n++)
        put(lax, n);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    put(lax, 60);
    vv_blockstore_free(lax);
}

/*
 * Sync number `fault` after unsynced blocks were flushed fails, once. What a durable flush says
 * later holds all the same.
 */
/*
 * Without the rule that a power cut has the index made anew, as for a copy of the files taken while
 * they are in use: records before slots is then all that keeps what was durable, and slots behind
 * the durable place must go. Deletions are not told from losses so, and are flushed durably.
 */
static void copied_run(const char *dir, unsigned fault)
{
    vv_blockstore *store = open_small(dir, VV_DURABLE);
    vv_blockstore *lax;

    (void)fault;
    for (unsigned n = 0; n < 40; n++)
        put(store, n);
    flush(store);
    for (unsigned n = 0; n < 30; n++)
        if (n % 4)
            take_away(store, n);
    flush(store);
    vv_blockstore_free(store);
    lax = open_small(dir, VV_PROCESS);
    for (unsigned n = 40; n < 46; n++)
        put(lax, n);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    assert_vv_ok(vv_local_compact(lax, NULL, &err));
    for (unsigned n = 46; n < 50; n++)
        put(lax, n);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    vv_blockstore_free(lax);
}

static bool sync_failed = true;

static void failing_sync_run(const char *dir, unsigned fault)
{
    vvi_fault plan = { .calls = VVI_CALL_BIT(VVI_CALL_SYNC),
                       .after = fault,
                       .error_number = 5 };
    vv_blockstore *store = open_small(dir, VV_DURABLE);
    vv_blockstore *lax = open_small(dir, VV_PROCESS);

    for (unsigned n = 0; n < 4; n++)
        put(store, n);
    flush(store);
    for (unsigned n = 4; n < 12; n++)
        put(lax, n);
    assert_vv_ok(vv_blockstore_flush(lax, &err));
    vvi_fault_plan(&plan);
    if (fault % 2 == 0)
        (void)vv_blockstore_flush(store, &err);
    for (unsigned n = 12; n < 30; n++) /* into another segment */
        asked[n] = EITHER;
    note_ack(false);
    for (unsigned n = 12; n < 30; n++)
        (void)put_number(lax, n, &err);
    (void)vv_blockstore_flush(lax, &err);
    vv_blockstore_free(store);
    vv_blockstore_free(lax);
    sync_failed = vvi_fault_plan(NULL) > 0;
    store = open_small(dir, VV_DURABLE);
    put(store, 31);
    flush(store);
    vv_blockstore_free(store);
}

/* ---- the disk ------------------------------------------------------------------------------ */

typedef struct disk_file {
    uint64_t id;
    uint8_t *durable;
    size_t durable_len;
    size_t first; /* events before this one are durable */
} disk_file;

typedef struct disk {
    disk_file files[FILES_MAX];
    size_t count;
    struct {
        char name[32];
        uint64_t file;
    } names[FILES_MAX]; /* durable names; file 0: a free place */
    size_t dir_synced;  /* events before this one are in names */
} disk;

static disk_file *file_of(disk *d, uint64_t id)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->files[i].id == id)
            return &d->files[i];
    assert_true(d->count < FILES_MAX);
    d->files[d->count] = (disk_file){ .id = id };
    return &d->files[d->count++];
}

/* A file in the making: bytes, grown with zeros. */
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
static image make_image(const disk_file *f, size_t end, bool all, bool none,
                        uint64_t *seed)
{
    image img = { NULL, 0 };
    size_t span = end - f->first + 1;
    size_t length_moment = all    ? end
                           : none ? f->first
                                  : f->first + (size_t)(next_random(seed) % span);
    size_t length = f->durable_len;
    size_t needed = 0;
    uint64_t salt = next_random(seed);

    set_length(&img, f->durable_len);
    if (f->durable_len)
        memcpy(img.data, f->durable, f->durable_len);
    for (size_t i = f->first; i < end; i++) {
        const event *e = &record.events[i];

        if (e->file != f->id)
            continue;
        if (e->kind == VVI_EVENT_TRUNCATE) {
            if (i < length_moment)
                length = e->offset;
            if (needed > e->offset && i < length_moment)
                needed = e->offset;
            continue;
        }
        if ((e->kind != VVI_EVENT_WRITE && e->kind != VVI_EVENT_MAP) || e->lost)
            continue;
        if (i < length_moment && e->offset + e->len > length)
            length = e->offset + e->len;
        for (size_t at = 0; at < e->len;) {
            uint64_t offset = e->offset + at;
            uint64_t sector = offset / SECTOR;
            size_t n = SECTOR - (size_t)(offset % SECTOR);
            uint64_t mix = salt ^ sector * 0x9E3779B97F4A7C15u;
            size_t moment = f->first + (size_t)(next_random(&mix) % span);

            /* a third of the sectors have taken everything, so that much is nearly whole */
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

static void apply_name(disk *d, const event *e)
{
    uint64_t moved = e->file;
    const char *to = e->name;
    size_t i;

    if (e->below)
        return;
    if (e->kind == VVI_EVENT_RENAME || e->kind == VVI_EVENT_UNLINK) {
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

static bool is_name_event(const event *e)
{
    return e->kind == VVI_EVENT_CREATE || e->kind == VVI_EVENT_RENAME ||
           e->kind == VVI_EVENT_UNLINK;
}

/* Bring what event i made durable into the disk. */
static void advance(disk *d, size_t i)
{
    const event *e = &record.events[i];
    uint64_t seed = 0;

    if (e->kind == VVI_EVENT_SYNC) {
        disk_file *f = file_of(d, e->file);
        image img = make_image(f, i, true, false, &seed);

        free(f->durable);
        f->durable = img.data;
        f->durable_len = img.len;
        f->first = i;
    } else if (e->kind == VVI_EVENT_SYNC_FAILED) {
        for (size_t before = file_of(d, e->file)->first; before < i; before++)
            record.events[before].lost |= record.events[before].file == e->file;
    } else if (e->kind == VVI_EVENT_DIR_SYNC &&
               strcmp(last_part(record.dir), e->name) == 0) {
        for (; d->dir_synced < i; d->dir_synced++)
            if (is_name_event(&record.events[d->dir_synced]))
                apply_name(d, &record.events[d->dir_synced]);
    } else if (e->kind == VVI_EVENT_CREATE) {
        file_of(d, e->file);
    }
}

/* Ways in which what waits may have taken; from RANDOM on, at random. */
enum {
    ALL,
    NOTHING,
    INDEX_ALONE,
    ALL_BUT_INDEX,
    RANDOM
};

/* Write the state into an empty directory. */
static void write_state(disk *d, size_t end, unsigned variant, uint64_t *seed,
                        const char *to)
{
    disk names = *d;
    size_t last = d->dir_synced;

    if (variant == ALL || variant == ALL_BUT_INDEX)
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
        bool is_index = strcmp(names.names[i].name, "index") == 0;
        bool all = variant == ALL || variant == (is_index ? INDEX_ALONE : ALL_BUT_INDEX);
        char path[1024];
        image img;

        if (!names.names[i].file)
            continue;
        img = make_image(file_of(d, names.names[i].file), end, all,
                         !all && variant < RANDOM, seed);
        if (is_index && img.len > 88 && !same_boot)
            memset(img.data + 72, 0xB0, 16); /* the machine was started again */
        snprintf(path, sizeof(path), "%s/%s", to, names.names[i].name);
        write_file(path, img.data, img.len);
        free(img.data);
    }
}

/* ---- the checks ----------------------------------------------------------------------------- */

static vv_status print_finding(void *ctx, const vv_fsck_finding *finding)
{
    print_message("%s: %s\n", (const char *)ctx, finding->message);
    return VV_OK;
}

static void check_numbers(vv_blockstore *store, const known *ack, const char *when)
{
    for (unsigned n = 0; n < NUMBERS; n++) {
        vv_status status = get_number(store, n, &err);

        if (status != VV_OK && status != VV_ENOTFOUND)
            fail_msg("%s: number %u: %s", when, n, err.message);
        if (ack[n] == PRESENT && status)
            fail_msg("%s: number %u was acknowledged and is gone", when, n);
        if (ack[n] == ABSENT && !status)
            fail_msg("%s: number %u is back, or was never put", when, n);
    }
}

static void check_state(const char *dir, const known *ack, const char *when,
                        uint64_t *seed)
{
    vv_local_options opts = small_files(VV_DURABLE);
    vv_fsck_options fsck = VV_FSCK_OPTIONS_INIT;
    vv_blockstore *store;

    opts.read_only = true;
    opts.create = false;
    if (!vv_local_open(dir, &opts, &store, &err)) {
        check_numbers(store, ack, when);
        vv_blockstore_free(store);
    }
    opts.read_only = false;
    opts.create = true;
    if (next_random(seed) % 4 == 0) { /* recovery may fail, and is tried again */
        vvi_fault plan = { .calls = VVI_CALLS_ALL,
                           .after = next_random(seed) % 40,
                           .error_number = 5 };

        vvi_fault_plan(&plan);
        if (!vv_local_open(dir, &opts, &store, &err))
            vv_blockstore_free(store);
        vvi_fault_plan(NULL);
    }
    if (vv_local_open(dir, &opts, &store, &err))
        fail_msg("%s: %s", when, err.message);
    check_numbers(store, ack, when);
    assert_vv_ok(put_number(store, 5000, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    fsck.report = print_finding;
    fsck.ctx = (void *)(uintptr_t)when;
    if (vv_local_fsck(dir, &fsck, NULL, &err))
        fail_msg("%s: %s", when, err.message);
    assert_vv_ok(vv_local_open(dir, &opts, &store, &err));
    check_numbers(store, ack, when);
    assert_vv_ok(get_number(store, 5000, &err));
    vv_blockstore_free(store);
}

static unsigned long check_every_prefix(const char *what, bool after_failure,
                                        uint64_t seed)
{
    bool failed = false;
    disk d = { .count = 0 };
    const known *ack = NULL;
    unsigned long states = 0;

    for (size_t end = 0; end <= record.count; end++) {
        if (end && record.events[end - 1].kind == ACK)
            ack = record.acks[record.events[end - 1].ack];
        else if (end)
            advance(&d, end - 1);
        failed |= end && record.events[end - 1].kind == VVI_EVENT_SYNC_FAILED;
        if (after_failure && !failed)
            continue; /* the other runs have looked */
        /* a state is worth looking at after a change */
        if (!ack || (end && record.events[end - 1].kind == ACK && end != record.count))
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
    for (size_t i = 0; i < d.count; i++)
        free(d.files[i].durable);
    return states;
}

/* Record a run and look at every state that a power cut can leave. */
static unsigned long look_at(const char *what, void (*run)(const char *, unsigned),
                             unsigned fault)
{
    char *base = make_directory();
    unsigned long states;

    forget_record(); /* of a run that did not come to its end */
    same_boot = run == copied_run;
    snprintf(record.dir, sizeof(record.dir), "%s/store", base);
    begin_run();
    run(record.dir, fault);
    vvi_file_listen(NULL, NULL);
    states = check_every_prefix(what, run == failing_sync_run, 1);
    print_message("%s: %u events, %lu states\n", what, (unsigned)record.count, states);
    forget_record();
    remove_directory(base);
    return states;
}

static void every_state_after_a_power_cut_holds_what_was_acknowledged(void **state)
{
    (void)state;
    assert_true(look_at("durable", durable_run, 0) > 500);
}

static void a_lax_handle_takes_back_nothing_that_was_durable(void **state)
{
    (void)state;
    assert_true(look_at("lax", lax_run, 0) > 500);
}

static void records_reach_the_disk_before_slots_that_lead_to_them(void **state)
{
    (void)state;
    assert_true(look_at("copied", copied_run, 0) > 300);
}

static void a_sync_that_failed_does_not_count_when_it_is_tried_again(void **state)
{
    (void)state;
    for (unsigned fault = 0; sync_failed; fault++) {
        char what[40];

        snprintf(what, sizeof(what), "sync %u fails", fault);
        look_at(what, failing_sync_run, fault);
        assert_true(fault > 4 || sync_failed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_after_a_power_cut_holds_what_was_acknowledged),
        cmocka_unit_test(a_lax_handle_takes_back_nothing_that_was_durable),
        cmocka_unit_test(records_reach_the_disk_before_slots_that_lead_to_them),
        cmocka_unit_test(a_sync_that_failed_does_not_count_when_it_is_tried_again),
    };

    use_fast_directory();
    if (argc > 1)
        variants = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("power cut", tests, NULL, NULL);
}
