/* A client and a server that answers from a script. */
#ifndef VV_TESTS_HTTP_FIXTURE_H
#define VV_TESTS_HTTP_FIXTURE_H

#include "support/http_server.h"
#include "support/support.h"

#include "http/http.h"

#include <pthread.h>
#include <stdio.h>

#define SCRIPT_MAX 32

/* Answers in order, the last one for ever; and what was asked. */
typedef struct script {
    http_server *server;
    server_answer answers[SCRIPT_MAX];
    size_t count;
    size_t next;
    server_request seen[SCRIPT_MAX]; /* without bodies */
    char last_body[4096];
    size_t last_body_len;
} script;

static void play(void *ctx, const server_request *request, server_answer *answer)
{
    script *self = ctx;
    size_t i = self->next < self->count ? self->next : self->count - 1;

    if (self->next < SCRIPT_MAX) {
        self->seen[self->next] = *request;
        self->seen[self->next].body = NULL;
    }
    self->last_body_len = request->body_len;
    if (request->body_len <= sizeof(self->last_body) && request->body_len)
        memcpy(self->last_body, request->body, request->body_len);
    self->next++;
    *answer = self->answers[i];
}

static script *start_script(void)
{
    script *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    self->server = http_server_start(play, self);
    return self;
}

static void end_script(script *self)
{
    http_server_stop(self->server);
    free(self);
}

static server_answer answer_of(int status, const char *body)
{
    return (server_answer){ .status = status,
                            .body = (const uint8_t *)body,
                            .body_len = strlen(body) };
}

static void add_answer(script *self, server_answer answer)
{
    self->answers[self->count++] = answer;
}

#endif
