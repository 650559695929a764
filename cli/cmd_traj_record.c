/* traj record: frames from standard input into a recording. */
#include "out.h"
#include "progress.h"
#include "stores.h"
#include "traj.h"

#include <varvite/recorder.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_BYTES_MAX ((uint64_t)16 << 20)
#define INPUT_BYTES      ((size_t)256 << 10)
/* So many steps at which nothing is due are passed over before it is said that nothing ever is. */
#define STEPS_PASSED 10000000
/* A pipe may wait as long as the disk does. */
#define BLOCK_MS (600 * 1000)

/* ---- input ------------------------------------------------------------------------------------- */

typedef struct input {
    cli_call *call;
    uint8_t *buffer;
    size_t at, len;
    uint64_t bytes; /* handed out */
    bool ended;
} input;

/* Wait for more; VV_ECANCELED when a signal asks to stop. */
static vv_status fill(input *in)
{
    while (!in->ended) {
        struct pollfd wait = { .fd = STDIN_FILENO, .events = POLLIN };

        if (stop_signal())
            return VV_ECANCELED;
        if (poll(&wait, 1, 500) <= 0)
            continue;
        ssize_t got = read(STDIN_FILENO, in->buffer, INPUT_BYTES);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return cli_fail_errno(in->call, "standard input");
        in->at = 0;
        in->len = (size_t)got;
        in->ended = got == 0;
        return VV_OK;
    }
    in->at = in->len = 0;
    return VV_OK;
}

/* Read up to len bytes; *got is less only at the end. */
static vv_status take(input *in, void *out, size_t len, size_t *got)
{
    for (*got = 0; *got < len;) {
        size_t there = in->len - in->at;

        if (there == 0) {
            vv_status status = fill(in);
            if (status || in->len == 0)
                return status;
            continue;
        }
        if (there > len - *got)
            there = len - *got;
        memcpy((uint8_t *)out + *got, in->buffer + in->at, there);
        in->at += there;
        in->bytes += there;
        *got += there;
    }
    return VV_OK;
}

/* ---- frames ------------------------------------------------------------------------------------- */

/* A leaf of the frame that is read. */
typedef struct leaf {
    vv_leaf_type type;
    size_t bytes;
    uint8_t *data;
} leaf;

typedef struct group {
    leaf *leaves;
    vv_value *values;
    size_t count;
} group;

typedef struct record {
    cli_call *call;
    cli_progress progress;
    input in;
    vv_schema *schema;
    vv_recorder_options options;
    vv_recorder *recorder;
    group *groups;
    vv_frame *frames;
    size_t group_count;
    bool npy;
    int64_t step;
    uint64_t stride;
    uint64_t frames_done;
    cli_tree tree;       /* into a store, */
    vv_store *directory; /* a Zarr directory, or a file */
    char *into;
    bool show_roots;
    bool has_root;
    vv_cid root; /* the last that was told */
} record;

static void add_group(record *self, size_t g)
{
    group *to = &self->groups[g];

    to->count = vv_schema_leaf_count(self->schema, g);
    to->leaves = cli_alloc((to->count + 1) * sizeof(*to->leaves));
    to->values = cli_alloc((to->count + 1) * sizeof(*to->values));
    for (size_t i = 0; i < to->count; i++) {
        leaf *l = &to->leaves[i];
        size_t item;

        vv_schema_leaf_type(self->schema, g, i, &l->type);
        item = l->type.item_size ? l->type.item_size : vv_dtype_size(l->type.dtype);
        l->bytes = item;
        for (uint32_t d = 0; d < l->type.ndim; d++)
            l->bytes *= (size_t)l->type.shape[d]; /* checked by the schema */
        l->data = cli_alloc(l->bytes + 1);
        to->values[i] = (vv_value){ .data = l->data,
                                    .dtype = l->type.dtype,
                                    .ndim = l->type.ndim,
                                    .shape = l->type.shape };
    }
    self->frames[g] = (vv_frame){ .group = g,
                                  .leaves = to->values,
                                  .leaf_count = to->count };
}

static void make_frames(record *self)
{
    self->group_count = vv_schema_group_count(self->schema);
    self->groups = cli_alloc((self->group_count + 1) * sizeof(*self->groups));
    self->frames = cli_alloc((self->group_count + 1) * sizeof(*self->frames));
    for (size_t g = 0; g < self->group_count; g++)
        add_group(self, g);
}

static void free_frames(record *self)
{
    for (size_t g = 0; g < self->group_count; g++) {
        for (size_t i = 0; i < self->groups[g].count; i++)
            free(self->groups[g].leaves[i].data);
        free(self->groups[g].leaves);
        free(self->groups[g].values);
    }
    free(self->groups);
    free(self->frames);
}

/* The input ended; in_frame bytes of a frame were there. */
static vv_status cut_short(record *self, size_t g, size_t i)
{
    return cli_fail(self->call, VV_ECORRUPT,
                    "standard input ends in the midst of step %" PRId64
                    " (%.100s, %.100s); the frames before it are recorded",
                    self->step, vv_schema_group_name(self->schema, g),
                    vv_schema_leaf_name(self->schema, g, i));
}

/* ---- npy ---------------------------------------------------------------------------------------- */

#define NPY_HEADER_MAX 65536

/* NumPy's name of a type, as a little-endian machine writes it; NULL: it has none. */
static const char *npy_type(const vv_leaf_type *type, char out[24])
{
    static const char *const names[] = {
        [VV_BOOL] = "|b1",      [VV_INT8] = "|i1",       [VV_INT16] = "<i2",
        [VV_INT32] = "<i4",     [VV_INT64] = "<i8",      [VV_UINT8] = "|u1",
        [VV_UINT16] = "<u2",    [VV_UINT32] = "<u4",     [VV_UINT64] = "<u8",
        [VV_FLOAT16] = "<f2",   [VV_FLOAT32] = "<f4",    [VV_FLOAT64] = "<f8",
        [VV_COMPLEX64] = "<c8", [VV_COMPLEX128] = "<c16"
    };

    if ((size_t)type->dtype < sizeof(names) / sizeof(*names) && names[type->dtype])
        return names[type->dtype];
    snprintf(out, 24, "|V%zu",
             type->item_size ? type->item_size : vv_dtype_size(type->dtype));
    return out;
}

/* The text behind "'name':" in a header, which is a Python dict. */
static const char *npy_member(const char *header, const char *name)
{
    char quoted[32];
    const char *at;

    snprintf(quoted, sizeof(quoted), "'%s'", name);
    at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

static bool npy_shape_is(const char *at, const vv_leaf_type *type)
{
    if (*at++ != '(')
        return false;
    for (uint32_t d = 0; d < type->ndim; d++) {
        char *end;
        uint64_t length;

        at += strspn(at, " ,");
        if (*at < '0' || *at > '9')
            return false;
        length = strtoull(at, &end, 10);
        if (length != type->shape[d])
            return false;
        at = end;
    }
    return at[strspn(at, " ,")] == ')';
}

static vv_status check_npy(record *self, size_t g, size_t i, const char *header)
{
    const vv_leaf_type *type = &self->groups[g].leaves[i].type;
    const char *descr = npy_member(header, "descr");
    const char *order = npy_member(header, "fortran_order");
    const char *shape = npy_member(header, "shape");
    char text[24];
    const char *wanted = npy_type(type, text);
    const char *what = NULL;

    if (!descr || !order || !shape)
        what = "its header cannot be read";
    else if ((*descr != '\'' && *descr != '"') ||
             strncmp(descr + 1, wanted, strlen(wanted)) != 0 ||
             descr[1 + strlen(wanted)] != *descr)
        what = "it has another type than the schema says";
    else if (!npy_shape_is(shape, type))
        what = "it has another shape than the schema says";
    else if (strncmp(order, "False", 5) != 0 && type->ndim > 1)
        what = "its elements are in Fortran's order";
    if (!what)
        return VV_OK;
    return cli_fail(self->call, VV_EINVAL,
                    "the array of step %" PRId64 " for %.100s, %.100s: %s: %.150s",
                    self->step, vv_schema_group_name(self->schema, g),
                    vv_schema_leaf_name(self->schema, g, i), what, header);
}

/* Read what stands in front of an array's elements. *there: false at the end of the input. */
static vv_status read_npy_header(record *self, size_t g, size_t i, bool *there)
{
    uint8_t head[12];
    size_t got, len, more;

    vv_status status = take(&self->in, head, 10, &got);
    *there = got > 0;
    if (status || got == 0)
        return status;
    if (memcmp(head, "\x93NUMPY", got < 6 ? got : 6) != 0)
        return cli_fail(self->call, VV_ECORRUPT,
                        "step %" PRId64 ": no npy array where that of %.100s should be",
                        self->step, vv_schema_leaf_name(self->schema, g, i));
    if (got < 10)
        return cut_short(self, g, i);
    len = head[8] | (size_t)head[9] << 8;
    if (head[6] >= 2) { /* four bytes of length */
        status = take(&self->in, head + 10, 2, &more);
        if (!status && more < 2)
            return cut_short(self, g, i);
        if (status)
            return status;
        len |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    }
    if (len > NPY_HEADER_MAX)
        return cli_fail(self->call, VV_ECORRUPT,
                        "step %" PRId64 ": an npy header of %zu bytes", self->step, len);
    char *text = cli_alloc(len + 1);
    status = take(&self->in, text, len, &got);
    text[got] = '\0';
    if (!status)
        status = got < len ? cut_short(self, g, i) : check_npy(self, g, i, text);
    free(text);
    return status;
}

/* ---- reading a frame ------------------------------------------------------------------------------- */

/* *ended: the input ended before the first byte of the frame. */
static vv_status read_leaf(record *self, size_t g, size_t i, bool first, bool *ended)
{
    leaf *to = &self->groups[g].leaves[i];
    size_t got = 0;
    vv_status status = VV_OK;

    if (self->npy) {
        bool there;

        status = read_npy_header(self, g, i, &there);
        if (status)
            return status;
        *ended = !there && first;
        if (!there)
            return first ? VV_OK : cut_short(self, g, i);
    }
    status = take(&self->in, to->data, to->bytes, &got);
    if (!status && !self->npy && first && self->frames_done == 0 && got >= 6 &&
        memcmp(to->data, "\x93NUMPY", 6) == 0)
        return cli_usage(self->call, "standard input holds npy arrays: give --input npy");
    if (status || got == to->bytes)
        return status;
    *ended = !self->npy && first && got == 0;
    return *ended ? VV_OK : cut_short(self, g, i);
}

/* The leaves of all groups that are due, one after another. */
static vv_status read_frame(record *self, bool *ended)
{
    bool first = true;

    *ended = false;
    for (size_t g = 0; g < self->group_count; g++) {
        if (!vv_recorder_due(self->recorder, g, self->step))
            continue;
        for (size_t i = 0; i < self->groups[g].count; i++) {
            vv_status status = read_leaf(self, g, i, first, ended);
            if (status || *ended)
                return status;
            /* A leaf without elements has no bytes that could be missing. */
            if (self->npy || self->groups[g].leaves[i].bytes)
                first = false;
        }
    }
    return VV_OK;
}

static bool is_anything_due(const record *self)
{
    for (size_t g = 0; g < self->group_count; g++)
        if (vv_recorder_due(self->recorder, g, self->step))
            return true;
    return false;
}

/* Go to the next step at which something is due; false: there is none. */
static bool find_step(record *self)
{
    for (int i = 0; i < STEPS_PASSED; i++) {
        if (is_anything_due(self))
            return true;
        if (__builtin_add_overflow(self->step, (int64_t)self->stride, &self->step))
            return false;
    }
    return false;
}

/* Nothing is due any more: the input has to end here. */
static vv_status expect_end(record *self)
{
    uint8_t byte;
    size_t got;
    vv_status status = take(&self->in, &byte, 1, &got);

    if (status || got == 0)
        return status;
    return cli_fail(
        self->call, VV_EINVAL,
        "there is more on standard input, but no group is due at step %" PRId64
        " or later, %" PRIu64 " apart",
        self->step, self->stride);
}

static vv_status record_frames(record *self)
{
    for (;;) {
        bool ended;

        if (!find_step(self))
            return expect_end(self);
        vv_status status = read_frame(self, &ended);
        if (status || ended)
            return status;
        status = vv_recorder_log(self->recorder, self->step, self->frames,
                                 self->group_count, &self->call->err);
        if (status)
            return status;
        self->frames_done++;
        vv_progress at = { .what = "record",
                           .items_done = self->frames_done,
                           .bytes_done = self->in.bytes };
        status = progress_tick(&self->progress, &at);
        if (status)
            return status;
        if (__builtin_add_overflow(self->step, (int64_t)self->stride, &self->step))
            return VV_OK;
    }
}

/* ---- beginning and end ------------------------------------------------------------------------------- */

static void told_root(void *ctx, const vv_cid *root)
{
    record *self = ctx;

    self->root = *root;
    self->has_root = true;
    if (self->show_roots) {
        char text[VV_CID_TEXT_MAX];

        vv_cid_format(root, text);
        cli_talk(self->call, "%s", text);
    }
}

static vv_status read_schema(record *self)
{
    const char *path = cli_text(self->call, "schema");
    vv_bytes text;
    void *owner = NULL;

    if (!path)
        return cli_usage(self->call, "--schema says what is recorded; it is needed");
    if (strcmp(path, "-") == 0)
        return cli_usage(self->call, "--schema: standard input holds the frames");
    vv_status status = input_read(self->call, path, SCHEMA_BYTES_MAX, &text, &owner);
    if (status)
        return status;
    char *terminated = cli_alloc(text.len + 1);
    memcpy(terminated, text.data, text.len);
    terminated[text.len] = '\0';
    free(owner);
    status = vv_schema_from_json(terminated, &self->schema, &self->call->err);
    free(terminated);
    return status ? cli_wrap(self->call, status, "%.200s", path) : VV_OK;
}

/* Not in record: a writer that the close gave up on may come here later. */
static vv_recorder_stats last_stats;

static void note_stats(void *ctx, const vv_recorder_stats *stats)
{
    (void)ctx;
    last_stats = *stats;
}

static vv_status read_options(record *self)
{
    static const char *const policies[] = { [VV_FULL_BLOCK] = "block",
                                            [VV_FULL_FAIL] = "fail",
                                            [VV_FULL_DROP_OLDEST] = "drop",
                                            [VV_FULL_THIN] = "thin" };
    cli_call *call = self->call;
    const char *policy = cli_text(call, "when-full");
    uint64_t first, flush_ms, threads;

    self->options = VV_RECORDER_OPTIONS_INIT;
    vv_status status = cli_number(call, "first-step", 0, INT64_MAX, &first);
    if (!status)
        status = cli_number(call, "stride", 1, INT64_MAX, &self->stride);
    if (!status)
        status = cli_number(call, "flush-ms", 0, UINT32_MAX, &flush_ms);
    if (!status)
        status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &self->options.memory_bytes);
    if (status)
        return status;
    if (self->stride == 0)
        return cli_usage(call, "--stride 0 leads nowhere");
    if (cli_has(call, "append") && !cli_text(call, "first-step"))
        return cli_usage(call, "--append needs --first-step: the step to go on with");
    if (cli_has(call, "append") && cli_has(call, "force"))
        return cli_usage(call, "--append and --force exclude each other");
    for (int i = 0; policy && i < 4; i++)
        if (strcmp(policies[i], policy) == 0)
            self->options.when_full = (vv_full_policy)i;
    self->step = (int64_t)first;
    self->npy = cli_text(call, "input") && strcmp(cli_text(call, "input"), "npy") == 0;
    self->show_roots = cli_has(call, "roots");
    self->options.flush_ms = (uint32_t)flush_ms;
    self->options.threads = (uint32_t)threads;
    self->options.block_ms = BLOCK_MS;
    self->options.durability = cli_has(call, "no-sync") ? VV_PROCESS : VV_DURABLE;
    self->options.checksum = cli_has(call, "checksum");
    self->options.overwrite = cli_has(call, "force");
    self->options.close_ms = BLOCK_MS;
    self->options.progress = note_stats;
    return VV_OK;
}

static vv_status begin_file(record *self, const char *path)
{
    cli_call *call = self->call;

    return cli_has(call, "append")
               ? vv_recorder_append_hdf5(path, self->schema, self->step, &self->options,
                                         &self->recorder, &call->err)
               : vv_recorder_create_hdf5(path, self->schema, &self->options,
                                         &self->recorder, &call->err);
}

static vv_status begin_zarr(record *self)
{
    cli_call *call = self->call;
    const char *to = cli_text(call, "to");
    const char *root = cli_text(call, "root");
    vv_store *store;
    vv_status status;

    self->into = cli_strdup(cli_text(call, "into") ? cli_text(call, "into") : "");
    cli_trim_slashes(self->into);
    if (to && root)
        return cli_usage(call, "--to does not go with --root");
    if (!to && cli_has(call, "append") && !root)
        return cli_usage(call, "--append needs the --root of the recording");
    status = to ? traj_open_directory(call, to, &self->directory)
                : cli_tree_open(call, root, &self->tree);
    if (status)
        return status;
    store = to ? self->directory : self->tree.store;
    return cli_has(call, "append")
               ? vv_recorder_append_zarr(store, self->into, self->schema, self->step,
                                         &self->options, told_root, self, &self->recorder,
                                         &call->err)
               : vv_recorder_create_zarr(store, self->into, self->schema, &self->options,
                                         told_root, self, &self->recorder, &call->err);
}

static void report(const record *self, const vv_recorder_stats *stats)
{
    cli_talk(self->call, "%s, %s; %s stored, in %.1f s",
             cli_count_text(self->frames_done, "frame"), cli_bytes_text(stats->raw_bytes),
             cli_bytes_text(stats->stored_bytes),
             (double)progress_ms(&self->progress) / 1000);
    if (stats->dropped)
        cli_complain(self->call, "%s dropped: the disk was too slow",
                     cli_count_text(stats->dropped, "row"));
    if (stats->thinned)
        cli_complain(self->call, "%s left out: the disk was too slow",
                     cli_count_text(stats->thinned, "row"));
    if (!traj_begin_result(self->call, self->has_root ? &self->root : NULL))
        return;
    json_uint("frames", self->frames_done);
    json_uint("rows", stats->logged);
    json_uint("dropped", stats->dropped);
    json_uint("thinned", stats->thinned);
    json_uint("bytes", stats->raw_bytes);
    json_end();
}

/* Close the recording, whatever ended it; what failed first is kept. */
static vv_status finish(record *self, vv_status status)
{
    vv_error first = self->call->err;

    /* No flush before: it would put rows of unfinished chunks into the file that the close packs again. What is
     * counted is told last before a close that succeeds returns. */
    vv_status last = vv_recorder_close(self->recorder, &self->call->err);
    self->recorder = NULL;
    progress_hide();
    if (status == VV_ECANCELED && stop_signal()) {
        cli_talk(self->call, "stopped");
        status = VV_OK;
    }
    if (status)
        self->call->err = first;
    else
        status = last;
    if (!last)
        report(self, &last_stats);
    return status;
}

vv_status cmd_traj_record(cli_call *call)
{
    const char *file = call->arg_count ? call->args[0] : NULL;
    record self = { .call = call, .in = { .call = call } };

    if (file && (cli_text(call, "to") || cli_text(call, "root")))
        return cli_usage(call, "a file, or --to, or --root: one of them");
    vv_status status = read_options(&self);
    if (!status)
        status = read_schema(&self);
    if (!status)
        status = file ? begin_file(&self, file) : begin_zarr(&self);
    if (status == VV_EEXISTS)
        cli_wrap(call, status, "give --force to replace it");
    if (!status) {
        make_frames(&self);
        self.in.buffer = cli_alloc(INPUT_BYTES);
        progress_begin(&self.progress, call, "record");
        status = finish(&self, record_frames(&self));
    }
    cli_tree_clear(&self.tree);
    vv_store_free(self.directory);
    vv_schema_free(self.schema);
    free_frames(&self);
    free(self.in.buffer);
    free(self.into);
    return status;
}
