#include "import_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

ddpm_status ddpm_data__stream_open(ddpm_data__stream *stream, const char *path)
{
    errno = 0;
    *stream = (ddpm_data__stream){ .file = gzopen(path, "rbe"), .path = path };
    if (!stream->file)
        return errno ? ddpm_fail(DDPM_ENOINPUT, "cannot open %s: %s", path, strerror(errno))
                     : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    gzbuffer(stream->file, 1 << 17);
    return DDPM_OK;
}

/* zlib says Z_BUF_ERROR for a gzip file that ends within its data. */
static ddpm_status failure(const ddpm_data__stream *stream)
{
    int error;
    const char *reason = gzerror(stream->file, &error);
    if (error == Z_ERRNO)
        return errno == EISDIR
                   ? ddpm_fail(DDPM_ENOINPUT, "cannot read %s: it is a directory", stream->path)
                   : ddpm_fail(DDPM_EIO, "cannot read %s: %s", stream->path, strerror(errno));
    if (error == Z_MEM_ERROR) return ddpm_fail(DDPM_EOS, "%s: out of memory", stream->path);
    return ddpm_fail(DDPM_EDATA, "%s is damaged or truncated: %s", stream->path,
                     error == Z_BUF_ERROR ? "it ends within compressed data" : reason);
}

ddpm_status ddpm_data__stream_read(ddpm_data__stream *stream, size_t *got, void *data, size_t bytes)
{
    unsigned char *to = data;
    *got = 0;
    while (*got < bytes) {
        const size_t left = bytes - *got;
        const int read = gzread(stream->file, to + *got, left < 1 << 30 ? (unsigned)left : 1 << 30);
        if (read < 0) return failure(stream);
        if (read == 0) break;
        *got += (size_t)read;
    }
    int error;
    gzerror(stream->file, &error);
    return error == Z_OK || error == Z_STREAM_END ? DDPM_OK : failure(stream);
}

ddpm_status ddpm_data__stream_take(ddpm_data__stream *stream, void *data, size_t bytes,
                                   const char *what)
{
    size_t got;
    DDPM_TRY(ddpm_data__stream_read(stream, &got, data, bytes));
    if (got == bytes) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s is truncated: it ends within %s", stream->path, what);
}

ddpm_status ddpm_data__stream_end(ddpm_data__stream *stream)
{
    unsigned char more;
    size_t got;
    DDPM_TRY(ddpm_data__stream_read(stream, &got, &more, 1));
    if (got == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA, "%s goes on after the end that its header says", stream->path);
}

uint64_t ddpm_data__stream_most(const ddpm_data__stream *stream)
{
    enum { INFLATION = 1032 }; /* of deflate, at most */
    struct stat about;
    if (stat(stream->path, &about) != 0 || !S_ISREG(about.st_mode)) return UINT64_MAX;
    return (uint64_t)about.st_size * (gzdirect(stream->file) ? 1 : INFLATION);
}

void ddpm_data__stream_close(ddpm_data__stream *stream)
{
    if (stream->file) gzclose(stream->file);
    stream->file = NULL;
}
