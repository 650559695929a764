/* DAG-CBOR of HAMT nodes: 256 elements, buckets of up to four keys and links to children. */
#include "bench.h"

#include "util/buf.h"

typedef struct node {
    char keys[256][4][24];
    vv_cid links[256][4];
    uint8_t counts[256]; /* keys in the bucket; 5: a link to a child */
} node;

static node *sample;
static uint64_t sum;

static void make_cid(vv_cid *cid, uint64_t i)
{
    const vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;

    BENCH_OK(vv_cid_of(&prefix, (vv_bytes){ (const uint8_t *)&i, sizeof(i) }, cid,
                       &bench_error));
}

static void make_node(void)
{
    uint64_t n = 0;

    for (size_t slot = 0; slot < 256; slot++) {
        sample->counts[slot] = (uint8_t)(slot % 8 == 7 ? 5 : 1 + slot % 4);
        for (size_t i = 0; i < 4; i++) {
            /* Ten to a hundred thousand, so that all keys have the same length. */
            snprintf(sample->keys[slot][i], sizeof(sample->keys[slot][i]),
                     "temp/c/%u/0/0", (unsigned)(10000 + n));
            make_cid(&sample->links[slot][i], n++);
        }
    }
}

static void encode(vv_buf *out)
{
    out->len = 0;
    BENCH_OK(vv_cbor_put_list(out, 256, &bench_error));
    for (size_t slot = 0; slot < 256; slot++) {
        size_t count = sample->counts[slot];

        if (count == 5) {
            BENCH_OK(vv_cbor_put_list(out, 1, &bench_error));
            BENCH_OK(vv_cbor_put_link(out, &sample->links[slot][0], &bench_error));
            continue;
        }
        BENCH_OK(vv_cbor_put_map(out, count, &bench_error));
        for (size_t i = 0; i < count; i++) {
            BENCH_OK(
                vv_cbor_put_text(out, vv_bytes_of(sample->keys[slot][i]), &bench_error));
            BENCH_OK(vv_cbor_put_link(out, &sample->links[slot][i], &bench_error));
        }
    }
}

static void decode(vv_bytes block)
{
    vv_cbor_reader *reader = NULL;
    vv_cbor_item item;
    vv_status status;

    BENCH_OK(vv_cbor_reader_new(block, &reader, &bench_error));
    while ((status = vv_cbor_next(reader, &item, &bench_error)) == VV_OK)
        sum += item.bytes.len;
    vv_cbor_reader_free(reader);
    BENCH_OK(status == VV_ENOTFOUND ? VV_OK : status);
}

static vv_status add_link(void *ctx, const vv_cid *link, vv_error *err)
{
    (void)err;
    *(uint64_t *)ctx += link->digest[0];
    return VV_OK;
}

static void run(const char *name, void (*call)(vv_bytes block, vv_buf *out), size_t items)
{
    vv_buf block = VV_BUF_INIT;
    vv_buf out = VV_BUF_INIT;
    bench_timer timer;

    if (!bench_wants(name))
        return;
    encode(&block);
    for (size_t i = 0; i < items / 10 + 1; i++)
        call(vvi_buf_bytes(&block), &out);
    timer = bench_begin();
    for (size_t i = 0; i < items; i++)
        call(vvi_buf_bytes(&block), &out);
    timer = bench_end(&timer);
    bench_line(name, items, &timer, "\"bytes_per_item\":%zu", block.len);
    vv_buf_clear(&block);
    vv_buf_clear(&out);
}

static void call_decode(vv_bytes block, vv_buf *out)
{
    (void)out;
    decode(block);
}

static void call_encode(vv_bytes block, vv_buf *out)
{
    (void)block;
    encode(out);
    sum += out->len;
}

static void call_validate(vv_bytes block, vv_buf *out)
{
    (void)out;
    BENCH_OK(vv_cbor_validate(block, &bench_error));
}

static void call_links(vv_bytes block, vv_buf *out)
{
    (void)out;
    BENCH_OK(vv_cbor_links(block, add_link, &sum, &bench_error));
}

static void call_json(vv_bytes block, vv_buf *out)
{
    BENCH_OK(vv_cbor_to_json(block, false, out, &bench_error));
}

int main(int argc, char **argv)
{
    size_t items;

    bench_main(argc, argv);
    items = bench_size(10000, 1000);
    sample = malloc(sizeof(*sample));
    if (!sample)
        return 1;
    make_node();
    run("cbor/decode_node", call_decode, items);
    run("cbor/encode_node", call_encode, items);
    run("cbor/validate_node", call_validate, items);
    run("cbor/links_node", call_links, items);
    run("cbor/json_node", call_json, items / 20);
    free(sample);
    return sum == 0;
}
