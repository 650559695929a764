/* The pieces of work that are counted, with py-hamt's names. */
#include "metrics/metrics.h"

#include "metrics/instruments.h"
#include "metrics/span.h"
#include "util/thread.h"

#include <stdio.h>
#include <string.h>

static double seconds_since(uint64_t begun_ns)
{
    return (double)(vvi_now_ns() - begun_ns) / 1e9;
}

/* ---- loads of blocks ------------------------------------------------------------------------------- */

static _Thread_local vvi_told_loads told;

static const char load_name[] = "py_hamt.cas.load";

vvi_told_loads vvi_loads_set_told(vvi_told_loads loads)
{
    vvi_told_loads before = told;

    told = loads;
    return before;
}

void vvi_loads_at(size_t i)
{
    told.first = i;
}

void vvi_loads_next(void)
{
    told.first++;
}

void vv_metrics_tell_load(size_t i, uint32_t retries, vv_load_outcome outcome)
{
    vvi_load *load;

    if (!told.loads || told.first >= told.count || i >= told.count - told.first)
        return;
    load = &told.loads[told.first + i];
    load->is_told = true;
    load->retries = retries;
    load->outcome = outcome;
}

static void load_start_facts(const char *cid, bool has_range, vvi_span_facts *facts)
{
    vvi_fact_text(facts, "py_hamt.cid", cid);
    vvi_fact_bool(facts, "py_hamt.cas.has_range", has_range);
}

void vvi_load_begin(vvi_load *self, const char *cid, bool has_range, bool is_alone)
{
    vvi_span_facts facts = { .count = 0 };

    memset(self, 0, sizeof(*self));
    load_start_facts(cid, has_range, &facts);
    vvi_span_begin(&self->span, load_name, &facts, is_alone);
    self->is_alone = is_alone;
    self->is_inflight = true;
    vvi_count_begun();
    self->begun_ns = vvi_now_ns();
}

static vv_load_outcome outcome_of(const vvi_load *self, vv_status status)
{
    if (self->is_told && (status != VV_OK) == (self->outcome != VV_LOAD_OK))
        return self->outcome;
    switch (status) {
    case VV_OK:
        return VV_LOAD_OK;
    case VV_ENOTFOUND:
        return VV_LOAD_HTTP_ERROR;
    case VV_ECORRUPT:
        return VV_LOAD_CONTENT_MISMATCH;
    case VV_ETIMEDOUT:
        return VV_LOAD_TIMEOUT;
    default:
        return VV_LOAD_REQUEST_ERROR;
    }
}

static void count_load(const vvi_load *self, const char *cid, bool has_range,
                       const char *status, uint64_t bytes, double seconds)
{
    char name[64];

    vvi_count(has_range ? "cas_load.range" : "cas_load.full", 1);
    vvi_count("cas_load.total", 1);
    snprintf(name, sizeof(name), "cas_load.status.%s", status);
    vvi_count(name, 1);
    vvi_count("cas_load.retries", self->retries);
    vvi_count_bytes("cas_load.response_bytes", (double)bytes);
    vvi_count_time("cas_load.latency_seconds", seconds);
    vvi_count_asked(VVI_ASKED_CIDS, "", vv_bytes_of(cid));
}

void vvi_load_end(vvi_load *self, const char *cid, bool has_range, vv_status status,
                  uint64_t bytes)
{
    double seconds = seconds_since(self->begun_ns);
    vv_load_outcome outcome = outcome_of(self, status);
    const char *text = vvi_attribute_status.values[outcome];
    uint8_t values[VVI_POINT_ATTRIBUTES] = { has_range, (uint8_t)outcome };
    vvi_span_facts start = { .count = 0 };
    vvi_span_facts end = { .message = "" };

    if (self->is_inflight)
        vvi_count_ended();
    self->is_inflight = false;
    bytes = status ? 0 : bytes;
    if (vvi_metrics_counting())
        count_load(self, cid, has_range, text, bytes, seconds);
    vvi_record(VVI_CAS_REQUESTS, 1, values);
    vvi_record(VVI_CAS_BYTES, (double)bytes, values);
    vvi_record(VVI_CAS_RETRIES, self->retries, values);
    vvi_record(VVI_CAS_DURATION, seconds, values);
    load_start_facts(cid, has_range, &start);
    vvi_fact_text(&end, "py_hamt.cas.status", text);
    vvi_fact_number(&end, "py_hamt.cas.response_bytes", bytes);
    vvi_fact_number(&end, "py_hamt.cas.retries", self->retries);
    end.failed = outcome != VV_LOAD_OK;
    end.message = end.failed ? text : "";
    vvi_span_end(&self->span, load_name, &start, &end, self->is_alone);
}

/* ---- lookups ---------------------------------------------------------------------------------------- */

static _Thread_local vvi_lookup *current_lookup;
static _Thread_local uint64_t node_loads_counted;

static const char lookup_name[] = "py_hamt.hamt.lookup";

#define KEY_TEXT 512

/* A key as text: keys of a map are any bytes. */
static const char *key_text(vv_bytes key, char out[KEY_TEXT])
{
    size_t len = key.len < KEY_TEXT - 1 ? key.len : KEY_TEXT - 1;

    if (len)
        memcpy(out, key.data, len);
    out[len] = '\0';
    return out;
}

uint64_t vvi_node_loads_counted(void)
{
    return node_loads_counted;
}

void vvi_lookup_begin(vvi_lookup *self, vv_bytes key, bool is_alone)
{
    vvi_span_facts facts = { .count = 0 };
    char text[KEY_TEXT];

    memset(self, 0, sizeof(*self));
    vvi_fact_text(&facts, "py_hamt.hamt.lookup.key", key_text(key, text));
    vvi_span_begin(&self->span, lookup_name, &facts, is_alone);
    self->is_alone = is_alone;
    self->outer = current_lookup;
    if (is_alone)
        current_lookup = self;
    self->begun_ns = vvi_now_ns();
}

static void count_lookup(const vvi_lookup *self, vv_bytes key, unsigned depth, bool found,
                         double seconds)
{
    vvi_count("hamt_lookup.total", 1);
    vvi_count(found ? "hamt_lookup.found" : "hamt_lookup.missing", 1);
    vvi_count_value("hamt_lookup.depth", depth);
    vvi_count_value("hamt_lookup.node_loads", (double)self->node_loads);
    vvi_count_value("hamt_lookup.node_cache_hits", (double)self->node_hits);
    vvi_count_time("hamt_lookup.latency_seconds", seconds);
    vvi_count_asked(VVI_ASKED_KEYS, "hamt:", key);
}

void vvi_lookup_end(vvi_lookup *self, vv_bytes key, unsigned depth, vv_status status)
{
    double seconds = seconds_since(self->begun_ns);
    bool found = status == VV_OK;
    uint8_t values[VVI_POINT_ATTRIBUTES] = { found };
    vvi_span_facts start = { .count = 0 };
    vvi_span_facts end = { .message = "",
                           .failed = status != VV_OK,
                           .exception = status };
    char text[KEY_TEXT];

    if (self->is_alone)
        current_lookup = self->outer;
    if (vvi_metrics_counting())
        count_lookup(self, key, depth, found, seconds);
    vvi_record(VVI_LOOKUP_REQUESTS, 1, values);
    vvi_record(VVI_LOOKUP_DURATION, seconds, values);
    vvi_record(VVI_LOOKUP_DEPTH, depth, values);
    if (!self->span.is_live)
        return;
    key_text(key, text);
    vvi_fact_text(&start, "py_hamt.hamt.lookup.key", text);
    if (self->node_loads) {
        vvi_fact_bool(&end, "py_hamt.hamt.node_load.cache_hit", self->last_hit);
        vvi_fact_number(&end, "py_hamt.hamt.node_load.bytes", self->last_bytes);
    }
    vvi_fact_text(&end, "py_hamt.hamt.lookup.key", text);
    vvi_fact_number(&end, "py_hamt.hamt.lookup.depth", depth);
    vvi_fact_number(&end, "py_hamt.hamt.lookup.node_loads", self->node_loads);
    vvi_fact_number(&end, "py_hamt.hamt.lookup.node_cache_hits", self->node_hits);
    vvi_fact_bool(&end, "py_hamt.hamt.lookup.found", found);
    if (status && status != VV_ENOTFOUND)
        end.message = vv_status_name(status);
    vvi_span_end(&self->span, lookup_name, &start, &end, self->is_alone);
}

void vvi_count_node_loads(bool hit, uint64_t n, uint64_t bytes, uint64_t ns)
{
    uint8_t values[VVI_POINT_ATTRIBUTES] = { hit };
    double seconds = n ? (double)ns / 1e9 / (double)n : 0;

    node_loads_counted += n;
    if (current_lookup && n) {
        current_lookup->node_loads += n;
        current_lookup->node_hits += hit ? n : 0;
        current_lookup->last_hit = hit;
        current_lookup->last_bytes = bytes;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (vvi_metrics_counting()) {
            vvi_count(hit ? "hamt_node_load.cache_hit" : "hamt_node_load.cache_miss", 1);
            vvi_count("hamt_node_load.total", 1);
            vvi_count_bytes("hamt_node_load.bytes", (double)bytes);
            vvi_count_time("hamt_node_load.latency_seconds", seconds);
        }
        vvi_record(VVI_NODE_REQUESTS, 1, values);
        vvi_record(VVI_NODE_BYTES, (double)bytes, values);
        vvi_record(VVI_NODE_DURATION, seconds, values);
    }
}

/* ---- gets of stores ----------------------------------------------------------------------------------- */

static _Thread_local vvi_get *current_get;

static const char *const get_names[] = { "py_hamt.hamt_store.get",
                                         "py_hamt.sharded_store.get" };

static void get_start_facts(const char *key, bool has_range, vvi_span_facts *facts)
{
    vvi_fact_text(facts, "py_hamt.zarr.key", key);
    vvi_fact_bool(facts, "py_hamt.zarr.byte_range", has_range);
}

void vvi_get_begin(vvi_get *self, vvi_get_store store, const char *key, bool has_range,
                   bool is_alone)
{
    vvi_span_facts facts = { .count = 0 };

    memset(self, 0, sizeof(*self));
    self->store = store;
    self->has_range = has_range;
    self->is_alone = is_alone;
    get_start_facts(key, has_range, &facts);
    vvi_span_begin(&self->span, get_names[store], &facts, is_alone);
    self->outer = current_get;
    if (is_alone)
        current_get = self;
    self->begun_ns = vvi_now_ns();
}

static void count_get(const vvi_get *self, const char *key, const char *kind, bool hit,
                      double seconds)
{
    const char *store = vvi_attribute_store.values[self->store];
    char name[96];

    snprintf(name, sizeof(name), "%s.get.%s.total", store, kind);
    vvi_count(name, 1);
    snprintf(name, sizeof(name), "%s.get.%s.%s", store, kind, hit ? "hit" : "miss");
    vvi_count(name, 1);
    if (self->has_range) {
        snprintf(name, sizeof(name), "%s.get.%s.byte_range", store, kind);
        vvi_count(name, 1);
    }
    if (self->has_shard) {
        snprintf(name, sizeof(name), "%s.shard.%" PRIu64 ".requests", store, self->shard);
        vvi_count(name, 1);
    }
    snprintf(name, sizeof(name), "%s.get.%s.latency_seconds", store, kind);
    vvi_count_time(name, seconds);
    snprintf(name, sizeof(name), "%s:", store);
    vvi_count_asked(VVI_ASKED_KEYS, name, vv_bytes_of(key));
}

void vvi_get_end(vvi_get *self, const char *key, bool is_metadata, vv_status status)
{
    double seconds = seconds_since(self->begun_ns);
    bool hit = status == VV_OK;
    const char *kind = is_metadata ? "metadata" : "chunk";
    uint8_t values[VVI_POINT_ATTRIBUTES] = { (uint8_t)self->store, !is_metadata, hit,
                                             self->has_range };
    vvi_span_facts start = { .count = 0 };
    vvi_span_facts end = { .message = "" };

    if (self->is_alone)
        current_get = self->outer;
    if (vvi_metrics_counting())
        count_get(self, key, kind, hit, seconds);
    vvi_record(VVI_ZARR_REQUESTS, 1, values);
    vvi_record(VVI_ZARR_DURATION, seconds, values);
    get_start_facts(key, self->has_range, &start);
    if (self->has_shard) {
        vvi_fact_number(&end, "py_hamt.sharded_store.shard_idx", self->shard);
        vvi_fact_bool(&end, "py_hamt.sharded_store.shard_cache_hit", self->shard_hit);
        vvi_fact_number(&end, "py_hamt.sharded_store.shard_entries", self->shard_entries);
    }
    vvi_fact_text(&end, "py_hamt.zarr.store", vvi_attribute_store.values[self->store]);
    vvi_fact_text(&end, "py_hamt.zarr.key", key);
    vvi_fact_text(&end, "py_hamt.zarr.kind", kind);
    vvi_fact_bool(&end, "py_hamt.zarr.hit", hit);
    vvi_fact_bool(&end, "py_hamt.zarr.byte_range", self->has_range);
    if (self->has_shard)
        vvi_fact_number(&end, "py_hamt.zarr.shard_idx", self->shard);
    /* That there is no such key is an answer. */
    if (status && status != VV_ENOTFOUND) {
        end.failed = true;
        end.exception = status;
        end.message = vv_status_name(status);
    }
    vvi_span_end(&self->span, get_names[self->store], &start, &end, self->is_alone);
}

void vvi_count_shard_load(uint64_t shard, bool hit, uint64_t entries, uint64_t ns)
{
    uint8_t values[VVI_POINT_ATTRIBUTES] = { hit };
    double seconds = (double)ns / 1e9;
    char name[96];

    if (!vvi_metrics_on())
        return;
    if (current_get) {
        current_get->has_shard = true;
        current_get->shard = shard;
        current_get->shard_hit = hit;
        current_get->shard_entries = entries;
    }
    if (vvi_metrics_counting()) {
        vvi_count(
            hit ? "sharded_store.shard_cache.hit" : "sharded_store.shard_cache.miss", 1);
        vvi_count("sharded_store.shard_cache.total", 1);
        if (entries)
            vvi_count_value("sharded_store.shard_entries", (double)entries);
        snprintf(name, sizeof(name), "sharded_store.shard.%" PRIu64 ".loads", shard);
        vvi_count(name, 1);
        vvi_count_time("sharded_store.shard_cache.latency_seconds", seconds);
    }
    vvi_record(VVI_SHARD_REQUESTS, 1, values);
    vvi_record(VVI_SHARD_DURATION, seconds, values);
    if (entries)
        vvi_record(VVI_SHARD_ENTRIES, (double)entries, values);
}

/* ---- of our own ------------------------------------------------------------------------------------------ */

void vvi_count_work(vvi_work work, const char *where, uint64_t items, uint64_t bytes,
                    uint64_t begun_ns, vv_status status)
{
    static const char *const names[] = { "block.put", "store.get", "store.set",
                                         "store.delete", "store.list" };
    static const char *const outcomes[] = { "ok", "not_found", "error" };
    uint8_t outcome = status == VV_OK ? 0 : status == VV_ENOTFOUND ? 1 : 2;
    uint8_t values[VVI_POINT_ATTRIBUTES] = {
        vvi_attribute_value(&vvi_attribute_where, where), outcome
    };
    vvi_instrument first = (vvi_instrument)(VVI_WORK_REQUESTS + 4 * work);
    double seconds = seconds_since(begun_ns);
    char name[128];

    if (vvi_metrics_counting()) {
        int len = snprintf(name, sizeof(name), "varvite.%s.%.40s.", names[work], where);
        size_t room = sizeof(name) - (size_t)len;

        snprintf(name + len, room, "total");
        vvi_count(name, 1);
        snprintf(name + len, room, "%s", outcomes[outcome]);
        vvi_count(name, 1);
        snprintf(name + len, room, "items");
        vvi_count(name, (double)items);
        snprintf(name + len, room, "bytes");
        vvi_count_bytes(name, (double)bytes);
        snprintf(name + len, room, "latency_seconds");
        vvi_count_time(name, seconds);
    }
    vvi_record(first, 1, values);
    vvi_record(first + 1, (double)items, values);
    vvi_record(first + 2, (double)bytes, values);
    vvi_record(first + 3, seconds, values);
}

void vvi_count_block_cache(uint64_t hits, uint64_t misses)
{
    if (vvi_metrics_counting()) {
        vvi_count("varvite.block_cache.hit", (double)hits);
        vvi_count("varvite.block_cache.miss", (double)misses);
    }
    if (hits)
        vvi_record(VVI_BLOCK_CACHE_REQUESTS, (double)hits,
                   (const uint8_t[VVI_POINT_ATTRIBUTES]){ 1 });
    if (misses)
        vvi_record(VVI_BLOCK_CACHE_REQUESTS, (double)misses,
                   (const uint8_t[VVI_POINT_ATTRIBUTES]){ 0 });
}
