/* hash.h - CRC-32 for frames and zip members, CRC-32C for records of others, a 64-bit fingerprint for data sets and
 * configs. None is cryptographic. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 as zip and zlib use it. Start with crc = 0, feed the pieces in order. */
uint32_t hash_crc32(uint32_t crc, const void *data, size_t size_bytes);
/* The CRC of two stretches in a row from the CRC of each (both started at 0); size_bytes is of the second. */
uint32_t hash_crc32_join(uint32_t first, uint32_t second, uint64_t size_bytes);
/* CRC-32C (Castagnoli), as TFRecord files, iSCSI and ext4 use it; pieces as above. */
uint32_t hash_crc32c(uint32_t crc, const void *data, size_t size_bytes);
/* Chained 64-bit fingerprint (Murmur3 finalizer over 8-byte words). Start with any seed; the pieces' sizes matter. */
uint64_t hash_mix(uint64_t seed, const void *data, size_t size_bytes);

#endif
