/* Subtrees, and rows batch after batch in bounded memory. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"

#include <string.h>

#define MEMORY_DEFAULT ((uint64_t)64 << 20)

size_t vv_traj_select(const vv_traj *traj, size_t group, const char *prefix,
                      size_t *leaves, size_t cap)
{
    static const char front[] = "array";
    size_t len = strlen(prefix), found = 0;
    const char *name;

    for (size_t i = 0; (name = vv_traj_leaf_name(traj, group, i)); i++) {
        const char *at = name;

        if (strncmp(prefix, front, sizeof(front) - 1) != 0 &&
            strncmp(name, front, sizeof(front) - 1) == 0)
            at = name + sizeof(front) - 1;
        if (strncmp(at, prefix, len) != 0 ||
            (len && at[len] && at[len] != '[' && at[len] != '.'))
            continue;
        if (leaves && found < cap)
            leaves[found] = i;
        found++;
    }
    return found;
}

struct vv_traj_batches {
    vv_traj *traj;
    size_t group, count;
    size_t *leaves;
    uint64_t *row_bytes; /* of each leaf */
    void **data;
    uint64_t next, stop;
    uint64_t rows;  /* of a batch */
    uint64_t align; /* batches end at multiples of it; 1: anywhere */
};

/* Bytes of a row of each leaf, and of the largest one the rows of a chunk. */
static vv_status measure(vv_traj_batches *self, uint64_t memory, vv_error *err)
{
    uint64_t all = 0, largest = 0;

    self->align = 1;
    for (size_t i = 0; i < self->count; i++) {
        uint64_t bytes;
        vv_traj_leaf leaf;

        VVI_TRY(vv_traj_leaf_at(self->traj, self->group, self->leaves[i], &leaf, err));
        if (!leaf.ndim || (self->stop != UINT64_MAX && leaf.shape[0] < self->stop) ||
            (self->stop == UINT64_MAX && i && leaf.shape[0] != self->next))
            return vvi_fail(err, VV_EINVAL, "%s: %s: these rows are not there",
                            self->traj->path, leaf.path);
        /* Until all are known, next is the number of rows. */
        self->next = leaf.shape[0];
        bytes = leaf.item_size;
        for (uint32_t d = 1; d < leaf.ndim; d++)
            if (__builtin_mul_overflow(bytes, leaf.shape[d], &bytes))
                return vvi_fail(err, VV_ELIMIT, "a row of more than 2^64 bytes");
        self->row_bytes[i] = bytes;
        if (__builtin_add_overflow(all, bytes, &all))
            return vvi_fail(err, VV_ELIMIT, "a row of more than 2^64 bytes");
        if (bytes >= largest) {
            largest = bytes;
            self->align = leaf.chunk ? leaf.chunk[0] : 1;
        }
    }
    if (self->stop == UINT64_MAX)
        self->stop = self->next;
    self->rows = all ? memory / all : self->stop;
    if (self->rows < 1)
        self->rows = 1;
    if (self->rows >= self->align)
        self->rows -= self->rows % self->align;
    else
        self->align = 1;
    return VV_OK;
}

static vv_status take_leaves(vv_traj_batches *self, const size_t *leaves, vv_error *err)
{
    self->leaves = vvi_alloc_array(self->count, sizeof(*self->leaves));
    self->row_bytes = vvi_alloc_array(self->count, sizeof(*self->row_bytes));
    self->data = vvi_alloc_array_zero(self->count, sizeof(*self->data));
    if (!self->leaves || !self->row_bytes || !self->data)
        return vvi_fail_nomem(err, self->count * sizeof(*self->row_bytes));
    for (size_t i = 0; i < self->count; i++)
        self->leaves[i] = leaves ? leaves[i] : i;
    return VV_OK;
}

static vv_status make_room(vv_traj_batches *self, vv_error *err)
{
    uint64_t rows = self->stop - self->next < self->rows ? self->stop - self->next
                                                         : self->rows;

    for (size_t i = 0; i < self->count; i++) {
        uint64_t bytes = rows * self->row_bytes[i];

        self->data[i] = vvi_alloc(bytes ? (size_t)bytes : 1);
        if (!self->data[i])
            return vvi_fail_nomem(err, (size_t)bytes);
    }
    return VV_OK;
}

vv_status vv_traj_batches_new(vv_traj *traj, size_t group, const size_t *leaves,
                              size_t leaf_count, uint64_t first, uint64_t stop,
                              uint64_t memory_bytes, vv_traj_batches **out, vv_error *err)
{
    vv_traj_batches *self;
    vv_status status;

    if (group >= traj->info.group_count)
        return vvi_fail(err, VV_ERANGE, "%s: no group %zu", traj->path, group);
    if (!leaves)
        leaf_count = traj->groups[group].public.leaf_count;
    if (!leaf_count)
        return vvi_fail(err, VV_EINVAL, "%s: %s: no leaf", traj->path,
                        traj->groups[group].name);
    self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    *self = (vv_traj_batches){
        .traj = traj, .group = group, .count = leaf_count, .stop = stop
    };
    status = take_leaves(self, leaves, err);
    if (!status)
        status = measure(self, memory_bytes ? memory_bytes : MEMORY_DEFAULT, err);
    if (!status && first > self->stop)
        status = vvi_fail(err, VV_ERANGE, "%s: rows from %" PRIu64 " to %" PRIu64,
                          traj->path, first, self->stop);
    if (!status) {
        self->next = first;
        status = make_room(self, err);
    }
    if (status)
        vv_traj_batches_free(self);
    else
        *out = self;
    return status;
}

vv_status vv_traj_batches_next(vv_traj_batches *self, uint64_t *first, uint64_t *count,
                               const void *const **data, vv_error *err)
{
    uint64_t rows = self->rows;

    *first = self->next;
    *count = 0;
    *data = (const void *const *)self->data;
    if (self->align > 1)
        rows -= self->next % self->align; /* rows is a multiple of it */
    if (rows > self->stop - self->next)
        rows = self->stop - self->next;
    for (size_t i = 0; i < self->count && rows; i++) {
        uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, n[VV_TRAJ_NDIM_MAX];
        vv_traj_leaf leaf;

        VVI_TRY(vv_traj_leaf_at(self->traj, self->group, self->leaves[i], &leaf, err));
        memcpy(n, leaf.shape, leaf.ndim * sizeof(*n));
        start[0] = self->next;
        n[0] = rows;
        VVI_TRY(vv_traj_read(self->traj, self->group, self->leaves[i], start, n, NULL,
                             self->data[i], (size_t)(rows * self->row_bytes[i]), err));
    }
    self->next += rows;
    *count = rows;
    return VV_OK;
}

uint64_t vv_traj_batches_rows(const vv_traj_batches *batches)
{
    return batches->rows;
}

void vv_traj_batches_free(vv_traj_batches *batches)
{
    if (!batches)
        return;
    for (size_t i = 0; batches->data && i < batches->count; i++)
        vvi_free(batches->data[i]);
    vvi_free(batches->data);
    vvi_free(batches->leaves);
    vvi_free(batches->row_bytes);
    vvi_free(batches);
}
