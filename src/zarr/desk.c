/* What an array keeps for the threads that work on it: buffers, and whose turn it is. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* More than this is not kept for the next call. */
#define DESKS_BYTES_MAX ((size_t)64 << 20)

vv_status vvi_desks_init(vvi_desks *desks, vv_error *err)
{
    return vvi_mutex_init(&desks->lock, err);
}

static void free_desk(vvi_desk *desk)
{
    vv_buf_clear(&desk->key);
    vv_buf_clear(&desk->encoded);
    vvi_free(desk->unit);
    vvi_free(desk);
}

void vvi_desks_clear(vvi_desks *desks)
{
    for (size_t i = 0; i < desks->count; i++)
        free_desk(desks->kept[i]);
    vvi_mutex_clear(&desks->lock);
}

vv_status vvi_desk_take(vv_array *array, vvi_desk **out, vv_error *err)
{
    vvi_desks *desks = &array->desks;

    *out = NULL;
    vvi_mutex_lock(&desks->lock);
    if (desks->count) {
        *out = desks->kept[--desks->count];
        desks->bytes -= (*out)->unit_bytes + (*out)->encoded.cap;
    }
    vvi_mutex_unlock(&desks->lock);
    if (!*out)
        *out = vvi_alloc_zero(sizeof(**out));
    return *out ? VV_OK : vvi_fail_nomem(err, sizeof(**out));
}

void vvi_desk_give(vv_array *array, vvi_desk *desk)
{
    vvi_desks *desks = &array->desks;
    size_t bytes;

    if (!desk)
        return;
    /* What a store lent is not kept longer than it is used. */
    if (desk->encoded.release)
        vv_buf_clear(&desk->encoded);
    bytes = desk->unit_bytes + desk->encoded.cap;
    if (bytes <= DESKS_BYTES_MAX) {
        vvi_mutex_lock(&desks->lock);
        if (desks->count < VVI_DESKS_KEPT && desks->bytes <= DESKS_BYTES_MAX - bytes) {
            desks->kept[desks->count++] = desk;
            desks->bytes += bytes;
            desk = NULL;
        }
        vvi_mutex_unlock(&desks->lock);
    }
    if (desk)
        free_desk(desk);
}

vv_status vvi_desk_unit(vvi_desk *desk, const vvi_form *form, vv_error *err)
{
    if (desk->unit && desk->unit_bytes >= form->unit_bytes)
        return VV_OK;
    vvi_free(desk->unit);
    desk->unit_bytes = 0;
    desk->unit = vvi_alloc(form->unit_bytes);
    if (!desk->unit)
        return vvi_fail_nomem(err, form->unit_bytes);
    desk->unit_bytes = form->unit_bytes;
    return VV_OK;
}

vv_status vvi_scratch_init(vvi_scratch *scratch, size_t bytes, vv_error *err)
{
    memset(scratch, 0, sizeof(*scratch));
    scratch->bytes = bytes;
    return vvi_mutex_init(&scratch->lock, err);
}

void vvi_scratch_clear(vvi_scratch *scratch)
{
    for (size_t i = 0; i < scratch->count; i++)
        vvi_free(scratch->blocks[i]);
    vvi_mutex_clear(&scratch->lock);
}

vv_status vvi_scratch_take(vvi_scratch *scratch, uint8_t **out, vv_error *err)
{
    *out = NULL;
    vvi_mutex_lock(&scratch->lock);
    if (scratch->count)
        *out = scratch->blocks[--scratch->count];
    vvi_mutex_unlock(&scratch->lock);
    if (!*out)
        *out = vvi_alloc(scratch->bytes);
    return *out ? VV_OK : vvi_fail_nomem(err, scratch->bytes);
}

void vvi_scratch_give(vvi_scratch *scratch, void *block)
{
    vvi_mutex_lock(&scratch->lock);
    if (block && scratch->count < sizeof(scratch->blocks) / sizeof(scratch->blocks[0])) {
        scratch->blocks[scratch->count++] = block;
        block = NULL;
    }
    vvi_mutex_unlock(&scratch->lock);
    vvi_free(block);
}

/* ---- turns --------------------------------------------------------------------------------- */

/* Longer than any wait: who has a turn gives it back. */
#define FOREVER_NS UINT64_MAX / 4

vv_status vvi_turns_init(vvi_turns *turns, vv_error *err)
{
    VVI_TRY(vvi_mutex_init(&turns->lock, err));
    vv_status status = vvi_cond_init(&turns->freed, err);

    if (status)
        vvi_mutex_clear(&turns->lock);
    return status;
}

void vvi_turns_clear(vvi_turns *turns)
{
    vvi_free(turns->busy);
    vvi_cond_clear(&turns->freed);
    vvi_mutex_clear(&turns->lock);
}

static size_t find_turn(const vvi_turns *turns, uint64_t number)
{
    size_t i = 0;

    while (i < turns->count && turns->busy[i] != number)
        i++;
    return i;
}

vv_status vvi_turns_take(vvi_turns *turns, uint64_t number, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&turns->lock);
    while (find_turn(turns, number) < turns->count)
        (void)vvi_cond_wait_until(&turns->freed, &turns->lock, FOREVER_NS);
    status = vvi_grow((void **)&turns->busy, &turns->cap, turns->count + 1,
                      sizeof(*turns->busy), err);
    if (!status)
        turns->busy[turns->count++] = number;
    vvi_mutex_unlock(&turns->lock);
    return status;
}

void vvi_turns_give(vvi_turns *turns, uint64_t number)
{
    vvi_mutex_lock(&turns->lock);
    turns->busy[find_turn(turns, number)] = turns->busy[turns->count - 1];
    turns->count--;
    vvi_cond_broadcast(&turns->freed);
    vvi_mutex_unlock(&turns->lock);
}
