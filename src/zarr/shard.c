/* Writing shards: inner chunks that change are encoded anew, the others keep their encoded bytes. */
#include "zarr/writing.h"

#include "util/alloc.h"
#include "util/buf.h"

/* A shard that is being put together: shared by the threads that encode, each at another unit. */
typedef struct shard_work {
    const vvi_writing *writing;
    const vvi_form *form;
    const vvi_stored *old;
    uint64_t origin[VV_NDIM_MAX]; /* of the shard in the array */
    vvi_walk walk;
    vv_buf *encoded;  /* of the units that change */
    vv_bytes *chunks; /* of all units; data NULL: absent */
} shard_work;

/* The encoded bytes of a unit as it was. */
static vv_status old_unit(const shard_work *self, const uint64_t *unit, vv_bytes *out,
                          vv_error *err)
{
    uint64_t offset;
    uint64_t length;

    *out = (vv_bytes){ NULL, 0 };
    if (!vvi_stored_find(self->old, unit, &offset, &length))
        return VV_OK;
    /* The whole shard is in memory: nothing is read. */
    return vvi_stored_unit(self->old, offset, length, NULL, out, err);
}

static vv_status encode_unit(shard_work *self, const vvi_grid_part *part, vvi_desk *desk,
                             vv_error *err)
{
    const vvi_form *form = self->form;
    const uint8_t *elements;
    uint64_t origin[VV_NDIM_MAX];
    uint64_t number = 0;
    vv_bytes old;

    for (uint32_t d = 0; d < form->units.ndim; d++) {
        number = number * form->units.count[d] + part->index[d];
        origin[d] = self->origin[d] + part->index[d] * form->units.chunk[d];
    }
    VVI_TRY(old_unit(self, part->index, &old, err));
    VVI_TRY(
        vvi_compose_unit(self->writing, form, part, origin, old, desk, &elements, err));
    self->chunks[number] = (vv_bytes){ NULL, 0 };
    if (vvi_unit_is_fill(self->writing->array, form, elements))
        return VV_OK;
    if (vvi_codec_chain_is_identity(form->chain) && elements != desk->unit) {
        self->chunks[number] = vvi_bytes(elements, form->unit_bytes);
        return VV_OK;
    }
    VVI_TRY(vvi_unit_encode(form, elements, &self->encoded[number], err));
    self->chunks[number] = vvi_buf_bytes(&self->encoded[number]);
    return VV_OK;
}

static vv_status encode_next_unit(void *ctx, size_t i, vv_error *err)
{
    shard_work *self = ctx;
    vvi_grid_part part;
    vvi_desk *desk;
    vv_status status;

    (void)i;
    if (!vvi_walk_take(&self->walk, &part))
        return VV_OK;
    VVI_TRY(vvi_desk_take(self->writing->array, &desk, err));
    status = encode_unit(self, &part, desk, err);
    vvi_desk_give(self->writing->array, desk);
    return status;
}

static vv_status encode_units(shard_work *self, vvi_desk *desk, bool alone,
                              uint64_t units, vv_error *err)
{
    vvi_grid_part part;

    if (!alone)
        return vvi_parallel(vvi_form_threads(self->form, units), (size_t)units,
                            encode_next_unit, self, err);
    while (vvi_walk_next(&self->walk, &part))
        VVI_TRY(encode_unit(self, &part, desk, err));
    return VV_OK;
}

/* Begin with the shard as it was: what no one changes stays. */
static vv_status keep_old(shard_work *self, vvi_stored *old, vv_error *err)
{
    size_t count = self->form->sharding->chunk_count;

    if (!old->is_there)
        return VV_OK;
    VVI_TRY(vvi_stored_load(old, err));
    for (size_t i = 0; i < count; i++) {
        const vvi_shard_entry *entry = &old->index->entries[i];

        if (entry->offset != UINT64_MAX || entry->length != UINT64_MAX)
            self->chunks[i] = vvi_bytes(old->whole.data + entry->offset,
                                        (size_t)entry->length);
    }
    return VV_OK;
}

vv_status vvi_prepare_shard(const vvi_writing *self, const vvi_form *form,
                            const vvi_grid_part *part, vvi_stored *old, vvi_desk *desk,
                            bool alone, vvi_prepared *prepared, vv_error *err)
{
    const vvi_sharding *sharding = form->sharding;
    shard_work work = { .writing = self, .form = form, .old = old };
    uint64_t units = vvi_part_units(form, self->selection, part);
    vv_status status;

    for (uint32_t d = 0; d < form->units.ndim; d++)
        work.origin[d] = vvi_grid_chunk_start(&self->array->meta.grid, d, part->index[d]);
    VVI_TRY(vvi_walk_init_inside(&work.walk, self->selection, &form->units, part, err));
    work.encoded = vvi_alloc_array_zero(sharding->chunk_count, sizeof(*work.encoded));
    work.chunks = vvi_alloc_array_zero(sharding->chunk_count, sizeof(*work.chunks));
    status = work.encoded && work.chunks
                 ? keep_old(&work, old, err)
                 : vvi_fail_nomem(err, sharding->chunk_count * sizeof(*work.encoded));
    if (!status)
        status = encode_units(&work, desk, alone, units, err);
    if (!status)
        status = vvi_shard_assemble(sharding, work.chunks, &prepared->value, err);
    if (!status) {
        prepared->stored = vvi_buf_bytes(&prepared->value);
        prepared->is_empty = prepared->value.len == 0;
    }
    for (size_t i = 0; work.encoded && i < sharding->chunk_count; i++)
        vv_buf_clear(&work.encoded[i]);
    vvi_free(work.encoded);
    vvi_free(work.chunks);
    vvi_walk_clear(&work.walk);
    return status;
}
