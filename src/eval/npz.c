#include "npz.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* what is read is const */
#include <zlib.h>

/* PKWARE's APPNOTE 4.3: local headers, the central directory, and a record at the end that says
 * where that is. The directory alone is believed; sizes of a local header may be missing. */
enum {
    END_BYTES = 22,
    COMMENT_MOST = 65535,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    STORED = 0,
    DEFLATED = 8,
    HEADER_MOST = 4096 /* of a .npy file, more than any honest one has */
};

static uint32_t get16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | get16(p + 2) << 16;
}

typedef struct {
    const unsigned char *data;
    size_t packed, bytes;
    uint32_t method, crc;
} entry;

static ddpm_status damaged(const char *path, const char *what)
{
    return ddpm_fail(DDPM_EDATA, "%s is no sound .npz file: %s", path, what);
}

static const unsigned char *find_end(const unsigned char *zip, size_t bytes)
{
    if (bytes < END_BYTES) return NULL;
    const size_t last = bytes - END_BYTES, reach = last < COMMENT_MOST ? last : COMMENT_MOST;
    for (size_t back = 0; back <= reach; back++)
        if (get32(zip + last - back) == 0x06054b50u) return zip + last - back;
    return NULL;
}

static bool is_named(const unsigned char *at, size_t length, const char *name)
{
    return length == strlen(name) + 4 && memcmp(at, name, length - 4) == 0 &&
           memcmp(at + length - 4, ".npy", 4) == 0;
}

/* *found->data is NULL where there is none of the name. */
static ddpm_status find_entry(entry *found, const unsigned char *zip, size_t bytes,
                              const char *name, const char *path)
{
    *found = (entry){ 0 };
    const unsigned char *end = find_end(zip, bytes);
    if (!end) return damaged(path, "it does not end as a zip file does");
    const size_t count = get16(end + 10), limit = (size_t)(end - zip);
    size_t at = get32(end + 16);
    for (size_t i = 0; i < count; i++) {
        if (at > limit || limit - at < ENTRY_BYTES || get32(zip + at) != 0x02014b50u)
            return damaged(path, "its directory is broken");
        const unsigned char *e = zip + at;
        const size_t length = get16(e + 28), rest = length + get16(e + 30) + get16(e + 32);
        if (limit - at - ENTRY_BYTES < rest) return damaged(path, "its directory is broken");
        at += ENTRY_BYTES + rest;
        if (!is_named(e + ENTRY_BYTES, length, name)) continue;
        *found = (entry){ .method = get16(e + 10),
                          .crc = get32(e + 16),
                          .packed = get32(e + 20),
                          .bytes = get32(e + 24) };
        const size_t local = get32(e + 42);
        if (local > limit || limit - local < LOCAL_BYTES || get32(zip + local) != 0x04034b50u)
            return damaged(path, "an entry is not where the directory says");
        const size_t skip = LOCAL_BYTES + get16(zip + local + 26) + get16(zip + local + 28);
        if (limit - local < skip || limit - local - skip < found->packed)
            return damaged(path, "an entry is cut off");
        found->data = zip + local + skip;
        return DDPM_OK;
    }
    return DDPM_OK;
}

ddpm_status npz_has(bool *has, const unsigned char *zip, size_t bytes, const char *name,
                    const char *path)
{
    entry found;
    DDPM_TRY(find_entry(&found, zip, bytes, name, path));
    *has = found.data != NULL;
    return DDPM_OK;
}

/* Exactly entry->bytes bytes into `to`. */
static ddpm_status unpack(unsigned char *to, const entry *e, const char *path)
{
    if (e->method == STORED) {
        if (e->packed != e->bytes) return damaged(path, "an entry has two sizes");
        memcpy(to, e->data, e->bytes);
    } else if (e->method == DEFLATED) {
        z_stream stream = { .next_in = e->data,
                            .avail_in = (uInt)e->packed,
                            .next_out = to,
                            .avail_out = (uInt)e->bytes };
        if (inflateInit2(&stream, -15) != Z_OK) return ddpm_fail(DDPM_EOS, "%s: zlib", path);
        const int ended = inflate(&stream, Z_FINISH);
        const bool whole = ended == Z_STREAM_END && stream.avail_out == 0;
        inflateEnd(&stream);
        if (!whole) return damaged(path, "an entry does not unpack to its size");
    } else
        return damaged(path, "an entry is packed by other means than deflate");
    if (crc32(0, to, (uInt)e->bytes) != e->crc) return damaged(path, "an entry's CRC is wrong");
    return DDPM_OK;
}

/* A dimension list "(2048, 2048)" or "(2048,)". */
static bool parse_shape(npz_array *out, const char *text)
{
    out->rank = 0;
    out->count = 1;
    while (*text == ' ' || *text == '(') text++;
    while (*text >= '0' && *text <= '9') {
        char *next;
        const unsigned long long size = strtoull(text, &next, 10);
        if (out->rank == NPZ_RANK || size == 0 || size > SIZE_MAX / 16 / out->count) return false;
        out->size[out->rank++] = (size_t)size;
        out->count *= (size_t)size;
        text = next;
        while (*text == ' ' || *text == ',') text++;
    }
    return *text == ')' && out->rank > 0;
}

typedef struct {
    size_t data; /* where the numbers begin */
    bool is_double;
} layout;

/* numpy's format 1.0, 2.0 and 3.0: "\x93NUMPY", version, length, a dictionary in Python's spelling.
 */
static ddpm_status parse_header(npz_array *out, layout *how, const unsigned char *npy, size_t bytes,
                                const char *name, const char *path)
{
    char text[HEADER_MOST + 1];
    if (bytes < 12 || memcmp(npy, "\x93NUMPY", 6) != 0 || npy[6] < 1 || npy[6] > 3)
        return damaged(path, "an entry is no .npy file");
    const size_t start = npy[6] == 1 ? 10 : 12;
    const size_t length = npy[6] == 1 ? get16(npy + 8) : get32(npy + 8);
    if (length > HEADER_MOST || bytes - start < length)
        return damaged(path, "an array's header is too long");
    memcpy(text, npy + start, length);
    text[length] = '\0';
    const char *shape = strstr(text, "'shape':");
    if (!shape || !parse_shape(out, shape + strlen("'shape':")))
        return ddpm_fail(DDPM_EDATA, "%s: '%s' is no vector and no matrix", path, name);
    how->is_double = strstr(text, "'descr': '<f8'") != NULL;
    if (!how->is_double && !strstr(text, "'descr': '<f4'"))
        return ddpm_fail(DDPM_EDATA, "%s: '%s' is not of float32 or float64, little-endian", path,
                         name);
    if (out->rank > 1 && !strstr(text, "'fortran_order': False"))
        return ddpm_fail(DDPM_EDATA, "%s: '%s' is stored by columns; save it by rows", path, name);
    how->data = start + length;
    return DDPM_OK;
}

static ddpm_status take_values(npz_array *out, const unsigned char *npy, size_t bytes,
                               const char *name, size_t most, const char *path)
{
    layout how;
    DDPM_TRY(parse_header(out, &how, npy, bytes, name, path));
    const size_t width = how.is_double ? sizeof(double) : sizeof(float);
    if (out->count > most || (bytes - how.data) / width != out->count ||
        (bytes - how.data) % width != 0)
        return ddpm_fail(DDPM_EDATA, "%s: '%s' has another size than its header says", path, name);
    out->values = malloc(out->count * sizeof *out->values);
    if (!out->values) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    for (size_t i = 0; i < out->count; i++) {
        float single;
        if (how.is_double)
            memcpy(&out->values[i], npy + how.data + i * width, width);
        else {
            memcpy(&single, npy + how.data + i * width, width);
            out->values[i] = (double)single;
        }
    }
    return DDPM_OK;
}

ddpm_status npz_read(npz_array *out, const unsigned char *zip, size_t bytes, const char *name,
                     size_t most, const char *path)
{
    entry e;
    *out = (npz_array){ 0 };
    DDPM_TRY(find_entry(&e, zip, bytes, name, path));
    if (!e.data) return ddpm_fail(DDPM_EDATA, "%s has no '%s'", path, name);
    /* Before anything is allocated: no more than the numbers that are allowed. */
    if (e.bytes / sizeof(double) > most + HEADER_MOST || e.bytes > INT_MAX)
        return ddpm_fail(DDPM_EDATA, "%s: '%s' is larger than features can be", path, name);
    unsigned char *npy = malloc(e.bytes ? e.bytes : 1);
    if (!npy) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    ddpm_status status = unpack(npy, &e, path);
    if (status == DDPM_OK) status = take_values(out, npy, e.bytes, name, most, path);
    free(npy);
    return status;
}
