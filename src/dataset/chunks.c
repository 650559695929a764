#include "dataset/plan.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 64

/* "time=12": a length that the caller chose for a dimension. */
typedef struct named {
    const char *name;
    size_t len;
    uint64_t length; /* UINT64_MAX: the whole dimension */
    bool used;
} named;

static vv_status parse_one(const char *text, size_t len, const char *what, named *out,
                           vv_error *err)
{
    const char *equals = memchr(text, '=', len);
    const char *digits = equals ? equals + 1 : text;
    size_t n = equals ? len - (size_t)(digits - text) : 0;
    uint64_t length = 0;

    if (!equals || equals == text || n == 0 || n > 18)
        return vvi_fail(err, VV_EINVAL,
                        "%s '%.*s': write name=length or name=all, with commas between",
                        what, (int)len, text);
    *out = (named){ text, (size_t)(equals - text), UINT64_MAX, false };
    if (n == 3 && memcmp(digits, "all", 3) == 0)
        return VV_OK;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return vvi_fail(err, VV_EINVAL, "%s '%.*s': '%.*s' is no length", what,
                            (int)len, text, (int)n, digits);
        length = length * 10 + (uint64_t)(digits[i] - '0');
    }
    if (length == 0)
        return vvi_fail(err, VV_EINVAL, "%s '%.*s': a length is at least 1", what,
                        (int)len, text);
    out->length = length;
    return VV_OK;
}

static vv_status parse_named(const char *text, const char *what, named *list,
                             size_t *count, vv_error *err)
{
    *count = 0;
    while (text && *text) {
        size_t len = strcspn(text, ",");

        if (*count == NAMED_MAX)
            return vvi_fail(err, VV_EINVAL, "%s for more than %d dimensions", what,
                            NAMED_MAX);
        VVI_TRY(parse_one(text, len, what, &list[(*count)++], err));
        text += len;
        text += *text == ',';
    }
    return VV_OK;
}

static uint64_t bytes_of(const vvi_var *var)
{
    uint64_t bytes = vvi_var_array_item(var);

    for (uint32_t i = 0; i < vvi_var_array_ndim(var); i++)
        if (__builtin_mul_overflow(bytes, var->plan[i], &bytes))
            return UINT64_MAX;
    return bytes;
}

/* Halve dimensions in turn, the first one first, so that no way of reading is much dearer than
 * another. */
static void shrink(vvi_var *var, const bool *fixed)
{
    uint32_t ndim = vvi_var_array_ndim(var);
    uint32_t stuck = 0;

    for (uint32_t i = 0; bytes_of(var) > VVI_CHUNK_BYTES_MOST && stuck < ndim;
         i = (i + 1) % ndim) {
        bool can = !fixed[i] && var->plan[i] > 1;

        if (can)
            var->plan[i] = (var->plan[i] + 1) / 2;
        stuck = can ? 0 : stuck + 1;
    }
}

/* Take several of the source's chunks together, dimension by dimension, as long as it fits. */
static void grow(vvi_var *var, const bool *fixed)
{
    uint32_t ndim = vvi_var_array_ndim(var);
    uint32_t stuck = 0;

    for (uint32_t i = 0; bytes_of(var) < VVI_CHUNK_BYTES_LEAST && stuck < ndim;
         i = (i + 1) % ndim) {
        uint64_t before = var->plan[i];

        stuck++;
        if (fixed[i] || before >= var->shape[i])
            continue;
        var->plan[i] = before > var->shape[i] / 2 ? var->shape[i] : before * 2;
        if (bytes_of(var) > VVI_CHUNK_BYTES_MOST)
            var->plan[i] = before;
        else
            stuck = 0;
    }
}

/* A dimension's own variable is read whole whenever anything of that dimension is. */
static bool is_coordinate(const vvi_var *var)
{
    return var->ndim == 1 && var->dims[0] && strcmp(var->dims[0], var->name) == 0;
}

static void choose(vvi_var *var, named *list, size_t count)
{
    bool fixed[VV_NDIM_MAX] = { false };

    for (uint32_t i = 0; i < vvi_var_array_ndim(var); i++) {
        uint64_t whole = var->shape[i] ? var->shape[i] : 1;

        var->plan[i] = var->chunks[0] && var->chunks[i] < whole ? var->chunks[i] : whole;
        for (size_t k = 0; k < count && var->dims[i]; k++)
            if (strlen(var->dims[i]) == list[k].len &&
                memcmp(var->dims[i], list[k].name, list[k].len) == 0) {
                list[k].used = true;
                if (is_coordinate(var))
                    continue;
                var->plan[i] = list[k].length < whole ? list[k].length : whole;
                fixed[i] = true;
            }
    }
    shrink(var, fixed);
    grow(var, fixed);
}

/* Shards: lengths by name, each made a whole number of chunks. Returns VV_ELIMIT. */
static vv_status choose_shards(vvi_var *var, named *list, size_t count,
                               uint64_t memory_bytes, vv_error *err)
{
    uint64_t bytes = vvi_var_array_item(var);

    var->sharded = false;
    for (uint32_t i = 0; i < vvi_var_array_ndim(var); i++) {
        uint64_t whole = var->shape[i] ? var->shape[i] : 1;
        uint64_t length = var->plan[i];

        for (size_t k = 0; k < count && var->dims[i]; k++)
            if (strlen(var->dims[i]) == list[k].len &&
                memcmp(var->dims[i], list[k].name, list[k].len) == 0) {
                list[k].used = true;
                if (is_coordinate(var))
                    continue;
                length = list[k].length < whole ? list[k].length : whole;
                var->sharded = true;
            }
        length = length / var->plan[i] + (length % var->plan[i] != 0);
        var->shards[i] = length * var->plan[i];
        if (__builtin_mul_overflow(bytes, var->shards[i], &bytes))
            bytes = UINT64_MAX;
    }
    if (var->sharded && bytes > memory_bytes)
        return vvi_fail(err, VV_ELIMIT,
                        "variable '%s': a shard of %" PRIu64
                        " bytes is more than the %" PRIu64
                        " bytes of memory that the import may use",
                        var->name, bytes, memory_bytes);
    return VV_OK;
}

static vv_status check_used(const named *list, size_t count, const char *what,
                            vv_error *err)
{
    for (size_t k = 0; k < count; k++)
        if (!list[k].used)
            return vvi_fail(err, VV_EINVAL, "%s: no variable has a dimension '%.*s'",
                            what, (int)list[k].len, list[k].name);
    return VV_OK;
}

/* One chunk of the source is decoded whole, whatever part of it is read. */
static vv_status check_source_chunk(const vvi_var *var, uint64_t memory_bytes,
                                    vv_error *err)
{
    uint64_t bytes = var->item;

    for (uint32_t i = 0; i < var->ndim; i++)
        if (__builtin_mul_overflow(bytes, var->chunks[i], &bytes))
            bytes = UINT64_MAX;
    if (var->ndim && var->chunks[0] && bytes > memory_bytes)
        return vvi_fail(err, VV_ELIMIT,
                        "variable '%s': the source's chunks of %" PRIu64
                        " bytes are more than the %" PRIu64
                        " bytes of memory that the import may use",
                        var->name, bytes, memory_bytes);
    return VV_OK;
}

vv_status vvi_plan_chunks(vvi_source *source, const char *chunks, const char *shards,
                          uint64_t memory_bytes, vv_error *err)
{
    named list[NAMED_MAX];
    named shard_list[NAMED_MAX];
    size_t count = 0;
    size_t shard_count = 0;

    VVI_TRY(parse_named(chunks, "chunks", list, &count, err));
    VVI_TRY(parse_named(shards, "shards", shard_list, &shard_count, err));
    for (size_t g = 0; g < source->tree.count; g++)
        for (size_t v = 0; v < source->tree.groups[g].var_count; v++) {
            vvi_var *var = &source->tree.groups[g].vars[v];

            if (!var->wanted)
                continue;
            choose(var, list, count);
            VVI_TRY(check_source_chunk(var, memory_bytes, err));
            if (bytes_of(var) > memory_bytes)
                return vvi_fail(err, VV_ELIMIT,
                                "variable '%s': a chunk of %" PRIu64
                                " bytes is more than the %" PRIu64
                                " bytes of memory that the import may use",
                                var->name, bytes_of(var), memory_bytes);
            VVI_TRY(choose_shards(var, shard_list, shard_count, memory_bytes, err));
        }
    VVI_TRY(check_used(list, count, "chunks", err));
    return check_used(shard_list, shard_count, "shards", err);
}
