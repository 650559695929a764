/* A Kubo store is a block store: the contract, over RPC and gateway, over the RPC alone, and with block/put. */
#include "blockstore/contract.h"
#include "kubo/little_kubo.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static vv_error err;
static bool with_gateway;
static vv_kubo_write writes;

/* The server is a process of its own: allocations that fail here do not fail there. */
typedef struct child {
    pid_t pid;
    char url[128];
} child;

static void serve_until_killed(int fd)
{
    little_kubo *server;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    server = little_kubo_start();
    if (write(fd, little_kubo_url(server), strlen(little_kubo_url(server))) < 0)
        _exit(1);
    close(fd);
    for (;;)
        pause();
}

static child *start_child(void)
{
    child *self = calloc(1, sizeof(*self));
    size_t len = 0;
    ssize_t n;
    int fds[2];

    assert_non_null(self);
    assert_int_equal(pipe(fds), 0);
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0) {
        close(fds[0]);
        serve_until_killed(fds[1]);
    }
    close(fds[1]);
    while ((n = read(fds[0], self->url + len, sizeof(self->url) - 1 - len)) > 0)
        len += (size_t)n;
    close(fds[0]);
    assert_true(len > 0);
    return self;
}

static vv_blockstore *make(void **ctx, const vv_block *blocks, size_t n)
{
    child *server = start_child();
    const char *url = server->url;
    vv_kubo_options options = VV_KUBO_OPTIONS_INIT;
    vv_blockstore *store = NULL;

    options.rpc_url = url;
    options.gateway_urls = with_gateway ? &url : NULL;
    options.gateway_count = with_gateway;
    options.allow_big_blocks = true;
    options.write = writes;
    options.proxy = "";
    assert_vv_ok(vv_kubo_open(&options, &store, &err));
    assert_vv_ok(vv_blockstore_add_many(store, blocks, n, &err));
    *ctx = server;
    return store;
}

static void unmake(void *ctx)
{
    child *server = ctx;

    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    free(server);
}

int main(void)
{
    contract_backend backend = { .name = "kubo", .make = make, .unmake = unmake };
    int failed = 0;

    with_gateway = true;
    failed += run_blockstore_contract(&backend);
    with_gateway = false;
    backend.name = "kubo, RPC alone";
    failed += run_blockstore_contract(&backend);
    writes = VV_KUBO_BLOCK_PUT;
    backend.name = "kubo, block/put";
    failed += run_blockstore_contract(&backend);
    return failed;
}
