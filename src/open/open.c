/* The one file that knows every backend of this build. */
#include <varvite/open.h>

#include "util/alloc.h"
#include "util/error.h"
#include "util/options.h"

#ifdef VV_HAVE_LOCAL
#include <varvite/local.h>
#endif
#ifdef VV_HAVE_CAR
#include <varvite/car.h>
#endif
#ifdef VV_HAVE_KUBO
#include <varvite/kubo.h>
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_NAME ".varvite"

static vv_status open_local(const char *directory, const vv_open_options *opts,
                            vv_blockstore **out, vv_error *err)
{
    if (!*directory)
        return vvi_fail(err, VV_EINVAL,
                        "local: needs a directory, as in local:/data/store");
#ifdef VV_HAVE_LOCAL
    vv_local_options local = VV_LOCAL_OPTIONS_INIT;

    local.create = opts->create;
    local.read_only = opts->read_only;
    local.trusted = opts->trusted;
    return vv_local_open(directory, &local, out, err);
#else
    (void)opts;
    (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "%s: this build has no local stores",
                    directory);
#endif
}

/* A CAR file is checked as it is read, whatever trust was asked for, and cannot be written. */
static vv_status open_car(const char *path, const vv_open_options *opts,
                          vv_blockstore **out, vv_error *err)
{
    (void)opts;
    if (!*path)
        return vvi_fail(err, VV_EINVAL, "car: needs a file, as in car:/data/set.car");
#ifdef VV_HAVE_CAR
    return vv_car_open(path, out, err);
#else
    (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "%s: this build cannot read CAR files", path);
#endif
}

static vv_status open_memory(const char *rest, const vv_open_options *opts,
                             vv_blockstore **out, vv_error *err)
{
    if (*rest)
        return vvi_fail(err, VV_EINVAL, "mem:%s: nothing may follow mem:", rest);
    if (opts->read_only)
        return vvi_fail(err, VV_EINVAL,
                        "mem: is new and empty: there is nothing to read");
    return vv_memory_blockstore_new(out, err);
}

/* kubo://…, kubo+https://…, gateway+http(s)://… */
static bool is_kubo(const char *url)
{
    return strncmp(url, "kubo:", 5) == 0 || strncmp(url, "kubo+http", 9) == 0 ||
           strncmp(url, "gateway+http", 12) == 0;
}

/* A daemon is there or not: there is nothing to create. */
static vv_status open_kubo(const char *url, const vv_open_options *opts,
                           vv_blockstore **out, vv_error *err)
{
#ifdef VV_HAVE_KUBO
    vv_kubo_options kubo = VV_KUBO_OPTIONS_INIT;

    kubo.read_only = opts->read_only;
    kubo.trusted = opts->trusted;
    return vv_kubo_open_url(url, &kubo, out, err);
#else
    (void)url;
    (void)opts;
    (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build has no stores behind HTTP");
#endif
}

static const struct {
    const char *name;
    vv_status (*open)(const char *rest, const vv_open_options *opts, vv_blockstore **out,
                      vv_error *err);
} schemes[] = {
    { "local:", open_local },
    { "car:", open_car },
    { "mem:", open_memory },
};

/* "ipfs:" of "ipfs://…": letters, two at least, a colon; 0 where a path begins. */
static size_t scheme_len(const char *url)
{
    size_t n = 0;

    while ((url[n] >= 'a' && url[n] <= 'z') || (n && url[n] >= '0' && url[n] <= '9'))
        n++;
    return n >= 2 && url[n] == ':' ? n + 1 : 0;
}

/* How much of a URL a message shows: of one with a name and a password the scheme. */
static int shown_len(const char *url)
{
    const char *end = strstr(url, "://");

    return (int)(end && strchr(end, '@') ? (size_t)(end + 3 - url) : strlen(url));
}

static vv_status open_path(const char *path, const vv_open_options *opts,
                           vv_blockstore **out, vv_error *err)
{
    struct stat info;

    if (stat(path, &info) == 0)
        return (S_ISDIR(info.st_mode) ? open_local : open_car)(path, opts, out, err);
    if (errno == ENOENT && opts->create)
        return open_local(path, opts, out, err);
    if (errno == ENOENT)
        return vvi_fail(err, VV_ENOTFOUND,
                        "%.*s: no store there; 'varvite init' makes one", shown_len(path),
                        path);
    return vvi_fail_errno(err, errno, "%.*s", shown_len(path), path);
}

vv_status vv_blockstore_open(const char *url, const vv_open_options *options,
                             vv_blockstore **out, vv_error *err)
{
    vv_open_options opts;
    size_t scheme;

    VVI_TRY(vvi_read_options(&opts, sizeof(opts), options, err));
    if (!url || !*url)
        return vvi_fail(err, VV_EINVAL, "the store's URL is empty");
    if (opts.create && opts.read_only)
        return vvi_fail(err, VV_EINVAL, "%.*s: create and read_only exclude each other",
                        shown_len(url), url);
    if (is_kubo(url))
        return open_kubo(url, &opts, out, err);
    scheme = scheme_len(url);
    if (!scheme)
        return open_path(url, &opts, out, err);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        if (strlen(schemes[i].name) == scheme &&
            strncmp(url, schemes[i].name, scheme) == 0)
            return schemes[i].open(url + scheme, &opts, out, err);
    }
    return vvi_fail(
        err, VV_EUNSUPPORTED,
        "%.*s: this build knows local:DIR, car:FILE, mem:, kubo://HOST:PORT, gateway+https://HOST "
        "and paths (a path with a colon is written ./%.*s)",
        shown_len(url), url, shown_len(url), url);
}

/* Cut the last name off path; false when none is left. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || path[1] == '\0')
        return false;
    slash[slash == path] = '\0';
    return true;
}

vv_status vv_default_store_path(char **out, vv_error *err)
{
    const char *named = getenv("VARVITE_STORE");
    vv_status status;
    size_t len;

    if (named && *named) {
        *out = vvi_strdup(named);
        return *out ? VV_OK : vvi_fail_nomem(err, strlen(named) + 1);
    }
    char *here = getcwd(NULL, 0); /* libc's memory: as long as it takes */
    if (!here)
        return vvi_fail_errno(err, errno, "the working directory");
    len = strlen(here) + sizeof("/" STORE_NAME);
    char *path = vvi_alloc(len);
    if (!path) {
        status = vvi_fail_nomem(err, len);
        goto done;
    }
    do {
        struct stat info;
        strcpy(path, here);
        strcat(path, path[1] ? "/" STORE_NAME : STORE_NAME);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            *out = path;
            path = NULL;
            status = VV_OK;
            goto done;
        }
    } while (go_up(here));
    status = vvi_fail(err, VV_ENOTFOUND,
                      "no " STORE_NAME " here or above; 'varvite init' makes one, "
                      "$VARVITE_STORE names another");

done:
    vvi_free(path);
    free(here);
    return status;
}
