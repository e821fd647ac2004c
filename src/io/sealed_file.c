#include "ddpm/io/sealed_file.h"

#include "input.h"
#include "publish.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The header, little-endian (docs/formats.md). Its own digest covers everything before it, so that
   no bit of the file is without a check; bytes not named are 0. */
enum {
    AT_MAGIC = 0,
    AT_MAJOR = 8,
    AT_MINOR = 12,
    AT_PAYLOAD_BYTES = 16,
    AT_PAYLOAD_DIGEST = 24,
    AT_HEADER_DIGEST = DDPM_SEAL_BYTES - DDPM_SHA256_BYTES,
    BLOCK_BYTES = 1 << 20
};
/* As PNG's: a byte above 127, an end of line of either kind and a control-Z, so that a transfer as
   text shows. */
static const unsigned char magic[8] = { 0x89, 'D', 'D', 'P', 'M', '\r', '\n', 0x1a };

static void put(unsigned char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

ddpm_status ddpm_sealed_write(const char *path, const void *image, size_t bytes)
{
    assert(bytes > DDPM_SEAL_BYTES);
    const unsigned char *payload = (const unsigned char *)image + DDPM_SEAL_BYTES;
    const size_t payload_bytes = bytes - DDPM_SEAL_BYTES;
    unsigned char header[DDPM_SEAL_BYTES] = { 0 };
    memcpy(header + AT_MAGIC, magic, sizeof magic);
    put(header + AT_MAJOR, DDPM_SEAL_VERSION, 4);
    put(header + AT_PAYLOAD_BYTES, payload_bytes, 8);
    ddpm_sha256_of(header + AT_PAYLOAD_DIGEST, payload, payload_bytes);
    ddpm_sha256_of(header + AT_HEADER_DIGEST, header, AT_HEADER_DIGEST);

    ddpm_io__publish file;
    DDPM_TRY(ddpm_io__publish_begin(&file, path));
    ddpm_status status = ddpm_io__publish_write(&file, header, sizeof header);
    if (status == DDPM_OK) status = ddpm_io__publish_write(&file, payload, payload_bytes);
    if (status == DDPM_OK) return ddpm_io__publish_commit(&file);
    ddpm_io__publish_abandon(&file);
    return status;
}

void ddpm_sealed_digest(unsigned char digest[DDPM_SHA256_BYTES], const void *image)
{
    memcpy(digest, (const unsigned char *)image + AT_PAYLOAD_DIGEST, DDPM_SHA256_BYTES);
}

/* Opens the file and checks its header: magic, its own digest, version, size. */
static ddpm_status open_sealed(int *fd, unsigned char header[DDPM_SEAL_BYTES], uint64_t *bytes,
                               const char *path)
{
    DDPM_TRY(ddpm_io__input_open(fd, bytes, path));
    ddpm_status status;
    unsigned char digest[DDPM_SHA256_BYTES];
    if (*bytes < DDPM_SEAL_BYTES)
        status = ddpm_fail(DDPM_EDATA,
                           "%s is not a sealed file, or truncated: it has %llu bytes, fewer than "
                           "its header",
                           path, (unsigned long long)*bytes);
    else
        status = ddpm_io__input_read(*fd, header, DDPM_SEAL_BYTES, path);
    if (status != DDPM_OK) goto done;
    if (memcmp(header + AT_MAGIC, magic, sizeof magic) != 0) {
        status = ddpm_fail(DDPM_EDATA, "%s is not a sealed file: it does not begin as one", path);
        goto done;
    }
    ddpm_sha256_of(digest, header, AT_HEADER_DIGEST);
    if (memcmp(header + AT_HEADER_DIGEST, digest, sizeof digest) != 0) {
        status = ddpm_fail(DDPM_EDATA,
                           "%s is damaged: its header's checksum is wrong; use another copy", path);
        goto done;
    }
    const uint64_t major = get(header + AT_MAJOR, 4), claim = get(header + AT_PAYLOAD_BYTES, 8);
    if (major != DDPM_SEAL_VERSION)
        status = ddpm_fail(DDPM_EDATA,
                           "%s has version %llu of the sealed format, this program reads version "
                           "%d; use a newer release",
                           path, (unsigned long long)major, DDPM_SEAL_VERSION);
    else if (*bytes - DDPM_SEAL_BYTES < claim)
        status = ddpm_fail(DDPM_EDATA, "%s is truncated: %llu bytes of %llu are there", path,
                           (unsigned long long)(*bytes - DDPM_SEAL_BYTES),
                           (unsigned long long)claim);
    else if (*bytes - DDPM_SEAL_BYTES > claim)
        status = ddpm_fail(DDPM_EDATA, "%s is damaged: %llu bytes follow its end", path,
                           (unsigned long long)(*bytes - DDPM_SEAL_BYTES - claim));
done:
    if (status != DDPM_OK) close(*fd);
    return status;
}

bool ddpm_sealed_is(const char *path)
{
    unsigned char first[sizeof magic];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    const bool is_sealed = fread(first, sizeof first, 1, file) == 1 &&
                           memcmp(first, magic, sizeof magic) == 0;
    fclose(file);
    return is_sealed;
}

static ddpm_status compare(const unsigned char header[DDPM_SEAL_BYTES],
                           const unsigned char digest[DDPM_SHA256_BYTES], const char *path)
{
    if (memcmp(header + AT_PAYLOAD_DIGEST, digest, DDPM_SHA256_BYTES) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA,
                     "%s is damaged: its content does not have the checksum that its header says; "
                     "use another copy",
                     path);
}

ddpm_status ddpm_sealed_read(void **image, size_t *bytes, const char *path, uint64_t limit_bytes)
{
    int fd = -1;
    uint64_t size = 0;
    unsigned char header[DDPM_SEAL_BYTES] = { 0 }, digest[DDPM_SHA256_BYTES], *whole = NULL;
    DDPM_TRY(open_sealed(&fd, header, &size, path));
    ddpm_status status;
    if (size > limit_bytes || size > SIZE_MAX)
        status = ddpm_fail(DDPM_EDATA,
                           "%s has %llu bytes, more than the %llu that are allowed here", path,
                           (unsigned long long)size, (unsigned long long)limit_bytes);
    else if (!(whole = malloc((size_t)size)))
        status = ddpm_fail(DDPM_EOS, "%s: out of memory for its %llu bytes", path,
                           (unsigned long long)size);
    else {
        memcpy(whole, header, DDPM_SEAL_BYTES);
        status = ddpm_io__input_read(fd, whole + DDPM_SEAL_BYTES, (size_t)size - DDPM_SEAL_BYTES,
                                     path);
    }
    close(fd);
    if (status == DDPM_OK) {
        ddpm_sha256_of(digest, whole + DDPM_SEAL_BYTES, (size_t)size - DDPM_SEAL_BYTES);
        status = compare(header, digest, path);
    }
    if (status != DDPM_OK) {
        free(whole);
        return status;
    }
    *image = whole;
    *bytes = (size_t)size;
    return DDPM_OK;
}

ddpm_status ddpm_sealed_verify(const char *path, unsigned char digest[DDPM_SHA256_BYTES])
{
    int fd = -1;
    uint64_t size = 0;
    unsigned char header[DDPM_SEAL_BYTES] = { 0 }, found[DDPM_SHA256_BYTES];
    DDPM_TRY(open_sealed(&fd, header, &size, path));
    ddpm_status status = DDPM_OK;
    const size_t block_bytes = size < BLOCK_BYTES ? (size_t)size : BLOCK_BYTES;
    unsigned char *block = malloc(block_bytes);
    ddpm_sha256 *hash = ddpm_sha256_create();
    if (!block || !hash) {
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
        goto done;
    }
    for (uint64_t left = size - DDPM_SEAL_BYTES; left > 0;) {
        const size_t part = left < block_bytes ? (size_t)left : block_bytes;
        status = ddpm_io__input_read(fd, block, part, path);
        if (status != DDPM_OK) goto done;
        ddpm_sha256_update(hash, block, part);
        left -= part;
    }
    ddpm_sha256_finish(hash, found);
    status = compare(header, found, path);
    if (status == DDPM_OK && digest) memcpy(digest, found, sizeof found);
done:
    ddpm_sha256_free(hash);
    free(block);
    close(fd);
    return status;
}
