#include "hdf5/made.h"

#include "h5/h5.h"
#include "util/endian.h"

#include <stdio.h>

/* ---- plans --------------------------------------------------------------------------------- */

static const uint64_t shape_box[] = { 3, 3 }, shape_positions[] = { 40, 3 };
static const uint64_t shape_bits[] = { 5 }, shape_big[] = { 700 };

static vvi_plan_leaf leaf(const char *name, vv_dtype dtype, uint32_t ndim,
                          const uint64_t *shape, uint64_t chunk_rows)
{
    vvi_plan_leaf out = {
        .name = name, .ndim = ndim, .shape = shape, .chunk_rows = chunk_rows
    };

    assert_true(vvi_dtype_init(dtype, &out.dtype));
    out.row_bytes = out.dtype.item;
    for (uint32_t d = 0; d < ndim; d++)
        out.row_bytes *= (size_t)shape[d];
    return out;
}

/* A dict with these keys, in order. */
static vv_tree *tree(const char *keys, int count)
{
    char text[400];
    vv_tree *out = NULL;
    vv_error err;

    snprintf(text, sizeof(text), "{\"kind\": \"dict\", \"keys\": [%s], \"children\": [",
             keys);
    for (int i = 0; i < count; i++)
        strcat(text, i ? ", {\"kind\": \"leaf\"}" : "{\"kind\": \"leaf\"}");
    strcat(text, "]}");
    assert_vv_ok(vv_tree_from_json(text, &out, &err));
    return out;
}

void made_init(made *m, vv_compression_codec codec, bool checksum)
{
    static const char *const names[3] = { "group['once']", "group['step']",
                                          "group['placed']" };
    static const size_t counts[3] = { 2, MADE_STEP_LEAVES, 2 };

    memset(m, 0, sizeof(*m));
    m->config = tree("\"once\", \"placed\", \"step\"", 3);
    m->trees[0] = tree("\"box\", \"count\"", 2);
    m->trees[1] = tree("\"bits\", \"energy\", \"flag\", \"positions\"", 4);
    m->trees[2] = tree("\"big\", \"small\"", 2);
    m->leaves[0][0] = leaf("array['box']", VV_FLOAT64, 2, shape_box, 1);
    m->leaves[0][1] = leaf("array['count']", VV_INT32, 0, NULL, 1);
    m->leaves[1][0] = leaf("array['bits']", VV_BFLOAT16, 1, shape_bits, 32);
    m->leaves[1][1] = leaf("array['energy']", VV_FLOAT64, 0, NULL, 64);
    m->leaves[1][2] = leaf("array['flag']", VV_BOOL, 0, NULL, 64);
    m->leaves[1][3] = leaf("array['positions']", VV_FLOAT32, 2, shape_positions, 16);
    m->leaves[1][4] = leaf(VVI_PLAN_STEPS, VV_INT64, 0, NULL, 64);
    m->leaves[2][0] = leaf("array['big']", VV_FLOAT64, 1, shape_big, 1);
    m->leaves[2][1] = leaf("array['small']", VV_INT16, 0, NULL, 1);
    for (size_t g = 0; g < 3; g++) {
        m->groups[g] = (vvi_plan_group){ .name = names[g],
                                         .kind = (vvi_group_kind)g,
                                         .compression = { .codec = codec, .level = 1 },
                                         .tree = m->trees[g],
                                         .leaves = m->leaves[g],
                                         .leaf_count = counts[g] };
    }
    m->groups[1].frequency = VV_EVERY(1);
    m->groups[2].extent_ndim = 2;
    m->groups[2].extent[0] = 6;
    m->groups[2].extent[1] = 4;
    m->groups[2].places = 24;
    m->plan = (vvi_plan){ .config = m->config, .groups = m->groups, .group_count = 3 };
    m->plan.options.checksum = checksum;
}

void made_clear(made *m)
{
    vv_tree_free(m->config);
    for (size_t g = 0; g < 3; g++)
        vv_tree_free(m->trees[g]);
}

/* ---- values -------------------------------------------------------------------------------- */

/* Some leaves compress well, positions hardly. */
void made_value(const made *m, size_t group, size_t leaf_, uint64_t row, void *out)
{
    const vvi_plan_leaf *at = &m->groups[group].leaves[leaf_];
    uint64_t seed = row * 1000 + group * 100 + leaf_;

    if (group == MADE_STEP && leaf_ == MADE_STEP_LEAVES - 1) {
        vvi_put_le64(out, row * 10);
        return;
    }
    if (at->dtype.code == VV_BOOL) {
        *(uint8_t *)out = row % 3 == 0;
        return;
    }
    for (size_t i = 0; i < at->row_bytes; i += 2) {
        uint16_t word = (uint16_t)(i % 4 ? row + i / 100 : next_random(&seed) & 0x3F);

        memcpy((uint8_t *)out + i, &word, 2);
    }
}

void *made_rows(const made *m, size_t leaf_, uint64_t chunk, uint64_t end)
{
    const vvi_plan_leaf *at = &m->groups[MADE_STEP].leaves[leaf_];
    uint64_t first = chunk * at->chunk_rows;
    uint64_t count = end - first < at->chunk_rows ? end - first : at->chunk_rows;
    uint8_t *rows = malloc((size_t)count * at->row_bytes); /* no more than there are */

    assert_non_null(rows);
    for (uint64_t i = 0; i < count; i++)
        made_value(m, MADE_STEP, leaf_, first + i, rows + i * at->row_bytes);
    return rows;
}

/* ---- writing ------------------------------------------------------------------------------- */

static vv_status put_chunk(made_writer *w, size_t leaf_, uint64_t chunk, uint64_t end,
                           vv_error *err)
{
    const vvi_plan_leaf *at = &w->m->groups[MADE_STEP].leaves[leaf_];
    uint64_t first = chunk * at->chunk_rows;
    uint64_t count = end - first < at->chunk_rows ? end - first : at->chunk_rows;
    vvi_encoded encoded = { VV_BUF_INIT, 0 };
    void *rows = made_rows(w->m, leaf_, chunk, end);
    vv_status status = w->sink->ops->encode(w->sink, MADE_STEP, leaf_, rows, count,
                                            &encoded, err);

    if (!status)
        status = w->sink->ops->put_chunk(w->sink, MADE_STEP, leaf_, chunk, &encoded, err);
    vv_buf_clear(&encoded.bytes);
    free(rows);
    return status;
}

static vv_status put_rows(made_writer *w, size_t leaf_, uint64_t end, bool last,
                          vv_error *err)
{
    const vvi_plan_leaf *at = &w->m->groups[MADE_STEP].leaves[leaf_];

    while (w->put[leaf_] < end) {
        uint64_t chunk = w->put[leaf_] / at->chunk_rows;
        uint64_t first = w->put[leaf_] % at->chunk_rows;
        uint64_t stop = (chunk + 1) * at->chunk_rows;
        vv_status status;

        if (stop <= end || last) {
            status = put_chunk(w, leaf_, chunk, end, err);
            w->put[leaf_] = stop < end ? stop : end;
        } else {
            void *rows = made_rows(w->m, leaf_, chunk, end);

            status = w->sink->ops->put_tail(w->sink, MADE_STEP, leaf_, chunk, rows, first,
                                            end - w->put[leaf_], err);
            w->put[leaf_] = end;
            free(rows);
        }
        if (status)
            return status;
    }
    return VV_OK;
}

vv_status made_write(made_writer *w, uint64_t end, vv_durability durability,
                     vv_error *err)
{
    for (size_t i = 0; i < MADE_STEP_LEAVES; i++) {
        vv_status status = put_rows(w, i, end, false, err);

        if (status)
            return status;
    }
    w->rows[MADE_STEP] = end;
    if (end)
        w->next_step = (int64_t)(end - 1) * 10 + 1;
    return w->sink->ops->commit(w->sink, w->rows, w->next_step, durability, err);
}

vv_status made_close(made_writer *w, uint64_t end, vv_error *err)
{
    vv_status status = VV_OK;

    for (size_t i = 0; i < MADE_STEP_LEAVES && !status; i++) {
        const vvi_plan_leaf *at = &w->m->groups[MADE_STEP].leaves[i];

        /* What was put as a tail is put once more, encoded. */
        w->put[i] = w->put[i] / at->chunk_rows * at->chunk_rows;
        status = put_rows(w, i, end, true, err);
    }
    w->rows[MADE_STEP] = end;
    if (end)
        w->next_step = (int64_t)(end - 1) * 10 + 1;
    if (!status)
        status = w->sink->ops->close(w->sink, w->rows, w->next_step,
                                     "{\"author\": \"a test\", \"runs\": 3}", err);
    w->sink->ops->free(w->sink, false);
    w->sink = NULL;
    return status;
}

static vv_status put_values(made_writer *w, size_t group, const uint64_t *index,
                            uint64_t place, vv_error *err)
{
    for (size_t i = 0; i < w->m->groups[group].leaf_count; i++) {
        void *value = malloc(w->m->groups[group].leaves[i].row_bytes);
        vv_status status;

        assert_non_null(value);
        made_value(w->m, group, i, place, value);
        status = w->sink->ops->put_value(w->sink, group, i, index, value, err);
        free(value);
        if (status)
            return status;
    }
    w->rows[group]++;
    return VV_OK;
}

vv_status made_put_once(made_writer *w, vv_error *err)
{
    return put_values(w, MADE_ONCE, NULL, 0, err);
}

vv_status made_put_places(made_writer *w, uint64_t first, uint64_t end, vv_error *err)
{
    for (uint64_t place = first; place < end; place++) {
        uint64_t index[2] = { place / 4, place % 4 };
        vv_status status = put_values(w, MADE_PLACED, index, place, err);

        if (status)
            return status;
    }
    return VV_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static vv_status open_dataset(const vvi_h5 *file, const char *group, const char *name,
                              vvi_h5_dataset **out, vv_error *err)
{
    uint64_t at = vvi_h5_get_info(file)->root;
    vv_status status = VV_OK;

    if (group)
        status = vvi_h5_find(file, at, group, &at, err);
    if (!status)
        status = vvi_h5_find(file, at, name, &at, err);
    if (!status)
        status = vvi_h5_dataset_open(file, at, out, err);
    return status;
}

static vv_status read_number(const vvi_h5 *file, const char *group, const char *name,
                             uint64_t *out, vv_error *err)
{
    vvi_h5_dataset *dataset = NULL;
    vv_status status = open_dataset(file, group, name, &dataset, err);

    if (!status)
        status = vvi_h5_read(dataset, NULL, NULL, NULL, out, 8, err);
    vvi_h5_dataset_free(dataset);
    return status;
}

/* Is the whole data set what was put? For PLACED, where written says so. */
static vv_status check_leaf(const made *m, const vvi_h5 *file, size_t g, size_t i,
                            uint64_t rows, const uint8_t *written, vv_error *err)
{
    const vvi_plan_leaf *at = &m->groups[g].leaves[i];
    uint64_t start[VVI_H5_RANK_MAX] = { 0 };
    const vvi_h5_dataset_info *info;
    vvi_h5_dataset *dataset = NULL;
    uint8_t *got, *want;
    vv_status status = open_dataset(file, m->groups[g].name, at->name, &dataset, err);
    uint64_t count = g == MADE_STEP ? rows : g == MADE_PLACED ? 24 : rows;
    size_t bytes = (size_t)(g == MADE_ONCE ? 1 : count) * at->row_bytes;

    if (status)
        return status;
    info = vvi_h5_dataset_get_info(dataset);
    if (g == MADE_STEP && info->space.dims[0] != rows) {
        status = vvi_fail(err, VV_ECORRUPT, "%s: %llu rows of %llu", at->name,
                          (unsigned long long)info->space.dims[0],
                          (unsigned long long)rows);
        vvi_h5_dataset_free(dataset);
        return status;
    }
    got = malloc(bytes + 1);
    want = malloc(at->row_bytes);
    assert_true(got && want);
    status = vvi_h5_read(dataset, start, info->space.dims, NULL, got, bytes, err);
    for (uint64_t row = 0; row < count && !status; row++) {
        if (written && !written[row])
            continue;
        made_value(m, g, i, row, want);
        if (memcmp(got + row * at->row_bytes, want, at->row_bytes) != 0)
            status = vvi_fail(err, VV_ECORRUPT, "%s: row %llu is wrong", at->name,
                              (unsigned long long)row);
    }
    free(got);
    free(want);
    vvi_h5_dataset_free(dataset);
    return status;
}

static vv_status look(const made *m, const vvi_h5 *file, uint64_t rows[3], vv_error *err)
{
    uint64_t start[2] = { 0 }, count[2] = { 6, 4 };
    vvi_h5_dataset *dataset = NULL;
    uint8_t written[24];
    uint64_t there = 0;
    vv_status status = VV_OK;

    for (size_t g = 0; g < 3 && !status; g++)
        status = read_number(file, m->groups[g].name, "rows", &rows[g], err);
    if (!status)
        status = open_dataset(file, m->groups[2].name, "written", &dataset, err);
    if (!status)
        status = vvi_h5_read(dataset, start, count, NULL, written, sizeof(written), err);
    vvi_h5_dataset_free(dataset);
    for (size_t i = 0; i < sizeof(written) && !status; i++)
        there += written[i];
    if (!status && there != rows[2])
        status = vvi_fail(err, VV_ECORRUPT, "%llu places of %llu",
                          (unsigned long long)there, (unsigned long long)rows[2]);
    for (size_t g = 0; g < 3 && !status; g++)
        for (size_t i = 0; i < m->groups[g].leaf_count && !status; i++)
            status = check_leaf(m, file, g, i, rows[g], g == 2 ? written : NULL, err);
    return status;
}

vv_status made_look(const made *m, const char *path, uint64_t rows[3], vv_error *err)
{
    vvi_h5 *file = NULL;
    vv_status status = vvi_h5_open(path, &file, err);

    if (!status)
        status = look(m, file, rows, err);
    vvi_h5_close(file);
    return status;
}

uint64_t made_check(const made *m, const char *path, const char *when)
{
    uint64_t rows[3] = { 0 };
    vv_error err;

    if (made_look(m, path, rows, &err))
        fail_msg("%s: %s", when, err.message);
    return rows[MADE_STEP];
}
