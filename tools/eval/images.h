/** @file images.h  Data sets and samples that are compared. */
#ifndef EVAL_IMAGES_H
#define EVAL_IMAGES_H
#include "eval.h"

typedef struct {
    ddpm_dataset *set;
    const char *path;
    ddpm_shape shape;
    size_t count; /**< images that are looked at, spread evenly over the set */
} eval_images;

/** `most` images of a set, or all where it has fewer or 0 is asked for. */
DDPM_NODISCARD ddpm_status eval_images_open(eval_images *images, const char *path, size_t most);
void eval_images_close(eval_images *images);
/** DDPM_ECONFIG unless both have images of one size. */
DDPM_NODISCARD ddpm_status eval_images_match(const eval_images *a, const eval_images *b);
/** A ddpm_row_reader: images first .. first + count - 1 of those looked at, as [count,H,W,C]. */
DDPM_NODISCARD ddpm_status eval_images_read(float *x, size_t first, size_t count, void *images);
/** All that are looked at; *x by ddpm_memory_alloc. */
DDPM_NODISCARD ddpm_status eval_images_load(float **x, eval_images *images);
/** The content hash; "none" of no set. */
const char *eval_images_hash(const eval_images *images);
/** What they are, and how they were made where the file says it. */
json_t *eval_images_describe(const eval_images *images);
/** The same in a line of a table, after `name`. */
void eval_images_print(const char *name, const eval_images *images);
#endif
