#include "hash/crc32c.h"

#include "util/endian.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* Castagnoli, lowest bit first */

/* tables[k][b]: what byte b leaves in the register when k bytes of zeros follow it. */
static uint32_t tables[8][256];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t r = b;

        for (int bit = 0; bit < 8; bit++)
            r = r & 1 ? r >> 1 ^ POLYNOMIAL : r >> 1;
        tables[0][b] = r;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

uint32_t vvi_crc32c_portable(uint32_t state, const uint8_t *data, size_t len)
{
    pthread_once(&tables_made, make_tables);
    for (; len >= 8; data += 8, len -= 8) {
        uint32_t low = vvi_get_le32(data) ^ state;
        uint32_t high = vvi_get_le32(data + 4);

        state = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
                tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
                tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
                tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    for (; len; data++, len--)
        state = state >> 8 ^ tables[0][(state ^ *data) & 0xff];
    return state;
}

uint32_t vv_crc32c(uint32_t crc, vv_bytes data)
{
#if VVI_CRC32C_X86
    if (data.len >= 256 && vvi_crc32c_have_avx512())
        return ~vvi_crc32c_avx512(~crc, data.data, data.len);
    if (vvi_crc32c_have_sse42())
        return ~vvi_crc32c_sse42(~crc, data.data, data.len);
#endif
    return ~vvi_crc32c_portable(~crc, data.data, data.len);
}
