/*
 * A power cut at any moment: the file calls of a run are recorded, and from each prefix of the
 * record the states that a disk may be left in are made and opened.
 *
 * What a disk may do: of the writes since a file's last sync, each 512-byte sector has taken any
 * number, in their order; a file's length is that of any moment since then, but covers what was
 * taken; of names made, changed and removed since the directory's last sync, the first few have
 * taken, and names just made may be lost out of order.
 *
 * test_local_powercut N: so many random states for each prefix; default 2.
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
static unsigned variants = 2;

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

static void do_run(const char *dir)
{
    vv_local_options opts = small_files(VV_DURABLE);
    vv_blockstore *store;
    vv_blockstore *second;

    memset(now, 0, sizeof(now));
    memset(asked, 0, sizeof(asked));
    for (unsigned n = 0; n < NUMBERS; n++)
        now[n] = ABSENT;
    note_ack(true);
    vvi_file_listen(listen_to, NULL);
    assert_vv_ok(vv_local_open(dir, &opts, &store, &err));
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
    assert_vv_ok(vv_local_open(dir, &opts, &second, &err));
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
    assert_vv_ok(vv_local_open(dir, &opts, &store, &err));
    for (unsigned n = 61; n < 70; n++)
        put(store, n);
    flush(store);
    put(store, 70); /* never flushed */
    vv_blockstore_free(store);
    vvi_file_listen(NULL, NULL);
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
        if (e->kind != VVI_EVENT_WRITE && e->kind != VVI_EVENT_MAP)
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
    } else if (e->kind == VVI_EVENT_DIR_SYNC &&
               strcmp(last_part(record.dir), e->name) == 0) {
        for (; d->dir_synced < i; d->dir_synced++)
            if (is_name_event(&record.events[d->dir_synced]))
                apply_name(d, &record.events[d->dir_synced]);
    } else if (e->kind == VVI_EVENT_CREATE) {
        file_of(d, e->file);
    }
}

/* Write the state into an empty directory. variant 0: all was taken; 1: nothing. */
static void write_state(disk *d, size_t end, unsigned variant, uint64_t *seed,
                        const char *to)
{
    disk names = *d;
    size_t last = d->dir_synced;

    if (variant == 0)
        last = end;
    else if (variant > 1)
        last += (size_t)(next_random(seed) % (end - d->dir_synced + 1));
    for (size_t i = d->dir_synced; i < end; i++) {
        const event *e = &record.events[i];

        if (!is_name_event(e) || (i >= last && variant < 2))
            continue;
        /* past the cut, a name just made may have taken all the same */
        if (i >= last && (e->kind != VVI_EVENT_CREATE || next_random(seed) % 2))
            continue;
        apply_name(&names, e);
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        char path[1024];
        image img;

        if (!names.names[i].file)
            continue;
        img = make_image(file_of(d, names.names[i].file), end, variant == 0, variant == 1,
                         seed);
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

static unsigned long check_every_prefix(uint64_t seed)
{
    disk d = { .count = 0 };
    const known *ack = NULL;
    unsigned long states = 0;

    for (size_t end = 0; end <= record.count; end++) {
        if (end && record.events[end - 1].kind == ACK)
            ack = record.acks[record.events[end - 1].ack];
        else if (end)
            advance(&d, end - 1);
        /* a state is worth looking at after a change */
        if (!ack || (end && record.events[end - 1].kind == ACK && end != record.count))
            continue;
        for (unsigned v = 0; v < 2 + variants; v++) {
            char *to = make_directory();
            char when[100];

            snprintf(when, sizeof(when), "after event %u of %u, variant %u",
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

static void every_state_after_a_power_cut_holds_what_was_acknowledged(void **state)
{
    char *base = make_directory();
    unsigned long states;

    (void)state;
    snprintf(record.dir, sizeof(record.dir), "%s/store", base);
    do_run(record.dir);
    states = check_every_prefix(1);
    print_message("%u events, %lu states\n", (unsigned)record.count, states);
    assert_true(states > 500);
    forget_record();
    remove_directory(base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_after_a_power_cut_holds_what_was_acknowledged),
    };

    use_fast_directory();
    if (argc > 1)
        variants = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("power cut", tests, NULL, NULL);
}
