/** @file data/dataset.h
 *  Our dataset file: HDF5 with /images [N,H,W,C] (uint8 or float32), optional /labels [N],
 *  attributes that describe it and a content hash (docs/formats.md). */
#ifndef DDPM_DATA_DATASET_H
#define DDPM_DATA_DATASET_H
#include "ddpm/base/shape.h"
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define DDPM_DATASET_MEMORY_BYTES (UINT64_C(2) << 30)

typedef struct ddpm_dataset ddpm_dataset;

typedef struct {
    ddpm_shape shape; /**< N, H, W, C */
    bool is_float;    /**< float32 in the file, else uint8 */
    bool has_labels;
    size_t classes;             /**< largest label + 1 */
    float range_min, range_max; /**< values that map to -1 and 1 (0 and 255 for uint8) */
    char content_hash[80];      /**< "sha256:..." over shape, type and decoded content */
    char name[256], source[1024], created[32];
    size_t chunk_images; /**< stored together in the file; not asked for when writing */
    uint64_t file_bytes; /**< of the file; not asked for when writing */
} ddpm_dataset_info;

/** Opens and checks the file; content is read later. DDPM_ENOINPUT, DDPM_EDATA. */
DDPM_NODISCARD ddpm_status ddpm_dataset_open(ddpm_dataset **out, const char *path);
void ddpm_dataset_close(ddpm_dataset *set); /**< takes NULL */
const ddpm_dataset_info *ddpm_dataset_get_info(const ddpm_dataset *set);
/** Images index[i], i < n, as x [n,H,W,C] float32 scaled to [-1,1] (DDPM section 3.3); flip[i]
 *  mirrors an image left-right, NULL none. labels [n] may be NULL. DDPM_EIO, DDPM_EDATA (damage, a
 *  value that is not finite). One thread at a time. */
DDPM_NODISCARD ddpm_status ddpm_dataset_read(ddpm_dataset *set, float *x, int64_t *labels,
                                             const uint64_t *index, const bool *flip, size_t n);
/** Images first .. first + n - 1, and past the end of the set its last one again: so that a network
 *  is called with the same number of images every time. n <= DDPM_DATASET_BATCH_MOST. */
enum { DDPM_DATASET_BATCH_MOST = 256 };
DDPM_NODISCARD ddpm_status ddpm_dataset_read_batch(ddpm_dataset *set, float *x, int64_t *labels,
                                                   uint64_t first, size_t n);
/** A set of at most this many bytes is held decoded: its first read loads it all and verifies its
 *  content hash. Of a larger set the chunks that are asked for are read. Before the first read;
 *  without this call it is the smaller of DDPM_DATASET_MEMORY_BYTES and an eighth of the memory
 *  that this process may use. */
void ddpm_dataset_hold_below(ddpm_dataset *set, uint64_t bytes);
/** Recomputes the content hash: DDPM_EDATA where it is not what the file says. */
DDPM_NODISCARD ddpm_status ddpm_dataset_verify(ddpm_dataset *set);
/** Label of each image, [N], owned by the set; NULL where it has none. */
const int64_t *ddpm_dataset_labels(const ddpm_dataset *set);
/** Mean and standard deviation of each channel over the whole set, scaled to [-1,1]: [C] each. As
 *  the writer measured them. */
DDPM_NODISCARD ddpm_status ddpm_dataset_moments(ddpm_dataset *set, double *mean, double *std);
/** What a writer noted beside the fixed attributes. The number's return is false, the text NULL
 *  (else malloc'ed) where there is no such note. */
bool ddpm_dataset_number(double *value, ddpm_dataset *set, const char *name);
char *ddpm_dataset_text(ddpm_dataset *set, const char *name);
/** Bytes of memory the set takes when open. */
uint64_t ddpm_dataset_memory_bytes(const ddpm_dataset *set);

/** Writing: create, append in order, finish (hash, attributes, publish) or abandon by free. Of
 *  the info h, w, c, is_float, has_labels, the range, name and source are taken; the rest is
 *  found out. */
typedef struct ddpm_dataset_writer ddpm_dataset_writer;
DDPM_NODISCARD ddpm_status ddpm_dataset_writer_create(ddpm_dataset_writer **out, const char *path,
                                                      const ddpm_dataset_info *info);
/** images [n,H,W,C] of the set's type (uint8_t or float); labels NULL exactly where there are none.
 *  DDPM_EDATA for a negative label or a value that is not finite. */
DDPM_NODISCARD ddpm_status ddpm_dataset_writer_append(ddpm_dataset_writer *writer,
                                                      const void *images, const int64_t *labels,
                                                      size_t n);
/** Notes, kept as attributes of the file. */
DDPM_NODISCARD ddpm_status ddpm_dataset_writer_set_number(ddpm_dataset_writer *writer,
                                                          const char *name, double value);
DDPM_NODISCARD ddpm_status ddpm_dataset_writer_set_text(ddpm_dataset_writer *writer,
                                                        const char *name, const char *text);
/** DDPM_EDATA where nothing was appended. Frees the writer in any case. */
DDPM_NODISCARD ddpm_status ddpm_dataset_writer_finish(ddpm_dataset_writer *writer);
void ddpm_dataset_writer_free(ddpm_dataset_writer *writer);
#endif
