/** @file io/sealed_file.h
 *  Files that are whole or not there, and whose damage is found before anything parses them.
 *
 *  A sealed file is a 512-byte header (magic, version, payload length, SHA-256 of all that follows,
 *  and of the header itself) before an HDF5 image: HDF5 finds its superblock at offset 512 (a user
 *  block), so h5py, h5ls and h5dump open the file as it is (docs/formats.md). */
#ifndef DDPM_IO_SEALED_FILE_H
#define DDPM_IO_SEALED_FILE_H
#include "ddpm/base/hash.h"
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DDPM_SEAL_BYTES = 512, DDPM_SEAL_VERSION = 1 };

/** Writes header and payload to `path` with mode 0666 & ~umask: temporary name in the same
 *  directory, write, fsync, close, rename, fsync of the directory. After DDPM_OK the file survives
 *  a power cut; after a failure (DDPM_ECREATE, DDPM_EIO) what was at `path` is untouched and the
 *  temporary file (".NAME.tmp-PID-K") is gone; only where the directory's fsync itself fails is the
 *  new file there, whole. `image` is a whole HDF5 file image that begins with its own
 *  512-byte user block (ddpm_h5_image), which the header replaces. */
DDPM_NODISCARD ddpm_status ddpm_sealed_write(const char *path, const void *image, size_t bytes);
/** Reads the whole file into malloc'ed memory and verifies it. DDPM_ENOINPUT: not there;
 *  DDPM_EDATA: not a sealed file, truncated, damaged, or of a newer major version; DDPM_EIO.
 *  *bytes includes the user block; files above `limit_bytes` are refused before allocation. */
DDPM_NODISCARD ddpm_status ddpm_sealed_read(void **image, size_t *bytes, const char *path,
                                            uint64_t limit_bytes);
/** The SHA-256 of the payload, as the header of a verified image says it. */
void ddpm_sealed_digest(unsigned char digest[DDPM_SHA256_BYTES], const void *image);
/** Verifies without keeping: streams the file. digest may be NULL. */
DDPM_NODISCARD ddpm_status ddpm_sealed_verify(const char *path,
                                              unsigned char digest[DDPM_SHA256_BYTES]);
/** Whether the file begins as a sealed one, whole or not; false where it cannot be read. */
bool ddpm_sealed_is(const char *path);

/** The same publishing for any bytes without a header (PNG, INI, markers). */
DDPM_NODISCARD ddpm_status ddpm_publish_file(const char *path, const void *data, size_t bytes);
/** mkdir -p. DDPM_ECREATE names the component and why. */
DDPM_NODISCARD ddpm_status ddpm_make_directory(const char *path);
/** The whole of a small file, malloc'ed and 0-terminated; bytes may be NULL. */
DDPM_NODISCARD ddpm_status ddpm_read_file(char **text, size_t *bytes, const char *path,
                                          size_t limit_bytes);
#endif
