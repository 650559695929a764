/*
 * The seven rounds of BLAKE3's compression on sixteen vectors v0 … v15 and the message m0 … m15,
 * each vector holding the same word of every lane. The file that includes this defines VEC and
 * the operations add(), xor() and rot16(), rot12(), rot8(), rot7() (rotations to the right).
 * The message words are permuted between rounds; here the permutation is written out.
 */
#ifndef VVI_HASH_BLAKE3_ROUNDS_H
#define VVI_HASH_BLAKE3_ROUNDS_H

#define MIX(a, b, c, d, x, y)  \
    do {                       \
        a = add(add(a, b), x); \
        d = rot16(xor(d, a));  \
        c = add(c, d);         \
        b = rot12(xor(b, c));  \
        a = add(add(a, b), y); \
        d = rot8(xor(d, a));   \
        c = add(c, d);         \
        b = rot7(xor(b, c));   \
    } while (0)

#define ROUND(v, m, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
    do {                                                                             \
        MIX(v[0], v[4], v[8], v[12], m[i0], m[i1]);                                  \
        MIX(v[1], v[5], v[9], v[13], m[i2], m[i3]);                                  \
        MIX(v[2], v[6], v[10], v[14], m[i4], m[i5]);                                 \
        MIX(v[3], v[7], v[11], v[15], m[i6], m[i7]);                                 \
        MIX(v[0], v[5], v[10], v[15], m[i8], m[i9]);                                 \
        MIX(v[1], v[6], v[11], v[12], m[ia], m[ib]);                                 \
        MIX(v[2], v[7], v[8], v[13], m[ic], m[id]);                                  \
        MIX(v[3], v[4], v[9], v[14], m[ie], m[if_]);                                 \
    } while (0)

#define SEVEN_ROUNDS(v, m)                                                 \
    do {                                                                   \
        ROUND(v, m, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); \
        ROUND(v, m, 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8); \
        ROUND(v, m, 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1); \
        ROUND(v, m, 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6); \
        ROUND(v, m, 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4); \
        ROUND(v, m, 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7); \
        ROUND(v, m, 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13); \
    } while (0)

#endif
