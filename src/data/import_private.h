/** @file import_private.h  What importers have in common: a stream of bytes in, a dataset out. */
#ifndef IMPORT_PRIVATE_H
#define IMPORT_PRIVATE_H
#include "ddpm/data/dataset.h"
#include "ddpm/data/import.h"

#include <zlib.h>

enum { DDPM_DATA_BLOCK_BYTES = 1 << 22 /**< of images at a time */ };

/** A file, plain or compressed by gzip, read from front to end. */
typedef struct {
    gzFile file;
    const char *path;
} ddpm_data__stream;
/** DDPM_ENOINPUT. */
DDPM_NODISCARD ddpm_status ddpm_data__stream_open(ddpm_data__stream *stream, const char *path);
/** As many of the bytes as there are; *got < bytes only at the end. DDPM_EDATA: damaged gzip. */
DDPM_NODISCARD ddpm_status ddpm_data__stream_read(ddpm_data__stream *stream, size_t *got,
                                                  void *data, size_t bytes);
/** All of the bytes; DDPM_EDATA names `what` where the file ends before. */
DDPM_NODISCARD ddpm_status ddpm_data__stream_take(ddpm_data__stream *stream, void *data,
                                                  size_t bytes, const char *what);
/** DDPM_EDATA unless the file ends here. */
DDPM_NODISCARD ddpm_status ddpm_data__stream_end(ddpm_data__stream *stream);
/** The most bytes that can come of the file, by its size; after something was read. */
uint64_t ddpm_data__stream_most(const ddpm_data__stream *stream);
void ddpm_data__stream_close(ddpm_data__stream *stream);

/** Where imported and generated images go: padded, written, counted on the terminal. */
typedef struct {
    ddpm_dataset_writer *writer;
    size_t h, w, c, value_bytes; /* of what comes in */
    size_t pad, top, left;       /* pad 0: none */
    unsigned char *padded;       /* a block of images */
    size_t block_images;
    float background;
    size_t count, expected;
    uint64_t shown_ns;
    const volatile sig_atomic_t *stop;
} ddpm_data__sink;
/** info as for a writer, of the images as they come in. expected: the number of images, 0 unknown.
 *  stop: as of the options of an import. */
DDPM_NODISCARD ddpm_status ddpm_data__sink_open(ddpm_data__sink *sink, const char *output,
                                                const ddpm_dataset_info *info, size_t pad,
                                                size_t expected, const volatile sig_atomic_t *stop);
DDPM_NODISCARD ddpm_status ddpm_data__sink_put(ddpm_data__sink *sink, const void *images,
                                               const int64_t *labels, size_t n);
/** Publishes where status is DDPM_OK, else drops what was written; returns the status of both. */
DDPM_NODISCARD ddpm_status ddpm_data__sink_close(ddpm_data__sink *sink, ddpm_status status);

/** Name and source of an import into info: as asked for, or "idx" and the paths. */
void ddpm_data__describe(ddpm_dataset_info *info, const ddpm_import_options *options,
                         const char *importer);
/** Images a block of DDPM_DATA_BLOCK_BYTES holds, at least one. */
size_t ddpm_data__block_images(size_t image_bytes);

ddpm_status ddpm_data__import_idx(const ddpm_import_options *options);
ddpm_status ddpm_data__import_cifar10(const ddpm_import_options *options);
ddpm_status ddpm_data__import_images(const ddpm_import_options *options);
ddpm_status ddpm_data__import_hdf5(const ddpm_import_options *options);
#endif
