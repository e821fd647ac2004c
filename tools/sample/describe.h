/** @file describe.h  How images came about: the notes of an HDF5 file, and --json. */
#ifndef SAMPLE_DESCRIBE_H
#define SAMPLE_DESCRIBE_H
#include "job.h"

/** An object of texts and numbers; the caller's. DDPM_EOS. */
DDPM_NODISCARD ddpm_status sample_describe(json_t **out, const sample_job *job);
/** The same and what it took, on standard output. DDPM_EOS, DDPM_EIO. */
DDPM_NODISCARD ddpm_status sample_print_json(const sample_job *job);
/** Images that a drawing hands out. */
size_t sample_images_of(const ddpm_drawing *drawing);
#endif
