/* Opening a store: the file that says what it is, the locks, and who must recover. */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_SEGMENT_BYTES   ((uint64_t)1 << 30)
#define DEFAULT_BUFFER_BYTES    ((uint64_t)8 << 20)
#define DEFAULT_LOCK_TIMEOUT_MS 10000

static vv_status read_options(const vv_local_options *given, vv_local_options *out,
                              vv_error *err)
{
    VVI_TRY(vvi_read_options(out, sizeof(*out), given, err));
    if (out->create && out->read_only)
        return vvi_fail(err, VV_EINVAL, "create and read_only exclude each other");
    if (out->durability != VV_DURABLE && out->durability != VV_PROCESS)
        return vvi_fail(err, VV_EINVAL, "no durability has number %d",
                        (int)out->durability);
    if (!out->segment_bytes)
        out->segment_bytes = DEFAULT_SEGMENT_BYTES;
    if (out->segment_bytes > VVI_SEGMENT_BYTES_MAX)
        return vvi_fail(err, VV_EINVAL, "segment_bytes is above %" PRIu64,
                        VVI_SEGMENT_BYTES_MAX);
    if (!out->buffer_bytes)
        out->buffer_bytes = DEFAULT_BUFFER_BYTES;
    if (!out->lock_timeout_ms)
        out->lock_timeout_ms = DEFAULT_LOCK_TIMEOUT_MS;
    return VV_OK;
}

/* ---- a new store ------------------------------------------------------------------------- */

static vv_status make_lock_file(const char *directory, const char *name, vv_error *err)
{
    char *path = vvi_path_join(directory, name);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(&file, path, VVI_FILE_WRITE | VVI_FILE_CREATE, err);
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

static vv_status has_store_file(const char *directory, bool *out, vv_error *err)
{
    char *path = vvi_path_join(directory, VVI_STORE_FILE);
    uint64_t size;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_path_size(path, &size, err);
    vvi_free(path);
    *out = status == VV_OK;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status make_store_file(const char *directory, vv_error *err)
{
    uint8_t bytes[VVI_STORE_FILE_SIZE];
    uint8_t id[16];
    uint64_t *numbers;
    size_t count;

    VVI_TRY(vvi_packs_list(directory, &numbers, &count, err));
    vvi_free(numbers);
    if (count)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s has pack files but no %s; fsck with repair mends it",
                        directory, VVI_STORE_FILE);
    if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
        return vvi_fail_errno(err, errno, "random bytes for the id of a store");
    vvi_store_file_encode(id, bytes);
    return vvi_file_save(directory, VVI_STORE_FILE, vvi_bytes(bytes, sizeof(bytes)), err);
}

/* Two processes may do this at once: the second finds the store of the first. */
static vv_status create_store(const char *directory, uint32_t timeout_ms, vv_error *err)
{
    char *lock_path = vvi_path_join(directory, VVI_WRITER_LOCK);
    char *parent = vvi_path_join(directory, "..");
    vvi_file lock = VVI_FILE_INIT;
    bool there = false;
    vv_status status;

    if (!lock_path || !parent)
        status = vvi_fail_nomem(err, 1);
    else
        status = has_store_file(directory, &there, err);
    if (status || there)
        goto done;
    status = vvi_dir_make(directory, err);
    if (!status)
        status = vvi_dir_sync(parent, err);
    if (!status)
        status = make_lock_file(directory, VVI_WRITER_LOCK, err);
    if (!status)
        status = make_lock_file(directory, VVI_OPEN_LOCK, err);
    if (!status)
        status = vvi_file_open(&lock, lock_path, VVI_FILE_READ, err);
    if (!status)
        status = vvi_file_lock(&lock, VVI_LOCK_EXCLUSIVE, timeout_ms, err);
    if (!status)
        status = has_store_file(directory, &there, err);
    if (!status && !there)
        status = make_store_file(directory, err);

done:
    vvi_file_close(&lock);
    vvi_free(lock_path);
    vvi_free(parent);
    return status;
}

/* ---- an existing one ----------------------------------------------------------------------- */

vv_status vvi_local_read_key(const char *directory, vvi_local_key *out, vv_error *err)
{
    char *path = vvi_path_join(directory, VVI_STORE_FILE);
    vv_buf bytes = VV_BUF_INIT;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_load(path, 4096, &bytes, err);
    if (status == VV_ENOTFOUND)
        vvi_fail(err, status, "no store in %s: 'varvite init' makes one", directory);
    else if (status == VV_ELIMIT)
        status = vvi_fail(err, VV_ECORRUPT, "%s is damaged or of another program", path);
    else if (!status) {
        status = vvi_store_file_decode(vvi_buf_bytes(&bytes), out, err);
        if (status)
            vvi_wrap(err, status, "%s", directory);
    }
    vv_buf_clear(&bytes);
    vvi_free(path);
    return status;
}

/* A store that was copied without its lock files gets them again. */
vv_status vvi_local_open_lock(const char *directory, const char *name, bool make,
                              vvi_file *out, vv_error *err)
{
    char *path = vvi_path_join(directory, name);
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(out, path, VVI_FILE_READ, err);
    if (status == VV_ENOTFOUND && make)
        status = vvi_file_open(out, path, VVI_FILE_WRITE | VVI_FILE_CREATE, err);
    vvi_free(path);
    return status;
}

static vv_status open_lock_file(const vvi_local *self, const char *name, vvi_file *out,
                                vv_error *err)
{
    return vvi_local_open_lock(self->directory, name, !self->opts.read_only, out, err);
}

vv_status vvi_local_lock_opening(vvi_local *self, vv_error *err)
{
    char *path = vvi_path_join(self->directory, VVI_STORE_FILE);
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(&self->opening, path, VVI_FILE_READ, err);
    if (!status)
        status = vvi_file_lock(&self->opening, VVI_LOCK_EXCLUSIVE,
                               self->opts.lock_timeout_ms, err);
    vvi_free(path);
    return status;
}

static vv_status recover_locked(vvi_local *self, bool first, vv_error *err)
{
    vv_status status;

    VVI_TRY(vvi_file_lock(&self->writer_lock, VVI_LOCK_EXCLUSIVE,
                          self->opts.lock_timeout_ms, err));
    vvi_mutex_lock(&self->write_lock);
    status = vvi_local_recover(self, first, err);
    vvi_mutex_unlock(&self->write_lock);
    (void)vvi_file_lock(&self->writer_lock, VVI_LOCK_NONE, 0, NULL);
    return status;
}

/*
 * Who holds the open lock alone is the first: nobody vouches for what the index says past its
 * durable place. While anybody holds it, memory and files agree, whatever processes died.
 */
static vv_status open_for_writing(vvi_local *self, vv_error *err)
{
    bool first;
    vv_status status;

    VVI_TRY(vvi_local_lock_opening(self, err));
    VVI_TRY(open_lock_file(self, VVI_OPEN_LOCK, &self->open_lock, err));
    VVI_TRY(open_lock_file(self, VVI_WRITER_LOCK, &self->writer_lock, err));
    status = vvi_file_lock(&self->open_lock, VVI_LOCK_EXCLUSIVE, 0, err);
    first = status == VV_OK;
    if (status == VV_EBUSY)
        status = vvi_file_lock(&self->open_lock, VVI_LOCK_SHARED,
                               self->opts.lock_timeout_ms, err);
    if (!status)
        status = recover_locked(self, first, err);
    if (!status && first)
        status = vvi_file_lock(&self->open_lock, VVI_LOCK_SHARED,
                               self->opts.lock_timeout_ms, err);
    vvi_file_close(&self->opening);
    return status;
}

static vv_status open_for_reading(vvi_local *self, vv_error *err)
{
    bool first = true;
    bool usable = false;
    vv_status status;

    status = vvi_local_lock_opening(self, err);
    if (status == VV_EBUSY || status == VV_ENOMEM)
        return status;
    /* Where locks are not to be had (a file system of another host), a reader goes without. */
    status = open_lock_file(self, VVI_OPEN_LOCK, &self->open_lock, err);
    if (status && status != VV_ENOTFOUND)
        return status;
    if (!status) {
        status = vvi_file_lock(&self->open_lock, VVI_LOCK_EXCLUSIVE, 0, NULL);
        first = status == VV_OK;
        if (!first)
            VVI_TRY(vvi_file_lock(&self->open_lock, VVI_LOCK_SHARED,
                                  self->opts.lock_timeout_ms, err));
    }
    status = vvi_index_open(self->directory, &self->key, false, &self->index, err);
    if (status && status != VV_ENOTFOUND && status != VV_ECORRUPT)
        return status;
    if (!status && first)
        VVI_TRY(vvi_local_is_clean(self, &usable, err));
    if (status || (first && !usable)) {
        /* Not held on to: whoever comes to write must know that it is the first. */
        vvi_file_close(&self->open_lock);
        vvi_file_close(&self->opening);
        return vvi_local_read_privately(self, err);
    }
    if (vvi_file_is_open(&self->open_lock))
        VVI_TRY(vvi_file_lock(&self->open_lock, VVI_LOCK_SHARED,
                              self->opts.lock_timeout_ms, err));
    vvi_file_close(&self->opening);
    return VV_OK;
}

static vv_status init_locks(vvi_local *self, vv_error *err)
{
    vv_status status = vvi_rwlock_init_writers_first(&self->view, err);

    if (status)
        return status;
    status = vvi_mutex_init(&self->write_lock, err);
    if (status)
        goto no_write_lock;
    status = vvi_mutex_init(&self->pending_lock, err);
    if (status)
        goto no_pending_lock;
    status = vvi_cond_init(&self->flushed, err);
    if (!status)
        return VV_OK;
    vvi_mutex_clear(&self->pending_lock);
no_pending_lock:
    vvi_mutex_clear(&self->write_lock);
no_write_lock:
    vvi_rwlock_clear(&self->view);
    return status;
}

void vvi_local_free(vv_blockstore *store)
{
    vvi_local *self = (vvi_local *)store;

    vvi_file_close(&self->log);
    vvi_file_close(&self->writer_lock);
    vvi_packs_clear(&self->packs);
    vvi_index_free(self->index);
    /* Last: with it, this process stops to vouch for the index. */
    vvi_file_close(&self->open_lock);
    vvi_file_close(&self->opening);
    vvi_pending_clear(&self->front);
    vvi_pending_clear(&self->writing);
    vvi_pending_clear(&self->spilled);
    vvi_cond_clear(&self->flushed);
    vvi_mutex_clear(&self->pending_lock);
    vvi_mutex_clear(&self->write_lock);
    vvi_rwlock_clear(&self->view);
    vvi_free(self->directory);
    vvi_free(self);
}

static vv_status open_files(vvi_local *self, vv_error *err)
{
    vvi_index_state state;

    VVI_TRY(vvi_local_read_key(self->directory, &self->key, err));
    vvi_packs_init(&self->packs, self->directory, &self->key,
                   sizeof(void *) >= 8 ? self->opts.segment_bytes : 0);
    VVI_TRY(self->opts.read_only ? open_for_reading(self, err)
                                 : open_for_writing(self, err));
    if (!vvi_index_get_state(self->index, &state))
        return vvi_fail(err, VV_ECORRUPT,
                        "%s: the state of the index is damaged; see fsck",
                        self->directory);
    self->lost_seen = state.lost;
    return VV_OK;
}

vv_status vvi_local_new(const char *directory, const vv_local_options *opts,
                        vvi_local **out, vv_error *err)
{
    vvi_local *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->opts = *opts;
    self->owner = getpid();
    self->log = self->opening = self->open_lock = self->writer_lock = VVI_FILE_INIT;
    status = init_locks(self, err);
    if (status) {
        vvi_free(self);
        return status;
    }
    vv_blockstore_base_init(&self->base,
                            opts->read_only ? &vvi_local_read_only_ops : &vvi_local_ops,
                            opts->trusted);
    self->base.is_near = true;
    self->directory = vvi_strdup(directory);
    if (!self->directory) {
        vvi_local_free(&self->base);
        return vvi_fail_nomem(err, 1);
    }
    *out = self;
    return VV_OK;
}

vv_status vv_local_open(const char *directory, const vv_local_options *options,
                        vv_blockstore **out, vv_error *err)
{
    vv_local_options opts;
    vvi_local *self;
    vv_status status;

    if (!directory || !*directory)
        return vvi_fail(err, VV_EINVAL, "the directory of a store has no name");
    VVI_TRY(read_options(options, &opts, err));
    if (vvi_dir_is_remote(directory) && !opts.read_only)
        return vvi_fail(
            err, VV_EUNSUPPORTED,
            "%s lies on a network file system, whose locks do not reach every host",
            directory);
    if (opts.create)
        VVI_TRY(create_store(directory, opts.lock_timeout_ms, err));
    VVI_TRY(vvi_local_new(directory, &opts, &self, err));
    status = open_files(self, err);
    if (status)
        vvi_local_free(&self->base);
    else
        *out = &self->base;
    return status;
}
