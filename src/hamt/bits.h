/* Which of the 256 slots of a node: sets of slot numbers, and the slot that a hash means. */
#ifndef VVI_HAMT_BITS_H
#define VVI_HAMT_BITS_H

#include "util/error.h"

#define VVI_SLOT_COUNT 256u

typedef struct vvi_slot_set {
    uint64_t words[4];
} vvi_slot_set;

static inline bool vvi_slot_has(const vvi_slot_set *set, unsigned slot)
{
    return set->words[slot >> 6] >> (slot & 63u) & 1u;
}

static inline void vvi_slot_add(vvi_slot_set *set, unsigned slot)
{
    set->words[slot >> 6] |= (uint64_t)1 << (slot & 63u);
}

static inline void vvi_slot_drop(vvi_slot_set *set, unsigned slot)
{
    set->words[slot >> 6] &= ~((uint64_t)1 << (slot & 63u));
}

/* Inline: without an option for newer processors the builtin is a call, and so becomes the form
 * with a multiplication, which the compiler knows for what it is. */
static inline unsigned vvi_popcount(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    word += word >> 8;
    word += word >> 16;
    word += word >> 32;
    return (unsigned)word & 0x7fu;
}

/* How many members lie below slot, which is at most VVI_SLOT_COUNT. */
static inline unsigned vvi_slot_rank(const vvi_slot_set *set, unsigned slot)
{
    unsigned count = 0;

    for (unsigned w = 0; w < slot >> 6; w++)
        count += vvi_popcount(set->words[w]);
    if (slot & 63u)
        count += vvi_popcount(set->words[slot >> 6] << (64 - (slot & 63u)));
    return count;
}

/* The first member that is at least from; VVI_SLOT_COUNT when there is none. */
static inline unsigned vvi_slot_next(const vvi_slot_set *set, unsigned from)
{
    for (unsigned w = from >> 6; w < 4; w++) {
        uint64_t word = set->words[w];

        if (w == from >> 6)
            word &= ~(uint64_t)0 << (from & 63u);
        if (word)
            return w * 64 + (unsigned)__builtin_ctzll(word);
    }
    return VVI_SLOT_COUNT;
}

#define VVI_EACH_SLOT(slot_, set_)                                          \
    for (unsigned slot_ = vvi_slot_next((set_), 0); slot_ < VVI_SLOT_COUNT; \
         slot_ = vvi_slot_next((set_), slot_ + 1))

/*
 * Bits depth·count … depth·count + count − 1 of hash, counted from the most significant bit of
 * its first byte, as a big-endian number; count is 1 … 32. Nodes use count 8: byte depth.
 * @return VV_OK, VV_ERANGE (fewer bits are left)
 */
vv_status vvi_extract_bits(vv_bytes hash, uint32_t depth, uint32_t count, uint32_t *out,
                           vv_error *err);

#endif
