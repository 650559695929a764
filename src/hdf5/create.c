/* Beginning a recording. */
#include "hdf5/journal.h"
#include "hdf5/sink.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- paths --------------------------------------------------------------------------------- */

/* The directory that holds path; to be freed. NULL: out of memory. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return vvi_strdup(".");
    return slash == path ? vvi_strdup("/") : vvi_strndup(path, (size_t)(slash - path));
}

vv_status vvi_hdf5_sync_name(const char *path, vv_error *err)
{
    char *directory = directory_of(path);
    vv_status status = directory ? vvi_dir_sync(directory, err)
                                 : vvi_fail_nomem(err, strlen(path));

    vvi_free(directory);
    return status;
}

static vv_status new_id(char out[VVI_HDF5_ID + 1], vv_error *err)
{
    uint8_t bytes[VVI_HDF5_ID / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return vvi_fail_errno(err, errno, "random bytes for the id of a recording");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return VV_OK;
}

/* ---- the part file ------------------------------------------------------------------------- */

static vv_status make_part(vvi_hdf5_file *file, const vvi_plan *plan,
                           const char *recording, vv_error *err)
{
    hid_t id = vvi_hdf5_file_enter(file, true, false);
    vv_status status;

    if (id < 0)
        return vvi_hdf5_fail(file, err, "create %s", file->file.path);
    status = vvi_hdf5_layout(file, id, plan, recording, err);
    if (!status)
        file->id_at = vvi_hdf5_address_of(id, VVI_HDF5_SCHEMA) + vvi_hdf5_schema_id();
    return vvi_hdf5_file_end(file, id, status, err);
}

/*
 * Give the file, which is whole, and its journal their names. What it replaces goes only when it is on the disk, and when
 * nothing but names is left to fail. In between another recording's journal may stand beside it, which is passed over.
 */
static vv_status take_names(vvi_hdf5_file *file, const char *path, const char *journal,
                            bool overwrite, bool durable, vv_error *err)
{
    char *name = vvi_strdup(path);
    char *beside = vvi_strdup(journal);
    vv_status status = name && beside ? VV_OK : vvi_fail_nomem(err, strlen(path) + 1);

    if (!status && (durable || overwrite))
        status = vvi_file_sync(&file->file, err);
    if (!status)
        status = overwrite ? vvi_file_rename(file->file.path, path, err)
                           : vvi_file_rename_new(file->file.path, path, err);
    if (!status) {
        vvi_free(file->file.path);
        file->file.path = name;
        name = NULL;
        status = vvi_file_rename(file->journal.path, journal, err);
    }
    if (!status) {
        vvi_free(file->journal.path);
        file->journal.path = beside;
        beside = NULL;
    }
    vvi_free(name);
    vvi_free(beside);
    return !status && durable ? vvi_hdf5_sync_name(path, err) : status;
}

static vv_status open_part(const char *path, vvi_hdf5_file **out, vv_error *err)
{
    static unsigned counter;
    vvi_hdf5_file *file = vvi_alloc_zero(sizeof(*file));
    size_t len = strlen(path) + 64;
    char *name = vvi_alloc(len);
    vv_status status;

    if (!file || !name) {
        vvi_free(file);
        vvi_free(name);
        return vvi_fail_nomem(err, sizeof(*file) + len);
    }
    snprintf(name, len, "%s.part-%ld-%u", path, (long)getpid(),
             __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED));
    status = vvi_hdf5_file_open(file, name, true, err);
    if (status && file->file.path)
        (void)vvi_file_unlink(name, NULL);
    vvi_free(name);
    if (status) {
        vvi_hdf5_file_free(file);
        return status;
    }
    *out = file;
    return VV_OK;
}

/* ---- what a kill left ------------------------------------------------------------------------ */

typedef struct leftovers {
    const char *directory, *name; /* of the recording */
} leftovers;

/* "run.h5.part-123-0" or its journal. */
static bool is_part(const char *found, const char *name)
{
    static const char mark[] = ".part-", digits[] = "0123456789";
    size_t len = strlen(name), n;

    if (strncmp(found, name, len) != 0 ||
        strncmp(found + len, mark, sizeof(mark) - 1) != 0)
        return false;
    found += len + sizeof(mark) - 1;
    n = strspn(found, digits);
    if (!n || found[n] != '-')
        return false;
    found += n + 1;
    n = strspn(found, digits);
    return n && (!found[n] || strcmp(found + n, VVI_H5_JOURNAL_SUFFIX) == 0);
}

/* What is locked has a writer. */
static vv_status remove_part(void *ctx, const char *found, vv_error *err)
{
    const leftovers *self = ctx;
    vvi_file file = VVI_FILE_INIT;
    char *path;

    (void)err;
    if (!is_part(found, self->name) || !(path = vvi_path_join(self->directory, found)))
        return VV_OK;
    if (!vvi_file_open(&file, path, VVI_FILE_WRITE | VVI_FILE_NO_WAIT, NULL) &&
        !vvi_file_lock(&file, VVI_LOCK_EXCLUSIVE, 0, NULL))
        (void)vvi_file_unlink(path, NULL);
    vvi_file_close(&file);
    vvi_free(path);
    return VV_OK;
}

/*
 * Remove the unfinished files of calls for this path that were killed. The caller holds the lock of its journal, without which
 * nobody makes such a file. No reason to fail: what cannot be removed stays.
 */
static void remove_leftovers(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash
                          ? vvi_strndup(path, slash == path ? 1 : (size_t)(slash - path))
                          : vvi_strdup(".");
    leftovers self = { directory, slash ? slash + 1 : path };

    if (directory)
        (void)vvi_dir_list(directory, remove_part, &self, NULL);
    vvi_free(directory);
}

/* ---- beginning ----------------------------------------------------------------------------- */

/* From here on every change goes by a commit. */
static vv_status start_commits(vvi_hdf5_sink *self, bool durable, vv_error *err)
{
    vvi_hdf5_file *file = self->file;
    vv_status status;

    file->straight = false;
    file->known = file->end;
    VVI_TRY(vvi_hdf5_journal_begin(file, self->recording, err));
    /* Keeps h5py and others from opening it for writing. */
    VVI_TRY(vvi_file_lock(&file->file, VVI_LOCK_SHARED, 0, err));
    VVI_TRY(vvi_hdf5_file_flag(file, VVI_HDF5_OPEN, err));
    VVI_TRY(vvi_hdf5_file_commit(file, durable, false, err));
    VVI_TRY(vvi_hdf5_file_flag(file, 0, err));
    status = vvi_hdf5_sink_open(self, err);
    return status ? status : vvi_hdf5_file_commit(file, durable, false, err);
}

/* With the lock held: all of it but the names. */
static vv_status make_all(vvi_hdf5_sink *self, const vvi_plan *plan, bool durable,
                          vv_error *err)
{
    vvi_hdf5_file *file = self->file;

    VVI_TRY(make_part(file, plan, self->recording, err));
    /* Who sees its name must not take it for a recording that is over. */
    VVI_TRY(vvi_hdf5_file_flag(file, VVI_HDF5_OPEN, err));
    VVI_TRY(vvi_hdf5_journal_open(file->file.path, &file->journal, err));
    return start_commits(self, durable, err);
}

/* journal: the path of the one beside path, which the caller has locked. */
static vv_status begin(const char *path, const vvi_plan *plan, const char *journal,
                       vvi_hdf5_sink **out, vv_error *err)
{
    const bool durable = plan->options.durability == VV_DURABLE;
    char recording[VVI_HDF5_ID + 1];
    vvi_hdf5_file *file;
    vv_status status;

    VVI_TRY(new_id(recording, err));
    VVI_TRY(open_part(path, &file, err));
    status = vvi_hdf5_sink_over(file, path, plan, recording, out, err);
    if (status)
        return status;
    vvi_hdf5_enter();
    status = make_all(*out, plan, durable, err);
    vvi_hdf5_leave();
    if (!status)
        status = take_names(file, path, journal, plan->options.overwrite, durable, err);
    (*out)->named = !status && durable;
    if (status && strcmp(file->file.path, path) != 0)
        (void)vvi_file_unlink(file->file.path, NULL);
    if (status && vvi_file_is_open(&file->journal) &&
        strcmp(file->journal.path, journal) != 0)
        vvi_hdf5_journal_end(&file->journal);
    return status;
}

vv_status vvi_hdf5_sink_create(const char *path, const vvi_plan *plan, vvi_sink **out,
                               vv_error *err)
{
    vvi_file journal = VVI_FILE_INIT;
    vvi_hdf5_sink *self = NULL;
    uint64_t there;
    vv_status status = vvi_hdf5_journal_open(path, &journal, err);

    if (status)
        return status;
    if (!plan->options.overwrite) {
        status = vvi_path_identity(path, &there, err);
        if (!status)
            status = vvi_fail(err, VV_EEXISTS, "%s is there already", path);
        else if (status == VV_ENOTFOUND)
            status = VV_OK;
    }
    if (!status) {
        remove_leftovers(path);
        status = begin(path, plan, journal.path, &self, err);
    }
    if (!status)
        *out = &self->base;
    else if (self)
        self->base.ops->free(&self->base, false);
    vvi_hdf5_journal_drop(&journal);
    return status;
}

vv_status vv_recorder_create_hdf5(const char *path, const vv_schema *schema,
                                  const vv_recorder_options *options, vv_recorder **out,
                                  vv_error *err)
{
    vv_schema *copy = NULL;
    vvi_sink *sink = NULL;
    vvi_plan plan = { 0 };
    vv_status status = vvi_schema_copy(schema, &copy, err);

    if (!status)
        status = vvi_recorder_plan(copy, options, &plan, err);
    if (!status)
        status = vvi_hdf5_sink_create(path, &plan, &sink, err);
    if (!status)
        return vvi_recorder_start(copy, &plan, sink, NULL, out, err);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    return status;
}
