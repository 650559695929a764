#include "out.h"
#include "stores.h"

#include <stdlib.h>
#include <string.h>

typedef struct listing {
    cli_call *call;
    vv_store *store;
    const char *directory; /* what is listed, with its slash, or "" */
    const char *base;      /* in front of each name, to make the key of it */
    char **names;          /* kept to be sorted */
    size_t count, cap;
} listing;

/* Bytes and CID of a value; an entry that is a directory has neither. */
static vv_status details(listing *self, const char *name)
{
    cli_call *call = self->call;
    bool in_tree = true;
    size_t len = strlen(self->base) + strlen(name) + 1;
    uint64_t bytes;
    vv_cid cid;

    char *key = cli_alloc(len);
    strcpy(key, self->base);
    strcat(key, name);
    vv_status status = vv_store_size(self->store, key, &bytes, &call->err);
    if (!status) {
        status = vv_store_pointer(self->store, key, &cid, &call->err);
        in_tree = status != VV_EINVAL; /* a directory has no names */
        status = in_tree ? status : VV_OK;
    }
    free(key);
    if (status)
        return status;
    if (call->json) {
        json_uint("bytes", bytes);
        if (in_tree)
            json_cid("cid", &cid);
        return VV_OK;
    }
    out_format("%10llu  ", (unsigned long long)bytes);
    if (in_tree) {
        out_cid(&cid);
        out_text("  ");
    }
    return VV_OK;
}

static vv_status print_name(listing *self, const char *name)
{
    cli_call *call = self->call;
    size_t len = strlen(name);
    bool directory = len && name[len - 1] == '/';
    bool with_details = cli_has(call, "long");
    vv_status status = VV_OK;

    if (call->json) {
        json_object(NULL);
        json_text("name", name);
        if (with_details && !directory)
            status = details(self, name);
        json_end();
        return status;
    }
    if (with_details && directory)
        out_format("%10s  ", "-");
    else if (with_details)
        status = details(self, name);
    out_text(directory ? cli_color(call->color_out, "blue") : "");
    out_name(name);
    out_text(directory ? cli_color(call->color_out, "off") : "");
    out_text("\n");
    return status ? status : out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status visit(void *ctx, const char *key, vv_error *err)
{
    listing *self = ctx;

    (void)err;
    if (cli_has(self->call, "unsorted"))
        return print_name(self, key);
    self->names = cli_grow(self->names, &self->cap, self->count + 1,
                           sizeof(*self->names));
    self->names[self->count++] = cli_strdup(key);
    return VV_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static vv_status list(listing *self)
{
    cli_call *call = self->call;
    vv_status status;

    if (call->json)
        json_list(NULL);
    if (cli_has(call, "recursive"))
        status = vv_store_list(self->store, self->directory, visit, self, &call->err);
    else
        status = vv_store_list_dir(self->store, self->directory, visit, self, &call->err);
    if (self->count)
        qsort(self->names, self->count, sizeof(*self->names), compare_names);
    for (size_t i = 0; i < self->count && !status; i++)
        status = print_name(self, self->names[i]);
    if (call->json)
        json_end();
    return status;
}

/* An empty listing of a path that is not there is no success. */
static vv_status check_empty(listing *self, const char *path)
{
    bool there = false;
    vv_status status = VV_OK;

    if (self->count || !*path || cli_has(self->call, "unsorted"))
        return VV_OK;
    status = vv_store_exists(self->store, path, &there, &self->call->err);
    if (status)
        return status;
    if (there)
        return cli_fail(self->call, VV_ENOTFOUND, "%.200s is a key, not a directory",
                        path);
    return cli_fail(self->call, VV_ENOTFOUND, "%.200s: nothing there", path);
}

vv_status cmd_ls(cli_call *call)
{
    char *copy = cli_strdup(call->arg_count > 1 ? call->args[1] : "");
    char *path = cli_trim_slashes(copy);
    char *directory = cli_alloc(strlen(path) + 2);
    listing self = { .call = call, .directory = directory };

    strcpy(directory, path);
    if (*path)
        strcat(directory, "/");
    self.base = cli_has(call, "recursive") ? "" : directory;
    vv_status status = cli_open_root_listed(call, call->args[0], &self.store);
    if (!status)
        status = list(&self);
    if (!status)
        status = check_empty(&self, path);
    for (size_t i = 0; i < self.count; i++)
        free(self.names[i]);
    free(self.names);
    free(directory);
    free(copy);
    vv_store_free(self.store);
    return status;
}
