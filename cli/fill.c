#include "fill.h"

#include <stdlib.h>
#include <string.h>

/* What was stored is made safe this often, so that a kill costs little. */
#define FLUSH_EVERY_MS 2000

vv_status cli_fill_tick(void *ctx, const vv_progress *at)
{
    cli_fill *self = ctx;
    uint64_t now = progress_ms(&self->progress);

    if (self->blocks && now - self->flushed_ms >= FLUSH_EVERY_MS) {
        self->flushed_ms = now;
        vv_blockstore_flush(self->blocks,
                            NULL); /* a failure comes back from the next put */
    }
    return progress_tick(&self->progress, at);
}

/* --chunk a=1 --chunk b=2 is --chunk a=1,b=2; NULL where there is none. */
static char *join(cli_call *call, const char *option)
{
    size_t n;
    size_t cap = 1;
    const char **texts = cli_texts(call, option, &n);
    char *joined;

    for (size_t i = 0; i < n; i++)
        cap += strlen(texts[i]) + 1;
    joined = n ? cli_alloc(cap) : NULL;
    if (joined)
        *joined = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(joined, i ? "," : "");
        strcat(joined, texts[i]);
    }
    free(texts);
    return joined;
}

vv_status cli_fill_init(cli_fill *self, cli_call *call, const char *arrays_option)
{
    uint64_t threads = 0;

    self->call = call;
    vv_status status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &self->memory_bytes);
    if (!status && cli_text(call, "root") && cli_text(call, "resume"))
        status = cli_usage(call, "--root and --resume exclude each other");
    if (status)
        return status;
    self->threads = (uint32_t)threads;
    self->chunks = join(call, "chunk");
    self->shards = join(call, "shard");
    self->arrays = cli_texts(call, arrays_option, &self->array_count);
    if (!self->array_count) {
        free(self->arrays);
        self->arrays = NULL;
    }
    return VV_OK;
}

void cli_fill_clear(cli_fill *self)
{
    free(self->arrays);
    free(self->chunks);
    free(self->shards);
}

void cli_fill_save_part(cli_fill *self, cli_tree *tree, const char *verb)
{
    cli_call *call = self->call;
    char text[VV_CID_TEXT_MAX];
    vv_error failure = call->err;
    vv_cid part;

    progress_hide();
    if (cli_tree_commit(call, tree, &part) == VV_OK) {
        vv_cid_format(&part, text);
        cli_complain(call, "what was %s so far is stored; to go on:", verb);
        cli_complain(call, "varvite %s --resume %s ...", call->command->name, text);
    } else {
        cli_complain(call, "the part that was %s has no root: %s", verb,
                     call->err.message);
    }
    call->err = failure;
}
