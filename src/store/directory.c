/*
 * A directory as a store, as zarr-python's LocalStore lays it out: the key is the path.
 *
 * A value is written under a name of our own beside its place and renamed, so that readers see the
 * old value or the new one. Keys that could leave the directory or that name such a half-written
 * file are refused. Directories that become empty are removed.
 *
 * Who writes holds a lock on the half-written file until it has its place. So what a killed process
 * left can be told: a handle that may write removes such files, when it comes upon them in a
 * listing, if nobody holds them and they are old. The age is for file systems whose locks do not
 * reach every host, and for the moment between the making of a file and its lock.
 */
#include "store/internal.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/thread.h"
#include "json/json.h"

#include <string.h>
#include <unistd.h>

#define PARTIAL_START ".varvite-"
#define PARTIAL_END   ".partial"
#define NAME_MAX_LEN  255
#define STALE_NS      ((uint64_t)3600 * 1000000000u)
/* A directory can be removed, being empty, between making it and writing into it. */
#define MAKE_ATTEMPTS 100
/* Longer than the clocks of file systems stand still. */
#define SETTLED_NS ((uint64_t)50 * 1000 * 1000)

typedef struct directory_store {
    vv_store base;
    char *root;
    int unsynced; /* atomic: something was written since the last flush */
} directory_store;

/* Atomic: part of the next half-written file's name. Of the process, not of a store: several may
 * be open on one directory. */
static uint64_t next_partial;

static bool is_partial(const char *name, size_t len)
{
    size_t start = strlen(PARTIAL_START);
    size_t end = strlen(PARTIAL_END);

    return len >= start + end && memcmp(name, PARTIAL_START, start) == 0 &&
           memcmp(name + len - end, PARTIAL_END, end) == 0;
}

/* May this be one part of a path? */
static bool is_safe_name(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN || is_partial(name, len))
        return false;
    return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static bool is_safe_key(const char *key)
{
    for (;;) {
        size_t len = strcspn(key, "/");

        if (!is_safe_name(key, len))
            return false;
        if (key[len] == '\0')
            return true;
        key += len + 1;
    }
}

/* The file of a key; free with vvi_free(). */
static vv_status path_of(const directory_store *self, const char *key, char **out,
                         vv_error *err)
{
    if (!is_safe_key(key))
        return vvi_fail(
            err, VV_EINVAL,
            "key '%s' cannot be a file: a part of it is empty, '.', '..', reserved or "
            "longer than %d bytes",
            key, NAME_MAX_LEN);
    *out = vvi_path_join(self->root, key);
    return *out ? VV_OK : vvi_fail_nomem(err, strlen(key));
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Open the file of a key and see what it is; VV_ENOTFOUND for what is no file. */
static vv_status open_key(const directory_store *self, const char *key, vvi_file *file,
                          vvi_file_facts *facts, vv_error *err)
{
    char *path;
    vv_status status;

    VVI_TRY(path_of(self, key, &path, err));
    status = vvi_file_open(file, path, VVI_FILE_READ | VVI_FILE_NO_WAIT, err);
    vvi_free(path);
    if (!status)
        status = vvi_file_look(file, facts, err);
    if (status == VV_ENOTFOUND || (!status && facts->kind != VVI_PATH_FILE))
        status = vvi_fail_missing_key(err, &self->base, key);
    if (status)
        vvi_file_close(file);
    return status;
}

static vv_status read_part(const vvi_file *file, uint64_t size, vv_range range,
                           vv_buf *out, vv_error *err)
{
    vv_buf data = VV_BUF_INIT;
    uint64_t offset;
    uint64_t count;
    vv_status status;

    vvi_range_resolve(range, size, &offset, &count);
    /* No block and no chunk is longer; a file that takes no room on the disk may claim to be. */
    if (count > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "%s: %" PRIu64 " bytes; at most %" PRIu64 " are read at once",
                        file->path, count, VV_BLOCK_BYTES_MAX);
    VVI_TRY(vvi_buf_reserve(&data, (size_t)count, err));
    status = vvi_file_read_at(file, offset, data.data, (size_t)count, &data.len, err);
    if (!status)
        vvi_buf_move(out, &data);
    vv_buf_clear(&data);
    return status;
}

static vv_status directory_size(vv_store *base, const char *key, uint64_t *out,
                                vv_error *err)
{
    directory_store *self = (directory_store *)base;
    vvi_path_kind kind;
    char *path;
    vv_status status;

    VVI_TRY(path_of(self, key, &path, err));
    status = vvi_path_look(path, &kind, out, err);
    vvi_free(path);
    if (status == VV_ENOTFOUND || (!status && kind != VVI_PATH_FILE))
        return vvi_fail_missing_key(err, base, key);
    return status;
}

static vv_status directory_get(vv_store *base, const char *key, vv_range range,
                               vv_buf *out, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vvi_file_facts facts;
    vv_status status = open_key((directory_store *)base, key, &file, &facts, err);

    if (!status)
        status = read_part(&file, facts.size, range, out, err);
    vvi_file_close(&file);
    return status;
}

/*
 * A file's number, length and time tell its state from others, unless it changed just now: the clock
 * of a file system may stand still for some milliseconds, and numbers are given out again.
 */
static void set_version(const vvi_file_facts *facts, vv_store_value *out)
{
    uint64_t now = vvi_wall_ns();

    if (facts->changed_ns + SETTLED_NS > now)
        return;
    out->version[0] = facts->id;
    out->version[1] = facts->changed_ns;
}

static vv_status directory_open_value(vv_store *base, const char *key,
                                      vv_store_value *out, vv_error *err)
{
    vvi_file *file = vvi_alloc(sizeof(*file));
    vvi_file_facts facts;
    vv_status status;

    if (!file)
        return vvi_fail_nomem(err, sizeof(*file));
    *file = VVI_FILE_INIT;
    status = open_key((directory_store *)base, key, file, &facts, err);
    if (status) {
        vvi_free(file);
        return status;
    }
    out->size = facts.size;
    out->handle = file;
    set_version(&facts, out);
    return VV_OK;
}

static vv_status directory_read_value(vv_store *base, const vv_store_value *value,
                                      uint64_t offset, void *out, size_t len,
                                      vv_error *err)
{
    const vvi_file *file = value->handle;
    size_t got;

    (void)base;
    VVI_TRY(vvi_file_read_at(file, offset, out, len, &got, err));
    if (got < len)
        return vvi_fail(err, VV_ECORRUPT, "%s became shorter while it was read",
                        file->path);
    return VV_OK;
}

static void directory_close_value(vv_store *base, vv_store_value *value)
{
    (void)base;
    vvi_file_close(value->handle);
    vvi_free(value->handle);
}

typedef struct many {
    vv_store *store;
    const char *const *keys;
    const vv_range *ranges;
    vv_buf *outs;
    vv_status *statuses;
} many;

static vv_status get_one(void *ctx, size_t i, vv_error *err)
{
    many *self = ctx;

    (void)err;
    self->statuses[i] = directory_get(self->store, self->keys[i],
                                      self->ranges ? self->ranges[i] : VV_RANGE_ALL,
                                      &self->outs[i], NULL);
    return VV_OK;
}

static vv_status directory_get_many(vv_store *base, const char *const *keys,
                                    const vv_range *ranges, size_t n, vv_buf *outs,
                                    vv_status *statuses, vv_error *err)
{
    many all = { base, keys, ranges, outs, statuses };

    for (size_t i = 0; i < n; i++)
        statuses[i] = VV_ENOMEM; /* what a key keeps that no thread comes to */
    VVI_TRY(vvi_parallel(0, n, get_one, &all, err));
    for (size_t i = 0; i < n; i++)
        if (statuses[i] && statuses[i] != VV_ENOTFOUND) {
            /* Once more for the message, and perhaps the trouble has passed. */
            statuses[i] = directory_get(base, keys[i], ranges ? ranges[i] : VV_RANGE_ALL,
                                        &outs[i], err);
            VVI_TRY(statuses[i]);
        }
    return VV_OK;
}

static vv_status directory_exists(vv_store *base, const char *key, bool *out,
                                  vv_error *err)
{
    uint64_t size;
    vv_status status = directory_size(base, key, &size, err);

    *out = status == VV_OK;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Make the directories above path, below the root. */
static vv_status make_parents(const directory_store *self, char *path, vv_error *err)
{
    vv_status status = VV_OK;

    for (char *slash = strchr(path + strlen(self->root) + 1, '/'); slash && !status;
         slash = strchr(slash + 1, '/')) {
        vvi_path_kind kind;

        *slash = '\0';
        status = vvi_dir_make(path, err);
        if (!status)
            status = vvi_path_look(path, &kind, NULL, err);
        if (!status && kind != VVI_PATH_DIRECTORY)
            status = vvi_fail(err, VV_EINVAL, "%s is a value, so no key can lie below it",
                              path);
        *slash = '/';
    }
    return status;
}

/* A new name for a half-written file beside path; free with vvi_free(). */
static vv_status name_partial(const char *path, char **out, vv_error *err)
{
    uint64_t number = __atomic_fetch_add(&next_partial, 1, __ATOMIC_RELAXED);
    vv_buf name = VV_BUF_INIT;
    size_t directory = (size_t)(strrchr(path, '/') - path);
    vv_status status = vvi_buf_append(&name, vvi_bytes(path, directory), err);

    if (!status)
        status = vvi_buf_printf(&name, err, "/" PARTIAL_START "%ld-%" PRIu64 PARTIAL_END,
                                (long)getpid(), number);
    if (status)
        vv_buf_clear(&name);
    else
        *out = (char *)name.data; /* from the same allocator */
    return status;
}

/*
 * Take the lock that tells others that we live. VV_EEXISTS: another process came before us and
 * removes the file. A file system without locks has no one who could come so.
 */
static vv_status hold_partial(const vvi_file *file, vv_error *err)
{
    uint64_t changed;
    uint64_t names;

    if (vvi_file_lock(file, VVI_LOCK_EXCLUSIVE, 0, NULL) == VV_EBUSY)
        return VV_EEXISTS;
    VVI_TRY(vvi_file_changed(file, &changed, &names, err));
    return names ? VV_OK : VV_EEXISTS;
}

/* Open a new file beside path, held until it is closed; its name is *partial, set also where that fails. One that is there
 * already was left by a killed process of this number: it is passed by. */
static vv_status open_partial(const directory_store *self, char *path, char **partial,
                              vvi_file *file, vv_error *err)
{
    vv_status status = VV_ENOTFOUND;

    for (int made = 0; made < MAKE_ATTEMPTS;) {
        if (!*partial)
            VVI_TRY(name_partial(path, partial, err));
        status = vvi_file_open(
            file, *partial, VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_EXCLUSIVE, err);
        if (!status) {
            status = hold_partial(file, err);
            if (status)
                vvi_file_close(file);
            if (status && status != VV_EEXISTS)
                (void)vvi_file_unlink(*partial, NULL);
        }
        if (status == VV_EEXISTS) {
            vvi_free(*partial);
            *partial = NULL;
        } else if (status == VV_ENOTFOUND) {
            VVI_TRY(make_parents(self, path, err));
            made++;
        } else {
            break;
        }
    }
    return status;
}

/* Let the written file take its place. */
static vv_status put_in_place(const char *partial, const char *path, bool only_if_absent,
                              const char *key, vv_error *err)
{
    vvi_path_kind kind;
    vv_status status = only_if_absent ? vvi_file_rename_new(partial, path, err)
                                      : vvi_file_rename(partial, path, err);

    if (status == VV_EEXISTS && only_if_absent)
        return vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
    if (status && vvi_path_look(path, &kind, NULL, NULL) == VV_OK &&
        kind == VVI_PATH_DIRECTORY)
        return vvi_fail(err, VV_EINVAL, "key '%s' cannot be a file: keys lie below it",
                        key);
    return status;
}

static vv_status directory_set(vv_store *base, const char *key, vv_bytes value,
                               bool only_if_absent, vv_error *err)
{
    directory_store *self = (directory_store *)base;
    vvi_file file = VVI_FILE_INIT;
    char *partial = NULL;
    char *path;
    vv_status status;

    VVI_TRY(path_of(self, key, &path, err));
    __atomic_store_n(&self->unsynced, 1, __ATOMIC_RELAXED);
    status = open_partial(self, path, &partial, &file, err);
    if (!status) {
        status = vvi_file_write_at(&file, 0, value, err);
        if (!status)
            status = put_in_place(partial, path, only_if_absent, key, err);
        if (status)
            (void)vvi_file_unlink(partial, NULL);
        vvi_file_close(&file);
    }
    vvi_free(partial);
    vvi_free(path);
    return status;
}

/* Remove the directories above path that are empty now, up to the root. */
static void remove_empty_parents(const directory_store *self, char *path)
{
    size_t root = strlen(self->root);
    char *slash = strrchr(path, '/');

    while ((size_t)(slash - path) > root) {
        *slash = '\0';
        if (vvi_dir_remove(path, NULL))
            break;
        slash = strrchr(path, '/');
    }
}

static vv_status directory_remove(vv_store *base, const char *key, vv_error *err)
{
    directory_store *self = (directory_store *)base;
    bool there;
    char *path;
    vv_status status;

    VVI_TRY(directory_exists(base, key, &there, err));
    if (!there)
        return vvi_fail_missing_key(err, base, key);
    VVI_TRY(path_of(self, key, &path, err));
    __atomic_store_n(&self->unsynced, 1, __ATOMIC_RELAXED);
    status = vvi_file_unlink(path, err);
    if (!status)
        remove_empty_parents(self, path);
    vvi_free(path);
    return status;
}

/* The path of a directory of keys ("a/b/"), without the slash at its end. */
static vv_status path_of_dir(const directory_store *self, const char *directory,
                             char **out, vv_error *err)
{
    char *key = vvi_strndup(directory, strlen(directory) - 1);
    vv_status status;

    if (!key)
        return vvi_fail_nomem(err, strlen(directory));
    status = path_of(self, key, out, err);
    vvi_free(key);
    return status;
}

static vv_status directory_rename_dir(vv_store *base, const char *from, const char *to,
                                      vv_error *err)
{
    directory_store *self = (directory_store *)base;
    char *old = NULL;
    char *new = NULL;
    vvi_path_kind kind;
    vv_status status = path_of_dir(self, from, &old, err);

    if (!status)
        status = path_of_dir(self, to, &new, err);
    if (!status) {
        status = vvi_path_look(old, &kind, NULL, err);
        if (status == VV_ENOTFOUND || (!status && kind != VVI_PATH_DIRECTORY))
            status = vvi_fail(err, VV_ENOTFOUND, "nothing lies below '%s'", from);
    }
    __atomic_store_n(&self->unsynced, 1, __ATOMIC_RELAXED);
    if (!status)
        status = make_parents(self, new, err);
    if (!status)
        status = vvi_file_rename(old, new, err);
    if (!status)
        remove_empty_parents(self, old);
    vvi_free(old);
    vvi_free(new);
    return status;
}

/* One call covers the files and the directories, however many there were. */
static vv_status directory_flush(vv_store *base, vv_error *err)
{
    directory_store *self = (directory_store *)base;
    vv_status status;

    if (!__atomic_exchange_n(&self->unsynced, 0, __ATOMIC_ACQ_REL))
        return VV_OK;
    status = vvi_fs_sync(self->root, err);
    if (status)
        __atomic_store_n(&self->unsynced, 1, __ATOMIC_RELAXED);
    return status;
}

/* ---- listing ------------------------------------------------------------------------------- */

/* Remove a half-written file that nobody writes any more; whatever fails leaves it there. */
static void sweep(const char *path)
{
    vvi_file file = VVI_FILE_INIT;
    uint64_t changed;
    uint64_t names;
    uint64_t ours;
    uint64_t there;

    /* The lock first, then the name: it may have gone its way and be another's by now. */
    if (!vvi_file_open(&file, path, VVI_FILE_WRITE, NULL) &&
        !vvi_file_changed(&file, &changed, &names, NULL) &&
        changed + STALE_NS < vvi_wall_ns() &&
        !vvi_file_lock(&file, VVI_LOCK_EXCLUSIVE, 0, NULL) &&
        !vvi_file_identity(&file, &ours, NULL) &&
        !vvi_path_identity(path, &there, NULL) && ours == there)
        (void)vvi_file_unlink(path, NULL);
    vvi_file_close(&file);
}

/* The entries of one directory, gathered before anyone is told, so that what is done on being
 * told changes nothing here: for each 'f' or 'd', its name and a zero byte. Half-written files
 * have an 'x' and are for nobody to see. */
static vv_status gather(void *ctx, const char *name, vvi_path_kind kind, vv_error *err)
{
    vv_buf *entries = ctx;
    size_t len = strlen(name);

    if (kind == VVI_PATH_FILE && is_partial(name, len)) {
        VVI_TRY(vvi_buf_append_byte(entries, 'x', err));
        return vvi_buf_append(entries, vvi_bytes(name, len + 1), err);
    }
    if (kind == VVI_PATH_OTHER || !is_safe_name(name, len) ||
        !vvi_is_utf8(vvi_bytes(name, len)))
        return VV_OK;
    VVI_TRY(vvi_buf_append_byte(entries, kind == VVI_PATH_FILE ? 'f' : 'd', err));
    return vvi_buf_append(entries, vvi_bytes(name, len + 1), err);
}

/* Take the half-written files out of the entries of a directory, and the stale ones off the disk. */
static void take_out_partials(const directory_store *self, const char *directory,
                              vv_buf *entries)
{
    size_t kept = 0;

    for (size_t at = 0; at < entries->len;) {
        char *entry = (char *)entries->data + at;
        size_t len = strlen(entry) + 1;

        at += len;
        if (*entry != 'x') {
            memmove(entries->data + kept, entry, len);
            kept += len;
        } else if (!self->base.read_only) {
            char *path = vvi_path_join(directory, entry + 1);

            if (path)
                sweep(path);
            vvi_free(path);
        }
    }
    entries->len = kept;
}

/* The entries of the directory below (relative, "" or ending in a slash); none if it is not there. */
static vv_status scan(const directory_store *self, const char *below, vv_buf *entries,
                      vv_error *err)
{
    char *path = vvi_path_join(self->root, below);
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, strlen(below));
    status = vvi_dir_scan(path, gather, entries, err);
    if (!status)
        take_out_partials(self, path, entries);
    vvi_free(path);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status directory_list_dir(vv_store *base, const char *prefix, vv_key_fn visit,
                                    void *ctx, vv_error *err)
{
    vv_buf entries = VV_BUF_INIT;
    vv_buf name = VV_BUF_INIT;
    vv_status status = VV_OK;

    /* A prefix that is no directory of ours has nothing below it. */
    for (const char *part = prefix; *part && !status; part += strcspn(part, "/") + 1)
        if (!is_safe_name(part, strcspn(part, "/")))
            return VV_OK;
    status = scan((directory_store *)base, prefix, &entries, err);
    for (size_t at = 0; at < entries.len && !status;) {
        const char *entry = (const char *)entries.data + at;

        at += strlen(entry) + 1;
        name.len = 0;
        status = vvi_buf_append_text(&name, entry + 1, err);
        if (!status && *entry == 'd')
            status = vvi_buf_append_byte(&name, '/', err);
        if (!status)
            status = vvi_buf_terminate(&name, err);
        if (!status)
            status = visit(ctx, (const char *)name.data, err);
    }
    vv_buf_clear(&entries);
    vv_buf_clear(&name);
    return status;
}

/* A walk through the tree: directories still to be listed, each ending in a slash and a zero
 * byte, the last one next. */
typedef struct tree_walk {
    const directory_store *store;
    const char *prefix;
    size_t prefix_len;
    vv_buf todo;
    vv_buf key;
    vv_key_fn visit;
    void *ctx;
} tree_walk;

/* Is all that lies below this directory, or a part of it, asked for? */
static bool is_wanted(const tree_walk *self, const char *path, size_t len,
                      bool is_directory)
{
    if (len >= self->prefix_len)
        return memcmp(path, self->prefix, self->prefix_len) == 0;
    return is_directory && memcmp(path, self->prefix, len) == 0;
}

static vv_status take_entry(tree_walk *self, size_t directory, const char *entry,
                            vv_error *err)
{
    bool is_directory = *entry == 'd';

    self->key.len = directory;
    VVI_TRY(vvi_buf_append_text(&self->key, entry + 1, err));
    if (is_directory)
        VVI_TRY(vvi_buf_append_byte(&self->key, '/', err));
    VVI_TRY(vvi_buf_terminate(&self->key, err));
    if (!is_wanted(self, (char *)self->key.data, self->key.len, is_directory))
        return VV_OK;
    if (!is_directory)
        return self->visit(self->ctx, (char *)self->key.data, err);
    return vvi_buf_append(&self->todo, vvi_bytes(self->key.data, self->key.len + 1), err);
}

/* List the last directory of todo; the directories in it take its place. */
static vv_status take_directory(tree_walk *self, vv_error *err)
{
    vv_buf entries = VV_BUF_INIT;
    size_t start = self->todo.len - 1;
    size_t len;
    vv_status status;

    while (start > 0 && self->todo.data[start - 1] != '\0')
        start--;
    self->key.len = 0;
    len = self->todo.len - 1 - start;
    VVI_TRY(vvi_buf_append(&self->key, vvi_bytes(self->todo.data + start, len + 1), err));
    self->todo.len = start;
    status = scan(self->store, (char *)self->key.data, &entries, err);
    for (size_t at = 0; at < entries.len && !status;) {
        const char *entry = (const char *)entries.data + at;

        at += strlen(entry) + 1;
        status = take_entry(self, len, entry, err);
    }
    vv_buf_clear(&entries);
    return status;
}

static vv_status directory_list(vv_store *base, const char *prefix, vv_key_fn visit,
                                void *ctx, vv_error *err)
{
    tree_walk walk = { .store = (directory_store *)base,
                       .prefix = prefix,
                       .prefix_len = strlen(prefix),
                       .visit = visit,
                       .ctx = ctx };
    vv_status status = vvi_buf_append_byte(&walk.todo, '\0', err);

    while (walk.todo.len && !status)
        status = take_directory(&walk, err);
    vv_buf_clear(&walk.todo);
    vv_buf_clear(&walk.key);
    return status;
}

/* ---- the store ------------------------------------------------------------------------------ */

static void directory_free(vv_store *base)
{
    directory_store *self = (directory_store *)base;

    vvi_free(self->root);
    vvi_free(self);
}

static const vv_store_ops directory_ops = {
    .name = "directory",
    .get = directory_get,
    .get_many = directory_get_many,
    .set = directory_set,
    .remove = directory_remove,
    .rename_dir = directory_rename_dir,
    .exists = directory_exists,
    .size = directory_size,
    .list = directory_list,
    .list_dir = directory_list_dir,
    .flush = directory_flush,
    .free = directory_free,
    .open_value = directory_open_value,
    .read_value = directory_read_value,
    .close_value = directory_close_value,
};

vv_status vvi_directory_lock(vv_store *store, const char *path, vvi_file *out,
                             vv_error *err)
{
    const directory_store *self = (const directory_store *)store;
    char *directory = NULL;
    vv_status status;

    *out = VVI_FILE_INIT;
    if (store->ops != &directory_ops || vvi_dir_is_remote(self->root))
        return VV_OK;
    if (*path)
        VVI_TRY(path_of(self, path, &directory, err));
    status = vvi_file_open(out, directory ? directory : self->root, VVI_FILE_READ, err);
    vvi_free(directory);
    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    status = vvi_file_lock(out, VVI_LOCK_EXCLUSIVE, 0, err);
    if (status)
        vvi_file_close(out);
    return status;
}

static vv_status find_root(const char *path, bool read_only, vv_error *err)
{
    vvi_path_kind kind;
    vv_status status = vvi_path_look(path, &kind, NULL, err);

    if (status == VV_ENOTFOUND && !read_only) {
        VVI_TRY(vvi_dir_make(path, err));
        status = vvi_path_look(path, &kind, NULL, err);
    }
    if (!status && kind != VVI_PATH_DIRECTORY)
        status = vvi_fail(err, VV_EINVAL, "%s is not a directory", path);
    return status;
}

vv_status vv_directory_store_open(const char *path, bool read_only, vv_store **out,
                                  vv_error *err)
{
    directory_store *self;
    size_t len = path ? strlen(path) : 0;

    if (len == 0)
        return vvi_fail(err, VV_EINVAL, "an empty path");
    VVI_TRY(find_root(path, read_only, err));
    while (len > 1 && path[len - 1] == '/')
        len--;
    self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->root = vvi_strndup(path, len);
    if (!self->root) {
        vvi_free(self);
        return vvi_fail_nomem(err, len + 1);
    }
    vv_store_base_init(&self->base, &directory_ops, read_only);
    self->base.is_near = true;
    *out = &self->base;
    return VV_OK;
}
