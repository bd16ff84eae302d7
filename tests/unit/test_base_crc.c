/* The CRC is that of zlib, whatever the length, the alignment and the pieces; CRC-32C is the published one. */
#include "base/hash.h"
#include "tests/check.h"

#include <zlib.h>

enum { ROOM = 5000 };
static unsigned char data[ROOM];

static void fill(void)
{
    uint32_t x = 12345;
    for (int i = 0; i < ROOM; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (unsigned char)(x >> 24);
    }
}

static void test_any_length_and_alignment_agrees_with_zlib(void)
{
    for (size_t n = 0; n < 1200; n++)
        for (size_t at = 0; at < 17; at += 5)
            CHECK_EQ(hash_crc32(0, data + at, n), crc32(0, data + at, (uInt)n));
    CHECK_EQ(hash_crc32(0, data, ROOM), crc32(0, data, ROOM));
}

static void test_pieces_give_the_crc_of_the_whole(void)
{
    uint32_t whole = hash_crc32(0, data, ROOM);
    for (size_t cut = 0; cut <= ROOM; cut += 37)
        CHECK_EQ(hash_crc32(hash_crc32(0, data, cut), data + cut, ROOM - cut), whole);
}

static void test_crcs_of_stretches_join_to_that_of_the_whole(void)
{
    uint32_t whole = hash_crc32(0, data, ROOM);
    for (size_t cut = 0; cut <= ROOM; cut += 37)
        CHECK_EQ(hash_crc32_join(hash_crc32(0, data, cut), hash_crc32(0, data + cut, ROOM - cut), ROOM - cut), whole);
}

static void test_the_published_check_value(void)
{
    CHECK_EQ(hash_crc32(0, "123456789", 9), 0xCBF43926);
}

static void test_the_published_values_of_crc32c(void)
{
    uint8_t zeros[32] = {0};
    CHECK_EQ(hash_crc32c(0, "123456789", 9), 0xE3069283);
    CHECK_EQ(hash_crc32c(0, zeros, 32), 0x8A9136AA); /* RFC 3720, B.4 */
    CHECK_EQ(hash_crc32c(hash_crc32c(0, "12345", 5), "6789", 4), 0xE3069283);
}

int main(void)
{
    fill();
    RUN(test_any_length_and_alignment_agrees_with_zlib);
    RUN(test_pieces_give_the_crc_of_the_whole);
    RUN(test_crcs_of_stretches_join_to_that_of_the_whole);
    RUN(test_the_published_check_value);
    RUN(test_the_published_values_of_crc32c);
    return check_done();
}
