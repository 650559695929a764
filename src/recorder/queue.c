/* Blocks of rows: made, filled, queued, dropped, given back. */
#include "recorder/queue.h"

#include "util/alloc.h"

#include <string.h>
#include <sys/mman.h>

#define ALIGN     64u
#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE      4096u

/* ---- blocks -------------------------------------------------------------------------------- */

static size_t align(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Memory of a block; *memory is what is freed. A large one begins where a huge page does, of which the kernel is asked for
 * as many as fit: touching pages one by one would take as long as a good part of writing them. */
static vvi_block *get_memory(size_t bytes, void **memory)
{
    size_t more = bytes >= HUGE_PAGE ? HUGE_PAGE - 1 : 0;
    uintptr_t at;

    *memory = vvi_alloc(bytes + more);
    if (!*memory || !more)
        return *memory;
    at = ((uintptr_t)*memory + more) & ~(uintptr_t)more;
    (void)madvise((void *)at, bytes & ~more, MADV_HUGEPAGE);
    return (vvi_block *)at;
}

static vvi_block *make_block(const vvi_queue *queue, size_t group)
{
    const vvi_plan_group *plan = &queue->plan->groups[group];
    const vvi_block_layout *layout = &queue->layout->groups[group];
    void *memory;
    vvi_block *block = get_memory((size_t)layout->bytes, &memory);
    uint8_t *at;

    if (!block)
        return NULL;
    memset(block, 0, sizeof(*block));
    block->memory = memory;
    block->group = group;
    block->capacity = layout->rows;
    at = (uint8_t *)block + sizeof(*block) + plan->leaf_count * sizeof(block->leaf[0]);
    if (plan->kind == VVI_GROUP_PLACED) {
        block->places = (uint64_t *)(void *)at;
        at += layout->rows * VVI_EXTENT_NDIM_MAX * sizeof(uint64_t);
    }
    block->times = (uint32_t *)(void *)at;
    at += layout->rows * sizeof(uint32_t);
    at = (uint8_t *)align((uintptr_t)at);
    for (size_t i = 0; i < plan->leaf_count; i++) {
        block->leaf[i] = at;
        at += align(layout->rows * plan->leaves[i].row_bytes);
    }
    return block;
}

/* Have the kernel give a block its pages now, in one call where it knows how. */
static void touch(const vvi_queue *queue, vvi_block *block)
{
    uint8_t *end = (uint8_t *)block + queue->layout->groups[block->group].bytes;
    uint8_t *at = (uint8_t *)(((uintptr_t)(block + 1) + PAGE - 1) &
                              ~(uintptr_t)(PAGE - 1));

#ifdef MADV_POPULATE_WRITE
    if (at < end && madvise(at, (size_t)(end - at), MADV_POPULATE_WRITE) == 0)
        return;
#endif
    for (; at < end; at += PAGE)
        *(volatile uint8_t *)at = *(volatile uint8_t *)at;
}

static uint64_t block_bytes(const vvi_queue *queue, size_t group)
{
    return queue->layout->groups[group].bytes;
}

static void update_load(vvi_queue *queue)
{
    uint64_t used = queue->bytes - queue->free_bytes;

    __atomic_store_n(&queue->load, (unsigned)(used / (queue->layout->blocks / 256 + 1)),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&queue->used, used, __ATOMIC_RELAXED);
}

/* Enter a block among all, and take it out. Lock. */
static void enter(vvi_queue *queue, vvi_block *block)
{
    block->older = queue->newest;
    block->newer = NULL;
    if (queue->newest)
        queue->newest->newer = block;
    queue->newest = block;
}

static void leave(vvi_queue *queue, vvi_block *block)
{
    if (block->older)
        block->older->newer = block->newer;
    *(block->newer ? &block->newer->older : &queue->newest) = block->older;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void count_block(vvi_queue *queue, size_t group)
{
    queue->groups[group].count++;
    queue->bytes += block_bytes(queue, group);
    if (queue->bytes > queue->peak)
        queue->peak = queue->bytes;
    update_load(queue);
}

static void put_free(vvi_queue *queue, vvi_block *block)
{
    vvi_queue_group *group = &queue->groups[block->group];

    block->next = group->free;
    group->free = block;
    group->free_count++;
    queue->free_bytes += block_bytes(queue, block->group);
    update_load(queue);
}

static vvi_block *take_free(vvi_queue *queue, size_t group)
{
    vvi_queue_group *self = &queue->groups[group];
    vvi_block *block = self->free;

    if (block) {
        self->free = block->next;
        self->free_count--;
        queue->free_bytes -= block_bytes(queue, group);
        update_load(queue);
    }
    return block;
}

static vv_status fill_queue(vvi_queue *queue, vv_error *err)
{
    queue->groups = vvi_alloc_array_zero(queue->plan->group_count,
                                         sizeof(*queue->groups));
    if (!queue->groups)
        return vvi_fail_nomem(err, queue->plan->group_count * sizeof(*queue->groups));
    for (size_t g = 0; g < queue->plan->group_count; g++)
        for (uint32_t i = 0; i < queue->layout->groups[g].least; i++) {
            vvi_block *block = make_block(queue, g);

            if (!block)
                return vvi_fail_nomem(err, (size_t)block_bytes(queue, g));
            touch(queue, block);
            count_block(queue, g);
            enter(queue, block);
            put_free(queue, block);
        }
    return VV_OK;
}

vv_status vvi_queue_init(vvi_queue *queue, const vvi_plan *plan, const vvi_layout *layout,
                         vv_error *err)
{
    vv_status status;

    *queue = (vvi_queue){ .plan = plan, .layout = layout };
    VVI_TRY(vvi_mutex_init(&queue->lock, err));
    status = vvi_cond_init(&queue->work, err);
    if (status)
        goto no_work;
    status = vvi_cond_init(&queue->room, err);
    if (status)
        goto no_room;
    status = fill_queue(queue, err);
    if (status)
        vvi_queue_clear(queue, false);
    return status;

no_room:
    vvi_cond_clear(&queue->work);
no_work:
    vvi_mutex_clear(&queue->lock);
    queue->plan = NULL;
    return status;
}

void vvi_queue_clear(vvi_queue *queue, bool child)
{
    vvi_block *block = queue->newest;

    if (!queue->plan)
        return;
    /* In a child that was forked while this lock was held, the list may be half changed: left alone. */
    if (child && pthread_mutex_trylock(&queue->lock.m) != 0)
        block = NULL;
    while (block) {
        vvi_block *older = block->older;

        vvi_free(block->memory);
        block = older;
    }
    vvi_free(queue->groups);
    if (!child) { /* there they may be in use for ever */
        vvi_cond_clear(&queue->room);
        vvi_cond_clear(&queue->work);
        vvi_mutex_clear(&queue->lock);
    }
    *queue = (vvi_queue){ 0 };
}

/* ---- room ---------------------------------------------------------------------------------- */

/* Has a group a free block that it can do without? Half of its blocks are not the writer's. Lock. */
static bool can_spare(const vvi_queue *queue, size_t group)
{
    const vvi_queue_group *self = &queue->groups[group];

    return self->free && self->count > queue->layout->groups[group].least &&
           self->count > 2 * self->begun;
}

/* May blocks of this many bytes more be there? Free ones of other groups are given up for it. Lock. */
static bool make_room(vvi_queue *queue, size_t group)
{
    uint64_t bytes = block_bytes(queue, group);

    for (size_t g = 0;
         g < queue->plan->group_count && queue->bytes + bytes > queue->layout->blocks;
         g++) {
        vvi_queue_group *other = &queue->groups[g];

        while (g != group && can_spare(queue, g) &&
               queue->bytes + bytes > queue->layout->blocks) {
            leave(queue, other->free);
            vvi_free(take_free(queue, g)->memory);
            other->count--;
            queue->bytes -= block_bytes(queue, g);
        }
    }
    return queue->bytes + bytes <= queue->layout->blocks;
}

/* Take the oldest full block of a group that nobody has begun out of the queue. Lock. */
static vvi_block *drop_oldest(vvi_queue *queue, size_t group)
{
    vvi_block *before = NULL;

    for (vvi_block *block = queue->first; block; before = block, block = block->next) {
        if (block->group != group || block->begun)
            continue;
        *(before ? &before->next : &queue->first) = block->next;
        if (queue->last == block)
            queue->last = before;
        return block;
    }
    return NULL;
}

static void reset(vvi_block *block)
{
    block->next = NULL;
    block->begun = false;
    block->taken = block->put = block->jobs = 0;
    __atomic_store_n(&block->rows, 0, __ATOMIC_RELAXED);
}

vv_status vvi_queue_fill(vvi_queue *queue, size_t group, vvi_make_room room,
                         uint64_t *dropped, vv_error *err)
{
    vvi_queue_group *self = &queue->groups[group];
    vv_status status = VV_OK;
    vvi_block *block;

    if (self->filling)
        return VV_OK;
    vvi_mutex_lock(&queue->lock);
    block = take_free(queue, group);
    if (!block && make_room(queue, group)) {
        block = make_block(queue, group);
        if (block) {
            count_block(queue, group);
            enter(queue, block);
        } else {
            status = vvi_fail_nomem(err, (size_t)block_bytes(queue, group));
        }
    } else if (!block && room == VVI_ROOM_OLDEST) {
        block = drop_oldest(queue, group);
        if (block)
            *dropped += block->rows;
    }
    if (!block && !status)
        status = vvi_fail(err, VV_ELIMIT, "the recorder is full");
    vvi_mutex_unlock(&queue->lock);
    if (block)
        reset(block);
    self->filling = block;
    return status;
}

uint64_t vvi_queue_turn(vvi_queue *queue)
{
    uint64_t turn;

    vvi_mutex_lock(&queue->lock);
    turn = queue->turn;
    vvi_mutex_unlock(&queue->lock);
    return turn;
}

bool vvi_queue_wait_turn(vvi_queue *queue, uint64_t turn, uint64_t deadline_ns)
{
    bool in_time = true;

    vvi_mutex_lock(&queue->lock);
    while (queue->turn == turn && in_time)
        in_time = vvi_cond_wait_until(&queue->room, &queue->lock, deadline_ns);
    in_time = queue->turn != turn;
    vvi_mutex_unlock(&queue->lock);
    return in_time;
}

void vvi_queue_wait_near(vvi_queue *queue, uint64_t deadline_ns)
{
    bool in_time = true;

    vvi_mutex_lock(&queue->lock);
    while (queue->bytes - queue->free_bytes >= queue->near && in_time)
        in_time = vvi_cond_wait_until(&queue->room, &queue->lock, deadline_ns);
    vvi_mutex_unlock(&queue->lock);
}

void vvi_queue_next_turn(vvi_queue *queue)
{
    vvi_mutex_lock(&queue->lock);
    queue->turn++;
    vvi_mutex_unlock(&queue->lock);
    vvi_cond_broadcast(&queue->room);
}

void vvi_queue_full(vvi_queue *queue, size_t group)
{
    vvi_block *block = queue->groups[group].filling;
    bool wake;

    queue->groups[group].filling = NULL;
    vvi_mutex_lock(&queue->lock);
    block->number = queue->next_number++;
    *(queue->last ? &queue->last->next : &queue->first) = block;
    queue->last = block;
    wake = queue->asleep;
    queue->asleep = false;
    vvi_mutex_unlock(&queue->lock);
    if (wake)
        vvi_cond_signal(&queue->work);
}

void vvi_queue_poke(vvi_queue *queue)
{
    bool wake;

    vvi_mutex_lock(&queue->lock);
    queue->poked = true;
    wake = queue->asleep;
    queue->asleep = false;
    vvi_mutex_unlock(&queue->lock);
    if (wake)
        vvi_cond_signal(&queue->work);
}

/* ---- the writer's side ------------------------------------------------------------------------ */

void vvi_queue_sleep(vvi_queue *queue, uint64_t deadline_ns)
{
    bool in_time = true;

    vvi_mutex_lock(&queue->lock);
    while (!queue->poked && !queue->first && in_time) {
        queue->asleep = true;
        in_time = vvi_cond_wait_until(&queue->work, &queue->lock, deadline_ns);
    }
    queue->asleep = false;
    queue->poked = false;
    vvi_mutex_unlock(&queue->lock);
}

/* May the writer begin one more block of a group? What it has begun cannot be dropped any more, so it is left half
 * of the room, and half of the group's blocks where they may have to be dropped. Lock. */
static bool may_begin(const vvi_queue *queue, size_t group)
{
    const vvi_queue_group *self = &queue->groups[group];

    if (queue->plan->options.when_full == VV_FULL_DROP_OLDEST && self->begun &&
        2 * (self->begun + 1) > self->count)
        return false;
    return !queue->begun_bytes ||
           queue->begun_bytes + block_bytes(queue, group) <= queue->layout->blocks / 2;
}

vvi_block *vvi_queue_take(vvi_queue *queue, uint64_t limit)
{
    vvi_block *block;

    vvi_mutex_lock(&queue->lock);
    block = queue->first;
    if (block && (block->number >= limit || !may_begin(queue, block->group)))
        block = NULL;
    if (block) {
        queue->first = block->next;
        if (!queue->first)
            queue->last = NULL;
        block->next = NULL;
        block->begun = true;
        queue->groups[block->group].begun++;
        queue->begun_bytes += block_bytes(queue, block->group);
    }
    vvi_mutex_unlock(&queue->lock);
    return block;
}

void vvi_queue_give_back(vvi_queue *queue, vvi_block *block)
{
    vvi_mutex_lock(&queue->lock);
    queue->groups[block->group].begun--;
    queue->begun_bytes -= block_bytes(queue, block->group);
    put_free(queue, block);
    queue->turn++;
    vvi_mutex_unlock(&queue->lock);
    vvi_cond_broadcast(&queue->room);
}

void vvi_queue_prepare(vvi_queue *queue)
{
    for (size_t g = 0; g < queue->plan->group_count; g++) {
        vvi_block *block;
        bool wanted;

        if (queue->plan->groups[g].kind == VVI_GROUP_ONCE)
            continue;
        vvi_mutex_lock(&queue->lock);
        /* The last one that fits is left to whoever logs: he would find the queue full while it is made. */
        wanted = !queue->groups[g].free &&
                 (!queue->near || queue->bytes - queue->free_bytes < queue->near) &&
                 queue->bytes + 2 * block_bytes(queue, g) <= queue->layout->blocks;
        if (wanted)
            count_block(queue, g);
        vvi_mutex_unlock(&queue->lock);
        if (!wanted)
            continue;
        block = make_block(queue, g); /* without the lock: the kernel may be slow */
        if (block)
            touch(queue, block);
        vvi_mutex_lock(&queue->lock);
        if (block) {
            enter(queue, block);
            put_free(queue, block);
            queue->turn++;
        } else {
            queue->groups[g].count--;
            queue->bytes -= block_bytes(queue, g);
        }
        vvi_mutex_unlock(&queue->lock);
        if (block)
            vvi_cond_broadcast(&queue->room);
    }
}
