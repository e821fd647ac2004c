/** @file base/hash.h
 *  SHA-256 (OpenSSL) for what goes to disk, XXH3-128 for memory that is compared often. */
#ifndef DDPM_BASE_HASH_H
#define DDPM_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

enum { DDPM_SHA256_BYTES = 32, DDPM_SHA256_HEX = 65, DDPM_XXH128_HEX = 33 };

typedef struct ddpm_sha256 ddpm_sha256;
/** NULL when out of memory. */
ddpm_sha256 *ddpm_sha256_create(void);
void ddpm_sha256_update(ddpm_sha256 *hash, const void *data, size_t bytes);
/** The digest of everything so far; the hash may be freed after it, not updated. */
void ddpm_sha256_finish(ddpm_sha256 *hash, unsigned char digest[DDPM_SHA256_BYTES]);
void ddpm_sha256_free(ddpm_sha256 *hash);
/** One call for one buffer. */
void ddpm_sha256_of(unsigned char digest[DDPM_SHA256_BYTES], const void *data, size_t bytes);
/** SHA-256 of the running program's file, in hexadecimal; "unknown" where the system does not show
 *  it. */
void ddpm_sha256_program(char hex[DDPM_SHA256_HEX]);
void ddpm_hex(char *text, const unsigned char *bytes, size_t count); /**< text [2*count+1] */

/** XXH3-128 of a buffer as lower-case hexadecimal. */
void ddpm_xxh128_hex(char text[DDPM_XXH128_HEX], const void *data, size_t bytes);
uint64_t ddpm_xxh64_of(const void *data, size_t bytes);
#endif
