/* The values of one variable: source → slab → chunks → array. */
#include "dataset/import.h"
#include "dataset/slab.h"

#include "util/alloc.h"
#include "util/thread.h"

#include <stdatomic.h>
#include <string.h>

/* Two slabs share the memory with the chunks in work; beyond this, larger slabs gain nothing. */
#define SLAB_BYTES_MOST ((uint64_t)32 << 20)
#define TELL_EVERY_NS   100000000u

typedef struct transfer {
    vvi_import *import;
    const vvi_var *var;
    vv_array *array;
    vvi_slabs slabs;
    const uint8_t *fill;
    vvi_slab now, then; /* being written, being read */
    uint8_t *now_data;
    uint8_t *then_data; /* NULL: memory is short, one slab at a time */
    bool ahead;         /* read then while now is written */
    atomic_uint_fast64_t chunks;
    pthread_t caller; /* the thread that progress is told from */
} transfer;

/* chunks and bytes: of the slab in work, beyond what the result counts. */
static vv_status tell(vvi_import *self, uint64_t chunks, uint64_t bytes, bool now,
                      vv_error *err)
{
    vv_progress progress = { .what = "import",
                             .items_done = self->result.chunks + chunks,
                             .bytes_done = self->result.bytes + bytes,
                             .bytes_total = self->bytes_total };
    vv_status status;

    if (!self->options.progress || (!now && vvi_now_ns() - self->told_ns < TELL_EVERY_NS))
        return VV_OK;
    self->told_ns = vvi_now_ns();
    status = self->options.progress(self->options.ctx, &progress);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

vv_status vvi_import_tell(vvi_import *self, bool now, vv_error *err)
{
    return tell(self, 0, 0, now, err);
}

/* Within a slab, from the caller's thread: a slab that compresses slowly takes many seconds, and
 * a stop must not wait for its end. */
static vv_status tell_within(transfer *self, vv_error *err)
{
    uint64_t most = self->now.elements * self->slabs.item;
    uint64_t chunks = atomic_load(&self->chunks);
    uint64_t bytes = chunks * self->slabs.grid.chunk_elements * self->slabs.item;

    if (!pthread_equal(self->caller, pthread_self()))
        return VV_OK;
    return tell(self->import, chunks, bytes < most ? bytes : most, false, err);
}

static vv_status read_slab(transfer *self, const vvi_slab *slab, uint8_t *data,
                           vv_error *err)
{
    uint64_t start[VV_NDIM_MAX] = { 0 };
    uint64_t count[VV_NDIM_MAX] = { 0 };
    uint32_t ndim = self->slabs.grid.ndim;

    memcpy(start, slab->start, ndim * sizeof(*start));
    memcpy(count, slab->count, ndim * sizeof(*count));
    if (ndim < self->var->ndim) /* the chars of strings */
        count[ndim] = self->var->shape[ndim];
    return vvi_source_read(self->import->source, self->var, start, count, data,
                           (size_t)slab->elements * self->slabs.item, err);
}

static vv_status is_stored(transfer *self, const uint64_t *index, bool *out,
                           vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = vv_array_chunk_key(self->array, index, &key, err);

    if (!status)
        status = vv_store_exists(self->import->store, (const char *)key.data, out, err);
    vv_buf_clear(&key);
    return status;
}

/* The next slab that has a chunk which is not stored yet; those before it count as done. */
static vv_status next_slab(transfer *self, vvi_slab *slab, bool *more, vv_error *err)
{
    bool needed = false;

    *more = true;
    while (!needed) {
        *more = vvi_slabs_next(&self->slabs, slab);
        needed = !*more || !self->import->options.skip_existing;
        for (size_t i = 0; !needed && i < slab->chunk_total; i++) {
            uint64_t index[VV_NDIM_MAX];
            bool stored = false;

            vvi_slab_chunk(&self->slabs, slab, i, index);
            VVI_TRY(is_stored(self, index, &stored, err));
            needed = !stored;
        }
        if (!needed)
            self->import->result.bytes += slab->elements * self->slabs.item;
    }
    return VV_OK;
}

static vv_status write_chunk(transfer *self, size_t i, vv_error *err)
{
    size_t bytes = (size_t)self->slabs.grid.chunk_elements * self->slabs.item;
    uint64_t index[VV_NDIM_MAX];
    const uint8_t *data;
    uint8_t *scratch;
    bool stored = false;
    vv_status status;

    vvi_slab_chunk(&self->slabs, &self->now, i, index);
    if (self->import->options.skip_existing)
        VVI_TRY(is_stored(self, index, &stored, err));
    if (stored)
        return VV_OK;
    scratch = vvi_alloc(bytes);
    if (!scratch)
        return vvi_fail_nomem(err, bytes);
    vvi_slab_cut(&self->slabs, &self->now, self->now_data, index, self->fill, scratch,
                 &data);
    status = vv_array_write_chunk(self->array, index, data, err);
    vvi_free(scratch);
    if (!status)
        atomic_fetch_add(&self->chunks, 1);
    return status;
}

/* Item 0 reads the slab after this one while the others write the chunks of this one. */
static vv_status round_item(void *ctx, size_t i, vv_error *err)
{
    transfer *self = ctx;

    if (self->ahead && i == 0)
        return read_slab(self, &self->then, self->then_data, err);
    VVI_TRY(write_chunk(self, i - self->ahead, err));
    return tell_within(self, err);
}

/* Make the slab that was read ahead, or else is to be read now, the one being written. */
static vv_status step(transfer *self, vv_error *err)
{
    uint8_t *data = self->now_data;

    self->now = self->then;
    if (!self->then_data)
        return read_slab(self, &self->now, data, err);
    self->now_data = self->then_data;
    self->then_data = data;
    return VV_OK;
}

static vv_status run(transfer *self, vv_error *err)
{
    vvi_import *import = self->import;
    bool more;

    VVI_TRY(next_slab(self, &self->now, &more, err));
    if (more)
        VVI_TRY(read_slab(self, &self->now, self->now_data, err));
    while (more) {
        uint64_t bytes = self->now.elements * self->slabs.item;
        vv_status status;

        VVI_TRY(next_slab(self, &self->then, &more, err));
        self->ahead = more && self->then_data;
        status = vvi_parallel(import->options.threads,
                              self->now.chunk_total + self->ahead, round_item, self, err);
        import->result.chunks += atomic_exchange(&self->chunks, 0);
        VVI_TRY(status);
        import->result.bytes += bytes;
        VVI_TRY(vvi_import_tell(import, false, err));
        if (more)
            VVI_TRY(step(self, err));
    }
    return VV_OK;
}

static uint64_t slab_budget(const vvi_import *import)
{
    uint64_t bytes = import->options.memory_bytes / 3;

    return bytes < SLAB_BYTES_MOST ? bytes : SLAB_BYTES_MOST;
}

/* Text, slab by slab: the source keeps one slab of it, so none is read ahead. */
static vv_status run_text(transfer *self, vv_error *err)
{
    vvi_import *import = self->import;
    vvi_slab slab;

    while (vvi_slabs_next(&self->slabs, &slab)) {
        VVI_TRY(read_slab(self, &slab, self->now_data, err));
        VVI_TRY(vv_array_write_varlen(self->array, slab.start, slab.count,
                                      (const vv_bytes *)(const void *)self->now_data,
                                      (size_t)slab.elements, err));
        import->result.chunks += slab.chunk_total;
        import->result.bytes += slab.elements * self->slabs.item;
        VVI_TRY(vvi_import_tell(import, false, err));
    }
    return VV_OK;
}

vv_status vvi_import_values(vvi_import *import, const vvi_var *var, vv_array *array,
                            vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    transfer self = {
        .import = import, .var = var, .array = array, .caller = pthread_self()
    };
    uint64_t lengths[VV_NDIM_MAX];
    size_t bytes;
    vv_status status;

    atomic_init(&self.chunks, 0);
    self.fill = meta->fill_value;
    VVI_TRY(vvi_slabs_init(&self.slabs, meta->ndim, var->shape, meta->chunk_shape,
                           var->chunks[0] ? var->chunks : NULL, vvi_var_array_item(var),
                           slab_budget(import), err));
    bytes = (size_t)vvi_slabs_most(&self.slabs, lengths);
    if (meta->ndim < var->ndim)
        lengths[meta->ndim] = var->shape[meta->ndim];
    self.now_data = vvi_alloc(bytes);
    if (bytes <= slab_budget(import))
        self.then_data = vvi_alloc(bytes);
    if (!self.now_data || (!self.then_data && bytes <= slab_budget(import))) {
        status = vvi_fail_nomem(err, bytes);
    } else if (vv_dtype_is_variable(meta->dtype)) {
        status = run_text(&self, err);
    } else {
        vvi_source_reading(import->source, var, lengths,
                           import->options.memory_bytes / 3);
        status = run(&self, err);
        vvi_source_reading(import->source, var, NULL, 0);
    }
    vvi_free(self.then_data);
    vvi_free(self.now_data);
    return status ? vvi_wrap(err, status, "import '%s'", var->name) : VV_OK;
}
