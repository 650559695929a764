/* What is counted: in cells, one for some of the threads, that are put together when someone asks. */
#include "metrics/registry.h"

#include "metrics/instruments.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL_COUNT 16
/* A power of two, well above the points that there can be. */
#define POINTS_MAX           512
#define SAMPLE_LIMIT_DEFAULT 2000

typedef struct cell {
    _Alignas(64) pthread_mutex_t lock;
    vvi_tally_table counters, bytes, times, values, asked[2]; /* guarded by lock */
    vvi_point *points; /* guarded by lock: POINTS_MAX places by key, or NULL */
} cell;

#define CELL                              \
    {                                     \
        .lock = PTHREAD_MUTEX_INITIALIZER \
    }
#define FOUR(thing_) thing_, thing_, thing_, thing_
static cell cells[CELL_COUNT] = { FOUR(CELL), FOUR(CELL), FOUR(CELL), FOUR(CELL) };

static pthread_mutex_t general =
    PTHREAD_MUTEX_INITIALIZER;           /* taken before a cell's lock */
static char *label;                      /* guarded by general */
static uint64_t begun_ns, begun_wall_ns; /* guarded by general; 0: not yet */

static atomic_size_t sample_limit = SIZE_MAX; /* SIZE_MAX: the environment was not read */
static atomic_uint_least64_t inflight, max_inflight;

/* ---- cells --------------------------------------------------------------------------------------- */

static cell *lock_cell(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned mine; /* number + 1 */
    cell *self;

    if (!mine)
        mine = 1 + atomic_fetch_add(&threads, 1) % CELL_COUNT;
    self = &cells[mine - 1];
    pthread_mutex_lock(&self->lock);
    return self;
}

static void unlock_cell(cell *self)
{
    pthread_mutex_unlock(&self->lock);
}

void vvi_registry_lock(void)
{
    pthread_mutex_lock(&general);
    for (size_t i = 0; i < CELL_COUNT; i++)
        pthread_mutex_lock(&cells[i].lock);
}

void vvi_registry_unlock(void)
{
    for (size_t i = 0; i < CELL_COUNT; i++)
        pthread_mutex_unlock(&cells[i].lock);
    pthread_mutex_unlock(&general);
}

/* ---- the limit of samples -------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As Python's int() reads it, of ASCII: blanks around, a sign, digits with single underscores between. */
size_t vvi_sample_limit_of(const char *text)
{
    bool negative = false;
    size_t value = 0;
    bool wants_digit = true;

    if (!text)
        return SAMPLE_LIMIT_DEFAULT;
    while (is_blank(*text))
        text++;
    if (*text == '+' || *text == '-')
        negative = *text++ == '-';
    for (; (*text >= '0' && *text <= '9') || (*text == '_' && !wants_digit); text++) {
        size_t digit = (size_t)(*text - '0');

        wants_digit = *text == '_';
        if (wants_digit)
            continue;
        /* More than there is memory for is as good as no limit. */
        value = value > (SIZE_MAX / 2 - digit) / 10 ? SIZE_MAX / 2 : value * 10 + digit;
    }
    while (is_blank(*text))
        text++;
    if (wants_digit || *text)
        return SAMPLE_LIMIT_DEFAULT;
    return negative ? 0 : value;
}

static size_t limit(void)
{
    size_t now = atomic_load_explicit(&sample_limit, memory_order_relaxed);

    if (now != SIZE_MAX)
        return now;
    now = vvi_sample_limit_of(getenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT"));
    atomic_store(&sample_limit, now);
    return now;
}

/* ---- counting -------------------------------------------------------------------------------------- */

static void add(vvi_tally_table *table, const char *name, size_t len, double n)
{
    vvi_tally *tally = vvi_tally_at(table, name, len);

    if (!tally)
        return;
    vvi_tally_add(tally, n);
    tally->count++;
}

void vvi_count(const char *name, double n)
{
    cell *self = lock_cell();

    add(&self->counters, name, strlen(name), n);
    unlock_cell(self);
}

void vvi_count_bytes(const char *name, double n)
{
    cell *self = lock_cell();

    add(&self->bytes, name, strlen(name), n);
    unlock_cell(self);
}

static void add_sample(vvi_tally_table *table, const char *name, size_t len, double value)
{
    vvi_tally *tally = vvi_tally_at(table, name, len);

    if (!tally)
        return;
    vvi_tally_add(tally, value);
    tally->count++;
    vvi_tally_sample(tally, value, limit());
}

void vvi_count_time(const char *name, double seconds)
{
    cell *self = lock_cell();

    add_sample(&self->times, name, strlen(name), seconds);
    unlock_cell(self);
}

void vvi_count_value(const char *name, double value)
{
    static const char total[] = ".total", count[] = ".count";
    char text[256];
    size_t len = strlen(name);
    char *long_text = len + sizeof(total) > sizeof(text) ? vvi_alloc(len + sizeof(total))
                                                         : text;
    cell *self;

    if (!long_text)
        return;
    memcpy(long_text, name, len);
    self = lock_cell();
    memcpy(long_text + len, total, sizeof(total));
    add(&self->counters, long_text, len + sizeof(total) - 1, value);
    memcpy(long_text + len, count, sizeof(count));
    add(&self->counters, long_text, len + sizeof(count) - 1, 1);
    add_sample(&self->values, name, len, value);
    unlock_cell(self);
    if (long_text != text)
        vvi_free(long_text);
}

void vvi_count_asked(vvi_asked what, const char *prefix, vv_bytes name)
{
    char text[512];
    size_t at = strlen(prefix);
    size_t len = name.len < sizeof(text) - at ? name.len : sizeof(text) - at;
    cell *self;

    memcpy(text, prefix, at);
    if (len)
        memcpy(text + at, name.data, len);
    self = lock_cell();
    add(&self->asked[what], text, at + len, 1);
    unlock_cell(self);
}

void vvi_count_begun(void)
{
    uint64_t now = atomic_fetch_add(&inflight, 1) + 1;
    uint64_t most = atomic_load(&max_inflight);

    while (now > most && !atomic_compare_exchange_weak(&max_inflight, &most, now))
        ;
}

void vvi_count_ended(void)
{
    atomic_fetch_sub(&inflight, 1);
}

/* The place of a key, or a free one; NULL: there is none. */
static vvi_point *point_of(vvi_point *points, uint32_t key)
{
    uint32_t hash = (key * 0x9E3779B9u) >> 16;

    for (uint32_t i = 0; i < POINTS_MAX; i++) {
        vvi_point *point = &points[(hash + i) % POINTS_MAX];

        if (point->key == key + 1 || !point->key)
            return point;
    }
    return NULL;
}

static void add_to_point(vvi_point *point, uint32_t key, double value)
{
    const vvi_instrument_def *def = vvi_point_instrument(key);
    size_t bucket = 0;

    if (!point->key) {
        point->key = key + 1;
        point->min = point->max = value;
    }
    point->count++;
    point->sum += value;
    if (def->kind != VV_HISTOGRAM)
        return;
    point->min = value < point->min ? value : point->min;
    point->max = value > point->max ? value : point->max;
    while (bucket < def->bound_count && value > def->bounds[bucket])
        bucket++;
    point->buckets[bucket]++;
}

void vvi_count_point(uint32_t key, double value)
{
    cell *self = lock_cell();
    vvi_point *point;

    if (!self->points)
        self->points = vvi_alloc_array_zero(POINTS_MAX, sizeof(*self->points));
    point = self->points ? point_of(self->points, key) : NULL;
    if (point)
        add_to_point(point, key, value);
    unlock_cell(self);
}

/* ---- counting by name ------------------------------------------------------------------------------- */

void vv_metrics_increment(const char *name, double n)
{
    if (vvi_metrics_counting() && isfinite(n))
        vvi_count(name, n);
}

void vv_metrics_add_bytes(const char *name, double n)
{
    if (vvi_metrics_counting() && isfinite(n))
        vvi_count_bytes(name, n);
}

void vv_metrics_observe(const char *name, double seconds)
{
    if (vvi_metrics_counting() && isfinite(seconds))
        vvi_count_time(name, seconds);
}

void vv_metrics_value(const char *name, double value)
{
    if (vvi_metrics_counting() && isfinite(value))
        vvi_count_value(name, value);
}

double vv_metrics_counter(const char *name)
{
    size_t len = strlen(name);
    double total = 0;

    for (size_t i = 0; i < CELL_COUNT; i++) {
        const vvi_tally *tally;

        pthread_mutex_lock(&cells[i].lock);
        tally = vvi_tally_find(&cells[i].counters, name, len);
        total += tally ? tally->total : 0;
        tally = vvi_tally_find(&cells[i].bytes, name, len);
        total += tally ? tally->total : 0;
        pthread_mutex_unlock(&cells[i].lock);
    }
    return total;
}

/* ---- beginning and gathering ------------------------------------------------------------------------- */

static void clear_cell(cell *self)
{
    vvi_tally_table_clear(&self->counters);
    vvi_tally_table_clear(&self->bytes);
    vvi_tally_table_clear(&self->times);
    vvi_tally_table_clear(&self->values);
    vvi_tally_table_clear(&self->asked[0]);
    vvi_tally_table_clear(&self->asked[1]);
    vvi_free(self->points);
    self->points = NULL;
}

void vvi_registry_start(void)
{
    pthread_mutex_lock(&general);
    if (!begun_ns) {
        begun_ns = vvi_now_ns();
        begun_wall_ns = vvi_wall_ns();
    }
    pthread_mutex_unlock(&general);
}

void vv_metrics_reset(const char *new_label)
{
    if (!vvi_metrics_counting())
        return;
    vvi_registry_lock();
    for (size_t i = 0; i < CELL_COUNT; i++)
        clear_cell(&cells[i]);
    vvi_free(label);
    label = new_label ? vvi_strdup(new_label) : NULL;
    begun_ns = vvi_now_ns();
    begun_wall_ns = vvi_wall_ns();
    atomic_store(&max_inflight, atomic_load(&inflight));
    atomic_store(&sample_limit, SIZE_MAX);
    (void)limit();
    vvi_registry_unlock();
    vvi_kept_reset();
}

static vv_status merge(vvi_tally_table *to, const vvi_tally_table *from, vv_error *err)
{
    for (size_t i = 0; i < from->capacity; i++) {
        const vvi_tally *one = from->slots[i];
        bool is_new;
        vvi_tally *tally;

        if (!one)
            continue;
        tally = vvi_tally_at(to, one->name, one->len);
        if (!tally && to->count < VVI_TALLY_MAX)
            return vvi_fail_nomem(err, one->len);
        if (!tally)
            continue;
        is_new = tally->count == 0;
        if (is_new)
            tally->seq = one->seq;
        vvi_tally_merge(tally, one, limit());
    }
    return VV_OK;
}

static vv_status gather_cell(vvi_counted *out, const cell *self, vv_error *err)
{
    VVI_TRY(merge(&out->counters, &self->counters, err));
    VVI_TRY(merge(&out->bytes, &self->bytes, err));
    VVI_TRY(merge(&out->times, &self->times, err));
    VVI_TRY(merge(&out->values, &self->values, err));
    VVI_TRY(merge(&out->asked[0], &self->asked[0], err));
    return merge(&out->asked[1], &self->asked[1], err);
}

vv_status vvi_counted_gather(vvi_counted *out, vv_error *err)
{
    vv_status status = VV_OK;

    *out = (vvi_counted){ .label = VV_BUF_INIT };
    pthread_mutex_lock(&general);
    if (label)
        status = vvi_buf_append_text(&out->label, label, err);
    out->elapsed_seconds = begun_ns ? (double)(vvi_now_ns() - begun_ns) / 1e9 : 0;
    for (size_t i = 0; i < CELL_COUNT && !status; i++) {
        pthread_mutex_lock(&cells[i].lock);
        status = gather_cell(out, &cells[i], err);
        pthread_mutex_unlock(&cells[i].lock);
    }
    pthread_mutex_unlock(&general);
    out->max_inflight = atomic_load(&max_inflight);
    out->sample_limit = limit();
    return status;
}

void vvi_counted_clear(vvi_counted *counted)
{
    vvi_tally_table_clear(&counted->counters);
    vvi_tally_table_clear(&counted->bytes);
    vvi_tally_table_clear(&counted->times);
    vvi_tally_table_clear(&counted->values);
    vvi_tally_table_clear(&counted->asked[0]);
    vvi_tally_table_clear(&counted->asked[1]);
    vv_buf_clear(&counted->label);
}

/* ---- points --------------------------------------------------------------------------------------------- */

static void merge_point(vvi_point *to, const vvi_point *from)
{
    if (!to->key) {
        *to = *from;
        return;
    }
    to->min = from->min < to->min ? from->min : to->min;
    to->max = from->max > to->max ? from->max : to->max;
    to->count += from->count;
    to->sum += from->sum;
    for (size_t i = 0; i < VVI_BUCKETS_MAX; i++)
        to->buckets[i] += from->buckets[i];
}

static int compare_points(const void *a, const void *b)
{
    uint32_t x = ((const vvi_point *)a)->key - 1;
    uint32_t y = ((const vvi_point *)b)->key - 1;
    /* All points of an instrument side by side. */
    uint64_t left = (uint64_t)(x & 0xff) << 32 | x;
    uint64_t right = (uint64_t)(y & 0xff) << 32 | y;

    return (left > right) - (left < right);
}

vvi_point *vvi_points(size_t *n, uint64_t *since_ns)
{
    vvi_point *all = vvi_alloc_array_zero(POINTS_MAX, sizeof(*all));
    size_t count = 0;

    *n = all ? 0 : 1;
    pthread_mutex_lock(&general);
    *since_ns = begun_wall_ns ? begun_wall_ns : vvi_wall_ns();
    for (size_t i = 0; i < CELL_COUNT && all; i++) {
        const cell *self = &cells[i];

        pthread_mutex_lock(&cells[i].lock);
        for (size_t k = 0; self->points && k < POINTS_MAX; k++) {
            vvi_point *to = self->points[k].key ? point_of(all, self->points[k].key - 1)
                                                : NULL;

            if (to)
                merge_point(to, &self->points[k]);
        }
        pthread_mutex_unlock(&cells[i].lock);
    }
    pthread_mutex_unlock(&general);
    for (size_t k = 0; all && k < POINTS_MAX; k++)
        if (all[k].key)
            all[count++] = all[k];
    if (!all)
        return NULL;
    qsort(all, count, sizeof(*all), compare_points);
    *n = count;
    return all;
}
