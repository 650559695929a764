#include "recorder/memory_sink.h"

#include "recorder/schema.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <stdio.h>
#include <time.h>

typedef struct memory_sink {
    vvi_sink base;
    memory_disk *disk;
    const vvi_plan *plan;
    vvi_plan *own; /* shallow copy: the recorder has the arrays */
    uint64_t stored;
    bool no_more; /* a commit or put came after it */
} memory_sink;

/* The recorder's threads call: a failure there ends the program. */
#define CHECK(that_)                                                            \
    do {                                                                        \
        if (!(that_)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #that_); \
            abort();                                                            \
        }                                                                       \
    } while (0)

static void pause_us(unsigned us)
{
    struct timespec time = { us / 1000000, (long)(us % 1000000) * 1000 };

    if (us)
        nanosleep(&time, NULL);
}

/* A call of the recorder: slow, or failing. */
static vv_status behave(memory_disk *disk, uint64_t bytes, vv_error *err)
{
    uint64_t n = atomic_fetch_add(&disk->calls, 1) + 1;

    pause_us(atomic_load(&disk->delay_us));
    if (disk->bytes_a_second)
        pause_us((unsigned)(bytes * 1000000 / disk->bytes_a_second));
    while (atomic_load(&disk->stands))
        pause_us(1000);
    if (n == atomic_load(&disk->fail_at))
        return vvi_fail(err, VV_EIO, "call %llu was made to fail", (unsigned long long)n);
    return VV_OK;
}

static memory_leaf *leaf_at(memory_sink *self, size_t g, size_t i)
{
    CHECK(g < self->disk->group_count);
    CHECK(i < self->disk->groups[g].leaf_count);
    return &self->disk->groups[g].leaves[i];
}

static void put_rows(memory_sink *self, memory_leaf *leaf, uint64_t first, uint64_t count,
                     const uint8_t *rows)
{
    size_t end = (size_t)(first + count) * leaf->row_bytes;

    if (self->disk->count_only) {
        leaf->put = first + count;
        return;
    }
    if (end > leaf->cap) {
        leaf->cap = end * 2;
        leaf->rows = realloc(leaf->rows, leaf->cap);
        CHECK(leaf->rows);
    }
    memcpy(leaf->rows + first * leaf->row_bytes, rows, count * leaf->row_bytes);
    if (first + count > leaf->put)
        leaf->put = first + count;
}

static void keep(void *owner)
{
    (void)owner;
}

static vv_status memory_encode(vvi_sink *sink, size_t g, size_t i, const void *rows,
                               uint64_t count, vvi_encoded *out, vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;
    memory_leaf *leaf = leaf_at(self, g, i);
    size_t len = (size_t)count * leaf->row_bytes;
    bool plain = self->plan->groups[g].compression.codec == VV_COMPRESS_NONE;

    CHECK(count && count <= leaf->chunk_rows && len);
    if (atomic_load(&self->disk->fail_at))
        VVI_TRY(behave(self->disk, 0, err));
    if (plain && !self->plan->options.checksum) { /* which would lie behind the rows */
        vvi_buf_lend(&out->bytes, rows, len, keep, NULL);
        return VV_OK;
    }
    if (out->bytes.release)
        vv_buf_clear(&out->bytes);
    out->bytes.len = 0;
    VVI_TRY(vvi_buf_append(&out->bytes, vvi_bytes(rows, len), err));
    for (size_t k = 0; k < len && !plain; k++)
        out->bytes.data[k] ^= 0x5a;
    return VV_OK;
}

static vv_status memory_put_chunk(vvi_sink *sink, size_t g, size_t i, uint64_t chunk,
                                  const vvi_encoded *encoded, vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;
    memory_leaf *leaf = leaf_at(self, g, i);
    uint64_t count = encoded->bytes.len / leaf->row_bytes;
    uint8_t *rows = encoded->bytes.data;

    VVI_TRY(behave(self->disk, encoded->bytes.len, err));
    CHECK(!(self->no_more));
    CHECK(count * leaf->row_bytes == encoded->bytes.len);
    /* Chunks come in their order; what was put as tail before is in them. */
    CHECK(chunk == leaf->put / leaf->chunk_rows - (leaf->put % leaf->chunk_rows == 0 &&
                                                   leaf->put &&
                                                   chunk * leaf->chunk_rows < leaf->put));
    if (self->plan->groups[g].compression.codec != VV_COMPRESS_NONE) {
        rows = malloc(encoded->bytes.len);
        for (size_t k = 0; k < encoded->bytes.len; k++)
            rows[k] = encoded->bytes.data[k] ^ 0x5a;
    }
    put_rows(self, leaf, chunk * leaf->chunk_rows, count, rows);
    if (rows != encoded->bytes.data)
        free(rows);
    self->stored += encoded->bytes.len;
    return VV_OK;
}

static vv_status memory_put_tail(vvi_sink *sink, size_t g, size_t i, uint64_t chunk,
                                 const void *rows, uint64_t first, uint64_t count,
                                 vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;
    memory_leaf *leaf = leaf_at(self, g, i);
    uint64_t base = chunk * leaf->chunk_rows;

    VVI_TRY(behave(self->disk, count * leaf->row_bytes, err));
    CHECK(!(self->no_more));
    CHECK(count && leaf->row_bytes && first + count <= leaf->chunk_rows);
    CHECK(base + first == leaf->put);
    if (first && !self->disk->count_only) /* what was put before is still there */
        CHECK(memcmp(leaf->rows + base * leaf->row_bytes, rows,
                     first * leaf->row_bytes) == 0);
    put_rows(self, leaf, base + first, count,
             (const uint8_t *)rows + first * leaf->row_bytes);
    self->stored += count * leaf->row_bytes;
    return VV_OK;
}

static vv_status memory_put_value(vvi_sink *sink, size_t g, size_t i,
                                  const uint64_t *index, const void *value, vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;
    memory_leaf *leaf = leaf_at(self, g, i);
    const vvi_plan_group *plan = &self->plan->groups[g];
    uint64_t place = 0;

    VVI_TRY(behave(self->disk, leaf->row_bytes, err));
    CHECK((index != NULL) == (plan->kind == VVI_GROUP_PLACED));
    for (uint32_t k = 0; index && k < plan->extent_ndim; k++) {
        CHECK(index[k] < plan->extent[k]);
        place = place * plan->extent[k] + index[k];
    }
    put_rows(self, leaf, place, 1, value);
    if (plan->kind == VVI_GROUP_PLACED && leaf->put < plan->places &&
        !self->disk->count_only) {
        size_t had = (size_t)leaf->put * leaf->row_bytes;

        leaf->rows = realloc(leaf->rows, leaf->cap = plan->places * leaf->row_bytes);
        memset(leaf->rows + had, 0, leaf->cap - had);
        leaf->put = plan->places;
    }
    return VV_OK;
}

static vv_status memory_commit(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                               vv_durability durability, vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;

    VVI_TRY(behave(self->disk, 0, err));
    CHECK(!(self->no_more));
    for (size_t g = 0; g < self->disk->group_count; g++) {
        memory_group *group = &self->disk->groups[g];

        CHECK(rows[g] >= group->committed);
        for (size_t i = 0; i < group->leaf_count && group->kind == VVI_GROUP_ROWS; i++)
            if (group->leaves[i].row_bytes)
                CHECK(group->leaves[i].put == rows[g]);
        group->committed = rows[g];
    }
    CHECK(next_step >= self->disk->next_step);
    self->disk->next_step = next_step;
    self->disk->commits++;
    self->disk->durable_commits += durability == VV_DURABLE;
    return VV_OK;
}

static vv_status memory_close(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                              const char *attributes, vv_error *err)
{
    memory_sink *self = (memory_sink *)sink;

    VVI_TRY(memory_commit(sink, rows, next_step, VV_DURABLE, err));
    self->no_more = true;
    self->disk->closed = true;
    if (attributes)
        snprintf(self->disk->attributes, sizeof(self->disk->attributes), "%s",
                 attributes);
    return VV_OK;
}

static uint64_t memory_stored(const vvi_sink *sink)
{
    return ((const memory_sink *)sink)->stored;
}

static void memory_free(vvi_sink *sink, bool forked)
{
    memory_sink *self = (memory_sink *)sink;

    (void)forked;
    vvi_free(self->own);
    vvi_free(self);
}

static const vvi_sink_ops memory_ops = {
    .name = "memory",
    .encode = memory_encode,
    .put_chunk = memory_put_chunk,
    .put_tail = memory_put_tail,
    .put_value = memory_put_value,
    .commit = memory_commit,
    .stored = memory_stored,
    .close = memory_close,
    .free = memory_free,
};

/* ---- recording ------------------------------------------------------------------------------- */

static void lay_out(memory_disk *disk, const vvi_plan *plan)
{
    if (disk->groups)
        return;
    disk->group_count = plan->group_count;
    disk->groups = calloc(plan->group_count, sizeof(*disk->groups));
    for (size_t g = 0; g < plan->group_count; g++) {
        const vvi_plan_group *from = &plan->groups[g];
        memory_group *to = &disk->groups[g];

        to->kind = from->kind;
        to->places = from->places;
        to->leaf_count = from->leaf_count;
        to->leaves = calloc(from->leaf_count + 1, sizeof(*to->leaves));
        for (size_t i = 0; i < from->leaf_count; i++)
            to->leaves[i] = (memory_leaf){ .given = from->given[i],
                                           .row_bytes = from->leaves[i].row_bytes,
                                           .chunk_rows = from->leaves[i].chunk_rows };
    }
}

/* Cut rows of steps from next_step on. */
static void cut(memory_disk *disk, int64_t next_step)
{
    for (size_t g = 0; g < disk->group_count; g++) {
        memory_group *group = &disk->groups[g];
        const memory_leaf *steps = &group->leaves[group->leaf_count - 1];

        if (group->kind == VVI_GROUP_ONCE && next_step == 0)
            group->committed = 0;
        for (; group->kind == VVI_GROUP_ROWS && group->committed; group->committed--) {
            int64_t step;

            memcpy(&step, steps->rows + (group->committed - 1) * sizeof(step),
                   sizeof(step));
            if (step < next_step)
                break;
        }
        for (size_t i = 0; i < group->leaf_count && group->kind == VVI_GROUP_ROWS; i++)
            group->leaves[i].put = group->committed;
    }
    disk->next_step = next_step;
}

static vv_status make_tails(const memory_disk *disk, vvi_plan *plan, vvi_resume *resume,
                            vv_error *err)
{
    resume->next_step = disk->next_step;
    resume->rows = vvi_alloc_array_zero(disk->group_count, sizeof(*resume->rows));
    resume->tails = vvi_alloc_array_zero(disk->group_count, sizeof(*resume->tails));
    if (!resume->rows || !resume->tails)
        return vvi_fail_nomem(err, 8);
    for (size_t g = 0; g < disk->group_count; g++) {
        const memory_group *group = &disk->groups[g];

        resume->rows[g] = group->committed;
        if (group->kind != VVI_GROUP_ROWS)
            continue;
        resume->tails[g] = vvi_alloc_array_zero(group->leaf_count, sizeof(void *));
        if (!resume->tails[g])
            return vvi_fail_nomem(err, 8);
        for (size_t i = 0; i < group->leaf_count; i++) {
            const memory_leaf *leaf = &group->leaves[i];
            uint64_t rest = group->committed % leaf->chunk_rows;
            size_t bytes = (size_t)rest * leaf->row_bytes;

            plan->groups[g].leaves[i].chunk_rows = leaf->chunk_rows;
            if (!bytes)
                continue;
            resume->tails[g][i] = vvi_alloc(bytes);
            if (!resume->tails[g][i])
                return vvi_fail_nomem(err, bytes);
            memcpy(resume->tails[g][i],
                   leaf->rows + (group->committed - rest) * leaf->row_bytes, bytes);
        }
    }
    return VV_OK;
}

static vv_status make_sink(memory_disk *disk, const vvi_plan *plan, memory_sink **out,
                           vv_error *err)
{
    memory_sink *sink = vvi_alloc_zero(sizeof(*sink));
    vvi_plan *own = vvi_alloc(sizeof(*own));

    if (!sink || !own) {
        vvi_free(sink);
        vvi_free(own);
        return vvi_fail_nomem(err, sizeof(*sink));
    }
    *own = *plan;
    *sink = (memory_sink){
        .base = { &memory_ops }, .disk = disk, .plan = own, .own = own
    };
    lay_out(disk, plan);
    disk->closed = false;
    *out = sink;
    return VV_OK;
}

static vv_status start(memory_disk *disk, const vv_schema *schema, bool resumes,
                       const vv_recorder_options *options, vv_recorder **out,
                       vv_error *err)
{
    vvi_resume resume = { 0 };
    vv_schema *copy = NULL;
    vvi_plan plan = { 0 };
    memory_sink *sink = NULL;
    vv_status status = vvi_schema_copy(schema, &copy, err);

    if (!status)
        status = vvi_recorder_plan(copy, options, &plan, err);
    if (!status && resumes)
        status = make_tails(disk, &plan, &resume, err);
    if (!status)
        status = make_sink(disk, &plan, &sink, err);
    if (!status) {
        vvi_plan kept = plan;

        status = vvi_recorder_start(copy, &plan, &sink->base, resumes ? &resume : NULL,
                                    out, err);
        if (resume
                .tails) /* the plan's counts are the recorder's now; free by the disk's */
            for (size_t g = 0; g < disk->group_count; g++) {
                for (size_t i = 0; resume.tails[g] && i < disk->groups[g].leaf_count; i++)
                    vvi_free(resume.tails[g][i]);
                vvi_free(resume.tails[g]);
                resume.tails[g] = NULL;
            }
        (void)kept;
    } else {
        if (resume.tails)
            vvi_resume_clear(&plan, &resume);
        vvi_plan_clear(&plan);
        vv_schema_free(copy);
    }
    vvi_free(resume.tails);
    vvi_free(resume.rows);
    return status;
}

vv_status memory_create(memory_disk *disk, const vv_schema *schema,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    return start(disk, schema, false, options, out, err);
}

vv_status memory_append(memory_disk *disk, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    cut(disk, next_step < 0 ? disk->next_step : next_step);
    return start(disk, schema, true, options, out, err);
}

void memory_clear(memory_disk *disk)
{
    for (size_t g = 0; g < disk->group_count; g++) {
        for (size_t i = 0; i < disk->groups[g].leaf_count; i++)
            free(disk->groups[g].leaves[i].rows);
        free(disk->groups[g].leaves);
    }
    free(disk->groups);
    disk->groups = NULL;
    disk->group_count = 0;
}

/* ---- as a sink under contract ----------------------------------------------------------------- */

static void *make_disk(void)
{
    return calloc(1, sizeof(memory_disk));
}

static void unmake_disk(void *place)
{
    memory_clear(place);
    free(place);
}

static vv_status create_on(void *place, const vv_schema *schema,
                           const vv_recorder_options *options, vv_recorder **out,
                           vv_error *err)
{
    return memory_create(place, schema, options, out, err);
}

static vv_status append_on(void *place, const vv_schema *schema, int64_t next_step,
                           const vv_recorder_options *options, vv_recorder **out,
                           vv_error *err)
{
    return memory_append(place, schema, next_step, options, out, err);
}

static vv_status read_disk(void *place, const vv_schema *schema, size_t g, size_t leaf,
                           uint64_t *rows, vv_buf *out, vv_error *err)
{
    memory_disk *disk = place;
    memory_group *group = &disk->groups[g];
    size_t i = group->leaf_count - 1;

    (void)schema;
    if (leaf != CONTRACT_STEPS)
        for (i = 0; group->leaves[i].given != leaf; i++)
            ;
    *rows = group->kind == VVI_GROUP_PLACED ? group->places : group->committed;
    assert_true(group->leaves[i].put >= *rows || !group->committed);
    if (!group->committed)
        return vvi_buf_set(out, vvi_bytes("", 0), err);
    return vvi_buf_set(
        out, vvi_bytes(group->leaves[i].rows, *rows * group->leaves[i].row_bytes), err);
}

const sink_kind memory_kind = {
    .name = "memory sink",
    .make = make_disk,
    .unmake = unmake_disk,
    .create = create_on,
    .append = append_on,
    .read = read_disk,
};
