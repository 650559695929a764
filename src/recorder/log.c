/* log(): values are checked, find their place in blocks, and are copied there. */
#include "recorder/inner.h"
#include "recorder/schema.h"

#include <string.h>

#define MS 1000000u

bool vv_recorder_due(const vv_recorder *self, size_t group, int64_t step)
{
    return group < self->plan.group_count &&
           vvi_frequency_due(&self->plan.groups[group].frequency, step);
}

/* ---- checks -------------------------------------------------------------------------------- */

static vv_status check_step(const vv_recorder *self, int64_t step, vv_error *err)
{
    int64_t total = self->plan.options.total_steps;

    if (step < 0)
        return vvi_fail(err, VV_EINVAL, "step %" PRId64 " is negative", step);
    if (step < self->next_step)
        return vvi_fail(err, VV_EINVAL,
                        "step %" PRId64 " does not come after %" PRId64 ", the last one",
                        step, self->next_step - 1);
    if ((total && step >= total) || step == INT64_MAX)
        return vvi_fail(err, VV_ERANGE, "step %" PRId64 " of %" PRId64, step,
                        total ? total : INT64_MAX);
    return VV_OK;
}

static vv_status fail_value(const vvi_plan_group *group, const vvi_plan_leaf *leaf,
                            const vv_value *value, vv_error *err)
{
    char wanted_name[32], name[32], wanted[VVI_TYPE_TEXT], given[VVI_TYPE_TEXT];

    vvi_type_name(leaf->dtype.code, leaf->dtype.item, wanted_name);
    vvi_type_name(value->dtype, 0, name);
    vvi_type_text(wanted_name, leaf->ndim, leaf->shape, wanted);
    vvi_type_text(name, value->shape ? value->ndim : 0, value->shape, given);
    if (!value->shape && value->ndim)
        return vvi_fail(err, VV_EINVAL, "%s, %s: no shape is given", group->name,
                        leaf->name);
    return vvi_fail(err, VV_EINVAL, "%s, %s: the value is %s, not %s", group->name,
                    leaf->name, given, wanted);
}

static vv_status fail_null(const vvi_plan_group *group, const vvi_plan_leaf *leaf,
                           vv_error *err)
{
    return vvi_fail(err, VV_EINVAL, "%s, %s: no value is given", group->name, leaf->name);
}

static inline bool fits(const vvi_plan_leaf *leaf, const vv_value *value)
{
    if (value->dtype != leaf->dtype.code || value->ndim != leaf->ndim ||
        (value->ndim && !value->shape))
        return false;
    for (uint32_t i = 0; i < leaf->ndim; i++)
        if (value->shape[i] != leaf->shape[i])
            return false;
    return true;
}

/* Leaves that the caller gives, of a group. */
static size_t given_count(const vvi_plan_group *group)
{
    return group->leaf_count - (group->kind == VVI_GROUP_ROWS);
}

static vv_status check_count(const vvi_plan_group *group, size_t count, vv_error *err)
{
    return count == given_count(group)
               ? VV_OK
               : vvi_fail(err, VV_EINVAL, "%s: %zu leaves are given, not %zu",
                          group->name, count, given_count(group));
}

static vv_status check_frame(const vvi_plan_group *group, const vv_frame *frame,
                             vv_error *err)
{
    size_t count = given_count(group);

    VVI_TRY(check_count(group, frame->leaf_count, err));
    if (count && !frame->leaves)
        return vvi_fail(err, VV_EINVAL, "%s: no leaves are given", group->name);
    for (size_t i = 0; i < count; i++) {
        const vv_value *value = &frame->leaves[group->given[i]];

        if (!fits(&group->leaves[i], value))
            return fail_value(group, &group->leaves[i], value, err);
        if (!value->data && group->leaves[i].row_bytes)
            return fail_null(group, &group->leaves[i], err);
    }
    return VV_OK;
}

static vv_status find_place(vv_recorder *self, size_t g, int64_t step, vv_error *err)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    uint64_t *index = self->due[g].index;
    vv_status status = group->frequency.index(group->frequency.ctx, step, index, err);

    if (status)
        return vvi_wrap(err, status, "%s, step %" PRId64, group->name, step);
    for (uint32_t i = 0; i < group->extent_ndim; i++)
        if (index[i] >= group->extent[i])
            return vvi_fail(err, VV_ERANGE,
                            "%s, step %" PRId64 ": place %" PRIu64
                            " in dimension %u, whose extent is %" PRIu64,
                            group->name, step, index[i], i, group->extent[i]);
    return VV_OK;
}

/* Which groups are due, with what values; *count of them. Log lock. */
static vv_status match_frames(vv_recorder *self, int64_t step, const vv_frame *frames,
                              size_t count, size_t *due, vv_error *err)
{
    for (size_t g = 0; g < self->plan.group_count; g++) {
        self->due[g].due = vvi_frequency_due(&self->plan.groups[g].frequency, step);
        self->due[g].values = NULL;
        self->due[g].plain = NULL;
        self->due[g].given = false;
        *due += self->due[g].due;
    }
    if (count && !frames)
        return vvi_fail(err, VV_EINVAL, "no frames are given");
    for (size_t i = 0; i < count; i++) {
        size_t g = frames[i].group;

        if (g >= self->plan.group_count)
            return vvi_fail(err, VV_EINVAL, "group %zu of %zu", g,
                            self->plan.group_count);
        if (!self->due[g].due)
            continue;
        for (size_t k = 0; k < i; k++)
            if (frames[k].group == g)
                return vvi_fail(err, VV_EINVAL, "%s is given twice",
                                self->plan.groups[g].name);
        VVI_TRY(check_frame(&self->plan.groups[g], &frames[i], err));
        self->due[g].values = frames[i].leaves;
        self->due[g].given = true;
    }
    return VV_OK;
}

static vv_status match_plain(vv_recorder *self, int64_t step, size_t group,
                             const void *const *leaves, size_t leaf_count, size_t *due,
                             vv_error *err)
{
    const vvi_plan_group *plan;

    if (group >= self->plan.group_count)
        return vvi_fail(err, VV_EINVAL, "group %zu of %zu", group,
                        self->plan.group_count);
    for (size_t g = 0; g < self->plan.group_count; g++) {
        self->due[g].due = vvi_frequency_due(&self->plan.groups[g].frequency, step);
        *due += self->due[g].due;
        if (self->due[g].due && g != group)
            return vvi_fail(err, VV_EINVAL, "%s is due at step %" PRId64 " too",
                            self->plan.groups[g].name, step);
    }
    if (!self->due[group].due)
        return VV_OK;
    plan = &self->plan.groups[group];
    VVI_TRY(check_count(plan, leaf_count, err));
    for (size_t i = 0; i < leaf_count; i++)
        if (!leaves || (plan->leaves[i].row_bytes && !leaves[plan->given[i]]))
            return fail_null(plan, &plan->leaves[i], err);
    self->due[group].values = NULL;
    self->due[group].plain = leaves;
    self->due[group].given = true;
    return VV_OK;
}

/* ---- room ---------------------------------------------------------------------------------- */

/* See that each due group has a block to go on with. Log lock. */
static vv_status find_room(vv_recorder *self, vv_error *err)
{
    vvi_make_room room = self->plan.options.when_full == VV_FULL_DROP_OLDEST
                             ? VVI_ROOM_OLDEST
                             : VVI_ROOM_NONE;

    for (size_t g = 0; g < self->plan.group_count; g++) {
        uint64_t dropped = 0;
        vv_status status;

        if (!self->due[g].due || self->queue.groups[g].filling)
            continue;
        status = vvi_queue_fill(&self->queue, g, room, &dropped, err);
        if (dropped) {
            VVI_COUNT(self->counters.dropped, dropped);
            VVI_COUNT(self->counters.dropped_bytes, dropped * self->writing[g].row_bytes);
        }
        if (status)
            return vvi_wrap(err, status, "%s", self->plan.groups[g].name);
    }
    return VV_OK;
}

/* From half full on every second step is taken, and at half of what is left then every fourth, … */
static bool is_thinned(vv_recorder *self)
{
    unsigned load = vvi_queue_load(&self->queue);
    unsigned stride = 1;

    if (self->plan.options.when_full != VV_FULL_THIN)
        return false;
    for (unsigned left = 128; left && load >= 256 - left; left /= 2)
        stride *= 2;
    return self->thin_turn++ % stride != 0;
}

/* ---- copying ------------------------------------------------------------------------------- */

static inline void copy_value(uint8_t *to, const void *from, size_t bytes)
{
    if (bytes == 8)
        memcpy(to, from, 8);
    else if (bytes == 4)
        memcpy(to, from, 4);
    else if (bytes)
        memcpy(to, from, bytes);
}

static void copy_group(vv_recorder *self, size_t g, int64_t step, uint32_t now_ms)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    vvi_block *block = self->queue.groups[g].filling;
    const vvi_due *due = &self->due[g];
    size_t count = given_count(group);
    size_t row = block->rows; /* only whoever has the log lock changes it */

    for (size_t i = 0; i < count; i++) {
        const vvi_plan_leaf *leaf = &group->leaves[i];
        const void *from = due->values ? due->values[group->given[i]].data
                                       : due->plain[group->given[i]];

        copy_value(block->leaf[i] + row * leaf->row_bytes, from, leaf->row_bytes);
    }
    if (count < group->leaf_count)
        memcpy(block->leaf[count] + row * sizeof(step), &step, sizeof(step));
    if (block->places)
        memcpy(&block->places[row * VVI_EXTENT_NDIM_MAX], due->index,
               group->extent_ndim * sizeof(due->index[0]));
    block->times[row] = now_ms;
    __atomic_store_n(&block->rows, (uint32_t)row + 1, __ATOMIC_RELEASE);
    VVI_COUNT(self->counters.logged, 1);
    VVI_COUNT(self->counters.logged_bytes, self->writing[g].row_bytes);
    if (row + 1 == block->capacity)
        vvi_queue_full(&self->queue, g);
}

/* ---- a step -------------------------------------------------------------------------------- */

typedef struct log_call {
    int64_t step;
    const vv_frame *frames; /* or */
    size_t count;
    const void *const *leaves; /* those of one group */
    size_t group, leaf_count;
    bool plain;
    size_t due;           /* groups */
    bool full;            /* there was no room */
    uint64_t deadline_ns; /* 0: it has not waited */
    uint64_t waits_since;
} log_call;

static vv_status check_call(vv_recorder *self, log_call *call, vv_error *err)
{
    call->due = 0;
    VVI_TRY(check_step(self, call->step, err));
    if (call->plain)
        VVI_TRY(match_plain(self, call->step, call->group, call->leaves, call->leaf_count,
                            &call->due, err));
    else
        VVI_TRY(
            match_frames(self, call->step, call->frames, call->count, &call->due, err));
    for (size_t g = 0; g < self->plan.group_count && call->due; g++) {
        if (!self->due[g].due)
            continue;
        if (!self->due[g].given)
            return vvi_fail(err, VV_EINVAL, "%s is due at step %" PRId64 " and not given",
                            self->plan.groups[g].name, call->step);
        if (self->plan.groups[g].kind == VVI_GROUP_PLACED)
            VVI_TRY(find_place(self, g, call->step, err));
    }
    return VV_OK;
}

static void put_step(vv_recorder *self, const log_call *call)
{
    uint64_t now = vvi_now_ns();
    bool first = false;

    for (size_t g = 0; g < self->plan.group_count; g++)
        if (self->due[g].due)
            copy_group(self, g, call->step, vvi_recorder_ms(self, now));
    self->next_step = call->step + 1;
    if (!__atomic_load_n(&self->dirty_since, __ATOMIC_RELAXED)) {
        __atomic_store_n(&self->dirty_since, now, __ATOMIC_RELAXED);
        first = true;
    }
    if (first) /* so that the writer knows when to flush it */
        vvi_queue_poke(&self->queue);
}

/* Take the step, if there is room. VV_ELIMIT: there is none, *turn to wait for. Log lock. */
static vv_status take_step(vv_recorder *self, log_call *call, uint64_t *turn,
                           vv_error *err)
{
    vv_status status;

    call->full = false;
    VVI_TRY(vvi_recorder_check(self, err));
    VVI_TRY(check_call(self, call, err));
    if (call->due && is_thinned(self)) {
        VVI_COUNT(self->counters.thinned, call->due);
        self->next_step = call->step + 1;
        return VV_OK;
    }
    *turn = self->plan.options.when_full == VV_FULL_BLOCK ? vvi_queue_turn(&self->queue)
                                                          : 0;
    status = find_room(self, err);
    if (status == VV_ELIMIT && self->plan.options.when_full == VV_FULL_THIN) {
        VVI_COUNT(self->counters.thinned, call->due);
        self->next_step = call->step + 1;
        return VV_OK;
    }
    if (!status)
        put_step(self, call);
    call->full = status == VV_ELIMIT;
    return status;
}

/* Wait for room. False: the deadline has passed. */
static bool wait_for_room(vv_recorder *self, log_call *call, uint64_t turn)
{
    uint64_t now = vvi_now_ns();
    bool more;

    if (!call->deadline_ns) {
        call->deadline_ns = now + (uint64_t)self->plan.options.block_ms * MS;
        VVI_COUNT(self->counters.waits, 1);
    }
    more = vvi_queue_wait_turn(&self->queue, turn, call->deadline_ns);
    VVI_COUNT(self->counters.wait_ns, vvi_now_ns() - now);
    return more;
}

/*
 * Rows that are large and come faster than they are written would go round through all of the cap, out of every cache, and
 * cost several times what they do while they are in one. So log waits for the writer first, about as long as a slow disk
 * takes for a row.
 */
static void stay_near(vv_recorder *self)
{
    uint64_t now;

    if (!self->queue.near || vvi_queue_used(&self->queue) < self->queue.near)
        return;
    now = vvi_now_ns();
    vvi_queue_wait_near(&self->queue, now + self->patience_ns);
    VVI_COUNT(self->counters.waits, 1);
    VVI_COUNT(self->counters.wait_ns, vvi_now_ns() - now);
}

static vv_status log_step(vv_recorder *self, log_call *call, vv_error *err)
{
    bool blocks = self->plan.options.when_full == VV_FULL_BLOCK;

    VVI_TRY(vvi_recorder_check(self, err));
    stay_near(self);
    for (;;) {
        uint64_t turn = 0;
        vv_status status;

        vvi_mutex_lock(&self->log_lock);
        status = take_step(self, call, &turn, err);
        vvi_mutex_unlock(&self->log_lock);
        if (!call->full)
            return status;
        if (blocks && wait_for_room(self, call, turn))
            continue;
        VVI_COUNT(self->counters.refused, call->due);
        if (blocks)
            return vvi_fail(err, VV_ETIMEDOUT,
                            "the recorder was full for %u ms; step %" PRId64
                            " is not taken",
                            self->plan.options.block_ms, call->step);
        return vvi_wrap(err, VV_ELIMIT, "step %" PRId64 " is not taken", call->step);
    }
}

vv_status vv_recorder_log(vv_recorder *self, int64_t step, const vv_frame *frames,
                          size_t count, vv_error *err)
{
    log_call call = { .step = step, .frames = frames, .count = count };

    return log_step(self, &call, err);
}

vv_status vv_recorder_log_group(vv_recorder *self, int64_t step, size_t group,
                                const void *const *leaves, size_t leaf_count,
                                vv_error *err)
{
    log_call call = { .step = step,
                      .plain = true,
                      .group = group,
                      .leaves = leaves,
                      .leaf_count = leaf_count };

    return log_step(self, &call, err);
}
