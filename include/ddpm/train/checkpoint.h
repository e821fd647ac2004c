/** @file train/checkpoint.h
 *  All that a run is, in one sealed HDF5 file (docs/formats.md): flat buffers as a dataset a
 * tensor, the configuration as text, the table of parameters, the progress. */
#ifndef DDPM_TRAIN_CHECKPOINT_H
#define DDPM_TRAIN_CHECKPOINT_H
#include "ddpm/base/config.h"
#include "ddpm/base/hash.h"
#include "ddpm/kernels/optimizer.h"
#include "ddpm/nn/params.h"

enum { DDPM_CHECKPOINT_MAJOR = 1, DDPM_CHECKPOINT_MINOR = 1 };

/** The flat buffers, each [params->total] float32 in the order of the table. */
typedef struct {
    float *weights, *m, *v;
    size_t ema_count;
    float *ema[DDPM_EMA_MOST];
    double ema_decay[DDPM_EMA_MOST];
    float *importance; /**< objective.timesteps = importance: ddpm_importance_get; else NULL */
    size_t importance_floats;
} ddpm_state;

enum { DDPM_BEST_BY = 192 };

/** The best evaluation of a run so far (eval.every), whose checkpoint is kept. */
typedef struct {
    uint64_t step;         /**< 0: there is none */
    double value;          /**< the lower the better */
    char by[DDPM_BEST_BY]; /**< what it is compared by: values of another text cannot be */
} ddpm_best;

/** What is not a buffer. */
typedef struct {
    uint64_t step;          /**< optimiser steps done; the next has this number, counted from 0 */
    uint64_t images_seen;   /**< step * train.batch */
    uint64_t skipped_steps; /**< with non-finite gradients */
    double loss;            /**< mean since the last log line; NaN before the first step */
    double train_seconds;   /**< of training so far, over all restarts */
    char run_id[40]; /**< random, made when the run started: checkpoints of one run share it */
    char dataset_hash[80], dataset_name[256];
    uint64_t dataset_images;
    char created[32]; /**< UTC; "": the writer puts the time there */
    char host[64];
    int ranks, threads;
    uint64_t evaluated; /**< step of the last evaluation; 0: none */
    ddpm_best best;
} ddpm_progress;

/** Rank 0 only. Builds the image, writes and publishes it. DDPM_ECREATE, DDPM_EIO, DDPM_EOS;
 *  DDPM_EDATA, naming the tensor, where a value is NaN or infinite: such a state is not saved. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_write(const char *path, const ddpm_config *config,
                                                 const ddpm_params *params, const ddpm_state *state,
                                                 const ddpm_progress *progress);
/** Bytes of such a file, within a few per cent, before anything runs. */
uint64_t ddpm_checkpoint_bytes(const ddpm_params *params, size_t ema_count);

typedef struct ddpm_checkpoint ddpm_checkpoint; /**< a verified file, open for reading */

/** Verifies the seal, then parses. DDPM_ENOINPUT; DDPM_EDATA: damaged, truncated, no checkpoint, of
 * a newer major version. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_open(ddpm_checkpoint **out, const char *path);
void ddpm_checkpoint_close(ddpm_checkpoint *checkpoint); /**< takes NULL */
/** Of format 1.0, which did not say objective.timesteps, that is "uniform", and not set. */
const ddpm_config *ddpm_checkpoint_config(const ddpm_checkpoint *checkpoint);
const ddpm_progress *ddpm_checkpoint_progress(const ddpm_checkpoint *checkpoint);
/** Its tensors, in the order of the flat buffer; offsets as in the table that wrote it. */
const ddpm_params *ddpm_checkpoint_params(const ddpm_checkpoint *checkpoint);
/** SHA-256 of the payload, in hexadecimal, as the header has it. */
const char *ddpm_checkpoint_digest(const ddpm_checkpoint *checkpoint);
/** What wrote it: "ddpm-dist 0.1.0 (format 1.0)". */
const char *ddpm_checkpoint_program(const ddpm_checkpoint *checkpoint);
size_t ddpm_checkpoint_ema_count(const ddpm_checkpoint *checkpoint);
double ddpm_checkpoint_ema_decay(const ddpm_checkpoint *checkpoint, size_t i);

typedef enum {
    DDPM_PART_MODEL,
    DDPM_PART_M,
    DDPM_PART_V,
    DDPM_PART_EMA /**< the i-th rate */
} ddpm_checkpoint_part;
/** Fills a flat buffer of `params` by name, padding with 0; DDPM_EDATA where a tensor is missing,
 * one too many, or of another shape. ema_index only for DDPM_PART_EMA. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_read(ddpm_checkpoint *checkpoint, float *flat,
                                                const ddpm_params *params,
                                                ddpm_checkpoint_part part, size_t ema_index);
/** The losses that timesteps were drawn by, [count]. DDPM_EDATA: there are none, or not as many. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_read_importance(ddpm_checkpoint *checkpoint,
                                                           float *history, size_t count);
/** XXH3-128 chained over the tensors of a part in order, padding left out: the same for the same
 *  values in any file. Also of a buffer in memory. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_hash(ddpm_checkpoint *checkpoint,
                                                ddpm_checkpoint_part part, size_t ema_index,
                                                char hash[DDPM_XXH128_HEX]);
void ddpm_flat_hash(char hash[DDPM_XXH128_HEX], const float *flat, const ddpm_params *params);

/** "step-000001200.h5" */
void ddpm_checkpoint_file_name(char *name, size_t size, uint64_t step);
/** The steps that a directory has checkpoints of, going by their names alone, newest first; *steps
 *  malloc'ed, NULL where there are none. DDPM_ENOINPUT: no such directory. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_list(uint64_t **steps, size_t *count,
                                                const char *directory);
/** The newest checkpoint of a directory that verifies and belongs to run_id ("" any): its path into
 *  `path`; says with a warning which it skipped and why. DDPM_ENOINPUT: there is none;
 *  DDPM_EDATA: there are some, and none of them can be used. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_newest(char *path, size_t size, const char *directory,
                                                  const char *run_id);
/** The file that a user's argument means: itself, or of a run directory or its checkpoints/ the
 *  newest that verifies. Whether there is such a file is not looked at. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_find(char *path, size_t size, const char *argument);
/** The same, of the best that the checkpoint knows which ddpm_checkpoint_find would find. Reads it.
 *  DDPM_ENOINPUT: it knows of none. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_find_best(char *path, size_t size, const char *argument);
/** Removes what is neither among the newest `keep` nor of a step divisible by keep_every (0: none)
 *  nor of one of the steps also[also_count], and never so much that fewer than two verify. Reads as
 * many files as it takes to know that. Temporary files of saves that were killed, an hour old, go
 * too. */
DDPM_NODISCARD ddpm_status ddpm_checkpoint_prune(const char *directory, int64_t keep,
                                                 int64_t keep_every, const uint64_t *also,
                                                 size_t also_count);
#endif
