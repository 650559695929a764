/* Options of a Kubo store: checked, completed, copied. */
#include "kubo/kubo.h"

#include "util/alloc.h"
#include "util/options.h"

#include <math.h>
#include <string.h>

#define DEFAULT_RPC     "http://127.0.0.1:5001"
#define DEFAULT_GATEWAY "http://127.0.0.1:8080"
#define DEFAULT_CHUNKER "size-1048576"
#define RABIN_MIN       87381 /* of "rabin": a third of 262144 */
#define BLOCK_MAX       ((uint64_t)64 << 20)

/* ---- URLs ----------------------------------------------------------------------------------- */

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len >= n && memcmp(text + len - n, end, n) == 0;
}

vv_status vvi_kubo_gateway_url(const char *url, bool cut, char **out, vv_error *err)
{
    const char *from = url ? url : DEFAULT_GATEWAY;
    const char *path = cut ? strstr(from, "/ipfs/") : NULL;
    size_t len = path ? (size_t)(path - from) : strlen(from);
    size_t size;

    while (len && from[len - 1] == '/')
        len--;
    if (ends_with(from, len, "/ipfs"))
        len -= 5;
    size = len + sizeof("/ipfs/");
    *out = vvi_alloc(size);
    if (!*out)
        return vvi_fail_nomem(err, size);
    memcpy(*out, from, len);
    memcpy(*out + len, "/ipfs/", sizeof("/ipfs/"));
    return VV_OK;
}

/* A base that paths are put behind: http or https, without what would end up in the middle. */
static vv_status check_base(const char *url, const char *what, vv_error *err)
{
    vvi_http_origin origin;
    const char *authority;
    char shown[200];

    vvi_http_redact(url, shown, sizeof(shown));
    if (vvi_http_origin_of(url, &origin, NULL))
        return vvi_fail(err, VV_EINVAL, "%s %s: not an http or https URL", what, shown);
    authority = strstr(url, "://") + 3;
    if (memchr(authority, '@', strcspn(authority, "/")))
        return vvi_fail(
            err, VV_EINVAL,
            "%s %s: a name and a password go into the options user and password", what,
            shown);
    if (strpbrk(url, "?#"))
        return vvi_fail(err, VV_EINVAL, "%s %s: a query or fragment has no place there",
                        what, shown);
    return VV_OK;
}

/* ---- chunkers ------------------------------------------------------------------------------- */

/* [1-9][0-9]* at *at, stepped over; *out is at most UINT64_MAX. */
static bool read_count(const char **at, uint64_t *out)
{
    const char *digit = *at;

    if (*digit < '1' || *digit > '9')
        return false;
    *out = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (uint64_t)(*digit - '0'), out))
            *out = UINT64_MAX;
    *at = digit;
    return true;
}

/* Parse a chunker; *bytes: data of so many bytes is never cut. */
static bool read_chunker(const char *text, uint64_t *bytes)
{
    uint64_t number;

    if (strncmp(text, "size-", 5) == 0) {
        text += 5;
        return read_count(&text, bytes) && !*text;
    }
    if (strncmp(text, "rabin", 5) != 0)
        return false;
    text += 5;
    *bytes = RABIN_MIN;
    if (!*text)
        return true;
    for (int i = 0; i < 3; i++) {
        if (*text++ != '-' || !read_count(&text, i ? &number : bytes))
            return false;
    }
    return !*text;
}

bool vvi_kubo_chunker_is_valid(const char *chunker)
{
    uint64_t bytes;

    return read_chunker(chunker, &bytes);
}

/* ---- everything ----------------------------------------------------------------------------- */

static bool is_word(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static vv_status check_numbers(vvi_kubo *self, vv_error *err)
{
    vv_kubo_options *opts = &self->opts;

    if (opts->max_in_flight < 0)
        return vvi_fail(err, VV_EINVAL, "max_in_flight must be positive");
    if (opts->max_retries < VV_KUBO_NO_RETRIES)
        return vvi_fail(err, VV_EINVAL, "max_retries must not be negative");
    if (isnan(opts->initial_delay_s) || isinf(opts->initial_delay_s) ||
        opts->initial_delay_s < 0)
        return vvi_fail(err, VV_EINVAL, "initial_delay_s must be positive");
    if (opts->backoff_factor != 0 &&
        (!(opts->backoff_factor >= 1) || isinf(opts->backoff_factor)))
        return vvi_fail(err, VV_EINVAL, "backoff_factor must be at least 1");
    if (!opts->max_in_flight)
        opts->max_in_flight = 32;
    if (!opts->max_block_bytes)
        opts->max_block_bytes = BLOCK_MAX;
    if (opts->max_block_bytes > VV_BLOCK_BYTES_MAX)
        opts->max_block_bytes = VV_BLOCK_BYTES_MAX;
    self->max_retries = opts->max_retries == VV_KUBO_NO_RETRIES
                            ? 0
                            : (uint32_t)(opts->max_retries ? opts->max_retries : 3);
    return VV_OK;
}

static vv_status copy_rpc(vvi_kubo *self, const char *url, vv_error *err)
{
    size_t len = strlen(url);

    VVI_TRY(check_base(url, "RPC", err));
    while (len && url[len - 1] == '/')
        len--;
    self->rpc = vvi_strndup(url, len);
    return self->rpc ? VV_OK : vvi_fail_nomem(err, len + 1);
}

static bool is_there(const vvi_kubo *self, const char *url)
{
    for (size_t i = 0; i < self->gateway_count; i++)
        if (strcmp(self->gateways[i].url, url) == 0)
            return true;
    return false;
}

static vv_status add_gateway(vvi_kubo *self, const char *url, vv_error *err)
{
    char *whole = NULL;
    vv_status status;

    if (url)
        VVI_TRY(check_base(url, "gateway", err));
    status = vvi_kubo_gateway_url(url, self->opts.cut_gateway_urls, &whole, err);
    if (!status && !is_there(self, whole)) {
        self->gateways[self->gateway_count++].url = whole;
        whole = NULL;
    }
    vvi_free(whole);
    return status;
}

/* Nobody named to read from: the daemon itself. */
static vv_status read_through_rpc(vvi_kubo *self, vv_error *err)
{
    self->gateways[0].url = vvi_strdup(self->rpc);
    if (!self->gateways[0].url)
        return vvi_fail_nomem(err, strlen(self->rpc) + 1);
    self->gateways[0].is_rpc = true;
    self->gateway_count = 1;
    return VV_OK;
}

static vv_status configure_urls(vvi_kubo *self, const vv_kubo_options *given,
                                vv_error *err)
{
    size_t room = given->gateway_count ? given->gateway_count : 1;

    if (given->gateway_urls && !given->gateway_count)
        return vvi_fail(err, VV_EINVAL, "gateway_urls must not be empty");
    if (!given->gateway_urls && given->gateway_count)
        return vvi_fail(err, VV_EINVAL, "gateway_count without gateway_urls");
    self->gateways = vvi_alloc_array_zero(room, sizeof(*self->gateways));
    if (!self->gateways)
        return vvi_fail_nomem(err, room * sizeof(*self->gateways));
    if (given->rpc_url || !given->gateway_urls)
        VVI_TRY(copy_rpc(self, given->rpc_url ? given->rpc_url : DEFAULT_RPC, err));
    for (size_t i = 0; i < given->gateway_count; i++)
        VVI_TRY(add_gateway(self, given->gateway_urls[i], err));
    if (self->gateway_count == 0)
        VVI_TRY(given->rpc_url ? read_through_rpc(self, err)
                               : add_gateway(self, NULL, err));
    for (size_t i = 0; i < self->gateway_count; i++)
        self->gateways[i].lane.limit = (uint32_t)self->opts.max_in_flight;
    self->rpc_lane.limit = (uint32_t)self->opts.max_in_flight;
    return VV_OK;
}

static vv_status make_client(vvi_kubo *self, const vv_kubo_options *given, vv_error *err)
{
    const char *trusted[2] = { self->gateways[0].url, self->rpc };
    const vvi_http_options opts = {
        .connect_timeout_ms = given->connect_timeout_ms,
        .idle_timeout_ms = given->idle_timeout_ms,
        .total_timeout_ms = given->total_timeout_ms,
        .initial_delay_s = given->initial_delay_s,
        .backoff_factor = given->backoff_factor,
        .headers = given->headers,
        .header_count = given->header_count,
        .user = given->user,
        .password = given->password,
        .user_url = self->user_is_rpcs ? self->rpc : NULL,
        .trusted = trusted,
        .trusted_count = self->rpc ? 2 : 1,
        .proxy = given->proxy,
        .ca_file = given->ca_file,
        .hooks = self->hooks.http,
    };

    return vvi_http_new(&opts, &self->http, err);
}

/* What was given is not kept beyond the call. */
static void forget_borrowed(vv_kubo_options *opts)
{
    opts->rpc_url = opts->hasher = opts->chunker = opts->user = opts->password = NULL;
    opts->proxy = opts->ca_file = NULL;
    opts->gateway_urls = NULL;
    opts->headers = NULL;
    opts->gateway_count = opts->header_count = 0;
}

vv_status vvi_kubo_configure(vvi_kubo *self, const vv_kubo_options *given, vv_error *err)
{
    const char *hasher;
    const char *chunker;
    vv_kubo_options opts;

    VVI_TRY(vvi_read_options(&opts, sizeof(opts), given, err));
    self->opts = opts;
    forget_borrowed(&self->opts);
    hasher = opts.hasher ? opts.hasher : "blake3";
    chunker = opts.chunker ? opts.chunker : DEFAULT_CHUNKER;
    if (!read_chunker(chunker, &self->chunk_bytes))
        return vvi_fail(err, VV_EINVAL,
                        "chunker '%s': it is size-N, rabin or rabin-MIN-AVG-MAX",
                        chunker);
    if (!is_word(hasher))
        return vvi_fail(err, VV_EINVAL, "hasher '%s' is no name of a hash function",
                        hasher);
    VVI_TRY(check_numbers(self, err));
    VVI_TRY(configure_urls(self, &opts, err));
    self->hasher = vvi_strdup(hasher);
    self->chunker = vvi_strdup(chunker);
    if (!self->hasher || !self->chunker)
        return vvi_fail_nomem(err, strlen(chunker) + 1);
    return make_client(self, &opts, err);
}
