/** @file base/philox.h
 *  Randomness without state: Philox4x32-10 (Salmon et al. 2011), keyed by the run's seed and
 *  counted by what the number is for. A number depends on (seed, purpose, index, stream, i) and on
 *  nothing else, so not on ranks, threads, or what was drawn before. Thread-safe: no state. */
#ifndef DDPM_BASE_PHILOX_H
#define DDPM_BASE_PHILOX_H
#include <stddef.h>
#include <stdint.h>

/** out = Philox4x32-10(counter, key). */
void ddpm_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/** What a random number is for. The values are part of the format of a run: never renumber. */
typedef enum {
    DDPM_RANDOM_INIT = 1,         /**< weights; index: XXH64 of the tensor's name */
    DDPM_RANDOM_TIMESTEP = 2,     /**< t of a training image; index: global sample index */
    DDPM_RANDOM_NOISE = 3,        /**< eps of a training image; index: global sample index */
    DDPM_RANDOM_DROPOUT = 4,      /**< index: global sample index; stream: layer */
    DDPM_RANDOM_FLIP = 5,         /**< index: global sample index */
    DDPM_RANDOM_ORDER = 6,        /**< order of an epoch; index: epoch */
    DDPM_RANDOM_SAMPLE_INIT = 7,  /**< x_T of a generated image; index: image */
    DDPM_RANDOM_SAMPLE_NOISE = 8, /**< index: image; stream: timestep of the network */
    DDPM_RANDOM_DATA = 9,         /**< generated data sets; index: image */
    DDPM_RANDOM_TEST = 10,
    DDPM_RANDOM_LABEL = 11, /**< whether a training image keeps its label; index: sample index */
    DDPM_RANDOM_INPAINT_KNOWN = 12, /**< index: image, and jumps << 40; stream: timestep */
    DDPM_RANDOM_INPAINT_BACK = 13,  /**< the same */
    DDPM_RANDOM_STRATUM = 14,       /**< which part of the timesteps an image gets; index: batch */
    /** Evaluation has its own numbers; those up to 15 are left to training and sampling. */
    DDPM_RANDOM_EVAL_NOISE =
        16, /**< eps of the bound; index: image; stream: timestep of the network */
    DDPM_RANDOM_EVAL_TIMESTEP = 17,   /**< index: image; stream: stratum */
    DDPM_RANDOM_EVAL_CHOICE = 18,     /**< images, patches and directions; stream: which */
    DDPM_RANDOM_EVAL_CLASSIFIER = 19, /**< initial weights; index: the tensor's offset */
    DDPM_RANDOM_HELD_OUT_NOISE = 20, /**< eps of the held-out loss; index: image; stream: quarter */
    DDPM_RANDOM_HELD_OUT_TIMESTEP = 21 /**< the same */
} ddpm_random_purpose;

/** One sequence of random numbers. Counter words: {block, index low, index high,
 *  purpose << 24 | stream}; key: the seed's halves. Requires stream < 2^24. */
typedef struct {
    uint64_t seed, index;
    ddpm_random_purpose purpose;
    uint32_t stream;
} ddpm_random;

/** bits[i], i < count: 32 random bits each. */
void ddpm_random_bits(uint32_t *bits, size_t count, const ddpm_random *random);
/** out[i] = (bits + 1/2) 2^-32 in double, rounded to float: in (0, 1]. */
void ddpm_random_uniform(float *out, size_t count, const ddpm_random *random);
/** Standard normals by Box-Muller (1958), computed in double and rounded once: words 2i and 2i+1
 *  of the sequence give numbers 2i and 2i+1. */
void ddpm_random_normal(float *out, size_t count, const ddpm_random *random);
/** An integer in 0 .. bound - 1 (bound > 0): the high word of 64 random bits times bound, so that
 * no value is more likely than another by more than bound 2^-64. */
uint64_t ddpm_random_below(uint64_t bound, const ddpm_random *random);
/** Where `place` (below count) goes in the permutation of 0 .. count - 1 that (seed, purpose,
 * index) stand for: a Feistel network over the next power of four with cycle walking, so that
 * nothing is stored and any place is O(1). Requires stream 0. */
uint64_t ddpm_random_permute(uint64_t place, uint64_t count, const ddpm_random *random);
#endif
