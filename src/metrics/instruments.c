#include "metrics/instruments.h"

#include <string.h>
#include <strings.h>

/* Seconds, from what a map in memory takes to what a far gateway takes. */
static const double seconds[] = { 1e-6, 2.5e-6, 5e-6,   1e-5, 2.5e-5, 5e-5,  1e-4, 2.5e-4,
                                  5e-4, 1e-3,   2.5e-3, 5e-3, 0.01,   0.025, 0.05, 0.1,
                                  0.25, 0.5,    1,      2.5,  5,      10,    60 };
static const double depths[] = { 0, 1, 2, 3, 4, 5, 6, 8, 16, 32 };
static const double entries[] = { 1, 10, 100, 1000, 2500, 5000, 10000, 100000, 1000000 };

static const char *const statuses[] = { "ok",      "request_error",    "http_error",
                                        "timeout", "content_mismatch", NULL };
static const char *const zarr_stores[] = { "hamt_store", "sharded_store", NULL };
static const char *const kinds[] = { "metadata", "chunk", NULL };
static const char *const outcomes[] = { "ok", "not_found", "error", NULL };
static const char *const places[] = { "memory",  "local",     "cache",      "kubo",
                                      "gateway", "car",       "directory",  "hamt",
                                      "sharded", "encrypted", "trajectory", "other",
                                      NULL };

static const vvi_attribute_def has_range = { "py_hamt.cas.has_range", NULL };
const vvi_attribute_def vvi_attribute_status = { "py_hamt.cas.status", statuses };
static const vvi_attribute_def found = { "py_hamt.hamt.lookup.found", NULL };
static const vvi_attribute_def cache_hit = { "py_hamt.cache_hit", NULL };
const vvi_attribute_def vvi_attribute_store = { "py_hamt.zarr.store", zarr_stores };
static const vvi_attribute_def kind = { "py_hamt.zarr.kind", kinds };
static const vvi_attribute_def hit = { "py_hamt.zarr.hit", NULL };
static const vvi_attribute_def byte_range = { "py_hamt.zarr.byte_range", NULL };
const vvi_attribute_def vvi_attribute_where = { "varvite.store", places };
static const vvi_attribute_def outcome = { "varvite.status", outcomes };
static const vvi_attribute_def block_cache_hit = { "varvite.cache_hit", NULL };

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

/* clang-format off */
#define COUNTER(at_, name_, unit_, help_, ...)                                            \
    [at_] = { .name = (name_), .unit = (unit_), .help = (help_), .kind = VV_COUNTER,      \
              .attributes = { __VA_ARGS__ } }
#define HISTOGRAM(at_, name_, unit_, bounds_, help_, ...)                                 \
    [at_] = { .name = (name_), .unit = (unit_), .help = (help_), .kind = VV_HISTOGRAM,    \
              .bounds = (bounds_), .bound_count = COUNT(bounds_),                         \
              .attributes = { __VA_ARGS__ } }

/* The four instruments of a kind of work of our own. */
#define WORK(work_, name_, help_)                                                         \
    COUNTER(VVI_WORK_REQUESTS + 4 * (work_), name_ ".requests", "1",                      \
            "Calls that " help_, &vvi_attribute_where, &outcome),                         \
    COUNTER(VVI_WORK_ITEMS + 4 * (work_), name_ ".items", "1",                            \
            "Items of calls that " help_, &vvi_attribute_where, &outcome),                \
    COUNTER(VVI_WORK_BYTES + 4 * (work_), name_ ".bytes", "By",                           \
            "Bytes of calls that " help_, &vvi_attribute_where, &outcome),                \
    HISTOGRAM(VVI_WORK_DURATION + 4 * (work_), name_ ".duration", "s", seconds,           \
              "Time of calls that " help_, &vvi_attribute_where, &outcome)

const vvi_instrument_def vvi_instruments[VVI_INSTRUMENT_COUNT] = {
    COUNTER(VVI_CAS_REQUESTS, "py_hamt.cas.load.requests", "1",
            "Blocks asked of block stores", &has_range, &vvi_attribute_status),
    COUNTER(VVI_CAS_BYTES, "py_hamt.cas.load.response_bytes", "By",
            "Bytes that block stores answered", &has_range, &vvi_attribute_status),
    COUNTER(VVI_CAS_RETRIES, "py_hamt.cas.load.retries", "1",
            "Requests for blocks made again", &has_range, &vvi_attribute_status),
    HISTOGRAM(VVI_CAS_DURATION, "py_hamt.cas.load.duration", "s", seconds,
              "Time to get a block from a block store", &has_range, &vvi_attribute_status),
    COUNTER(VVI_LOOKUP_REQUESTS, "py_hamt.hamt.lookup.requests", "1",
            "Keys looked up in HAMTs", &found),
    HISTOGRAM(VVI_LOOKUP_DURATION, "py_hamt.hamt.lookup.duration", "s", seconds,
              "Time to look a key up in a HAMT", &found),
    HISTOGRAM(VVI_LOOKUP_DEPTH, "py_hamt.hamt.lookup.depth", "1", depths,
              "Depth of the node where a lookup ended", &found),
    COUNTER(VVI_NODE_REQUESTS, "py_hamt.hamt.node_load.requests", "1",
            "HAMT nodes that reads came to", &cache_hit),
    COUNTER(VVI_NODE_BYTES, "py_hamt.hamt.node_load.bytes", "By",
            "Bytes of HAMT nodes loaded", &cache_hit),
    HISTOGRAM(VVI_NODE_DURATION, "py_hamt.hamt.node_load.duration", "s", seconds,
              "Time to come to a HAMT node", &cache_hit),
    COUNTER(VVI_ZARR_REQUESTS, "py_hamt.zarr.get.requests", "1",
            "Keys asked of HAMT and sharded stores",
            &vvi_attribute_store, &kind, &hit, &byte_range),
    HISTOGRAM(VVI_ZARR_DURATION, "py_hamt.zarr.get.duration", "s", seconds,
              "Time to get a key from a HAMT or sharded store",
              &vvi_attribute_store, &kind, &hit, &byte_range),
    COUNTER(VVI_SHARD_REQUESTS, "py_hamt.sharded_store.shard_load.requests", "1",
            "Shards asked of the index of sharded stores", &cache_hit),
    HISTOGRAM(VVI_SHARD_DURATION, "py_hamt.sharded_store.shard_load.duration", "s", seconds,
              "Time to come to a shard", &cache_hit),
    HISTOGRAM(VVI_SHARD_ENTRIES, "py_hamt.sharded_store.shard_entries", "1", entries,
              "Slots of the shards asked for", &cache_hit),
    WORK(VVI_BLOCK_PUT, "varvite.block.put", "put blocks"),
    WORK(VVI_STORE_GET, "varvite.store.get", "get values from stores"),
    WORK(VVI_STORE_SET, "varvite.store.set", "set values in stores"),
    WORK(VVI_STORE_DELETE, "varvite.store.delete", "delete keys of stores"),
    WORK(VVI_STORE_LIST, "varvite.store.list", "list keys of stores"),
    COUNTER(VVI_BLOCK_CACHE_REQUESTS, "varvite.block_cache.requests", "1",
            "Blocks asked of block caches", &block_cache_hit),
};
/* clang-format on */

/* Names of stores are for messages: "HAMT" is hamt, "encrypted (py-hamt)" is encrypted. */
static bool is_named(const char *text, const char *value)
{
    size_t len = strlen(value);

    return strncasecmp(text, value, len) == 0 && (!text[len] || text[len] == ' ');
}

uint8_t vvi_attribute_value(const vvi_attribute_def *attribute, const char *text)
{
    uint8_t i = 0;

    while (attribute->values[i + 1] && !is_named(text, attribute->values[i]))
        i++;
    return i;
}

const vvi_instrument_def *vvi_point_instrument(uint32_t key)
{
    return &vvi_instruments[key & 0xff];
}

size_t vvi_point_attributes(uint32_t key, vv_attribute out[VVI_POINT_ATTRIBUTES])
{
    const vvi_instrument_def *instrument = vvi_point_instrument(key);
    size_t n = 0;

    for (; n < VVI_POINT_ATTRIBUTES && instrument->attributes[n]; n++) {
        const vvi_attribute_def *def = instrument->attributes[n];
        unsigned value = key >> (8 + 4 * n) & 0xf;

        out[n] = (vv_attribute){ .name = def->name };
        if (def->values) {
            out[n].kind = VV_ATTRIBUTE_TEXT;
            out[n].text = def->values[value];
        } else {
            out[n].kind = VV_ATTRIBUTE_BOOL;
            out[n].integer = value;
        }
    }
    return n;
}

void vvi_record(vvi_instrument instrument, double value,
                const uint8_t values[VVI_POINT_ATTRIBUTES])
{
    const vvi_instrument_def *def = &vvi_instruments[instrument];
    uint32_t key = vvi_point_key(instrument, values);

    if (vvi_metrics_counting())
        vvi_count_point(key, value);
    if (vvi_sink_is_there()) {
        vv_attribute attributes[VVI_POINT_ATTRIBUTES];
        vv_measurement what = { .struct_size = sizeof(what),
                                .name = def->name,
                                .unit = def->unit,
                                .kind = def->kind,
                                .value = value,
                                .attributes = attributes };

        what.attribute_count = vvi_point_attributes(key, attributes);
        vvi_sink_measure(&what);
    }
}
