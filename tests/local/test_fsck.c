/* Damage is found and named, nothing else is lost, and a repair leaves a sound store. */
#include "local/numbers.h"

#include "local/layout.h"

#include <stdio.h>
#include <unistd.h>

#define BLOCKS 60

static vv_error err;

typedef struct fixture {
    char *dir;
    char *copy;
} fixture;

/* Blocks 0 … BLOCKS − 1 but every tenth, which was deleted, in two or three segments. */
static int set_up(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    fixture *f = malloc(sizeof(*f));
    vv_blockstore *store;

    assert_non_null(f);
    f->dir = make_directory();
    f->copy = make_directory();
    opts.segment_bytes = 5000;
    store = open_numbers(f->dir, &opts);
    for (unsigned n = 0; n < BLOCKS; n++) {
        vv_cid cid = number_cid(n);

        assert_vv_ok(put_number(store, n, &err));
        if (n % 10 == 9)
            assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
        if (n % 7 == 0)
            assert_vv_ok(vv_blockstore_flush(store, &err));
    }
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    remove_directory(f->dir);
    remove_directory(f->copy);
    free(f);
    return 0;
}

typedef struct seen {
    unsigned count;
    unsigned kinds; /* a bit each */
    char file[64];  /* of the first */
    char first[600];
    bool has_cid;
    vv_cid cid;
} seen;

static vv_status note(void *ctx, const vv_fsck_finding *finding)
{
    seen *s = ctx;

    assert_non_null(finding->message);
    if (!s->count) {
        snprintf(s->file, sizeof(s->file), "%s", finding->file);
        snprintf(s->first, sizeof(s->first), "%s", finding->message);
        s->has_cid = finding->has_cid;
        s->cid = finding->cid;
    }
    s->count++;
    s->kinds |= 1u << finding->kind;
    return VV_OK;
}

static vv_status fsck(const char *dir, bool repair, seen *s)
{
    vv_fsck_options opts = VV_FSCK_OPTIONS_INIT;
    vv_fsck_result result;
    vv_status status;

    *s = (seen){ 0 };
    opts.repair = repair;
    opts.report = note;
    opts.ctx = s;
    status = vv_local_fsck(dir, &opts, &result, &err);
    assert_int_equal(result.findings, s->count);
    if (repair && !status)
        assert_int_equal(result.repaired, result.findings);
    return status;
}

/* How many of the blocks that must be there are gone; the test fails when one has other bytes. */
static unsigned missing_blocks(const char *dir)
{
    vv_blockstore *store = open_numbers(dir, NULL);
    unsigned missing = 0;

    for (unsigned n = 0; n < BLOCKS; n++) {
        vv_status status = get_number(store, n, &err);

        assert_true(status == VV_OK || status == VV_ENOTFOUND || status == VV_ECORRUPT);
        if (n % 10 != 9)
            missing += status != VV_OK;
    }
    vv_blockstore_free(store);
    return missing;
}

static void a_sound_store_has_no_findings(void **state)
{
    fixture *f = *state;
    vv_fsck_result result;
    seen s;

    assert_vv_ok(fsck(f->dir, false, &s));
    assert_int_equal(s.count, 0);
    assert_vv_ok(vv_local_fsck(f->dir, NULL, &result, &err));
    assert_int_equal(result.blocks_checked, BLOCKS);
    assert_vv_ok(fsck(f->dir, true, &s));
    assert_int_equal(missing_blocks(f->dir), 0);
}

/* Copies the store with one byte of one file changed. */
static void copy_flipped(const fixture *f, const char *name, size_t at, uint8_t bits)
{
    char path[1024];
    uint8_t *bytes;
    size_t len;

    copy_directory(f->dir, f->copy);
    snprintf(path, sizeof(path), "%s/%s", f->copy, name);
    bytes = read_file(path, &len);
    assert_true(at < len);
    bytes[at] ^= bits;
    write_file(path, bytes, len);
    free(bytes);
}

static size_t length_of(const fixture *f, const char *name)
{
    char path[1024];
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    free(read_file(path, &len));
    return len;
}

static void check_flip(const fixture *f, const char *name, size_t at)
{
    uint8_t bits = (uint8_t)(1u << (at % 8));
    vv_status status;
    seen s;

    copy_flipped(f, name, at, bits);
    status = fsck(f->copy, false, &s);
    if (status != VV_ECORRUPT || strcmp(s.file, name) != 0)
        fail_msg("a bit of %s at %zu: %s, %u findings, the first in %s", name, at,
                 vv_status_name(status), s.count, s.file);
    assert_non_null(strstr(s.first, name));
    assert_true(missing_blocks(f->copy) <= 1); /* as it is, no repair */
    copy_flipped(f, name, at, bits);
    if (fsck(f->copy, true, &s))
        fail_msg("a bit of %s at %zu: repair: %s", name, at, err.message);
    assert_vv_ok(fsck(f->copy, false, &s));
    assert_int_equal(s.count, 0);
    assert_true(missing_blocks(f->copy) <= 1);
}

static void a_flipped_bit_in_a_pack_file_costs_one_block_at_most(void **state)
{
    fixture *f = *state;
    size_t len = length_of(f, "pack-00000001");

    for (size_t at = 0; at < len; at += at < 400 ? 1 : 13)
        check_flip(f, "pack-00000001", at);
    len = length_of(f, "pack-00000002");
    for (size_t at = 0; at < len; at += 31)
        check_flip(f, "pack-00000002", at);
}

static void a_damaged_block_is_named_and_quarantined(void **state)
{
    fixture *f = *state;
    vv_cid first = number_cid(0);
    char path[1024];
    size_t len;
    seen s;

    copy_flipped(f, "pack-00000001", VVI_SEGMENT_HEADER + 64 + 5, 1);
    assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
    assert_int_equal(s.count, 1);
    assert_true(s.has_cid);
    assert_true(vv_cid_equal(&s.cid, &first));
    assert_vv_ok(fsck(f->copy, true, &s));
    snprintf(path, sizeof(path), "%s/quarantine/pack-00000001.at-64", f->copy);
    free(read_file(path, &len));
    assert_true(len >= 64 + 12);
    vv_blockstore *store = open_numbers(f->copy, NULL);
    assert_int_equal(get_number(store, 0, &err), VV_ENOTFOUND);
    assert_vv_ok(put_number(store, 0, &err)); /* and can be put again */
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(get_number(store, 0, &err));
    vv_blockstore_free(store);
    assert_int_equal(missing_blocks(f->copy), 0);
}

#define ALLOCATION_MAX ((size_t)1 << 20)

static void *bounded_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return size > ALLOCATION_MAX ? NULL : malloc(size);
}

static void *bounded_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return size > ALLOCATION_MAX ? NULL : realloc(ptr, size);
}

static void bounded_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void a_long_damaged_stretch_is_quarantined_in_little_memory(void **state)
{
    static const vv_allocator bounded = { bounded_alloc, bounded_realloc, bounded_free,
                                          NULL };
    const size_t long_len = (size_t)5 * 1000 * 1000;
    fixture *f = *state;
    vv_blockstore *store = open_numbers(f->copy, NULL);
    uint8_t *bytes = calloc(long_len, 1);
    uint8_t *kept;
    char path[1024];
    vv_status status;
    size_t len;
    seen s;

    assert_non_null(bytes);
    for (size_t i = 0; i < long_len; i += 997)
        bytes[i] = (uint8_t)(i / 997);
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                                   (vv_bytes){ bytes, long_len }, NULL, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    snprintf(path, sizeof(path), "%s/pack-00000001", f->copy);
    kept = read_file(path, &len);
    kept[64 + 64 + long_len / 2] ^= 1; /* behind both headers */
    write_file(path, kept, len);
    free(kept);
    vv_set_allocator(&bounded);
    status = fsck(f->copy, true, &s);
    vv_set_allocator(NULL);
    assert_int_equal(status, VV_OK);
    snprintf(path, sizeof(path), "%s/quarantine/pack-00000001.at-64", f->copy);
    kept = read_file(path, &len);
    assert_int_equal(len, 64 + long_len);
    bytes[long_len / 2] ^= 1;
    assert_memory_equal(kept + 64, bytes, long_len);
    free(kept);
    free(bytes);
}

static void a_damaged_block_is_never_handed_out(void **state)
{
    fixture *f = *state;
    vv_blockstore *store;

    copy_flipped(f, "pack-00000001", VVI_SEGMENT_HEADER + 64 + 5, 1);
    store = open_numbers(f->copy, NULL);
    assert_int_equal(get_number(store, 0, &err), VV_ECORRUPT);
    assert_vv_ok(get_number(store, 1, &err));
    vv_blockstore_free(store);
}

static void a_flipped_bit_in_the_index_costs_nothing_after_repair(void **state)
{
    fixture *f = *state;
    size_t len = length_of(f, "index");
    unsigned found = 0;
    seen s;

    for (size_t at = 0; at < len; at += at < 400 ? 1 : 509) {
        copy_flipped(f, "index", at, (uint8_t)(1u << (at % 8)));
        found += fsck(f->copy, false, &s) == VV_ECORRUPT;
        assert_vv_ok(fsck(f->copy, true, &s));
        assert_vv_ok(fsck(f->copy, false, &s));
        assert_int_equal(missing_blocks(f->copy), 0);
    }
    assert_true(found > 60);
}

static void every_live_slot_of_the_index_is_checked(void **state)
{
    fixture *f = *state;
    char path[1024];
    unsigned live = 0;
    uint8_t *bytes;
    size_t len;
    seen s;

    snprintf(path, sizeof(path), "%s/index", f->dir);
    bytes = read_file(path, &len);
    for (size_t at = 4096; at < len; at += 16) {
        if (vvi_get_le64(bytes + at + 8) <= 1)
            continue;
        live++;
        copy_flipped(f, "index", at + 8 + live % 8, 1);
        assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
        assert_true(s.kinds & (1u << VV_FSCK_INDEX_MISSING | 1u << VV_FSCK_INDEX_WRONG));
        copy_flipped(f, "index", at + live % 8, 1);
        assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
        assert_true(s.kinds & 1u << VV_FSCK_INDEX_MISSING);
    }
    assert_int_equal(live, BLOCKS * 9 / 10);
    free(bytes);
}

static void check_cut(const fixture *f, const char *name, size_t len)
{
    char path[1024];
    seen s;

    copy_directory(f->dir, f->copy);
    snprintf(path, sizeof(path), "%s/%s", f->copy, name);
    assert_int_equal(truncate(path, (off_t)len), 0);
    if (fsck(f->copy, false, &s) != VV_ECORRUPT)
        fail_msg("%s cut to %zu bytes: nothing found", name, len);
    assert_string_equal(s.file, name);
    if (fsck(f->copy, true, &s))
        fail_msg("%s cut to %zu bytes: %s", name, len, err.message);
    if (fsck(f->copy, false, &s))
        fail_msg("%s cut to %zu bytes, after repair: %s", name, len, s.first);
    assert_int_equal(s.count, 0);
}

/* Block 0 … 54 without deleted ones: at which byte of the first segment does each end? */
static void a_file_cut_at_any_length_is_found_and_the_rest_stays(void **state)
{
    fixture *f = *state;
    const char *files[] = { "pack-00000001", "pack-00000002", "index", "varvite-store" };

    for (size_t i = 0; i < 4; i++) {
        size_t len = length_of(f, files[i]);
        size_t step = i < 2 ? 97 : len / 9;

        for (size_t cut = 0; cut < len; cut += step)
            check_cut(f, files[i], cut);
        check_cut(f, files[i], len - 1);
        check_cut(f, files[i], len - 8);
        check_cut(f, files[i], len > 64 ? 64 : 63);
    }
    /* blocks that lie before the cut, and in other segments, are all there */
    copy_directory(f->dir, f->copy);
    check_cut(f, "pack-00000001", length_of(f, "pack-00000001") - 1);
    assert_true(missing_blocks(f->copy) <= 1);
}

static void missing_files_are_named(void **state)
{
    fixture *f = *state;
    char path[1024];
    seen s;

    copy_directory(f->dir, f->copy);
    snprintf(path, sizeof(path), "%s/varvite-store", f->copy);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
    assert_string_equal(s.file, "varvite-store");
    assert_vv_ok(fsck(f->copy, true, &s));
    assert_int_equal(missing_blocks(f->copy), 0);
    snprintf(path, sizeof(path), "%s/index", f->copy);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
    assert_string_equal(s.file, "index");
    assert_vv_ok(fsck(f->copy, true, &s));
    assert_int_equal(missing_blocks(f->copy), 0);
    snprintf(path, sizeof(path), "%s/pack-00000001", f->copy);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
    assert_vv_ok(fsck(f->copy, true, &s));
    assert_vv_ok(fsck(f->copy, false, &s));
    assert_in_range(missing_blocks(f->copy), 1, BLOCKS - 1);
}

static void a_repair_needs_the_store_alone_and_a_check_does_not(void **state)
{
    fixture *f = *state;
    vv_blockstore *store = open_numbers(f->dir, NULL);
    seen s;

    assert_vv_ok(put_number(store, 1000, &err));
    assert_vv_ok(fsck(f->dir, false, &s));
    assert_int_equal(s.count, 0);
    assert_int_equal(fsck(f->dir, true, &s), VV_EBUSY);
    vv_blockstore_free(store);
    assert_vv_ok(fsck(f->dir, true, &s));
}

static void what_is_no_store_cannot_be_checked(void **state)
{
    fixture *f = *state;
    char path[1024];
    uint8_t *bytes;
    size_t len;
    seen s;

    assert_int_equal(fsck(f->copy, false, &s), VV_ENOTFOUND);
    copy_directory(f->dir, f->copy);
    snprintf(path, sizeof(path), "%s/varvite-store", f->copy);
    bytes = read_file(path, &len);
    bytes[8] = 2;
    write_file(path, bytes, len);
    free(bytes);
    assert_int_equal(fsck(f->copy, true, &s), VV_EUNSUPPORTED);
}

/* ---- compaction ---------------------------------------------------------------------------- */

static void compaction_gives_space_back_and_keeps_every_block(void **state)
{
    fixture *f = *state;
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    vv_blockstore_stats before;
    vv_blockstore_stats after;
    uint64_t gone = 0;
    seen s;

    opts.segment_bytes = 5000;
    opts.trusted = true;
    store = open_numbers(f->dir, &opts);
    vv_buf lent = VV_BUF_INIT;
    vv_cid cid = number_cid(3);
    assert_vv_ok(vv_blockstore_get(store, &cid, &lent, &err));
    for (unsigned n = 0; n < BLOCKS; n++) {
        cid = number_cid(n);
        if (n % 10 != 9 && n % 5)
            assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
    }
    assert_vv_ok(vv_blockstore_stat(store, &before, &err));
    assert_vv_ok(vv_local_compact(store, &gone, &err));
    assert_vv_ok(vv_blockstore_stat(store, &after, &err));
    assert_int_equal(after.block_count, BLOCKS / 5);
    assert_int_equal(after.block_count, before.block_count);
    assert_int_equal(after.block_bytes, before.block_bytes);
    assert_true(gone > 4000);
    assert_true(after.storage_bytes < before.storage_bytes);
    for (int round = 0; round < 3; round++) {
        for (unsigned n = 0; n < BLOCKS; n++)
            assert_int_equal(get_number(store, n, &err), n % 5 ? VV_ENOTFOUND : VV_OK);
        vv_blockstore_free(store);
        assert_vv_ok(fsck(f->dir, false, &s));
        assert_int_equal(s.count, 0);
        if (round == 1) { /* what was deleted stays so when the index is made anew */
            char path[1024];

            snprintf(path, sizeof(path), "%s/index", f->dir);
            assert_int_equal(unlink(path), 0);
        }
        store = open_numbers(f->dir, &opts);
    }
    uint8_t buffer[256];
    vv_bytes want = number_bytes(3, buffer);
    assert_int_equal(lent.len, want.len);
    assert_memory_equal(lent.data, want.data, want.len);
    vv_buf_clear(&lent);
    assert_vv_ok(vv_local_compact(store, &gone, &err));
    vv_blockstore_free(store);
}

static void compaction_leaves_damage_for_fsck(void **state)
{
    fixture *f = *state;
    vv_blockstore *store;
    seen s;

    copy_flipped(f, "pack-00000001", VVI_SEGMENT_HEADER + 64 + 5, 1);
    store = open_numbers(f->copy, NULL);
    for (unsigned n = 1; n < BLOCKS; n++) {
        vv_cid cid = number_cid(n);

        if (n % 10 != 9)
            assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
    }
    assert_int_equal(vv_local_compact(store, NULL, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "fsck"));
    assert_int_equal(get_number(store, 0, &err), VV_ECORRUPT);
    vv_blockstore_free(store);
    assert_int_equal(fsck(f->copy, false, &s), VV_ECORRUPT);
    assert_string_equal(s.file, "pack-00000001");
}

static void a_reader_of_its_own_index_survives_compaction(void **state)
{
    fixture *f = *state;
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *reader;
    vv_blockstore *store;
    char path[1024];

    snprintf(path, sizeof(path), "%s/index", f->dir);
    assert_int_equal(unlink(path), 0);
    opts.read_only = true;
    reader = open_numbers(f->dir, &opts);
    store = open_numbers(f->dir, NULL);
    for (unsigned n = 0; n < BLOCKS; n++) {
        vv_cid cid = number_cid(n);

        if (n % 10 != 9 && n % 5)
            assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
    }
    assert_vv_ok(put_number(store, 777, &err));
    assert_vv_ok(vv_local_compact(store, NULL, &err));
    for (unsigned n = 0; n < BLOCKS; n += 5)
        assert_vv_ok(get_number(reader, n, &err));
    assert_vv_ok(get_number(reader, 777, &err));
    vv_blockstore_free(store);
    vv_blockstore_free(reader);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_store_has_no_findings),
        TEST(a_flipped_bit_in_a_pack_file_costs_one_block_at_most),
        TEST(a_damaged_block_is_named_and_quarantined),
        TEST(a_long_damaged_stretch_is_quarantined_in_little_memory),
        TEST(a_damaged_block_is_never_handed_out),
        TEST(a_flipped_bit_in_the_index_costs_nothing_after_repair),
        TEST(every_live_slot_of_the_index_is_checked),
        TEST(a_file_cut_at_any_length_is_found_and_the_rest_stays),
        TEST(missing_files_are_named),
        TEST(a_repair_needs_the_store_alone_and_a_check_does_not),
        TEST(what_is_no_store_cannot_be_checked),
        TEST(compaction_gives_space_back_and_keeps_every_block),
        TEST(compaction_leaves_damage_for_fsck),
        TEST(a_reader_of_its_own_index_survives_compaction),
    };

    use_fast_directory();
    return cmocka_run_group_tests_name("fsck", tests, NULL, NULL);
}
