/* Statistics of an array: every element once, unit by unit, on worker threads. */
#include "grid/grid.h"
#include "stats/cuts.h"
#include "stats/moments.h"
#include "stats/texts.h"
#include "util/alloc.h"
#include "util/options.h"
#include "zarr/array.h"

#include <math.h>
#include <string.h>

#define MEMORY_BYTES ((uint64_t)256 << 20)
/* A unit is a row of chunks of about so many bytes, or one larger chunk. */
#define UNIT_BYTES ((uint64_t)1 << 20)
#define WAVE_UNITS 64
#define TAKE       4096 /* elements decoded at once */

/* What one unit adds; merged in the order of units, so that threads do not show. */
typedef struct unit {
    uint64_t chunk[VV_NDIM_MAX]; /* its first chunk */
    uint64_t chunks;             /* of them, along the last dimension */
    vvi_moments moments, imaginary;
    vvi_left_out left_out;
    vvi_texts texts;
    vv_stats sizes; /* members of chunks alone */
    vvi_histogram *histogram;
} unit;

typedef struct scan {
    vv_array *array;
    const vv_array_meta *meta;
    vv_stats_options options;
    vvi_decoding decoding; /* unless are_texts */
    bool are_texts;        /* or bytes: elements that are no numbers */
    vvi_distinct distinct; /* of them */
    size_t item;
    uint64_t grid[VV_NDIM_MAX];
    uint64_t run;   /* chunks of a unit */
    bool in_pieces; /* a unit is one shard, of which a part at a time is read */
    uint32_t threads;
    vvi_scratch scratch; /* elements of a unit */
    unit units[WAVE_UNITS];
    unit total;
    vv_progress progress;
} scan;

/* Elements of some chunks that lie inside the array: where they begin, and how many. */
static uint64_t span_of(const scan *self, uint32_t dim, uint64_t chunk, uint64_t chunks,
                        uint64_t *start)
{
    const vvi_grid *grid = &self->array->meta.grid;

    *start = vvi_grid_chunk_start(grid, dim, chunk);
    if (chunk + chunks >= self->grid[dim])
        return self->meta->shape[dim] - *start;
    return vvi_grid_chunk_start(grid, dim, chunk + chunks) - *start;
}

static void box_of(const scan *self, const unit *u, uint64_t first, uint64_t chunks,
                   uint64_t *start, uint64_t *count, uint64_t *elements)
{
    uint32_t ndim = self->meta->ndim;

    *elements = 1;
    for (uint32_t i = 0; i < ndim; i++) {
        bool last = i + 1 == ndim;
        count[i] = span_of(self, i, u->chunk[i] + (last ? first : 0), last ? chunks : 1,
                           &start[i]);
        *elements *= count[i];
    }
}

/* ---- what a unit holds ------------------------------------------------------------------------ */

static void add_elements(scan *self, unit *u, const uint8_t *elements, uint64_t n)
{
    vvi_number numbers[2 * TAKE];
    vvi_number_kind kind = self->decoding.kind;
    size_t stride = kind == VVI_NUMBER_COMPLEX ? 2 : 1;

    if (self->are_texts) {
        vvi_texts_add(&u->texts, &self->distinct, &self->array->meta.dtype, elements, n,
                      false);
        return;
    }
    for (uint64_t at = 0; at < n; at += TAKE) {
        size_t some = n - at < TAKE ? (size_t)(n - at) : TAKE;
        size_t taken = vvi_decode_finite(&self->decoding, elements + at * self->item,
                                         some, numbers, &u->left_out);
        vvi_moments_add(&u->moments, kind, numbers, taken / stride, stride);
        if (stride == 2)
            vvi_moments_add(&u->imaginary, kind, numbers + 1, taken / stride, stride);
        for (size_t i = 0; i < taken && u->histogram; i++)
            vvi_histogram_add(u->histogram,
                              vvi_number_double(&self->decoding, numbers[i]), 1);
    }
}

/* n elements that are the fill value. */
static void add_fill(scan *self, unit *u, uint64_t n)
{
    static const uint8_t zero[VV_STATS_ELEMENT_MAX];
    const void *fill = self->meta->fill_value ? self->meta->fill_value : zero;
    vvi_number_kind kind = self->decoding.kind;
    vvi_left_out one = { 0, 0, 0 };
    vvi_number number[2];

    if (self->are_texts) {
        vvi_texts_add(&u->texts, &self->distinct, &self->array->meta.dtype,
                      self->array->meta.fill.data, n, true);
        return;
    }
    size_t taken = vvi_decode_finite(&self->decoding, fill, 1, number, &one);
    u->left_out.missing += one.missing * n;
    u->left_out.nan += one.nan * n;
    u->left_out.infinite += one.infinite * n;
    if (taken == 0)
        return;
    vvi_moments_repeat(&u->moments, kind, number[0], n);
    if (kind == VVI_NUMBER_COMPLEX)
        vvi_moments_repeat(&u->imaginary, kind, number[1], n);
    if (u->histogram)
        vvi_histogram_add(u->histogram, vvi_number_double(&self->decoding, number[0]), n);
}

static void add_size(vv_stats *sizes, uint64_t bytes)
{
    unsigned bin = 0;

    while (bin < 63 && bytes >> (bin + 1))
        bin++;
    sizes->chunk_sizes[bin]++;
    if (!sizes->chunks_stored || bytes < sizes->smallest_chunk)
        sizes->smallest_chunk = bytes;
    if (bytes > sizes->largest_chunk)
        sizes->largest_chunk = bytes;
    sizes->stored_bytes += bytes;
    sizes->chunks_stored++;
}

/* Is chunk number i of the unit stored? Counts its size. */
static vv_status look(const scan *self, unit *u, uint64_t i, bool *stored, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX] = { 0 }, bytes;
    uint32_t ndim = self->meta->ndim;
    vv_buf key = VV_BUF_INIT;

    memcpy(index, u->chunk, ndim * sizeof(*index));
    if (ndim)
        index[ndim - 1] += i;
    VVI_TRY(vv_array_chunk_key(self->array, index, &key, err));
    vv_status status = vv_store_size(self->array->store, (const char *)key.data, &bytes,
                                     err);
    *stored = status == VV_OK;
    if (!status)
        add_size(&u->sizes, bytes);
    else if (status != VV_ENOTFOUND)
        vvi_wrap(err, status, "chunk %s", (const char *)key.data);
    vv_buf_clear(&key);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

typedef struct shard_scan {
    scan *scan;
    unit *unit;
} shard_scan;

static vv_status add_piece(void *ctx, const vvi_cut *piece, const void *elements,
                           vv_error *err)
{
    shard_scan *self = ctx;

    (void)err;
    add_elements(self->scan, self->unit, elements, piece->elements);
    return VV_OK;
}

static vv_status read_varlen(scan *self, unit *u, const uint64_t *start,
                             const uint64_t *count, vv_error *err)
{
    vv_varlen read = VV_VARLEN_INIT;
    vv_status status = vv_array_read_varlen(self->array, start, count, NULL, &read, err);

    if (!status)
        add_elements(self, u, (const uint8_t *)read.items, read.count);
    vv_varlen_clear(&read);
    return status;
}

/* Chunks first … first + chunks - 1 of the unit, which are all stored. */
static vv_status read_chunks(scan *self, unit *u, uint64_t first, uint64_t chunks,
                             vv_error *err)
{
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX], n;
    uint8_t *elements;

    box_of(self, u, first, chunks, start, count, &n);
    if (vv_dtype_is_variable(self->meta->dtype))
        return read_varlen(self, u, start, count, err);
    if (self->in_pieces)
        return vvi_cuts_visit(self->array, start, count, NULL, add_piece,
                              &(shard_scan){ self, u }, err);
    VVI_TRY(vvi_scratch_take(&self->scratch, &elements, err));
    vv_status status = vv_array_read(self->array, start, count, NULL, elements,
                                     (size_t)n * self->item, err);
    if (!status)
        add_elements(self, u, elements, n);
    vvi_scratch_give(&self->scratch, elements);
    return status;
}

static vv_status scan_unit(void *ctx, size_t which, vv_error *err)
{
    scan *self = ctx;
    unit *u = &self->units[which];
    uint64_t from = 0; /* of the stored chunks in a row that wait to be read */

    for (uint64_t i = 0; i < u->chunks; i++) {
        uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX], n;
        bool stored;
        VVI_TRY(look(self, u, i, &stored, err));
        if (stored)
            continue;
        if (from < i)
            VVI_TRY(read_chunks(self, u, from, i - from, err));
        box_of(self, u, i, 1, start, count, &n);
        add_fill(self, u, n);
        from = i + 1;
    }
    return from < u->chunks ? read_chunks(self, u, from, u->chunks - from, err) : VV_OK;
}

/* ---- all units -------------------------------------------------------------------------------- */

static void merge(scan *self, const unit *u)
{
    vv_stats *to = &self->total.sizes;
    const vv_stats *from = &u->sizes;

    if (self->are_texts)
        vvi_texts_merge(&self->total.texts, &u->texts);
    else
        vvi_moments_merge(&self->total.moments, self->decoding.kind, &u->moments);
    if (self->decoding.kind == VVI_NUMBER_COMPLEX)
        vvi_moments_merge(&self->total.imaginary, self->decoding.kind, &u->imaginary);
    self->total.left_out.missing += u->left_out.missing;
    self->total.left_out.nan += u->left_out.nan;
    self->total.left_out.infinite += u->left_out.infinite;
    if (self->total.histogram)
        vvi_histogram_merge(self->total.histogram, u->histogram);
    if (from->chunks_stored) {
        if (!to->chunks_stored || from->smallest_chunk < to->smallest_chunk)
            to->smallest_chunk = from->smallest_chunk;
        if (from->largest_chunk > to->largest_chunk)
            to->largest_chunk = from->largest_chunk;
    }
    to->chunks_stored += from->chunks_stored;
    to->stored_bytes += from->stored_bytes;
    for (size_t i = 0; i < 64; i++)
        to->chunk_sizes[i] += from->chunk_sizes[i];
}

static void unit_begin(unit *u, const uint64_t *chunk, uint64_t chunks)
{
    vvi_histogram *histogram = u->histogram;

    memset(u, 0, sizeof(*u));
    u->histogram = histogram;
    if (histogram)
        memset(histogram, 0, sizeof(*histogram));
    memcpy(u->chunk, chunk, sizeof(u->chunk));
    u->chunks = chunks;
}

/* Fill the next wave from the chunk at on; how many units. at[0] is past the grid at the end. */
static size_t next_wave(scan *self, uint64_t *at, bool *done)
{
    uint32_t ndim = self->meta->ndim;
    size_t n = 0;

    while (!*done && n < WAVE_UNITS) {
        uint64_t left = ndim ? self->grid[ndim - 1] - at[ndim - 1] : 1;
        uint64_t chunks = left < self->run ? left : self->run;
        unit_begin(&self->units[n++], at, chunks);
        *done = ndim == 0;
        if (*done)
            break;
        at[ndim - 1] += chunks;
        for (uint32_t i = ndim - 1; at[i] >= self->grid[i]; i--) {
            at[i] = 0;
            if (i == 0) {
                *done = true;
                break;
            }
            at[i - 1]++;
        }
    }
    return n;
}

static vv_status tell(scan *self, size_t units, vv_error *err)
{
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX], n;

    for (size_t i = 0; i < units; i++) {
        box_of(self, &self->units[i], 0, self->units[i].chunks, start, count, &n);
        self->progress.bytes_done += n * self->item;
        self->progress.items_done += self->units[i].chunks;
    }
    if (!self->options.progress)
        return VV_OK;
    vv_status status = self->options.progress(self->options.ctx, &self->progress);
    return status
               ? vvi_fail(err, status, "stopped after %" PRIu64 " of %" PRIu64 " chunks",
                          self->progress.items_done, self->progress.items_total)
               : VV_OK;
}

static vv_status scan_all(scan *self, vv_error *err)
{
    uint64_t at[VV_NDIM_MAX] = { 0 };
    bool done = false;

    for (uint32_t i = 0; i < self->meta->ndim; i++)
        done = done || self->grid[i] == 0;
    while (!done) {
        size_t n = next_wave(self, at, &done);
        VVI_TRY(vvi_parallel(self->threads, n, scan_unit, self, err));
        for (size_t i = 0; i < n; i++)
            merge(self, &self->units[i]);
        VVI_TRY(tell(self, n, err));
    }
    return VV_OK;
}

/* ---- before and after ------------------------------------------------------------------------- */

/* How many chunks a unit has, and how many threads the memory is enough for. */
static vv_status plan(scan *self, vv_error *err)
{
    uint64_t cap = self->options.memory_bytes ? self->options.memory_bytes : MEMORY_BYTES;
    uint32_t ndim = self->meta->ndim;
    size_t chunk_bytes;

    VVI_TRY(vvi_array_chunk_bytes(self->array, &chunk_bytes, err));
    if (!chunk_bytes) /* elements may have none */
        chunk_bytes = 1;
    self->run = chunk_bytes < UNIT_BYTES && ndim ? UNIT_BYTES / chunk_bytes : 1;
    if (vv_dtype_is_variable(self->meta->dtype)) /* however long the elements are */
        self->run = 1;
    if (ndim && self->run > self->grid[ndim - 1])
        self->run = self->grid[ndim - 1] ? self->grid[ndim - 1] : 1;
    uint64_t unit_bytes = self->run * chunk_bytes;
    self->in_pieces = self->meta->inner_chunk_shape && unit_bytes > VVI_CUT_BYTES &&
                      !vv_dtype_is_variable(self->meta->dtype);
    if (self->in_pieces)
        unit_bytes = VVI_CUT_BYTES;
    self->threads = self->options.threads ? self->options.threads : vvi_cpu_count();
    /* Elements of the unit, and as much where a chunk is decoded aside. */
    if (self->threads > cap / 2 / unit_bytes)
        self->threads = cap / 2 / unit_bytes ? (uint32_t)(cap / 2 / unit_bytes) : 1;
    return vvi_scratch_init(&self->scratch, (size_t)unit_bytes, err);
}

static vv_status add_histograms(scan *self, vv_error *err)
{
    if (!self->options.bins || self->decoding.kind == VVI_NUMBER_COMPLEX ||
        !vv_dtype_is_number(self->meta->dtype))
        return VV_OK;
    for (size_t i = 0; i <= WAVE_UNITS; i++) {
        unit *u = i < WAVE_UNITS ? &self->units[i] : &self->total;
        u->histogram = vvi_alloc_zero(sizeof(*u->histogram));
        if (!u->histogram)
            return vvi_fail_nomem(err, sizeof(*u->histogram));
    }
    return VV_OK;
}

static double decoded(const scan *self, vvi_number number)
{
    return vvi_number_double(&self->decoding, number) * self->decoding.scale +
           self->decoding.offset;
}

static void fill_moments(const scan *self, vv_stats *out)
{
    const vvi_moments *moments = &self->total.moments;
    double scale = self->decoding.scale, n = (double)moments->count;
    double distance = moments->distance;

    bool is_number = vv_dtype_is_number(self->meta->dtype); /* not a time */

    out->min = out->max = out->mean = out->mean_imaginary = out->stddev = (double)NAN;
    if (moments->count == 0)
        return;
    out->mean = vvi_moments_mean(moments, self->decoding.kind) * scale +
                self->decoding.offset;
    out->mean_imaginary = 0;
    if (self->decoding.kind == VVI_NUMBER_COMPLEX) {
        out->mean_imaginary = vvi_moments_mean(&self->total.imaginary,
                                               self->decoding.kind) *
                              scale;
        distance += self->total.imaginary.distance;
    } else {
        bool turned = scale < 0;
        out->min = decoded(self, turned ? moments->max : moments->min);
        out->max = decoded(self, turned ? moments->min : moments->max);
        vvi_number_element(&self->decoding, moments->min, out->min_element);
        vvi_number_element(&self->decoding, moments->max, out->max_element);
    }
    out->stddev = sqrt(distance > 0 ? distance / n : 0) * fabs(scale);
    if (!is_number)
        out->mean = out->mean_imaginary = out->stddev = (double)NAN;
}

static void fill_texts(const scan *self, vv_stats *out)
{
    const vvi_texts *texts = &self->total.texts;

    out->min = out->max = out->mean = out->mean_imaginary = out->stddev = (double)NAN;
    out->has_lengths = true;
    out->shortest = texts->shortest;
    out->longest = texts->longest;
    out->empty = texts->empty;
    out->distinct = self->distinct.count;
    if (vv_dtype_is_variable(self->meta->dtype))
        out->decoded_bytes = texts->bytes;
}

static void fill_result(const scan *self, uint64_t elements, vv_stats *out)
{
    const vvi_left_out *left_out = &self->total.left_out;

    *out = self->total.sizes;
    out->dtype = self->meta->dtype;
    out->packed = self->decoding.packed;
    out->scale = self->decoding.scale;
    out->offset = self->decoding.offset;
    out->elements = elements;
    out->missing = left_out->missing;
    out->count = elements - left_out->missing;
    out->nan = left_out->nan;
    out->infinite = left_out->infinite;
    out->chunks = self->progress.items_total;
    out->decoded_bytes = self->progress.bytes_total;
    if (self->are_texts)
        fill_texts(self, out);
    else
        fill_moments(self, out);
    if (!self->total.histogram)
        return;
    out->bins = vvi_histogram_join(self->total.histogram, self->options.bins,
                                   &out->bin_low, &out->bin_width, out->bin_counts);
    out->bin_low = out->bin_low * out->scale + out->offset;
    out->bin_width *= out->scale;
}

static vv_status count_work(scan *self, uint64_t *elements, vv_error *err)
{
    uint64_t chunks = 1;

    VVI_TRY(vv_array_count(self->array, elements, err));
    vv_array_grid(self->array, self->grid);
    for (uint32_t i = 0; i < self->meta->ndim; i++)
        chunks *= self->grid[i]; /* no more than elements */
    if (self->item && *elements > UINT64_MAX / self->item)
        return vvi_fail(err, VV_ERANGE, "2^64 bytes or more");
    self->progress = (vv_progress){ .what = vv_array_path(self->array),
                                    .items_total = chunks,
                                    .bytes_total = *elements * self->item };
    return VV_OK;
}

static vv_status scan_array(scan *self, vv_stats *out, vv_error *err)
{
    uint64_t elements;
    vv_status status;

    self->are_texts = vvi_number_kind_of(self->meta->dtype) == VVI_NUMBER_NONE;
    if (self->are_texts) {
        self->decoding.scale = 1;
        VVI_TRY(vvi_distinct_init(&self->distinct, err));
    } else {
        VVI_TRY(vvi_decoding_init(&self->decoding, self->meta, err));
    }
    VVI_TRY(count_work(self, &elements, err));
    VVI_TRY(plan(self, err));
    status = add_histograms(self, err);
    if (!status)
        status = scan_all(self, err);
    if (!status)
        fill_result(self, elements, out);
    for (size_t i = 0; i < WAVE_UNITS; i++)
        vvi_free(self->units[i].histogram);
    vvi_free(self->total.histogram);
    vvi_scratch_clear(&self->scratch);
    return status;
}

vv_status vv_array_stats(vv_array *array, const vv_stats_options *options, vv_stats *out,
                         vv_error *err)
{
    size_t out_size = out->struct_size < sizeof(*out) ? out->struct_size : sizeof(*out);
    size_t given_size = out->struct_size;
    vv_stats result = VV_STATS_INIT;
    vv_stats_options read;

    VVI_TRY(vvi_read_options(&read, sizeof(read), options, err));
    if (read.bins > VV_STATS_BINS_MAX)
        return vvi_fail(err, VV_EINVAL, "%u bins; %d are the most", read.bins,
                        VV_STATS_BINS_MAX);
    scan *self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->array = array;
    self->meta = vv_array_get_meta(array);
    self->item = array->item;
    self->options = read;
    vv_status status = scan_array(self, &result, err);
    vvi_distinct_clear(&self->distinct);
    vvi_free(self);
    if (status)
        return vvi_wrap(err, status, "array '%s'", vv_array_path(array));
    memcpy(out, &result, out_size);
    out->struct_size = given_size;
    return VV_OK;
}
