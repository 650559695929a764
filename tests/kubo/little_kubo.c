#include "kubo/little_kubo.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MAX 2096896

struct little_kubo {
    http_server *server;
    pthread_mutex_t lock;
    /* Guarded by lock: */
    kubo_fault fault;
    unsigned delay_ms;
    char last[2048];
    /* The server's threads', one at a time: */
    vv_blockstore *blocks;
    vv_cid pins[64];
    size_t pin_count;
    bool was_busy;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- answers -------------------------------------------------------------------------------- */

static void say(server_answer *answer, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(server_answer *answer, int status, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    must(len >= 0);
    answer->status = status;
    answer->owned = text;
    answer->body = (uint8_t *)text;
    answer->body_len = (size_t)len;
}

static void fail(server_answer *answer, const char *message)
{
    say(answer, 500, "{\"Message\":\"%s\",\"Code\":0,\"Type\":\"error\"}\n", message);
}

static void fail_missing(server_answer *answer, const char *cid)
{
    char text[600];

    snprintf(text, sizeof(text),
             "block was not found locally (offline): ipld: could not find %.500s", cid);
    fail(answer, text);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool cid_of_query(const server_request *request, const char *name, unsigned n,
                         vv_cid *out)
{
    char text[VV_CID_TEXT_MAX];

    return server_query(request, name, n, text, sizeof(text)) &&
           vv_cid_parse(text, out, NULL) == VV_OK;
}

static void keep(little_kubo *self, const server_request *request,
                 const vv_cid_prefix *prefix, const char *member, server_answer *answer)
{
    char text[VV_CID_TEXT_MAX];
    vv_bytes data;
    vv_cid cid;

    if (!server_first_part(request, &data)) {
        say(answer, 400, "file argument 'path' is required\n");
        return;
    }
    must(vv_blockstore_put(self->blocks, prefix, data, &cid, NULL) == VV_OK);
    if (self->fault == KUBO_MISNAMES)
        cid.digest[0] ^= 1;
    vv_cid_format(&cid, text);
    say(answer, 200, "{\"Name\":\"upload\",\"%s\":\"%s\",\"Size\":%s%zu%s}\n", member,
        text, *member == 'H' ? "\"" : "", data.len, *member == 'H' ? "\"" : "");
}

static void add(little_kubo *self, const server_request *request, server_answer *answer)
{
    vv_cid_prefix prefix = { .codec = VV_CODEC_RAW, .version = 1 };
    char chunker[64];
    vv_bytes data;
    char hash[64];

    must(server_query(request, "hash", 0, hash, sizeof(hash)));
    must(server_query(request, "chunker", 0, chunker, sizeof(chunker)));
    must(server_first_part(request, &data));
    if (!vv_hash_by_name(hash, &prefix.hash))
        fail(answer, "unrecognized hash function");
    else if (data.len > strtoul(chunker + 5, NULL, 10) || data.len > CHUNK_MAX)
        fail(answer, "a file of more than a chunk: not in this server");
    else
        keep(self, request, &prefix, "Hash", answer);
}

static void block_put(little_kubo *self, const server_request *request,
                      server_answer *answer)
{
    vv_cid_prefix prefix = { .version = 1 };
    vv_bytes data;
    char text[64];

    must(server_query(request, "cid-codec", 0, text, sizeof(text)) &&
         vv_codec_by_name(text, &prefix.codec));
    must(server_query(request, "mhtype", 0, text, sizeof(text)) &&
         vv_hash_by_name(text, &prefix.hash));
    must(server_query(request, "mhlen", 0, text, sizeof(text)));
    prefix.digest_len = (uint8_t)strtoul(text, NULL, 10);
    must(server_first_part(request, &data));
    if (data.len > 2 << 20 &&
        !server_query(request, "allow-big-block", 0, text, sizeof(text)))
        fail(answer, "produced block is over 2MiB: big blocks can't be exchanged");
    else
        keep(self, request, &prefix, "Key", answer);
}

static vv_status find(little_kubo *self, const server_request *request, vv_cid *cid,
                      vv_buf *out, server_answer *answer)
{
    char text[VV_CID_TEXT_MAX];
    vv_status status;

    if (!cid_of_query(request, "arg", 0, cid)) {
        fail(answer, "invalid path: invalid cid");
        return VV_EINVAL;
    }
    status = vv_blockstore_get(self->blocks, cid, out, NULL);
    vv_cid_format(cid, text);
    if (status)
        fail_missing(answer, text);
    return status;
}

static void give(little_kubo *self, vv_buf *block, server_answer *answer)
{
    uint8_t *copy = calloc(1, block->len + 1);

    must(copy != NULL);
    if (block->len)
        memcpy(copy, block->data, block->len);
    answer->owned = copy;
    answer->body = copy;
    answer->body_len = block->len;
    if (self->fault == KUBO_LIES)
        copy[0] ^= 1;
    if (self->fault == KUBO_LIES && !block->len)
        answer->body_len = 1;
    if (self->fault == KUBO_SHORT && block->len)
        answer->body_len--;
    answer->cut = self->fault == KUBO_CUT;
    answer->stall = self->fault == KUBO_STALL;
    answer->cut_at = block->len / 2;
}

static void block_get(little_kubo *self, const server_request *request,
                      server_answer *answer)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    if (find(self, request, &cid, &block, answer) == VV_OK)
        give(self, &block, answer);
    vv_buf_clear(&block);
}

static void block_stat(little_kubo *self, const server_request *request,
                       server_answer *answer)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    if (find(self, request, &cid, &block, answer) == VV_OK)
        say(answer, 200, "{\"Key\":\"x\",\"Size\":%zu}\n", block.len);
    vv_buf_clear(&block);
}

static void block_rm(little_kubo *self, const server_request *request,
                     server_answer *answer)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;

    must(cid_of_query(request, "arg", 0, &cid));
    vv_cid_format(&cid, text);
    for (size_t i = 0; i < self->pin_count; i++)
        if (vv_cid_same_block(&cid, &self->pins[i])) {
            say(answer, 200, "{\"Hash\":\"%s\",\"Error\":\"pinned: recursive\"}\n", text);
            return;
        }
    if (vv_blockstore_delete(self->blocks, &cid, NULL))
        say(answer, 200, "{\"Hash\":\"%s\",\"Error\":\"ipld: could not find %s\"}\n",
            text, text);
    else
        say(answer, 200, "{\"Hash\":\"%s\"}\n", text);
}

typedef struct listing {
    FILE *out;
} listing;

static vv_status list_one(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    listing *self = ctx;
    vv_cid raw = *cid;
    char text[VV_CID_TEXT_MAX];

    (void)size;
    (void)err;
    raw.version = 1;
    raw.codec = VV_CODEC_RAW;
    vv_cid_format(&raw, text);
    fprintf(self->out, "{\"Ref\":\"%s\",\"Err\":\"\"}\n", text);
    return VV_OK;
}

static void refs_local(little_kubo *self, server_answer *answer)
{
    char *text = NULL;
    size_t len = 0;
    listing list = { open_memstream(&text, &len) };

    must(list.out != NULL);
    must(vv_blockstore_iterate(self->blocks, list_one, &list, NULL) == VV_OK);
    fclose(list.out);
    answer->owned = text;
    answer->body = (uint8_t *)text;
    answer->body_len = len;
}

static void repo_stat(little_kubo *self, server_answer *answer)
{
    vv_blockstore_stats stats;

    must(vv_blockstore_stat(self->blocks, &stats, NULL) == VV_OK);
    say(answer, 200,
        "{\"RepoSize\":%llu,\"StorageMax\":10000000000,\"NumObjects\":%llu}\n",
        (unsigned long long)stats.block_bytes, (unsigned long long)stats.block_count);
}

/* ---- pins ----------------------------------------------------------------------------------- */

static size_t pin_at(const little_kubo *self, const vv_cid *cid)
{
    size_t i = 0;

    while (i < self->pin_count && !vv_cid_equal(cid, &self->pins[i]))
        i++;
    return i;
}

static void answer_pins(server_answer *answer)
{
    say(answer, 200, "{\"Pins\":[]}\n");
}

static void pin_add(little_kubo *self, const server_request *request,
                    server_answer *answer)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    if (find(self, request, &cid, &block, answer) == VV_OK) {
        if (pin_at(self, &cid) == self->pin_count && self->pin_count < 64)
            self->pins[self->pin_count++] = cid;
        answer_pins(answer);
    }
    vv_buf_clear(&block);
}

static void pin_rm(little_kubo *self, const server_request *request,
                   server_answer *answer)
{
    vv_cid cid;
    size_t at;

    must(cid_of_query(request, "arg", 0, &cid));
    at = pin_at(self, &cid);
    if (at == self->pin_count) {
        fail(answer, "not pinned or pinned indirectly");
        return;
    }
    self->pins[at] = self->pins[--self->pin_count];
    answer_pins(answer);
}

static void pin_update(little_kubo *self, const server_request *request,
                       server_answer *answer)
{
    char unpin[8];
    vv_cid from;
    vv_cid to;
    size_t at;

    must(cid_of_query(request, "arg", 0, &from) && cid_of_query(request, "arg", 1, &to));
    at = pin_at(self, &from);
    if (at == self->pin_count) {
        fail(answer, "'from' cid was not recursively pinned already");
        return;
    }
    if (server_query(request, "unpin", 0, unpin, sizeof(unpin)))
        at = self->pin_count++;
    self->pins[at] = to;
    answer_pins(answer);
}

static void pin_ls(little_kubo *self, server_answer *answer)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    char cid[VV_CID_TEXT_MAX];

    must(out != NULL);
    fputs(self->pin_count ? "{\"Keys\":{" : "{", out);
    for (size_t i = 0; i < self->pin_count; i++) {
        vv_cid_format(&self->pins[i], cid);
        fprintf(out, "%s\"%s\":{\"Type\":\"recursive\",\"Name\":\"\"}", i ? "," : "",
                cid);
    }
    fputs(self->pin_count ? "}}\n" : "}\n", out);
    fclose(out);
    answer->owned = text;
    answer->body = (uint8_t *)text;
    answer->body_len = len;
}

/* ---- the gateway ---------------------------------------------------------------------------- */

static void gateway(little_kubo *self, const server_request *request,
                    server_answer *answer)
{
    vv_buf block = VV_BUF_INIT;
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(request->target + 6, "?"),
             request->target + 6);
    if (self->fault == KUBO_TRUSTLESS && !strstr(request->target, "?format=raw"))
        say(answer, 406, "only trustless requests are accepted on this gateway\n");
    else if (vv_cid_parse(text, &cid, NULL))
        say(answer, 400, "invalid cid\n");
    else if (vv_blockstore_get(self->blocks, &cid, &block, NULL))
        say(answer, 404, "ipld: could not find %s\n", text);
    else
        give(self, &block, answer);
    vv_buf_clear(&block);
}

/* ---- everything ----------------------------------------------------------------------------- */

static void route(little_kubo *self, const server_request *request, server_answer *answer)
{
    const char *path = request->target;
    static const struct {
        const char *path;
        void (*run)(little_kubo *self, const server_request *request,
                    server_answer *answer);
    } calls[] = {
        { "/api/v0/add?", add },
        { "/api/v0/block/put?", block_put },
        { "/api/v0/block/get?", block_get },
        { "/api/v0/block/stat?", block_stat },
        { "/api/v0/block/rm?", block_rm },
        { "/api/v0/pin/add?", pin_add },
        { "/api/v0/pin/rm?", pin_rm },
        { "/api/v0/pin/update?", pin_update },
        { "/ipfs/", gateway },
    };

    if (strncmp(path, "/api/", 5) == 0 && strcmp(request->method, "POST") != 0) {
        say(answer, 405, "405 - Method Not Allowed\n");
        return;
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (strncmp(path, calls[i].path, strlen(calls[i].path)) == 0) {
            calls[i].run(self, request, answer);
            return;
        }
    if (strcmp(path, "/api/v0/refs/local") == 0)
        refs_local(self, answer);
    else if (strcmp(path, "/api/v0/repo/stat") == 0)
        repo_stat(self, answer);
    else if (strncmp(path, "/api/v0/pin/ls", 14) == 0)
        pin_ls(self, answer);
    else
        say(answer, 404, "404 page not found\n");
}

/* Faults that need no block. */
static bool fail_at_once(little_kubo *self, const server_request *request,
                         server_answer *answer)
{
    switch (self->fault) {
    case KUBO_RESET:
        answer->reset = true;
        return true;
    case KUBO_BUSY:
        say(answer, 503, "busy");
        return true;
    case KUBO_BUSY_NEXT:
        self->was_busy = !self->was_busy;
        if (!self->was_busy)
            return false;
        say(answer, 503, "busy");
        answer->headers = "Retry-After: 0\r\n";
        return true;
    case KUBO_TOO_MANY:
        say(answer, 429, "too many requests");
        return true;
    case KUBO_BROKEN:
        say(answer, 500, "broken");
        return true;
    case KUBO_LOOP:
        say(answer, 307, "over there");
        answer->headers = strncmp(request->target, "/ipfs/", 6) == 0
                              ? "Location: /ipfs/again\r\n"
                              : "Location: /api/v0/again\r\n";
        return true;
    case KUBO_FORBIDDEN:
        say(answer, 403, "403 - Forbidden");
        return true;
    default:
        return false;
    }
}

static void serve(void *ctx, const server_request *request, server_answer *answer)
{
    little_kubo *self = ctx;

    pthread_mutex_lock(&self->lock);
    answer->delay_ms = self->delay_ms;
    snprintf(self->last, sizeof(self->last), "%s", request->target);
    if (!fail_at_once(self, request, answer)) {
        route(self, request, answer);
        if (self->fault == KUBO_PARTIAL && answer->status == 0) {
            answer->status = 206;
            answer->headers = "Content-Range: bytes 0-1/9\r\n";
        }
        if (self->fault == KUBO_HEADERS)
            answer->huge_header = 1 << 20;
        if (self->fault == KUBO_TRAILER)
            answer->trailer = "X-Stream-Error: it broke\r\n";
    }
    pthread_mutex_unlock(&self->lock);
}

little_kubo *little_kubo_start(void)
{
    little_kubo *self = calloc(1, sizeof(*self));

    must(self != NULL);
    pthread_mutex_init(&self->lock, NULL);
    must(vv_memory_blockstore_new(&self->blocks, NULL) == VV_OK);
    self->server = http_server_start(serve, self);
    return self;
}

void little_kubo_stop(little_kubo *self)
{
    if (!self)
        return;
    http_server_stop(self->server);
    vv_blockstore_free(self->blocks);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

const char *little_kubo_url(const little_kubo *self)
{
    return http_server_url(self->server);
}

void little_kubo_fault(little_kubo *self, kubo_fault fault)
{
    pthread_mutex_lock(&self->lock);
    self->fault = fault;
    self->was_busy = false;
    pthread_mutex_unlock(&self->lock);
}

void little_kubo_delay(little_kubo *self, unsigned ms)
{
    pthread_mutex_lock(&self->lock);
    self->delay_ms = ms;
    pthread_mutex_unlock(&self->lock);
}

unsigned little_kubo_requests(little_kubo *self)
{
    return http_server_requests(self->server);
}

void little_kubo_last(little_kubo *self, char *out, size_t cap)
{
    pthread_mutex_lock(&self->lock);
    snprintf(out, cap, "%s", self->last);
    pthread_mutex_unlock(&self->lock);
}
