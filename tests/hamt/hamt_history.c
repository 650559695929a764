/*
 * hamt-history: plays histories of a map that come as lines on stdin, and prints what they give.
 * tests/interop/hamt_differential.py plays the same to py-hamt and compares.
 *
 *   new IDS BUCKET FORM HASH    a new map; IDS bare, blake3 or sha2-256; FORM canonical or prune;
 *                               HASH blake3 or narrow
 *   set KEY VALUE, delete KEY, get KEY      all in hexadecimal, "-" when empty
 *   reopen BUCKET, flush, vacate, len, keys
 *
 * Each line but new and set prints one: ok, none, a root, a number, a value, keys in order.
 */
#include <varvite/varvite.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct player {
    vv_blockstore *store;
    vv_hamt *hamt;
    vv_hamt_options options;
} player;

static vv_error err;

static void must(vv_status status)
{
    if (!status)
        return;
    fprintf(stderr, "hamt-history: %s: %s\n", vv_status_name(status), err.message);
    exit(1);
}

/* The next word of the line, as bytes in place. */
static vv_bytes hex_word(void)
{
    char *word = strtok(NULL, " \n");
    uint8_t *out = (uint8_t *)word;
    size_t n = 0;

    if (!word)
        exit(2);
    if (strcmp(word, "-") == 0)
        return (vv_bytes){ out, 0 };
    for (; word[2 * n] && word[2 * n + 1]; n++) {
        char pair[3] = { word[2 * n], word[2 * n + 1], '\0' };

        out[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (vv_bytes){ out, n };
}

static const char *word(void)
{
    const char *next = strtok(NULL, " \n");

    if (!next)
        exit(2);
    return next;
}

static void print_hex(vv_bytes bytes)
{
    if (!bytes.len)
        printf("-");
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.data[i]);
}

static void print_root(const vv_cid *root)
{
    char text[VV_CID_TEXT_MAX];

    vv_cid_format(root, text);
    printf("%s\n", root->version == VV_CID_BARE ? text + 1 : text);
}

/* As the peer's: the first bytes of BLAKE3, of each the lowest bits alone. */
static void narrow(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    uint8_t hash[VV_BLAKE3_SIZE];

    (void)ctx;
    vv_blake3(key, hash);
    for (size_t i = 0; i < out_len; i++)
        out[i] = hash[i] & 3u;
}

static void close_map(player *self)
{
    vv_hamt_free(self->hamt);
    vv_blockstore_free(self->store);
    self->hamt = NULL;
    self->store = NULL;
}

static void new_map(player *self)
{
    const char *ids = word();
    vv_cid_prefix prefix = { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 32 };

    close_map(self);
    self->options = VV_HAMT_OPTIONS_INIT;
    if (strcmp(ids, "bare") == 0)
        prefix.version = VV_CID_BARE;
    else if (strcmp(ids, "sha2-256") == 0)
        prefix.hash = VV_HASH_SHA2_256;
    self->options.ids = prefix;
    self->options.values = VV_HAMT_BYTES;
    self->options.max_bucket_size = (uint32_t)strtoul(word(), NULL, 10);
    self->options.deletes = strcmp(word(), "prune") == 0 ? VV_HAMT_PRUNE_EMPTY
                                                         : VV_HAMT_CANONICAL;
    self->options.hash_fn = strcmp(word(), "narrow") == 0 ? narrow : NULL;
    must(vv_memory_blockstore_new(&self->store, &err));
    must(vv_hamt_open(self->store, NULL, &self->options, &self->hamt, &err));
}

static void reopen(player *self)
{
    vv_cid root;

    self->options.max_bucket_size = (uint32_t)strtoul(word(), NULL, 10);
    must(vv_hamt_flush(self->hamt, &root, &err));
    vv_hamt_free(self->hamt);
    self->hamt = NULL;
    must(vv_hamt_open(self->store, &root, &self->options, &self->hamt, &err));
    print_root(&root);
}

static vv_status print_key(void *ctx, vv_bytes key, const vv_cid *pointer,
                           vv_error *error)
{
    (void)ctx;
    (void)pointer;
    (void)error;
    printf(" ");
    print_hex(key);
    return VV_OK;
}

static void get(player *self)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_hamt_get(self->hamt, hex_word(), VV_RANGE_ALL, &out, &err);

    if (status != VV_ENOTFOUND)
        must(status);
    if (status)
        printf("none");
    else
        print_hex((vv_bytes){ out.data, out.len });
    printf("\n");
    vv_buf_clear(&out);
}

static void ask(player *self, const char *what)
{
    uint64_t count;
    vv_cid root;

    if (strcmp(what, "flush") == 0) {
        must(vv_hamt_flush(self->hamt, &root, &err));
        print_root(&root);
    } else if (strcmp(what, "vacate") == 0) {
        must(vv_hamt_vacate(self->hamt, &root, &err));
        print_root(&root);
    } else if (strcmp(what, "len") == 0) {
        must(vv_hamt_len(self->hamt, &count, &err));
        printf("%" PRIu64 "\n", count);
    } else if (strcmp(what, "keys") == 0) {
        printf("keys");
        must(vv_hamt_iterate(self->hamt, (vv_bytes){ NULL, 0 }, print_key, NULL, &err));
        printf("\n");
    } else
        exit(2);
}

static void play(player *self, const char *what)
{
    vv_status status;

    if (strcmp(what, "new") == 0)
        new_map(self);
    else if (strcmp(what, "set") == 0) {
        vv_bytes key = hex_word();

        must(vv_hamt_set(self->hamt, key, hex_word(), &err));
    } else if (strcmp(what, "delete") == 0) {
        status = vv_hamt_delete(self->hamt, hex_word(), &err);
        if (status != VV_ENOTFOUND)
            must(status);
        printf("%s\n", status ? "none" : "ok");
    } else if (strcmp(what, "get") == 0)
        get(self);
    else if (strcmp(what, "reopen") == 0)
        reopen(self);
    else
        ask(self, what);
}

int main(void)
{
    player self = { .store = NULL };
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0) {
        const char *what = strtok(line, " \n");

        if (what)
            play(&self, what);
    }
    close_map(&self);
    free(line);
    return 0;
}
