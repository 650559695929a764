#include "support/powercut.h"

#include "util/fault.h"

#include <stdio.h>

#define SECTOR    512
#define FILES_MAX 128
#define NAMES_MAX 64
#define NAME_MAX_ 40

/* ---- the record --------------------------------------------------------------------------- */

typedef struct event {
    enum vvi_event_kind kind; /* of vvi_file_event, or ACK */
    uint64_t file;            /* counted as they are made */
    uint64_t offset;
    uint8_t *data;
    size_t len;
    char name[NAME_MAX_]; /* last part of path */
    char name2[NAME_MAX_];
    bool below; /* in a directory below, or the directory itself */
    bool lost;  /* a sync failed before it had taken */
    size_t ack;
} event;
#define ACK ((enum vvi_event_kind)100)

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
    /* only the directory itself and files in it */
    e->below = given->path && strcmp(given->path, record.dir) != 0 &&
               (strncmp(given->path, record.dir, strlen(record.dir)) != 0 ||
                strchr(given->path + strlen(record.dir) + 1, '/'));
}

void powercut_forget(void)
{
    for (size_t i = 0; i < record.count; i++)
        free(record.events[i].data);
    free(record.events);
    memset(&record, 0, sizeof(record));
}

void powercut_listen(const char *dir)
{
    powercut_forget();
    snprintf(record.dir, sizeof(record.dir), "%s", dir);
    vvi_file_listen(listen_to, NULL);
}

void powercut_stop(void)
{
    vvi_file_listen(NULL, NULL);
}

void powercut_acknowledge(size_t ack)
{
    event *e = new_event();

    e->kind = ACK;
    e->ack = ack;
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
    } names[NAMES_MAX]; /* durable names; file 0: a free place */
    size_t dir_synced;  /* events before this one are in names */
} disk;

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
static image make_image(const disk_file *f, uint64_t number, size_t end, bool all,
                        bool none, uint64_t *seed)
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

        if (e->file != number)
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
        for (i = 0; i < NAMES_MAX; i++)
            if (d->names[i].file && strcmp(d->names[i].name, e->name) == 0) {
                moved = d->names[i].file;
                d->names[i].file = 0;
            }
        to = e->name2;
    }
    if (e->kind == VVI_EVENT_UNLINK || !moved)
        return;
    for (i = 0; i < NAMES_MAX; i++)
        if (d->names[i].file && strcmp(d->names[i].name, to) == 0)
            d->names[i].file = 0;
    for (i = 0; d->names[i].file; i++)
        assert_true(i + 1 < NAMES_MAX);
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
        disk_file *f = &d->files[e->file];
        image img = make_image(f, e->file, i, true, false, &seed);

        free(f->durable);
        f->durable = img.data;
        f->durable_len = img.len;
        f->first = i;
    } else if (e->kind == VVI_EVENT_SYNC_FAILED) {
        for (size_t before = d->files[e->file].first; before < i; before++)
            record.events[before].lost |= record.events[before].file == e->file;
    } else if (e->kind == VVI_EVENT_DIR_SYNC &&
               strcmp(last_part(record.dir), e->name) == 0) {
        for (; d->dir_synced < i; d->dir_synced++)
            if (is_name_event(&record.events[d->dir_synced]))
                apply_name(d, &record.events[d->dir_synced]);
    } else if (e->kind == VVI_EVENT_CREATE) {
        d->files[e->file].first = i;
    }
}

/* Ways in which what waits may have taken; from RANDOM on, at random. */
enum {
    ALL,
    NOTHING,
    ONE_ALONE,
    ALL_BUT_ONE,
    RANDOM
};

/* Write the state into an empty directory. */
static void write_state(const powercut *self, disk *d, size_t end, unsigned variant,
                        uint64_t *seed, const char *to)
{
    disk names = *d;
    size_t last = d->dir_synced;

    if (variant == ALL || variant == ALL_BUT_ONE)
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
    for (size_t i = 0; i < NAMES_MAX; i++) {
        bool one = self->is_one(names.names[i].name);
        bool all = variant == ALL || variant == (one ? ONE_ALONE : ALL_BUT_ONE);
        uint64_t number = names.names[i].file;
        char path[1024];
        image img;

        if (!number)
            continue;
        img = make_image(&d->files[number], number, end, all, !all && variant < RANDOM,
                         seed);
        if (self->change)
            self->change(names.names[i].name, img.data, img.len);
        snprintf(path, sizeof(path), "%s/%s", to, names.names[i].name);
        write_file(path, img.data, img.len);
        free(img.data);
    }
}

/* ---- every prefix --------------------------------------------------------------------------- */

unsigned long powercut_check(const powercut *self)
{
    disk d = { .dir_synced = 0 };
    size_t ack = POWERCUT_NOTHING;
    bool failed = false;
    unsigned long states = 0;
    uint64_t seed = 1;

    for (size_t end = 0; end <= record.count; end++) {
        const event *last = end ? &record.events[end - 1] : NULL;

        if (last && last->kind == ACK)
            ack = last->ack;
        else if (last)
            advance(&d, end - 1);
        failed |= last && last->kind == VVI_EVENT_SYNC_FAILED;
        if (self->after_failure && !failed)
            continue; /* the other runs have looked */
        /* a state is worth looking at after a change */
        if (last && last->kind == ACK && end != record.count)
            continue;
        for (unsigned v = 0; v < RANDOM + self->variants; v++) {
            char *to = make_directory();
            char when[160];

            snprintf(when, sizeof(when), "%s: after event %u of %u, variant %u",
                     self->what, (unsigned)end, (unsigned)record.count, v);
            write_state(self, &d, end, v, &seed, to);
            self->check(to, ack, when, &seed);
            remove_directory(to);
            states++;
        }
    }
    for (size_t i = 0; i <= FILES_MAX; i++)
        free(d.files[i].durable);
    print_message("%s: %u events, %lu states\n", self->what, (unsigned)record.count,
                  states);
    return states;
}
