#include "local/index.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/*
 * The header page:
 *    0  8  "VVINDX1\n"
 *    8  4  version
 *   12  4  CRC-32C of bytes 16 … 47
 *   16 16  id of the store
 *   32  4  log2 of the number of slots
 *   64  8  1 while the file is being replaced
 *   72 16  the run of the machine that last indexed what was not synced
 *  128     state, copy A    256  state, copy B
 * 4096     slots, 16 bytes each: tag, place
 */
#define HEADER_BYTES 4096
#define HEADER_USED  48
#define BOOT_AT      72
#define BOOT_BYTES   16
#define STATE_A      128
#define STATE_B      256
#define STATE_WORDS  12 /* eleven fields and the CRC of them */

static const char magic[8] = { 'V', 'V', 'I', 'N', 'D', 'X', '1', '\n' };

static uint64_t index_bytes(uint64_t slots)
{
    return HEADER_BYTES + slots * sizeof(vvi_slot);
}

static void changed(const vvi_index *index, const void *at, size_t len)
{
    if (index->map)
        vvi_map_changed(index->map, at, len);
}

/* ---- making and opening ---------------------------------------------------------------- */

static void set_base(vvi_index *index, uint8_t *base, uint64_t slots)
{
    index->base = base;
    index->slots = (vvi_slot *)(void *)(base + HEADER_BYTES);
    index->mask = slots - 1;
}

static void encode_header(uint8_t *base, const vvi_local_key *key, uint64_t slots)
{
    memcpy(base, magic, 8);
    vvi_put_le32(base + 8, VVI_LOCAL_VERSION);
    memcpy(base + 16, key->id, 16);
    vvi_put_le32(base + 32, (uint32_t)__builtin_ctzll(slots));
    vvi_put_le32(base + 12, vv_crc32c(0, vvi_bytes(base + 16, HEADER_USED - 16)));
}

vv_status vvi_index_new(const vvi_local_key *key, uint64_t slots, vvi_index **out,
                        vv_error *err)
{
    vvi_index *index = vvi_alloc_zero(sizeof(*index));
    uint64_t bytes = index_bytes(slots);
    uint8_t *base = bytes <= SIZE_MAX ? vvi_alloc_zero((size_t)bytes) : NULL;

    if (!index || !base) {
        vvi_free(index);
        vvi_free(base);
        return vvi_fail(err, VV_ENOMEM, "out of memory for an index of %" PRIu64 " slots",
                        slots);
    }
    index->refs = 1;
    set_base(index, base, slots);
    encode_header(base, key, slots);
    *out = index;
    return VV_OK;
}

vv_status vvi_index_check(vv_bytes head, uint64_t file_size, const vvi_local_key *key,
                          uint64_t *slots, vv_error *err)
{
    uint32_t log2;

    if (head.len < HEADER_USED || memcmp(head.data, magic, 8) != 0)
        return vvi_fail(err, VV_ECORRUPT, "%s is not an index", VVI_INDEX_FILE);
    log2 = vvi_get_le32(head.data + 32);
    if (vvi_get_le32(head.data + 8) != VVI_LOCAL_VERSION ||
        vvi_get_le32(head.data + 12) !=
            vv_crc32c(0, vvi_bytes(head.data + 16, HEADER_USED - 16)) ||
        memcmp(head.data + 16, key->id, 16) != 0 || log2 > 36 ||
        index_bytes((uint64_t)1 << log2) != file_size || file_size > SIZE_MAX)
        return vvi_fail(err, VV_ECORRUPT, "%s is damaged or of another store",
                        VVI_INDEX_FILE);
    *slots = (uint64_t)1 << log2;
    return VV_OK;
}

static vv_status map_index(const vvi_file *file, const vvi_local_key *key, bool writable,
                           vvi_index *index, vv_error *err)
{
    uint8_t head[HEADER_USED];
    vvi_index_state state;
    uint64_t size;
    uint64_t slots;
    size_t got;

    VVI_TRY(vvi_file_size(file, &size, err));
    VVI_TRY(vvi_file_identity(file, &index->identity, err));
    VVI_TRY(vvi_file_read_at(file, 0, head, sizeof(head), &got, err));
    VVI_TRY(vvi_index_check(vvi_bytes(head, got), size, key, &slots, err));
    VVI_TRY(vvi_map_open(file, (size_t)size, writable, &index->map, err));
    vvi_map_expect_random(index->map); /* places follow from hashes */
    set_base(index, index->map->data, slots);
    if (!vvi_index_get_state(index, &state))
        return vvi_fail(err, VV_ECORRUPT, "%s: its state is damaged", VVI_INDEX_FILE);
    return VV_OK;
}

vv_status vvi_index_open(const char *directory, const vvi_local_key *key, bool writable,
                         vvi_index **out, vv_error *err)
{
    vvi_index *index = vvi_alloc_zero(sizeof(*index));
    char *path = vvi_path_join(directory, VVI_INDEX_FILE);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (index)
        index->refs = 1;
    if (!index || !path)
        status = vvi_fail_nomem(err, sizeof(*index));
    else
        status = vvi_file_open(&file, path, writable ? VVI_FILE_WRITE : VVI_FILE_READ,
                               err);
    if (!status)
        status = map_index(&file, key, writable, index, err);
    if (status)
        vvi_index_free(index);
    else
        *out = index;
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

vvi_index *vvi_index_retain(vvi_index *index)
{
    __atomic_fetch_add(&index->refs, 1, __ATOMIC_RELAXED);
    return index;
}

void vvi_index_free(vvi_index *index)
{
    if (!index || __atomic_sub_fetch(&index->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (index->map)
        vvi_map_release(index->map);
    else
        vvi_free(index->base);
    vvi_free(index);
}

/* ---- state ----------------------------------------------------------------------------- */

static uint64_t *state_at(const vvi_index *index, uint64_t seq)
{
    return (uint64_t *)(void *)(index->base + (seq & 1 ? STATE_B : STATE_A));
}

static void state_to_words(const vvi_index_state *state, uint64_t words[STATE_WORDS])
{
    const uint64_t fields[STATE_WORDS - 1] = {
        state->seq,   state->indexed, state->written,       state->durable,
        state->count, state->bytes,   state->durable_count, state->durable_bytes,
        state->used,  state->lost,    state->flags,
    };

    for (int i = 0; i < STATE_WORDS - 1; i++)
        words[i] = VVI_LE(64, fields[i]);
    words[STATE_WORDS - 1] = VVI_LE(
        64, (uint64_t)vv_crc32c(0, vvi_bytes(words, 8 * (STATE_WORDS - 1))));
}

/* Can records end here? */
static bool is_end(vvi_place place)
{
    return vvi_place_segment(place) > 0 && vvi_place_segment(place) <= VVI_SEGMENT_MAX &&
           vvi_place_offset(place) >= VVI_SEGMENT_HEADER;
}

/* Words are read one by one while a writer may be at work; the CRC tells a mixture. */
static bool read_copy(const uint64_t *from, vvi_index_state *out)
{
    uint64_t words[STATE_WORDS];
    uint64_t again[STATE_WORDS];

    for (int i = 0; i < STATE_WORDS; i++)
        words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    *out = (vvi_index_state){ .seq = VVI_LE(64, words[0]),
                              .indexed = VVI_LE(64, words[1]),
                              .written = VVI_LE(64, words[2]),
                              .durable = VVI_LE(64, words[3]),
                              .count = VVI_LE(64, words[4]),
                              .bytes = VVI_LE(64, words[5]),
                              .durable_count = VVI_LE(64, words[6]),
                              .durable_bytes = VVI_LE(64, words[7]),
                              .used = VVI_LE(64, words[8]),
                              .lost = VVI_LE(64, words[9]),
                              .flags = VVI_LE(64, words[10]) };
    state_to_words(out, again);
    return again[STATE_WORDS - 1] == words[STATE_WORDS - 1] && out->seq != 0 &&
           out->durable <= out->indexed && out->indexed <= out->written &&
           is_end(out->durable) && is_end(out->indexed) && is_end(out->written);
}

bool vvi_index_get_state(const vvi_index *index, vvi_index_state *out)
{
    /* A writer overwrites the older copy, so only two changes during one reading spoil both. */
    for (int attempt = 0; attempt < 100; attempt++) {
        vvi_index_state a;
        vvi_index_state b;
        bool have_a = read_copy(state_at(index, 0), &a);
        bool have_b = read_copy(state_at(index, 1), &b);

        if (have_a || have_b) {
            *out = have_a && (!have_b || a.seq > b.seq) ? a : b;
            return true;
        }
    }
    return false;
}

void vvi_index_set_state(vvi_index *index, vvi_index_state *state)
{
    uint64_t words[STATE_WORDS];
    uint64_t *to;

    state->seq++;
    to = state_at(index, state->seq);
    state_to_words(state, words);
    for (int i = 0; i < STATE_WORDS; i++)
        __atomic_store_n(&to[i], words[i], __ATOMIC_RELEASE);
    changed(index, to, sizeof(words));
}

void vvi_index_set_moving(vvi_index *index, bool moving)
{
    uint64_t *at = (uint64_t *)(void *)(index->base + VVI_INDEX_MOVING_AT);

    __atomic_store_n(at, VVI_LE(64, (uint64_t)moving), __ATOMIC_RELEASE);
    changed(index, at, 8);
}

/* What tells this run of the machine from others; zeros where nothing does. */
static void read_boot(uint8_t out[BOOT_BYTES])
{
    char text[64];
    vvi_file file = VVI_FILE_INIT;
    size_t got = 0;
    size_t digits = 0;

    memset(out, 0, BOOT_BYTES);
    if (vvi_file_open(&file, "/proc/sys/kernel/random/boot_id", VVI_FILE_READ, NULL) ||
        vvi_file_read_at(&file, 0, text, sizeof(text), &got, NULL))
        got = 0;
    vvi_file_close(&file);
    for (size_t i = 0; i < got && digits < 2 * (size_t)BOOT_BYTES; i++) {
        const char *hex = "0123456789abcdef";
        const char *digit = text[i] ? strchr(hex, text[i]) : NULL;

        if (digit) {
            out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | (digit - hex));
            digits++;
        }
    }
}

void vvi_index_set_boot(vvi_index *index)
{
    read_boot(index->base + BOOT_AT);
    changed(index, index->base + BOOT_AT, BOOT_BYTES);
}

bool vvi_index_is_of_this_boot(const vvi_index *index)
{
    static const uint8_t none[BOOT_BYTES];
    uint8_t boot[BOOT_BYTES];

    read_boot(boot);
    return memcmp(boot, none, BOOT_BYTES) != 0 &&
           memcmp(boot, index->base + BOOT_AT, BOOT_BYTES) == 0;
}

/* ---- slots ----------------------------------------------------------------------------- */

static void set_place(vvi_index *index, vvi_slot *slot, vvi_place place)
{
    __atomic_store_n(&slot->place, VVI_LE(64, place), __ATOMIC_RELEASE);
    changed(index, slot, sizeof(*slot));
}

bool vvi_index_add(vvi_index *index, uint64_t tag, vvi_place place, uint64_t *used)
{
    uint64_t i = tag & index->mask;

    for (uint64_t left = index->mask + 1; left; left--, i = (i + 1) & index->mask) {
        vvi_slot *slot = &index->slots[i];
        vvi_place now = vvi_slot_place(slot);

        if (now > VVI_PLACE_DELETED)
            continue;
        *used += now == VVI_PLACE_EMPTY;
        __atomic_store_n(&slot->tag, VVI_LE(64, tag), __ATOMIC_RELAXED);
        set_place(index, slot, place);
        return true;
    }
    return false;
}

bool vvi_index_replace(vvi_index *index, uint64_t tag, vvi_place from, vvi_place to)
{
    vvi_probe probe;
    vvi_place place = vvi_index_first(index, tag, &probe);

    while (place != VVI_PLACE_EMPTY && place != from)
        place = vvi_index_next(index, tag, &probe);
    if (place == VVI_PLACE_EMPTY)
        return false;
    set_place(index, &index->slots[(probe.slot - 1) & index->mask], to);
    return true;
}

void vvi_index_forget_from(vvi_index *index, vvi_place end, uint64_t *used)
{
    *used = 0;
    for (uint64_t i = 0; i <= index->mask; i++) {
        vvi_place place = vvi_slot_place(&index->slots[i]);

        *used += place != VVI_PLACE_EMPTY;
        if (place >= end)
            set_place(index, &index->slots[i], VVI_PLACE_DELETED);
    }
}

/* ---- growth ---------------------------------------------------------------------------- */

bool vvi_index_is_full(const vvi_index *index, uint64_t used, uint64_t more)
{
    uint64_t slots = index->mask + 1;

    return used + more > slots - slots / 4;
}

vv_status vvi_index_grown(const vvi_index *index, const vvi_local_key *key, uint64_t more,
                          vvi_index **out, vv_error *err)
{
    uint64_t slots = VVI_INDEX_SLOTS_MIN;
    vvi_index_state state = { .seq = 0 };
    uint64_t live = 0;
    vvi_index *grown;

    (void)vvi_index_get_state(index, &state);
    for (uint64_t i = 0; i <= index->mask; i++)
        live += vvi_slot_place(&index->slots[i]) > VVI_PLACE_DELETED;
    /* Small tables grow faster: the work of all growths stays a fraction of the last. */
    while (slots / 16 * (slots < (uint64_t)1 << 20 ? 3 : 6) < live + more)
        slots *= 2;
    if (slots > VVI_INDEX_SLOTS_MAX)
        return vvi_fail(err, VV_ELIMIT, "more than %" PRIu64 " blocks in one store",
                        VVI_INDEX_SLOTS_MAX / 2);
    VVI_TRY(vvi_index_new(key, slots, &grown, err));
    memcpy(grown->base + BOOT_AT, index->base + BOOT_AT, BOOT_BYTES);
    state.used = 0;
    for (uint64_t i = 0; i <= index->mask; i++) {
        vvi_place place = vvi_slot_place(&index->slots[i]);

        if (place > VVI_PLACE_DELETED)
            vvi_index_add(grown, vvi_slot_tag(&index->slots[i]), place, &state.used);
    }
    vvi_index_set_state(grown, &state);
    *out = grown;
    return VV_OK;
}

vv_status vvi_index_save(const vvi_index *index, const char *directory, vv_error *err)
{
    uint64_t bytes = index_bytes(index->mask + 1);
    char *from = vvi_path_join(directory, VVI_INDEX_NEW);
    char *to = vvi_path_join(directory, VVI_INDEX_FILE);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (!from || !to) {
        status = vvi_fail_nomem(err, strlen(directory));
        goto done;
    }
    status = vvi_file_open(&file, from,
                           VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err);
    if (status)
        goto done;
    /* Space is set aside first: a store into a mapped hole on a full disk is a signal. */
    status = vvi_file_allocate(&file, bytes, err);
    if (!status)
        status = vvi_file_write_at(&file, 0, vvi_bytes(index->base, (size_t)bytes), err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_file_rename(from, to, err);
    if (status)
        (void)vvi_file_unlink(from, NULL);
    else
        status = vvi_dir_sync(directory, err);

done:
    vvi_file_close(&file);
    vvi_free(from);
    vvi_free(to);
    return status;
}

vv_status vvi_index_sync(vvi_index *index, vv_error *err)
{
    vv_status status = index->map ? vvi_map_sync(index->map, err) : VV_OK;

    return status ? vvi_wrap(err, status, "%s", VVI_INDEX_FILE) : VV_OK;
}
