/*
 * Rows between log() and the writer: blocks that are filled, wait, are written and come back.
 *
 * A block holds a number of rows of one group, of each leaf one row behind the other. Whoever logs fills
 * the group's block without a lock of the queue: the count of whole rows is atomic, so that the writer
 * may read those of a block that is still being filled. The lock is taken when a block is full.
 */
#ifndef VVI_RECORDER_QUEUE_H
#define VVI_RECORDER_QUEUE_H

#include "recorder/plan.h"
#include "util/thread.h"

typedef struct vvi_block vvi_block;
struct vvi_block {
    vvi_block *next;          /* of those that are full, or free; guarded by lock */
    vvi_block *older, *newer; /* of all; guarded by lock */
    void *memory;             /* that it lies in */
    size_t group;
    uint32_t capacity; /* in rows */
    bool begun;        /* the writer has rows of it; guarded by lock */
    uint64_t number;   /* of a full block, in the order they became full */
    uint32_t rows;     /* atomic: whole rows */
    uint32_t taken;    /* writer: rows that went on from here */
    uint32_t put;      /* writer: rows that are in the sink as a tail */
    uint32_t jobs;     /* writer: chunks that are encoded from here */
    uint32_t *times;   /* of each row: when it was logged, in ms since the start */
    uint64_t *places;  /* PLACED: VVI_EXTENT_NDIM_MAX for each row */
    uint8_t *leaf[];   /* of each leaf: its rows */
};

typedef struct vvi_queue_group {
    vvi_block *filling; /* guarded by the log lock */
    vvi_block *free;    /* guarded by lock, as all below */
    size_t free_count;
    size_t count; /* blocks that there are */
    size_t begun; /* of those, that the writer has */
} vvi_queue_group;

typedef struct vvi_queue {
    const vvi_plan *plan;     /* fixed from here… */
    const vvi_layout *layout; /* …to here; near before the writer's thread starts */
    uint64_t
        near; /* bytes of blocks in use that are not to be passed without need; 0: any */
    vvi_mutex lock;
    vvi_cond work; /* for the writer: something was put in, or is asked for */
    vvi_cond room; /* for log: a block came back, or everything ends */
    vvi_queue_group *groups;
    vvi_block *first, *last; /* full blocks; guarded by lock, as all below */
    uint64_t next_number;
    uint64_t bytes;       /* of all blocks */
    uint64_t free_bytes;  /* of those that are free */
    uint64_t begun_bytes; /* of those that the writer has */
    uint64_t peak;        /* the most that bytes was */
    uint64_t turn;        /* counts what those who wait for room wait for */
    vvi_block *newest;    /* of all blocks */
    unsigned load;        /* atomic: 256ths of the cap that rows take */
    uint64_t used;        /* atomic: bytes of blocks that are not free */
    bool asleep;          /* the writer waits for work */
    bool poked;           /* and is to look around */
} vvi_queue;

/* Zero is an empty queue. plan and layout live as long. */
vv_status vvi_queue_init(vvi_queue *queue, const vvi_plan *plan, const vvi_layout *layout,
                         vv_error *err);
/* child: of a fork, where nobody else runs any more. */
void vvi_queue_clear(vvi_queue *queue, bool child);

/* How a new block may be got when none is free and the cap is reached. */
typedef enum vvi_make_room {
    VVI_ROOM_NONE,  /* VV_ELIMIT */
    VVI_ROOM_OLDEST /* take the oldest full one of the group that nobody has begun; *dropped rows of it. VV_ELIMIT when
                       there is none */
} vvi_make_room;
/* See that a group has a block that is being filled. Log lock. Returns VV_ELIMIT, VV_ENOMEM. */
vv_status vvi_queue_fill(vvi_queue *queue, size_t group, vvi_make_room room,
                         uint64_t *dropped, vv_error *err);
/* The block that is being filled is full. Log lock. */
void vvi_queue_full(vvi_queue *queue, size_t group);
/* Have the writer look around, now if it sleeps. */
void vvi_queue_poke(vvi_queue *queue);
/* Wait for a full block or a poke, until deadline_ns. Writer. */
void vvi_queue_sleep(vvi_queue *queue, uint64_t deadline_ns);
/* Waiting for room: ask for the turn, look for room, and wait until the turn is another. False: deadline_ns
 * passed. */
uint64_t vvi_queue_turn(vvi_queue *queue);
bool vvi_queue_wait_turn(vvi_queue *queue, uint64_t turn, uint64_t deadline_ns);
/* Wait until deadline_ns for less than near to be in use. */
void vvi_queue_wait_near(vvi_queue *queue, uint64_t deadline_ns);
/* Another turn: there may be room, or none to wait for. */
void vvi_queue_next_turn(vvi_queue *queue);

/* The oldest full block, as long as its number is below limit, and the writer has not too many begun; NULL: none. */
vvi_block *vvi_queue_take(vvi_queue *queue, uint64_t limit);
/* The writer is done with a block. */
void vvi_queue_give_back(vvi_queue *queue, vvi_block *block);
/* Let each group that is used have a free block that was touched, as long as the cap allows. Writer. */
void vvi_queue_prepare(vvi_queue *queue);
/* 256ths of the cap that rows take, without the lock. */
static inline unsigned vvi_queue_load(const vvi_queue *queue)
{
    return __atomic_load_n(&queue->load, __ATOMIC_RELAXED);
}

/* Bytes of blocks that are not free, without the lock. */
static inline uint64_t vvi_queue_used(const vvi_queue *queue)
{
    return __atomic_load_n(&queue->used, __ATOMIC_RELAXED);
}

#endif
