#include "ddpm/base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct ddpm_sha256 {
    EVP_MD_CTX *context;
};

ddpm_sha256 *ddpm_sha256_create(void)
{
    ddpm_sha256 *hash = calloc(1, sizeof *hash);
    if (!hash) return NULL;
    hash->context = EVP_MD_CTX_new();
    if (hash->context && EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) == 1) return hash;
    ddpm_sha256_free(hash);
    return NULL;
}

/* Once a context exists, SHA-256 cannot fail; a library that does is beyond use. */
static void must(int result)
{
    if (result == 1) return;
    fputs("SHA-256 of the system's OpenSSL failed\n", stderr);
    abort();
}

void ddpm_sha256_update(ddpm_sha256 *hash, const void *data, size_t bytes)
{
    must(EVP_DigestUpdate(hash->context, data, bytes));
}

void ddpm_sha256_finish(ddpm_sha256 *hash, unsigned char digest[DDPM_SHA256_BYTES])
{
    must(EVP_DigestFinal_ex(hash->context, digest, NULL));
}

void ddpm_sha256_free(ddpm_sha256 *hash)
{
    if (!hash) return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void ddpm_sha256_of(unsigned char digest[DDPM_SHA256_BYTES], const void *data, size_t bytes)
{
    must(EVP_Digest(data, bytes, digest, NULL, EVP_sha256(), NULL));
}

void ddpm_sha256_program(char hex[DDPM_SHA256_HEX])
{
    static const char unknown[] = "unknown";
    unsigned char block[1 << 14], digest[DDPM_SHA256_BYTES];
    memcpy(hex, unknown, sizeof unknown);
    FILE *file = fopen("/proc/self/exe", "rb");
    ddpm_sha256 *hash = ddpm_sha256_create();
    if (file && hash) {
        size_t bytes;
        while ((bytes = fread(block, 1, sizeof block, file)) > 0)
            ddpm_sha256_update(hash, block, bytes);
        if (!ferror(file)) {
            ddpm_sha256_finish(hash, digest);
            ddpm_hex(hex, digest, sizeof digest);
        }
    }
    ddpm_sha256_free(hash);
    if (file) fclose(file);
}

void ddpm_hex(char *text, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

void ddpm_xxh128_hex(char text[DDPM_XXH128_HEX], const void *data, size_t bytes)
{
    const XXH128_hash_t hash = XXH3_128bits(data, bytes);
    snprintf(text, DDPM_XXH128_HEX, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

uint64_t ddpm_xxh64_of(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}
