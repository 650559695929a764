/*
 * The embedded store beside LMDB and beside plain files: small blocks, large blocks.
 *
 * Ours and the peers take turns in short slices, so that a machine that changes its speed does it
 * to all. LMDB is handed keys that were hashed before; ours hashes what it is given.
 */
#include "bench.h"

#include "util/thread.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef HAVE_LMDB
#include <lmdb.h>
#endif

static void add(bench_timer *sum, const bench_timer *begin)
{
    bench_timer passed = bench_end(begin);

    sum->wall_ns += passed.wall_ns;
    sum->cpu_ns += passed.cpu_ns;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *ptr = calloc(count, size);

    must(ptr != NULL, "allocation");
    return ptr;
}

static char *path_in(const char *dir, const char *name)
{
    size_t len = strlen(dir) + strlen(name) + 2;
    char *path = allocate(len, 1);

    snprintf(path, len, "%s/%s", dir, name);
    return path;
}

static vv_blockstore *open_store(const char *dir, bool trusted)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    opts.create = true;
    opts.trusted = trusted;
    BENCH_OK(vv_local_open(dir, &opts, &store, &bench_error));
    return store;
}

/* ---- LMDB ---------------------------------------------------------------------------------- */

#ifdef HAVE_LMDB
typedef struct lmdb {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
} lmdb;

static void lmdb_ok(int rc)
{
    if (rc) {
        fprintf(stderr, "bench: lmdb: %s\n", mdb_strerror(rc));
        exit(1);
    }
}

static void lmdb_open(lmdb *self, const char *path)
{
    lmdb_ok(mdb_env_create(&self->env));
    lmdb_ok(mdb_env_set_mapsize(self->env, (size_t)8 << 30));
    lmdb_ok(mdb_env_open(self->env, path, MDB_NOSUBDIR, 0644));
    lmdb_ok(mdb_txn_begin(self->env, NULL, 0, &self->txn));
    lmdb_ok(mdb_dbi_open(self->txn, NULL, 0, &self->dbi));
    lmdb_ok(mdb_txn_commit(self->txn));
}

static void lmdb_put(lmdb *self, const vv_cid *cids, const vv_bytes *blocks, size_t n)
{
    lmdb_ok(mdb_txn_begin(self->env, NULL, 0, &self->txn));
    for (size_t i = 0; i < n; i++) {
        MDB_val key = { 32, (void *)(uintptr_t)cids[i].digest };
        MDB_val value = { blocks[i].len, (void *)(uintptr_t)blocks[i].data };

        lmdb_ok(mdb_put(self->txn, self->dbi, &key, &value, 0));
    }
    lmdb_ok(mdb_txn_commit(self->txn));
}

static int lmdb_get(lmdb *self, const vv_cid *cid, MDB_val *value)
{
    MDB_val key = { 32, (void *)(uintptr_t)cid->digest };

    return mdb_get(self->txn, self->dbi, &key, value);
}
#endif

/* ---- small blocks ------------------------------------------------------------------------- */

#define SMALL_BYTES 300
#define BATCH       1000
#define SLICE       1000 /* names asked for in turn: few, so that they stay in the cache */
#define ABSENT      50000 /* names of blocks that are not there */
#define AT_ONCE     64    /* blocks of one call */

typedef struct small {
    size_t n;
    uint8_t *bytes; /* of one batch */
    vv_cid *cids;   /* n that are there, then ABSENT that are not */
    vv_cid *chosen; /* SLICE of them */
    vv_blockstore *store;
#ifdef HAVE_LMDB
    lmdb peer;
#endif
    uint64_t seed;
    volatile uint64_t sink;
} small;

/* The blocks of a batch, and their names. */
static void make_batch(small *s, size_t first, vv_bytes *blocks)
{
    bench_fill(s->bytes, (size_t)BATCH * SMALL_BYTES, first + 1);
    for (size_t i = 0; i < BATCH; i++)
        blocks[i] = (vv_bytes){ s->bytes + i * SMALL_BYTES, SMALL_BYTES };
    BENCH_OK(vv_cid_of_many(&VV_PREFIX_RAW_BLAKE3, blocks, BATCH, s->cids + first,
                            &bench_error));
}

static void put_small(small *s)
{
    vv_bytes *blocks = allocate(BATCH, sizeof(*blocks));
    bench_timer ours = { 0, 0 };
    bench_timer theirs = { 0, 0 };
    bench_timer begin;

    for (size_t first = 0; first < s->n; first += BATCH) {
        make_batch(s, first, blocks);
        begin = bench_begin();
        BENCH_OK(vv_blockstore_put_many(s->store, &VV_PREFIX_RAW_BLAKE3, blocks, BATCH,
                                        NULL, &bench_error));
        BENCH_OK(vv_blockstore_flush(s->store, &bench_error));
        add(&ours, &begin);
#ifdef HAVE_LMDB
        begin = bench_begin();
        lmdb_put(&s->peer, s->cids + first, blocks, BATCH);
        add(&theirs, &begin);
#endif
    }
    bench_line("local/put_small", s->n, &ours, "\"bytes_per_item\":%d", SMALL_BYTES);
#ifdef HAVE_LMDB
    bench_line("lmdb/put_small", s->n, &theirs, "\"bytes_per_item\":%d", SMALL_BYTES);
#else
    (void)theirs;
#endif
    free(blocks);
}

/* The names that the next slice asks for, laid out so that reading them costs little. */
static void choose(small *s, size_t from, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < SLICE; i++)
        s->chosen[i] = s->cids[from + (size_t)(bench_random(&seed) % count)];
}

static void get_slice(small *s, vv_blockstore *store)
{
    for (size_t i = 0; i < SLICE; i++) {
        vv_buf out = VV_BUF_INIT;

        must(vv_blockstore_get(store, &s->chosen[i], &out, NULL) == VV_OK, "get");
        s->sink += out.data[out.len - 1];
        vv_buf_clear(&out);
    }
}

/* As a map asks: many names in one call. */
static void get_many_slice(small *s, vv_blockstore *store)
{
    vv_buf outs[AT_ONCE] = { VV_BUF_INIT };

    for (size_t i = 0; i < SLICE; i += AT_ONCE) {
        size_t n = SLICE - i < AT_ONCE ? SLICE - i : AT_ONCE;

        BENCH_OK(
            vv_blockstore_get_many(store, s->chosen + i, n, outs, NULL, &bench_error));
        for (size_t j = 0; j < n; j++) {
            s->sink += outs[j].data[outs[j].len - 1];
            vv_buf_clear(&outs[j]);
        }
    }
}

#ifdef HAVE_LMDB
static void lmdb_slice(small *s, int want)
{
    lmdb_ok(mdb_txn_begin(s->peer.env, NULL, MDB_RDONLY, &s->peer.txn));
    for (size_t i = 0; i < SLICE; i++) {
        MDB_val value;

        must(lmdb_get(&s->peer, &s->chosen[i], &value) == want, "lmdb get");
        if (want == 0)
            s->sink += ((const uint8_t *)value.mv_data)[value.mv_size - 1];
    }
    mdb_txn_abort(s->peer.txn);
}
#endif

static void get_small(small *s, vv_blockstore *verified, vv_blockstore *trusted)
{
    bench_timer checked = { 0, 0 };
    bench_timer many = { 0, 0 };
    bench_timer ours = { 0, 0 };
    bench_timer theirs = { 0, 0 };
    bench_timer begin;
    size_t slices = s->n / SLICE;
    size_t warm = slices / 10;

    /* Each is asked for blocks of its own, so that nobody finds them fetched by another. */
    for (size_t i = 0; i < slices + warm; i++) {
        if (i == warm) /* those before warmed the maps and do not count */
            checked = many = ours = theirs = (bench_timer){ 0, 0 };
        choose(s, 0, s->n, 4 * i);
        begin = bench_begin();
        get_slice(s, trusted);
        add(&ours, &begin);
#ifdef HAVE_LMDB
        choose(s, 0, s->n, 4 * i + 1);
        begin = bench_begin();
        lmdb_slice(s, 0);
        add(&theirs, &begin);
#endif
        choose(s, 0, s->n, 4 * i + 2);
        begin = bench_begin();
        get_slice(s, verified);
        add(&checked, &begin);
        choose(s, 0, s->n, 4 * i + 3);
        begin = bench_begin();
        get_many_slice(s, trusted);
        add(&many, &begin);
    }
    bench_line("local/get_small", slices * SLICE, &ours, NULL);
    bench_line("local/get_small_verified", slices * SLICE, &checked, NULL);
    bench_line("local/get_many_small", slices * SLICE, &many, NULL);
#ifdef HAVE_LMDB
    bench_line("lmdb/get_small", slices * SLICE, &theirs, NULL);
#else
    (void)theirs;
#endif
}

static void miss_small(small *s, vv_blockstore *trusted)
{
    bench_timer ours = { 0, 0 };
    bench_timer theirs = { 0, 0 };
    bench_timer begin;
    size_t slices = 500;

    for (size_t i = 0; i < slices; i++) {
        choose(s, s->n, ABSENT, i);
        begin = bench_begin();
        for (size_t j = 0; j < SLICE; j++) {
            bool there = true;

            BENCH_OK(vv_blockstore_has(trusted, &s->chosen[j], &there, &bench_error));
            must(!there, "miss");
        }
        add(&ours, &begin);
#ifdef HAVE_LMDB
        begin = bench_begin();
        lmdb_slice(s, MDB_NOTFOUND);
        add(&theirs, &begin);
#endif
    }
    bench_line("local/miss_small", slices * SLICE, &ours, NULL);
#ifdef HAVE_LMDB
    bench_line("lmdb/miss_small", slices * SLICE, &theirs, NULL);
#else
    (void)theirs;
#endif
}

static void bench_small(void)
{
    small s = { .n = bench_size(1000000, 100000), .seed = 1 };
    char *dir = bench_directory();
    char *ours = path_in(dir, "store");
    vv_blockstore *trusted;

    s.bytes = allocate(BATCH, SMALL_BYTES);
    s.cids = allocate(s.n + ABSENT, sizeof(*s.cids));
    s.chosen = allocate(SLICE, sizeof(*s.chosen));
    for (size_t i = 0; i < ABSENT; i++) {
        s.cids[s.n + i] = (vv_cid){
            .version = 1, .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .digest_len = 32
        };
        bench_fill(s.cids[s.n + i].digest, 32, ((uint64_t)1 << 40) + i);
    }
    s.store = open_store(ours, false);
#ifdef HAVE_LMDB
    char *theirs = path_in(dir, "lmdb");
    lmdb_open(&s.peer, theirs);
    free(theirs);
#endif
    put_small(&s);
    trusted = open_store(ours, true);
    get_small(&s, s.store, trusted);
    miss_small(&s, trusted);
    vv_blockstore_free(trusted);
    vv_blockstore_free(s.store);
#ifdef HAVE_LMDB
    mdb_env_close(s.peer.env);
#endif
    free(s.cids);
    free(s.chosen);
    free(s.bytes);
    free(ours);
    bench_remove_directory(dir);
}

/* ---- large blocks -------------------------------------------------------------------------- */

#define LARGE_BYTES ((size_t)1 << 20)

typedef struct large {
    uint8_t *bytes; /* AT_ONCE blocks */
    vv_bytes blocks[AT_ONCE];
    vv_cid *cids; /* of all blocks of one round */
    size_t per_round;
    bench_timer put, lmdb_put, raw_write, hash, view, verified, raw_read;
    volatile uint64_t sink;
} large;

/* New contents, a few bytes different in each block: nothing may be found to be there already. */
static void change_blocks(large *l, uint64_t first)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        uint64_t number = first + i;

        memcpy(l->bytes + i * LARGE_BYTES, &number, sizeof(number));
        l->blocks[i] = (vv_bytes){ l->bytes + i * LARGE_BYTES, LARGE_BYTES };
    }
}

static vv_status hash_one(void *ctx, size_t i, vv_error *err)
{
    large *l = ctx;
    uint8_t digest[VV_BLAKE3_SIZE];

    (void)err;
    vv_blake3(l->blocks[i], digest);
    __atomic_add_fetch(&l->sink, digest[0], __ATOMIC_RELAXED);
    return VV_OK;
}

static void write_round(large *l, vv_blockstore *store, void *peer, int fd,
                        uint64_t first)
{
    bench_timer begin;

    for (size_t at = 0; at < l->per_round; at += AT_ONCE) {
        change_blocks(l, first + at);
        begin = bench_begin();
        BENCH_OK(vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, l->blocks, AT_ONCE,
                                        l->cids + at, &bench_error));
        BENCH_OK(vv_blockstore_flush(store, &bench_error));
        add(&l->put, &begin);
#ifdef HAVE_LMDB
        begin = bench_begin();
        lmdb_put(peer, l->cids + at, l->blocks, AT_ONCE);
        add(&l->lmdb_put, &begin);
#else
        (void)peer;
#endif
        begin = bench_begin();
        for (size_t i = 0; i < AT_ONCE; i++)
            must(pwrite(fd, l->blocks[i].data, LARGE_BYTES,
                        (off_t)((at + i) * LARGE_BYTES)) == (ssize_t)LARGE_BYTES,
                 "write");
        must(fdatasync(fd) == 0, "fdatasync");
        add(&l->raw_write, &begin);
        begin = bench_begin();
        BENCH_OK(vvi_parallel(0, AT_ONCE, hash_one, l, &bench_error));
        add(&l->hash, &begin);
    }
}

static void read_round(large *l, vv_blockstore *store, vv_blockstore *trusted, int fd)
{
    vv_buf outs[AT_ONCE] = { VV_BUF_INIT };
    bench_timer begin;

    for (size_t at = 0; at < l->per_round; at += AT_ONCE) {
        begin = bench_begin();
        for (size_t i = 0; i < AT_ONCE; i++) {
            vv_buf out = VV_BUF_INIT;

            BENCH_OK(vv_blockstore_get(trusted, &l->cids[at + i], &out, &bench_error));
            l->sink += out.data[out.len / 2];
            vv_buf_clear(&out);
        }
        add(&l->view, &begin);
        begin = bench_begin();
        BENCH_OK(vv_blockstore_get_many(store, l->cids + at, AT_ONCE, outs, NULL,
                                        &bench_error));
        for (size_t i = 0; i < AT_ONCE; i++)
            vv_buf_clear(&outs[i]);
        add(&l->verified, &begin);
        begin = bench_begin();
        for (size_t i = 0; i < AT_ONCE; i++)
            must(pread(fd, l->bytes + i * LARGE_BYTES, LARGE_BYTES,
                       (off_t)((at + i) * LARGE_BYTES)) == (ssize_t)LARGE_BYTES,
                 "read");
        add(&l->raw_read, &begin);
    }
}

static void large_round(large *l, uint64_t first)
{
    char *dir = bench_directory();
    char *ours = path_in(dir, "store");
    char *raw = path_in(dir, "raw");
    vv_blockstore *store = open_store(ours, false);
    vv_blockstore *trusted = open_store(ours, true);
    void *peer = NULL;
    int fd = open(raw, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    must(fd >= 0, "open");
#ifdef HAVE_LMDB
    lmdb theirs;
    char *path = path_in(dir, "lmdb");
    lmdb_open(&theirs, path);
    free(path);
    peer = &theirs;
#endif
    write_round(l, store, peer, fd, first);
    read_round(l, store, trusted, fd);
    vv_blockstore_free(trusted);
    vv_blockstore_free(store);
#ifdef HAVE_LMDB
    mdb_env_close(theirs.env);
#endif
    close(fd);
    free(ours);
    free(raw);
    bench_remove_directory(dir);
}

/* Pages that the machine hands out for the first time are slow: touch as many as will be used. */
static void warm_up(size_t bytes)
{
    char *dir = bench_directory();
    char *path = path_in(dir, "warm");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    uint8_t *block = allocate(1, LARGE_BYTES);

    must(fd >= 0, "open");
    for (size_t at = 0; at < bytes; at += LARGE_BYTES)
        must(pwrite(fd, block, LARGE_BYTES, (off_t)at) == (ssize_t)LARGE_BYTES, "write");
    close(fd);
    free(block);
    free(path);
    bench_remove_directory(dir);
}

static void bench_large(void)
{
    size_t rounds = bench_size(4, 1);
    large l = { .per_round = bench_size(512, 128) };
    uint64_t n = rounds * l.per_round;

    l.bytes = allocate(AT_ONCE, LARGE_BYTES);
    l.cids = allocate(l.per_round, sizeof(*l.cids));
    bench_fill(l.bytes, AT_ONCE * LARGE_BYTES, 99);
    warm_up(l.per_round * LARGE_BYTES * 3);
    for (size_t r = 0; r < rounds; r++)
        large_round(&l, r * l.per_round + 1);
#define LINE(name_, timer_) \
    bench_line(name_, n, &(timer_), "\"bytes_per_item\":%zu", LARGE_BYTES)
    LINE("local/put_hashed", l.put);
    LINE("local/put_large", l.put);
    LINE("raw/write", l.raw_write);
    LINE("raw/blake3", l.hash);
#ifdef HAVE_LMDB
    LINE("lmdb/put_large", l.lmdb_put);
#endif
    LINE("local/get_view", l.view);
    LINE("raw/pread", l.raw_read);
    LINE("local/get_verified", l.verified);
    LINE("raw/read", l.raw_read);
#undef LINE
    free(l.cids);
    free(l.bytes);
}

int main(int argc, char **argv)
{
    static const char *const small_cases[] = { "local/put_small",  "local/get_small",
                                               "local/miss_small", "lmdb/put_small",
                                               "lmdb/get_small",   "lmdb/miss_small" };
    bool small_wanted = false;
    bool large_wanted = false;
    static const char *const large_cases[] = { "local/put_hashed", "local/put_large",
                                               "local/get_view",   "local/get_verified",
                                               "lmdb/put_large",   "raw/write" };

    bench_main(argc, argv);
    for (size_t i = 0; i < 6; i++) {
        small_wanted |= bench_wants(small_cases[i]);
        large_wanted |= bench_wants(large_cases[i]);
    }
    if (small_wanted)
        bench_small();
    if (large_wanted)
        bench_large();
    return 0;
}
