#include "support/http_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 512

typedef struct connection {
    http_server *server;
    pthread_t thread;
    int fd;
    bool used; /* the thread is to be joined */
    bool over;
} connection;

struct http_server {
    server_fn answer;
    void *ctx;
    int fd;
    int wake[2]; /* readable once the server ends */
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_mutex_t answering;
    connection connections[CONNECTIONS]; /* guarded by lock */
    unsigned requests, accepted;         /* guarded by lock */
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

const char *server_header(const server_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

/* ---- reading a request --------------------------------------------------------------------- */

typedef struct input {
    int fd;
    uint8_t data[65536];
    size_t from, to;
} input;

static bool fill(input *in)
{
    ssize_t n = recv(in->fd, in->data, sizeof(in->data), 0);

    in->from = 0;
    in->to = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool read_line(input *in, char *out, size_t cap)
{
    size_t len = 0;

    for (;;) {
        if (in->from == in->to && !fill(in))
            return false;
        char c = (char)in->data[in->from++];
        if (c == '\n')
            break;
        if (len + 1 < cap)
            out[len++] = c;
    }
    if (len && out[len - 1] == '\r')
        len--;
    out[len] = '\0';
    return true;
}

static bool read_bytes(input *in, uint8_t *out, size_t n)
{
    while (n) {
        size_t some;

        if (in->from == in->to && !fill(in))
            return false;
        some = in->to - in->from < n ? in->to - in->from : n;
        memcpy(out, in->data + in->from, some);
        in->from += some;
        out += some;
        n -= some;
    }
    return true;
}

static bool read_body(input *in, server_request *request)
{
    const char *length = server_header(request, "content-length");
    const char *coding = server_header(request, "transfer-encoding");
    char line[128];

    if (coding) {
        for (;;) {
            size_t n;

            if (!read_line(in, line, sizeof(line)))
                return false;
            n = strtoul(line, NULL, 16);
            request->body = realloc(request->body, request->body_len + n + 1);
            must(request->body != NULL, "realloc");
            if (!read_bytes(in, request->body + request->body_len, n) ||
                !read_line(in, line, sizeof(line)))
                return false;
            request->body_len += n;
            if (n == 0)
                return true;
        }
    }
    request->body_len = length ? strtoul(length, NULL, 10) : 0;
    request->body = malloc(request->body_len + 1);
    must(request->body != NULL, "malloc");
    return read_bytes(in, request->body, request->body_len);
}

static bool read_request(input *in, server_request *request)
{
    char line[4096];

    memset(request, 0, sizeof(*request));
    if (!read_line(in, line, sizeof(line)) ||
        sscanf(line, "%15s %2047s", request->method, request->target) != 2)
        return false;
    while (read_line(in, line, sizeof(line)) && *line) {
        char *colon = strchr(line, ':');
        size_t i = request->header_count;

        if (!colon || i == SERVER_HEADERS_MAX)
            continue;
        *colon++ = '\0';
        while (*colon == ' ')
            colon++;
        for (char *c = line; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        snprintf(request->headers[i].name, sizeof(request->headers[i].name), "%.63s",
                 line);
        snprintf(request->headers[i].value, sizeof(request->headers[i].value), "%.511s",
                 colon);
        request->header_count++;
    }
    return read_body(in, request);
}

/* ---- answering ----------------------------------------------------------------------------- */

static bool send_all(int fd, const void *data, size_t n)
{
    const uint8_t *at = data;

    while (n) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Wait for ms, or until the server ends: false. */
static bool wait_ms(http_server *server, int ms)
{
    struct pollfd fd = { .fd = server->wake[0], .events = POLLIN };

    return poll(&fd, 1, ms) == 0;
}

static void reset_connection(int fd)
{
    struct linger hard = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static bool send_huge_header(int fd, size_t len)
{
    char *line = malloc(len + 3);
    bool ok;

    must(line != NULL, "malloc");
    memset(line, 'x', len);
    memcpy(line, "X-Huge: ", 8);
    memcpy(line + len, "\r\n", 3);
    ok = send_all(fd, line, len + 2);
    free(line);
    return ok;
}

static bool send_chunked(int fd, const server_answer *answer)
{
    char line[64];

    if (answer->body_len) {
        snprintf(line, sizeof(line), "%zx\r\n", answer->body_len);
        if (!send_all(fd, line, strlen(line)) ||
            !send_all(fd, answer->body, answer->body_len) || !send_all(fd, "\r\n", 2))
            return false;
    }
    return send_all(fd, "0\r\n", 3) &&
           send_all(fd, answer->trailer, strlen(answer->trailer)) &&
           send_all(fd, "\r\n", 2);
}

/* True: the connection may be used again. */
static bool send_answer(http_server *server, int fd, const server_answer *answer,
                        bool is_head)
{
    int status = answer->status ? answer->status : 200;
    char head[512];

    if (answer->delay_ms && !wait_ms(server, (int)answer->delay_ms))
        return false;
    if (answer->reset) {
        reset_connection(fd);
        return false;
    }
    if (answer->raw) {
        send_all(fd, answer->raw, answer->raw_len);
        return false;
    }
    snprintf(head, sizeof(head), "HTTP/1.1 %d Because\r\n%s", status,
             answer->close ? "Connection: close\r\n" : "");
    if (!send_all(fd, head, strlen(head)))
        return false;
    if (answer->headers && !send_all(fd, answer->headers, strlen(answer->headers)))
        return false;
    if (answer->huge_header && !send_huge_header(fd, answer->huge_header))
        return false;
    if (answer->trailer) {
        const char *lines =
            "Transfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n\r\n";
        return send_all(fd, lines, strlen(lines)) && send_chunked(fd, answer);
    }
    if (status == 204 || status == 304)
        snprintf(head, sizeof(head), "\r\n");
    else
        snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", answer->body_len);
    if (!send_all(fd, head, strlen(head)))
        return false;
    if (is_head || status == 204 || status == 304)
        return !answer->close;
    if (answer->cut || answer->stall) {
        send_all(fd, answer->body, answer->cut_at);
        if (answer->stall)
            wait_ms(server, -1);
        return false;
    }
    return send_all(fd, answer->body, answer->body_len) && !answer->close;
}

static void *serve(void *ctx)
{
    connection *self = ctx;
    http_server *server = self->server;
    input *in = calloc(1, sizeof(*in));
    server_request *request = calloc(1, sizeof(*request));
    bool goes_on = true;

    must(in && request, "calloc");
    in->fd = self->fd;
    while (goes_on && read_request(in, request)) {
        server_answer answer = { 0 };

        pthread_mutex_lock(&server->lock);
        server->requests++;
        pthread_mutex_unlock(&server->lock);
        pthread_mutex_lock(&server->answering);
        server->answer(server->ctx, request, &answer);
        pthread_mutex_unlock(&server->answering);
        goes_on = send_answer(server, self->fd, &answer,
                              strcmp(request->method, "HEAD") == 0);
        free(answer.owned);
        free(request->body);
        request->body = NULL;
    }
    free(request->body);
    free(request);
    free(in);
    pthread_mutex_lock(&server->lock);
    close(self->fd);
    self->over = true;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* Under the lock: a free place, after joining what is over. */
static connection *free_place(http_server *server)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connection *place = &server->connections[i];

        if (place->used && place->over) {
            pthread_join(place->thread, NULL);
            place->used = false;
        }
        if (!place->used)
            return place;
    }
    must(false, "too many connections");
    return NULL;
}

static void *accept_all(void *ctx)
{
    http_server *server = ctx;

    for (;;) {
        struct pollfd fds[2] = { { .fd = server->fd, .events = POLLIN },
                                 { .fd = server->wake[0], .events = POLLIN } };
        connection *place;
        int one = 1;
        int fd;

        if (poll(fds, 2, -1) < 0 && errno == EINTR)
            continue;
        if (fds[1].revents)
            return NULL;
        fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_mutex_lock(&server->lock);
        server->accepted++;
        place = free_place(server);
        *place = (connection){ .server = server, .fd = fd, .used = true };
        must(pthread_create(&place->thread, NULL, serve, place) == 0, "pthread_create");
        pthread_mutex_unlock(&server->lock);
    }
}

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0, "socket");
    must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    must(listen(fd, 128) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

http_server *http_server_start(server_fn answer, void *ctx)
{
    http_server *server = calloc(1, sizeof(*server));
    unsigned port;

    must(server != NULL, "calloc");
    server->answer = answer;
    server->ctx = ctx;
    server->fd = listen_somewhere(&port);
    must(pipe(server->wake) == 0, "pipe");
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", port);
    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->answering, NULL);
    must(pthread_create(&server->thread, NULL, accept_all, server) == 0,
         "pthread_create");
    return server;
}

const char *http_server_url(const http_server *server)
{
    return server->url;
}

unsigned http_server_requests(http_server *server)
{
    unsigned n;

    pthread_mutex_lock(&server->lock);
    n = server->requests;
    pthread_mutex_unlock(&server->lock);
    return n;
}

unsigned http_server_connections(http_server *server)
{
    unsigned n;

    pthread_mutex_lock(&server->lock);
    n = server->accepted;
    pthread_mutex_unlock(&server->lock);
    return n;
}

void http_server_settle(http_server *server)
{
    pthread_mutex_lock(&server->answering);
    pthread_mutex_unlock(&server->answering);
}

void http_server_stop(http_server *server)
{
    if (!server)
        return;
    must(write(server->wake[1], "x", 1) == 1, "write");
    pthread_join(server->thread, NULL);
    close(server->fd);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connection *place = &server->connections[i];

        pthread_mutex_lock(&server->lock);
        if (place->used && !place->over)
            shutdown(place->fd, SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        if (place->used)
            pthread_join(place->thread, NULL);
    }
    close(server->wake[0]);
    close(server->wake[1]);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->answering);
    free(server);
}

unsigned unused_port(void)
{
    unsigned port;

    close(listen_somewhere(&port));
    return port;
}

/* ---- taking requests apart ----------------------------------------------------------------- */

bool server_first_part(const server_request *request, vv_bytes *part)
{
    const char *type = server_header(request, "content-type");
    const char *boundary = type ? strstr(type, "boundary=") : NULL;
    const uint8_t *begin;
    const uint8_t *end;
    char mark[256];
    int n;

    if (!boundary)
        return false;
    n = snprintf(mark, sizeof(mark), "\r\n--%s", boundary + 9);
    begin = memmem(request->body, request->body_len, "\r\n\r\n", 4);
    if (!begin)
        return false;
    begin += 4;
    end = memmem(begin, request->body_len - (size_t)(begin - request->body), mark,
                 (size_t)n);
    if (!end)
        return false;
    *part = (vv_bytes){ begin, (size_t)(end - begin) };
    return true;
}

bool server_query(const server_request *request, const char *name, unsigned n, char *out,
                  size_t cap)
{
    const char *at = strchr(request->target, '?');
    size_t len = strlen(name);

    while (at && *++at) {
        const char *end = at + strcspn(at, "&");

        if (strncmp(at, name, len) == 0 && at[len] == '=' && n-- == 0) {
            size_t used = 0;

            for (at += len + 1; at < end && used + 1 < cap; at++) {
                unsigned byte = (unsigned char)*at;

                if (byte == '%' && sscanf(at + 1, "%2x", &byte) == 1)
                    at += 2;
                out[used++] = (char)byte;
            }
            out[used] = '\0';
            return true;
        }
        at = *end ? end : NULL;
    }
    return false;
}
