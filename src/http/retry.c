/* When a request is tried again, and after how long. */
#include "http/inner.h"

#include "json/json.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX 300.0

bool vvi_http_is_retried(uint32_t http_status)
{
    return http_status == 429 || http_status == 500 || http_status == 502 ||
           http_status == 503 || http_status == 504;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A number of seconds, "inf" among them. */
static bool read_seconds(const char *text, double *out)
{
    char copy[VVI_HTTP_HEADER_TEXT];
    size_t len = strlen(text);

    while (len && is_blank(*text)) {
        text++;
        len--;
    }
    while (len && is_blank(text[len - 1]))
        len--;
    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strcasecmp(copy, "inf") == 0 || strcasecmp(copy, "infinity") == 0) {
        *out = INFINITY;
        return true;
    }
    return vvi_double_parse(copy, out);
}

static bool read_retry_after(const char *text, uint64_t wall_ns, double *out)
{
    time_t date;

    if (!text)
        return false;
    if (!read_seconds(text, out)) {
        date = curl_getdate(text, NULL);
        if (date < 0)
            return false;
        *out = (double)date - (double)wall_ns / 1e9;
    }
    if (!(*out >= 0)) /* negative, past, or not a number */
        return false;
    if (*out > RETRY_AFTER_MAX)
        *out = RETRY_AFTER_MAX;
    return true;
}

double vvi_http_delay(double initial_delay_s, double backoff_factor, uint32_t retry,
                      double random, const char *retry_after, uint64_t wall_ns)
{
    double delay;

    if (read_retry_after(retry_after, wall_ns, &delay))
        return delay;
    delay = initial_delay_s * pow(backoff_factor, (double)retry - 1);
    return delay + delay * 0.1 * (random - 0.5);
}

/* Jitter needs no secrecy: SplitMix64, seeded by the clock. */
static double draw(vvi_http *http)
{
    uint64_t z;

    if (http->opts.hooks.random)
        return http->opts.hooks.random(http->opts.hooks.ctx);
    vvi_mutex_lock(&http->lock);
    z = http->random_state += 0x9E3779B97F4A7C15u;
    vvi_mutex_unlock(&http->lock);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

uint64_t vvi_http_wait_ns(vvi_http *http, uint32_t retry, const char *retry_after)
{
    const vvi_http_options *opts = &http->opts;
    double seconds = vvi_http_delay(opts->initial_delay_s, opts->backoff_factor, retry,
                                    draw(http), retry_after, vvi_wall_ns());

    if (opts->hooks.waits) {
        opts->hooks.waits(opts->hooks.ctx, seconds);
        return 0;
    }
    if (!(seconds < 86400)) /* a factor without measure: the total time ends it */
        seconds = 86400;
    return (uint64_t)(seconds * 1e9);
}
