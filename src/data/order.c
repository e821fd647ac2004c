#include "ddpm/data/order.h"

#include "ddpm/base/philox.h"

#include <assert.h>

/* Rounds of the Feistel network. Four make a pseudo-random permutation of wide halves (Luby and
   Rackoff 1988); the halves here may have a single bit, and eight cost little. Part of the format
   of a run, as is everything in this file: a change reorders the data of every run. */
enum { ROUNDS = 8 };

typedef struct {
    uint32_t key[2], epoch[2];
    unsigned half_bits;
} network;

/* The round function: a word of Philox at {right half, epoch, purpose and round}. */
static uint32_t round_function(const network *net, uint32_t right, uint32_t round)
{
    const uint32_t counter[4] = { right, net->epoch[0], net->epoch[1],
                                  (uint32_t)DDPM_RANDOM_ORDER << 24 | round };
    uint32_t word[4];
    ddpm_philox4x32(word, counter, net->key);
    return word[0] & (uint32_t)((UINT64_C(1) << net->half_bits) - 1);
}

static uint64_t permute(const network *net, uint64_t position)
{
    uint32_t left = (uint32_t)(position >> net->half_bits);
    uint32_t right = (uint32_t)(position & ((UINT64_C(1) << net->half_bits) - 1));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t next = left ^ round_function(net, right, round);
        left = right;
        right = next;
    }
    return (uint64_t)left << net->half_bits | right;
}

uint64_t ddpm_order_image(uint64_t seed, uint64_t sample_index, uint64_t image_count)
{
    assert(image_count > 0);
    const uint64_t epoch = sample_index / image_count;
    network net = { .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
                    .epoch = { (uint32_t)epoch, (uint32_t)(epoch >> 32) } };
    while (net.half_bits < 32 && (UINT64_C(1) << 2 * net.half_bits) < image_count) net.half_bits++;
    /* Cycle walking: a permutation of 0 .. 4^k - 1, followed until it falls below the count, is a
       permutation of 0 .. count - 1. The power of four is below 4 count: about 4 turns at most on
       average. */
    uint64_t image = sample_index % image_count;
    do image = permute(&net, image);
    while (image >= image_count);
    return image;
}

bool ddpm_order_flip(uint64_t seed, uint64_t sample_index)
{
    const ddpm_random random = { .seed = seed, .index = sample_index, .purpose = DDPM_RANDOM_FLIP };
    uint32_t word;
    ddpm_random_bits(&word, 1, &random);
    return word >> 31;
}
