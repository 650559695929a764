#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/dag.h>
#include <varvite/open.h>

#include <stdlib.h>
#include <string.h>

typedef struct verification {
    cli_progress progress; /* first: the callbacks share one context */
    cli_call *call;
    vv_verify_result result;
    uint64_t seen_at_tick;
} verification;

/* One bad or missing block. */
static vv_status print_finding(cli_call *call, vv_status status, const char *what,
                               const char *key, const vv_cid *cid, const char *message)
{
    const char *kind = status == VV_ENOTFOUND      ? "missing"
                       : status == VV_ECORRUPT     ? "bad"
                       : status == VV_EUNSUPPORTED ? "unsupported"
                                                   : "unreadable";

    progress_hide();
    if (call->json) {
        json_object(NULL);
        json_text("status", kind);
        json_text("what", what);
        if (key)
            json_text("key", key);
        json_cid("cid", cid);
        json_text("message", message);
        json_end();
    } else {
        out_format("%s%s%s  %s", cli_color(call->color_out, "red"), kind,
                   cli_color(call->color_out, "off"), what);
        if (key) {
            out_text(" ");
            out_name(key);
        }
        out_text("  ");
        out_cid(cid);
        out_text(": ");
        out_name(message ? message : vv_status_name(status));
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status report(void *ctx, const vv_verify_finding *finding)
{
    verification *self = ctx;

    return print_finding(self->call, finding->status, finding->is_node ? "node" : "value",
                         finding->key, finding->cid, finding->message);
}

static void summary(cli_call *call, const vv_verify_result *result, vv_status status)
{
    bool good = status == VV_OK;

    if (call->json) {
        json_end();
        json_bool("ok", good);
        json_bool("complete", result->complete);
        json_uint("nodes", result->nodes);
        json_uint("values", result->values);
        json_uint("keys", result->keys);
        json_uint("bytes", result->bytes);
        json_uint("bad", result->bad);
        json_uint("missing", result->missing);
        json_end();
        return;
    }
    if (!good && status != VV_ECORRUPT)
        return;
    out_format("%s%s%s%s: %s, %s of %s, %s hashed; %llu bad, %llu missing\n",
               cli_color(call->color_out, good ? "green" : "red"),
               good ? "good" : "damaged", cli_color(call->color_out, "off"),
               result->complete ? "" : ", as far as it was looked at",
               cli_count_text(result->nodes, "node"),
               cli_count_text(result->values, "value"),
               cli_count_text(result->keys, "key"), cli_bytes_text(result->bytes),
               (unsigned long long)result->bad, (unsigned long long)result->missing);
}

/* A share: "0.1", "10%". */
static vv_status sample_option(cli_call *call, double *out)
{
    const char *text = cli_text(call, "sample");
    char *end;

    *out = 0;
    if (!text)
        return VV_OK;
    double value = strtod(text, &end);
    if (end != text && strcmp(end, "%") == 0) {
        value /= 100;
        end++;
    }
    if (end == text || *end || !(value > 0) || value > 1)
        return cli_usage(call, "--sample %s: must be above 0 and at most 1, or 100%%",
                         text);
    *out = value;
    return VV_OK;
}

static vv_status verify_tree(verification *self, vv_blockstore *blocks,
                             const vv_cid *root)
{
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;
    cli_call *call = self->call;
    uint64_t threads;

    vv_status status = sample_option(call, &options.sample);
    if (!status)
        status = cli_real(call, "max-seconds", 0, &options.max_seconds);
    if (!status)
        status = cli_number(call, "seed", 0, UINT64_MAX, &options.seed);
    if (!status)
        status = cli_number(call, "threads", 0, 1024, &threads);
    if (status)
        return status;
    options.threads = (uint32_t)threads;
    options.hamt.ids = (vv_cid_prefix){ .hash = root->hash,
                                        .version = root->version,
                                        .digest_len = root->digest_len };
    options.report = report;
    options.progress = progress_tick;
    options.ctx = self;
    return vv_root_verify(blocks, root, &options, &self->result, &call->err);
}

static vv_status visit(void *ctx, const vv_dag_visit *seen, vv_error *err)
{
    verification *self = ctx;
    vv_progress at = { .what = "verify" };

    (void)err;
    if (seen->status == VV_OK) {
        if (seen->cid->codec == VV_CODEC_RAW)
            self->result.values++;
        else
            self->result.nodes++;
        self->result.bytes += seen->data.len;
    } else {
        if (seen->status == VV_ENOTFOUND)
            self->result.missing++;
        else
            self->result.bad++;
        vv_status status = print_finding(self->call, seen->status, "block", NULL,
                                         seen->cid, seen->message);
        if (status)
            return status;
    }
    at.items_done = self->result.values + self->result.nodes;
    at.bytes_done = self->result.bytes;
    return progress_tick(self, &at);
}

/* Blocks that links reach, whatever they hold. */
static vv_status verify_dag(verification *self, vv_blockstore *blocks, const vv_cid *root)
{
    vv_dag_options options = VV_DAG_OPTIONS_INIT;
    vv_status status;

    options.bare_links = true;
    status = vv_dag_walk(blocks, root, 1, &options, visit, self, &self->call->err);

    self->result.complete = status == VV_OK;
    self->result.keys = self->result.values;
    if (!status && (self->result.bad || self->result.missing))
        status = cli_fail(self->call, VV_ECORRUPT, "bad or missing blocks");
    return status;
}

vv_status cmd_verify(cli_call *call)
{
    verification self = { .call = call };
    vv_blockstore *blocks = NULL;
    bool dag = cli_has(call, "dag");
    vv_cid root;

    if (dag && (cli_has(call, "sample") || cli_has(call, "max-seconds")))
        return cli_usage(call, "--dag checks everything: no --sample, no --max-seconds");
    vv_status status = cli_cid(call, call->args[0], &root);
    if (!status)
        status = cli_open_blocks(call, CLI_READ, &blocks);
    if (status)
        return status;
    progress_begin(&self.progress, call, "verify");
    if (call->json) {
        json_object(NULL);
        json_list("found");
    }
    status = (dag ? verify_dag : verify_tree)(&self, blocks, &root);
    progress_hide();
    summary(call, &self.result, status);
    vv_blockstore_free(blocks);
    return status;
}
